//! A client's connection.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderValue, Request, Uri, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::HandshakeKind;
use rustls_pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::transport::Tls;
use crate::workload::{self, Prepared};

use super::Target;

/// No answer takes longer: a server that is silent for so long has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The signature, version 2 with command PROXY, TCP over IPv4, and 12 bytes that follow (PROXY protocol
/// section 2.2).
const PROXY_V2: [u8; 16] = [
    0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a, 0x21, 0x11, 0x00, 0x0c,
];

/// An open connection, over which requests are sent.
#[derive(Debug)]
pub struct Connection {
    sender: Sender,
    /// Whether its TLS session was one that came before.
    pub is_resumed: bool,
}

#[derive(Debug)]
enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    /// Opens one, for this client where PROXY protocol says who it is.
    ///
    /// # Errors
    /// Where the server refuses it, or its handshake fails.
    pub async fn open(target: &Target, client: Ipv4Addr) -> io::Result<Self> {
        let open = Self::open_patiently(target, client);
        let opened = tokio::time::timeout(PATIENCE, open).await;
        opened.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn open_patiently(target: &Target, client: Ipv4Addr) -> io::Result<Self> {
        let mut tcp = TcpStream::connect(target.door).await?;
        tcp.set_nodelay(true)?;
        if target.transport.proxy {
            let header = proxy_header(client, target.door).ok_or(io::ErrorKind::Unsupported)?;
            tcp.write_all(&header).await?;
        }
        let is_http2 = target.transport.streams.is_some();
        let config = match target.transport.tls {
            Tls::Off => return Self::http1(tcp, false).await,
            _ if is_http2 => &target.tls.http2,
            Tls::Full => &target.tls.full,
            Tls::Resumed => &target.tls.resumed,
        };
        let name = ServerName::try_from(workload::HOST).map_err(io::Error::other)?;
        let tls = TlsConnector::from(Arc::clone(config))
            .connect(name, tcp)
            .await?;
        let is_resumed = tls.get_ref().1.handshake_kind() == Some(HandshakeKind::Resumed);
        if !is_http2 {
            return Self::http1(tls, is_resumed).await;
        }
        let (sender, connection) = http2::Builder::new(TokioExecutor::new())
            .handshake(TokioIo::new(tls))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(Self {
            sender: Sender::Http2(sender),
            is_resumed,
        })
    }

    async fn http1<S>(stream: S, is_resumed: bool) -> io::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (sender, connection) = http1::Builder::new()
            .title_case_headers(true)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(Self {
            sender: Sender::Http1(sender),
            is_resumed,
        })
    }

    /// The same connection for one more request at a time, where that is possible.
    #[must_use]
    pub fn stream(&self) -> Option<Self> {
        let Sender::Http2(sender) = &self.sender else {
            return None;
        };
        Some(Self {
            sender: Sender::Http2(sender.clone()),
            is_resumed: self.is_resumed,
        })
    }

    /// Whether another request can be sent.
    #[must_use]
    pub fn is_open(&self) -> bool {
        match &self.sender {
            Sender::Http1(sender) => !sender.is_closed(),
            Sender::Http2(sender) => !sender.is_closed(),
        }
    }

    /// Sends a request and reads its answer to the end; its status.
    ///
    /// # Errors
    /// Where no whole answer comes.
    pub async fn ask(&mut self, prepared: Prepared) -> io::Result<u16> {
        let answered = tokio::time::timeout(PATIENCE, self.ask_patiently(prepared)).await;
        answered.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
    }

    async fn ask_patiently(&mut self, prepared: Prepared) -> io::Result<u16> {
        let answer = match &mut self.sender {
            Sender::Http1(sender) => {
                sender.ready().await.map_err(io::Error::other)?;
                sender.send_request(http1_request(prepared)?).await
            }
            Sender::Http2(sender) => {
                sender.ready().await.map_err(io::Error::other)?;
                sender.send_request(http2_request(prepared)?).await
            }
        };
        let answer = answer.map_err(io::Error::other)?;
        let status = answer.status().as_u16();
        let mut body = answer.into_body();
        while let Some(frame) = body.frame().await {
            frame.map_err(io::Error::other)?;
        }
        Ok(status)
    }
}

fn http1_request(prepared: Prepared) -> io::Result<Request<Full<Bytes>>> {
    let mut request = Request::new(Full::new(prepared.body));
    *request.method_mut() = prepared.method;
    *request.uri_mut() = prepared.target.parse().map_err(io::Error::other)?;
    *request.headers_mut() = prepared.headers;
    let host = HeaderValue::from_static(workload::HOST);
    request.headers_mut().insert(HOST, host);
    Ok(request)
}

fn http2_request(prepared: Prepared) -> io::Result<Request<Full<Bytes>>> {
    let mut request = Request::new(Full::new(prepared.body));
    *request.method_mut() = prepared.method;
    *request.version_mut() = Version::HTTP_2;
    let uri = Uri::builder()
        .scheme("https")
        .authority(workload::HOST)
        .path_and_query(prepared.target);
    *request.uri_mut() = uri.build().map_err(io::Error::other)?;
    *request.headers_mut() = prepared.headers;
    Ok(request)
}

/// PROXY protocol section 2.2: addresses and ports of IPv4 follow the fixed part.
fn proxy_header(client: Ipv4Addr, door: SocketAddr) -> Option<[u8; 28]> {
    const CLIENT_PORT: u16 = 40_000;
    let IpAddr::V4(door_address) = door.ip() else {
        return None;
    };
    let mut header = [0; 28];
    let parts = PROXY_V2
        .into_iter()
        .chain(client.octets())
        .chain(door_address.octets())
        .chain(CLIENT_PORT.to_be_bytes())
        .chain(door.port().to_be_bytes());
    for (to, from) in header.iter_mut().zip(parts) {
        *to = from;
    }
    Some(header)
}
