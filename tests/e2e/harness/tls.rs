//! TLS from the client's side.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::certificates::{Authority, Certificate};
use super::http::{Connection, Wire};

/// A client that speaks TLS; its sessions can be resumed.
pub(crate) struct TlsClient(Arc<ClientConfig>);

impl TlsClient {
    /// One that believes what `authority` signed, and speaks `alpn`.
    pub(crate) fn new(authority: &Authority, alpn: &[&str]) -> Self {
        Self::with(authority, alpn, None)
    }

    /// One that shows a certificate of its own.
    pub(crate) fn with_certificate(authority: &Authority, certificate: &Certificate) -> Self {
        Self::with(authority, &[], Some(certificate))
    }

    /// One that speaks `alpn`, and may show a certificate of its own.
    pub(crate) fn with(
        authority: &Authority,
        alpn: &[&str],
        certificate: Option<&Certificate>,
    ) -> Self {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(authority.roots());
        let mut config = match certificate {
            None => builder.with_no_client_auth(),
            Some(certificate) => {
                let chain = CertificateDer::from_pem_slice(certificate.chain.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![chain], key).unwrap()
            }
        };
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self(Arc::new(config))
    }

    /// How it speaks, for what makes its own connections.
    pub(crate) fn config(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.0)
    }

    /// Connects, and asks for `name`.
    #[track_caller]
    pub(crate) fn connect(&self, address: SocketAddr, name: &str) -> Connection {
        self.try_connect(address, name).expect("a TLS handshake")
    }

    pub(crate) fn try_connect(&self, address: SocketAddr, name: &str) -> io::Result<Connection> {
        self.handshake(TcpStream::connect(address)?, name)
    }

    /// The handshake, on a connection that may have had a PROXY header.
    pub(crate) fn handshake(&self, mut tcp: TcpStream, name: &str) -> io::Result<Connection> {
        let name = ServerName::try_from(name.to_owned()).expect("a server name");
        let mut session = ClientConnection::new(Arc::clone(&self.0), name).unwrap();
        while session.is_handshaking() {
            session.complete_io(&mut tcp)?;
        }
        Ok(Connection::over(Wire::Tls(Box::new(StreamOwned::new(
            session, tcp,
        )))))
    }
}
