//! Ten thousand reloads in one process leave nothing behind.

use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use palisade_testkit::process::{open_files, resident_bytes};
use rustix::process::{Pid, Signal, kill_process};

use super::{Gate, replace};
use crate::harness::{Backend, Load, wait_for};

const RELOADS: f64 = 10_000.0;
/// They take ten seconds on a machine that has nothing else to do.
const PATIENCE: Duration = Duration::from_secs(300);
/// By then the allocator has what it needs.
const WARM_UP: f64 = 2_000.0;
/// What memory may differ by: the allocator keeps some of what was freed.
const GROWTH_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Each has another listener, another upstream, another site, another rule, another log.
fn variant(number: usize, backend: &Backend) -> String {
    format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}, {{ address: 127.1.{number}.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }}, other-{number}: {{ servers: [\"{backend}\"] }} }}
sites:
  - {{ upstream: app }}
  - {{ hosts: [\"{number}.example\"], upstream: other-{number} }}
access: {{ rules: [{{ id: rule-{number}, match: {{ path: {{ regex: 'a{number}.*b' }} }}, action: block }}] }}
admin: {{ address: 127.0.0.1:0 }}
"
    )
}

fn threads(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/task")).unwrap().count()
}

/// How many lines of metrics there are.
fn series(gate: &Gate) -> usize {
    gate.palisade.metrics().lines().count()
}

#[test]
fn ten_thousand_reloads_leave_nothing_behind() {
    let backend = Backend::start();
    let gate = Gate::start(&variant(0, &backend));
    let pid = gate.palisade.pid();
    let load = Load::on(gate.palisade.address())
        .keep_alive(1)
        .new_connections(1)
        .pause(Duration::from_millis(20))
        .start();
    load.wait_for_more(20);
    let before = (threads(pid), series(&gate));
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let process = Pid::from_raw(pid.cast_signed()).unwrap();
            for number in (0..200).cycle() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let text = format!("{}{}", variant(number, &backend), gate.added);
                replace(&gate.palisade.settings(), text);
                // Those that come before it is done with the last one are one.
                for _ in 0..4 {
                    let _ = kill_process(process, Signal::HUP);
                    std::thread::sleep(Duration::from_micros(250));
                }
            }
        });
        let begun = Instant::now();
        let until = |count: f64| {
            while gate.reloads("ok") < count {
                assert!(begun.elapsed() < PATIENCE, "too few reloads");
                std::thread::sleep(Duration::from_millis(50));
            }
            resident_bytes(pid).unwrap()
        };
        let early = until(WARM_UP);
        let late = until(RELOADS);
        stop.store(true, Ordering::Relaxed);
        assert!(
            late < early + GROWTH_BYTES_MAX,
            "{early} bytes grew to {late}"
        );
    });
    load.finish().assert_flawless();
    gate.change(&variant(0, &backend));
    wait_for("the earlier settings to be freed", || {
        (gate.palisade.metric("palisade_snapshot_generations_held") == 1.0).then_some(())
    });
    // Each thread's copies of the sockets of ten thousand listeners are closed.
    wait_for("few files to be open", || {
        (open_files(pid).unwrap() < 100).then_some(())
    });
    assert_eq!((threads(pid), series(&gate)), before);
    assert_eq!(gate.reloads("failed"), 0.0);
}
