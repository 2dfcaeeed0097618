//! What is asked for, on the command line.

use anyhow::{Result, bail};
use palisade_vocabulary::Scheme;

/// The parts of a URL that a request is made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url<'u> {
    pub(crate) scheme: Scheme,
    /// With its port, if there is one.
    pub(crate) host: &'u str,
    /// Path and query; it begins with a slash.
    pub(crate) target: String,
}

impl<'u> Url<'u> {
    /// Takes `https://host/path?query` apart.
    pub(crate) fn parse(url: &'u str) -> Result<Self> {
        let (scheme, rest) = match url.split_once("://") {
            Some(("http", rest)) => (Scheme::Http, rest),
            Some(("https", rest)) => (Scheme::Https, rest),
            _ => {
                bail!("\"{url}\" is not an address; expected one like https://app.example.com/path")
            }
        };
        let host_len = rest.find(['/', '?']).unwrap_or(rest.len());
        let (host, target) = rest.split_at_checked(host_len).unwrap_or((rest, ""));
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Self {
            scheme,
            host,
            target: format!("{slash}{target}"),
        })
    }
}
