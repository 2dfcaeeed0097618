//! Who is believed, step by step; a naive model; and what a client can't do.

use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_vocabulary::{Cidr, ClientAddr, Ip, Provenance};
use proptest::prelude::*;

use super::*;

fn rules(rules: &[(&str, &str)]) -> Vec<HopRule> {
    rules
        .iter()
        .map(|(from, header)| HopRule {
            from: from
                .split(' ')
                .map(|range| range.parse::<Cidr>().unwrap())
                .collect(),
            header: header.parse().unwrap(),
        })
        .collect()
}

fn headers<Value: AsRef<[u8]>>(lines: &[(&str, Value)]) -> HeaderMap {
    lines
        .iter()
        .map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).unwrap();
            (name, HeaderValue::from_bytes(value.as_ref()).unwrap())
        })
        .collect()
}

fn peer(ip: &str) -> ClientAddr {
    ClientAddr::peer(ip.parse().unwrap(), 4711)
}

/// Cloudflare's edge, our own balancers, and a partner who speaks RFC 7239.
const RULES: &[(&str, &str)] = &[
    ("173.245.48.0/20 2400:cb00::/32", "CF-Connecting-IP"),
    ("10.0.0.0/8", "X-Forwarded-For"),
    ("172.16.0.0/12", "Forwarded"),
    ("192.168.0.0/16", "X-Real-IP"),
];

#[track_caller]
fn check(connection: &str, lines: &[(&str, &str)], expected: &str) {
    let (connection, headers, rules) = (peer(connection), headers(lines), rules(RULES));
    let client = resolve(&connection, &headers, &rules);
    let port = client
        .port
        .map(|port| format!(" port {port}"))
        .unwrap_or_default();
    assert_eq!(
        format!("{}{port} by {}", client.ip, client.provenance),
        expected
    );
    assert_last_step_names(&client, &explain(&connection, &headers, &rules));
}

/// The explanation must end where the resolution did.
#[track_caller]
fn assert_last_step_names(client: &ClientAddr, steps: &[HopStep]) {
    assert!(steps.len() <= usize::from(HOPS_MAX) + 1);
    assert_eq!(
        steps.last().map(|step| step.address),
        Some(client.ip),
        "{steps:?}"
    );
}

mod the_connection {
    use super::*;

    #[test]
    fn an_unlisted_peer_is_the_client_whatever_it_says() {
        check(
            "203.0.113.9",
            &[
                ("x-forwarded-for", "10.0.0.1"),
                ("forwarded", "for=10.0.0.1"),
                ("cf-connecting-ip", "10.0.0.1"),
                ("x-real-ip", "10.0.0.1"),
            ],
            "203.0.113.9 port 4711 by peer",
        );
    }

    #[test]
    fn a_listed_peer_without_its_header_is_the_client() {
        check("10.0.0.1", &[], "10.0.0.1 port 4711 by peer");
        check(
            "10.0.0.1",
            &[("x-real-ip", "203.0.113.9")],
            "10.0.0.1 port 4711 by peer",
        );
    }

    #[test]
    fn a_proxy_source_is_believed_as_a_peer_is() {
        let connection = ClientAddr {
            provenance: Provenance::Proxy,
            ..peer("173.245.48.7")
        };
        let headers = headers(&[("cf-connecting-ip", "203.0.113.9")]);
        let client = resolve(&connection, &headers, &rules(RULES));
        assert_eq!(client.ip.to_string(), "203.0.113.9");
        let unlisted = ClientAddr {
            provenance: Provenance::Proxy,
            ..peer("198.51.100.1")
        };
        assert_eq!(resolve(&unlisted, &headers, &rules(RULES)), unlisted);
    }

    #[test]
    fn a_mapped_peer_is_an_ipv4_hop() {
        check(
            "::ffff:10.0.0.1",
            &[("x-forwarded-for", "::ffff:203.0.113.9")],
            "203.0.113.9 by header x-forwarded-for hop 1",
        );
    }

    #[test]
    fn the_first_rule_that_holds_the_address_counts() {
        let headers = headers(&[("x-real-ip", "192.0.2.1"), ("x-forwarded-for", "192.0.2.2")]);
        let client = |order: &[(&str, &str)]| {
            resolve(&peer("10.0.0.1"), &headers, &rules(order))
                .ip
                .to_string()
        };
        assert_eq!(
            client(&[("10.0.0.1", "X-Real-IP"), ("10.0.0.0/8", "X-Forwarded-For")]),
            "192.0.2.1"
        );
        assert_eq!(
            client(&[("10.0.0.0/8", "X-Forwarded-For"), ("10.0.0.1", "X-Real-IP")]),
            "192.0.2.2"
        );
    }

