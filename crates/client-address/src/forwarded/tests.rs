//! Values as hops write them, garbage as clients do, and a naive model to agree with.

use http::{HeaderMap, HeaderName, HeaderValue};
use proptest::prelude::*;

use super::*;

fn summary(node: Node) -> String {
    match node {
        Node::Address { ip, port: None } => ip.to_string(),
        Node::Address {
            ip,
            port: Some(port),
        } => format!("{ip} port {port}"),
        Node::Hidden => "hidden".into(),
        Node::Malformed => "malformed".into(),
    }
}

fn headers(name: &'static str, lines: &[&[u8]]) -> HeaderMap {
    let name = HeaderName::from_static(name);
    lines
        .iter()
        .map(|line| (name.clone(), HeaderValue::from_bytes(line).unwrap()))
        .collect()
}

mod node {
    use super::*;

    #[track_caller]
    fn check(text: impl AsRef<[u8]>, expected: &str) {
        assert_eq!(summary(Node::parse(text.as_ref())), expected);
    }

    #[test]
    fn ipv4() {
        check("192.0.2.1", "192.0.2.1");
        check(" \t192.0.2.1 ", "192.0.2.1");
        check("192.0.2.1:8080", "192.0.2.1 port 8080");
        check("192.0.2.1:0", "192.0.2.1 port 0");
        check("192.0.2.1:65535", "192.0.2.1 port 65535");
        check("192.0.2.1:_hidden", "192.0.2.1");
        check("192.0.2.1:65536", "malformed");
        check("192.0.2.1:000080", "malformed");
        check("192.0.2.1:+80", "malformed");
        check("192.0.2.1:", "malformed");
        check("192.0.2.1:_", "malformed");
        check("192.0.2.01", "malformed");
        check("192.0.2", "malformed");
        check("3221225985", "malformed");
        check("192.0.2.1%eth0", "malformed");
        check("[192.0.2.1]", "malformed");
        check("192.0.2.1 192.0.2.2", "malformed");
        check("192.0.2.1,192.0.2.2", "malformed");
        check("192.0.2.1/32", "malformed");
    }

    #[test]
    fn ipv6() {
        check("2001:db8::1", "2001:db8::1");
        check("2001:DB8:0::1", "2001:db8::1");
        check("[2001:db8::1]", "2001:db8::1");
        check("[2001:db8::1]:8080", "2001:db8::1 port 8080");
        check("[2001:db8::1]:_x", "2001:db8::1");
        // Without brackets the last group is never a port.
        check("2001:db8::1:8080", "2001:db8::1:8080");
        check("::", "::");
        check("[2001:db8::1", "malformed");
        check("2001:db8::1]", "malformed");
        check("[2001:db8::1]8080", "malformed");
        check("[2001:db8::1]:", "malformed");
        check("[[2001:db8::1]]", "malformed");
        check("1:2:3:4:5:6:7:8:9", "malformed");
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        check("::ffff:192.0.2.1", "192.0.2.1");
        check("[::ffff:c000:201]:1", "192.0.2.1 port 1");
    }

    #[test]
    fn zones_are_dropped() {
        check("fe80::1%eth0", "fe80::1");
        check("fe80::1%25eth0.1", "fe80::1");
        check("[fe80::1%3]:80", "fe80::1 port 80");
        check("fe80::1%", "malformed");
        check("fe80::1%a%b", "malformed");
        check("fe80::1%a b", "malformed");
    }

    #[test]
    fn hidden() {
        check("unknown", "hidden");
        check("Unknown", "hidden");
        check("unknown:80", "hidden");
        check("_SEVKISEK", "hidden");
        check("_a.b-c_d:_port", "hidden");
        check("_", "malformed");
        check("_a b", "malformed");
        check("_a\"", "malformed");
    }

    #[test]
    fn garbage() {
        check("", "malformed");
        check(" ", "malformed");
        check("localhost", "malformed");
        check("unix:", "malformed");
        check("\"192.0.2.1\"", "malformed");
        check(b"192.0.2.1\xff", "malformed");
        check("\u{661}92.0.2.1", "malformed");
        check("x".repeat(100_000), "malformed");
        let longest_zone = NODE_BYTES_MAX - "fe80::1%".len();
        check(format!("fe80::1%{}", "z".repeat(longest_zone)), "fe80::1");
        check(
            format!("fe80::1%{}", "z".repeat(longest_zone + 1)),
            "malformed",
        );
    }
}

