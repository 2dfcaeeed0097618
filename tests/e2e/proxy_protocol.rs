//! The PROXY protocol, from a load balancer and to a backend (haproxy's doc/proxy-protocol.txt).

use std::io::Write;
use std::net::Ipv4Addr;

use crate::harness::{Authority, Backend, Connection, Palisade, TlsClient, connect_from, curl};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const GET: &str = "GET / HTTP/1.1\r\nHost: test.example\r\n\r\n";

/// TCP over IPv4, from 192.0.2.7:4321 to 198.51.100.1:443.
const IPV4: &[u8] = b"\xc0\x00\x02\x07\xc6\x33\x64\x01\x10\xe1\x01\xbb";

/// A version 2 header.
fn v2(command: u8, family: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap().to_be_bytes();
    [SIGNATURE, &[0x20 | command, family], &length, payload].concat()
}

/// A version 2 header of an IPv4 client with these TLVs.
fn v2_with(tlvs: &[u8]) -> Vec<u8> {
    v2(1, 0x11, &[IPV4, tlvs].concat())
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind, high, low], value].concat()
}

/// IPv6 addresses and ports, the source first.
fn ipv6(source: &str) -> Vec<u8> {
    let octets = |text: &str| text.parse::<std::net::Ipv6Addr>().unwrap().octets();
    let ports = [0x10, 0xe1, 0x01, 0xbb];
    [&octets(source)[..], &octets("2001:db8::1"), &ports].concat()
}

/// A header with a CRC32C TLV and another behind it; `damage` is added to the checksum.
fn v2_with_checksum(damage: u32, behind: &[u8]) -> Vec<u8> {
    let mut header = v2_with(&[&tlv(3, &[0; 4]), behind].concat());
    let checksum = crc32c(&header).wrapping_add(damage);
    let at = 16 + IPV4.len() + 3;
    header[at..at + 4].copy_from_slice(&checksum.to_be_bytes());
    header
}

/// RFC 3720 appendix B.4, bit by bit.
fn crc32c(bytes: &[u8]) -> u32 {
    let step = |crc: u32| {
        if crc & 1 == 1 {
            crc >> 1 ^ 0x82f6_3b78
        } else {
            crc >> 1
        }
    };
    !bytes.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc))
    })
}

/// Every good header, and the client that it tells of; 127.0.0.1 is the TCP peer.
fn good() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let line = |text: &str| format!("{text}\r\n").into_bytes();
    let ssl = [
        &[0x07, 0, 0, 0, 0][..],
        &tlv(0x21, b"TLSv1.3"),
        &tlv(0x22, b"client"),
    ]
    .concat();
    let many = [
        tlv(1, b"h2"),
        tlv(2, b"app.example"),
        tlv(4, b""),
        tlv(5, &[b'u'; 128]),
        tlv(0x20, &ssl),
        tlv(0x30, b"blue"),
        tlv(0xea, b"\x01vpce-1"),
    ]
    .concat();
    let unix = [&[b'/'; 108][..], &[b'\0'; 108]].concat();
    vec![
        (
            "v1 TCP4",
            line("PROXY TCP4 192.0.2.7 198.51.100.1 4321 443"),
            "192.0.2.7",
        ),
        (
            "v1 TCP6",
            line("PROXY TCP6 2001:db8::7 2001:db8::1 4321 443"),
            "2001:db8::7",
        ),
        (
            "v1 TCP6 mapped",
            line("PROXY TCP6 ::ffff:192.0.2.7 ::1 4321 443"),
            "192.0.2.7",
        ),
        ("v1 UNKNOWN", line("PROXY UNKNOWN"), "127.0.0.1"),
        (
            "v1 UNKNOWN with more",
            line("PROXY UNKNOWN 192.0.2.7 192.0.2.8 1 2"),
            "127.0.0.1",
        ),
        ("v2 TCP4", v2_with(b""), "192.0.2.7"),
        ("v2 TCP6", v2(1, 0x21, &ipv6("2001:db8::7")), "2001:db8::7"),
        (
            "v2 TCP6 mapped",
            v2(1, 0x21, &ipv6("::ffff:192.0.2.7")),
            "192.0.2.7",
        ),
        ("v2 LOCAL", v2(0, 0, b""), "127.0.0.1"),
        ("v2 LOCAL with addresses", v2(0, 0x11, IPV4), "127.0.0.1"),
        ("v2 UNSPEC", v2(1, 0, b""), "127.0.0.1"),
        ("v2 UNSPEC with bytes", v2(1, 0, &[0xff; 64]), "127.0.0.1"),
        ("v2 UNIX", v2(1, 0x31, &unix), "127.0.0.1"),
        ("v2 TLVs", v2_with(&many), "192.0.2.7"),
        (
            "v2 UNIX with TLVs",
            v2(1, 0x31, &[&unix[..], &many].concat()),
            "127.0.0.1",
        ),
        ("v2 checksum", v2_with_checksum(0, b""), "192.0.2.7"),
        (
            "v2 checksum, more behind",
            v2_with_checksum(0, &tlv(4, b"padding")),
            "192.0.2.7",
        ),
        (
            "v2 of the greatest length",
            v2_with(&tlv(4, &vec![0; 4096 - 12 - 3])),
            "192.0.2.7",
        ),
    ]
}

