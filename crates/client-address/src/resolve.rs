//! Whose word about the client counts.
//!
//! The walk starts at the connection: its TCP peer, or the source of its PROXY header. While the
//! address in hand is a listed hop, the next value of the header that this hop is listed for is the
//! next address in hand. The first address that is no listed hop is the client.
//!
//! * Rules are asked in the order of the settings; the first whose `from` holds the address counts.
//! * A list header (X-Forwarded-For, Forwarded) is read from right to left over all its lines. A
//!   hop takes the next value that no hop before it took.
//! * A single-valued header is taken once, and only if it is there exactly once and is an address.
//! * Whatever is not an address ends the walk: absent, hidden, garbage, repeated. The hop in hand
//!   stays, so that it is a hop of ours that is blamed and never an address of somebody's choice.
//! * At most [`HOPS_MAX`] values are read.
//!
//! A client can choose its address only where every hop to the right of its own word is listed for
//! the header that it wrote. A header whose name has an underscore (`X_Forwarded_For`), which some
//! backends can't tell from the real one, is another header and never counts.

mod explain;
mod header;

#[cfg(test)]
mod tests;

use http::{HeaderMap, HeaderName};
use palisade_vocabulary::{CidrSet, ClientAddr, Ip, Provenance};

use crate::forwarded::{Node, Nodes, Single};

pub use explain::{HopFinding, HopStep, explain};
use header::HeaderKind;
pub(crate) use header::X_FORWARDED_FOR;
pub use header::{HopHeader, HopHeaderError};

/// The most values that are read for a request. A longer chain stops there: the last address that
/// was read is the client.
pub const HOPS_MAX: u8 = 32;

/// Hops, and the one header in which they tell whom they got a request from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopRule {
    /// The addresses of the hops.
    pub from: CidrSet,
    /// The header that they write.
    pub header: HopHeader,
}

/// The client of a request that came over `connection` (its TCP peer or PROXY source) with
/// `headers`, as the module's rules say.
///
/// Hot path: runs per request, allocates nothing.
#[must_use]
pub fn resolve(connection: &ClientAddr, headers: &HeaderMap, rules: &[HopRule]) -> ClientAddr {
    walk(connection, headers, rules, &mut Unobserved)
}

/// Hears of each step of the walk, and can't change it.
trait Observer {
    fn observe(&mut self, step: impl FnOnce() -> HopStep);
}

struct Unobserved;

impl Observer for Unobserved {
    fn observe(&mut self, _: impl FnOnce() -> HopStep) {}
}

fn walk(
    connection: &ClientAddr,
    headers: &HeaderMap,
    rules: &[HopRule],
    observer: &mut impl Observer,
) -> ClientAddr {
    // Made for the first listed hop: a request that came without one pays nothing for it.
    let mut reader = None;
    let mut in_hand = InHand::new(connection);
    for values_read in 0..=HOPS_MAX {
        let Some(rule) = rules.iter().find(|rule| rule.from.contains(in_hand.ip)) else {
            observer.observe(|| in_hand.step(HopFinding::NotListed));
            break;
        };
        if values_read == HOPS_MAX {
            observer.observe(|| in_hand.step(HopFinding::TooManyHops));
            break;
        }
        let reading = reader
            .get_or_insert_with(|| HeaderReader::new(headers))
            .read(&rule.header);
        observer.observe(|| {
            in_hand.step(HopFinding::Read {
                header: rule.header.label(),
                reading,
            })
        });
        let Reading::Address { ip, port, hop } = reading else {
            break;
        };
        in_hand = InHand {
            ip,
            port,
            told_by: Some((&rule.header, hop)),
        };
    }
    in_hand.into_client(connection)
}

/// The address that the walk has come to.
struct InHand<'a> {
    ip: Ip,
    port: Option<u16>,
    /// `None`: the connection.
    told_by: Option<(&'a HopHeader, u8)>,
}

impl InHand<'_> {
    fn new(connection: &ClientAddr) -> Self {
        Self {
            ip: connection.ip,
            port: connection.port,
            told_by: None,
        }
    }

    fn step(&self, finding: HopFinding) -> HopStep {
        HopStep {
            address: self.ip,
            finding,
        }
    }

    fn into_client(self, connection: &ClientAddr) -> ClientAddr {
        let provenance = match self.told_by {
            None => connection.provenance.clone(),
            Some((header, hop)) => Provenance::Header {
                name: header.label(),
                hop,
            },
        };
        ClientAddr {
            ip: self.ip,
            port: self.port,
            provenance,
        }
    }
}

/// What a hop's header says next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// An address.
    Address {
        /// The address.
        ip: Ip,
        /// The port, where one is told.
        port: Option<u16>,
        /// Which value it is, counted from the right.
        hop: u8,
    },
    /// The header is absent, or all its values were taken.
    Nothing,
    /// The value deliberately is no address.
    Hidden {
        /// Which value it is, counted from the right.
        hop: u8,
    },
    /// The value is garbage.
    Malformed {
        /// Which value it is, counted from the right.
        hop: u8,
    },
    /// A single-valued header came more than once.
    Repeated,
    /// A single-valued header was taken by a nearer hop.
    Taken,
}

impl Reading {
    fn of(node: Node, hop: u8) -> Self {
        match node {
            Node::Address { ip, port } => Self::Address { ip, port, hop },
            Node::Hidden => Self::Hidden { hop },
            Node::Malformed => Self::Malformed { hop },
        }
    }
}

/// The headers of one request, with what was taken from them.
struct HeaderReader<'a> {
    headers: &'a HeaderMap,
    x_forwarded_for: Option<ListReader<'a>>,
    forwarded: Option<ListReader<'a>>,
    /// Each taken header took one of the walk's steps, so there is always a free place.
    singles_taken: [Option<&'a HeaderName>; HOPS_MAX as usize],
}

struct ListReader<'a> {
    nodes: Nodes<'a>,
    values_taken: u8,
}

impl<'a> HeaderReader<'a> {
    fn new(headers: &'a HeaderMap) -> Self {
        Self {
            headers,
            x_forwarded_for: None,
            forwarded: None,
            singles_taken: [None; HOPS_MAX as usize],
        }
    }

    fn read(&mut self, header: &'a HopHeader) -> Reading {
        let headers = self.headers;
        match header.kind() {
            HeaderKind::XForwardedFor => self
                .x_forwarded_for
                .get_or_insert_with(|| {
                    ListReader::new(Nodes::x_forwarded_for(headers, header.name()))
                })
                .read(),
            HeaderKind::Forwarded => self
                .forwarded
                .get_or_insert_with(|| ListReader::new(Nodes::forwarded(headers)))
                .read(),
            HeaderKind::Single => self.read_single(header.name()),
        }
    }

    fn read_single(&mut self, name: &'a HeaderName) -> Reading {
        let free = self
            .singles_taken
            .iter_mut()
            .find(|place| place.is_none_or(|taken| taken == name));
        match free {
            Some(place @ None) => *place = Some(name),
            _ => return Reading::Taken,
        }
        match Single::read(self.headers, name) {
            Single::Absent => Reading::Nothing,
            Single::Repeated => Reading::Repeated,
            Single::One(node) => Reading::of(node, 1),
        }
    }
}

impl<'a> ListReader<'a> {
    fn new(nodes: Nodes<'a>) -> Self {
        Self {
            nodes,
            values_taken: 0,
        }
    }

    fn read(&mut self) -> Reading {
        self.values_taken = self.values_taken.saturating_add(1);
        match self.nodes.next() {
            Some(node) => Reading::of(node, self.values_taken),
            None => Reading::Nothing,
        }
    }
}
