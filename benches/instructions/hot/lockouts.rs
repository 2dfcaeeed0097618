//! Who is locked out, and an attempt that may fail.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::Arc;

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_benches::scene::NOW;
use palisade_limits::{LockoutKey, LockoutPolicy, Lockouts, Network};
use palisade_vocabulary::Ip;

library_benchmark_group!(name = limits, benchmarks = [check, attempt]);

/// So many clients have failed once.
const COUNTED: u32 = 1_000;

fn key(number: u32) -> LockoutKey {
    let client = Ip::from(Ipv4Addr::from_bits(0xc633_0000 + number));
    LockoutKey {
        network: Network::of(client),
        is_trial: false,
    }
}

fn lockouts() -> Arc<Lockouts> {
    let lockouts = Arc::new(Lockouts::new());
    for number in 0..COUNTED {
        let attempt = lockouts.begin(&LockoutPolicy::default(), key(number), NOW);
        attempt.expect("nobody is locked").fail(NOW);
    }
    lockouts
}

// Half of the clients have failed, the others are unknown.
#[library_benchmark]
#[bench::of_1000_clients(lockouts())]
fn check(lockouts: Arc<Lockouts>) -> Arc<Lockouts> {
    for number in 0..2 * COUNTED {
        assert!(black_box(lockouts.check(key(number), NOW)).is_ok());
    }
    lockouts
}

#[library_benchmark]
#[bench::of_1000_clients(lockouts())]
fn attempt(lockouts: Arc<Lockouts>) -> Arc<Lockouts> {
    for number in 0..COUNTED {
        let attempt = lockouts.begin(&LockoutPolicy::default(), black_box(key(number)), NOW);
        attempt.expect("nobody is locked").succeed();
    }
    lockouts
}
