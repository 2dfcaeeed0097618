//! Where a client is.

use std::hint::black_box;
use std::net::Ipv4Addr;

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_geo::{Fact, GeoDatabase, GeoDatabases};
use palisade_testkit::mmdb::{MmdbValue, MmdbWriter};
use palisade_vocabulary::{Cidr, Ip};

library_benchmark_group!(name = geo, benchmarks = [place]);

/// Ranges in each database.
const RANGES: u32 = 10_000;
/// How many clients are looked up in one count.
const CLIENTS: u32 = 1_000;

/// No two are close together, as those of real clients.
fn address(number: u32) -> Ip {
    Ip::from(Ipv4Addr::from(number.wrapping_mul(0x9e37_79b1)))
}

fn database<F: Fact>(record: impl Fn(u32) -> MmdbValue) -> Option<GeoDatabase<F>> {
    let writer = (0..RANGES).fold(MmdbWriter::new("Bench"), |writer, number| {
        let range = Cidr::new(address(number), 24).expect("a range");
        writer.insert(range, record(number))
    });
    GeoDatabase::from_bytes(writer.build()).ok()
}

fn databases() -> GeoDatabases {
    let countries = ["NZ", "FI", "DE", "BR", "JP"];
    let country = |number: u32| {
        let code = countries.get(number as usize % countries.len());
        MmdbValue::field("country_code", *code.unwrap_or(&"NZ"))
    };
    GeoDatabases {
        country: database(country),
        asn: database(|number| MmdbValue::field("autonomous_system_number", number + 1)),
        ..GeoDatabases::default()
    }
}

#[library_benchmark]
#[bench::country_and_system(databases())]
fn place(databases: GeoDatabases) -> GeoDatabases {
    for number in 0..CLIENTS {
        black_box(databases.place(black_box(address(number))));
    }
    databases
}
