//! A new connection to a server: name, TCP, PROXY header, TLS, all within one deadline.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use bytes::BytesMut;
use palisade_client_address::Endpoint;
use palisade_client_address::proxy_protocol::{encode_v1, encode_v2, encode_v2_local};
use palisade_transport::Connection;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};

use crate::address::Target;
use crate::http2::{self, HTTP2_CONNECTIONS_MAX, OpenedHttp2};
use crate::own_doors::OwnDoors;
use crate::server::Server;
use crate::settings::{Protocol, ProxyVersion};
use crate::tls::ALPN_HTTP2;

/// The most addresses of one name that one connect tries; each connect begins with another.
const ADDRESSES_MAX: usize = 4;

/// Whom a connection speaks for: the two ends that its PROXY header names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxySource {
    /// The client.
    pub source: Endpoint,
    /// Where the client connected to.
    pub destination: Endpoint,
}

/// To which address of a server a connection leads.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way {
    /// Any that works.
    Any,
    /// To any other one than this, if there is one.
    But(SocketAddr),
    /// To this one.
    Only(SocketAddr),
}

/// The PROXY header that a connection begins with.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Introduction {
    /// There is none.
    None,
    /// For a client.
    Client(ProxyVersion, ProxySource),
    /// For nobody: the connection is Palisade's own.
    Own(ProxyVersion),
}

/// Something that was just opened, and what is spoken on it.
pub(crate) enum Opened {
    Http1(Connection),
    Http2(OpenedHttp2),
}

/// Opens a connection to `server` by `deadline` and begins to speak `protocol` on it; says to which
/// of its addresses it leads. `introduction` is sent first.
pub(crate) async fn open(
    server: &Server,
    way: Way,
    introduction: Introduction,
    protocol: Protocol,
    deadline: Instant,
) -> Result<(Opened, SocketAddr), ConnectError> {
    let (connection, address) = connect(server, way, introduction, protocol, deadline).await?;
    let opened = match speaks_http2(server, &connection, protocol)? {
        true => Opened::Http2(http2::open(connection, deadline).await?),
        false => Opened::Http1(connection),
    };
    Ok((opened, address))
}

/// Whether HTTP/2 is what is spoken on `connection`, which was opened to `server` for `protocol`.
pub(crate) fn speaks_http2(
    server: &Server,
    connection: &Connection,
    protocol: Protocol,
) -> Result<bool, ConnectError> {
    let is_chosen = connection.alpn() == Some(ALPN_HTTP2);
    match protocol {
        Protocol::Http1 => Ok(false),
        // Without TLS by prior knowledge (RFC 9113 section 3.3).
        Protocol::Http2 if server.tls.is_none() => Ok(true),
        Protocol::Http2 if !is_chosen => {
            let problem = "it didn't choose h2 in the TLS handshake";
            Err(ConnectError::NotHttp2(problem.to_owned()))
        }
        Protocol::Http2 | Protocol::Auto => Ok(is_chosen),
    }
}

/// Opens a connection to `server` by `deadline`, on which `protocol` can be spoken, and says to which
/// of its addresses; `introduction` is sent first.
pub(crate) async fn connect(
    server: &Server,
    way: Way,
    introduction: Introduction,
    protocol: Protocol,
    deadline: Instant,
) -> Result<(Connection, SocketAddr), ConnectError> {
    let (mut tcp, address) = connect_tcp(server, way, deadline).await?;
    // Without it the kernel holds a small write back until the last one is acknowledged.
    tcp.set_nodelay(true).map_err(ConnectError::from_io)?;
    if let Some(header) = encode(introduction, &tcp).map_err(ConnectError::from_io)? {
        // Before TLS: "the receiver MUST NOT start processing the connection before it receives a
        // complete and valid PROXY protocol header" (section 2).
        timeout_at(deadline, tcp.write_all(&header))
            .await
            .map_err(|_| ConnectError::Timeout(ConnectStep::ProxyHeader))?
            .map_err(ConnectError::from_io)?;
    }
    let Some(tls) = &server.tls else {
        return Ok((Connection::plain(tcp, BytesMut::new()), address));
    };
    let handshake = Connection::connect_tls(tcp, tls.server_name.clone(), tls.config(protocol));
    let connection = timeout_at(deadline, handshake)
        .await
        .map_err(|_| ConnectError::Timeout(ConnectStep::Tls))?
        .map_err(ConnectError::from_handshake)?;
    Ok((connection, address))
}

