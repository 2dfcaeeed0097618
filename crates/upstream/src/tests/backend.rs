//! Backends on loopback that do exactly what a test wants of them.

use std::net::SocketAddr;
use std::sync::Arc;

use palisade_client_address::Endpoint;
use palisade_transport::Connection;
use palisade_vocabulary::Tick;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use crate::{
    AcquireError, Acquired, Attempt, Channel, ConnectError, Need, Pool, PoolSettings, ProxySource,
    ServerAddress, ServerSettings, Servers, Upstreams,
};

pub(crate) const NOW: Tick = Tick::from_millis(1_000_000);

/// A listener that accepts when it is told to; the kernel completes TCP handshakes meanwhile.
pub(crate) async fn listener() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

/// Asserts that nobody has connected: a connection would be there already, since it is on loopback.
pub(crate) fn assert_untouched(listener: TcpListener) -> std::net::TcpListener {
    let listener = listener.into_std().unwrap();
    let accepted = listener.accept();
    assert_eq!(accepted.unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
    listener
}

/// A port where nothing listens, and that nobody else gets while the socket lives.
pub(crate) fn refusing() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// A listener whose queue is full: no further TCP handshake with it is ever completed.
pub(crate) async fn full_backlog() -> (TcpListener, Vec<TcpStream>, SocketAddr) {
    let (socket, address) = refusing();
    let listener = socket.listen(1).unwrap();
    // Linux takes one more than the backlog, and drops what comes after that.
    let mut waiting = Vec::new();
    for _ in 0..2 {
        waiting.push(TcpStream::connect(address).await.unwrap());
    }
    (listener, waiting, address)
}

pub(crate) fn settings(addresses: &[SocketAddr]) -> PoolSettings {
    let servers = addresses
        .iter()
        .map(|&address| ServerSettings::from(ServerAddress::from_socket(address).unwrap()));
    PoolSettings::new("app", Servers::new(servers.collect()).unwrap())
}

pub(crate) fn pool(settings: PoolSettings) -> Arc<Pool> {
    let upstreams = Upstreams::build(vec![settings]).unwrap();
    Arc::clone(upstreams.get("app").unwrap())
}

pub(crate) fn client(port: u16) -> ProxySource {
    ProxySource {
        source: Endpoint {
            ip: "203.0.113.7".parse().unwrap(),
            port,
        },
        destination: Endpoint {
            ip: "192.0.2.1".parse().unwrap(),
            port: 443,
        },
    }
}

pub(crate) fn need() -> Need {
    Need::new(client(40_000), NOW)
}

impl Channel {
    pub(crate) fn http1(&mut self) -> &mut Box<Connection> {
        match self {
            Self::Http1(connection) => connection,
            Self::Http2(_) => panic!("HTTP/1 was expected"),
        }
    }

    pub(crate) fn into_http1(self) -> Box<Connection> {
        match self {
            Self::Http1(connection) => connection,
            Self::Http2(_) => panic!("HTTP/1 was expected"),
        }
    }
}

/// The result of each try, in order: `ok` or the error's label.
pub(crate) async fn acquire(
    pool: &Pool,
    need: Need,
) -> (Result<Acquired, AcquireError>, Vec<&'static str>) {
    let mut tries = Vec::new();
    let mut observer = |attempt: &Attempt<'_>| {
        tries.push(attempt.result.map_or_else(|error| error.label(), |()| "ok"));
    };
    let result = pool.acquire(&need, &mut observer).await;
    (result, tries)
}

/// A request and its answer, one byte each, between both ends of a connection.
pub(crate) async fn exchange(near: &mut Connection, far: &mut TcpStream) {
    near.write_all(b"?").await.unwrap();
    near.flush().await.unwrap();
    assert_eq!(far.read_u8().await.unwrap(), b'?');
    far.write_all(b"!").await.unwrap();
    assert_eq!(near.read_u8().await.unwrap(), b'!');
}

/// Exactly one attempt was made, and this came of it.
pub(crate) async fn only_error(pool: &Pool) -> ConnectError {
    let (result, tries) = acquire(pool, need()).await;
    assert_eq!(tries.len(), 1);
    match result {
        Err(AcquireError::Failed { attempts: 1, last }) => last,
        other => panic!("{other:?}"),
    }
}
