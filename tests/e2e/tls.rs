//! TLS towards clients: which certificate, which protocol, whose certificate, for how long.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use rustls::HandshakeKind;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tempfile::TempDir;

use crate::harness::{Authority, Backend, Connection, Http2, Palisade, TlsClient, curl, wait_for};

const GET: &str = "GET / HTTP/1.1\r\nHost: one.example\r\n\r\n";

/// A gate with one TLS listener of these lines.
fn gate(directory: TempDir, backend: &Backend, listener: &str) -> Palisade {
    Palisade::start_in(
        directory,
        &format!(
            "
listeners:
  - address: 127.0.0.1:0
{listener}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app, misdirected: serve }}]
"
        ),
    )
}

const ONE: &str = "
    tls: { certificates: [{ certificate: one.crt, private_key: one.key }] }
";

/// A folder with a certificate for one.example.
fn folder(authority: &Authority) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    authority
        .certify(&["one.example"])
        .save(directory.path(), "one");
    directory
}

/// The certificate that a client gets who asks for `name`; it need not be one for that name.
fn shown(address: SocketAddr, name: Option<&str>) -> CertificateDer<'static> {
    let mut command = Command::new("openssl");
    command.args(["s_client", "-connect", &address.to_string(), "-showcerts"]);
    match name {
        Some(name) => command.args(["-servername", name]),
        None => command.arg("-noservername"),
    };
    let output = command
        .stdin(Stdio::null())
        .output()
        .expect("run ./set-up test: openssl");
    CertificateDer::from_pem_slice(&output.stdout).expect("a certificate")
}

#[test]
fn certificates_are_chosen_by_server_name() {
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    let sets: [&[&str]; 4] = [
        &["first.example"],
        &["one.example", "ONE.other.example"],
        &["*.wild.example", "wild.example"],
        &["exact.wild.example"],
    ];
    let made = sets.map(|names| authority.certify(names));
    for (at, certificate) in made.iter().enumerate() {
        certificate.save(directory.path(), &format!("c{at}"));
    }
    let listed: String = (0..4)
        .map(|at| format!("        - {{ certificate: c{at}.crt, private_key: c{at}.key }}\n"))
        .collect();
    let backend = Backend::start();
    let palisade = gate(
        directory,
        &backend,
        &format!("    tls:\n      certificates:\n{listed}"),
    );
    for (name, expected) in [
        (Some("one.example"), 1),
        (Some("One.EXAMPLE"), 1),
        (Some("one.other.example"), 1),
        (Some("wild.example"), 2),
        (Some("any.wild.example"), 2),
        (Some("exact.wild.example"), 3),
        (Some("first.example"), 0),
        // Nobody's: a wildcard is one label (RFC 9525 section 6.3).
        (Some("a.b.wild.example"), 0),
        (Some("other.example"), 0),
        (None, 0),
    ] {
        let got = shown(palisade.address(), name);
        let which = made.iter().position(|certificate| certificate.der == got);
        assert_eq!(which, Some(expected), "{name:?}");
    }
}

#[test]
fn alpn_chooses_the_protocol() {
    let authority = Authority::new();
    let backend = Backend::start();
    let palisade = gate(folder(&authority), &backend, ONE);
    let chosen = |offered: &[&str]| {
        let client = TlsClient::new(&authority, offered);
        let connection = client.try_connect(palisade.address(), "one.example").ok()?;
        let chosen = connection.tls().alpn_protocol().map(<[u8]>::to_vec);
        Some((
            connection,
            chosen.map(|name| String::from_utf8(name).unwrap()),
        ))
    };
    let (connection, protocol) = chosen(&["http/1.1", "h2"]).unwrap();
    assert_eq!(protocol.as_deref(), Some("h2"), "the better of the two");
    let head = [
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "one.example"),
        (":path", "/"),
    ];
    assert_eq!(
        Http2::over(connection)
            .head(1, &head, true)
            .outcome(1)
            .status(),
        Some(200)
    );
    for offered in [&["http/1.1"][..], &[]] {
        let (mut connection, protocol) = chosen(offered).unwrap();
        assert_eq!(protocol.as_deref(), offered.first().copied());
        assert_eq!(connection.send(GET).answer().unwrap().status, 200);
    }
    // RFC 7301 section 3.2: nothing in common is an alert.
    assert!(chosen(&["ftp"]).is_none());
    for request in backend.requests() {
        assert_eq!(request.header("x-forwarded-proto"), Some("https"));
    }
    // What was settled is spoken: HTTP/2's preface is no request to HTTP/1.
    let (mut connection, _) = chosen(&["http/1.1"]).unwrap();
    assert_eq!(
        connection
            .send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .answer()
            .unwrap()
            .status,
        505
    );
}

