//! Certificates of clients: which paths ask for one, and whose is accepted for how long.

use std::process::Command;
use std::time::{Duration, SystemTime};

use rustls::HandshakeKind;
use tempfile::TempDir;

use crate::harness::{Authority, Backend, Connection, Http2, Palisade, TlsClient, wait_for};

/// A Palisade whose listener asks for certificates, before a backend.
struct Guarded {
    authority: Authority,
    palisade: Palisade,
}

impl Guarded {
    fn start() -> Self {
        let authority = Authority::new();
        let folder = tempfile::tempdir().unwrap();
        authority
            .certify(&["one.example"])
            .save(folder.path(), "one");
        std::fs::write(folder.path().join("ca.crt"), authority.pem()).unwrap();
        std::fs::write(folder.path().join("ca.crl"), authority.revoke(&[1])).unwrap();
        let palisade = start(folder, &Backend::start());
        Self {
            authority,
            palisade,
        }
    }

    fn client(&self, name: &str) -> TlsClient {
        let certificate = self.authority.certify_unit(name, "people");
        TlsClient::with_certificate(&self.authority, &certificate)
    }

    fn connect(&self, client: &TlsClient) -> Connection {
        client.connect(self.palisade.address(), "one.example")
    }

    /// The status of the answer, where the handshake goes well. TLS 1.3 lets the client send before it hears
    /// that it is refused.
    fn try_ask(&self, client: &TlsClient, path: &str) -> Option<u16> {
        let mut connection = client
            .try_connect(self.palisade.address(), "one.example")
            .ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: one.example\r\n\r\n");
        Some(connection.send(request).answer()?.status)
    }

    /// The status of the answer to a client with a certificate of this name.
    fn ask_as(&self, name: &str, path: &str) -> u16 {
        ask(&mut self.connect(&self.client(name)), path)
    }
}

