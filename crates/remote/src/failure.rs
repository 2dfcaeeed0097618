//! Why a server could not be had, in words.

use std::error::Error;

/// What failed between Palisade and a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectStage {
    /// The host has no address.
    Dns,
    /// No connection to the address.
    Connect,
    /// No TLS on the connection: a certificate that is not trusted, for instance.
    Tls,
}

impl std::fmt::Display for ConnectStage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Dns => "its name",
            Self::Connect => "its address",
            Self::Tls => "TLS",
        })
    }
}

/// What failed before a request was sent; none if it was something later.
#[must_use]
pub fn connect_stage(error: &reqwest::Error) -> Option<ConnectStage> {
    if error.is_dns() {
        Some(ConnectStage::Dns)
    } else if is_tls(error) {
        Some(ConnectStage::Tls)
    } else if error.is_connect() {
        Some(ConnectStage::Connect)
    } else {
        None
    }
}

/// The longest text of somebody else's in an error, in characters.
const EXCERPT_CHARS_MAX: usize = 200;

/// The start of `bytes`, safe to print.
#[must_use]
pub fn excerpt(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let start = text.trim().chars().take(EXCERPT_CHARS_MAX);
    start
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The error at the root of `error`: the most telling one, and one that doesn't repeat the URL.
#[must_use]
pub fn root_cause(error: &(dyn Error + 'static)) -> String {
    let mut root = error;
    while let Some(source) = root.source() {
        root = source;
    }
    excerpt(root.to_string().as_bytes())
}

/// Whether `error` comes from TLS.
fn is_tls(error: &(dyn Error + 'static)) -> bool {
    if error.is::<rustls::Error>() {
        return true;
    }
    // The source of an I/O error is that of the error inside it, which would be left out.
    let inside = error
        .downcast_ref::<std::io::Error>()
        .and_then(std::io::Error::get_ref);
    if let Some(inside) = inside {
        return is_tls(inside);
    }
    error.source().is_some_and(is_tls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_short_and_printable() {
        assert_eq!(excerpt(b"  {\"message\":\"x\"}\n"), "{\"message\":\"x\"}");
        assert_eq!(excerpt(b"a\x1b[31mb\xff"), "a [31mb\u{fffd}");
        assert_eq!(excerpt(&[b'x'; 1000]).len(), 200);
    }

    #[test]
    fn tls_is_found_inside_of_io_errors() {
        let tls = std::io::Error::other(std::io::Error::new(
            std::io::ErrorKind::InvalidData,
            rustls::Error::DecryptError,
        ));
        assert!(is_tls(&tls));
        assert!(!is_tls(&std::io::Error::other("x")));
        assert!(!is_tls(&std::io::Error::from(std::io::ErrorKind::NotFound)));
    }
}