#[test]
fn http2_can_be_off() {
    let authority = Authority::new();
    let backend = Backend::start();
    let palisade = gate(
        folder(&authority),
        &backend,
        &format!("    http2: false{ONE}"),
    );
    let client = TlsClient::new(&authority, &["h2", "http/1.1"]);
    let mut connection = client.connect(palisade.address(), "one.example");
    assert_eq!(connection.tls().alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(connection.send(GET).answer().unwrap().status, 200);
    let client = TlsClient::new(&authority, &["h2"]);
    assert!(
        client
            .try_connect(palisade.address(), "one.example")
            .is_err()
    );
    let answer = curl(&["--http2", &format!("https://{}/", palisade.address())]);
    assert!(answer.head.starts_with("HTTP/1.1 200"), "{}", answer.head);
}

/// A gate that asks clients for certificates of `clients`.
fn gate_for(clients: &Authority, servers: &Authority, backend: &Backend, mode: &str) -> Palisade {
    let directory = folder(servers);
    std::fs::write(directory.path().join("clients.crt"), clients.pem()).unwrap();
    let tls = format!(
        "
    tls:
      certificates: [{{ certificate: one.crt, private_key: one.key }}]
      client_certificates: {{ mode: {mode}, ca: clients.crt }}
"
    );
    gate(directory, backend, &tls)
}

#[test]
fn client_certificates_are_required_or_optional() {
    let (servers, clients, strangers) = (Authority::new(), Authority::new(), Authority::new());
    let backend = Backend::start();
    let status = |palisade: &Palisade, client: &TlsClient| {
        // In TLS 1.3 the client is done before the server has seen its certificate.
        let mut connection = client.try_connect(palisade.address(), "one.example").ok()?;
        Some(connection.send(GET).answer()?.status)
    };
    let known = TlsClient::with_certificate(&servers, &clients.certify(&["client.example"]));
    let stranger = TlsClient::with_certificate(&servers, &strangers.certify(&["client.example"]));
    let nobody = TlsClient::new(&servers, &[]);

    let required = gate_for(&clients, &servers, &backend, "required");
    assert_eq!(status(&required, &known), Some(200));
    assert_eq!(status(&required, &stranger), None);
    assert_eq!(status(&required, &nobody), None);
    wait_for("failed handshakes", || {
        let failed = required.metric("palisade_tls_handshake_failures_total{reason=\"rejected\"}");
        (failed >= 2.0).then_some(())
    });

    let optional = gate_for(&clients, &servers, &backend, "optional");
    assert_eq!(status(&optional, &known), Some(200));
    assert_eq!(status(&optional, &nobody), Some(200));
    assert_eq!(status(&optional, &stranger), None);
    assert_eq!(backend.requests().len(), 3);
}

fn served(authority: &Authority, address: SocketAddr) -> CertificateDer<'static> {
    let client = TlsClient::new(authority, &[]);
    let connection = client.connect(address, "one.example");
    connection.tls().peer_certificates().unwrap()[0]
        .clone()
        .into_owned()
}

#[test]
fn certificates_are_renewed_without_a_restart() {
    let authority = Authority::new();
    let backend = Backend::start();
    let palisade = gate(folder(&authority), &backend, ONE);
    let address = palisade.address();
    let old = served(&authority, address);
    let mut connection = TlsClient::new(&authority, &[]).connect(address, "one.example");
    assert_eq!(connection.send(GET).answer().unwrap().status, 200);

    let renewed = authority.certify(&["one.example"]);
    renewed.save(palisade.directory(), "one");
    wait_for("the new certificate", || {
        (served(&authority, address) == renewed.der).then_some(())
    });
    assert_ne!(old, renewed.der);
    assert_eq!(
        connection.send(GET).answer().unwrap().status,
        200,
        "the old connection lives"
    );

    // One that can't be used, and one of another key, change nothing.
    let other = authority.certify(&["one.example"]).chain;
    for chain in ["not a certificate", &other] {
        let failures = || palisade.metric("palisade_reloads_total{result=\"failed\"}");
        let before = failures();
        std::fs::write(palisade.directory().join("one.crt"), chain).unwrap();
        palisade.signal("HUP");
        wait_for("the reload to fail", || (failures() > before).then_some(()));
        assert!(palisade.metric("palisade_last_reload_failed") > 0.0);
        assert_eq!(served(&authority, address), renewed.der);
    }
    wait_for("what is wrong", || {
        let told = palisade.stderr();
        told.iter()
            .any(|line| line.contains("one.crt"))
            .then_some(())
    });
    let last = authority.certify(&["one.example"]);
    last.save(palisade.directory(), "one");
    palisade.signal("HUP");
    wait_for("the last certificate", || {
        (served(&authority, address) == last.der).then_some(())
    });
    assert_eq!(connection.send(GET).answer().unwrap().status, 200);
}