    #[test]
    fn without_rules_nothing_is_read() {
        let connection = peer("10.0.0.1");
        let headers = headers(&[("x-forwarded-for", "192.0.2.1")]);
        assert_eq!(resolve(&connection, &headers, &[]), connection);
    }
}

mod lists {
    use super::*;

    #[test]
    fn the_first_unlisted_value_from_the_right_is_the_client() {
        check(
            "10.0.0.1",
            &[("x-forwarded-for", "192.0.2.66, 203.0.113.9")],
            "203.0.113.9 by header x-forwarded-for hop 1",
        );
        check(
            "10.0.0.1",
            &[(
                "x-forwarded-for",
                "192.0.2.66, 203.0.113.9:5000, 10.0.0.3, 10.0.0.2",
            )],
            "203.0.113.9 port 5000 by header x-forwarded-for hop 3",
        );
    }

    #[test]
    fn hops_are_counted_over_all_lines() {
        check(
            "10.0.0.1",
            &[
                ("x-forwarded-for", "192.0.2.66"),
                ("x-forwarded-for", "203.0.113.9, 10.0.0.3"),
                ("x-forwarded-for", "10.0.0.2"),
            ],
            "203.0.113.9 by header x-forwarded-for hop 3",
        );
    }

    #[test]
    fn a_list_of_hops_alone_ends_at_its_left() {
        check(
            "10.0.0.1",
            &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")],
            "10.0.0.3 by header x-forwarded-for hop 2",
        );
    }

    #[test]
    fn what_is_no_address_ends_the_walk_at_the_hop_that_wrote_it() {
        for value in [
            "garbage",
            "unknown",
            "_hidden",
            "",
            "unix:",
            "203.0.113.9 203.0.113.8",
        ] {
            check(
                "10.0.0.1",
                &[("x-forwarded-for", &format!("192.0.2.66, {value}"))],
                "10.0.0.1 port 4711 by peer",
            );
            check(
                "10.0.0.1",
                &[("x-forwarded-for", &format!("192.0.2.66, {value}, 10.0.0.2"))],
                "10.0.0.2 by header x-forwarded-for hop 1",
            );
        }
    }

    #[test]
    fn forwarded_is_walked_alike() {
        check(
            "172.16.0.1",
            &[(
                "forwarded",
                "for=192.0.2.66, for=\"[2001:db8::9]:5000\", for=172.16.0.2;proto=https",
            )],
            "2001:db8::9 port 5000 by header forwarded hop 2",
        );
        check(
            "172.16.0.1",
            &[("forwarded", "for=192.0.2.66, for=_hidden")],
            "172.16.0.1 port 4711 by peer",
        );
        check(
            "172.16.0.1",
            &[("forwarded", "for=192.0.2.66, proto=https")],
            "172.16.0.1 port 4711 by peer",
        );
        check(
            "172.16.0.1",
            &[("forwarded", "for=\"192.0.2.66, for=203.0.113.9")],
            "203.0.113.9 by header forwarded hop 1",
        );
    }

    #[test]
    fn the_number_of_values_has_a_bound() {
        let hops = |count: usize| vec!["10.0.0.2"; count].join(", ");
        check(
            "10.0.0.1",
            &[("x-forwarded-for", &format!("203.0.113.9, {}", hops(31)))],
            "203.0.113.9 by header x-forwarded-for hop 32",
        );
        check(
            "10.0.0.1",
            &[("x-forwarded-for", &format!("203.0.113.9, {}", hops(32)))],
            "10.0.0.2 by header x-forwarded-for hop 32",
        );
        check(
            "10.0.0.1",
            &[("x-forwarded-for", &hops(1000))],
            "10.0.0.2 by header x-forwarded-for hop 32",
        );
    }