mod x_forwarded_for {
    use super::*;

    const NAME: &str = "x-forwarded-for";

    #[track_caller]
    fn check(lines: &[&str], expected: &[&str]) {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let headers = headers(NAME, &lines);
        let got: Vec<String> = Nodes::x_forwarded_for(&headers, &HeaderName::from_static(NAME))
            .map(summary)
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn values_from_the_right_over_all_lines() {
        check(&[], &[]);
        check(&["192.0.2.1"], &["192.0.2.1"]);
        check(
            &["192.0.2.1, 192.0.2.2,192.0.2.3:80"],
            &["192.0.2.3 port 80", "192.0.2.2", "192.0.2.1"],
        );
        check(
            &["192.0.2.1, 192.0.2.2", "2001:db8::3", "192.0.2.4"],
            &["192.0.2.4", "2001:db8::3", "192.0.2.2", "192.0.2.1"],
        );
    }

    #[test]
    fn empty_values_count() {
        check(&[""], &["malformed"]);
        check(&["192.0.2.1,"], &["malformed", "192.0.2.1"]);
        check(&[", 192.0.2.1"], &["192.0.2.1", "malformed"]);
        check(&["192.0.2.1", ""], &["malformed", "192.0.2.1"]);
    }

    #[test]
    fn quotes_mean_nothing() {
        check(&["\"192.0.2.1, 192.0.2.2"], &["192.0.2.2", "malformed"]);
    }
}

mod rfc_7239 {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: &[&str]) {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let headers = headers("forwarded", &lines);
        let got: Vec<String> = Nodes::forwarded(&headers).map(summary).collect();
        assert_eq!(got, expected, "{lines:?}");
    }

    #[test]
    fn the_examples_of_the_rfc() {
        check(&["for=\"_gazonk\""], &["hidden"]);
        check(
            &["For=\"[2001:db8:cafe::17]:4711\""],
            &["2001:db8:cafe::17 port 4711"],
        );
        check(
            &["for=192.0.2.60;proto=http;by=203.0.113.43"],
            &["192.0.2.60"],
        );
        check(
            &["for=192.0.2.43, for=198.51.100.17"],
            &["198.51.100.17", "192.0.2.43"],
        );
        check(
            &["for=192.0.2.43, for=\"[2001:db8:cafe::17]\""],
            &["2001:db8:cafe::17", "192.0.2.43"],
        );
        check(
            &["for=192.0.2.43,for=\"[2001:db8:cafe::17]\",for=unknown"],
            &["hidden", "2001:db8:cafe::17", "192.0.2.43"],
        );
        check(&["for=_hidden, for=_SEVKISEK"], &["hidden", "hidden"]);
        check(&["for=\"192.0.2.43:47011\""], &["192.0.2.43 port 47011"]);
    }

    #[test]
    fn several_lines_are_one_list() {
        check(
            &["for=192.0.2.1, for=192.0.2.2", "for=192.0.2.3"],
            &["192.0.2.3", "192.0.2.2", "192.0.2.1"],
        );
    }

    #[test]
    fn separators_in_quotes_are_text() {
        check(
            &["for=192.0.2.1;host=\"a,b;c\", for=192.0.2.2"],
            &["192.0.2.2", "192.0.2.1"],
        );
        check(&["host=\"a;for=192.0.2.9\";for=192.0.2.1"], &["192.0.2.1"]);
        check(
            &["for=192.0.2.1;host=\"a\\\", for=192.0.2.9, x=\\\"\""],
            &["192.0.2.1"],
        );
        check(
            &["for=192.0.2.1;host=\"\\\\\", for=192.0.2.2"],
            &["192.0.2.2", "192.0.2.1"],
        );
    }

