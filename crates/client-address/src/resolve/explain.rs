//! The walk to the client, step by step, in words.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use palisade_vocabulary::{ClientAddr, Ip};

use super::{HOPS_MAX, HopRule, Observer, Reading, walk};

/// One step of the walk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopStep {
    /// The address in hand.
    pub address: Ip,
    /// What was found about it.
    pub finding: HopFinding,
}

/// What was found about an address in hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HopFinding {
    /// No rule lists it: it is the client.
    NotListed,
    /// It is a listed hop, and its header was read.
    Read {
        /// The name of the header that it is listed for, lower case.
        header: Arc<str>,
        /// What the header says; unless an address, the hop counts as the client.
        reading: Reading,
    },
    /// It is a listed hop, but no more values are read: it counts as the client.
    TooManyHops,
}

/// The steps by which [`resolve`](super::resolve) finds the client; the same code, watched.
///
/// At least one step, at most [`HOPS_MAX`] and one.
#[must_use]
pub fn explain(connection: &ClientAddr, headers: &HeaderMap, rules: &[HopRule]) -> Vec<HopStep> {
    let mut steps = Steps(Vec::new());
    walk(connection, headers, rules, &mut steps);
    steps.0
}

struct Steps(Vec<HopStep>);

impl Observer for Steps {
    fn observe(&mut self, step: impl FnOnce() -> HopStep) {
        self.0.push(step());
    }
}

impl fmt::Display for HopStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let address = self.address;
        match &self.finding {
            HopFinding::NotListed => write!(
                f,
                "{address} is in no client_address rule: it is the client"
            ),
            HopFinding::TooManyHops => write!(
                f,
                "{address} is a listed hop, but {HOPS_MAX} values were read: it counts as the client"
            ),
            HopFinding::Read { header, reading } => write_reading(f, address, header, *reading),
        }
    }
}

fn write_reading(
    f: &mut fmt::Formatter<'_>,
    address: Ip,
    header: &str,
    reading: Reading,
) -> fmt::Result {
    write!(f, "{address} is listed for {header}, ")?;
    match reading {
        Reading::Address { ip, hop, .. } => {
            return write!(f, "whose value {hop} from the right is {ip}");
        }
        Reading::Nothing => f.write_str("which has no value for it")?,
        Reading::Hidden { hop } => write!(f, "whose value {hop} from the right hides the address")?,
        Reading::Malformed { hop } => {
            write!(f, "whose value {hop} from the right is not an address")?
        }
        Reading::Repeated => f.write_str("which came more than once")?,
        Reading::Taken => f.write_str("which a nearer hop already took")?,
    }
    f.write_str(": it counts as the client")
}
