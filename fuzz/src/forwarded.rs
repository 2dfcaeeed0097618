//! Forwarded headers. Input: a line with the connection's address, then header lines `Name: value`.
//!
//! The hops that are listed are those of [`RULES`].

use std::net::Ipv4Addr;

use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_client_address::forwarded::{NODE_BYTES_MAX, Node, Nodes};
use palisade_client_address::outbound::{
    X_FORWARDED_FOR_BYTES_MAX, unbelieved_headers, write_forwarded, write_x_forwarded_for,
};
use palisade_client_address::resolve::{HOPS_MAX, HopFinding, HopStep, Reading};
use palisade_client_address::{HopRule, explain, resolve};
use palisade_vocabulary::{ClientAddr, Ip, Provenance, Scheme};

use crate::Outcome;

/// Which hops tell in which header.
const RULES: [(&str, &str); 4] = [
    ("173.245.48.0/20", "CF-Connecting-IP"),
    ("10.0.0.0/8", "X-Forwarded-For"),
    ("172.16.0.0/12", "Forwarded"),
    ("2001:db8::/32", "X-Real-IP"),
];

/// More lines than a head may have are not looked at.
const LINES_MAX: usize = 100;

/// Every value is read without a panic, the client is one that the walk came to, nothing further
/// left than it changes it, and what the backend is told names it. Accepted: a header told the
/// client.
pub fn check(data: &[u8]) -> Outcome {
    let mut lines = data.split(|byte| *byte == b'\n');
    let connection = lines
        .next()
        .and_then(parse_ip)
        .unwrap_or(Ip::from(Ipv4Addr::new(10, 0, 0, 1)));
    let connection = ClientAddr::peer(connection, 4711);
    let lines: Vec<_> = lines.take(LINES_MAX).filter_map(parse_line).collect();
    let headers: HeaderMap = lines.iter().cloned().collect();
    let rules = rules();
    for (_, value) in &lines {
        check_node(value.as_bytes());
    }
    check_lists(&headers);
    let client = resolve(&connection, &headers, &rules);
    let steps = explain(&connection, &headers, &rules);
    check_steps(&client, &connection, &steps, &rules);
    if !ran_out(&steps) {
        let longer = more_to_the_left(&lines);
        assert_eq!(
            resolve(&connection, &longer, &rules),
            client,
            "what stands further left counts"
        );
    }
    check_outbound(&client, &connection, &headers, &rules);
    match client.provenance {
        Provenance::Header { .. } => Outcome::Accepted,
        _ => Outcome::Refused,
    }
}

fn rules() -> Vec<HopRule> {
    let parse = |(from, header): (&str, &str)| {
        let range = from.parse().ok()?;
        Some(HopRule {
            from: [range].into_iter().collect(),
            header: header.parse().ok()?,
        })
    };
    let rules: Vec<_> = RULES.into_iter().filter_map(parse).collect();
    assert_eq!(rules.len(), RULES.len());
    rules
}

fn parse_ip(line: &[u8]) -> Option<Ip> {
    std::str::from_utf8(line).ok()?.trim().parse().ok()
}

fn parse_line(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = line.split_at_checked(colon)?;
    let value = value.get(1..)?.trim_ascii();
    Some((
        HeaderName::from_bytes(name).ok()?,
        HeaderValue::from_bytes(value).ok()?,
    ))
}

/// An address is read again as it was.
fn check_node(value: &[u8]) {
    let node = Node::parse(value);
    if let Node::Address { ip, port } = node {
        assert!(value.trim_ascii().len() <= NODE_BYTES_MAX);
        let text = match port {
            Some(port) => std::net::SocketAddr::new(ip.as_std(), port).to_string(),
            None => ip.to_string(),
        };
        assert_eq!(Node::parse(text.as_bytes()), node, "written as {text}");
    }
}

/// At most one value more than there are commas and lines.
fn check_lists(headers: &HeaderMap) {
    let name = HeaderName::from_static("x-forwarded-for");
    let most = |name: &HeaderName| -> usize {
        let commas =
            |line: &HeaderValue| line.as_bytes().iter().filter(|byte| **byte == b',').count();
        headers
            .get_all(name)
            .iter()
            .map(|line| commas(line) + 1)
            .sum()
    };
    assert_eq!(Nodes::x_forwarded_for(headers, &name).count(), most(&name));
    assert!(Nodes::forwarded(headers).count() <= most(&http::header::FORWARDED));
}

fn check_steps(client: &ClientAddr, connection: &ClientAddr, steps: &[HopStep], rules: &[HopRule]) {
    assert!(steps.len() <= usize::from(HOPS_MAX) + 1);
    assert_eq!(steps.first().map(|step| step.address), Some(connection.ip));
    assert_eq!(steps.last().map(|step| step.address), Some(client.ip));
    if !rules.iter().any(|rule| rule.from.contains(connection.ip)) {
        assert_eq!(client, connection, "nobody listed said so");
    }
}

/// Whether the walk ended because a hop's header had nothing left.
fn ran_out(steps: &[HopStep]) -> bool {
    let last = steps.last().map(|step| &step.finding);
    matches!(
        last,
        Some(HopFinding::Read {
            reading: Reading::Nothing,
            ..
        })
    )
}

/// The same headers behind lines that a client could have sent first.
fn more_to_the_left(lines: &[(HeaderName, HeaderValue)]) -> HeaderMap {
    let forged = [
        ("x-forwarded-for", "\"203.0.113.66, 10.0.0.9"),
        ("forwarded", "for=\"203.0.113.66, for=10.0.0.9"),
    ];
    let forged = forged.map(|(name, value)| {
        (
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        )
    });
    forged.into_iter().chain(lines.iter().cloned()).collect()
}

/// The backend is told the client, in bounds, and by no header that Palisade did not believe.
fn check_outbound(
    client: &ClientAddr,
    connection: &ClientAddr,
    headers: &HeaderMap,
    rules: &[HopRule],
) {
    let mut value = Vec::new();
    write_x_forwarded_for(client, connection, headers, &mut value);
    assert!(value.len() <= X_FORWARDED_FOR_BYTES_MAX);
    let first = value.split(|byte| *byte == b',').next().and_then(parse_ip);
    assert_eq!(first, Some(client.ip), "{}", value.escape_ascii());

    let mut value = Vec::new();
    write_forwarded(client, Some("a.example"), Scheme::Https, &mut value);
    let told: HeaderMap = HeaderValue::from_bytes(&value)
        .map(|value| (http::header::FORWARDED, value))
        .into_iter()
        .collect();
    let nodes: Vec<_> = Nodes::forwarded(&told).collect();
    assert_eq!(
        nodes,
        [Node::Address {
            ip: client.ip,
            port: None
        }]
    );

    if let Provenance::Header { name, .. } = &client.provenance {
        assert!(unbelieved_headers(client, rules).all(|unbelieved| *unbelieved.as_str() != **name));
    }
}
