//! Settings that were checked: what each crate needs, in its own type.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use palisade_feeds::ListSettings;
use palisade_gate::settings::GateSettings;
use palisade_geo::GeoDatabases;
use palisade_proxy::ShadowSettings;
use palisade_proxy::settings::{ListenerSettings, ShutdownSettings};
use palisade_telemetry::LogSettings;
use palisade_upstream::PoolSettings;
use palisade_vocabulary::ByteSize;
use palisade_waf::RuleSets;

use crate::problem::Location;

/// All settings, valid by themselves and together: whoever has one needs no further check.
#[derive(Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Where local decisions and the last good ones of LAPI are kept; `None` = nothing is saved.
    pub state_directory: Option<PathBuf>,
    /// Whether the process gives up what a proxy has no use for.
    pub sandbox: bool,
    /// The listeners, at least one, no address twice.
    pub listeners: Vec<ListenerSettings>,
    /// The pools; each name once.
    pub upstreams: Vec<PoolSettings>,
    /// What the checks of a request read. Every upstream that a site names is one of `upstreams`,
    /// and every rule has an id of its own.
    pub gate: GateSettings,
    /// The databases that are configured and could be read.
    pub geo: Arc<GeoDatabases>,
    /// How LAPI is polled; `None` = it isn't.
    pub crowdsec: Option<palisade_crowdsec::Settings>,
    /// Block lists, allow lists, and the lists of access rules that servers have; each name of a
    /// purpose once.
    pub lists: Vec<ListSettings>,
    /// The rules in ModSecurity's language.
    pub waf: WafSettings,
    /// The metrics door; `None` = there is none.
    pub metrics: Option<MetricsSettings>,
    /// The admin door; `None` = there is none.
    pub admin: Option<AdminSettings>,
    /// How the process ends.
    pub shutdown: ShutdownSettings,
    /// The logs.
    pub logs: LogSettings,
    /// Where the files say what only the machine can refuse.
    pub places: Places,
}

/// Where the files say what only the machine can refuse, for its messages.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Places {
    /// The address of each listener, in their order.
    pub listeners: Vec<Location>,
    /// The metrics door.
    pub metrics: Location,
    /// The admin door's address.
    pub admin: Location,
    /// The admin door's socket.
    pub admin_socket: Location,
    /// The folder of what is saved.
    pub state_directory: Location,
    /// Whether the process gives up what it has no use for.
    pub sandbox: Location,
}

/// The rules in ModSecurity's language, compiled, and what they may take.
#[derive(Clone, Debug)]
pub struct WafSettings {
    /// What guards each site, in the order of `gate.sites`.
    pub rule_sets: RuleSets,
    /// The most memory that bodies take that are held until they are judged.
    pub body_memory: ByteSize,
    /// What rules may take that judge beside those in force.
    pub shadow: ShadowSettings,
}

/// The metrics door: `/metrics`, `/healthz`, `/readyz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricsSettings {
    /// Where it listens.
    pub address: SocketAddr,
}

/// The admin door: `/status` and local decisions. Has an address, a socket, or both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminSettings {
    /// Where it listens: a loopback address.
    pub address: Option<SocketAddr>,
    /// The Unix socket that it listens on.
    pub socket: Option<PathBuf>,
    /// The names, besides loopback ones, that a request to `address` may have as its Host: lower
    /// case, without port.
    pub hosts: Vec<Box<str>>,
}
