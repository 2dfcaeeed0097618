//! Who is listed, and who isn't.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::net::Ipv4Addr;

use http::HeaderValue;

use crate::random::Random;

/// How many different clients send requests.
const CLIENTS: usize = 10_000;

/// Addresses that are refused: as block lists have them, 95 % single ones and 5 % ranges of 256.
#[derive(Clone, Debug, Default)]
pub struct Listed {
    singles: HashSet<Ipv4Addr>,
    ranges: HashSet<[u8; 3]>,
    order: Vec<(Ipv4Addr, bool)>,
}

impl Listed {
    /// `count` different ones; each seed has others, the same each time.
    #[must_use]
    pub fn new(count: usize, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let mut listed = Self::default();
        while listed.order.len() < count {
            let address = random.address();
            let [a, b, c, _] = address.octets();
            let is_range = random.below(20) == 0;
            let is_new = match is_range {
                true => listed.ranges.insert([a, b, c]),
                false => listed.singles.insert(address),
            };
            if is_new {
                listed.order.push((address, is_range));
            }
        }
        listed
    }

    /// Whether a client with this address is refused.
    #[must_use]
    pub fn contains(&self, address: Ipv4Addr) -> bool {
        let [a, b, c, _] = address.octets();
        self.singles.contains(&address) || self.ranges.contains(&[a, b, c])
    }

    /// The first that is a single address.
    #[must_use]
    pub fn any(&self) -> Option<Ipv4Addr> {
        self.any_not_in(&Self::default())
    }

    /// The first that is a single address which others don't list.
    #[must_use]
    pub fn any_not_in(&self, others: &Self) -> Option<Ipv4Addr> {
        let mut singles = self.order.iter().filter(|(_, is_range)| !is_range);
        let single = singles.find(|(address, _)| !others.contains(*address));
        single.map(|(address, _)| *address)
    }

    /// All, one a line.
    #[must_use]
    pub fn lines(&self) -> String {
        let mut lines = String::with_capacity(self.order.len() * 16);
        for text in self.texts() {
            lines.push_str(&text);
            lines.push('\n');
        }
        lines
    }

    /// What LAPI answers where these are `new`, or `deleted`.
    #[must_use]
    pub fn decisions(&self, member: &str) -> String {
        let other = if member == "new" { "deleted" } else { "new" };
        let mut document = format!("{{\"{other}\":null,\"{member}\":[");
        for (number, text) in self.texts().enumerate() {
            let (scope, comma) = (
                if text.contains('/') { "Range" } else { "Ip" },
                if number == 0 { "" } else { "," },
            );
            let (id, list) = (number + 1, number % 7);
            let _ = write!(
                document,
                r#"{comma}{{"duration":"23h59m59.123456789s","id":{id},"origin":"lists","scenario":"blocklist-{list}","scope":"{scope}","type":"ban","value":"{text}"}}"#
            );
        }
        document.push_str("]}");
        document
    }

    fn texts(&self) -> impl Iterator<Item = String> {
        self.order.iter().map(|(address, is_range)| {
            let [a, b, c, _] = address.octets();
            match is_range {
                true => format!("{a}.{b}.{c}.0/24"),
                false => address.to_string(),
            }
        })
    }
}

/// Clients that are in none of these lists, as X-Forwarded-For names them.
#[must_use]
pub fn benign_clients(listed: &[&Listed]) -> Vec<(Ipv4Addr, HeaderValue)> {
    let mut random = Random::new(7);
    let mut clients = Vec::with_capacity(CLIENTS);
    while clients.len() < CLIENTS {
        let address = random.address();
        if listed.iter().any(|listed| listed.contains(address)) {
            continue;
        }
        if let Ok(value) = HeaderValue::try_from(address.to_string()) {
            clients.push((address, value));
        }
    }
    clients
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_as_long_as_asked_and_no_client_is_on_one() {
        let (listed, others) = (Listed::new(5_000, 1), Listed::new(5_000, 2));
        assert_eq!(listed.lines().lines().count(), 5_000);
        let ranges = listed.lines().matches("/24").count();
        assert!((200..300).contains(&ranges), "5 %: {ranges}");
        assert_ne!(listed.lines(), others.lines());
        let clients = benign_clients(&[&listed, &others]);
        assert_eq!(clients.len(), CLIENTS);
        for (address, _) in clients {
            assert!(!listed.contains(address) && !others.contains(address));
        }
        assert!(listed.any().is_some_and(|address| listed.contains(address)));
    }

    #[test]
    fn lapi_says_them_in_its_own_words() {
        let listed = Listed::new(40, 1);
        for member in ["new", "deleted"] {
            let document: serde_json::Value =
                serde_json::from_str(&listed.decisions(member)).expect("JSON");
            let values = document[member].as_array().expect("a list");
            let values: Vec<&str> = values
                .iter()
                .filter_map(|decision| decision["value"].as_str())
                .collect();
            assert_eq!(values.join("\n"), listed.lines().trim_end());
        }
    }
}
