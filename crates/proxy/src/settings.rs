//! What an operator chose for listeners: valid by construction, plain data.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use palisade_client_address::proxy_protocol::ProxyPolicy;
use palisade_client_address::resolve::HopRule;
use palisade_vocabulary::ByteSize;
use rustls::pki_types::CertificateRevocationListDer;

use crate::downstream::AnswerPace;

/// How a process ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ShutdownSettings {
    /// How long requests are still served as ever once `/readyz` says no, so that load balancers
    /// notice before anything closes.
    pub delay: Duration,
    /// How long connections may then take to end what they are at.
    pub drain_time: Duration,
    /// How long a process that takes this one's place may take until it serves.
    pub upgrade_time: Duration,
}

impl Default for ShutdownSettings {
    fn default() -> Self {
        Self {
            delay: Duration::ZERO,
            drain_time: Duration::from_secs(30),
            upgrade_time: Duration::from_secs(30),
        }
    }
}

impl ShutdownSettings {
    /// How long an idle connection is kept when the process drains: its client may be about to use
    /// it, and would meet its end instead of an answer that says that it ends.
    pub(crate) fn idle_grace(&self) -> Duration {
        IDLE_GRACE_MAX.min(self.drain_time / 2)
    }
}

/// The longest that an idle connection outlives the start of a drain.
const IDLE_GRACE_MAX: Duration = Duration::from_secs(5);

/// One listening socket.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// Where it listens.
    pub address: SocketAddr,
    /// Whether and from whom a PROXY protocol header is read; none = never.
    pub proxy_protocol: Option<ProxyPolicy>,
    /// Whose forwarded headers count, in file order.
    pub client_address: Vec<HopRule>,
    /// TLS; none = plain.
    pub tls: Option<TlsSettings>,
    /// Whether HTTP/2 is spoken: by ALPN over TLS, by prior knowledge (RFC 9113 section 3.3) else.
    pub http2: bool,
    /// How long things may take.
    pub deadlines: Deadlines,
    /// How large and how many things may be.
    pub limits: Limits,
}

impl ListenerSettings {
    /// How slowly a client may take an answer.
    pub(crate) fn answer_pace(&self) -> AnswerPace {
        AnswerPace::new(self.deadlines.idle, self.limits.answer_bytes_per_second_min)
    }
}

/// How long the parts of a connection may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadlines {
    /// The whole PROXY header.
    pub proxy_header: Duration,
    /// The whole TLS handshake.
    pub handshake: Duration,
    /// The whole head of a request, from its first byte.
    pub head: Duration,
    /// The whole body of a request.
    pub body: Duration,
    /// Nothing between two requests; nothing in either direction of an upgraded connection; no
    /// progress of a response that the client reads.
    pub idle: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            proxy_header: Duration::from_secs(3),
            handshake: Duration::from_secs(5),
            head: Duration::from_secs(10),
            body: Duration::from_secs(60),
            idle: Duration::from_secs(60),
        }
    }
}

/// How large and how many the parts of a connection may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Connections at a time of one address, over IPv6 of its /64: the PROXY source where there is one,
    /// else the TCP peer.
    pub connections_per_address: usize,
    /// Requests at a time that wait for their client with memory in their hands: parts of a body that no
    /// backend has yet, or of an answer that the client doesn't take.
    pub waiting_requests: usize,
    /// A request's head.
    pub head_bytes: ByteSize,
    /// A request's header fields.
    pub headers: usize,
    /// A request's target.
    pub target_bytes: ByteSize,
    /// A request's body.
    pub body_bytes: ByteSize,
    /// The slowest that a body may come, in bytes a second, once it took [`BODY_RATE_GRACE`].
    pub body_bytes_per_second_min: u64,
    /// The slowest that a client may take an answer, in bytes a second, once it let it wait for
    /// [`Deadlines::idle`] in all.
    pub answer_bytes_per_second_min: u64,
    /// Of connections that speak HTTP/2.
    pub http2: Http2Limits,
}

/// How much one connection that speaks HTTP/2 may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Http2Limits {
    /// Requests at a time (RFC 9113 section 5.1.2).
    pub streams: u32,
    /// Requests at a time of all connections of one address, counted likewise.
    pub streams_per_address: usize,
    /// Requests that the client resets, or has us reset, in a second, beyond as many as it takes the
    /// answers of.
    pub resets_per_second: u32,
    /// Frames that carry nothing, in a second, beyond those that answers make necessary.
    pub frames_per_second: u32,
}

impl Default for Http2Limits {
    fn default() -> Self {
        Self {
            streams: 100,
            streams_per_address: 1_000,
            resets_per_second: 20,
            frames_per_second: 200,
        }
    }
}

/// How long a body may be slower than `body_bytes_per_second_min`.
pub const BODY_RATE_GRACE: Duration = Duration::from_secs(5);

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            connections_per_address: 200,
            waiting_requests: 4_000,
            head_bytes: ByteSize::kib(32),
            headers: 100,
            target_bytes: ByteSize::kib(8),
            body_bytes: ByteSize::mib(128),
            body_bytes_per_second_min: 240,
            answer_bytes_per_second_min: 240,
            http2: Http2Limits::default(),
        }
    }
}

/// TLS of a listener. The files' contents were read and checked when the settings were.
#[derive(Clone, Debug)]
pub struct TlsSettings {
    /// The certificates; the first is the default, for clients whose SNI no certificate names.
    pub certificates: Vec<CertificateSettings>,
    /// Whether clients show a certificate.
    pub client_certificates: ClientCertificates,
}

/// A certificate and its key.
#[derive(Clone)]
pub struct CertificateSettings {
    /// Where the chain came from (PEM), for messages and for noticing changes.
    pub certificate: PathBuf,
    /// Where the private key came from (PEM).
    pub private_key: PathBuf,
    /// The chain and the key.
    pub key: Arc<rustls::sign::CertifiedKey>,
    /// The DNS names and addresses that the certificate is for, lower case; `*.` for wildcards.
    pub names: Vec<Box<str>>,
}

impl std::fmt::Debug for CertificateSettings {
    /// Never the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CertificateSettings")
            .field("certificate", &self.certificate)
            .field("private_key", &self.private_key)
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// Whether clients show a certificate.
#[derive(Clone, Debug)]
pub enum ClientCertificates {
    /// They aren't asked.
    Off,
    /// They are asked; one that is shown must be signed by these authorities.
    Optional(ClientAuthorities),
    /// They must show one, signed by these authorities.
    Required(ClientAuthorities),
}

/// Who signs clients' certificates, and takes some of them back.
#[derive(Clone, Debug)]
pub struct ClientAuthorities {
    /// The authorities.
    pub roots: Arc<rustls::RootCertStore>,
    /// Lists of what they and those that they signed have revoked (RFC 5280 section 5). Where there is none
    /// of an authority, all that it signed is good. A list counts beyond the time of its next update.
    pub revoked: Vec<CertificateRevocationListDer<'static>>,
}
