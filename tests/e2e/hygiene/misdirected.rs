//! A host that is no name of the connection's certificate (RFC 9110 section 15.5.20).

use crate::harness::{Authority, Backend, Http2, Palisade, TlsClient};

#[test]
fn a_connection_serves_the_names_of_its_certificate() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    authority
        .certify(&["one.example", "*.one.example"])
        .save(directory.path(), "one");
    authority
        .certify(&["two.example", "shared.example"])
        .save(directory.path(), "two");
    let backend = Backend::start();
    let palisade = Palisade::start_in(
        directory,
        &format!(
            "
listeners:
  - address: 127.0.0.1:0
    tls:
      certificates:
        - {{ certificate: one.crt, private_key: one.key }}
        - {{ certificate: two.crt, private_key: two.key }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites:
  - {{ upstream: app }}
  - {{ upstream: app, hosts: [shared.example], misdirected: serve }}
"
        ),
    );
    let client = TlsClient::new(&authority, &[]);
    let mut one = client.connect(palisade.address(), "one.example");
    for (host, status) in [
        ("one.example", 200),
        ("ONE.example:443", 200),
        ("www.one.example", 200),
        ("a.b.one.example", 421),
        ("two.example", 421),
        ("127.0.0.1", 421),
        // Its own site doesn't mind.
        ("shared.example", 200),
        ("one.example", 200),
    ] {
        one.send(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(one.answer().expect(host).status, status, "{host}");
    }
    assert_eq!(backend.requests().len(), 5);
    palisade
        .wait_for_decision(|line| line["reason"] == "misdirected_request" && line["status"] == 421);

    let client = TlsClient::new(&authority, &["h2"]);
    let mut two = Http2::over(client.connect(palisade.address(), "two.example"));
    for (stream, host, status) in [
        (1, "two.example", 200),
        (3, "one.example", 421),
        (5, "shared.example", 200),
    ] {
        let head = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", host),
            (":path", "/"),
        ];
        assert_eq!(
            two.head(stream, &head, true).outcome(stream).status(),
            Some(status),
            "{host}"
        );
    }
    let counted =
        palisade.metric("palisade_hygiene_refusals_total{reason=\"misdirected_request\"}");
    assert!((counted - 4.0).abs() < f64::EPSILON, "{counted}");
}

#[test]
fn a_plain_connection_has_no_certificate_to_be_wrong() {
    let backend = Backend::start();
    let palisade = Palisade::start(&super::one_site(&backend, ""));
    assert_eq!(
        palisade
            .exchange("GET / HTTP/1.1\r\nHost: any.example\r\n\r\n")
            .unwrap()
            .status,
        200
    );
}
