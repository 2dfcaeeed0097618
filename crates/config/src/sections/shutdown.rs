//! `shutdown`: how the process ends.

use palisade_proxy::settings::ShutdownSettings;

use crate::reader::{Defaulted, DurationIn, Key, Table, TableInfo};

pub(super) const SHUTDOWN: Table<ShutdownSettings> = Table {
    info: &INFO,
    lower: |fields| {
        let (delay, drain_time) = (fields.get(&DELAY), fields.get(&DRAIN_TIME));
        let upgrade_time = fields.get(&UPGRADE_TIME);
        Some(ShutdownSettings {
            delay: delay?,
            drain_time: drain_time?,
            upgrade_time: upgrade_time?,
        })
    },
};

static INFO: TableInfo = TableInfo {
    name: "shutdown",
    about: "How the process ends. Under systemd, TimeoutStopSec must be longer than both together.",
    keys: &[&DELAY, &DRAIN_TIME, &UPGRADE_TIME],
    later: &[],
};

static DELAY: Key<DurationIn, Defaulted> = Key::new(
    "delay",
    DurationIn::millis(0, 300_000),
    Defaulted("0s"),
    "How long requests are still served as ever once `/readyz` says no, so that load balancers notice before anything closes.",
);
static DRAIN_TIME: Key<DurationIn, Defaulted> = Key::new(
    "drain_time",
    DurationIn::millis(100, 3_600_000),
    Defaulted("30s"),
    "How long connections may then take to end what they are at. What isn't over by then is cut off, and logged.",
);
static UPGRADE_TIME: Key<DurationIn, Defaulted> = Key::new(
    "upgrade_time",
    DurationIn::millis(100, 3_600_000),
    Defaulted("30s"),
    "How long a process that takes this one's place (SIGQUIT) may take until it serves: to read the settings and to get an answer of LAPI. Else it is ended, and this one goes on.",
);
