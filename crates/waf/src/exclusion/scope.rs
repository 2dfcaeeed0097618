//! Of which requests, and of what in them, a rule looks away.
//!
//! All of it comes from what a client sent, so each part is a type that only text can be which means the
//! same in a rule file as here: no quote, escape, macro or line break gets that far.

use palisade_seclang::syntax::VariableName;

use super::record::shortened;

/// The most bytes of a member's name that a log keeps; one that long may have been cut.
const NAME_BYTES_MAX: usize = 512;
/// The longest path.
const PATH_BYTES_MAX: usize = 4 * 1024;
/// The longest host (RFC 1035 section 3.1).
const HOST_BYTES_MAX: usize = 255;

/// Why something a client sent can't stand in a rule.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Inexpressible {
    /// The host.
    #[error(
        "the host \"{}\" can't stand in a rule; expected letters, digits, dots and hyphens. For all hosts of the site, add --wider host",
        shortened(.0)
    )]
    Host(String),
    /// The path.
    #[error(
        "the path \"{}\" can't stand in a rule; expected one that begins with a slash and has only what RFC 3986 allows in a path",
        shortened(.0)
    )]
    Path(String),
    /// The name of an argument, a cookie, a header field.
    #[error("the name \"{}\" can't stand in a rule, since {why}; for all that the rule looks at, add --wider argument", shortened(.name))]
    Name {
        /// The name, as the log has it.
        name: String,
        /// What is wrong with it.
        why: &'static str,
    },
}

/// A host: lower case, without a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Host(String);

impl Host {
    /// The host of that name.
    ///
    /// # Errors
    /// It has characters that no host has.
    pub fn parse(name: &str) -> Result<Self, Inexpressible> {
        let is_of_host = |byte: u8| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-._[]:".contains(&byte)
        };
        match (1..=HOST_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_of_host) {
            true => Ok(Self(name.to_owned())),
            false => Err(Inexpressible::Host(name.to_owned())),
        }
    }

    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A path as it is sent: not decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentPath(String);

impl SentPath {
    /// The path of a request's target.
    ///
    /// # Errors
    /// It isn't one of RFC 3986 section 3.3 that begins with a slash.
    pub fn of_target(target: &str) -> Result<Self, Inexpressible> {
        let path = target.split('?').next().unwrap_or_default();
        match path.len() <= PATH_BYTES_MAX && is_path(path.as_bytes()) {
            true => Ok(Self(path.to_owned())),
            false => Err(Inexpressible::Path(path.to_owned())),
        }
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The folder that it is in: up to its last slash.
    #[must_use]
    pub fn folder(&self) -> Self {
        let end = self.0.rfind('/').map_or(0, |slash| slash + 1);
        Self(self.0.get(..end).unwrap_or("/").to_owned())
    }
}

fn is_path(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    if rest.first() != Some(&b'/') {
        return false;
    }
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                tail
            }
            [byte, tail @ ..]
                if byte.is_ascii_alphanumeric() || b"/-._~!$&'()*+,;=:@".contains(byte) =>
            {
                tail
            }
            _ => return false,
        };
    }
}

/// Which paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PathScope {
    /// This one.
    Exactly(SentPath),
    /// All that begin with it.
    Below(SentPath),
}

/// What of a request a rule looks away from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spared {
    /// One member of a collection: `ARGS:q`.
    Member(VariableName, Member),
    /// A variable: `REQUEST_FILENAME`.
    Variable(VariableName),
    /// All: the rule doesn't run.
    Everything,
}

/// The name of a member of a collection. Upper and lower case are the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member(String);

impl Member {
    /// Its name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// It as a selector: itself, or an expression in which all that isn't a letter or a digit stands as its
    /// number.
    #[must_use]
    pub fn selector(&self) -> String {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
        if !self.0.is_empty() && self.0.bytes().all(is_plain) {
            return self.0.clone();
        }
        let mut expression = "/^".to_owned();
        for byte in self.0.bytes() {
            match byte.is_ascii_alphanumeric() {
                true => expression.push(char::from(byte)),
                false => expression.push_str(&format!("\\x{byte:02x}")),
            }
        }
        expression.push_str("\\z/");
        expression
    }
}

/// Variables that stand for something else, or for what other rules have left: that one of them matched
/// says nothing of where in the request.
const INDIRECT: [VariableName; 14] = [
    VariableName::Tx,
    VariableName::MatchedVar,
    VariableName::MatchedVarName,
    VariableName::MatchedVars,
    VariableName::MatchedVarsNames,
    VariableName::Rule,
    VariableName::Geo,
    VariableName::Env,
    VariableName::Ip,
    VariableName::Global,
    VariableName::Session,
    VariableName::User,
    VariableName::Resource,
    VariableName::Duration,
];

