//! What an operator may say about a pool of servers. Every type here is valid by construction.

mod health_check;
mod load;

use std::collections::HashSet;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use crate::address::ServerAddress;
use crate::tls::TlsSettings;

pub use health_check::{
    CheckPace, CheckThresholds, HealthCheck, HttpProbe, Probe, ProbeMethod, StatusRange,
    StatusRanges,
};
pub use load::{ConnectionLimit, Queueing, RetryBudget, SlowStart, WhenAllDown};

/// The most servers that a pool may have: a server's place in it is a byte, and the set of those
/// that were tried already is four words.
pub const SERVERS_MAX: usize = 256;

/// Everything about one pool of servers (an entry of `upstreams:`).
///
/// Each field is valid by itself and none restricts another, so all are public.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolSettings {
    /// The name that sites refer to; also the label in metrics.
    pub name: Arc<str>,
    /// The servers, at least one.
    pub servers: Servers,
    /// How a request finds its server.
    pub balance: Balance,
    /// What is spoken with the servers.
    pub protocol: Protocol,
    /// How long each step with a server may take.
    pub timeouts: Timeouts,
    /// The PROXY header that is sent first on each connection, if any. Such a connection speaks
    /// for one client and is reused for no other.
    pub proxy_protocol: Option<ProxyVersion>,
    /// How connections are encrypted; `None` is plain TCP.
    pub tls: Option<TlsSettings>,
    /// What is kept of connections that no request uses.
    pub keep_alive: KeepAlive,
    /// When a failing server is left out for a while; `None` is never.
    pub ejection: Option<Ejection>,
    /// How a connect that failed is tried on another server.
    pub connect_retry: ConnectRetry,
    /// How many requests that a server may have seen may be sent a second time; `None` is none.
    pub retry_budget: Option<RetryBudget>,
    /// How Palisade itself finds out whether servers work; `None` is from requests alone.
    pub health_check: Option<HealthCheck>,
    /// How a server that comes back gets its share; `None` is at once.
    pub slow_start: Option<SlowStart>,
    /// What becomes of requests while all servers are out.
    pub when_all_down: WhenAllDown,
    /// How many requests each server gets at the same time; `None` is any number.
    pub connection_limit: Option<ConnectionLimit>,
    /// Whom the names of servers are looked up with; `None` is as the system says
    /// (`/etc/resolv.conf`, `/etc/hosts`).
    pub resolver: Option<SocketAddr>,
}

impl PoolSettings {
    /// A pool of plain servers with defaults for all else.
    #[must_use]
    pub fn new(name: impl Into<Arc<str>>, servers: Servers) -> Self {
        Self {
            name: name.into(),
            servers,
            balance: Balance::default(),
            protocol: Protocol::default(),
            timeouts: Timeouts::default(),
            proxy_protocol: None,
            tls: None,
            keep_alive: KeepAlive::default(),
            ejection: Some(Ejection::default()),
            connect_retry: ConnectRetry::default(),
            retry_budget: Some(RetryBudget::default()),
            health_check: None,
            slow_start: None,
            when_all_down: WhenAllDown::default(),
            connection_limit: None,
            resolver: None,
        }
    }
}

/// The servers of a pool: 1 to [`SERVERS_MAX`], no two with the same address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Servers(Vec<ServerSettings>);

impl Servers {
    /// These servers, in this order.
    ///
    /// # Errors
    /// When there is none, there are too many, or an address is there twice.
    pub fn new(servers: Vec<ServerSettings>) -> Result<Self, SettingsError> {
        if servers.is_empty() {
            return Err(SettingsError::NoServers);
        }
        if servers.len() > SERVERS_MAX {
            return Err(SettingsError::TooManyServers(servers.len()));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = servers.iter().find(|server| !seen.insert(&server.address)) {
            return Err(SettingsError::ServerTwice(twice.address.clone()));
        }
        Ok(Self(servers))
    }

    /// The servers in the operator's order.
    #[must_use]
    pub fn as_slice(&self) -> &[ServerSettings] {
        &self.0
    }
}

/// One server of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerSettings {
    /// Where it listens.
    pub address: ServerAddress,
    /// Its share of the requests.
    pub weight: Weight,
}

impl From<ServerAddress> for ServerSettings {
    /// With weight 1.
    fn from(address: ServerAddress) -> Self {
        Self {
            address,
            weight: Weight::default(),
        }
    }
}

/// A server's share of its pool's requests, in proportion to the other weights: 1 to 256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Weight(u16);

impl Weight {
    /// The heaviest.
    pub const MAX: u16 = 256;

