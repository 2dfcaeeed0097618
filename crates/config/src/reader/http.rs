//! Words of HTTP.

use ::http::{HeaderName, HeaderValue};

use super::{ScalarKind, Shape};
use crate::problem::quoted;

/// A status from `min` to `max`.
pub(crate) struct Status {
    pub(crate) min: u16,
    pub(crate) max: u16,
}

impl ScalarKind for Status {
    type Value = u16;

    fn parse(&self, text: &str) -> Result<u16, String> {
        let three_digits = text.len() == 3 && text.bytes().all(|b| b.is_ascii_digit());
        let status = text.parse().ok().filter(|_| three_digits);
        status
            .filter(|status| (self.min..=self.max).contains(status))
            .ok_or_else(|| {
                format!(
                    "{} is not a status that can be given here; expected {}",
                    quoted(text),
                    self.shape()
                )
            })
    }

    fn shape(&self) -> Shape {
        Shape::Integer {
            min: self.min.into(),
            max: self.max.into(),
        }
    }
}

/// The name of a header field (RFC 9110 section 5.1).
pub(crate) struct HeaderFieldName;

impl ScalarKind for HeaderFieldName {
    type Value = HeaderName;

    fn parse(&self, text: &str) -> Result<HeaderName, String> {
        HeaderName::from_bytes(text.as_bytes()).map_err(|_| {
            format!(
                "{} is not the name of a header; expected one like X-Forwarded-For",
                quoted(text)
            )
        })
    }

    fn shape(&self) -> Shape {
        Shape::Text("the name of a header, like X-Forwarded-For")
    }
}

/// The value of a header field that is sent: visible ASCII, spaces and tabs (RFC 9110 section 5.5).
pub(crate) struct HeaderFieldValue;

impl ScalarKind for HeaderFieldValue {
    type Value = HeaderValue;

    fn parse(&self, text: &str) -> Result<HeaderValue, String> {
        const LEN_MAX: usize = 8 * 1024;
        let fits = text.len() <= LEN_MAX && text.trim() == text;
        HeaderValue::from_str(text).ok().filter(|_| fits && text.is_ascii()).ok_or_else(|| {
            // Not shown: it may be a credential.
            format!("the value ({} bytes) can't be sent as a header; expected ASCII text without line breaks or spaces around it, at most {LEN_MAX} bytes", text.len())
        })
    }

    fn shape(&self) -> Shape {
        Shape::Text("the value of a header")
    }
}