impl Spared {
    /// What the value's name stands for that a rule matched, such as `ARGS:q`; everything where that is no
    /// target which a rule can do without.
    ///
    /// # Errors
    /// The member's name can't stand in a rule.
    pub fn of_match(name: &str) -> Result<Self, Inexpressible> {
        let (variable, member) = match name.split_once(':') {
            Some((variable, member)) => (variable, Some(member)),
            None => (name, None),
        };
        let Some(variable) = VariableName::named(variable.as_bytes()) else {
            return Ok(Self::Everything);
        };
        Ok(match member {
            _ if INDIRECT.contains(&variable) => Self::Everything,
            // Its text and its attributes have no names.
            Some("/*" | "//@*") if variable == VariableName::Xml => {
                Self::Member(variable, Member(member.unwrap_or_default().to_owned()))
            }
            Some(_) if variable == VariableName::Xml || !variable.is_collection() => {
                Self::Everything
            }
            Some(member) => Self::Member(variable, read_member(member)?),
            None if variable.is_collection() => Self::Everything,
            None => Self::Variable(variable),
        })
    }

    /// It as a target: `ARGS:q`; `None` of everything.
    #[must_use]
    pub fn target(&self) -> Option<String> {
        match self {
            Self::Member(VariableName::Xml, member) => Some(format!("XML:{}", member.as_str())),
            Self::Member(variable, member) => {
                Some(format!("{}:{}", variable.as_str(), member.selector()))
            }
            Self::Variable(variable) => Some(variable.as_str().to_owned()),
            Self::Everything => None,
        }
    }
}

fn read_member(name: &str) -> Result<Member, Inexpressible> {
    let why = if name.len() >= NAME_BYTES_MAX {
        "the log has only its beginning"
    } else if has_escaped_byte(name) {
        "it has bytes that are not UTF-8, or looks like it"
    } else {
        return Ok(Member(name.to_owned()));
    };
    Err(Inexpressible::Name {
        name: name.to_owned(),
        why,
    })
}

/// Whether something is what logs write of a byte that isn't UTF-8: `\xFF`.
fn has_escaped_byte(name: &str) -> bool {
    name.as_bytes().windows(4).any(
        |four| matches!(four, [b'\\', b'x', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let check = |name: &str, is_host: bool| assert_eq!(Host::parse(name).is_ok(), is_host);
        check("app.example.com", true);
        check("192.0.2.1", true);
        check("[2001:db8::1]", true);
        for name in ["", "a b", "a\"", "a\\", "a%{b}", "a\nb", "A", "é"] {
            check(name, false);
        }
    }

    #[test]
    fn paths_are_those_of_the_rfc() {
        #[track_caller]
        fn check(target: &str, expected: Option<&str>) {
            let path = SentPath::of_target(target).ok();
            assert_eq!(path.as_ref().map(SentPath::as_str), expected, "{target}");
        }
        check("/search?q=1", Some("/search"));
        check("/a%20b/c;d='e'", Some("/a%20b/c;d='e'"));
        for target in [
            "",
            "search",
            "*",
            "http://a/b",
            "/a\"",
            "/a\\",
            "/%{tx.a}",
            "/a%2",
            "/a b",
            "/a\n",
            "/é",
        ] {
            check(target, None);
        }
    }

    #[test]
    fn folders() {
        let folder = |path: &str| SentPath::of_target(path).unwrap().folder().0;
        assert_eq!(folder("/a/b"), "/a/");
        assert_eq!(folder("/a/"), "/a/");
        assert_eq!(folder("/a"), "/");
    }

    #[test]
    fn what_matched_is_a_target() {
        #[track_caller]
        fn check(name: &str, expected: Option<&str>) {
            let target = Spared::of_match(name).unwrap().target();
            assert_eq!(target.as_deref(), expected, "{name}");
        }
        check("ARGS:q", Some("ARGS:q"));
        check("ARGS_NAMES:q.x_y-z", Some("ARGS_NAMES:q.x_y-z"));
        check("REQUEST_COOKIES:a b", Some(r"REQUEST_COOKIES:/^a\x20b\z/"));
        check("ARGS:a:b", Some(r"ARGS:/^a\x3ab\z/"));
        check("ARGS:/a/", Some(r"ARGS:/^\x2fa\x2f\z/"));
        check("ARGS:", Some(r"ARGS:/^\z/"));
        check("ARGS:é", Some(r"ARGS:/^\xc3\xa9\z/"));
        check("REQUEST_FILENAME", Some("REQUEST_FILENAME"));
        check("XML:/*", Some("XML:/*"));
        for name in [
            "",
            "TX:1",
            "MATCHED_VAR",
            "NONE:a",
            "ARGS",
            "&ARGS",
            "REQUEST_URI:a",
        ] {
            check(name, None);
        }
    }

    #[test]
    fn names_that_a_log_does_not_have_whole() {
        assert!(Spared::of_match(r"ARGS:a\xFF").is_err());
        assert!(Spared::of_match(&format!("ARGS:{}", "a".repeat(512))).is_err());
        assert!(Spared::of_match(r"ARGS:a\xg").is_ok());
    }
}