    #[test]
    fn underscore_twins_are_other_headers() {
        check(
            "10.0.0.1",
            &[("x_forwarded_for", "203.0.113.9")],
            "10.0.0.1 port 4711 by peer",
        );
        check(
            "10.0.0.1",
            &[
                ("x-forwarded-for", "203.0.113.9"),
                ("x_forwarded_for", "192.0.2.66"),
                ("x-forwarded_for", "192.0.2.66"),
            ],
            "203.0.113.9 by header x-forwarded-for hop 1",
        );
    }
}

mod single_values {
    use super::*;

    #[test]
    fn one_address_counts() {
        check(
            "192.168.0.1",
            &[("x-real-ip", "203.0.113.9")],
            "203.0.113.9 by header x-real-ip hop 1",
        );
        check(
            "173.245.48.7",
            &[
                ("cf-connecting-ip", "2001:db8::9"),
                ("x-forwarded-for", "192.0.2.66"),
            ],
            "2001:db8::9 by header cf-connecting-ip hop 1",
        );
    }

    #[test]
    fn anything_else_leaves_the_hop() {
        for value in [
            "",
            "garbage",
            "unknown",
            "_hidden",
            "203.0.113.9, 203.0.113.9",
            "203.0.113.9 x",
        ] {
            check(
                "192.168.0.1",
                &[("x-real-ip", value)],
                "192.168.0.1 port 4711 by peer",
            );
        }
        check(
            "192.168.0.1",
            &[("x-real-ip", "203.0.113.9"), ("x-real-ip", "203.0.113.9")],
            "192.168.0.1 port 4711 by peer",
        );
    }

    #[test]
    fn only_the_hop_that_it_is_listed_for_is_asked() {
        check(
            "10.0.0.1",
            &[("cf-connecting-ip", "203.0.113.9")],
            "10.0.0.1 port 4711 by peer",
        );
        check(
            "192.168.0.1",
            &[("cf-connecting-ip", "203.0.113.9")],
            "192.168.0.1 port 4711 by peer",
        );
    }

    #[test]
    fn it_counts_once() {
        // A worker at Cloudflare is told as an address of Cloudflare.
        check(
            "173.245.48.7",
            &[("cf-connecting-ip", "2400:cb00::103")],
            "2400:cb00::103 by header cf-connecting-ip hop 1",
        );
    }
}

mod mixed_kinds {
    use super::*;

    #[test]
    fn a_hop_of_another_kind_is_asked_for_its_own_header() {
        // Cloudflare before our balancer.
        check(
            "10.0.0.1",
            &[
                ("x-forwarded-for", "192.0.2.66, 203.0.113.9, 173.245.48.7"),
                ("cf-connecting-ip", "203.0.113.9"),
            ],
            "203.0.113.9 by header cf-connecting-ip hop 1",
        );
        // Cloudflare before a proxy that overwrites one header.
        check(
            "192.168.0.1",
            &[
                ("x-real-ip", "173.245.48.7"),
                ("cf-connecting-ip", "203.0.113.9"),
            ],
            "203.0.113.9 by header cf-connecting-ip hop 1",
        );
    }

    #[test]
    fn a_client_before_the_balancer_cannot_play_another_kind_of_hop() {
        check(
            "10.0.0.1",
            &[
                ("x-forwarded-for", "173.245.48.7, 203.0.113.9"),
                ("cf-connecting-ip", "192.0.2.66"),
            ],
            "203.0.113.9 by header x-forwarded-for hop 1",
        );
    }

    #[test]
    fn a_hop_of_another_kind_without_its_header_stays() {
        check(
            "10.0.0.1",
            &[("x-forwarded-for", "192.0.2.66, 173.245.48.7")],
            "173.245.48.7 by header x-forwarded-for hop 1",
        );
    }

    #[test]
    fn no_value_of_a_list_is_taken_twice() {
        // Balancer, partner, balancer: each takes what is left of what was taken before.
        check(
            "10.0.0.1",
            &[
                ("x-forwarded-for", "192.0.2.66, 203.0.113.9, 172.16.0.1"),
                ("forwarded", "for=10.0.0.2"),
            ],
            "203.0.113.9 by header x-forwarded-for hop 2",
        );
        check(
            "10.0.0.1",
            &[
                ("x-forwarded-for", "172.16.0.1"),
                ("forwarded", "for=10.0.0.2"),
            ],
            "10.0.0.2 by header forwarded hop 1",
        );
    }
}

mod header_names {
    use super::*;

