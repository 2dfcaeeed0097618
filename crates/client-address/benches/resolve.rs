//! What the client's address costs, per request and once per connection: `cargo bench -p palisade-client-address`.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that can't be set up has no figures"
)]

use std::net::Ipv4Addr;

use divan::{Bencher, black_box};
use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_client_address::outbound::{write_forwarded, write_x_forwarded_for, write_x_real_ip};
use palisade_client_address::proxy_protocol::{decode, encode_v2};
use palisade_client_address::{Endpoint, HopRule, resolve};
use palisade_vocabulary::{Cidr, ClientAddr, Ip, Scheme};

type Field = (&'static str, &'static str);

const BALANCER: &str = "10.0.0.1";
const TWO_HOPS: Field = ("x-forwarded-for", "192.0.2.66, 203.0.113.9, 10.0.0.2");

fn main() {
    divan::main();
}

fn peer(address: &str) -> ClientAddr {
    ClientAddr::peer(address.parse().expect("an address"), 4711)
}

fn bench_resolve(bencher: Bencher<'_, '_>, rules: &[HopRule], from: &str, field: Option<Field>) {
    let (peer, headers) = (peer(from), headers(field));
    bencher.bench(|| resolve(black_box(&peer), black_box(&headers), rules));
}

#[divan::bench(sample_size = 1000)]
fn resolve_without_rules(bencher: Bencher<'_, '_>) {
    bench_resolve(bencher, &[], "203.0.113.9", None);
}

#[divan::bench(sample_size = 1000)]
fn resolve_peer_in_none_of_3_rules(bencher: Bencher<'_, '_>) {
    bench_resolve(bencher, &rules(), "203.0.113.9", None);
}

#[divan::bench(sample_size = 1000)]
fn resolve_x_forwarded_for_2_hops(bencher: Bencher<'_, '_>) {
    bench_resolve(bencher, &rules(), BALANCER, Some(TWO_HOPS));
}

#[divan::bench(sample_size = 1000)]
fn resolve_cf_connecting_ip(bencher: Bencher<'_, '_>) {
    let field = ("cf-connecting-ip", "2001:db8:1:2:3:4:5:6");
    bench_resolve(bencher, &rules(), "173.245.48.7", Some(field));
}

#[divan::bench(sample_size = 1000)]
fn resolve_forwarded_1_hop(bencher: Bencher<'_, '_>) {
    let value = "for=192.0.2.66, for=\"[2001:db8::9]:5000\";proto=https";
    let field = ("forwarded", value);
    bench_resolve(bencher, &rules(), "172.16.0.1", Some(field));
}

/// X-Forwarded-For, X-Real-IP and Forwarded for the backend.
#[divan::bench(sample_size = 1000)]
fn outbound(bencher: Bencher<'_, '_>) {
    let (balancer, headers) = (peer(BALANCER), headers(Some(TWO_HOPS)));
    let resolved = resolve(&balancer, &headers, &rules());
    let mut out = Vec::with_capacity(256);
    bencher.bench_local(|| {
        out.clear();
        write_x_forwarded_for(black_box(&resolved), &balancer, &headers, &mut out);
        write_x_real_ip(&resolved, &mut out);
        write_forwarded(&resolved, Some("app.example"), Scheme::Https, &mut out);
        black_box(&out).len()
    });
}

#[divan::bench(sample_size = 1000)]
fn decode_proxy_v2_tcp4(bencher: Bencher<'_, '_>) {
    let (from, to) = (peer("203.0.113.9"), peer(BALANCER));
    let mut header = Vec::new();
    encode_v2(Endpoint::from(&from), Endpoint::from(&to), &mut header);
    bencher.bench(|| decode(black_box(&header)).is_ok());
}

#[divan::bench(sample_size = 1000)]
fn decode_proxy_v1_tcp4() -> bool {
    let line = b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n";
    decode(black_box(line)).is_ok()
}

/// As settings have them: a CDN with 15 ranges, our own balancers, a partner.
fn rules() -> Vec<HopRule> {
    let range = |index: u8| {
        let network = Ip::from(Ipv4Addr::new(173, 240 + index, 48, 0));
        Cidr::new(network, 20).expect("a range")
    };
    let rule = |from: Vec<Cidr>, header: &str| HopRule {
        from: from.into_iter().collect(),
        header: header.parse().expect("a header"),
    };
    let ranges = |text: &str| vec![text.parse().expect("a range")];
    vec![
        rule((0..15).map(range).collect(), "CF-Connecting-IP"),
        rule(ranges("10.0.0.0/8"), "X-Forwarded-For"),
        rule(ranges("172.16.0.0/12"), "Forwarded"),
    ]
}

/// As a browser sends them through a balancer.
fn headers(more: Option<Field>) -> HeaderMap {
    let browser = [
        ("host", "app.example"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        ),
        (
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        ),
        ("accept-language", "en-US,en;q=0.5"),
        ("accept-encoding", "gzip, deflate, br, zstd"),
        ("cookie", "session=0123456789abcdef"),
    ];
    browser
        .into_iter()
        .chain(more)
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}
