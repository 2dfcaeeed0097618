//! The credentials of basic authentication (RFC 7617).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, header};
use zeroize::Zeroizing;

/// What a request says of who sent it.
#[derive(Debug)]
pub enum Presented {
    /// Nothing, or nothing of this scheme. A browser asks without at first.
    Nothing,
    /// Something that can't be read: more than one field, bytes that aren't base64, no colon, control
    /// characters, a name that isn't UTF-8, or more than there may be.
    Malformed,
    /// A name and a password.
    Basic(Credentials),
}

/// A name and a password, as a client sent them. Memory that held them is overwritten when it is given
/// back.
#[derive(Clone)]
pub struct Credentials {
    user: Box<str>,
    password: Zeroizing<Box<[u8]>>,
}

impl Presented {
    /// What `headers` say. Hot path: allocates only where there are credentials.
    #[must_use]
    pub fn read(headers: &HeaderMap) -> Self {
        let mut fields = headers.get_all(header::AUTHORIZATION).iter();
        match (fields.next(), fields.next()) {
            (None, _) => Self::Nothing,
            // A backend could take the one that we don't (RFC 9110 section 5.3).
            (Some(_), Some(_)) => Self::Malformed,
            (Some(field), None) => Self::parse(field.as_bytes()),
        }
    }

    /// What the value of an `Authorization` field says (RFC 9110 section 11.6.2).
    #[must_use]
    pub fn parse(value: &[u8]) -> Self {
        let mut parts = value.splitn(2, |byte| *byte == b' ');
        let scheme = parts.next().unwrap_or_default();
        if !scheme.eq_ignore_ascii_case(b"basic") {
            return Self::Nothing;
        }
        let token = parts.next().unwrap_or_default().trim_ascii();
        match Credentials::decode(token) {
            Some(credentials) => Self::Basic(credentials),
            None => Self::Malformed,
        }
    }
}

impl Credentials {
    /// The longest name, in bytes.
    pub const USER_BYTES_MAX: usize = 255;

    /// The longest password, in bytes: what SHA-crypt costs grows with its length. (bcrypt looks at
    /// no more than 72 of them.)
    pub const PASSWORD_BYTES_MAX: usize = 256;

    /// What base64 makes of the longest ones and the colon.
    const TOKEN_BYTES_MAX: usize =
        (Self::USER_BYTES_MAX + Self::PASSWORD_BYTES_MAX + 1).div_ceil(3) * 4;

    /// RFC 7617 section 2: base64 of `user:password`. The name can't have a colon, and neither has
    /// control characters.
    fn decode(token: &[u8]) -> Option<Self> {
        if token.len() > Self::TOKEN_BYTES_MAX {
            return None;
        }
        let decoded = Zeroizing::new(STANDARD.decode(token).ok()?);
        let colon = decoded.iter().position(|byte| *byte == b':')?;
        let (user, password) = decoded.split_at_checked(colon)?;
        Self::new(std::str::from_utf8(user).ok()?, password.get(1..)?)
    }

    /// A name and a password; `None` where they are none that RFC 7617 lets a client send, or longer
    /// than they may be.
    #[must_use]
    pub fn new(user: &str, password: &[u8]) -> Option<Self> {
        let fits = is_user_name(user)
            && password.len() <= Self::PASSWORD_BYTES_MAX
            && !password.iter().any(u8::is_ascii_control);
        fits.then(|| Self {
            user: user.into(),
            password: Zeroizing::new(password.into()),
        })
    }

    /// The name: 1 to 255 bytes without colon and control characters, and otherwise the client's word.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.user
    }

    pub(crate) fn password(&self) -> &[u8] {
        &self.password
    }
}

/// Whether basic authentication can speak of a user by this name.
pub(crate) fn is_user_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= Credentials::USER_BYTES_MAX
        && !name.contains(|character: char| character == ':' || character.is_control())
}

