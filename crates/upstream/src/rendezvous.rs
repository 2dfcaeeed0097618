//! Which server a client belongs to: weighted rendezvous hashing (highest random weight).
//!
//! Each pair of client and server has a score that depends on nothing else, and the highest score
//! wins. So when a server goes, only its own clients move, and they spread over the others in
//! proportion to weight; when it comes back, exactly they return. The same in every process.
//!
//! Hot path: runs per request, allocates nothing.

use std::net::IpAddr;

use palisade_vocabulary::Ip;

use crate::settings::Weight;

/// The half of a score that a server gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerHash {
    hash: u64,
    weight: f64,
}

impl ServerHash {
    /// Of the server that is shown as `label`.
    pub(crate) fn new(label: &str, weight: Weight) -> Self {
        Self {
            hash: mix(fnv1a(label.as_bytes())),
            weight: f64::from(weight.get()),
        }
    }

    /// The score of this server for `client`, above 0.
    ///
    /// With u even in (0, 1), the largest of `weight / -ln(u)` belongs to each server with a
    /// probability in proportion to its weight.
    #[expect(
        clippy::cast_precision_loss,
        reason = "53 bits are what an f64 holds exactly"
    )]
    ///
    /// A server that has a share of its weight alone has that share of its score: clients come back
    /// to it one after the other, and each stays.
    pub(crate) fn score(self, client: ClientHash) -> f64 {
        let bits = (mix(client.0 ^ self.hash) >> 11) as f64;
        let even = (bits + 0.5) / (1_u64 << 53) as f64;
        self.weight / -even.ln()
    }
}

/// The half of a score that a client gives.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClientHash(u64);

impl ClientHash {
    /// Of `client`. Of IPv6 the first 64 bits count: that is one subscriber (RFC 6177), whose
    /// devices change the rest at will (RFC 8981).
    pub(crate) fn new(client: Ip) -> Self {
        let bits = match client.as_std() {
            // A value that no IPv6 subscriber has: 0000::/8 is reserved (RFC 4291 section 2.4).
            IpAddr::V4(v4) => u64::from(u32::from(v4)),
            IpAddr::V6(v6) => u64::try_from(u128::from(v6) >> 64).unwrap_or(0),
        };
        Self(mix(bits))
    }
}

/// The finaliser of SplitMix64: every bit of the input changes half of the output's.
const fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// FNV-1a: stable over processes and versions, which the standard library's hashes are not.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::net::{Ipv4Addr, Ipv6Addr};

    fn servers(weights: &[u16]) -> Vec<ServerHash> {
        weights
            .iter()
            .enumerate()
            .map(|(n, &weight)| {
                ServerHash::new(&format!("10.0.0.{n}:80"), Weight::new(weight).unwrap())
            })
            .collect()
    }

    fn winner(servers: &[ServerHash], client: Ip, without: Option<usize>) -> usize {
        let client = ClientHash::new(client);
        let scores = servers
            .iter()
            .map(|server| server.score(client))
            .enumerate();
        scores
            .filter(|(place, _)| Some(*place) != without)
            .max_by(|a, b| a.1.total_cmp(&b.1))
            .unwrap()
            .0
    }

    /// How many of 60,000 clients each server wins.
    fn shares(servers: &[ServerHash], without: Option<usize>) -> Vec<u32> {
        let mut shares = vec![0; servers.len()];
        for n in 0..60_000_u32 {
            shares[winner(servers, Ipv4Addr::from(0x0a00_0000 + n).into(), without)] += 1;
        }
        shares
    }

    #[track_caller]
    fn check(weights: &[u16], without: Option<usize>, expected: &[u32]) {
        let got = shares(&servers(weights), without);
        for (got, expected) in got.iter().zip(expected) {
            // Four standard deviations of a fair draw of 60,000 are under 500.
            assert!(got.abs_diff(*expected) < 500, "{got} for {expected}");
        }
    }

    #[test]
    fn clients_are_shared_by_weight() {
        check(&[1, 1, 1], None, &[20_000, 20_000, 20_000]);
        check(&[3, 2, 1], None, &[30_000, 20_000, 10_000]);
        check(&[256, 256], None, &[30_000, 30_000]);
    }

    #[test]
    fn the_clients_of_a_lost_server_spread_by_weight() {
        check(&[3, 2, 1], Some(0), &[0, 40_000, 20_000]);
    }

    #[test]
    fn an_ipv6_subscriber_is_one_client() {
        let servers = servers(&[1; 16]);
        let net = |net: u128, host: u128| Ip::from(Ipv6Addr::from((net << 64) | host));
        for n in 0..64 {
            let first = winner(&servers, net(0x2001_0db8_0000_0000 + n, 1), None);
            assert_eq!(
                winner(
                    &servers,
                    net(0x2001_0db8_0000_0000 + n, u128::from(u64::MAX)),
                    None
                ),
                first
            );
        }
    }

    #[test]
    fn the_choice_is_the_same_in_every_process() {
        let servers = servers(&[1; 8]);
        let got: Vec<usize> = (1..=8)
            .map(|n| winner(&servers, Ipv4Addr::new(192, 0, 2, n).into(), None))
            .collect();
        assert_eq!(got, GOLDEN);
    }

    const GOLDEN: [usize; 8] = [5, 6, 2, 1, 3, 7, 5, 3];

    proptest! {
        #[test]
        fn only_the_clients_of_a_lost_server_move(
            weights in prop::collection::vec(1_u16..=256, 2..=16),
            client: u32,
            lost: prop::sample::Index,
        ) {
            let servers = servers(&weights);
            let client = Ip::from(Ipv4Addr::from(client));
            let lost = lost.index(servers.len());
            let before = winner(&servers, client, None);
            let after = winner(&servers, client, Some(lost));
            prop_assert!(before == lost || before == after);
            prop_assert_ne!(after, lost);
        }

        #[test]
        fn scores_are_numbers(bits: u128, label in ".{0,20}", weight in 1_u16..=256) {
            let server = ServerHash::new(&label, Weight::new(weight).unwrap());
            let score = server.score(ClientHash::new(Ip::from(Ipv6Addr::from(bits))));
            prop_assert!(score.is_finite() && score > 0.0);
        }
    }
}
