//! What idle keep-alive connections take. `benches/idle.rs` measures 10,000 of them in a binary that is
//! built as it is shipped; here there are fewer.

use palisade_testkit::crowd::{Crowd, Speech};
use palisade_testkit::process::resident_bytes;
use tempfile::TempDir;

use crate::harness::{Authority, Backend, Palisade, TlsClient};

/// For each connection, in KiB.
const PLAIN_KIB_MAX: u64 = 40;
const TLS_KIB_MAX: u64 = 70;

/// Opens `count` connections, asks one thing on each, and compares what the process takes.
#[track_caller]
fn check(tls: bool, http2: bool, count: usize, each_kib_max: u64) {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
    let certificate = authority.certify(&["test.example"]);
    certificate.save(folder.path(), "site");
    let certificates = match tls {
        true => "tls: { certificates: [{ certificate: site.crt, private_key: site.key }] }",
        false => "",
    };
    let backend = Backend::start();
    let settings = format!(
        "
listeners: [{{ address: 127.0.0.1:0, {certificates} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    );
    let palisade = Palisade::start_in(folder, &settings);
    let protocol = if http2 { "h2" } else { "http/1.1" };
    let speech = Speech {
        tls: tls.then(|| TlsClient::new(&authority, &[protocol]).config()),
        http2,
        per_address: 100,
    };
    let open = |count| Crowd::open(palisade.address(), count, &speech).expect("answers");
    let resident = || resident_bytes(palisade.pid()).unwrap();
    drop(open(50));
    let before = resident();
    let mut crowd = open(count);
    let each_kib = resident().saturating_sub(before) / 1024 / u64::try_from(count).unwrap();
    println!("{count} idle connections, TLS {tls}, HTTP/2 {http2}: {each_kib} KiB each");
    assert!(each_kib <= each_kib_max, "{each_kib} KiB each");
    assert_eq!(crowd.ask(), count, "they can still be used");
}

#[test]
fn two_thousand_idle_connections() {
    check(false, false, 2_000, PLAIN_KIB_MAX);
}

#[test]
fn a_thousand_idle_connections_over_tls() {
    check(true, false, 1_000, TLS_KIB_MAX);
}

#[test]
fn a_thousand_idle_connections_of_http2() {
    check(false, true, 1_000, PLAIN_KIB_MAX);
}

#[test]
fn a_thousand_idle_connections_of_http2_over_tls() {
    check(true, true, 1_000, TLS_KIB_MAX);
}
