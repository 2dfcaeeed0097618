//! Where LAPI is.

use std::fmt;
use std::str::FromStr;

use reqwest::Url;

/// The address of LAPI: `http` or `https`, a host, and a path that ends with a slash. Holds no
/// user name, password, query or fragment, so that it may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LapiUrl(Url);

impl LapiUrl {
    /// The longest, in bytes.
    pub const LEN_MAX: usize = 2_048;

    /// The address as text; ends with a slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether LAPI is asked over TLS.
    #[must_use]
    pub fn is_https(&self) -> bool {
        self.0.scheme() == "https"
    }

    /// The address of `endpoint`, a path below this one.
    pub(crate) fn join(&self, endpoint: &str) -> Url {
        let mut url = self.0.clone();
        url.set_path(&format!("{}{endpoint}", self.0.path()));
        url
    }
}

impl FromStr for LapiUrl {
    type Err = LapiUrlError;

    /// A missing slash at the end is added.
    fn from_str(text: &str) -> Result<Self, LapiUrlError> {
        if text.len() > Self::LEN_MAX {
            return Err(LapiUrlError::TooLong { got: text.len() });
        }
        let mut url: Url = text.parse().map_err(|error| LapiUrlError::NotAUrl {
            reason: format!("{error}"),
        })?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(LapiUrlError::Scheme(url.scheme().to_owned()));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(LapiUrlError::Credentials);
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(LapiUrlError::Query);
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self(url))
    }
}

impl fmt::Display for LapiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with the address of LAPI.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LapiUrlError {
    /// Not a URL. What was got is not repeated: it may hold a password.
    #[error("not a URL ({reason}); expected one like http://127.0.0.1:8080/")]
    NotAUrl {
        /// Why not.
        reason: String,
    },
    /// Over [`LapiUrl::LEN_MAX`] bytes.
    #[error(
        "{got} bytes are too many for a URL; at most {} here",
        LapiUrl::LEN_MAX
    )]
    TooLong {
        /// How many bytes were got.
        got: usize,
    },
    /// Neither `http` nor `https`.
    #[error("scheme \"{0}\" can't be used; expected http or https")]
    Scheme(String),
    /// A user name or password.
    #[error(
        "a URL with a user name or password can't be used; give the key as `api_key` or `api_key_file`"
    )]
    Credentials,
    /// A query or fragment.
    #[error("a URL with `?` or `#` can't be used; give only scheme, host, port and path")]
    Query,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(input: &str, expected: &str) {
        let got = match input.parse::<LapiUrl>() {
            Ok(url) => url.join("v1/decisions/stream").to_string(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, expected, "{input}");
    }

    #[test]
    fn a_url_ends_with_one_slash() {
        check(
            "http://127.0.0.1:8080",
            "http://127.0.0.1:8080/v1/decisions/stream",
        );
        check(
            "http://127.0.0.1:8080/",
            "http://127.0.0.1:8080/v1/decisions/stream",
        );
        check(
            "https://lapi.internal/crowdsec",
            "https://lapi.internal/crowdsec/v1/decisions/stream",
        );
        check(
            "https://[::1]:443/a/",
            "https://[::1]/a/v1/decisions/stream",
        );
    }

    #[test]
    fn what_is_no_place_of_a_lapi_is_refused() {
        let example = "expected one like http://127.0.0.1:8080/";
        check(
            "127.0.0.1",
            &format!("error: not a URL (relative URL without a base); {example}"),
        );
        check(
            "http://",
            &format!("error: not a URL (empty host); {example}"),
        );
        check(
            "ftp://lapi/",
            "error: scheme \"ftp\" can't be used; expected http or https",
        );
        check(
            "localhost:8080",
            "error: scheme \"localhost\" can't be used; expected http or https",
        );
        check(
            &format!("http://{}", "x".repeat(2_048)),
            "error: 2055 bytes are too many for a URL; at most 2048 here",
        );
    }

    #[test]
    fn a_password_is_refused_and_not_shown() {
        for text in [
            "http://user:hunter2@lapi/",
            "http://hunter2@lapi/",
            "http://lapi/?key=hunter2",
            "http://x:hunter2@/",
        ] {
            let error = text.parse::<LapiUrl>().unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
