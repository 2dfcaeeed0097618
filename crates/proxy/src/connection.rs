//! A connection from accept to its first request: slot, PROXY header, TLS, protocol.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::BytesMut;
use palisade_client_address::proxy_protocol::{
    Decoded, ForPeer, ProxyHeader, ProxyPolicy, ProxyRefusal, decode,
};
use palisade_gate::ClientCertificate;
use palisade_telemetry::{Cause, DecisionEvent, DecisionMode, HandshakeFailure, Metrics, Subject};
use palisade_transport::{Connection, TlsFacts};
use palisade_vocabulary::{ClientAddr, Ip, Scheme};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::certificates::TlsAcceptor;
use crate::client_certificate::{self, ValidCertificate};
use crate::listener::Listener;
use crate::settings::ListenerSettings;
use crate::shared::Shared;
use crate::slots::{AddressSlot, ConnectionSlots, TotalSlot};
use crate::terms::Terms;
use crate::waiting::{BoundedWaiting, Evicted};
use crate::{http1, http2};

/// What all requests of a connection have in common.
pub(crate) struct ConnectionFacts {
    /// The listener's terms when the connection began.
    pub(crate) listener: Arc<Terms>,
    pub(crate) shared: Arc<Shared>,
    /// Turns true once: no new requests then, and the connection ends with what it is at.
    pub(crate) draining: watch::Receiver<bool>,
    /// The other end of the TCP connection.
    pub(crate) peer: Ip,
    /// The TCP peer, or the PROXY source.
    pub(crate) client: ClientAddr,
    /// The end that the client connected to, as far as is known.
    pub(crate) local: SocketAddr,
    /// Whether `client` is a hop whose forwarded headers count.
    pub(crate) is_hop: bool,
    /// How the client's connection came in to the first of our own hops that told.
    pub(crate) scheme: Scheme,
    pub(crate) tls: Option<TlsSide>,
    pub(crate) slot: TotalSlot,
    pub(crate) address: AddressSlot,
    waiting_requests: Arc<BoundedWaiting>,
    /// Ends when the last request is over, as the slots do.
    _open: OpenConnection,
}

/// What TLS settled.
pub(crate) struct TlsSide {
    pub(crate) facts: TlsFacts,
    pub(crate) acceptor: Arc<TlsAcceptor>,
    client_certificate: Option<ValidCertificate>,
}

impl ConnectionFacts {
    /// Those of a connection over plain TCP, without the connection: what is measured in `codec` needs none.
    /// `None` if a listener with these settings takes no connection.
    pub(crate) fn without_socket(
        settings: ListenerSettings,
        shared: Arc<Shared>,
        client: ClientAddr,
    ) -> Option<Self> {
        let slots = ConnectionSlots::new();
        let (limits, hops) = (settings.limits, &settings.client_address);
        Some(Self {
            peer: client.ip,
            is_hop: hops.iter().any(|rule| rule.from.contains(client.ip)),
            slot: slots.take(limits.connections).ok()?,
            address: slots
                .take_for(client.ip, limits.connections_per_address)
                .ok()?,
            client,
            local: settings.address,
            scheme: Scheme::Http,
            tls: None,
            listener: Arc::new(Terms::new(settings).ok()?),
            draining: shared.draining.clone(),
            waiting_requests: Arc::default(),
            _open: OpenConnection::new(&shared.metrics),
            shared,
        })
    }

    /// Completes with `event`, for which a request of this connection waits for its client with memory
    /// in its hands, unless too many do.
    pub(crate) async fn wait_with_memory<T>(
        &self,
        event: impl Future<Output = T>,
    ) -> Result<T, Evicted> {
        let max = self.listener.settings.limits.waiting_requests;
        self.waiting_requests.wait(max, event).await
    }

    /// The certificate that the client has shown, if it is still valid: connections and sessions may last
    /// longer.
    pub(crate) fn client_certificate(&self) -> Option<&ClientCertificate> {
        let shown = self.tls.as_ref()?.client_certificate.as_ref()?;
        shown.at(SystemTime::now())
    }