    /// The weight `weight`.
    ///
    /// # Errors
    /// When it isn't in 1 to 256.
    pub fn new(weight: u16) -> Result<Self, SettingsError> {
        if (1..=Self::MAX).contains(&weight) {
            Ok(Self(weight))
        } else {
            Err(SettingsError::Weight(weight))
        }
    }

    /// The number, 1 to 256.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for Weight {
    fn default() -> Self {
        Self(1)
    }
}

/// How a request finds its server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Balance {
    /// In turn, each as often as its weight says.
    #[default]
    RoundRobin,
    /// The one with the fewest requests in flight for its weight.
    LeastConnections,
    /// Always the same one for the same client (an IPv6 client is its /64).
    ClientAddress,
}

impl Balance {
    /// The name in settings and `/status`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RoundRobin => "round_robin",
            Self::LeastConnections => "least_connections",
            Self::ClientAddress => "client_address",
        }
    }
}

/// What is spoken with the servers of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1: one request at a time on each connection.
    #[default]
    Http1,
    /// HTTP/2: many requests at a time; without TLS by prior knowledge (RFC 9113 section 3.3).
    Http2,
    /// What the server chooses in the TLS handshake (ALPN, RFC 7301); HTTP/1.1 without TLS.
    Auto,
}

/// Which PROXY header a backend gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyVersion {
    /// The text form (PROXY protocol section 2.1).
    V1,
    /// The binary form (PROXY protocol section 2.2).
    V2,
}

/// How long each step with a server may take: 1 ms to 24 h each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    connect: Duration,
    read: Duration,
    write: Duration,
}

impl Timeouts {
    /// These timeouts.
    ///
    /// # Errors
    /// When one isn't in 1 ms to 24 h.
    pub fn new(connect: Duration, read: Duration, write: Duration) -> Result<Self, SettingsError> {
        const RANGE: RangeInclusive<Duration> =
            Duration::from_millis(1)..=Duration::from_secs(24 * 3600);
        Ok(Self {
            connect: within("timeouts.connect", connect, RANGE)?,
            read: within("timeouts.read", read, RANGE)?,
            write: within("timeouts.write", write, RANGE)?,
        })
    }

    /// For one connection to be ready: name look-up, TCP and TLS together.
    #[must_use]
    pub const fn connect(self) -> Duration {
        self.connect
    }

    /// Between two reads of an answer.
    #[must_use]
    pub const fn read(self) -> Duration {
        self.read
    }

    /// For one write of a request to be taken.
    #[must_use]
    pub const fn write(self) -> Duration {
        self.write
    }
}

impl Default for Timeouts {
    /// 2 s to connect, 60 s for a read or a write.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(2),
            read: Duration::from_secs(60),
            write: Duration::from_secs(60),
        }
    }
}

/// What is kept of connections that no request uses, for each server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepAlive {
    idle_connections_max: u16,
    idle_timeout: Duration,
}

impl KeepAlive {
    /// The most idle connections that can be asked for; a sweep looks at each.
    pub const IDLE_CONNECTIONS_MAX: u16 = 4096;

    /// At most `idle_connections_max` (0 is none) for each server, each for at most
    /// `idle_timeout`.
    ///
    /// # Errors
    /// When there are over 4,096 connections, or the timeout isn't in 1 ms to 1 h.
    pub fn new(idle_connections_max: u16, idle_timeout: Duration) -> Result<Self, SettingsError> {
        if idle_connections_max > Self::IDLE_CONNECTIONS_MAX {
            return Err(SettingsError::IdleConnections(idle_connections_max));
        }
        const RANGE: RangeInclusive<Duration> =
            Duration::from_millis(1)..=Duration::from_secs(3600);
        Ok(Self {
            idle_connections_max,
            idle_timeout: within("keep_alive.idle_timeout", idle_timeout, RANGE)?,
        })
    }

    /// The most idle connections of one server.
    #[must_use]
    pub const fn idle_connections_max(self) -> u16 {
        self.idle_connections_max
    }

    /// How long a connection may be idle and still be used again.
    #[must_use]
    pub const fn idle_timeout(self) -> Duration {
        self.idle_timeout
    }
}

impl Default for KeepAlive {
    /// 256 connections a server, 60 s: under the 75 s after which nginx, the most usual backend,
    /// closes an idle connection itself.
    fn default() -> Self {
        Self {
            idle_connections_max: 256,
            idle_timeout: Duration::from_secs(60),
        }
    }
}

/// When a server that fails is left out for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ejection {
    consecutive_failures: u16,
    period: Duration,
}

impl Ejection {
    /// How often the period can double: 32 periods are the longest that a server is left out
    /// before it is tried again.
    pub const DOUBLINGS_MAX: u32 = 5;