/// Every bad header, and the word for its refusal.
fn bad() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let lines = bad_lines()
        .into_iter()
        .map(|(name, line, reason)| (name, line.into_bytes(), reason));
    lines.chain(bad_version_2()).collect()
}

#[rustfmt::skip] // One row a line.
fn bad_lines() -> Vec<(&'static str, String, &'static str)> {
    let line = |text: &str| format!("{text}\r\n");
    vec![
        ("no header", GET.into(), "missing"),
        ("HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(), "missing"),
        ("v1 in lower case", line("proxy TCP4 192.0.2.7 192.0.2.8 1 2"), "missing"),
        ("v1 without space", line("PROXYTCP4 192.0.2.7 192.0.2.8 1 2"), "bad_signature"),
        ("v1 other protocol", line("PROXY UDP4 192.0.2.7 192.0.2.8 1 2"), "bad_protocol"),
        ("v1 of the other family", line("PROXY TCP4 2001:db8::7 2001:db8::1 1 2"), "bad_address"),
        ("v1 zeros", line("PROXY TCP4 192.0.02.7 192.0.2.8 1 2"), "bad_address"),
        ("v1 no address", line("PROXY TCP4 a b 1 2"), "bad_address"),
        ("v1 port zeros", line("PROXY TCP4 192.0.2.7 192.0.2.8 01 2"), "bad_port"),
        ("v1 port too large", line("PROXY TCP4 192.0.2.7 192.0.2.8 65536 2"), "bad_port"),
        ("v1 two spaces", line("PROXY TCP4  192.0.2.7 192.0.2.8 1 2"), "bad_fields"),
        ("v1 a field less", line("PROXY TCP4 192.0.2.7 192.0.2.8 1"), "bad_fields"),
        ("v1 a field more", line("PROXY TCP4 192.0.2.7 192.0.2.8 1 2 3"), "bad_fields"),
        ("v1 LF alone", "PROXY TCP4 192.0.2.7 192.0.2.8 1 2\n".into(), "bad_line_end"),
        ("v1 without end", format!("PROXY UNKNOWN {}", "x".repeat(200)), "line_too_long"),
    ]
}

#[rustfmt::skip] // One row a line.
fn bad_version_2() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let version = |byte: u8| [SIGNATURE, &[byte, 0x11, 0, 12], IPV4].concat();
    let ssl = |value: &[u8]| v2_with(&tlv(0x20, value));
    vec![
        ("v2 of version 1", version(0x11), "bad_version"),
        ("v2 of version 3", version(0x31), "bad_version"),
        ("v2 other command", version(0x22), "bad_command"),
        ("v2 other family", v2(1, 0x41, IPV4), "bad_family"),
        ("v2 other transport", v2(1, 0x13, IPV4), "bad_transport"),
        ("v2 UDP", v2(1, 0x12, IPV4), "datagram"),
        ("v2 too short for its addresses", v2(1, 0x11, &IPV4[..11]), "truncated_addresses"),
        ("v2 IPv4's bytes as IPv6", v2(1, 0x21, IPV4), "truncated_addresses"),
        ("v2 UNIX too short", v2(1, 0x31, &[0; 215]), "truncated_addresses"),
        ("v2 over-long", [SIGNATURE, &[0x21, 0x11, 0xff, 0xff], &[0; 64]].concat(), "payload_too_long"),
        ("v2 a byte over-long", v2_with(&tlv(4, &[0; 4096 - 12 - 2])), "payload_too_long"),
        ("v2 TLV cut off", v2_with(b"\x04\x00"), "truncated_tlv"),
        ("v2 TLV over the end", v2_with(b"\x04\x00\x05abcd"), "truncated_tlv"),
        ("v2 sub-TLV over the end", ssl(b"\x01\0\0\0\0\x21\x00\x09TLSv1.3"), "truncated_tlv"),
        ("v2 SSL too short", ssl(b"\x01\0\0\0"), "bad_tlv_length"),
        ("v2 unique id too long", v2_with(&tlv(5, &[0; 129])), "bad_tlv_length"),
        ("v2 checksum too long", v2_with(&tlv(3, &[0; 5])), "bad_tlv_length"),
        ("v2 two checksums", v2_with_checksum(0, &tlv(3, &[0; 4])), "repeated_crc"),
        ("v2 checksum wrong", v2_with_checksum(1, b""), "crc_mismatch"),
        ("v2 too many TLVs", v2_with(&tlv(4, b"").repeat(65)), "too_many_tlvs"),
    ]
}

