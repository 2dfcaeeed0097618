//! The header in which a kind of hop tells the client.

use std::str::FromStr;
use std::sync::Arc;

use http::HeaderName;

/// A header that hops write: its name, and how its values are read, which the name decides.
///
/// `X-Forwarded-For` is a list, `Forwarded` is RFC 7239's, any other header has one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopHeader {
    name: HeaderName,
    kind: HeaderKind,
    label: Arc<str>,
}

/// How the values of a header are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderKind {
    XForwardedFor,
    Forwarded,
    Single,
}

/// The lower-case name of the list that every hop appends to.
pub(crate) const X_FORWARDED_FOR: &str = "x-forwarded-for";

impl HopHeader {
    /// The header's name.
    #[must_use]
    pub fn name(&self) -> &HeaderName {
        &self.name
    }

    /// The name, lower case, as [`Provenance`](palisade_vocabulary::Provenance) shows it.
    pub(super) fn label(&self) -> Arc<str> {
        Arc::clone(&self.label)
    }

    pub(super) fn kind(&self) -> HeaderKind {
        self.kind
    }
}

impl FromStr for HopHeader {
    type Err = HopHeaderError;

    /// The name of a header, in any case.
    fn from_str(text: &str) -> Result<Self, HopHeaderError> {
        let name =
            HeaderName::try_from(text).map_err(|_| HopHeaderError::NotAName(excerpt(text)))?;
        if name.as_str().contains('_') {
            return Err(HopHeaderError::Underscore(excerpt(text)));
        }
        let kind = match name.as_str() {
            X_FORWARDED_FOR => HeaderKind::XForwardedFor,
            "forwarded" => HeaderKind::Forwarded,
            _ => HeaderKind::Single,
        };
        Ok(Self {
            label: name.as_str().into(),
            name,
            kind,
        })
    }
}

/// What is wrong with the name of a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HopHeaderError {
    /// No header can have this name.
    #[error("\"{0}\" is not the name of a header; expected one like X-Forwarded-For")]
    NotAName(String),
    /// A name with an underscore, which any client can slip past a hop that writes the one with a
    /// hyphen.
    #[error("\"{0}\" has an underscore; such headers are never trusted, write it with hyphens")]
    Underscore(String),
}

/// At most 64 characters of what was got, safe to print.
fn excerpt(text: &str) -> String {
    text.chars()
        .take(64)
        .flat_map(char::escape_default)
        .collect()
}