    /// After `consecutive_failures` without an answer in between, for `period`; while it goes on
    /// failing, for twice as long each time up to 32 times.
    ///
    /// # Errors
    /// When there isn't at least one failure, or the period isn't in 1 ms to 1 h.
    pub fn new(consecutive_failures: u16, period: Duration) -> Result<Self, SettingsError> {
        const RANGE: RangeInclusive<Duration> =
            Duration::from_millis(1)..=Duration::from_secs(3600);
        if consecutive_failures == 0 {
            return Err(SettingsError::NoFailures);
        }
        Ok(Self {
            consecutive_failures,
            period: within("ejection.period", period, RANGE)?,
        })
    }

    /// How many failures in a row eject a server, at least 1.
    #[must_use]
    pub const fn consecutive_failures(self) -> u16 {
        self.consecutive_failures
    }

    /// How long the first ejection lasts.
    #[must_use]
    pub const fn period(self) -> Duration {
        self.period
    }
}

impl Default for Ejection {
    /// 3 failures, 10 s.
    fn default() -> Self {
        Self {
            consecutive_failures: 3,
            period: Duration::from_secs(10),
        }
    }
}

/// How a connect that failed is tried on another server, each server at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectRetry {
    attempts_max: u8,
    within: Duration,
}

impl ConnectRetry {
    /// At most `attempts_max` connects for a request, the first included (1 is no retry), all of
    /// them in `within`.
    ///
    /// # Errors
    /// When there are not 1 to 16 attempts, or the time isn't in 1 ms to 1 h.
    pub fn new(attempts_max: u8, total: Duration) -> Result<Self, SettingsError> {
        const RANGE: RangeInclusive<Duration> =
            Duration::from_millis(1)..=Duration::from_secs(3600);
        if !(1..=16).contains(&attempts_max) {
            return Err(SettingsError::Attempts(attempts_max));
        }
        Ok(Self {
            attempts_max,
            within: within("connect_retry.within", total, RANGE)?,
        })
    }

    /// The most connects for one request.
    #[must_use]
    pub const fn attempts_max(self) -> u8 {
        self.attempts_max
    }

    /// The time for all of them together.
    #[must_use]
    pub const fn within(self) -> Duration {
        self.within
    }
}

impl Default for ConnectRetry {
    /// 3 attempts in 5 s.
    fn default() -> Self {
        Self {
            attempts_max: 3,
            within: Duration::from_secs(5),
        }
    }
}

fn within(
    key: &'static str,
    got: Duration,
    range: RangeInclusive<Duration>,
) -> Result<Duration, SettingsError> {
    if range.contains(&got) {
        return Ok(got);
    }
    let (min, max) = range.into_inner();
    Err(SettingsError::Duration { key, got, min, max })
}

