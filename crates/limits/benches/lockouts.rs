//! What it costs to tell who is locked out, and to count an attempt: `cargo bench -p palisade-limits`.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that can't be set up has no figures"
)]

use std::net::Ipv4Addr;
use std::sync::Arc;

use divan::{Bencher, black_box};
use palisade_limits::{LockoutKey, LockoutPolicy, Lockouts, Network};
use palisade_vocabulary::{Ip, Tick};

const NOW: Tick = Tick::from_millis(1_000_000);
/// So many clients have failed once.
const COUNTED: u32 = 1_000;

fn main() {
    divan::main();
}

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

/// Half of the clients have failed, the others are unknown.
#[divan::bench(sample_size = 2 * COUNTED)]
fn check(bencher: Bencher<'_, '_>) {
    let (lockouts, mut numbers) = (lockouts(), (0..2 * COUNTED).cycle());
    bencher
        .with_inputs(|| key(numbers.next().unwrap_or_default()))
        .bench_local_values(|key| assert!(lockouts.check(black_box(key), NOW).is_ok()));
}

/// One that succeeds: a failure is forgotten only in the first sample, then there is none.
#[divan::bench(sample_size = COUNTED)]
fn attempt(bencher: Bencher<'_, '_>) {
    let (lockouts, mut numbers) = (lockouts(), (0..COUNTED).cycle());
    bencher
        .with_inputs(|| key(numbers.next().unwrap_or_default()))
        .bench_local_values(|key| {
            let attempt = lockouts.begin(&LockoutPolicy::default(), black_box(key), NOW);
            attempt.expect("nobody is locked").succeed();
        });
}