    /// Whether the connection's certificate is one for `host` (RFC 9110 section 15.5.20); yes
    /// without TLS.
    pub(crate) fn certificate_is_for(&self, host: &str) -> bool {
        self.tls
            .as_ref()
            .is_none_or(|tls| tls.acceptor.serves(tls.facts.server_name.as_deref(), host))
    }
}

/// Serves a connection from its first byte to its last.
pub(crate) async fn serve(
    tcp: TcpStream,
    peer: SocketAddr,
    listener: Arc<Listener>,
    shared: Arc<Shared>,
) {
    let terms = listener.terms();
    let limits = terms.settings.limits;
    // Whoever has too many connections already is not to take another's place. Behind a proxy we
    // learn only later who that is.
    let take_for = |client| {
        let per_address_max = limits.connections_per_address;
        listener.slots.take_for(client, per_address_max)
    };
    let mut address = None;
    if terms.settings.proxy_protocol.is_none() {
        match take_for(peer.into()) {
            Ok(slot) => address = Some(slot),
            Err(refusal) => return shared.metrics.connections.refused(refusal),
        }
    }
    let slot = match listener.slots.take(limits.connections) {
        Ok(slot) => slot,
        Err(refusal) => return shared.metrics.connections.refused(refusal),
    };
    let open = OpenConnection::new(&shared.metrics);
    // Only a socket that is gone already can refuse it.
    let _ = tcp.set_nodelay(true);
    let mut entry = Entry {
        client: ClientAddr::peer(peer.into(), peer.port()),
        header: None,
        buffered: BytesMut::new(),
    };
    let mut tcp = tcp;
    if let Some(policy) = &terms.settings.proxy_protocol {
        let deadline = terms.settings.deadlines.proxy_header;
        let read = timeout(deadline, entry.read_proxy_header(&mut tcp, policy));
        let Ok(read) = slot.wait(read).await else {
            return shared.metrics.connections.evicted();
        };
        if let Err(refusal) = read.unwrap_or(Err(ProxyRefusal::Deadline)) {
            return refuse_proxy(&shared, peer.into(), refusal);
        }
    }
    let address = match address.map_or_else(|| take_for(entry.client.ip), Ok) {
        Ok(slot) => slot,
        Err(refusal) => return shared.metrics.connections.refused(refusal),
    };
    let local = entry.destination().or_else(|| tcp.local_addr().ok());
    let local = local.unwrap_or(listener.address());
    // In memory of its own, which goes when the handshake is over.
    let secured = Box::pin(entry.secure(tcp, &slot, &terms, &shared));
    let Some((connection, tls)) = secured.await else {
        return;
    };
    let scheme = match tls.is_some() || entry.came_over_tls() {
        true => Scheme::Https,
        false => Scheme::Http,
    };
    let hops = &terms.settings.client_address;
    let facts = ConnectionFacts {
        peer: peer.into(),
        is_hop: hops.iter().any(|rule| rule.from.contains(entry.client.ip)),
        client: entry.client,
        local,
        scheme,
        tls,
        listener: terms,
        shared,
        draining: listener.draining(),
        waiting_requests: Arc::clone(&listener.waiting_requests),
        slot,
        address,
        _open: open,
    };
    speak(connection, facts).await;
}

/// Speaks whichever protocol it is. Each is in memory of its own: an idle connection holds nothing that
/// the other would need.
async fn speak(connection: Box<Connection>, facts: ConnectionFacts) {
    let is_http2 = facts.tls.as_ref().and_then(|tls| tls.facts.alpn.as_deref()) == Some(b"h2");
    let (connection, facts) = match is_http2 {
        true => (connection, facts),
        false => match Box::pin(http1::serve(connection, facts)).await {
            Some(speaks_http2) => speaks_http2,
            None => return,
        },
    };
    Box::pin(http2::serve(connection, Arc::new(facts))).await;
}

/// What is known of a connection before its first request.
struct Entry {
    client: ClientAddr,
    header: Option<ProxyHeader>,
    /// Read already, and not part of a PROXY header.
    buffered: BytesMut,
}