fn gate(backend: &Backend, listener: &str) -> Palisade {
    Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0, {listener} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    ))
}

#[track_caller]
fn refusals(palisade: &Palisade, reason: &str) -> usize {
    let counted = palisade.metric(&format!(
        "palisade_proxy_refusals_total{{reason=\"{reason}\"}}"
    ));
    let log = palisade.decision_log();
    let logged = log
        .iter()
        .filter(|line| line["check"] == "proxy" && line["reason"] == reason);
    let logged = logged.count();
    // The log is written a little later.
    if counted < logged as f64 { 0 } else { logged }
}

#[test]
fn a_header_tells_the_client() {
    let backend = Backend::start();
    let palisade = gate(
        &backend,
        "proxy_protocol: { mode: required, from: [127.0.0.1] }",
    );
    for (name, header, client) in good() {
        let whole = [&header[..], GET.as_bytes()].concat();
        let answer = palisade
            .exchange(whole)
            .unwrap_or_else(|| panic!("{name}: no answer"));
        assert_eq!(answer.status, 200, "{name}");
        let request = backend.requests().last().unwrap().clone();
        assert_eq!(request.header("x-real-ip"), Some(client), "{name}");
        assert_eq!(request.header("x-forwarded-for"), Some(client), "{name}");
    }
}

#[test]
fn a_header_may_come_byte_by_byte() {
    let backend = Backend::start();
    let palisade = gate(
        &backend,
        "proxy_protocol: { mode: required, from: [127.0.0.1] }",
    );
    for (name, header, client) in good() {
        let mut connection = palisade.connect();
        for byte in header.iter().take(600) {
            connection.send([*byte]);
        }
        connection
            .send(header.get(600..).unwrap_or_default())
            .send(GET);
        assert_eq!(connection.answer().expect(name).status, 200, "{name}");
        let request = backend.requests().last().unwrap().clone();
        assert_eq!(request.header("x-real-ip"), Some(client), "{name}");
    }
}

#[test]
fn a_bad_header_ends_the_connection() {
    let backend = Backend::start();
    let palisade = gate(
        &backend,
        "proxy_protocol: { mode: required, from: [127.0.0.1] }",
    );
    let mut reasons: Vec<&str> = Vec::new();
    for (name, header, reason) in bad() {
        let mut connection = palisade.connect();
        connection.send(header).send(GET);
        assert!(connection.read_to_end().is_empty(), "{name}: an answer");
        reasons.push(reason);
        let expected = reasons.iter().filter(|other| **other == reason).count();
        crate::harness::wait_for(name, || {
            (refusals(&palisade, reason) == expected).then_some(())
        });
    }
    assert_eq!(backend.connections(), 0);
    let line = palisade.wait_for_decision(|line| line["reason"] == "missing");
    assert_eq!(line["check"], "proxy");
    assert_eq!(line["client"]["ip"], "127.0.0.1");
    let all = palisade.metric("palisade_refusals_total{check=\"proxy\"}");
    assert!((all - reasons.len() as f64).abs() < f64::EPSILON, "{all}");
}