async fn connect_tcp(
    server: &Server,
    way: Way,
    deadline: Instant,
) -> Result<(TcpStream, SocketAddr), ConnectError> {
    if let Way::Only(socket) = way {
        let tcp = connect_socket(socket, &server.own_doors, deadline).await?;
        return Ok((tcp, socket));
    }
    match server.address.target() {
        Target::Socket(socket) => {
            let tcp = connect_socket(*socket, &server.own_doors, deadline).await?;
            Ok((tcp, *socket))
        }
        Target::Name { port, .. } => {
            let wanted = server.wanted_addresses(way);
            let addresses = server.condition.name.for_connect(*port, wanted);
            let mut addresses = timeout_at(deadline, addresses)
                .await
                .map_err(|_| ConnectError::Timeout(ConnectStep::Lookup))?
                .map_err(|error| ConnectError::Dns(error.to_string()))?;
            addresses.truncate(ADDRESSES_MAX);
            connect_any(addresses, &server.own_doors, deadline, |address| {
                server.address_failed(address)
            })
            .await
        }
    }
}

/// Tries the addresses of a name in this order, each with an even share of the time that
/// is left: one dead address doesn't use it up. `failed` is told of each that is to blame.
async fn connect_any(
    addresses: Vec<SocketAddr>,
    own_doors: &OwnDoors,
    deadline: Instant,
    failed: impl Fn(SocketAddr),
) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let mut last = ConnectError::Dns("the name has no address".to_owned());
    for (tried, address) in addresses.iter().enumerate() {
        let now = Instant::now();
        let to_try = u32::try_from(addresses.len().saturating_sub(tried)).unwrap_or(u32::MAX);
        let share = deadline.saturating_duration_since(now) / to_try.max(1);
        match connect_socket(*address, own_doors, now + share).await {
            Ok(tcp) => return Ok((tcp, *address)),
            Err(error) => {
                if error.blames_server() {
                    failed(*address);
                }
                last = error;
            }
        }
    }
    Err(last)
}

async fn connect_socket(
    address: SocketAddr,
    own_doors: &OwnDoors,
    deadline: Instant,
) -> Result<TcpStream, ConnectError> {
    if let Some(door) = own_doors.behind(address) {
        return Err(ConnectError::OwnDoor(door));
    }
    timeout_at(deadline, TcpStream::connect(address))
        .await
        .map_err(|_| ConnectError::Timeout(ConnectStep::Tcp))?
        .map_err(ConnectError::from_io)
}

fn encode(introduction: Introduction, tcp: &TcpStream) -> io::Result<Option<Vec<u8>>> {
    let mut header = Vec::new();
    match introduction {
        Introduction::None => return Ok(None),
        Introduction::Client(ProxyVersion::V1, of) => {
            encode_v1(of.source, of.destination, &mut header);
        }
        Introduction::Client(ProxyVersion::V2, of) => {
            encode_v2(of.source, of.destination, &mut header);
        }
        // Version 1 has no word for it: the connection's own two ends (section 2.1).
        Introduction::Own(ProxyVersion::V1) => {
            encode_v1(
                tcp.local_addr()?.into(),
                tcp.peer_addr()?.into(),
                &mut header,
            );
        }
        Introduction::Own(ProxyVersion::V2) => encode_v2_local(&mut header),
    }
    Ok(Some(header))
}

