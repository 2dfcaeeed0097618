//! What a look-up costs: `cargo bench -p palisade-geo`.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use palisade_geo::{GeoDatabase, GeoDatabases};
use palisade_testkit::mmdb::{MmdbValue, MmdbWriter};
use palisade_vocabulary::{Cidr, Ip};

/// Ranges in each database, and distinct records in that of autonomous systems.
const RANGES: u32 = 100_000;

fn main() {
    let countries = database(|n| {
        let letter = |n: u32| char::from(b'A' + u8::try_from(n % 26).unwrap_or(0));
        MmdbValue::field(
            "country_code",
            [letter(n), letter(n / 26)]
                .iter()
                .collect::<String>()
                .as_str(),
        )
    });
    let systems = database(|n| MmdbValue::field("autonomous_system_number", n + 1));
    let start = Instant::now();
    let databases = GeoDatabases {
        country: GeoDatabase::from_bytes(countries).ok(),
        asn: GeoDatabase::from_bytes(systems).ok(),
        ..GeoDatabases::default()
    };
    report("load both", start.elapsed());

    let mut best = Duration::MAX;
    for _ in 0..7 {
        let start = Instant::now();
        for n in 0..RANGES {
            black_box(databases.place(black_box(address(n))));
        }
        best = best.min(start.elapsed() / RANGES);
    }
    report("place, both databases", best);
}

/// The addresses are spread as those of real clients are: no two close together.
fn address(n: u32) -> Ip {
    Ip::from(Ipv4Addr::from(n.wrapping_mul(0x9e37_79b1)))
}

fn database(record: impl Fn(u32) -> MmdbValue) -> Vec<u8> {
    (0..RANGES)
        .fold(MmdbWriter::new("Bench"), |writer, n| {
            let range = Cidr::new(address(n), 24).unwrap_or_else(|_| Cidr::single(address(n)));
            writer.insert(range, record(n))
        })
        .build()
}

#[expect(clippy::print_stdout, reason = "this is what a benchmark is for")]
fn report(name: &str, time: Duration) {
    println!("{name:<24} {time:>12.1?}");
}
