//! What access rules cost a benign browser request, by their number: a quarter each of address
//! ranges, path prefixes, substrings of the user agent and regular expressions on the path.
//!
//! `cargo bench -p palisade-access`.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that can't be set up has no figures"
)]

use divan::{Bencher, black_box};
use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_access::{
    Action, AddressCondition, Condition, Field, Pattern, PatternKind, Rule, RuleSet, Scratch,
    TextCondition,
};
use palisade_vocabulary::{
    Cidr, ClientAddr, HttpVersion, Ip, Mode, PathView, Place, RequestView, Scheme,
};

/// How many rules there are.
const COUNTS: [u32; 5] = [0, 50, 100, 1_000, 10_000];

fn main() {
    divan::main();
}

#[divan::bench(args = COUNTS, sample_count = 10)]
fn build(bencher: Bencher<'_, '_>, count: u32) {
    bencher
        .with_inputs(|| (0..count).map(rule).collect::<Vec<_>>())
        .bench_values(|rules| RuleSet::build(rules).expect("rules"));
}

#[divan::bench(args = COUNTS, sample_size = 1000)]
fn evaluate(bencher: Bencher<'_, '_>, count: u32) {
    let rules = RuleSet::build((0..count).map(rule).collect()).expect("rules");
    let client = ClientAddr::peer("203.0.113.77".parse().expect("address"), 51234);
    let headers = browser_headers();
    let view = RequestView {
        client: &client,
        place: Place::UNAVAILABLE,
        scheme: Scheme::Https,
        version: HttpVersion::Http11,
        method: "GET",
        host: "www.example.com",
        path: PathView {
            raw: b"/products/garden/chairs/oak-1284.html",
            canonical: b"/products/garden/chairs/oak-1284.html",
            without_params: None,
        },
        query: b"color=green&page=2",
        headers: &headers,
    };
    let mut scratch = Scratch::new();
    bencher.bench_local(|| {
        let ruling = rules.evaluate(black_box(&view), &mut scratch);
        assert!(black_box(ruling.decided).is_none(), "the request is benign");
    });
}

fn rule(number: u32) -> Rule {
    let condition = match number % 4 {
        0 => {
            let network = Ip::from(std::net::Ipv4Addr::from(0x0a00_0000 + number * 256));
            let range = Cidr::new(network, 24).expect("range");
            Condition::Address(AddressCondition::new([range].into(), "inline".into()))
        }
        1 => text(
            Field::Path,
            PatternKind::Prefix,
            &format!("/private-{number}/{}", word(number)),
        ),
        2 => text(
            Field::UserAgent,
            PatternKind::Contains,
            &format!("{}{}", word(number), word(!number)),
        ),
        _ => text(
            Field::Path,
            PatternKind::Regex,
            &format!(r"^/{}/\d+/[a-z]+\.php$", word(number)),
        ),
    };
    Rule {
        id: format!("r{number}").parse().expect("id"),
        condition,
        action: Action::Block { status: None },
        mode: Mode::Block,
        reason: None,
        place: "bench".into(),
    }
}

fn text(field: Field, kind: PatternKind, text: &str) -> Condition {
    // The user agent ignores case, as the settings have it.
    let ignore_case = field == Field::UserAgent;
    let pattern = Pattern::new(kind, text, ignore_case).expect("pattern");
    Condition::Text(TextCondition::new(field, [pattern]).expect("condition"))
}

/// A word of five to eight letters, another for each number.
fn word(number: u32) -> String {
    let mut seed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 << 63;
    let len = 5 + number % 4;
    let mut letter = || {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from((seed >> 33) % 26).unwrap_or(0))
    };
    (0..len).map(|_| letter()).collect()
}

fn browser_headers() -> HeaderMap {
    let agent = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/141.0.0.0 Safari/537.36";
    let lines = [
        ("host", "www.example.com"),
        ("user-agent", agent),
        (
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
        ),
        ("accept-language", "en-GB,en;q=0.9,de;q=0.8"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("referer", "https://www.example.com/products/garden"),
        ("cookie", "session=8d3c5a41f0; consent=yes; theme=dark"),
        ("sec-fetch-site", "same-origin"),
        ("sec-fetch-mode", "navigate"),
        ("upgrade-insecure-requests", "1"),
    ];
    let lines = lines.into_iter().map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    lines.collect()
}