/// A step on the way to a ready connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectStep {
    /// Looking the host name up.
    Lookup,
    /// The TCP handshake.
    Tcp,
    /// Sending the PROXY header.
    ProxyHeader,
    /// The TLS handshake.
    Tls,
    /// The server's first words of HTTP/2.
    Settings,
    /// Another request's connect, which this one could have shared.
    Shared,
}

impl ConnectStep {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Lookup => "the look-up of its name",
            Self::Tcp => "the TCP handshake",
            Self::ProxyHeader => "the PROXY header",
            Self::Tls => "the TLS handshake",
            Self::Settings => "HTTP/2's SETTINGS",
            Self::Shared => "the connect that another request had begun",
        }
    }
}

/// Why there is no connection to a server.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// Nothing listens there (ECONNREFUSED).
    #[error("connection refused: nothing listens on that address and port")]
    Refused,
    /// The time for a connect was over.
    #[error("no connection in time: {} took too long", .0.as_str())]
    Timeout(ConnectStep),
    /// No way leads there (ENETUNREACH, EHOSTUNREACH).
    #[error("no route to it: {0}")]
    Unreachable(io::Error),
    /// The host name has no address.
    #[error("its name can't be looked up: {0}")]
    Dns(String),
    /// It is one of this process's own doors.
    #[error(
        "it is Palisade's own admin or metrics door ({0}), which would be open to every client; \
         expected where a server listens: correct what its name stands for, or the upstream's `servers`"
    )]
    OwnDoor(SocketAddr),
    /// The server's certificate is not believed.
    #[error(
        "TLS: {0}; expected a certificate for the upstream's server_name from an authority that it trusts"
    )]
    Certificate(rustls::Error),
    /// The TLS handshake failed for another reason.
    #[error("TLS handshake failed: {0}")]
    Tls(rustls::Error),
    /// The server speaks no HTTP/2.
    #[error("no HTTP/2: {0}; expected it of a server whose upstream has `protocol: http2`")]
    NotHttp2(String),
    /// This thread has as many HTTP/2 connections to it as it may have, all of them full.
    #[error("all {HTTP2_CONNECTIONS_MAX} HTTP/2 connections to it are full")]
    AllFull,
    /// As many connections to it are open as may be, and none became idle in time.
    #[error("as many connections to it are open as `connections_max` allows")]
    NoRoom,
    /// The connection broke on the way.
    #[error("the connection broke while it was being set up: {0}")]
    Broken(io::Error),
    /// This machine has no file descriptor, port or memory left. The server is not to blame.
    #[error("this machine can't open another connection: {0}")]
    Local(io::Error),
}

impl ConnectError {
    /// The label in metrics: one of a fixed set.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Timeout(_) => "timeout",
            Self::Unreachable(_) => "unreachable",
            Self::Dns(_) => "dns",
            Self::OwnDoor(_) => "own_door",
            Self::Certificate(_) => "certificate",
            Self::Tls(_) => "tls",
            Self::NotHttp2(_) => "not_http2",
            Self::AllFull => "all_full",
            Self::NoRoom => "no_room",
            Self::Broken(_) => "broken",
            Self::Local(_) => "local",
        }
    }

    /// Whether the server, or the way to it, is to blame and not this machine.
    #[must_use]
    pub const fn blames_server(&self) -> bool {
        !matches!(self, Self::Local(_) | Self::AllFull | Self::NoRoom)
    }

    /// Whether time ran out (504 rather than 502, RFC 9110 sections 15.6.3 and 15.6.5).
    #[must_use]
    pub const fn is_timeout(&self) -> bool {
        matches!(self, Self::Timeout(_))
    }

    fn from_io(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::ConnectionRefused => Self::Refused,
            ErrorKind::TimedOut => Self::Timeout(ConnectStep::Tcp),
            ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => Self::Unreachable(error),
            // No ephemeral port is left.
            ErrorKind::AddrNotAvailable | ErrorKind::OutOfMemory => Self::Local(error),
            _ if error
                .raw_os_error()
                .is_some_and(|code| OUT_OF_RESOURCES.contains(&code)) =>
            {
                Self::Local(error)
            }
            _ => Self::Broken(error),
        }
    }

    /// tokio-rustls hands what rustls says over inside an `io::Error`.
    fn from_handshake(error: io::Error) -> Self {
        let inner = error
            .get_ref()
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(tls @ rustls::Error::InvalidCertificate(_)) => Self::Certificate(tls.clone()),
            Some(tls) => Self::Tls(tls.clone()),
            None => Self::Broken(error),
        }
    }
}

