//! Requests, and a worker that judges them by SecLang rules in all phases.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use palisade_body::Body;
use palisade_seclang::{
    Connection, Program, RequestHead, ResponseHead, Transaction, Verdict, Worker, WorkerOptions,
};
use palisade_testkit::orders;

type Field = (&'static [u8], &'static [u8]);

const BROWSER: [Field; 8] = [
    (b"Host", b"shop.example.com"),
    (
        b"User-Agent",
        b"Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
    ),
    (
        b"Accept",
        b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    ),
    (b"Accept-Language", b"en-GB,en;q=0.7,de;q=0.3"),
    (b"Accept-Encoding", b"gzip, deflate, br, zstd"),
    (b"Referer", b"https://shop.example.com/products/chairs"),
    (
        b"Cookie",
        b"session=4f1c2b7a9d8e6f5041322314; theme=dark; consent=1; cart=chair-1284; lang=en",
    ),
    (b"Connection", b"keep-alive"),
];

/// A benign request.
pub(crate) struct Benign {
    line: String,
    headers: Vec<Field>,
    body: String,
}

impl Benign {
    /// A page with 8 arguments and 5 cookies.
    pub(crate) fn get() -> Self {
        let target = "/search?q=oak+folding+chair&colour=green&page=2&sort=price&min=20&max=150&brand=acme&ref=home";
        Self::new("GET", target, None, String::new())
    }

    /// A form of 55 orders.
    pub(crate) fn form() -> Self {
        let kind: Field = (b"Content-Type", b"application/x-www-form-urlencoded");
        Self::new("POST", "/orders", Some(kind), orders::form())
    }

    /// 10 KiB of JSON with 389 values.
    pub(crate) fn json() -> Self {
        let kind: Field = (b"Content-Type", b"application/json");
        Self::new("POST", "/api/orders", Some(kind), orders::json())
    }

    fn new(method: &str, target: &str, kind: Option<Field>, body: String) -> Self {
        let mut headers = BROWSER.to_vec();
        headers.extend(kind);
        if !body.is_empty() {
            let length = body.len().to_string().into_bytes();
            headers.push((b"Content-Length", length.leak()));
        }
        Self {
            line: format!("{method} {target} HTTP/1.1"),
            headers,
            body,
        }
    }

    fn head(&self) -> RequestHead<'_> {
        let mut words = self.line.split(' ').map(str::as_bytes);
        let mut word = || words.next().unwrap_or_default();
        RequestHead {
            line: self.line.as_bytes(),
            method: word(),
            target: word(),
            protocol: word(),
            headers: &self.headers,
        }
    }
}

/// Whether strings of earlier requests are of use to later ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Values {
    /// As if none came before.
    New,
    /// As if all came before.
    Seen,
}

/// A worker that has judged its request twice.
pub(crate) struct Inspected {
    worker: Worker,
    request: Benign,
}

impl Inspected {
    pub(crate) fn new(program: Program, request: Benign, values: Values) -> Self {
        let mut options = WorkerOptions::new(|| Duration::from_secs(1_800_000_000));
        if values == Values::New {
            options.strings_max = 0;
        }
        let mut inspected = Self {
            worker: Worker::new(Arc::new(program), options),
            request,
        };
        inspected.judge();
        inspected.judge();
        inspected
    }

    /// Judges the request and a short answer to it.
    pub(crate) fn judge(&mut self) {
        let (worker, request) = (&mut self.worker, black_box(&self.request));
        let connection = Connection {
            client: ([192, 0, 2, 1], 50_000).into(),
            server: ([192, 0, 2, 2], 443).into(),
            unique_id: "0123456789abcdef",
        };
        let answer = ResponseHead {
            protocol: b"HTTP/1.1",
            status: 200,
            reason: b"OK",
            headers: &[(b"Content-Type", b"text/html")],
        };
        let mut transaction = Transaction::begin(worker, &connection);
        let verdicts = [
            transaction.request_head(worker, &request.head()),
            transaction.request_body(worker, Body::whole(request.body.as_bytes())),
            transaction.response_head(worker, &answer),
            transaction.response_body(worker, Body::whole(b"<!DOCTYPE html><p>Thank you!</p>")),
        ];
        transaction.log(worker);
        transaction.finish(worker);
        assert_eq!(verdicts, [Verdict::Pass; 4], "the request is benign");
    }
}