#[test]
fn a_handshake_has_a_deadline() {
    let authority = Authority::new();
    let backend = Backend::start();
    let palisade = gate(
        folder(&authority),
        &backend,
        &format!("    deadlines: {{ handshake: 300ms }}{ONE}"),
    );
    let failed = |reason: &str| {
        palisade.metric(&format!(
            "palisade_tls_handshake_failures_total{{reason=\"{reason}\"}}"
        ))
    };
    // Nothing, and the beginning of a record.
    for part in [&b""[..], b"\x16\x03\x01\x02\x00\x01"] {
        let mut connection = palisade.connect();
        connection.send(part);
        assert!(connection.is_closed());
    }
    // A ClientHello that comes a byte at a time.
    let mut slow = palisade.connect();
    let mut sender = slow.try_clone();
    let sending = std::thread::spawn(move || {
        for byte in b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
            .iter()
            .chain(&[7; 60])
        {
            sender.send([*byte]);
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    slow.read_to_end();
    sending.join().unwrap();
    wait_for("the deadlines", || (failed("timeout") >= 3.0).then_some(()));
    // What isn't TLS is told so, in the form of an alert.
    let mut plain = palisade.connect();
    let told = plain.send(GET).read_to_end();
    assert!(told.is_empty() || told[0] == 0x15, "{told:?}");
    wait_for("a rejection", || (failed("rejected") >= 1.0).then_some(()));
    let mut gone = palisade.connect();
    gone.send(b"\x16\x03\x01").finish_sending();
    assert!(gone.is_closed());
    wait_for("an early end", || (failed("closed") >= 1.0).then_some(()));
    assert_eq!(backend.connections(), 0);
}

#[test]
fn sessions_are_resumed() {
    let authority = Authority::new();
    let backend = Backend::start();
    let palisade = gate(folder(&authority), &backend, ONE);
    let client = TlsClient::new(&authority, &[]);
    let kind = || {
        let mut connection: Connection = client.connect(palisade.address(), "one.example");
        // Tickets come with the first answer.
        assert_eq!(connection.send(GET).answer().unwrap().status, 200);
        connection.tls().handshake_kind()
    };
    assert_eq!(kind(), Some(HandshakeKind::Full));
    // Whichever thread serves it: tickets need no memory here.
    for _ in 0..6 {
        assert_eq!(kind(), Some(HandshakeKind::Resumed));
    }
    // TLS 1.2 as well.
    let resumed = |directory: &Path, direction: &str| {
        let session = directory.join("session");
        let address = palisade.address().to_string();
        let words = [
            "s_client",
            "-connect",
            &address,
            "-servername",
            "one.example",
            "-tls1_2",
            direction,
        ];
        let output = Command::new("openssl")
            .args(words)
            .arg(session)
            .stdin(Stdio::null())
            .output();
        let said = String::from_utf8_lossy(&output.unwrap().stdout).into_owned();
        assert!(said.contains("TLSv1.2"), "{said}");
        said.contains("Reused, TLSv1.2")
    };
    let directory = tempfile::tempdir().unwrap();
    assert!(!resumed(directory.path(), "-sess_out"));
    assert!(resumed(directory.path(), "-sess_in"));
}

#[test]
fn old_versions_are_not_spoken() {
    let authority = Authority::new();
    let backend = Backend::start();
    let palisade = gate(folder(&authority), &backend, ONE);
    let address = palisade.address().to_string();
    for (version, works) in [
        ("-tls1_3", true),
        ("-tls1_2", true),
        ("-tls1_1", false),
        ("-tls1", false),
    ] {
        let words = [
            "s_client",
            "-connect",
            &address,
            "-cipher",
            "ALL:@SECLEVEL=0",
            version,
        ];
        let output = Command::new("openssl")
            .args(words)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert_eq!(
            said.contains("BEGIN CERTIFICATE"),
            works,
            "{version}: {said}"
        );
    }
}
