//! What the client's address costs: per request, and once per connection.
//!
//! `cargo bench -p palisade-client-address --bench resolve`. Prints one line a figure; the smallest
//! of several rounds, which is what the code costs when nothing else runs.

use std::hint::black_box;
use std::time::Instant;

use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_client_address::outbound::{write_forwarded, write_x_forwarded_for, write_x_real_ip};
use palisade_client_address::proxy_protocol::{decode, encode_v2};
use palisade_client_address::{Endpoint, HopRule, resolve};
use palisade_vocabulary::{Cidr, ClientAddr, Ip, Scheme};

const ROUNDS: u32 = 20;
const RUNS_PER_ROUND: u32 = 50_000;

#[expect(clippy::print_stdout, reason = "the figure is the benchmark's result")]
fn measure<T>(name: &str, mut work: impl FnMut() -> T) {
    let mut nanoseconds_min = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..RUNS_PER_ROUND {
            black_box(work());
        }
        let nanoseconds = start.elapsed().as_nanos() as f64 / f64::from(RUNS_PER_ROUND);
        nanoseconds_min = nanoseconds_min.min(nanoseconds);
    }
    println!("{name:<48} {nanoseconds_min:>8.1} ns");
}

/// As settings have them: a CDN with 15 ranges, our own balancers, a partner.
fn rules() -> Result<Vec<HopRule>, Box<dyn std::error::Error>> {
    let cdn: Vec<Cidr> = (0..15_u8)
        .map(|index| {
            Cidr::new(
                Ip::from(std::net::Ipv4Addr::new(173, 240 + index, 48, 0)),
                20,
            )
        })
        .collect::<Result<_, _>>()?;
    let rule = |from: Vec<Cidr>, header: &str| -> Result<HopRule, Box<dyn std::error::Error>> {
        Ok(HopRule {
            from: from.into_iter().collect(),
            header: header.parse()?,
        })
    };
    Ok(vec![
        rule(cdn, "CF-Connecting-IP")?,
        rule(vec!["10.0.0.0/8".parse()?], "X-Forwarded-For")?,
        rule(vec!["172.16.0.0/12".parse()?], "Forwarded")?,
    ])
}

/// As a browser sends them through a balancer.
fn headers(more: &[(&'static str, &'static str)]) -> HeaderMap {
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
        .iter()
        .chain(more)
        .map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        })
        .collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let rules = rules()?;
    let peer = |ip: &str| -> Result<ClientAddr, Box<dyn std::error::Error>> {
        Ok(ClientAddr::peer(ip.parse()?, 4711))
    };
    let (client, balancer, cdn, partner) = (
        peer("203.0.113.9")?,
        peer("10.0.0.1")?,
        peer("173.245.48.7")?,
        peer("172.16.0.1")?,
    );
    let plain = headers(&[]);
    let x_forwarded_for = headers(&[("x-forwarded-for", "192.0.2.66, 203.0.113.9, 10.0.0.2")]);
    let cf_connecting_ip = headers(&[("cf-connecting-ip", "2001:db8:1:2:3:4:5:6")]);
    let forwarded = headers(&[(
        "forwarded",
        "for=192.0.2.66, for=\"[2001:db8::9]:5000\";proto=https",
    )]);

    measure("resolve: no rules", || resolve(&client, &plain, &[]));
    measure("resolve: peer in none of 3 rules", || {
        resolve(&client, &plain, &rules)
    });
    measure("resolve: X-Forwarded-For, 2 hops", || {
        resolve(&balancer, &x_forwarded_for, &rules)
    });
    measure("resolve: CF-Connecting-IP", || {
        resolve(&cdn, &cf_connecting_ip, &rules)
    });
    measure("resolve: Forwarded, 1 hop", || {
        resolve(&partner, &forwarded, &rules)
    });

    let resolved = resolve(&balancer, &x_forwarded_for, &rules);
    let mut out = Vec::with_capacity(256);
    measure("outbound: X-Forwarded-For, X-Real-IP, Forwarded", || {
        out.clear();
        write_x_forwarded_for(&resolved, &balancer, &x_forwarded_for, &mut out);
        write_x_real_ip(&resolved, &mut out);
        write_forwarded(&resolved, Some("app.example"), Scheme::Https, &mut out);
        out.len()
    });

    let mut header = Vec::new();
    encode_v2(
        Endpoint::from(&client),
        Endpoint::from(&balancer),
        &mut header,
    );
    measure("decode: PROXY v2, TCP4", || decode(black_box(&header)));
    let line = b"PROXY TCP4 203.0.113.9 10.0.0.1 4711 443\r\n";
    measure("decode: PROXY v1, TCP4", || decode(black_box(line)));
    Ok(())
}