#[test]
fn a_header_that_does_not_end_is_refused() {
    let backend = Backend::start();
    let palisade = gate(
        &backend,
        "proxy_protocol: { mode: required, from: [127.0.0.1] }, deadlines: { proxy_header: 300ms }",
    );
    // Nothing, a part of either version, and one that comes too slowly.
    let header = v2_with(b"");
    for part in [&b""[..], b"PROXY TCP4 192.0", &header[..5], &header[..20]] {
        let mut connection = palisade.connect();
        connection.send(part);
        assert!(connection.is_closed());
    }
    let mut slow = palisade.connect();
    let mut sender = slow.try_clone();
    let sending = std::thread::spawn(move || {
        // Longer than the deadline, a byte always within it.
        for byte in "PROXY UNKNOWN ".bytes().chain([b'x'; 60]) {
            sender.send([byte]);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    assert!(slow.is_closed());
    sending.join().unwrap();
    crate::harness::wait_for("refusals", || {
        (refusals(&palisade, "deadline") == 5).then_some(())
    });
    let mut connection = palisade.connect();
    connection.send(&header[..20]).finish_sending();
    assert!(connection.is_closed());
    crate::harness::wait_for("a refusal", || {
        (refusals(&palisade, "closed") == 1).then_some(())
    });
    assert_eq!(backend.connections(), 0);
}

#[test]
fn only_listed_peers_are_listened_to() {
    let backend = Backend::start();
    let required = gate(
        &backend,
        "proxy_protocol: { mode: required, from: [127.0.0.1, 127.0.1.0/24] }",
    );
    let header = v2_with(b"");
    for peer in ["127.0.0.1", "127.0.1.77"] {
        let mut connection = Connection::open_from(peer, required.address());
        connection.send(&header).send(GET);
        assert_eq!(connection.answer().unwrap().status, 200);
        assert_eq!(
            backend.requests().last().unwrap().header("x-real-ip"),
            Some("192.0.2.7")
        );
    }
    let mut connection = Connection::open_from("127.0.0.2", required.address());
    connection.send(&header).send(GET);
    assert!(connection.read_to_end().is_empty());
    let line = required.wait_for_decision(|line| line["reason"] == "not_trusted");
    assert_eq!(line["peer"], "127.0.0.2");
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn an_optional_header_counts_from_listed_peers_alone() {
    let backend = Backend::start();
    let palisade = gate(
        &backend,
        "proxy_protocol: { mode: optional, from: [127.0.0.1] }",
    );
    let ask = |peer: &str, bytes: &[u8]| {
        let mut connection = Connection::open_from(peer, palisade.address());
        let answer = connection.send(bytes).send(GET).answer().unwrap();
        (answer.status, backend.requests().len())
    };
    let client = || {
        backend
            .requests()
            .last()
            .unwrap()
            .header("x-real-ip")
            .unwrap()
            .to_owned()
    };
    assert_eq!(ask("127.0.0.1", &v2_with(b"")), (200, 1));
    assert_eq!(client(), "192.0.2.7");
    assert_eq!(ask("127.0.0.1", b""), (200, 2));
    assert_eq!(client(), "127.0.0.1");
    assert_eq!(ask("127.0.0.2", b""), (200, 3));
    assert_eq!(client(), "127.0.0.2");
    // From another it is garbage, of either version.
    assert_eq!(
        ask("127.0.0.2", b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n"),
        (400, 3)
    );
    assert_eq!(ask("127.0.0.2", &v2_with(b"")), (400, 3));
    // A listed one may leave it out, and not get it wrong.
    let mut connection = palisade.connect();
    connection.send(v2_with_checksum(1, b"")).send(GET);
    assert!(connection.read_to_end().is_empty());
    palisade.wait_for_decision(|line| line["reason"] == "crc_mismatch");
}

#[test]
fn without_the_setting_no_header_is_read() {
    let backend = Backend::start();
    let palisade = gate(&backend, "http2: true");
    for header in [
        b"PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n".to_vec(),
        v2_with(b""),
    ] {
        let answer = palisade.connect().send(header).send(GET).answer();
        assert_eq!(answer.unwrap().status, 400);
    }
    assert_eq!(backend.connections(), 0);
}

#[test]
fn a_second_header_is_garbage() {
    let backend = Backend::start();
    let palisade = gate(
        &backend,
        "proxy_protocol: { mode: required, from: [127.0.0.1] }",
    );
    let mut connection = palisade.connect();
    connection
        .send(v2_with(b""))
        .send("PROXY TCP4 192.0.2.99 192.0.2.8 1 2\r\n")
        .send(GET);
    assert_eq!(connection.answer().unwrap().status, 400);
    assert_eq!(backend.connections(), 0);
}

/// A gate that speaks TLS and wants a PROXY header first.
fn tls_gate(backend: &Backend) -> (Authority, Palisade) {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    authority
        .certify(&["test.example", "127.0.0.1"])
        .save(directory.path(), "test");
    let palisade = Palisade::start_in(
        directory,
        &format!(
            "
listeners:
  - address: 127.0.0.1:0
    proxy_protocol: {{ mode: required, from: [127.0.0.0/8] }}
    tls: {{ certificates: [{{ certificate: test.crt, private_key: test.key }}] }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
        ),
    );
    (authority, palisade)
}

#[test]
fn the_header_comes_before_tls() {
    let backend = Backend::start();
    let (authority, palisade) = tls_gate(&backend);
    let client = TlsClient::new(&authority, &[]);
    for (name, header, address) in good() {
        let mut tcp = connect_from("127.0.0.1", palisade.address());
        tcp.write_all(&header).unwrap();
        let mut connection = client.handshake(tcp, "test.example").expect(name);
        assert_eq!(connection.send(GET).answer().unwrap().status, 200, "{name}");
        let request = backend.requests().last().unwrap().clone();
        assert_eq!(request.header("x-real-ip"), Some(address), "{name}");
        assert_eq!(request.header("x-forwarded-proto"), Some("https"), "{name}");
    }
    assert!(
        client
            .try_connect(palisade.address(), "test.example")
            .is_err(),
        "TLS without a header"
    );
    palisade.wait_for_decision(|line| line["reason"] == "missing");
}

#[test]
fn curl_speaks_the_protocol_over_plain_and_tls() {
    let backend = Backend::start();
    let plain = gate(
        &backend,
        "proxy_protocol: { mode: required, from: [127.0.0.0/8] }",
    );
    let (_, tls) = tls_gate(&backend);
    let plain = format!("http://{}/", plain.address());
    let tls = format!("https://{}/", tls.address());
    for (url, version, answered) in [
        (&plain, "--http1.1", "HTTP/1.1 200"),
        (&plain, "--http2-prior-knowledge", "HTTP/2 200"),
        (&tls, "--http1.1", "HTTP/1.1 200"),
        (&tls, "--http2", "HTTP/2 200"),
    ] {
        let answer = curl(&[
            "--haproxy-protocol",
            "--interface",
            "127.0.0.66",
            version,
            url,
        ]);
        assert!(
            answer.head.starts_with(answered),
            "{url} {version}: {}",
            answer.head
        );
        let request = backend.requests().last().unwrap().clone();
        assert_eq!(
            request.header("x-real-ip"),
            Some("127.0.0.66"),
            "{url} {version}"
        );
    }
    assert_eq!(backend.requests().len(), 4);
}

/// A gate that tells its backend the client in a PROXY header.
fn gate_to(backend: &Backend, version: &str) -> Palisade {
    Palisade::start(&format!(
        "
listeners:
  - address: 127.0.0.1:0
    proxy_protocol: {{ mode: optional, from: [127.0.0.1] }}
    client_address: {{ from: [127.0.0.3], header: X-Real-IP }}
upstreams: {{ app: {{ servers: [\"{backend}\"], proxy_protocol: {version} }} }}
sites: [{{ upstream: app }}]
"
    ))
}

#[test]
fn a_backend_is_told_the_client() {
    let backend = Backend::start();
    let palisade = gate_to(&backend, "v1");
    let told = || String::from_utf8(backend.requests().last().unwrap().before.clone()).unwrap();
    let mut direct = palisade.connect();
    let (client, own) = (direct.local_address(), palisade.address());
    direct.send(GET).answer().unwrap();
    let expected = format!(
        "PROXY TCP4 127.0.0.1 127.0.0.1 {} {}\r\n",
        client.port(),
        own.port()
    );
    assert_eq!(told(), expected);
    // What a PROXY header told goes on, the end that the client connected to included.
    palisade
        .connect()
        .send(v2_with(b""))
        .send(GET)
        .answer()
        .unwrap();
    assert_eq!(told(), "PROXY TCP4 192.0.2.7 198.51.100.1 4321 443\r\n");
    palisade
        .connect()
        .send(v2(1, 0x21, &ipv6("2001:db8::7")))
        .send(GET)
        .answer()
        .unwrap();
    assert_eq!(told(), "PROXY TCP6 2001:db8::7 2001:db8::1 4321 443\r\n");
    // Resolved from a header: no port is known, and the families may differ.
    let mut hop = Connection::open_from("127.0.0.3", own);
    hop.send("GET / HTTP/1.1\r\nHost: a\r\nX-Real-IP: 2001:db8::9\r\n\r\n")
        .answer()
        .unwrap();
    assert_eq!(
        told(),
        format!("PROXY TCP6 2001:db8::9 ::ffff:7f00:1 0 {}\r\n", own.port())
    );
}

#[test]
fn a_backend_is_told_the_client_in_version_2() {
    let backend = Backend::start();
    let palisade = gate_to(&backend, "v2");
    palisade
        .connect()
        .send(v2_with(&tlv(4, b"not passed on")))
        .send(GET)
        .answer()
        .unwrap();
    assert_eq!(backend.requests()[0].before, v2_with(b""));
    palisade
        .connect()
        .send(v2(1, 0x21, &ipv6("2001:db8::7")))
        .send(GET)
        .answer()
        .unwrap();
    assert_eq!(
        backend.requests()[1].before,
        v2(1, 0x21, &ipv6("2001:db8::7"))
    );
    let mut direct = palisade.connect();
    let ports = [direct.local_address().port(), palisade.address().port()].map(u16::to_be_bytes);
    direct.send(GET).answer().unwrap();
    let own = Ipv4Addr::LOCALHOST.octets();
    let expected = v2(1, 0x11, &[&own[..], &own, &ports.concat()].concat());
    assert_eq!(backend.requests()[2].before, expected);
}

#[test]
fn a_connection_to_a_backend_is_one_clients() {
    let backend = Backend::start();
    let palisade = gate_to(&backend, "v2");
    let mut one = palisade.connect();
    let mut other = palisade.connect();
    let mut behind_a_hop = Connection::open_from("127.0.0.3", palisade.address());
    for round in 0..3 {
        for connection in [&mut one, &mut other] {
            connection.send(GET).answer().unwrap();
        }
        // One connection, a client for each request.
        let request = format!("GET / HTTP/1.1\r\nHost: a\r\nX-Real-IP: 192.0.2.{round}\r\n\r\n");
        behind_a_hop.send(request).answer().unwrap();
    }
    let requests = backend.requests();
    assert_eq!(requests.len(), 9);
    // A header precedes the first request of a connection alone, so what the backend takes for the
    // client of a request is the last header before it on its connection.
    let headers: Vec<Vec<u8>> = requests
        .iter()
        .map(|request| request.before.clone())
        .collect();
    for (at, client) in [(2, 0_u8), (5, 1), (8, 2)] {
        assert_eq!(headers[at][16..20], [192, 0, 2, client], "request {at}");
    }
    let ports: Vec<[u8; 2]> = [&one, &other]
        .map(|end| end.local_address().port().to_be_bytes())
        .to_vec();
    for (at, header) in headers.iter().enumerate().filter(|(at, _)| at % 3 < 2) {
        // The same client may find its connection again.
        assert!(
            header.is_empty() || header[24..26] == ports[at % 3],
            "request {at}"
        );
    }
    assert!(backend.connections() >= 5);
}
