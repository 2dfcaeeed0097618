//! Clients: those that ask again when they are answered, and those that ask when it is time to.

mod closed;
mod connection;
mod open;
mod tls;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

pub use closed::Clients;
pub use connection::Connection;
pub use open::{Offer, open};
pub use tls::{Certificate, ClientTls};

use crate::transport::Transport;

/// Whom requests are sent to, and how.
#[derive(Clone, Debug)]
pub struct Target {
    /// The server's address.
    pub door: SocketAddr,
    /// How requests are carried.
    pub transport: Transport,
    /// What TLS needs.
    pub tls: ClientTls,
}

/// What came of requests.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Answers, by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Requests without a whole answer.
    pub failed: u64,
    /// What became of one of them.
    pub failure: Option<String>,
    /// Attacks that were answered with another status than 403.
    pub passed_attacks: u64,
    /// Harmless requests that were answered with another status than 200.
    pub refused: u64,
    /// Connections that were opened, and those of them whose TLS session was resumed.
    pub connections: u64,
    /// The latter.
    pub resumed: u64,
    /// From the first request to the last answer.
    pub took: Duration,
}

impl Tally {
    /// Whole answers.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.statuses.values().sum()
    }

    fn count(&mut self, status: u16, is_attack: bool) {
        *self.statuses.entry(status).or_default() += 1;
        match is_attack {
            true => self.passed_attacks += u64::from(status != 403),
            false => self.refused += u64::from(status != 200),
        }
    }

    fn fail(&mut self, error: &std::io::Error) {
        self.failed += 1;
        self.failure.get_or_insert_with(|| error.to_string());
    }

    fn add(&mut self, other: Self) {
        for (status, count) in other.statuses {
            *self.statuses.entry(status).or_default() += count;
        }
        self.failed += other.failed;
        self.failure = self.failure.take().or(other.failure);
        self.passed_attacks += other.passed_attacks;
        self.refused += other.refused;
        self.connections += other.connections;
        self.resumed += other.resumed;
    }
}
