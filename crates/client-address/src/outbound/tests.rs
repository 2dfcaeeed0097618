//! What a backend reads, however it reads it.

use http::HeaderValue;
use palisade_vocabulary::{Cidr, CidrSet};
use proptest::prelude::*;

use super::*;
use crate::resolve::resolve;

const RULES: &[(&str, &str)] = &[
    ("173.245.48.0/20", "CF-Connecting-IP"),
    ("10.0.0.0/8", "X-Forwarded-For"),
    ("172.16.0.0/12", "Forwarded"),
];

fn rules() -> Vec<HopRule> {
    let rule = |(from, header): &(&str, &str)| HopRule {
        from: [from.parse::<Cidr>().unwrap()].into_iter().collect(),
        header: header.parse().unwrap(),
    };
    RULES.iter().map(rule).collect()
}

fn headers(lines: &[(&str, &str)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| {
            (
                HeaderName::try_from(*name).unwrap(),
                HeaderValue::from_str(value).unwrap(),
            )
        })
        .collect()
}

fn peer(ip: &str) -> ClientAddr {
    ClientAddr::peer(ip.parse().unwrap(), 4711)
}

fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut out = Vec::new();
    write(&mut out);
    String::from_utf8(out).unwrap()
}

fn x_forwarded_for(connection: &ClientAddr, headers: &HeaderMap) -> String {
    let client = resolve(connection, headers, &rules());
    written(|out| write_x_forwarded_for(&client, connection, headers, out))
}

#[track_caller]
fn check_x_forwarded_for(connection: &str, lines: &[(&str, &str)], expected: &str) {
    assert_eq!(
        x_forwarded_for(&peer(connection), &headers(lines)),
        expected
    );
}

#[test]
fn what_an_unlisted_peer_says_is_dropped() {
    check_x_forwarded_for("203.0.113.9", &[], "203.0.113.9");
    check_x_forwarded_for(
        "203.0.113.9",
        &[("x-forwarded-for", "127.0.0.1")],
        "203.0.113.9",
    );
}

#[test]
fn hops_are_kept_from_the_client_on() {
    check_x_forwarded_for(
        "10.0.0.1",
        &[
            (
                "x-forwarded-for",
                "127.0.0.1, 203.0.113.9:80, ::ffff:10.0.0.3",
            ),
            ("x-forwarded-for", "10.0.0.2"),
        ],
        "203.0.113.9, 10.0.0.3, 10.0.0.2, 10.0.0.1",
    );
}

#[test]
fn a_hop_that_counts_as_the_client_stands_first() {
    check_x_forwarded_for(
        "10.0.0.1",
        &[("x-forwarded-for", "127.0.0.1, unknown, 10.0.0.2")],
        "10.0.0.2, 10.0.0.1",
    );
    check_x_forwarded_for(
        "10.0.0.1",
        &[("x-forwarded-for", "127.0.0.1, unknown")],
        "10.0.0.1",
    );
}

#[test]
fn a_client_from_another_header_stands_before_the_connection() {
    check_x_forwarded_for(
        "173.245.48.7",
        &[
            ("x-forwarded-for", "127.0.0.1, 203.0.113.9"),
            ("cf-connecting-ip", "203.0.113.9"),
        ],
        "203.0.113.9, 173.245.48.7",
    );
    check_x_forwarded_for(
        "172.16.0.1",
        &[("forwarded", "for=\"[2001:db8::9]\"")],
        "2001:db8::9, 172.16.0.1",
    );
    check_x_forwarded_for(
        "172.16.0.1",
        &[("forwarded", "for=172.16.0.1")],
        "172.16.0.1",
    );
}

#[test]
fn the_longest_list_is_within_its_bound() {
    let hops = vec!["2001:fdb8:ffff:ffff:ffff:ffff:ffff:ffff"; 40].join(",");
    let connection = peer("2001:fdb8:ffff:ffff:ffff:ffff:ffff:ffff");
    let rule = HopRule {
        from: ["::/0".parse::<Cidr>().unwrap()]
            .into_iter()
            .collect::<CidrSet>(),
        header: "X-Forwarded-For".parse().unwrap(),
    };
    let headers = headers(&[("x-forwarded-for", &hops)]);
    let client = resolve(&connection, &headers, &[rule]);
    let value = written(|out| write_x_forwarded_for(&client, &connection, &headers, out));
    assert_eq!(value.len(), X_FORWARDED_FOR_BYTES_MAX);
}

