//! Pools of backend servers: balancing, connecting, ejection.
//!
//! Knows servers and connections; never what a request asks for or whether it may pass.

mod address;
mod settings;
mod tls;

pub use address::ServerAddress;
pub use settings::{
    Balance, ConnectRetry, Ejection, KeepAlive, PoolSettings, ProxyVersion, SERVERS_MAX,
    ServerSettings, Servers, SettingsError, Timeouts, Weight,
};
pub use tls::{ClientCertificate, Roots, ServerTrust, TlsServerName, TlsSettings};
