//! TLS towards backends: who is believed, and what is shown.

use std::sync::Arc;

use palisade_transport::Connection;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{HandshakeKind, RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use super::backend::{acquire, listener, need, pool, settings};
use crate::{
    AcquireError, Acquired, ClientCertificate, ConnectError, Pool, Roots, ServerTrust,
    SettingsError, TlsServerName, TlsSettings,
};

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn roots(&self) -> Roots {
        Roots::from_pem(self.0.pem().as_bytes()).unwrap()
    }

    /// A certificate for `name` and its key, in PEM.
    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn client_certificate(&self) -> ClientCertificate {
        let (chain, key) = self.certify("palisade");
        ClientCertificate::from_pem(chain.as_bytes(), key.as_bytes()).unwrap()
    }

    /// A backend with a certificate for `name`; one that wants certificates of `clients`.
    fn backend(&self, name: &str, clients: Option<&Authority>) -> TlsAcceptor {
        self.speaking(&["h2", "http/1.1"], name, clients)
    }

    /// The same, which chooses among these protocols.
    pub(super) fn speaking(
        &self,
        alpn: &[&str],
        name: &str,
        clients: Option<&Authority>,
    ) -> TlsAcceptor {
        use rustls::pki_types::pem::PemObject;
        let (chain, key) = self.certify(name);
        let chain = vec![CertificateDer::from_pem_slice(chain.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(authority) => {
                let mut roots = RootCertStore::empty();
                roots.add(authority.0.der().clone()).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let mut config = builder.with_single_cert(chain, key).unwrap();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

pub(super) fn tls(trust: ServerTrust) -> TlsSettings {
    TlsSettings {
        server_name: Some(TlsServerName::new("app.test").unwrap()),
        trust,
        client_certificate: None,
    }
}

type Far = std::io::Result<TlsStream<TcpStream>>;

/// Both ends of one handshake.
async fn handshake(
    pool: &Pool,
    listener: &TcpListener,
    backend: &TlsAcceptor,
) -> (Result<Acquired, AcquireError>, Far) {
    let far = async {
        let (tcp, _) = listener.accept().await.unwrap();
        backend.accept(tcp).await
    };
    let mut need = need();
    need.reuse = false;
    let ((near, _), far) = tokio::join!(acquire(pool, need), far);
    (near, far)
}

/// One handshake of a pool with `tls` and `backend`: the error's label and both ends.
async fn one_handshake(
    tls: TlsSettings,
    backend: &TlsAcceptor,
) -> (&'static str, Option<Acquired>, Far) {
    let (listener, address) = listener().await;
    let mut settings = settings(&[address]);
    settings.tls = Some(tls);
    let (near, far) = handshake(&pool(settings), &listener, backend).await;
    match near {
        Ok(acquired) => ("ok", Some(acquired), far),
        Err(error) => (error.label(), None, far),
    }
}

async fn exchange(near: &mut Connection, far: &mut TlsStream<TcpStream>) {
    near.write_all(b"?").await.unwrap();
    near.flush().await.unwrap();
    assert_eq!(far.read_u8().await.unwrap(), b'?');
    far.write_all(b"!").await.unwrap();
    far.flush().await.unwrap();
    assert_eq!(near.read_u8().await.unwrap(), b'!');
}

#[tokio::test]
async fn a_server_is_verified() {
    let authority = Authority::new("ours");
    let backend = authority.backend("app.test", None);
    let roots = || ServerTrust::Roots(authority.roots());

    let (label, near, far) = one_handshake(tls(roots()), &backend).await;
    assert_eq!(label, "ok");
    let mut far = far.unwrap();
    assert_eq!(far.get_ref().1.server_name(), Some("app.test"));
    assert_eq!(far.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    exchange(near.unwrap().channel.http1(), &mut far).await;

    let wrong_name = authority.backend("other.test", None);
    let (label, ..) = one_handshake(tls(roots()), &wrong_name).await;
    assert_eq!(label, "certificate");

    let stranger = ServerTrust::Roots(Authority::new("stranger").roots());
    let (label, ..) = one_handshake(tls(stranger), &backend).await;
    assert_eq!(label, "certificate");

    let (label, ..) = one_handshake(tls(ServerTrust::Unverified), &wrong_name).await;
    assert_eq!(label, "ok");
}

#[tokio::test]
async fn an_error_says_what_to_look_at() {
    let backend = Authority::new("ours").backend("app.test", None);
    let (listener, address) = listener().await;
    let mut settings = settings(&[address]);
    settings.tls = Some(tls(ServerTrust::Roots(Authority::new("stranger").roots())));
    let (near, _) = handshake(&pool(settings), &listener, &backend).await;
    let AcquireError::Failed { last, .. } = near.unwrap_err() else {
        panic!("no connect failed");
    };
    assert!(matches!(last, ConnectError::Certificate(_)));
    assert_eq!(
        last.to_string(),
        "TLS: invalid peer certificate: UnknownIssuer; expected a certificate for the upstream's \
         server_name from an authority that it trusts"
    );
}

#[tokio::test]
async fn without_a_name_the_servers_own_host_is_verified() {
    let authority = Authority::new("ours");
    let mut tls = tls(ServerTrust::Roots(authority.roots()));
    tls.server_name = None;
    let (label, _, far) = one_handshake(tls.clone(), &authority.backend("127.0.0.1", None)).await;
    assert_eq!(label, "ok");
    assert_eq!(
        far.unwrap().get_ref().1.server_name(),
        None,
        "an address is never sent as SNI"
    );
    let (label, ..) = one_handshake(tls, &authority.backend("127.0.0.2", None)).await;
    assert_eq!(label, "certificate");
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let authority = Authority::new("ours");
    let clients = Authority::new("clients");
    let backend = authority.backend("app.test", Some(&clients));
    let mut tls = tls(ServerTrust::Roots(authority.roots()));
    let (_, _, far) = one_handshake(tls.clone(), &backend).await;
    assert!(far.is_err(), "the backend wants a certificate");
    tls.client_certificate = Some(clients.client_certificate());
    let (label, near, far) = one_handshake(tls, &backend).await;
    assert_eq!(label, "ok");
    let mut far = far.unwrap();
    assert_eq!(far.get_ref().1.peer_certificates().map(<[_]>::len), Some(1));
    exchange(near.unwrap().channel.http1(), &mut far).await;
}

#[tokio::test]
async fn sessions_are_resumed() {
    let authority = Authority::new("ours");
    let backend = authority.backend("app.test", None);
    let (listener, address) = listener().await;
    let mut settings = settings(&[address]);
    settings.tls = Some(tls(ServerTrust::Roots(authority.roots())));
    let pool = pool(settings);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let (near, far) = handshake(&pool, &listener, &backend).await;
        let mut far = far.unwrap();
        // The session's ticket comes before the answer (RFC 8446 section 4.6.1).
        exchange(near.unwrap().channel.http1(), &mut far).await;
        kinds.push(far.get_ref().1.handshake_kind());
    }
    assert_eq!(
        kinds,
        [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]
    );
}

#[tokio::test]
async fn what_is_no_tls_is_an_error() {
    let (listener, address) = listener().await;
    let mut settings = settings(&[address]);
    settings.tls = Some(tls(ServerTrust::Unverified));
    let pool = pool(settings);
    let plain = async {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
            .await
            .unwrap();
        tcp
    };
    let ((result, tries), _tcp) = tokio::join!(acquire(&pool, need()), plain);
    assert!(result.is_err());
    assert_eq!(tries, ["tls"]);
}

#[track_caller]
fn check<T>(got: Result<T, SettingsError>, expected: &str) {
    assert_eq!(got.err().unwrap().to_string(), expected);
}

#[test]
fn broken_settings_are_refused() {
    let (chain, key) = Authority::new("stranger").certify("app.test");
    let (_, other_key) = Authority::new("stranger").certify("app.test");
    let (chain, key, other_key) = (chain.as_bytes(), key.as_bytes(), other_key.as_bytes());
    let none = "no certificate in PEM form found";
    check(
        Roots::from_pem(b""),
        &format!("certificates of authorities: {none}"),
    );
    check(
        Roots::from_pem(key),
        &format!("certificates of authorities: {none}"),
    );
    check(
        ClientCertificate::from_pem(b"x", key),
        &format!("client certificate: {none}"),
    );
    check(
        ClientCertificate::from_pem(chain, b""),
        "private key of the client certificate: no items found",
    );
    check(
        ClientCertificate::from_pem(chain, other_key),
        "client certificate can't be used: keys may not be consistent: KeyMismatch",
    );
    check(
        TlsServerName::new("app.test:443"),
        "\"app.test:443\" is not a server name; expected a DNS name or an IP address, without a port",
    );
    let garbage = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    assert!(Roots::from_pem(garbage).is_err());
    let secret = format!("{:?}", ClientCertificate::from_pem(chain, key).unwrap());
    assert_eq!(secret, "ClientCertificate(1 in chain, key hidden)");
}
