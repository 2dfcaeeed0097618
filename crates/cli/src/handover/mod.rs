//! What a process and the one that takes its place say to each other.
//!
//! ```text
//! old: starts the new one ──────────────────────────▶ new: reads its settings
//!      ◀───────────────────────────────────── Loaded       opens nothing yet
//!      Inherited ───────────────────────────────────▶      gives up what it hasn't inherited
//!      ◀──────────────────────── Confined or Refused       can write where its settings say, or not
//! old: stops polling LAPI, takes no changes
//!      Decisions, Sockets ──────────────────────────▶      has them, asks LAPI
//!      ◀─────────────────────────────────── Prepared       could serve now
//!      Go ──────────────────────────────────────────▶      serves
//!      ◀──────────────────────────────────── Serving
//! old: tells systemd who is main now
//!      Main ────────────────────────────────────────▶      speaks to systemd
//! old: drains
//! ```
//!
//! Until `Go` the old one can end the new one without a client noticing; it serves until `Serving`.

mod channel;
mod predecessor;
mod program;
mod successor;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use palisade_confinement::{FilterNumber, Inherited};
use palisade_decisions::SourceId;
use serde::{Deserialize, Serialize};

pub(crate) use predecessor::{Line, Predecessor};
pub(crate) use program::Program;
pub(crate) use successor::Successor;

/// Which of these conversations this is. Another needs a restart.
const VERSION: u32 = 2;

/// Tells a process whose place it takes: the number of its parent, which its standard input leads to.
const PREDECESSOR: &str = "PALISADE_PREDECESSOR";

/// Sockets that go with one message; the kernel takes 253 (unix(7), `SCM_MAX_FD`).
const SOCKETS_MAX: usize = 64;

/// What one process says to the other.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(tag = "say", rename_all = "snake_case", deny_unknown_fields)]
enum Message {
    /// The settings are good.
    Loaded { version: u32 },
    /// What this process has given up, and so whoever it starts.
    Inherited {
        /// Where may be written.
        writable: Option<Vec<OsString>>,
        /// Which system calls there are.
        filter: Option<u64>,
    },
    /// As much is given up as the settings say.
    Confined,
    /// Too much is given up for the settings.
    Refused { why: String },
    /// All decisions of one source can be read from the pipe that comes with this.
    Decisions { source: Source },
    /// These sockets come with this, in this order.
    Sockets {
        sockets: Vec<SocketName>,
        /// Nothing follows.
        is_last: bool,
    },
    /// Everything is there to serve with.
    Prepared,
    /// Serve.
    Go,
    /// Connections are accepted.
    Serving,
    /// The service manager has been told.
    Main,
}

impl Message {
    fn inherited(of: &Inherited) -> Self {
        let writable = of.writable.as_ref();
        Self::Inherited {
            writable: writable.map(|places| places.iter().map(Into::into).collect()),
            filter: of.filter.map(FilterNumber::get),
        }
    }
}

/// What is handed over of the decision table.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Source {
    Local,
    CrowdSec,
}

impl Source {
    const ALL: [Self; 2] = [Self::Local, Self::CrowdSec];

    fn id(self) -> SourceId {
        match self {
            Self::Local => SourceId::Local,
            Self::CrowdSec => SourceId::CrowdSec,
        }
    }
}

/// What a socket is for, and where, as the settings say it.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SocketName {
    Listener(SocketAddr),
    Metrics(SocketAddr),
    Admin(SocketAddr),
    AdminSocket {
        path: PathBuf,
        /// Whether its file is removed in the end.
        is_ours: bool,
    },
}