    #[track_caller]
    fn check_name(text: &str, expected: &str) {
        let got = match text.parse::<HopHeader>() {
            Ok(header) => format!("{} {:?}", header.name(), header.kind()),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, expected);
    }

    #[test]
    fn the_name_decides_how_values_are_read() {
        check_name("X-Forwarded-For", "x-forwarded-for XForwardedFor");
        check_name("FORWARDED", "forwarded Forwarded");
        check_name("CF-Connecting-IP", "cf-connecting-ip Single");
        check_name("X-Forwarded-Host", "x-forwarded-host Single");
    }

    #[test]
    fn names_that_no_header_has() {
        check_name(
            "",
            "error: \"\" is not the name of a header; expected one like X-Forwarded-For",
        );
        check_name(
            "X Real\nIP",
            "error: \"X Real\\nIP\" is not the name of a header; expected one like X-Forwarded-For",
        );
        check_name(
            "X_Real_IP",
            "error: \"X_Real_IP\" has an underscore; such headers are never trusted, write it with hyphens",
        );
        let long = "x".repeat(100_000);
        assert!(
            long.parse::<HopHeader>()
                .is_err_and(|error| error.to_string().len() < 200)
        );
    }
}

mod explanation {
    use super::*;

    #[track_caller]
    fn check_steps(connection: &str, lines: &[(&str, &str)], expected: &[&str]) {
        let steps = explain(&peer(connection), &headers(lines), &rules(RULES));
        let got: Vec<String> = steps.iter().map(HopStep::to_string).collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn each_step_says_why() {
        check_steps(
            "203.0.113.9",
            &[("x-forwarded-for", "192.0.2.66")],
            &["203.0.113.9 is in no client_address rule: it is the client"],
        );
        check_steps(
            "10.0.0.1",
            &[
                ("x-forwarded-for", "203.0.113.9, 173.245.48.7"),
                ("cf-connecting-ip", "203.0.113.9"),
            ],
            &[
                "10.0.0.1 is listed for x-forwarded-for, whose value 1 from the right is 173.245.48.7",
                "173.245.48.7 is listed for cf-connecting-ip, whose value 1 from the right is 203.0.113.9",
                "203.0.113.9 is in no client_address rule: it is the client",
            ],
        );
    }

    #[test]
    fn each_end_says_why() {
        check_steps(
            "10.0.0.1",
            &[],
            &[
                "10.0.0.1 is listed for x-forwarded-for, which has no value for it: it counts as the client",
            ],
        );
        check_steps(
            "10.0.0.1",
            &[("x-forwarded-for", "unknown")],
            &[
                "10.0.0.1 is listed for x-forwarded-for, whose value 1 from the right hides the address: it counts as the client",
            ],
        );
        check_steps(
            "192.168.0.1",
            &[("x-real-ip", "1.2.3")],
            &[
                "192.168.0.1 is listed for x-real-ip, whose value 1 from the right is not an address: it counts as the client",
            ],
        );
        check_steps(
            "192.168.0.1",
            &[("x-real-ip", "192.0.2.1"), ("x-real-ip", "192.0.2.1")],
            &[
                "192.168.0.1 is listed for x-real-ip, which came more than once: it counts as the client",
            ],
        );
        check_steps(
            "192.168.0.1",
            &[("x-real-ip", "192.168.0.2")],
            &[
                "192.168.0.1 is listed for x-real-ip, whose value 1 from the right is 192.168.0.2",
                "192.168.0.2 is listed for x-real-ip, which a nearer hop already took: it counts as the client",
            ],
        );
    }

    #[test]
    fn a_chain_over_the_bound_says_so() {
        let steps = explain(
            &peer("10.0.0.1"),
            &headers(&[("x-forwarded-for", vec!["10.0.0.2"; 99].join(","))]),
            &rules(RULES),
        );
        assert_eq!(
            steps.last().map(HopStep::to_string).as_deref(),
            Some("10.0.0.2 is a listed hop, but 32 values were read: it counts as the client")
        );
    }
}

/// The walk with everything collected first.
fn naive_client(connection: Ip, headers: &HeaderMap, rules: &[HopRule]) -> Ip {
    let mut lists: std::collections::HashMap<&str, Vec<Node>> = std::collections::HashMap::new();
    for rule in rules {
        let name = rule.header.name();
        let lines: Vec<&str> = headers
            .get_all(name)
            .iter()
            .map(|line| line.to_str().unwrap())
            .collect();
        let values: Vec<&str> = match rule.header.kind() {
            HeaderKind::Single if lines.len() != 1 => Vec::new(),
            HeaderKind::Single => lines,
            _ => lines.iter().flat_map(|line| line.split(',')).collect(),
        };
        let text = |value: &str| value.trim().trim_start_matches("for=").to_owned();
        lists.insert(
            name.as_str(),
            values
                .iter()
                .map(|value| Node::parse(text(value).as_bytes()))
                .collect(),
        );
    }
    let mut in_hand = connection;
    for _ in 0..HOPS_MAX {
        let Some(rule) = rules.iter().find(|rule| rule.from.contains(in_hand)) else {
            return in_hand;
        };
        match lists
            .get_mut(rule.header.name().as_str())
            .and_then(Vec::pop)
        {
            Some(Node::Address { ip, .. }) => in_hand = ip,
            _ => return in_hand,
        }
    }
    in_hand
}

/// An address of each kind of hop, and some that are no hop.
fn near_hop() -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just("173.245.48.7"),
        4 => Just("10.0.0.1"),
        4 => Just("172.16.0.1"),
        2 => Just("192.168.0.1"),
        1 => Just("203.0.113.9"),
        1 => Just("unknown"),
    ]
    .prop_map(str::to_owned)
}

