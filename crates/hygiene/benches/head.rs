//! What a head costs: `cargo bench -p palisade-hygiene`.

use divan::{Bencher, black_box};
use palisade_hygiene::h1::{HeadSearch, check_head};
use palisade_hygiene::path::canonicalise;
use palisade_hygiene::{HeadLimits, Host, PathPolicy, PathScratch};

/// What a browser sends, 600 bytes.
const BROWSER: &[u8] = b"GET /static/js/app.bundle.js?v=20251101 HTTP/1.1\r\n\
Host: app.example.com\r\n\
User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n\
Accept-Language: en-GB,en;q=0.7,de;q=0.3\r\n\
Accept-Encoding: gzip, deflate, br, zstd\r\n\
Referer: https://app.example.com/dashboard\r\n\
Connection: keep-alive\r\n\
Cookie: session=4f1c2b7a9d8e6f5041322314; theme=dark; consent=1\r\n\
Upgrade-Insecure-Requests: 1\r\n\
Sec-Fetch-Dest: document\r\n\
Sec-Fetch-Mode: navigate\r\n\
Sec-Fetch-Site: same-origin\r\n\
Priority: u=0, i\r\n\
\r\n";

fn main() {
    divan::main();
}

#[divan::bench(sample_size = 1000)]
fn find_head() {
    let found = HeadSearch::default().find(black_box(BROWSER), &HeadLimits::default());
    assert!(black_box(found).is_ok(), "a whole head");
}

#[divan::bench(sample_size = 1000)]
fn check() {
    let checked = check_head(black_box(BROWSER), &HeadLimits::default());
    assert!(black_box(checked).is_ok(), "a clean head");
}

/// As sent, with escapes, with parameters.
#[divan::bench(sample_size = 1000, args = [
    "/static/js/app.bundle.js",
    "/files/annual%20report/./2025.pdf",
    "/shop;jsessionid=1F2E/cart",
])]
fn path(bencher: Bencher<'_, '_>, path: &str) {
    let (policy, mut scratch) = (PathPolicy::default(), PathScratch::default());
    bencher.bench_local(|| {
        let view = canonicalise(black_box(path.as_bytes()), &policy, &mut scratch);
        assert!(black_box(view).is_ok(), "a clean path");
    });
}

#[divan::bench(sample_size = 1000)]
fn host() {
    let host = Host::parse(black_box(b"app.example.com:8443"));
    assert!(black_box(host).is_ok(), "a host");
}
