//! Databases of places. Input: an mmdb file.

use std::net::{Ipv4Addr, Ipv6Addr};

use palisade_geo::{Fact, GeoDatabase};
use palisade_vocabulary::{Asn, Country, Ip, Known};

use crate::{Outcome, check_message};

/// A database that loads answers every address, the same way each time.
pub fn check(data: &[u8]) -> Outcome {
    let country = check_fact::<Country>(data);
    let asn = check_fact::<Asn>(data);
    match (country, asn) {
        (Outcome::Refused, Outcome::Refused) => Outcome::Refused,
        _ => Outcome::Accepted,
    }
}

fn check_fact<F: Fact + PartialEq + std::fmt::Debug>(data: &[u8]) -> Outcome {
    let database = match GeoDatabase::<F>::from_bytes(data) {
        Ok(database) => database,
        Err(error) => {
            check_message(&error.to_string());
            return Outcome::Refused;
        }
    };
    for ip in addresses(data) {
        let found = database.look_up(ip);
        assert!(
            found != Known::Unavailable,
            "{ip}: a database that is there is not available"
        );
        assert_eq!(database.look_up(ip), found);
    }
    Outcome::Accepted
}

/// The ends of the address space, some in between, and some that the bytes themselves make.
fn addresses(data: &[u8]) -> impl Iterator<Item = Ip> {
    let fixed = [0, 1, 0xc000_0201, 0x7fff_ffff, 0x8000_0000, u32::MAX];
    let fixed_v6 = [0, 1, 0x2001_0db8 << 96, u128::MAX >> 1, 1 << 127, u128::MAX];
    let v4 = data
        .chunks_exact(4)
        .filter_map(|chunk| chunk.try_into().ok().map(u32::from_be_bytes));
    let v6 = data
        .chunks_exact(16)
        .filter_map(|chunk| chunk.try_into().ok().map(u128::from_be_bytes));
    let v4 = fixed
        .into_iter()
        .chain(v4.take(16))
        .map(|bits| Ip::from(Ipv4Addr::from(bits)));
    let v6 = fixed_v6
        .into_iter()
        .chain(v6.take(16))
        .map(|bits| Ip::from(Ipv6Addr::from(bits)));
    v4.chain(v6)
}
