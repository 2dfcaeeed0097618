//! What is to be measured.

use std::path::PathBuf;
use std::time::Duration;

use crate::loopback::Loopback;
use crate::palisade::Setting;
use crate::peers::Peer;
use crate::transport::Transport;
use crate::workload::{Kind, Values};

/// A part of the figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// Processor time a request, by kind of request, on connections that stay open.
    Requests,
    /// Processor time a request, by how requests are carried.
    Connections,
    /// Latency at a fixed rate.
    Latency,
    /// Memory, at rest and for idle connections.
    Memory,
}

impl Part {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 4] = [
        Self::Requests,
        Self::Connections,
        Self::Latency,
        Self::Memory,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Connections => "connections",
            Self::Latency => "latency",
            Self::Memory => "memory",
        }
    }
}

/// A server that runs already.
#[derive(Clone, Debug)]
pub struct Running {
    /// What the table calls it.
    pub name: String,
    /// Where it listens.
    pub door: Loopback,
}

/// What is to be measured, and how.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Palisade's binary.
    pub program: PathBuf,
    /// What Palisade is told to do: a process each.
    pub settings: Vec<Setting>,
    /// The other servers.
    pub peers: Vec<&'static Peer>,
    /// And those that run already.
    pub running: Vec<Running>,
    /// Which figures are taken.
    pub parts: Vec<Part>,
    /// Which requests are sent.
    pub kinds: Vec<Kind>,
    /// Whether their values come again.
    pub values: Values,
    /// How they are carried.
    pub transports: Vec<Transport>,
    /// How often each figure is taken, once more for warming up.
    pub rounds: u32,
    /// How long a server is loaded at a time.
    pub turn: Duration,
    /// How long it is loaded at a time at a fixed rate.
    pub window: Duration,
    /// Clients at a time.
    pub clients: usize,
    /// Idle connections at a time.
    pub idle: usize,
    /// Threads, or processes, that serve requests, of each server.
    pub workers: u16,
    /// The folder of OWASP CRS.
    pub crs: Option<PathBuf>,
    /// A database that tells countries, in MaxMind's format.
    pub country_database: Option<PathBuf>,
}

impl Plan {
    /// How tables call a Palisade with this setting.
    #[must_use]
    pub fn title(&self, setting: Setting) -> &'static str {
        setting.title(self.country_database.is_some())
    }
}
