//! TLS with a real handshake: who is believed, and what is shown.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::mpsc;

use palisade_vocabulary::Tick;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use palisade_remote::ConnectStage;

use super::*;
use crate::credentials::{CertificateAuthorities, ClientIdentity, Secret};

struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn as_trusted(&self) -> Option<CertificateAuthorities> {
        Some(CertificateAuthorities::from_pem(self.0.pem().as_bytes()).unwrap())
    }

    /// A certificate for `name` and its key, in PEM.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (
            params.signed_by(&key, &self.0).unwrap().pem(),
            key.serialize_pem(),
        )
    }

    /// The settings of TLS of an LAPI at `name` that wants a certificate of this authority.
    fn server_config(&self, name: &str) -> Arc<ServerConfig> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = self.as_trusted().unwrap().0;
        let clients = WebPkiClientVerifier::builder_with_provider(roots, Arc::clone(&provider));
        let (chain, key) = self.certify(name);
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(clients.allow_unauthenticated().build().unwrap())
            .with_single_cert(
                vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()],
                PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
            );
        Arc::new(config.unwrap())
    }
}

/// What an LAPI over TLS saw of its only client.
struct Seen {
    has_certificate: bool,
    head: String,
}

/// Serves one client on loopback; says what it saw, if the handshake went well.
fn start(config: Arc<ServerConfig>) -> (String, mpsc::Receiver<Seen>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!(
        "https://localhost:{}/",
        listener.local_addr().unwrap().port()
    );
    let (sender, seen) = mpsc::sync_channel(1);
    std::thread::spawn(move || {
        let (connection, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(config).unwrap(), connection);
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") && stream.read_exact(&mut byte).is_ok() {
            head.push(byte[0]);
        }
        if head.is_empty() {
            return;
        }
        let body = r#"{"new":null,"deleted":null}"#;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).unwrap();
        let seen = Seen {
            has_certificate: stream.conn.peer_certificates().is_some(),
            head: String::from_utf8(head).unwrap(),
        };
        sender.send(seen).unwrap();
    });
    (url, seen)
}

async fn pull(
    url: &str,
    credentials: Credentials,
    trusted: Option<CertificateAuthorities>,
) -> Result<StreamAnswer, PollError> {
    let mut settings = Settings::new(url.parse().unwrap(), credentials).unwrap();
    settings.certificate_authorities = trusted;
    let clock = Arc::new(|| Tick::from_millis(0));
    LapiClient::new(&settings, clock)
        .unwrap()
        .pull(Pull::Snapshot)
        .await
}

fn key() -> Credentials {
    Credentials::ApiKey(Secret::new("secret-key").unwrap())
}

#[tokio::test]
async fn lapi_is_believed_by_the_given_authority() {
    let authority = Authority::new();
    let (url, seen) = start(authority.server_config("localhost"));
    pull(&url, key(), authority.as_trusted()).await.unwrap();
    let seen = seen.recv().unwrap();
    assert!(!seen.has_certificate && seen.head.contains("x-api-key: secret-key\r\n"));
}

#[tokio::test]
async fn a_client_certificate_takes_the_place_of_the_key() {
    let authority = Authority::new();
    let (url, seen) = start(authority.server_config("localhost"));
    let (chain, private_key) = authority.certify("palisade");
    let identity = ClientIdentity::from_pem(chain.as_bytes(), private_key.as_bytes()).unwrap();
    let credentials = Credentials::ClientCertificate(identity);
    pull(&url, credentials, authority.as_trusted())
        .await
        .unwrap();
    let seen = seen.recv().unwrap();
    assert!(seen.has_certificate && !seen.head.contains("x-api-key"));
}

#[tokio::test]
async fn others_are_not_told_the_key() {
    let (authority, other) = (Authority::new(), Authority::new());
    let cases = [
        ("another authority", "localhost", other.as_trusted()),
        ("another name", "lapi.example", authority.as_trusted()),
        ("the machine's authorities", "localhost", None),
    ];
    for (case, name, trusted) in cases {
        let (url, seen) = start(authority.server_config(name));
        let got = pull(&url, key(), trusted).await;
        let is_tls = matches!(
            &got,
            Err(PollError::Unreachable {
                stage: ConnectStage::Tls,
                ..
            })
        );
        assert!(is_tls, "{case}: {got:?}");
        assert!(seen.recv().is_err(), "{case}");
    }
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let authority = Authority::new();
    let ((chain, _), (_, other_key)) = (authority.certify("a"), authority.certify("b"));
    let got = ClientIdentity::from_pem(chain.as_bytes(), other_key.as_bytes());
    assert!(
        matches!(got, Err(crate::CredentialsError::Mismatch { .. })),
        "{got:?}"
    );
}
