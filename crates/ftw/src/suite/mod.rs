//! Tests: what is sent, and what must come of it.

mod message;
mod output;
mod parse;
mod pattern;
mod template;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use palisade_vocabulary::Scheme;
use palisade_yaml::Location;

pub use message::{Message, Parts};
pub use output::{LogExpectations, Output};
pub use parse::parse_tests;
pub use pattern::Pattern;
pub use template::TEMPLATE_BYTES_MAX;

pub(crate) use message::Carried;
pub(crate) use output::read_output;

/// The name of a test: the rule that it is for, and its number among the tests of that rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TestId {
    /// The rule.
    pub rule_id: u64,
    /// The number, from 1.
    pub test_id: u64,
}

impl fmt::Display for TestId {
    /// `920100-4`, as go-ftw has it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.rule_id, self.test_id)
    }
}

/// A test: requests that are sent one after the other.
#[derive(Clone, Debug)]
pub struct Test {
    /// Its name.
    pub id: TestId,
    /// Where it is written.
    pub location: Location,
    /// What its author says about it; empty where there is nothing.
    pub description: String,
    /// At least one.
    pub stages: Vec<Stage>,
}

/// One request of a test, and what must come of it.
#[derive(Clone, Debug)]
pub struct Stage {
    /// The request.
    pub input: Input,
    /// What must come of it.
    pub output: Output,
}

/// A request, and where it goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// The server's address or name.
    pub dest_addr: String,
    /// The server's port.
    pub port: u16,
    /// How it is spoken to.
    pub scheme: Scheme,
    /// What is sent.
    pub message: Message,
    /// Whether cookies that earlier stages were given are sent.
    pub save_cookie: bool,
    /// Whether the request goes where the answer to the stage before it leads.
    pub follow_redirect: bool,
    /// Whether go-ftw's own requests, which mark places in the log, bear the test's `Host`. Changes nothing
    /// here: there are none.
    pub virtual_host_mode: bool,
}

impl Input {
    /// The server's address: that of the loopback interface where `dest_addr` is a name.
    #[must_use]
    pub fn server(&self) -> SocketAddr {
        let loopback = IpAddr::V4(Ipv4Addr::LOCALHOST);
        SocketAddr::new(self.dest_addr.parse().unwrap_or(loopback), self.port)
    }
}

#[cfg(test)]
mod tests;