impl Entry {
    /// Reads a PROXY header and not a byte more.
    async fn read_proxy_header(
        &mut self,
        tcp: &mut TcpStream,
        policy: &ProxyPolicy,
    ) -> Result<(), ProxyRefusal> {
        match policy.for_peer(self.client.ip) {
            ForPeer::Parse => {}
            ForPeer::Refuse => return Err(ProxyRefusal::NotTrusted),
            ForPeer::Skip => return Ok(()),
        }
        loop {
            let wanted = match decode(&self.buffered).map_err(ProxyRefusal::Malformed)? {
                Decoded::NeedMore { at_least } => at_least.saturating_sub(self.buffered.len()),
                Decoded::NotProxy => return policy.without_header(),
                Decoded::Header { header, len } => {
                    let _ = self.buffered.split_to(len);
                    self.client = header.client(self.client.clone());
                    self.header = Some(header);
                    return Ok(());
                }
            };
            let mut limited = (&mut *tcp).take(wanted.max(1) as u64);
            match limited.read_buf(&mut self.buffered).await {
                Ok(0) | Err(_) => return Err(ProxyRefusal::Closed),
                Ok(_) => {}
            }
        }
    }

    /// The end that the client connected to, as the PROXY header tells it.
    fn destination(&self) -> Option<SocketAddr> {
        match &self.header {
            Some(ProxyHeader::Proxied { destination, .. }) => {
                Some(SocketAddr::new(destination.ip.as_std(), destination.port))
            }
            _ => None,
        }
    }

    /// Whether the PROXY header says that the client came over TLS (section 2.2.6, `PP2_CLIENT_SSL`).
    fn came_over_tls(&self) -> bool {
        let tlvs = self.header.as_ref().and_then(ProxyHeader::tlvs);
        tlvs.and_then(|tlvs| tlvs.ssl())
            .is_some_and(|ssl| ssl.is_tls())
    }

    /// The TLS handshake, on a listener that has one.
    async fn secure(
        &mut self,
        tcp: TcpStream,
        slot: &TotalSlot,
        terms: &Terms,
        shared: &Shared,
    ) -> Option<(Box<Connection>, Option<TlsSide>)> {
        let buffered = std::mem::take(&mut self.buffered);
        let Some(acceptor) = &terms.tls else {
            return Some((Box::new(Connection::plain(tcp, buffered)), None));
        };
        let acceptor = Arc::clone(acceptor);
        let handshake = Connection::accept_tls(tcp, buffered, Arc::clone(&acceptor.config));
        let handshake = timeout(terms.settings.deadlines.handshake, handshake);
        let Ok(handshake) = slot.wait(handshake).await else {
            shared.metrics.connections.evicted();
            return None;
        };
        let Ok(Ok(connection)) = handshake else {
            let how = match handshake {
                Err(_) => HandshakeFailure::Timeout,
                Ok(Err(error)) if error.kind() == ErrorKind::UnexpectedEof => {
                    HandshakeFailure::Closed
                }
                Ok(_) => HandshakeFailure::Rejected,
            };
            shared.metrics.connections.handshake_failed(how);
            return None;
        };
        let mut facts = connection.tls().unwrap_or_default();
        let shown = facts.client_certificate.take();
        // One that can't be read is as none: whoever asks for one is told so.
        let client_certificate = shown.and_then(|shown| client_certificate::read(&shown).ok());
        let side = TlsSide {
            facts,
            acceptor,
            client_certificate,
        };
        Some((Box::new(connection), Some(side)))
    }
}

/// A connection as the metrics count it.
pub(crate) struct OpenConnection(Arc<Metrics>);

impl OpenConnection {
    fn new(metrics: &Arc<Metrics>) -> Self {
        metrics.connections.opened();
        Self(Arc::clone(metrics))
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.connections.closed();
    }
}

fn refuse_proxy(shared: &Shared, peer: Ip, refusal: ProxyRefusal) {
    let client = ClientAddr {
        ip: peer,
        port: None,
        provenance: palisade_vocabulary::Provenance::Peer,
    };
    let telemetry = &shared.generation.load().telemetry;
    telemetry.observe_decision(&DecisionEvent {
        time: crate::clock::wall_time(),
        mode: DecisionMode::Refused,
        cause: Cause::Proxy {
            reason: refusal.reason(),
        },
        client: &client,
        peer,
        subject: Subject::Connection,
        checks_duration: std::time::Duration::ZERO,
    });
}
