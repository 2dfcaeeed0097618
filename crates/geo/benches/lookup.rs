//! What a look-up costs: `cargo bench -p palisade-geo`.

use std::net::Ipv4Addr;

use divan::{Bencher, black_box};
use palisade_geo::{Fact, GeoDatabase, GeoDatabases};
use palisade_testkit::mmdb::{MmdbValue, MmdbWriter};
use palisade_vocabulary::{Cidr, Ip};

/// Ranges in each database, and distinct records in that of autonomous systems.
const RANGES: u32 = 100_000;

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 7)]
fn load_both(bencher: Bencher<'_, '_>) {
    bencher
        .with_inputs(|| (countries(), systems()))
        .bench_values(load);
}

/// Country and system of one client after another.
#[divan::bench(sample_size = RANGES)]
fn place(bencher: Bencher<'_, '_>) {
    let databases = load((countries(), systems()));
    let mut numbers = (0..RANGES).cycle();
    bencher.bench_local(|| {
        let client = numbers.next().map(address);
        client.map(|client| databases.place(black_box(client)))
    });
}

/// The addresses are spread as those of real clients are: no two close together.
fn address(n: u32) -> Ip {
    Ip::from(Ipv4Addr::from(n.wrapping_mul(0x9e37_79b1)))
}

fn load((countries, systems): (Vec<u8>, Vec<u8>)) -> GeoDatabases {
    GeoDatabases {
        country: whole(countries),
        asn: whole(systems),
        ..GeoDatabases::default()
    }
}

fn whole<F: Fact>(bytes: Vec<u8>) -> Option<GeoDatabase<F>> {
    let database = GeoDatabase::from_bytes(bytes).ok();
    assert!(database.is_some(), "a database");
    database
}

fn countries() -> Vec<u8> {
    let letter = |n: u32| char::from(b'A' + u8::try_from(n % 26).unwrap_or(0));
    database(|n| {
        let code: String = [letter(n), letter(n / 26)].iter().collect();
        MmdbValue::field("country_code", code.as_str())
    })
}

fn systems() -> Vec<u8> {
    database(|n| MmdbValue::field("autonomous_system_number", n + 1))
}

fn database(record: impl Fn(u32) -> MmdbValue) -> Vec<u8> {
    (0..RANGES)
        .fold(MmdbWriter::new("Bench"), |writer, n| {
            let range = Cidr::new(address(n), 24).unwrap_or_else(|_| Cidr::single(address(n)));
            writer.insert(range, record(n))
        })
        .build()
}