#[test]
fn x_real_ip_is_the_client() {
    assert_eq!(
        written(|out| write_x_real_ip(&peer("::ffff:192.0.2.1"), out)),
        "192.0.2.1"
    );
    assert_eq!(
        written(|out| write_x_real_ip(&peer("2001:DB8::1"), out)),
        "2001:db8::1"
    );
}

#[track_caller]
fn check_forwarded(client: &str, host: Option<&str>, scheme: Scheme, expected: &str) {
    assert_eq!(
        written(|out| write_forwarded(&peer(client), host, scheme, out)),
        expected
    );
}

#[test]
fn forwarded_quotes_what_is_no_token() {
    check_forwarded(
        "192.0.2.1",
        Some("a.example:8443"),
        Scheme::Https,
        "for=192.0.2.1;host=\"a.example:8443\";proto=https",
    );
    check_forwarded(
        "2001:db8::1",
        Some("[::1]"),
        Scheme::Http,
        "for=\"[2001:db8::1]\";host=\"[::1]\";proto=http",
    );
    check_forwarded("192.0.2.1", None, Scheme::Http, "for=192.0.2.1;proto=http");
}

#[test]
fn a_host_that_could_leave_its_quotes_is_left_out() {
    for host in [
        "a\",for=127.0.0.1;x=\"",
        "a\\",
        "a b",
        "a\r\nx: y",
        "\u{e4}",
    ] {
        check_forwarded(
            "192.0.2.1",
            Some(host),
            Scheme::Http,
            "for=192.0.2.1;proto=http",
        );
    }
}

#[track_caller]
fn check_unbelieved(connection: &str, lines: &[(&str, &str)], expected: &[&str]) {
    let rules = rules();
    let client = resolve(&peer(connection), &headers(lines), &rules);
    let got: Vec<&str> = unbelieved_headers(&client, &rules)
        .map(HeaderName::as_str)
        .collect();
    assert_eq!(got, expected);
}

#[test]
fn only_the_header_that_told_the_client_stays() {
    let lines = [
        ("cf-connecting-ip", "203.0.113.9"),
        ("x-forwarded-for", "203.0.113.9"),
    ];
    check_unbelieved(
        "203.0.113.9",
        &lines,
        &["cf-connecting-ip", "x-forwarded-for", "forwarded"],
    );
    check_unbelieved("173.245.48.7", &lines, &["x-forwarded-for", "forwarded"]);
    check_unbelieved("10.0.0.1", &lines, &["cf-connecting-ip", "forwarded"]);
}

fn near_hop() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("10.0.0.2".to_owned()),
        1 => Just("203.0.113.9".to_owned()),
        1 => any::<std::net::IpAddr>().prop_map(|ip| ip.to_string()),
        1 => Just("unknown".to_owned()),
    ]
}

proptest! {
    #[test]
    fn a_backend_comes_to_the_same_client(left in "[ -~]{0,20}", hops in prop::collection::vec(near_hop(), 0..30)) {
        let connection = peer("10.0.0.1");
        let headers = headers(&[("x-forwarded-for", &format!("{left}, {}", hops.join(", ")))]);
        let client = resolve(&connection, &headers, &rules());
        let value = x_forwarded_for(&connection, &headers);
        prop_assert!(value.len() <= X_FORWARDED_FOR_BYTES_MAX);
        // One that takes the first value.
        let first = value.split(", ").next().and_then(|first| first.parse().ok());
        prop_assert_eq!(first, Some(client.ip));
        // One that walks from the right, Palisade its nearest hop.
        let at_backend = super::tests::headers(&[("x-forwarded-for", &value)]);
        prop_assert_eq!(resolve(&peer("10.9.9.9"), &at_backend, &rules()).ip, client.ip);
    }

    #[test]
    fn what_is_written_can_be_read(address: std::net::IpAddr, host in "[a-z0-9.:\\[\\]-]{0,20}") {
        let client = ClientAddr::peer(address.into(), 1);
        let value = written(|out| write_forwarded(&client, Some(&host), Scheme::Https, out));
        let headers = headers(&[("forwarded", &value)]);
        let nodes: Vec<Node> = Nodes::forwarded(&headers).collect();
        prop_assert_eq!(nodes, vec![Node::Address { ip: client.ip, port: None }]);
    }
}
