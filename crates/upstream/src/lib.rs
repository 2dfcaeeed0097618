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
//! | `keep_alive` | idle connections |
//! | `connect`, `tls` | new connections |

mod acquire;
mod address;
mod atomic;
mod connect;
mod health;
mod keep_alive;
mod pool;
mod rendezvous;
mod schedule;
mod server;
mod settings;
mod status;
mod tls;
mod upstreams;

#[cfg(test)]
mod tests;

pub use acquire::{AcquireError, Acquired, Attempt, AttemptObserver, Need};
pub use address::ServerAddress;
pub use connect::{ConnectError, ConnectStep, ProxySource};
pub use pool::{Pool, Tried};
pub use server::{InFlight, Server};
pub use settings::{
    Balance, ConnectRetry, Ejection, KeepAlive, PoolSettings, ProxyVersion, SERVERS_MAX,
    ServerSettings, Servers, SettingsError, Timeouts, Weight,
};
pub use status::{PoolStatus, ServerStatus};
pub use tls::{ClientCertificate, Roots, ServerTrust, TlsServerName, TlsSettings};
pub use upstreams::{BuildError, Upstreams};
