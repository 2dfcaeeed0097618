//! Who a client is: PROXY protocol, forwarded headers, what the backend is told.

use std::hint::black_box;
use std::net::Ipv4Addr;

use gungraun::{library_benchmark, library_benchmark_group};
use http::{HeaderMap, HeaderValue};
use palisade_benches::browser::{BrowserRequest, X_FORWARDED_FOR};
use palisade_client_address::outbound::{write_forwarded, write_x_forwarded_for, write_x_real_ip};
use palisade_client_address::proxy_protocol::{decode, encode_v2};
use palisade_client_address::{Endpoint, HopRule, resolve};
use palisade_vocabulary::{Cidr, ClientAddr, Ip, Scheme};

use crate::TIMES;

library_benchmark_group!(
    name = client_address,
    benchmarks = [resolved, forwarded, proxy_protocol]
);

/// A connection, the request's fields, and whom is believed.
struct Arrival {
    peer: ClientAddr,
    headers: HeaderMap,
    rules: Vec<HopRule>,
}

/// As settings have them: a CDN with 15 ranges, our own balancers, a partner.
fn arrival(peer: &str, field: Option<(&'static str, &'static str)>) -> Arrival {
    let mut headers = BrowserRequest::new().headers;
    headers.remove(X_FORWARDED_FOR);
    headers.extend(field.map(|(name, value)| {
        let name = name.parse().expect("a name");
        (Some(name), HeaderValue::from_static(value))
    }));
    let range = |number: u8| {
        let network = Ip::from(Ipv4Addr::new(173, 240 + number, 48, 0));
        Cidr::new(network, 20).expect("a range")
    };
    let rule = |from: Vec<Cidr>, header: &str| HopRule {
        from: from.into_iter().collect(),
        header: header.parse().expect("a header"),
    };
    let ranges = |text: &str| vec![text.parse().expect("a range")];
    Arrival {
        peer: ClientAddr::peer(peer.parse().expect("an address"), 4711),
        headers,
        rules: vec![
            rule((0..15).map(range).collect(), "CF-Connecting-IP"),
            rule(ranges("10.0.0.0/8"), "X-Forwarded-For"),
            rule(ranges("172.16.0.0/12"), "Forwarded"),
        ],
    }
}

const TWO_HOPS: (&str, &str) = ("x-forwarded-for", "192.0.2.66, 203.0.113.9, 10.0.0.2");
const CDN: (&str, &str) = ("cf-connecting-ip", "2001:db8:1:2:3:4:5:6");
const PARTNER: (&str, &str) = (
    "forwarded",
    "for=192.0.2.66, for=\"[2001:db8::9]:5000\";proto=https",
);

#[library_benchmark(setup = arrival)]
#[bench::of_no_rule("203.0.113.9", None)]
#[bench::x_forwarded_for("10.0.0.1", Some(TWO_HOPS))]
#[bench::cf_connecting_ip("173.245.48.7", Some(CDN))]
#[bench::forwarded("172.16.0.1", Some(PARTNER))]
fn resolved(arrival: Arrival) -> Arrival {
    for _ in 0..TIMES {
        let arrival = black_box(&arrival);
        black_box(resolve(&arrival.peer, &arrival.headers, &arrival.rules));
    }
    arrival
}

#[library_benchmark(setup = arrival)]
#[bench::all_three("10.0.0.1", Some(TWO_HOPS))]
fn forwarded(arrival: Arrival) -> Arrival {
    let Arrival {
        peer,
        headers,
        rules,
    } = &arrival;
    let resolved = resolve(peer, headers, rules);
    let mut out = Vec::with_capacity(256);
    for _ in 0..TIMES {
        out.clear();
        write_x_forwarded_for(black_box(&resolved), peer, headers, &mut out);
        write_x_real_ip(&resolved, &mut out);
        write_forwarded(&resolved, Some("app.example"), Scheme::Https, &mut out);
        black_box(&out);
    }
    arrival
}

fn version_2(from: &str, to: &str) -> Vec<u8> {
    let endpoint = |address: &str| {
        let client = ClientAddr::peer(address.parse().expect("an address"), 4711);
        Endpoint::from(&client)
    };
    let mut header = Vec::new();
    encode_v2(endpoint(from), endpoint(to), &mut header);
    header
}

#[library_benchmark]
#[bench::v2_ipv4(version_2("203.0.113.9", "10.0.0.1"))]
#[bench::v2_ipv6(version_2("2001:db8::9", "2001:db8::1"))]
#[bench::v1_ipv4(b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n".to_vec())]
fn proxy_protocol(header: Vec<u8>) -> Vec<u8> {
    for _ in 0..TIMES {
        assert!(black_box(decode(black_box(&header))).is_ok(), "a header");
    }
    header
}
