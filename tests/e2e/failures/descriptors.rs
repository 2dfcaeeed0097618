//! A process that has no file descriptors left.

use std::time::{Duration, Instant};

use palisade_testkit::crowd::{Crowd, Speech};
use palisade_testkit::process::{open_files, processor_time};

use crate::harness::{Backend, Connection, Load, Palisade, wait_for};

/// How many descriptors there are.
const DESCRIPTORS: usize = 96;

#[test]
fn without_descriptors_the_process_neither_spins_nor_ends_and_is_well_again_by_itself() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    let limit = format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}");
    let settings = format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    );
    let palisade = Palisade::start_under(&["prlimit", &limit], folder, &settings);
    let load = Load::on(palisade.address()).keep_alive(2).start();
    load.finish_after(20).assert_flawless();
    // Each sends half a body, so that none can be sent away for another, and no backend is asked.
    let mut crowd: Vec<Connection> = (0..2 * DESCRIPTORS).map(|_| palisade.connect()).collect();
    for client in &mut crowd {
        client.send("POST / HTTP/1.1\r\nHost: test.example\r\nContent-Length: 8\r\n\r\nhalf");
    }
    wait_for("the last descriptor", || {
        (open_files(palisade.pid()).unwrap() >= DESCRIPTORS - 1).then_some(())
    });
    // Waiting costs next to nothing, however long it takes.
    let (begun, used) = (Instant::now(), processor_time(palisade.pid()).unwrap());
    wait_for("a second", || {
        (begun.elapsed() > Duration::from_secs(1)).then_some(())
    });
    let used = processor_time(palisade.pid()).unwrap() - used;
    assert!(used < begun.elapsed() / 10, "{used:?} of processor time");

    crowd.clear();
    wait_for("an answer", || {
        let answer = palisade.exchange("GET / HTTP/1.1\r\nHost: test.example\r\n\r\n")?;
        (answer.status == 200).then_some(())
    });
    let load = Load::on(palisade.address())
        .keep_alive(2)
        .new_connections(1)
        .http2(1)
        .start();
    load.finish_after(50).assert_flawless();
    assert_eq!(palisade.metrics_door("/readyz").status, 200);
}

#[test]
fn without_descriptors_whoever_waits_longest_for_its_client_goes() {
    let folder = tempfile::tempdir().unwrap();
    let limit = format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}");
    // Its own answers, which take no connection to a backend.
    let settings = "
listeners: [{ address: 127.0.0.1:0, deadlines: { idle: 10m, head: 5m } }]
upstreams: { app: { servers: [127.0.0.1:9] } }
sites: [{ upstream: app }]
access: { rules: [{ id: all, match: { path: / }, action: block }] }
";
    let palisade = Palisade::start_under(&["prlimit", &limit], folder, settings);
    let speech = Speech {
        per_address: 20,
        ..Speech::default()
    };
    let crowd = Crowd::open(palisade.address(), 2 * DESCRIPTORS, &speech);
    // Closed, so that there are descriptors for the metrics door.
    drop(crowd.expect("each gets its answer, and stays idle until somebody needs its place"));
    let evicted = palisade.metric("palisade_connections_evicted_total");
    assert!(evicted >= DESCRIPTORS as f64, "{evicted}");
}