    #[test]
    fn escaped_quotes_close_nothing() {
        check(&[r#"host="a\\";for=192.0.2.1"#], &["192.0.2.1"]);
        check(
            &[r#"host="a\\";for=192.0.2.1, host="\\\\";for=192.0.2.2"#],
            &["192.0.2.2", "192.0.2.1"],
        );
        check(
            &[r#"host="a\";for=192.0.2.9;x=\"";for=192.0.2.1"#],
            &["192.0.2.1"],
        );
        check(
            &[r#"host="\",for=192.0.2.9,x=\\\"";for=192.0.2.1"#],
            &["192.0.2.1"],
        );
    }

    #[test]
    fn what_a_client_left_open_swallows_nothing() {
        check(
            &["for=\"192.0.2.9, for=192.0.2.1"],
            &["192.0.2.1", "malformed"],
        );
        check(
            &["for=\"192.0.2.9\\, for=\"[2001:db8::1]\""],
            &["2001:db8::1", "malformed"],
        );
        check(&["x\", for=192.0.2.1"], &["192.0.2.1", "malformed"]);
        check(
            &["for=192.0.2.8, x\", y, for=192.0.2.1"],
            &["192.0.2.1", "malformed", "malformed"],
        );
    }

    #[test]
    fn elements_that_tell_no_client() {
        check(&[""], &["hidden"]);
        check(&["proto=https;by=192.0.2.1"], &["hidden"]);
        check(&["for=192.0.2.1, "], &["hidden", "192.0.2.1"]);
    }

    #[test]
    fn escapes_are_undone() {
        check(&["for=\"192.0.2.\\1\""], &["192.0.2.1"]);
        check(&["for=\"\\[2001:db8::1\\]\""], &["2001:db8::1"]);
        check(
            &[&format!("for=\"\\1{}\"", "1".repeat(200))],
            &["malformed"],
        );
    }

    #[test]
    fn colons_and_brackets_without_quotes_are_let_through() {
        check(&["for=192.0.2.1:80"], &["192.0.2.1 port 80"]);
        check(
            &["for=[2001:db8::1]:80;proto=http"],
            &["2001:db8::1 port 80"],
        );
        check(&["for=2001:db8::1"], &["2001:db8::1"]);
    }

    #[test]
    fn white_space_and_empty_pairs_are_skipped() {
        check(&[" for=192.0.2.1 ; proto=http ;"], &["192.0.2.1"]);
        check(&[";;for=192.0.2.1"], &["192.0.2.1"]);
    }

    #[test]
    fn garbage() {
        check(&["192.0.2.1"], &["malformed"]);
        check(&["for"], &["malformed"]);
        check(&["for="], &["malformed"]);
        check(&["for=\"\""], &["malformed"]);
        check(&["=192.0.2.1"], &["malformed"]);
        check(&["for =192.0.2.1"], &["malformed"]);
        check(&["for= 192.0.2.1"], &["malformed"]);
        check(&["for=192.0.2.1;for=192.0.2.2"], &["malformed"]);
        check(&["for=192.0.2.1;FOR=192.0.2.1"], &["malformed"]);
        check(&["for=192.0.2.1;x"], &["malformed"]);
        check(&["for=192.0.2.1;x=\"open"], &["malformed"]);
        check(&["for=\"192.0.2.1\"x"], &["malformed"]);
        check(&["for=\"192.0.2.1\\\""], &["malformed"]);
        check(&["for=192.0.2.1;x=a b"], &["malformed"]);
        check(&["for=\"192.0.2.1\"\"\""], &["malformed"]);
    }
}

mod single {
    use super::*;

    #[track_caller]
    fn check(lines: &[&str], expected: Single) {
        let lines: Vec<&[u8]> = lines.iter().map(|line| line.as_bytes()).collect();
        let headers = headers("x-real-ip", &lines);
        assert_eq!(
            Single::read(&headers, &HeaderName::from_static("x-real-ip")),
            expected
        );
    }

    #[test]
    fn exactly_one_value() {
        let address = Node::Address {
            ip: "192.0.2.1".parse().unwrap(),
            port: None,
        };
        check(&[], Single::Absent);
        check(&["192.0.2.1"], Single::One(address));
        check(&["192.0.2.1", "192.0.2.1"], Single::Repeated);
        check(&["192.0.2.1, 192.0.2.1"], Single::One(Node::Malformed));
        check(&[""], Single::One(Node::Malformed));
        check(&["unknown"], Single::One(Node::Hidden));
    }
}

/// Text near what hops write, without separators.
fn near_node() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<std::net::IpAddr>().prop_map(|ip| ip.to_string()),
        any::<std::net::SocketAddr>().prop_map(|address| address.to_string()),
        "[0-9a-f.:%\\[\\]_]{0,24}",
        Just("unknown".to_owned()),
        "_[a-z]{0,4}",
    ]
}

/// A quoted string with separators and escapes inside, or a token.
fn any_value() -> impl Strategy<Value = String> {
    prop_oneof![
        near_node().prop_map(|node| format!("\"{node}\"")),
        "\"([a-z,;= :]|\\\\[\"\\\\,;a]){0,12}\"",
        "[a-z0-9.]{1,9}",
    ]
}

fn any_element() -> impl Strategy<Value = String> {
    prop::collection::vec(("(for|proto|host|by)", any_value()), 1..4).prop_map(|pairs| {
        pairs
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect::<Vec<_>>()
            .join(";")
    })
}

/// Elements of sound `Forwarded` values, read from the left one character at a time.
fn naive_elements(value: &str) -> Vec<String> {
    let (mut elements, mut inside, mut escaped) = (vec![String::new()], false, false);
    for character in value.chars() {
        match character {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '"' => inside = !inside,
            ',' if !inside => {
                elements.push(String::new());
                continue;
            }
            _ => {}
        }
        elements.last_mut().unwrap().push(character);
    }
    elements
}

fn forwarded_nodes(value: &[u8]) -> Vec<Node> {
    Nodes::forwarded(&headers("forwarded", &[value])).collect()
}

proptest! {
    #[test]
    fn any_bytes_are_answered(value in "[ -~\t\u{80}-\u{ff}]{0,200}") {
        let name = HeaderName::from_static("x-forwarded-for");
        let values = headers("x-forwarded-for", &[value.as_bytes()]);
        let commas = value.bytes().filter(|byte| *byte == b',').count();
        prop_assert_eq!(Nodes::x_forwarded_for(&values, &name).count(), commas + 1);
        prop_assert!(forwarded_nodes(value.as_bytes()).len() <= commas + 1);
    }

    #[test]
    fn quotes_and_escapes_are_answered(value in "[\",;=\\\\for1. ]{0,60}") {
        let commas = value.bytes().filter(|byte| *byte == b',').count();
        prop_assert!(forwarded_nodes(value.as_bytes()).len() <= commas + 1);
    }

    #[test]
    fn x_forwarded_for_agrees_with_a_split(lines in prop::collection::vec(prop::collection::vec(near_node(), 1..5), 0..4)) {
        let joined: Vec<String> = lines.iter().map(|line| line.join(", ")).collect();
        let bytes: Vec<&[u8]> = joined.iter().map(|line| line.as_bytes()).collect();
        let headers = headers("x-forwarded-for", &bytes);
        let got: Vec<Node> = Nodes::x_forwarded_for(&headers, &HeaderName::from_static("x-forwarded-for")).collect();
        let expected: Vec<Node> = lines.iter().flatten().rev().map(|node| Node::parse(node.as_bytes())).collect();
        prop_assert_eq!(got, expected);
    }

    #[test]
    fn reading_from_the_right_agrees_with_reading_from_the_left(elements in prop::collection::vec(any_element(), 1..5)) {
        let value = elements.join(", ");
        let naive = naive_elements(&value);
        prop_assert_eq!(naive.len(), elements.len());
        let expected: Vec<Node> = naive.iter().rev().flat_map(|element| forwarded_nodes(element.as_bytes())).collect();
        prop_assert_eq!(forwarded_nodes(value.as_bytes()), expected);
    }

    #[test]
    fn nothing_to_the_left_changes_what_the_nearest_hop_wrote(left in "[ -~]{0,40}", element in any_element()) {
        let alone = forwarded_nodes(element.as_bytes());
        let behind = forwarded_nodes(format!("{left}, {element}").as_bytes());
        prop_assert_eq!(behind.first(), alone.first());
    }

    #[test]
    fn a_quoted_address_is_read_as_it_is(address: std::net::SocketAddr) {
        let expected = vec![Node::Address { ip: address.into(), port: Some(address.port()) }];
        prop_assert_eq!(forwarded_nodes(format!("proto=http;for=\"{address}\"").as_bytes()), expected);
    }

    #[test]
    fn a_node_agrees_with_the_standard_library(text in "[0-9a-f.:]{0,20}") {
        // Only a port makes a difference: one colon at the most means that what follows it is one.
        if let Ok(ip) = text.parse::<std::net::IpAddr>() {
            prop_assert_eq!(Node::parse(text.as_bytes()), Node::Address { ip: ip.into(), port: None });
        } else if let Ok(address) = text.parse::<std::net::SocketAddr>() {
            if text.rsplit(':').next().is_some_and(|port| port.len() <= 5) {
                prop_assert_eq!(Node::parse(text.as_bytes()), Node::Address { ip: address.into(), port: Some(address.port()) });
            }
        } else {
            prop_assert_eq!(Node::parse(text.as_bytes()), Node::Malformed);
        }
    }
}
