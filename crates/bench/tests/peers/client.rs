//! Clients at each door.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{ClientConfig, HandshakeKind, RootCertStore};
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

pub(crate) const HOST: &str = "shop.example.com";

/// How a peer is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    Plain,
    TlsHttp1,
    TlsHttp2,
    Proxy,
}

/// A connection. At the PROXY door its client is said once, elsewhere with each request.
pub(crate) enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// How a client of the TLS doors speaks; its sessions can be resumed.
#[derive(Clone)]
pub(crate) struct Tls(Arc<ClientConfig>);

impl Tls {
    pub(crate) fn trusting(certificate: rustls_pki_types::CertificateDer<'static>) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Self(Arc::new(config))
    }

    /// One of its own sessions, that speaks this.
    pub(crate) fn speaking(&self, protocol: &str) -> Self {
        let mut config = ClientConfig::clone(&self.0);
        config.alpn_protocols = vec![protocol.into()];
        config.resumption = rustls::client::Resumption::in_memory_sessions(8);
        Self(Arc::new(config))
    }

    async fn connect(&self, address: SocketAddr) -> tokio_rustls::client::TlsStream<TcpStream> {
        let tcp = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from(HOST).unwrap();
        TlsConnector::from(Arc::clone(&self.0))
            .connect(name, tcp)
            .await
            .unwrap()
    }
}

impl Connection {
    /// Over TCP, behind what is to be said first.
    pub(crate) async fn plain(address: SocketAddr, first: &[u8]) -> Self {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        tcp.write_all(first).await.unwrap();
        Self::http1(tcp).await
    }

    /// Over TLS, with the protocol that was agreed upon, and how its handshake was.
    pub(crate) async fn tls(address: SocketAddr, tls: &Tls) -> (Self, HandshakeKind) {
        let stream = tls.connect(address).await;
        let session = stream.get_ref().1;
        let (kind, agreed) = (session.handshake_kind().unwrap(), session.alpn_protocol());
        assert_eq!(
            agreed,
            tls.0.alpn_protocols.first().map(Vec::as_slice),
            "ALPN"
        );
        if agreed == Some(b"h2") {
            return (Self::http2(stream).await, kind);
        }
        (Self::http1(stream).await, kind)
    }

    async fn http1(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        Self::Http1(sender)
    }

    async fn http2(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Self {
        let executor = TokioExecutor::new();
        let (sender, connection) = http2::handshake(executor, TokioIo::new(stream))
            .await
            .unwrap();
        tokio::spawn(connection);
        Self::Http2(sender)
    }

    /// Asks, and reads the whole answer.
    pub(crate) async fn ask(&mut self, request: Request<Full<Bytes>>) -> (StatusCode, Bytes) {
        self.try_ask(request).await.unwrap()
    }

    /// The same of a server that may end the connection instead.
    pub(crate) async fn try_ask(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> hyper::Result<(StatusCode, Bytes)> {
        let answer: Response<Incoming> = match self {
            Self::Http1(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
            Self::Http2(sender) => {
                sender.ready().await?;
                sender.send_request(request).await?
            }
        };
        let status = answer.status();
        Ok((status, answer.into_body().collect().await?.to_bytes()))
    }
}

/// PROXY protocol v2's header for a client over TCP and IPv4.
pub(crate) fn proxy_header(client: Ipv4Addr, at: SocketAddr) -> Vec<u8> {
    let mut header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c".to_vec();
    header.extend(client.octets());
    header.extend([127, 0, 0, 1]);
    header.extend(40_000_u16.to_be_bytes());
    header.extend(at.port().to_be_bytes());
    header
}
