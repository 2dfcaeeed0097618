//! What of requests and answers a log is not to show.

/// Names whose values a log shows as `*`, in small letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct HiddenNames {
    /// Of arguments, of the query and of the body: the whole name, or the last part of one that is made of
    /// parts (`login.password` of JSON, `login[password]` of a form).
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
        let without_bracket = name.strip_suffix(b"]");
        let mut parts = without_bracket.unwrap_or(name).rsplit(|byte| match byte {
            b'[' => without_bracket.is_some(),
            byte => *byte == b'.',
        });
        let last = parts.next().unwrap_or_default();
        contains(&self.arguments, name) || contains(&self.arguments, last)
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
    let is_it = |known: &Box<str>| known.as_bytes().eq_ignore_ascii_case(name);
    names.iter().any(is_it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_hidden_by_their_name_or_its_last_part() {
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
        check("password.hint", false);
        check("passwords[]", false);
        check("", false);
    }
}
