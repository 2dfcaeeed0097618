//! What of requests and answers a log is not to show.

/// Names whose values a log shows as `*`, in small letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HiddenNames {
    /// Of arguments, of the query and of the body: the whole name, or a part of one that is made of parts
    /// (`login.password` of JSON, `login[password]` and `password[]` of a form).
    pub arguments: Vec<Box<str>>,
    /// Of fields of the request and of the answer.
    pub headers: Vec<Box<str>>,
    /// Of cookies.
    pub cookies: Vec<Box<str>>,
}

impl HiddenNames {
    /// No names.
    pub const NONE: Self = Self {
        arguments: Vec::new(),
        headers: Vec::new(),
        cookies: Vec::new(),
    };

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arguments.is_empty() && self.headers.is_empty() && self.cookies.is_empty()
    }

    /// Whether the value of an argument of this name is hidden.
    #[must_use]
    pub fn has_argument(&self, name: &[u8]) -> bool {
        let mut parts = name.split(|byte| matches!(byte, b'.' | b'[' | b']'));
        contains(&self.arguments, name) || parts.any(|part| contains(&self.arguments, part))
    }

    /// Whether a text that is no plain name or value of an argument speaks of one whose value is hidden, such
    /// as JSON where a form was said to be.
    #[must_use]
    pub fn is_spoken_of(&self, text: &[u8]) -> bool {
        let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.[]$: ".contains(byte);
        if text.iter().all(is_plain) {
            return false;
        }
        self.arguments.iter().any(|name| {
            let mut windows = text.windows(name.len().max(1));
            windows.any(|window| window.eq_ignore_ascii_case(name.as_bytes()))
        })
    }

    /// Whether the value of a field of this name is hidden.
    #[must_use]
    pub fn has_header(&self, name: &[u8]) -> bool {
        contains(&self.headers, name)
    }

    /// Whether the value of a cookie of this name is hidden.
    #[must_use]
    pub fn has_cookie(&self, name: &[u8]) -> bool {
        contains(&self.cookies, name)
    }
}

fn contains(names: &[Box<str>], name: &[u8]) -> bool {
    if name.is_empty() {
        return false;
    }
    let mut names = names.iter();
    names.any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_hidden_by_their_name_or_a_part_of_it() {
        let names = HiddenNames {
            arguments: vec!["password".into(), "card.number".into()],
            ..HiddenNames::default()
        };
        let check = |name: &str, expected: bool| {
            assert_eq!(names.has_argument(name.as_bytes()), expected, "{name}");
        };
        check("password", true);
        check("Password", true);
        check("json.login.password", true);
        check("login[password]", true);
        check("card.number", true);
        check("number", false);
        check("password2", false);
        check("password.hint", true);
        check("password[]", true);
        check("password[0][x]", true);
        check("passwords[]", false);
        check("", false);
    }

    #[test]
    fn texts_may_speak_of_arguments() {
        let names = HiddenNames {
            arguments: vec!["password".into()],
            ..HiddenNames::default()
        };
        let check = |text: &str, expected: bool| {
            assert_eq!(names.is_spoken_of(text.as_bytes()), expected, "{text}");
        };
        check(r#"{"a":1,"Password":"x"}"#, true);
        check("a: password", false);
        check("<password>x", true);
        check("{}", false);
        check("", false);
    }
}
