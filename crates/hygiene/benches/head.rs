//! What a head costs: `cargo bench -p palisade-hygiene`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use palisade_hygiene::h1::{HeadSearch, check_head};
use palisade_hygiene::path::canonicalise;
use palisade_hygiene::{HeadLimits, Host, PathPolicy, PathScratch};

/// What a browser sends, 600 bytes.
const BROWSER: &str = "GET /static/js/app.bundle.js?v=20251101 HTTP/1.1\r\n\
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
    let limits = HeadLimits::default();
    let head = BROWSER.as_bytes();
    let policy = PathPolicy::default();
    let mut scratch = PathScratch::default();

    measure(&format!("h1 search, {} bytes", head.len()), || {
        let found = HeadSearch::default().find(black_box(head), &limits);
        black_box(found).is_ok()
    });
    measure(&format!("h1 check_head, {} bytes", head.len()), || {
        let checked = check_head(black_box(head), &limits);
        black_box(checked).is_ok()
    });
    for (name, path) in [
        ("path as sent", "/static/js/app.bundle.js"),
        ("path with escapes", "/files/annual%20report/./2025.pdf"),
        ("path with parameters", "/shop;jsessionid=1F2E/cart"),
    ] {
        measure(name, || {
            let view = canonicalise(black_box(path.as_bytes()), &policy, &mut scratch);
            black_box(view).is_ok()
        });
    }
    measure("host", || {
        let host = Host::parse(black_box(b"app.example.com:8443"));
        black_box(host).is_ok()
    });
}

/// Prints the best of seven batches, each a tenth of a second: the one that others disturbed least.
#[expect(clippy::print_stdout, reason = "this is what a benchmark is for")]
fn measure(name: &str, mut run: impl FnMut() -> bool) {
    let mut best = f64::INFINITY;
    for _ in 0..7 {
        let (start, mut count) = (Instant::now(), 0_u32);
        while start.elapsed() < Duration::from_millis(100) {
            for _ in 0..1000 {
                assert!(run(), "{name} is refused");
            }
            count += 1000;
        }
        best = best.min(start.elapsed().as_secs_f64() * 1e9 / f64::from(count));
    }
    println!("{name:<28} {best:>8.1} ns");
}
