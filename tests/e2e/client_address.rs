//! Who the client is, whose word about it counts, and what the backend is told.

use crate::harness::{Backend, BackendRequest, Connection, Http2, Palisade};

/// A gate with a hop of each kind: 127.0.0.2 is a CDN, 127.0.0.3 and 192.0.2.1 are load balancers,
/// the others as their headers say. 203.0.113.66 is refused.
struct Gate {
    backend: Backend,
    palisade: Palisade,
}

const DIRECT: &str = "127.0.0.1";
const CDN: &str = "127.0.0.2";
const BALANCER: &str = "127.0.0.3";
const RFC_7239: &str = "127.0.0.4";
const REAL_IP: &str = "127.0.0.5";
const OWN_NAME: &str = "127.0.0.6";

impl Gate {
    fn start() -> Self {
        let backend = Backend::start();
        let palisade = Palisade::start(&format!(
            "
listeners:
  - address: 127.0.0.1:0
    proxy_protocol: {{ mode: optional, from: [127.0.0.9] }}
    client_address:
      - {{ from: [{CDN}], header: CF-Connecting-IP }}
      - {{ from: [{BALANCER}, 192.0.2.1], header: X-Forwarded-For }}
      - {{ from: [{RFC_7239}], header: Forwarded }}
      - {{ from: [{REAL_IP}], header: X-Real-IP }}
      - {{ from: [{OWN_NAME}], header: X-Our-Client }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
access:
  rules:
    - {{ id: not-you, match: {{ address: 203.0.113.66 }}, action: block }}
"
        ));
        Self { backend, palisade }
    }

    /// What the backend is asked when `peer` sends these header lines.
    #[track_caller]
    fn told(&self, peer: &str, fields: &[&str]) -> BackendRequest {
        let mut connection = Connection::open_from(peer, self.palisade.address());
        let fields: String = fields.iter().map(|field| format!("{field}\r\n")).collect();
        connection.send(format!(
            "GET / HTTP/1.1\r\nHost: test.example\r\n{fields}\r\n"
        ));
        assert_eq!(
            connection.answer().expect("an answer").status,
            200,
            "{fields}"
        );
        self.backend.requests().last().unwrap().clone()
    }

    #[track_caller]
    fn check(&self, peer: &str, fields: &[&str], client: &str) {
        let request = self.told(peer, fields);
        assert_eq!(
            request.header("x-real-ip"),
            Some(client),
            "{peer}: {fields:?}"
        );
    }
}

#[test]
fn a_client_chooses_no_address() {
    let gate = Gate::start();
    let lies = [
        "X-Forwarded-For: 203.0.113.7",
        "Forwarded: for=203.0.113.7",
        "X-Real-IP: 203.0.113.7",
        "CF-Connecting-IP: 203.0.113.7",
        "X-Our-Client: 203.0.113.7",
        "True-Client-IP: 203.0.113.7",
        "X_Forwarded_For: 203.0.113.7",
    ];
    gate.check(DIRECT, &lies, DIRECT);
    gate.check("127.0.0.77", &lies, "127.0.0.77");
    // A hop's word counts in its own header alone.
    for (peer, own) in [
        (CDN, 3),
        (BALANCER, 0),
        (RFC_7239, 1),
        (REAL_IP, 2),
        (OWN_NAME, 4),
    ] {
        let mut others = lies.to_vec();
        others.remove(own);
        gate.check(peer, &others, peer);
        gate.check(peer, &lies, "203.0.113.7");
    }
}

#[test]
fn a_list_is_read_from_the_right() {
    let gate = Gate::start();
    let check = |fields: &[&str], client| gate.check(BALANCER, fields, client);
    check(
        &["X-Forwarded-For: 198.51.100.1, 203.0.113.7"],
        "203.0.113.7",
    );
    check(
        &["X-Forwarded-For: 198.51.100.1, 203.0.113.7, 192.0.2.1"],
        "203.0.113.7",
    );
    check(
        &["X-Forwarded-For: 203.0.113.7, 192.0.2.1, 127.0.0.3, 192.0.2.1"],
        "203.0.113.7",
    );
    check(&["X-Forwarded-For: 192.0.2.1"], "192.0.2.1");
    // Several lines are one list (RFC 9110 section 5.3).
    check(
        &[
            "X-Forwarded-For: 198.51.100.1",
            "X-Forwarded-For: 203.0.113.7",
        ],
        "203.0.113.7",
    );
    check(
        &[
            "X-Forwarded-For: 203.0.113.7",
            "X: y",
            "X-Forwarded-For: 192.0.2.1",
        ],
        "203.0.113.7",
    );
    // What isn't an address ends the walk at the hop that told it.
    check(&["X-Forwarded-For: 203.0.113.7, unknown"], BALANCER);
    check(&["X-Forwarded-For: 203.0.113.7, 999.1.1.1"], BALANCER);
    check(
        &["X-Forwarded-For: 203.0.113.7, garbage, 192.0.2.1"],
        "192.0.2.1",
    );
    check(&["X-Forwarded-For: 203.0.113.07"], BALANCER);
    check(&["X-Forwarded-For: <script>"], BALANCER);
    check(&["X-Forwarded-For: 203.0.113.7 198.51.100.1"], BALANCER);
    check(&["X-Forwarded-For:"], BALANCER);
    check(&[], BALANCER);
    // As hops write them.
    check(&["X-Forwarded-For: 203.0.113.7:4711"], "203.0.113.7");
    check(&["X-Forwarded-For: [2001:DB8::7]:4711"], "2001:db8::7");
    check(&["X-Forwarded-For: 2001:db8:0:0::7"], "2001:db8::7");
    check(&["X-Forwarded-For: fe80::7%eth0"], "fe80::7");
    check(&["X-Forwarded-For: ::ffff:203.0.113.7"], "203.0.113.7");
    check(
        &["X-Forwarded-For: 203.0.113.7, ::ffff:192.0.2.1"],
        "203.0.113.7",
    );
    // A chain has an end.
    let long = vec!["192.0.2.1"; 90].join(", ");
    check(
        &[&format!("X-Forwarded-For: 203.0.113.7, {long}")],
        "192.0.2.1",
    );
}

#[test]
fn forwarded_is_read_as_rfc_7239_says() {
    let gate = Gate::start();
    let check = |fields: &[&str], client| gate.check(RFC_7239, fields, client);
    check(&["Forwarded: for=203.0.113.7"], "203.0.113.7");
    check(
        &["Forwarded: proto=https;FOR=203.0.113.7;by=192.0.2.9;host=\"a;b,c\""],
        "203.0.113.7",
    );
    check(
        &["Forwarded: for=198.51.100.1, for=203.0.113.7"],
        "203.0.113.7",
    );
    check(
        &["Forwarded: for=198.51.100.1", "Forwarded: for=203.0.113.7"],
        "203.0.113.7",
    );
    check(&["Forwarded: for=\"[2001:db8::7]:4711\""], "2001:db8::7");
    check(&["Forwarded: for=\"203.0.113.7:4711\""], "203.0.113.7");
    check(&["Forwarded: for=unknown"], RFC_7239);
    check(&["Forwarded: for=203.0.113.7, for=_hidden"], RFC_7239);
    check(&["Forwarded: for=203.0.113.7;for=198.51.100.1"], RFC_7239);
    check(&["Forwarded: for=\"203.0.113.7"], RFC_7239);
    check(&["Forwarded: by=203.0.113.7"], RFC_7239);
    check(&["X-Forwarded-For: 203.0.113.7"], RFC_7239);
}

#[test]
fn a_single_value_counts_once() {
    let gate = Gate::start();
    for (peer, name) in [
        (CDN, "CF-Connecting-IP"),
        (REAL_IP, "X-Real-IP"),
        (OWN_NAME, "x-our-client"),
    ] {
        let check = |values: &[&str], client| {
            let fields: Vec<String> = values
                .iter()
                .map(|value| format!("{name}: {value}"))
                .collect();
            let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
            gate.check(peer, &fields, client);
        };
        check(&["203.0.113.7"], "203.0.113.7");
        check(&["2001:db8::7"], "2001:db8::7");
        check(&["::ffff:203.0.113.7"], "203.0.113.7");
        check(&["203.0.113.7", "203.0.113.7"], peer);
        check(&["203.0.113.7", "198.51.100.1"], peer);
        check(&["198.51.100.1, 203.0.113.7"], peer);
        check(&["garbage"], peer);
        check(&[""], peer);
        check(&[], peer);
        // One that tells of itself goes no further.
        check(&[peer], peer);
    }
}

#[test]
fn hops_of_several_kinds_are_walked_through() {
    let gate = Gate::start();
    // Client, CDN, load balancer: each with its own header.
    let fields = [
        "CF-Connecting-IP: 203.0.113.7",
        "X-Forwarded-For: 198.51.100.1, 127.0.0.2",
    ];
    gate.check(BALANCER, &fields, "203.0.113.7");
    // The CDN's header doesn't count where the CDN wasn't passed.
    let fields = [
        "CF-Connecting-IP: 203.0.113.7",
        "X-Forwarded-For: 198.51.100.1",
    ];
    gate.check(BALANCER, &fields, "198.51.100.1");
    // A PROXY header tells the first hop.
    let ask = |source: &str| {
        let mut connection = Connection::open_from("127.0.0.9", gate.palisade.address());
        connection.send(format!("PROXY TCP4 {source} 127.0.0.1 4711 80\r\n"));
        connection.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n");
        assert_eq!(connection.answer().unwrap().status, 200);
        gate.backend
            .requests()
            .last()
            .unwrap()
            .header("x-real-ip")
            .unwrap()
            .to_owned()
    };
    assert_eq!(ask("198.51.100.1"), "198.51.100.1");
    assert_eq!(ask(BALANCER), "203.0.113.7");
}

#[test]
fn rules_and_logs_have_the_client_with_its_provenance() {
    let gate = Gate::start();
    let refused = |peer: &str, field: &str| {
        let mut connection = Connection::open_from(peer, gate.palisade.address());
        connection.send(format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"));
        connection.answer().unwrap().status == 403
    };
    assert!(refused(
        BALANCER,
        "X-Forwarded-For: 203.0.113.66, 192.0.2.1"
    ));
    assert!(refused(BALANCER, "X-Forwarded-For: ::ffff:203.0.113.66"));
    assert!(refused(CDN, "CF-Connecting-IP: 203.0.113.66"));
    assert!(!refused(DIRECT, "X-Forwarded-For: 203.0.113.66"));
    assert_eq!(gate.backend.requests().len(), 1);
    for (peer, provenance) in [
        (BALANCER, "header x-forwarded-for hop 2"),
        (BALANCER, "header x-forwarded-for hop 1"),
        (CDN, "header cf-connecting-ip hop 1"),
    ] {
        let line = gate.palisade.wait_for_decision(|line| {
            line["client"]["provenance"] == provenance && line["peer"] == peer
        });
        assert_eq!(line["client"]["ip"], "203.0.113.66");
        assert_eq!(line["rule"]["id"], "not-you");
    }
}

/// What a client may try.
const LIES: [&str; 26] = [
    "X-Forwarded-For: 203.0.113.7, 198.51.100.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: evil.example",
    "X-Real-IP: 203.0.113.7",
    "Forwarded: for=203.0.113.7;host=evil.example;proto=https",
    "X-Request-Id: chosen-by-the-client",
    "CF-Connecting-IP: 203.0.113.7",
    "X-Our-Client: 203.0.113.7",
    "X-Crowdsec-Decision: allow",
    "x-crowdsec-other: y",
    "X_Forwarded_For: 203.0.113.7",
    "X-Forwarded_Proto: https",
    "X_Real_IP: 203.0.113.7",
    "x_forwarded_host: evil.example",
    "X_Request_Id: chosen-by-the-client",
    "CF_Connecting_IP: 203.0.113.7",
    "X_Our_Client: 203.0.113.7",
    "Content_Length: 3",
    "Transfer_Encoding: chunked",
    "X_Other_Thing: stays",
    "Connection: close, X-Real-IP, X-Forwarded-For, X-Forwarded-Proto, X-Forwarded-Host, Forwarded, X-Request-Id, Host, X-Nominated",
    "Keep-Alive: timeout=5",
    "Proxy-Connection: keep-alive",
    "TE: trailers",
    "Trailer: X",
    "X-Nominated: y",
];

/// What is not passed on of it.
const GONE: [&str; 19] = [
    "cf-connecting-ip",
    "x-our-client",
    "x-crowdsec-decision",
    "x-crowdsec-other",
    "x_forwarded_for",
    "x-forwarded_proto",
    "x_real_ip",
    "x_forwarded_host",
    "x_request_id",
    "cf_connecting_ip",
    "x_our_client",
    "content_length",
    "transfer_encoding",
    "connection",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "x-nominated",
];

#[test]
fn the_backend_is_told_nothing_that_a_client_made_up() {
    let gate = Gate::start();
    let request = gate.told(DIRECT, &LIES);
    for (name, value) in [
        ("host", "test.example"),
        ("x-forwarded-for", DIRECT),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "test.example"),
        ("x-real-ip", DIRECT),
        (
            "forwarded",
            "for=127.0.0.1;host=\"test.example\";proto=http",
        ),
        ("x_other_thing", "stays"),
    ] {
        assert_eq!(request.header(name), Some(value), "{}", request.head);
        assert_eq!(request.count(name), 1, "{name}");
    }
    assert_eq!(request.count("x-request-id"), 1);
    for name in GONE {
        assert_eq!(request.header(name), None, "{name}");
    }
    for lie in [
        "203.0.113.7",
        "198.51.100.1",
        "evil.example",
        "chosen",
        "allow",
    ] {
        assert!(!request.head.contains(lie), "{lie}: {}", request.head);
    }
}

#[test]
fn the_backend_is_told_the_way_through_hops() {
    let gate = Gate::start();
    let told = |peer: &str, fields: &[&str], name: &str| {
        let request = gate.told(peer, fields);
        assert!(request.count(name) <= 1, "{name}: {}", request.head);
        request.header(name).unwrap_or_default().to_owned()
    };
    let list = "X-Forwarded-For: 198.51.100.1, 203.0.113.7, 192.0.2.1";
    assert_eq!(
        told(BALANCER, &[list], "x-forwarded-for"),
        "203.0.113.7, 192.0.2.1, 127.0.0.3"
    );
    let single = [
        "CF-Connecting-IP: 203.0.113.7",
        "X-Forwarded-For: 198.51.100.1, 203.0.113.7",
    ];
    assert_eq!(
        told(CDN, &single, "x-forwarded-for"),
        "203.0.113.7, 127.0.0.2"
    );
    assert_eq!(
        told(CDN, &single, "cf-connecting-ip"),
        "203.0.113.7",
        "what was believed stays"
    );
    assert_eq!(
        told(BALANCER, &[list, single[0]], "cf-connecting-ip"),
        "",
        "and nothing else"
    );
    let forwarded = told(
        RFC_7239,
        &["Forwarded: for=\"[2001:db8::7]\";proto=https"],
        "forwarded",
    );
    assert_eq!(
        forwarded,
        "for=\"[2001:db8::7]\";host=\"test.example\";proto=http"
    );
    // Scheme, host and id are a hop's to tell, each once.
    let hop = |fields: &[&str], name: &str| told(BALANCER, fields, name);
    let is_https = ["X-Forwarded-Proto: https"];
    assert_eq!(hop(&is_https, "x-forwarded-proto"), "https");
    assert_eq!(
        hop(&is_https, "forwarded"),
        "for=127.0.0.3;host=\"test.example\";proto=https"
    );
    assert_eq!(
        hop(&["X-Forwarded-Proto: ftp"], "x-forwarded-proto"),
        "http"
    );
    assert_eq!(
        hop(&[is_https[0], is_https[0]], "x-forwarded-proto"),
        "http"
    );
    assert_eq!(
        hop(&["X-Forwarded-Host: www.example"], "x-forwarded-host"),
        "www.example"
    );
    let two = [
        "X-Forwarded-Host: www.example",
        "X-Forwarded-Host: evil.example",
    ];
    assert_eq!(hop(&two, "x-forwarded-host"), "test.example");
    assert_eq!(
        hop(&["X-Forwarded-Host: a, b"], "x-forwarded-host"),
        "test.example"
    );
}

#[test]
fn a_request_id_is_kept_from_a_hop_alone() {
    let gate = Gate::start();
    let longest = "a".repeat(64);
    let id = |peer: &str, fields: &[&str]| {
        let request = gate.told(peer, fields);
        assert_eq!(request.count("x-request-id"), 1);
        request.header("x-request-id").unwrap().to_owned()
    };
    let is_made = |id: &str| id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    assert_eq!(id(BALANCER, &["X-Request-Id: AZaz09-"]), "AZaz09-");
    assert_eq!(id(CDN, &[&format!("X-Request-Id: {longest}")]), longest);
    for fields in [
        &["X-Request-Id: a b"][..],
        &["X-Request-Id: a_b"],
        &["X-Request-Id: a\"b"],
        &["X-Request-Id: ä"],
        &["X-Request-Id:"],
        &[&format!("X-Request-Id: {longest}a")],
        &["X-Request-Id: one", "X-Request-Id: two"],
        &[],
    ] {
        let got = id(BALANCER, fields);
        assert!(is_made(&got), "{fields:?}: {got}");
    }
    let (one, other) = (
        id(DIRECT, &["X-Request-Id: mine"]),
        id(DIRECT, &["X-Request-Id: mine"]),
    );
    assert!(is_made(&one) && is_made(&other) && one != other);
    // The id of a refusal's page, of its log line and of its header are one.
    let mut connection = Connection::open_from(BALANCER, gate.palisade.address());
    connection.send(
        "GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.66\r\nX-Request-Id: known\r\n\r\n",
    );
    let answer = connection.answer().unwrap();
    assert_eq!(answer.header("x-request-id"), Some("known"));
    assert!(answer.text().contains("known"));
    gate.palisade
        .wait_for_decision(|line| line["request_id"] == "known");
}

#[test]
fn http2_is_no_other_way_in() {
    let gate = Gate::start();
    let mut http2 = Http2::over(Connection::open_from(DIRECT, gate.palisade.address()));
    let head = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "test.example"),
        (":path", "/"),
        ("x-forwarded-for", "203.0.113.7"),
        ("forwarded", "for=203.0.113.7"),
        ("x-forwarded-proto", "https"),
        ("x-request-id", "mine"),
        ("cf-connecting-ip", "203.0.113.7"),
        ("x_real_ip", "203.0.113.7"),
        ("x-crowdsec-decision", "allow"),
    ];
    assert_eq!(http2.head(1, &head, true).outcome(1).status(), Some(200));
    let request = gate.backend.requests()[0].clone();
    assert_eq!(request.header("x-forwarded-for"), Some(DIRECT));
    assert_eq!(
        request.header("x-forwarded-proto"),
        Some("http"),
        "a plain connection, whatever :scheme says"
    );
    assert!(
        !request.head.contains("203.0.113.7") && !request.head.contains("mine"),
        "{}",
        request.head
    );
    assert_eq!(request.header("x-crowdsec-decision"), None);
    let mut http2 = Http2::over(Connection::open_from(BALANCER, gate.palisade.address()));
    assert_eq!(http2.head(1, &head, true).outcome(1).status(), Some(200));
    let request = gate.backend.requests()[1].clone();
    assert_eq!(request.header("x-real-ip"), Some("203.0.113.7"));
    assert_eq!(request.header("x-request-id"), Some("mine"));
}

#[test]
fn an_ipv4_client_of_a_dual_stack_listener_is_ipv4() {
    let backend = Backend::start();
    let palisade = Palisade::start(&format!(
        "
listeners:
  - address: '[::]:0'
    client_address: {{ from: [127.0.0.2], header: X-Forwarded-For }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
access:
  rules:
    - {{ id: not-you, match: {{ address: 127.0.0.66/32 }}, action: block }}
"
    ));
    let address = format!("127.0.0.1:{}", palisade.address().port())
        .parse()
        .unwrap();
    let ask = |peer: &str| {
        let mut connection = Connection::open_from(peer, address);
        connection.send("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\n\r\n");
        connection.answer().unwrap().status
    };
    assert_eq!(ask("127.0.0.1"), 200);
    assert_eq!(ask("127.0.0.66"), 403);
    assert_eq!(ask("127.0.0.2"), 200);
    let told: Vec<_> = backend
        .requests()
        .iter()
        .map(|request| request.header("x-forwarded-for").unwrap().to_owned())
        .collect();
    assert_eq!(told, ["127.0.0.1", "203.0.113.7, 127.0.0.2"]);
}
