//! The hot path allocates nothing: counted, not believed.

#![expect(clippy::unwrap_used, reason = "a broken fixture must stop the test")]

use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_client_address::outbound::{
    X_FORWARDED_FOR_BYTES_MAX, write_forwarded, write_x_forwarded_for, write_x_real_ip,
};
use palisade_client_address::proxy_protocol::{HEADER_BYTES_MAX, decode, encode_v1, encode_v2};
use palisade_client_address::{Endpoint, HopRule, resolve};
use palisade_testkit::alloc::{CountingAllocator, allocations};
use palisade_vocabulary::{Cidr, ClientAddr, Scheme};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

#[track_caller]
fn check_allocations<T>(expected: u64, work: impl FnOnce() -> T) -> T {
    let before = allocations();
    let result = work();
    assert_eq!(allocations() - before, expected);
    result
}

fn rules() -> Vec<HopRule> {
    [
        ("10.0.0.0/8", "X-Forwarded-For"),
        ("172.16.0.0/12", "Forwarded"),
        ("173.245.48.0/20", "CF-Connecting-IP"),
    ]
    .map(|(from, header)| HopRule {
        from: [from.parse::<Cidr>().unwrap()].into_iter().collect(),
        header: header.parse().unwrap(),
    })
    .into()
}

fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

fn peer(ip: &str) -> ClientAddr {
    ClientAddr::peer(ip.parse().unwrap(), 4711)
}

#[test]
fn the_counter_counts() {
    check_allocations(1, || vec![1_u8]);
}

#[test]
fn resolving_allocates_nothing() {
    let rules = rules();
    let headers = headers(&[
        (
            "x-forwarded-for",
            "192.0.2.66, 203.0.113.9, 173.245.48.7, 10.0.0.2, 172.16.0.1",
        ),
        (
            "forwarded",
            "for=\"\\[2001:db8::1]:80\", for=\"[2001:db8::1]:80\", for=10.0.0.3",
        ),
        ("cf-connecting-ip", "203.0.113.9"),
    ]);
    for (connection, expected) in [
        ("203.0.113.1", "203.0.113.1"),
        ("10.0.0.1", "203.0.113.9"),
        ("172.16.0.1", "2001:db8::1"),
        ("173.245.48.7", "203.0.113.9"),
    ] {
        let connection = peer(connection);
        let client = check_allocations(0, || resolve(&connection, &headers, &rules));
        assert_eq!(client.ip.to_string(), expected);
    }
}

#[test]
fn garbage_allocates_nothing() {
    let rules = rules();
    let headers = headers(&[
        ("x-forwarded-for", "garbage"),
        ("forwarded", "for=\"open"),
        ("cf-connecting-ip", "1.2.3"),
    ]);
    for connection in ["10.0.0.1", "172.16.0.1", "173.245.48.7"].map(peer) {
        let client = check_allocations(0, || resolve(&connection, &headers, &rules));
        assert_eq!(client, connection);
    }
}

#[test]
fn writing_allocates_nothing_but_room() {
    let (connection, rules) = (peer("10.0.0.1"), rules());
    let headers = headers(&[("x-forwarded-for", "2001:db8::9, 10.0.0.2")]);
    let client = resolve(&connection, &headers, &rules);
    let mut out = Vec::with_capacity(X_FORWARDED_FOR_BYTES_MAX);
    check_allocations(0, || {
        write_x_forwarded_for(&client, &connection, &headers, &mut out);
        write_x_real_ip(&client, &mut out);
        write_forwarded(&client, Some("app.example"), Scheme::Https, &mut out);
    });
    assert!(out.starts_with(b"2001:db8::9, 10.0.0.2, 10.0.0.12001:db8::9for=\"[2001:db8::9]\""));
}

#[test]
fn a_header_without_tlvs_allocates_nothing() {
    let (source, destination) = (
        Endpoint::from(&peer("192.0.2.1")),
        Endpoint::from(&peer("2001:db8::1")),
    );
    let mut out = Vec::with_capacity(HEADER_BYTES_MAX);
    for encode in [encode_v1, encode_v2] {
        out.clear();
        check_allocations(0, || {
            encode(source, destination, &mut out);
            decode(&out)
        })
        .unwrap();
    }
}
