//! What the doors show and change.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use arc_swap::ArcSwapOption;
use palisade_confinement::Confinement;
use palisade_crowdsec::{LapiStatus, UsageStatus};
use palisade_feeds::Lists;
use palisade_proxy::{Listeners, Shared};
use palisade_telemetry::Report;
use tokio::sync::RwLock;

use crate::local_decisions::LocalDecisions;
use crate::reload_status::ReloadStatus;

/// What the doors show and change.
pub struct AdminContext {
    /// The version of Palisade.
    pub version: &'static str,
    /// What the process gave up at its start.
    pub confinement: Arc<Confinement>,
    /// When the process began; its clock's zero is the same moment.
    pub started: SystemTime,
    /// What all connections share.
    pub shared: Arc<Shared>,
    /// The listeners that are open. A reload may change them.
    pub listeners: Listeners,
    /// Turns true when the process is about to end: before it drains.
    pub leaving: AtomicBool,
    /// The operator's own decisions.
    pub local: Arc<LocalDecisions>,
    /// Held to write by who hands the decisions to another process: they can't be changed then.
    pub changes: Arc<RwLock<()>>,
    /// How the polls of LAPI go; nothing where the settings name none. A reload may change it.
    pub lapi: ArcSwapOption<LapiStatus>,
    /// How the reports of usage to LAPI go; nothing where there are none.
    pub usage: ArcSwapOption<UsageStatus>,
    /// The lists from files and servers.
    pub lists: Arc<Lists>,
    /// How reading the settings went.
    pub reload: Arc<ReloadStatus>,
    /// Who is told of changes that somebody made.
    pub report: Arc<dyn Report>,
}