fn start(folder: TempDir, backend: &Backend) -> Palisade {
    Palisade::start_in(
        folder,
        &format!(
            "
listeners:
  - address: 127.0.0.1:0
    tls:
      certificates: [{{ certificate: one.crt, private_key: one.key }}]
      client_certificates: {{ mode: optional, ca: ca.crt, revoked: ca.crl }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites:
  - upstream: app
    protected:
      - id: known
        match: {{ path: {{ prefix: [/known] }} }}
        client_certificate: required
      - id: named
        match: {{ path: {{ prefix: [/named] }} }}
        client_certificate: {{ names: [alice, \"*.ops.example.com\"] }}
"
        ),
    )
}

fn ask(connection: &mut Connection, path: &str) -> u16 {
    let request = format!("GET {path} HTTP/1.1\r\nHost: one.example\r\n\r\n");
    connection.send(request).answer().unwrap().status
}

#[test]
fn paths_that_ask_for_a_certificate_are_for_who_shows_one() {
    let guarded = Guarded::start();
    for (name, path, status) in [
        ("alice", "/known", 200),
        ("mallory", "/known", 200),
        ("Alice", "/named", 200),
        ("a.ops.example.com", "/named", 200),
        ("mallory", "/named", 403),
        ("a.b.ops.example.com", "/named", 403),
        ("mallory", "/other", 200),
    ] {
        assert_eq!(guarded.ask_as(name, path), status, "{name} {path}");
    }
    // By an alternative name, too.
    let certificate = guarded.authority.certify(&["b.ops.example.com"]);
    let client = TlsClient::with_certificate(&guarded.authority, &certificate);
    assert_eq!(ask(&mut guarded.connect(&client), "/named"), 200);
    let line = guarded
        .palisade
        .wait_for_decision(|line| line["path"] == "/named");
    assert_eq!(
        (&line["check"], &line["reason"]),
        (&"protected".into(), &"client_certificate".into())
    );
}

#[test]
fn who_shows_none_is_kept_from_those_paths_alone() {
    let guarded = Guarded::start();
    let client = TlsClient::new(&guarded.authority, &[]);
    let mut connection = guarded.connect(&client);
    for (path, status) in [
        ("/other", 200),
        ("/known", 403),
        ("/named", 403),
        ("/other", 200),
    ] {
        assert_eq!(ask(&mut connection, path), status, "{path}");
    }
}

#[test]
fn a_certificate_of_another_authority_or_time_ends_the_handshake() {
    let guarded = Guarded::start();
    let foreign = Authority::new().certify_unit("alice", "people");
    let expired = guarded.authority.certify_expired(&["alice"]);
    for certificate in [&foreign, &expired] {
        let client = TlsClient::with_certificate(&guarded.authority, certificate);
        assert_eq!(guarded.try_ask(&client, "/other"), None);
    }
    assert_eq!(guarded.ask_as("alice", "/named"), 200);
}

#[test]
fn a_resumed_session_keeps_its_certificate_and_gets_none() {
    let guarded = Guarded::start();
    for (client, status) in [
        (guarded.client("alice"), 200),
        (guarded.client("mallory"), 403),
        (TlsClient::new(&guarded.authority, &[]), 403),
    ] {
        for kind in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut connection = guarded.connect(&client);
            assert_eq!(ask(&mut connection, "/named"), status, "{kind:?}");
            assert_eq!(connection.tls().handshake_kind(), Some(kind));
        }
    }
}

#[test]
fn a_resumed_session_of_tls_1_2_keeps_its_certificate_too() {
    let guarded = Guarded::start();
    let folder = tempfile::tempdir().unwrap();
    guarded
        .authority
        .certify_unit("alice", "people")
        .save(folder.path(), "alice");
    let s_client = |session: &[&str], certificate: &[&str]| {
        let address = guarded.palisade.address().to_string();
        let ask = "printf 'GET /named HTTP/1.1\\r\\nHost: one.example\\r\\nConnection: close\\r\\n\\r\\n'";
        let script = format!("({ask}) | openssl s_client \"$@\"");
        let output = Command::new("sh")
            .args([
                "-c", &script, "sh", "-connect", &address, "-tls1_2", "-ign_eof",
            ])
            .args(session)
            .args(certificate)
            .current_dir(folder.path())
            .output()
            .expect("run ./set-up test: openssl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let shown = ["-cert", "alice.crt", "-key", "alice.key"];
    let full = s_client(&["-sess_out", "session"], &shown);
    assert!(
        full.contains("New, TLSv1.2") && full.contains("HTTP/1.1 200"),
        "{full}"
    );
    let resumed = s_client(&["-sess_in", "session"], &[]);
    assert!(
        resumed.contains("Reused, TLSv1.2") && resumed.contains("HTTP/1.1 200"),
        "{resumed}"
    );
    let other = s_client(&["-sess_out", "other"], &[]);
    assert!(other.contains("HTTP/1.1 403"), "{other}");
    let resumed = s_client(&["-sess_in", "other"], &shown);
    assert!(
        resumed.contains("Reused, TLSv1.2") && resumed.contains("HTTP/1.1 403"),
        "{resumed}"
    );
}

#[test]
fn a_certificate_that_expires_is_none_on_a_connection_that_lasts_and_in_a_session() {
    let guarded = Guarded::start();
    let until = SystemTime::now() + Duration::from_secs(6);
    let certificate = guarded.authority.certify_until("alice", until);
    let client = TlsClient::with_certificate(&guarded.authority, &certificate);
    let mut connection = guarded.connect(&client);
    assert_eq!(ask(&mut connection, "/named"), 200);
    wait_for("the certificate to expire", || {
        (ask(&mut connection, "/named") == 403).then_some(())
    });
    let mut resumed = guarded.connect(&client);
    assert_eq!(ask(&mut resumed, "/named"), 403);
    assert_eq!(resumed.tls().handshake_kind(), Some(HandshakeKind::Resumed));
}

#[test]
fn sessions_end_with_the_authority_that_they_were_made_by() {
    let guarded = Guarded::start();
    let client = guarded.client("alice");
    assert_eq!(ask(&mut guarded.connect(&client), "/named"), 200);
    let other = Authority::new();
    let folder = guarded.palisade.directory();
    std::fs::write(folder.join("ca.crt"), other.pem()).unwrap();
    // It has the name of the one before, whose list doesn't count for it.
    std::fs::write(folder.join("ca.crl"), other.revoke(&[])).unwrap();
    let certificate = other.certify_unit("alice", "people");
    let trusted = TlsClient::with_certificate(&guarded.authority, &certificate);
    wait_for("the other authority to count", || {
        (guarded.try_ask(&trusted, "/named") == Some(200)).then_some(())
    });
    assert_eq!(guarded.try_ask(&client, "/named"), None);
}

#[test]
fn a_revoked_certificate_ends_the_handshake_and_its_sessions() {
    let guarded = Guarded::start();
    let with_number = |number| {
        let certificate = guarded.authority.certify_numbered("alice", number);
        TlsClient::with_certificate(&guarded.authority, &certificate)
    };
    let (first, second) = (with_number(1), with_number(2));
    assert_eq!(guarded.try_ask(&first, "/named"), None);
    assert_eq!(guarded.try_ask(&second, "/named"), Some(200));
    let both = guarded.authority.revoke(&[1, 2]);
    std::fs::write(guarded.palisade.directory().join("ca.crl"), both).unwrap();
    wait_for("the other list to count", || {
        guarded.try_ask(&second, "/named").is_none().then_some(())
    });
    assert_eq!(guarded.try_ask(&with_number(3), "/named"), Some(200));
}

#[test]
fn certificates_count_over_http2_too() {
    let guarded = Guarded::start();
    let head = |path: &'static str| {
        [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "one.example"),
            (":path", path),
        ]
    };
    for (name, status) in [("alice", 200), ("mallory", 403)] {
        let certificate = guarded.authority.certify_unit(name, "people");
        let client = TlsClient::with(&guarded.authority, &["h2"], Some(&certificate));
        let connection = guarded.connect(&client);
        assert_eq!(connection.tls().alpn_protocol(), Some(&b"h2"[..]));
        let mut http2 = Http2::over(connection);
        let outcome = http2.head(1, &head("/named"), true).outcome(1);
        assert_eq!(outcome.status(), Some(status), "{name}");
    }
}
