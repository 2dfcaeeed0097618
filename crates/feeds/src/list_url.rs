//! Where a list is.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// The address of a list: `http` or `https`, without user name and password. Its query may hold a
/// key: it is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct ListUrl(Url);

impl ListUrl {
    /// The longest, in bytes.
    pub const LEN_MAX: usize = 2_048;

    /// Whether the list is asked for over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// All of it, with what may be a key.
    pub(crate) fn whole(&self) -> &Url {
        &self.0
    }
}

impl FromStr for ListUrl {
    type Err = ListUrlError;

    fn from_str(text: &str) -> Result<Self, ListUrlError> {
        if text.len() > Self::LEN_MAX {
            return Err(ListUrlError::TooLong { got: text.len() });
        }
        let mut url: Url = text.parse().map_err(|error| ListUrlError::NotAUrl {
            reason: format!("{error}"),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(ListUrlError::Scheme);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(ListUrlError::Password);
        }
        url.set_fragment(None);
        Ok(Self(url))
    }
}

impl fmt::Display for ListUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = self.0.clone();
        let has_query = shown.query().is_some();
        shown.set_query(None);
        f.write_str(shown.as_str())?;
        f.write_str(if has_query { "?..." } else { "" })
    }
}

impl fmt::Debug for ListUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{self}\"")
    }
}

/// What is wrong with the address of a list. Never repeats it: it may hold a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListUrlError {
    /// Over [`ListUrl::LEN_MAX`] bytes.
    #[error("the URL has {got} bytes; at most {} are possible", ListUrl::LEN_MAX)]
    TooLong {
        /// How many bytes were got.
        got: usize,
    },
    /// No URL.
    #[error("this is no URL: {reason}; expected one like https://lists.example/drop.txt")]
    NotAUrl {
        /// Why not.
        reason: String,
    },
    /// Neither `http` nor `https`.
    #[error("the scheme is not known here; expected http or https")]
    Scheme,
    /// A user name or a password.
    #[error("user names and passwords in URLs are not sent; leave them out")]
    Password,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, ListUrlError>) {
        let got = text.parse::<ListUrl>().map(|url| url.to_string());
        assert_eq!(got, expected.map(str::to_owned), "{text}");
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_a_key() {
        check("https://a.example/x.txt", Ok("https://a.example/x.txt"));
        check(
            "http://a.example/x?key=hunter2#y",
            Ok("http://a.example/x?..."),
        );
        let url: ListUrl = "http://a.example/x?key=hunter2".parse().unwrap();
        assert!(!format!("{url:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_no_address_of_a_list_is_told() {
        check("ftp://a.example/x", Err(ListUrlError::Scheme));
        check("file:///etc/passwd", Err(ListUrlError::Scheme));
        check("http://u:p@a.example/", Err(ListUrlError::Password));
        assert!("lists.txt".parse::<ListUrl>().is_err());
        let long = format!("http://a.example/{}", "x".repeat(2_048));
        assert!(long.parse::<ListUrl>().is_err());
    }
}
