//! Pools of backend servers: balancing, connecting, ejection.
//!
//! Knows servers and connections; never what a request asks for or whether it may pass.
//!
//! The way of a request through it: [`Pool::acquire`] picks a server, takes an idle connection or
//! opens one, and counts the request as in flight. Whoever sends the request tells
//! [`InFlight`] how it went and gives the connection back.
//!
//! | file | knows |
//! |---|---|
//! | `acquire` | keep-alive first, else connect, else another server |
//! | `pool` | which server |
//! | `schedule`, `rendezvous` | whose turn it is; whose client it is |
//! | `health` | failures, ejection, trial |
//! | `slow_start` | the share of a server that comes back |
//! | `queue` | who waits for a server with room |
//! | `retry_budget` | how many requests may be sent twice |
//! | `attendance` | what runs beside the requests: checks and look-ups |
//! | `check_state`, `probe` | what checks found out; one check |
//! | `names` | the addresses of host names |
//! | `own_doors` | where no connection may lead |
//! | `keep_alive` | idle connections |
//! | `open_connections` | how many there are of one server, idle or not |
//! | `http2` | connections that many requests share |
//! | `connect`, `tls` | new connections |

mod acquire;
mod address;
mod atomic;
mod attendance;
mod check_state;
mod connect;
mod health;
mod http2;
mod keep_alive;
mod names;
mod open_connections;
mod own_doors;
mod pool;
mod probe;
mod queue;
mod rendezvous;
mod retry_budget;
mod schedule;
mod server;
mod settings;
mod slow_start;
mod status;
mod tls;
mod upstreams;

#[cfg(test)]
mod tests;

pub use acquire::{AcquireError, Acquired, Attempt, AttemptObserver, Channel, Need};
pub use address::ServerAddress;
pub use attendance::{Attendance, ServerEvent, ServerNews};
pub use check_state::CheckFailure;
pub use connect::{ConnectError, ConnectStep, ProxySource};
pub use http2::{HTTP2_CONNECTIONS_MAX, Http2Slot, STREAM_WINDOW_BYTES, STREAMS_MAX};
pub use own_doors::{OwnDoor, OwnDoors};
pub use pool::{NoServer, Pool, Tried};
pub use server::{InFlight, Server};
pub use settings::{
    Balance, CheckPace, CheckThresholds, ConnectRetry, ConnectionLimit, Ejection, HealthCheck,
    HttpProbe, KeepAlive, PoolSettings, Probe, ProbeMethod, Protocol, ProxyVersion, Queueing,
    RetryBudget, SERVERS_MAX, ServerSettings, Servers, SettingsError, SlowStart, StatusRange,
    StatusRanges, Timeouts, Weight, WhenAllDown,
};
pub use status::{CheckStatus, NameStatus, PoolStatus, ServerStatus};
pub use tls::{ClientCertificate, Roots, ServerTrust, TlsServerName, TlsSettings};
pub use upstreams::{BuildError, Upstreams};
