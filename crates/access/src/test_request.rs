//! A request for tests.

use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_vocabulary::{
    Asn, ClientAddr, Country, HttpVersion, Known, PathView, Place, RequestView, Scheme,
};

/// A request that owns what a [`RequestView`] borrows. As plain as can be until told otherwise.
#[derive(Clone, Debug)]
pub(crate) struct TestRequest {
    client: ClientAddr,
    place: Place,
    method: String,
    host: String,
    raw_path: Vec<u8>,
    path: Vec<u8>,
    path_without_params: Option<Vec<u8>>,
    query: String,
    headers: HeaderMap,
}

impl TestRequest {
    /// A GET of the canonical path `path` from 192.0.2.1.
    pub(crate) fn new(path: &str) -> Self {
        let stripped: Vec<&str> = path
            .split('/')
            .map(|segment| segment.split(';').next().unwrap_or_default())
            .collect();
        Self {
            client: ClientAddr::peer("192.0.2.1".parse().unwrap(), 40000),
            place: Place::UNAVAILABLE,
            method: "GET".to_owned(),
            host: "example.com".to_owned(),
            raw_path: path.into(),
            path: path.into(),
            path_without_params: path.contains(';').then(|| stripped.join("/").into_bytes()),
            query: String::new(),
            headers: HeaderMap::new(),
        }
    }

    pub(crate) fn client(mut self, address: &str) -> Self {
        self.client.ip = address.parse().unwrap();
        self
    }

    pub(crate) fn country(mut self, country: &str) -> Self {
        self.place.country = known(country, |text| text.parse::<Country>().unwrap());
        self
    }

    pub(crate) fn asn(mut self, asn: &str) -> Self {
        self.place.asn = known(asn, |text| text.parse::<Asn>().unwrap());
        self
    }

    pub(crate) fn method(mut self, method: &str) -> Self {
        method.clone_into(&mut self.method);
        self
    }

    pub(crate) fn host(mut self, host: &str) -> Self {
        host.clone_into(&mut self.host);
        self
    }

    pub(crate) fn raw_path(mut self, path: &str) -> Self {
        self.raw_path = path.into();
        self
    }

    pub(crate) fn query(mut self, query: &str) -> Self {
        query.clone_into(&mut self.query);
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        let name: HeaderName = name.parse().unwrap();
        self.headers
            .append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        self
    }

    pub(crate) fn view(&self) -> RequestView<'_> {
        RequestView {
            client: &self.client,
            place: self.place,
            scheme: Scheme::Https,
            version: HttpVersion::Http11,
            method: &self.method,
            host: &self.host,
            path: PathView {
                raw: &self.raw_path,
                canonical: &self.path,
                without_params: self.path_without_params.as_deref(),
            },
            query: self.query.as_bytes(),
            headers: &self.headers,
        }
    }
}

/// `-` is what a database doesn't list, `?` is no database.
fn known<T>(text: &str, parse: impl Fn(&str) -> T) -> Known<T> {
    match text {
        "-" => Known::Unlisted,
        "?" => Known::Unavailable,
        _ => Known::Is(parse(text)),
    }
}
