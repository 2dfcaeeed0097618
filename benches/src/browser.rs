//! A browser's request for a page, as it comes from a trusted hop.

use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_hygiene::HeadLimits;
use palisade_hygiene::h1::{Head, check_head};

/// The field that tells whom the hop got the request from.
pub const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Its head, as it is sent: fifteen fields.
pub const HEAD: &str = "\
GET /products/chairs/oak-folding-chair-1284.html?color=green&page=2 HTTP/1.1\r\n\
Host: shop-07.example.com\r\n\
User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8\r\n\
Accept-Language: en-GB,en;q=0.9,de;q=0.8\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Referer: https://shop-07.example.com/products\r\n\
Cookie: session=8d3c5a41f09b7c2e; consent=yes; theme=dark\r\n\
Cache-Control: max-age=0\r\n\
Upgrade-Insecure-Requests: 1\r\n\
Sec-Fetch-Dest: document\r\n\
Sec-Fetch-Mode: navigate\r\n\
Sec-Fetch-Site: same-origin\r\n\
Priority: u=0, i\r\n\
Connection: keep-alive\r\n\
X-Forwarded-For: 198.51.100.7\r\n\
\r\n";

/// The request, once its head was found clean.
#[derive(Clone, Debug)]
pub struct BrowserRequest {
    /// What hygiene made of the head.
    pub head: Head<'static>,
    /// The header fields.
    pub headers: HeaderMap,
}

impl BrowserRequest {
    /// The request, from the address that [`HEAD`] has.
    #[must_use]
    pub fn new() -> Self {
        let head = check_head(HEAD.as_bytes(), &HeadLimits::default());
        let fields = HEAD
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        let field = |(name, value)| {
            let name = HeaderName::from_bytes(str::as_bytes(name)).expect("a name");
            (name, HeaderValue::from_static(value))
        };
        Self {
            head: head.expect("a clean head"),
            headers: fields.map(field).collect(),
        }
    }

    /// Makes it the request of another client, without allocating.
    pub fn set_client(&mut self, client: &HeaderValue) {
        if let Some(value) = self.headers.get_mut(X_FORWARDED_FOR) {
            value.clone_from(client);
        }
    }
}

impl Default for BrowserRequest {
    fn default() -> Self {
        Self::new()
    }
}
