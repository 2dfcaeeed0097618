//! A request as the checks see it: borrowed from the connection's buffers, computed once.

use http::HeaderMap;

use crate::{ClientAddr, Place};

/// The version of HTTP that the client speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum HttpVersion {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

impl HttpVersion {
    /// As logs write it: `HTTP/1.1`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2.0",
        }
    }
}

/// How the client's connection came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Plain TCP.
    Http,
    /// TLS.
    Https,
}

impl Scheme {
    /// `http` or `https`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

/// The forms of a request's path.
#[derive(Clone, Copy, Debug)]
pub struct PathView<'a> {
    /// As sent, without the query.
    pub raw: &'a [u8],
    /// Percent-decoded once, without dot and empty segments; starts with `/`.
    pub canonical: &'a [u8],
    /// The canonical path without `;params`, where it has any: blocks match it too, allows and
    /// routes don't.
    pub without_params: Option<&'a [u8]>,
}

/// A request's head as the checks see it.
#[derive(Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// Who sent it.
    pub client: &'a ClientAddr,
    /// Where the client is.
    pub place: Place,
    /// How the client's connection came in.
    pub scheme: Scheme,
    /// The version the client speaks.
    pub version: HttpVersion,
    /// The method, as sent (methods are case-sensitive, RFC 9110 section 9.1).
    pub method: &'a str,
    /// The host, lower case, without port and trailing dot; brackets kept around IPv6.
    pub host: &'a str,
    /// The path.
    pub path: PathView<'a>,
    /// The query as sent, without `?`; empty where there is none.
    pub query: &'a [u8],
    /// The header fields as sent, `cookie` crumbs of HTTP/2 joined (RFC 9113 section 8.2.3).
    pub headers: &'a HeaderMap,
}

impl<'a> RequestView<'a> {
    /// The first `User-Agent`; empty where there is none.
    #[must_use]
    pub fn user_agent(&self) -> &'a [u8] {
        self.headers
            .get(http::header::USER_AGENT)
            .map_or(&[][..], |value| value.as_bytes())
    }
}