/// What is wrong with the settings of a pool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The text is no address of a server.
    #[error("\"{0}\" is not a server; expected ADDRESS:PORT, [IPV6]:PORT or HOST:PORT")]
    NotAServerAddress(String),
    /// Nothing can be connected to this address.
    #[error("no server can be at {0}; expected the address that it listens on and its port")]
    NoPlaceToConnect(SocketAddr),
    /// A pool without a server.
    #[error("no servers; expected at least one")]
    NoServers,
    /// More servers than a pool can have.
    #[error("{0} servers; at most {SERVERS_MAX} in one upstream")]
    TooManyServers(usize),
    /// The same server twice in one pool.
    #[error("server {0} is listed twice; give it a `weight` to send it more requests")]
    ServerTwice(ServerAddress),
    /// A weight out of bounds.
    #[error("weight {0}; expected 1 to {max}", max = Weight::MAX)]
    Weight(u16),
    /// A number of attempts out of bounds.
    #[error("{0} connect attempts; expected 1 (no retry) to 16")]
    Attempts(u8),
    /// More idle connections than can be kept.
    #[error("{0} idle connections; at most {max} a server", max = KeepAlive::IDLE_CONNECTIONS_MAX)]
    IdleConnections(u16),
    /// Ejection after no failure at all.
    #[error("ejection after 0 failures; expected at least 1, or ejection turned off")]
    NoFailures,
    /// A number of connections out of bounds.
    #[error("{0} connections; expected 1 to {max} a server", max = ConnectionLimit::CONNECTIONS_MAX)]
    Connections(u32),
    /// A queue that is too long.
    #[error("a queue of {0} requests; expected at most {max}", max = Queueing::LENGTH_MAX)]
    QueueLength(u32),
    /// A retry budget out of bounds.
    #[error(
        "a retry budget of {percent} % and {reserve} at once; expected 1 to 100 % and 1 to {max}",
        max = RetryBudget::RESERVE_MAX
    )]
    RetryBudget {
        /// The part of the requests.
        percent: u8,
        /// The retries at once.
        reserve: u16,
    },
    /// What can't be the path of a health check.
    #[error("\"{0}\" is not the path of a health check; expected one like /healthz")]
    CheckPath(String),
    /// What can't be the host of a health check.
    #[error("\"{0}\" is not the host of a health check; expected one like app.internal")]
    CheckHost(String),
    /// What is no range of statuses.
    #[error("\"{0}\" is no range of statuses; expected one like 204 or 200-399")]
    StatusRange(String),
    /// No statuses, or too many ranges.
    #[error("{0} ranges of statuses; expected 1 to {max}", max = StatusRanges::RANGES_MAX)]
    StatusRanges(usize),
    /// A number of results out of bounds.
    #[error("health_check.{key} is {got}; expected 1 to 100")]
    CheckThreshold {
        /// The key.
        key: &'static str,
        /// What was got.
        got: u16,
    },
    /// A duration out of bounds.
    #[error("{key} is {got:?}; expected {min:?} to {max:?}")]
    Duration {
        /// The key of the duration.
        key: &'static str,
        /// What was got.
        got: Duration,
        /// The shortest that is possible.
        min: Duration,
        /// The longest that is possible.
        max: Duration,
    },
    /// A name that no certificate can be for.
    #[error("\"{0}\" is not a server name; expected a DNS name or an IP address, without a port")]
    NotAServerName(String),
    /// PEM text without what it should hold, or broken.
    #[error("{what}: {problem}")]
    Pem {
        /// What the text should hold.
        what: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The system has no certificates of authorities.
    #[error(
        "the system has no trusted certificate authorities ({0}); \
         install ca-certificates, or name the authority of these servers"
    )]
    NoSystemRoots(String),
    /// rustls refuses the certificates or the key.
    #[error("{what} can't be used: {problem}")]
    Tls {
        /// Which part.
        what: &'static str,
        /// What rustls says.
        problem: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn server(text: &str) -> ServerSettings {
        ServerSettings::from(text.parse::<ServerAddress>().unwrap())
    }

    #[track_caller]
    fn check<T>(got: Result<T, SettingsError>, expected: &str) {
        let text = got.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert_eq!(text, expected);
    }

    #[test]
    fn a_pool_has_servers_and_each_once() {
        check(Servers::new(vec![]), "no servers; expected at least one");
        check(Servers::new(vec![server("a:1"), server("a:2")]), "ok");
        check(
            Servers::new(vec![server("a:1"), server("b:1"), server("A:1")]),
            "server a:1 is listed twice; give it a `weight` to send it more requests",
        );
        let many = |count: u16| {
            (1..=count)
                .map(|port| server(&format!("a:{port}")))
                .collect()
        };
        check(Servers::new(many(256)), "ok");
        check(
            Servers::new(many(257)),
            "257 servers; at most 256 in one upstream",
        );
    }

    #[test]
    fn numbers_have_bounds() {
        check(Weight::new(0), "weight 0; expected 1 to 256");
        check(Weight::new(1), "ok");
        check(Weight::new(256), "ok");
        check(Weight::new(257), "weight 257; expected 1 to 256");
        let second = Duration::from_secs(1);
        check(Timeouts::new(second, second, second), "ok");
        check(
            Timeouts::new(second, Duration::ZERO, second),
            "timeouts.read is 0ns; expected 1ms to 86400s",
        );
        check(KeepAlive::new(0, second), "ok");
        check(
            KeepAlive::new(4097, second),
            "4097 idle connections; at most 4096 a server",
        );
        check(
            KeepAlive::new(1, Duration::MAX),
            "keep_alive.idle_timeout is 18446744073709551615.999999999s; expected 1ms to 3600s",
        );
        check(
            Ejection::new(0, second),
            "ejection after 0 failures; expected at least 1, or ejection turned off",
        );
        check(Ejection::new(1, Duration::from_millis(1)), "ok");
        check(
            ConnectRetry::new(17, second),
            "17 connect attempts; expected 1 (no retry) to 16",
        );
        check(ConnectRetry::new(1, second), "ok");
    }

    #[test]
    fn defaults_are_valid() {
        let timeouts = Timeouts::default();
        assert_eq!(
            Timeouts::new(timeouts.connect(), timeouts.read(), timeouts.write()),
            Ok(timeouts)
        );
        let keep = KeepAlive::default();
        assert_eq!(
            KeepAlive::new(keep.idle_connections_max(), keep.idle_timeout()),
            Ok(keep)
        );
        let ejection = Ejection::default();
        assert_eq!(
            Ejection::new(ejection.consecutive_failures(), ejection.period()),
            Ok(ejection)
        );
        let retry = ConnectRetry::default();
        assert_eq!(
            ConnectRetry::new(retry.attempts_max(), retry.within()),
            Ok(retry)
        );
    }
}
