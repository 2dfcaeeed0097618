//! Basic authentication: credentials read, and found to have been verified a moment ago.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group};
use http::header::{self, HeaderMap, HeaderValue};
use palisade_authentication::{Credentials, Presented, Users, VerifiedCredentials};
use palisade_benches::browser::BrowserRequest;
use palisade_benches::scene::NOW;

use crate::TIMES;

library_benchmark_group!(name = authentication, benchmarks = [read, recall]);

/// `alice` with the password `myPassword`, as a browser sends them.
const BASIC: HeaderValue = HeaderValue::from_static("Basic YWxpY2U6bXlQYXNzd29yZA==");

const USERS: &[u8] = b"alice:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n";

fn with_credentials() -> HeaderMap {
    let mut headers = BrowserRequest::new().headers;
    headers.insert(header::AUTHORIZATION, BASIC);
    read_once(&headers);
    headers
}

fn read_once(headers: &HeaderMap) {
    let presented = Presented::read(black_box(headers));
    let is_alice =
        matches!(&presented, Presented::Basic(credentials) if credentials.user() == "alice");
    assert!(is_alice, "her credentials");
    black_box(presented);
}

#[library_benchmark]
#[bench::basic(with_credentials())]
fn read(headers: HeaderMap) -> HeaderMap {
    for _ in 0..TIMES {
        read_once(&headers);
    }
    headers
}

/// What was verified, of so many credentials.
struct Verified {
    users: Users,
    verified: VerifiedCredentials,
    credentials: Vec<Credentials>,
}

impl Verified {
    fn new() -> Self {
        let numbers = 1_000..1_000 + TIMES;
        let credentials = numbers.map(|number| {
            let password = format!("myPassword{number}");
            Credentials::new("alice", password.as_bytes()).expect("credentials")
        });
        let verified = Self {
            users: Users::parse(USERS).expect("users"),
            verified: VerifiedCredentials::new(),
            credentials: credentials.collect(),
        };
        for credentials in &verified.credentials {
            let remembered = &verified.verified;
            remembered.remember(&verified.users, credentials, NOW);
        }
        verified.recall_each();
        verified
    }

    fn recall_each(&self) {
        for credentials in &self.credentials {
            let user = self.verified.recall(&self.users, credentials, NOW);
            assert!(black_box(user).is_some(), "verified a moment ago");
        }
    }
}

#[library_benchmark]
#[bench::of_100_credentials(Verified::new())]
fn recall(verified: Verified) -> Verified {
    verified.recall_each();
    verified
}