impl fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn shown(presented: &Presented) -> String {
        match presented {
            Presented::Nothing => "nothing".to_owned(),
            Presented::Malformed => "malformed".to_owned(),
            Presented::Basic(credentials) => {
                let password = String::from_utf8_lossy(credentials.password());
                format!("{} with {password}", credentials.user())
            }
        }
    }

    #[track_caller]
    fn check(value: impl AsRef<[u8]>, expected: &str) {
        let value = value.as_ref();
        assert_eq!(
            shown(&Presented::parse(value)),
            expected,
            "{}",
            value.escape_ascii()
        );
    }

    #[track_caller]
    fn check_decoded(credentials: impl AsRef<[u8]>, expected: &str) {
        check(format!("Basic {}", STANDARD.encode(credentials)), expected);
    }

    #[test]
    fn the_examples_of_rfc_7617() {
        check(
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==",
            "Aladdin with open sesame",
        );
        check("Basic dGVzdDoxMjPCow==", "test with 123£");
    }

    #[test]
    fn the_scheme_ignores_case_and_others_are_none_of_ours() {
        check("bAsIc YTpi", "a with b");
        check("Basic   YTpi ", "a with b");
        check("Bearer YTpi", "nothing");
        check("Basics YTpi", "nothing");
        check("", "nothing");
    }

    #[test]
    fn what_cannot_be_read_is_malformed() {
        for value in [
            "Basic",
            "Basic ",
            "Basic !",
            "Basic YTpi YTpi",
            "Basic YTp",
            "Basic YTpi=",
            "Basic\tYTpi x",
        ] {
            let expected = if value.contains('\t') {
                "nothing"
            } else {
                "malformed"
            };
            check(value, expected);
        }
        check_decoded("no colon", "malformed");
        check_decoded(":no name", "malformed");
        check_decoded(b"\xff:not UTF-8", "malformed");
        check_decoded("a\n:b", "malformed");
        check_decoded("a:b\0", "malformed");
        check_decoded("a:", "a with ");
        check_decoded("a:b:c", "a with b:c");
    }

    #[test]
    fn names_and_passwords_have_bounds() {
        let (user, password) = ("u".repeat(255), "p".repeat(256));
        check_decoded(
            format!("{user}:{password}"),
            &format!("{user} with {password}"),
        );
        check_decoded(format!("{user}u:{password}"), "malformed");
        check_decoded(format!("{user}:{password}p"), "malformed");
        check_decoded(format!("u:{}", "p".repeat(1_000_000)), "malformed");
    }

    #[test]
    fn more_than_one_field_is_malformed() {
        let mut headers = HeaderMap::new();
        assert_eq!(shown(&Presented::read(&headers)), "nothing");
        headers.append(
            header::AUTHORIZATION,
            HeaderValue::from_static("Basic YTpi"),
        );
        assert_eq!(shown(&Presented::read(&headers)), "a with b");
        headers.append(header::AUTHORIZATION, HeaderValue::from_static("Bearer x"));
        assert_eq!(shown(&Presented::read(&headers)), "malformed");
    }

    #[test]
    fn a_password_is_never_shown() {
        let shown = format!("{:?}", Presented::parse(b"Basic YWxpY2U6aHVudGVyMg=="));
        assert!(
            shown.contains("alice") && !shown.contains("hunter2"),
            "{shown}"
        );
        assert!(!shown.contains("104, 117"), "{shown}");
    }

    proptest! {
        #[test]
        fn any_credentials_arrive(user in "[^:\\p{Cc}]{1,60}", password in "[^\\p{Cc}]{0,60}") {
            let token = STANDARD.encode(format!("{user}:{password}"));
            let presented = Presented::parse(format!("Basic {token}").as_bytes());
            prop_assert_eq!(shown(&presented), format!("{user} with {password}"));
        }

        #[test]
        fn any_bytes_are_something(value in proptest::collection::vec(any::<u8>(), 0..200)) {
            let token = [b"Basic ", &*value].concat();
            let (_, _) = (Presented::parse(&value), Presented::parse(&token));
        }
    }
}