fn any_headers() -> impl Strategy<Value = HeaderMap> {
    let list = |prefix: &'static str, count| {
        prop::collection::vec(near_hop(), count).prop_map(move |hops| {
            hops.iter()
                .map(|hop| format!("{prefix}{hop}"))
                .collect::<Vec<_>>()
                .join(", ")
        })
    };
    let line = prop_oneof![
        list("", 1..20).prop_map(|value| ("x-forwarded-for", value)),
        list("for=", 1..20).prop_map(|value| ("forwarded", value)),
        near_hop().prop_map(|value| ("x-real-ip", value)),
        near_hop().prop_map(|value| ("cf-connecting-ip", value)),
    ];
    prop::collection::vec(line, 0..8).prop_map(|lines| headers(&lines))
}

proptest! {
    #[test]
    fn the_walk_agrees_with_the_naive_one(connection in near_hop(), headers in any_headers()) {
        let Ok(ip) = connection.parse::<Ip>() else { return Ok(()) };
        let (connection, rules) = (ClientAddr::peer(ip, 1), rules(RULES));
        let client = resolve(&connection, &headers, &rules);
        prop_assert_eq!(client.ip, naive_client(ip, &headers, &rules));
        assert_last_step_names(&client, &explain(&connection, &headers, &rules));
    }

    #[test]
    fn an_unlisted_connection_is_never_changed(address: std::net::IpAddr, port: u16, headers in any_headers()) {
        let (connection, rules) = (ClientAddr::peer(address.into(), port), rules(RULES));
        if !rules.iter().any(|rule| rule.from.contains(connection.ip)) {
            prop_assert_eq!(resolve(&connection, &headers, &rules), connection);
        }
    }

    #[test]
    fn nothing_left_of_the_client_changes_it(left in "[ -~]{0,60}", hops in 0_usize..6, other in any_headers()) {
        let chain = ["203.0.113.9"].into_iter().chain(vec!["10.0.0.2"; hops]).collect::<Vec<_>>().join(", ");
        let mut headers = other;
        headers.insert("x-forwarded-for", HeaderValue::from_str(&format!("{left}, {chain}")).unwrap());
        let client = resolve(&peer("10.0.0.1"), &headers, &rules(RULES));
        prop_assert_eq!(client.ip.to_string(), "203.0.113.9");
    }

    #[test]
    fn any_bytes_are_answered(lines in prop::collection::vec("[ -~\u{80}-\u{ff}]{0,60}", 0..5), connection in near_hop()) {
        let Ok(ip) = connection.parse::<Ip>() else { return Ok(()) };
        let lines: Vec<(&str, String)> = ["x-forwarded-for", "forwarded", "x-real-ip", "cf-connecting-ip"].into_iter().cycle().zip(lines).collect();
        let (connection, headers, rules) = (ClientAddr::peer(ip, 1), headers(&lines), rules(RULES));
        assert_last_step_names(&resolve(&connection, &headers, &rules), &explain(&connection, &headers, &rules));
    }
}