/// Too many open files (of the process, of the machine) and no buffer space left: `io::ErrorKind`
/// has no names for them.
const OUT_OF_RESOURCES: [i32; 3] = [libc::EMFILE, libc::ENFILE, libc::ENOBUFS];

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[track_caller]
    fn check(error: io::Error, label: &str, blames_server: bool) {
        let error = ConnectError::from_io(error);
        assert_eq!(
            (error.label(), error.blames_server()),
            (label, blames_server),
            "{error}"
        );
    }

    #[test]
    fn errors_of_the_system_have_a_cause_and_a_culprit() {
        let system = io::Error::from_raw_os_error;
        check(system(libc::ECONNREFUSED), "refused", true);
        check(system(libc::ETIMEDOUT), "timeout", true);
        check(system(libc::ENETUNREACH), "unreachable", true);
        check(system(libc::EHOSTUNREACH), "unreachable", true);
        check(system(libc::ECONNRESET), "broken", true);
        check(system(libc::EMFILE), "local", false);
        check(system(libc::ENFILE), "local", false);
        check(system(libc::ENOBUFS), "local", false);
        check(system(libc::EADDRNOTAVAIL), "local", false);
    }

    #[tokio::test]
    async fn a_name_without_addresses_is_an_error() {
        let error = connect_any(Vec::new(), &OwnDoors::default(), Instant::now(), drop)
            .await
            .unwrap_err();
        assert_eq!(error.label(), "dns");
    }

    #[tokio::test]
    async fn the_next_address_of_a_name_is_tried() {
        let (_hold, refusing) = crate::tests::backend::refusing();
        let (_listener, good) = crate::tests::backend::listener().await;
        let deadline = Instant::now() + Duration::from_secs(60);
        let own_doors = OwnDoors::default();
        let (tcp, address) = connect_any(vec![refusing, good], &own_doors, deadline, drop)
            .await
            .unwrap();
        assert_eq!((tcp.peer_addr().unwrap(), address), (good, good));
    }

    #[tokio::test]
    async fn an_address_that_is_an_own_door_is_passed_over() {
        let (listener, door) = crate::tests::backend::listener().await;
        let (_listener, good) = crate::tests::backend::listener().await;
        let own_doors = std::sync::Arc::<OwnDoors>::default();
        let _open = own_doors.open(door);
        let deadline = Instant::now() + Duration::from_secs(60);
        let connected = connect_any(vec![door, good], &own_doors, deadline, drop).await;
        assert_eq!(connected.unwrap().1, good);
        let refused = connect_any(vec![door], &own_doors, deadline, drop).await;
        assert_eq!(refused.unwrap_err().label(), "own_door");
        crate::tests::backend::assert_untouched(listener);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dead_address_leaves_time_for_the_next() {
        let (_listener, good) = crate::tests::backend::listener().await;
        let (_full, _waiting, dead) = crate::tests::backend::full_backlog().await;
        let deadline = Instant::now() + Duration::from_secs(2);
        let own_doors = OwnDoors::default();
        let (tcp, _) = connect_any(vec![dead, good], &own_doors, deadline, drop)
            .await
            .unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), good);
    }
}
