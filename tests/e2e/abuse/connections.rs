//! Connections that do nothing, or begin and don't go on.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpStream};

use palisade_testkit::crowd::{Crowd, Speech, connect_from};
use palisade_testkit::process::raise_open_files;
use tempfile::TempDir;

use super::Siege;
use crate::harness::{Authority, Backend, Palisade, wait_for};

/// What 10,000 connections may take together: 40 KiB each, and what any process takes.
const CROWD_MIB_MAX: u64 = 10_000 * 40 / 1024 + 64;

/// Opens connections from addresses 127.1.0.1 on, `per_address` of each, and sends these bytes on
/// each. Who is refused is closed, which shows later.
fn open(siege: &Siege, count: usize, per_address: u32, bytes: &[u8]) -> Vec<TcpStream> {
    let address = |at: usize| {
        let first = u32::from(Ipv4Addr::new(127, 1, 0, 1));
        Ipv4Addr::from(first + u32::try_from(at).unwrap() / per_address)
    };
    let connections = (0..count).map(|at| {
        let mut tcp = connect_from(address(at), siege.address()).unwrap();
        // Whoever was closed already takes none.
        let _ = tcp.write_all(bytes);
        tcp
    });
    connections.collect()
}

#[test]
fn a_flood_from_one_address_takes_its_own_slots_alone() {
    let siege = Siege::begin(", limits: { connections: 1000, connections_per_address: 100 }");
    let held = siege.under("flood from one address", || {
        open(&siege, 2_000, u32::MAX, b"")
    });
    wait_for("the counter", || {
        let refused = "palisade_connections_refused_total{slots=\"address\"}";
        (siege.metric(refused) >= 1_900.0).then_some(())
    });
    assert!(siege.metric("palisade_connections_open") < 110.0);
    assert!(siege.metric("palisade_connections_evicted_total") < 0.5);
    drop(held);
}

#[test]
fn who_has_too_many_connections_takes_nobody_elses_place() {
    let listener = ", limits: { connections: 120, connections_per_address: 100 }";
    let siege = Siege::begin(listener);
    wait_for("the innocent to leave", || {
        (siege.metric("palisade_connections_open") < 0.5).then_some(())
    });
    let speech = Speech {
        per_address: 20,
        ..Speech::default()
    };
    let mut others = Crowd::open(siege.address(), 20, &speech).unwrap();
    let own = open_from_one(&siege, 100);
    wait_for("all slots to be taken", || {
        (siege.metric("palisade_connections_open") > 119.5).then_some(())
    });
    let too_many = open_from_one(&siege, 500);
    wait_for("the counter", || {
        let refused = "palisade_connections_refused_total{slots=\"address\"}";
        (siege.metric(refused) > 499.5).then_some(())
    });
    assert!(siege.metric("palisade_connections_evicted_total") < 0.5);
    assert_eq!(others.ask(), 20, "each still has its connection");
    drop((own, too_many));
}

/// So many connections of one address that others don't have, silent.
fn open_from_one(siege: &Siege, count: usize) -> Vec<TcpStream> {
    let address = Ipv4Addr::new(127, 100, 0, 1);
    let connections = (0..count).map(|_| connect_from(address, siege.address()).unwrap());
    connections.collect()
}

#[test]
fn a_flood_of_idle_connections_locks_nobody_out() {
    let siege = Siege::begin(", limits: { connections: 300 }");
    let speech = Speech {
        per_address: 20,
        ..Speech::default()
    };
    let crowd = siege.under("flood of idle connections from 50 addresses", || {
        Crowd::open(siege.address(), 1_000, &speech).expect("each gets its answer")
    });
    assert!(siege.metric("palisade_connections_evicted_total") >= 700.0);
    wait_for("those that were evicted to end", || {
        (siege.metric("palisade_connections_open") <= 301.0).then_some(())
    });
    drop(crowd);
}

#[test]
fn ten_thousand_idle_connections_slow_nobody_down() {
    const COUNT: usize = 10_000;
    // The two ends of each are of two processes.
    let files = raise_open_files(20_000);
    if files < COUNT as u64 + 1_000 {
        eprintln!("SKIPPED: {COUNT} connections need more than the {files} files that may be open");
        return;
    }
    let siege = Siege::begin("");
    let speech = Speech {
        per_address: 100,
        ..Speech::default()
    };
    let mut crowd = siege.under_at_most("10,000 idle connections", CROWD_MIB_MAX, || {
        Crowd::open(siege.address(), COUNT, &speech).expect("each gets its answer")
    });
    assert!(siege.metric("palisade_connections_open") >= 10_000.0);
    assert!(siege.metric("palisade_connections_evicted_total") < 0.5);
    let answered = siege.under_at_most("10,000 that ask again", CROWD_MIB_MAX, || crowd.ask());
    assert_eq!(answered, COUNT);
}

#[test]
fn waves_of_clients_that_ask_on_do_not_get_past_the_limit() {
    let siege = Siege::begin(", limits: { connections: 300, connections_per_address: 10000 }");
    let waves = || {
        let mut held: Vec<TcpStream> = Vec::new();
        for wave in 1..=30 {
            let older = held.iter().map(|tcp| tcp.try_clone().unwrap());
            let mut older: Vec<_> = older.step_by(2).collect();
            // Some are evicted just when they ask.
            let asking = std::thread::spawn(move || {
                for tcp in &mut older {
                    let _ = tcp.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
                }
            });
            held.extend(open(&siege, 100, 20, b""));
            asking.join().unwrap();
            // Where the backend is slow all slots may be at work, and then nobody can be evicted.
            wait_for("all of the wave to be accepted or refused", || {
                let accepted = siege.metric("palisade_connections_accepted_total");
                (accepted + refused(&siege) >= f64::from(100 * wave)).then_some(())
            });
        }
        held
    };
    let held = siege.under("30 waves of 100 connections, older ones ask on", waves);
    let evicted = siege.metric("palisade_connections_evicted_total");
    assert!(evicted + refused(&siege) >= 2_000.0);
    wait_for("those that were evicted to end", || {
        (siege.metric("palisade_connections_open") <= 301.0).then_some(())
    });
    drop(held);
}

/// How many connections found all slots at work.
fn refused(siege: &Siege) -> f64 {
    siege.metric("palisade_connections_refused_total{slots=\"total\"}")
}

#[test]
fn a_flood_of_silent_connections_locks_nobody_out() {
    let siege = Siege::begin(", limits: { connections: 300 }, deadlines: { head: 60s }");
    let held = siege.under("flood of silent connections from 50 addresses", || {
        open(&siege, 1_000, 20, b"")
    });
    assert!(siege.metric("palisade_connections_evicted_total") >= 700.0);
    drop(held);
}

#[test]
fn slow_heads_lock_nobody_out() {
    let siege = Siege::begin(", limits: { connections: 300 }, deadlines: { head: 60s }");
    let held = siege.under("1,000 slow heads, a byte at a time", || {
        let mut held = open(&siege, 1_000, 20, b"GET / HTTP/1.1\r\nHost: a\r\nX: ");
        for _ in 0..3 {
            for tcp in &mut held {
                let _ = tcp.write_all(b"x");
            }
        }
        held
    });
    assert!(siege.metric("palisade_connections_evicted_total") >= 700.0);
    drop(held);
}

#[test]
fn slow_heads_end_at_their_deadline() {
    let siege = Siege::begin(", deadlines: { head: 500ms }");
    let _held = siege.under("500 slow heads", || {
        let held = open(&siege, 500, 20, b"GET / HTTP/1.1\r\nHost: a\r\nX: ");
        wait_for("all of them to be refused", || {
            (siege.refusals("head_deadline") >= 500.0).then_some(())
        });
        held
    });
}

#[test]
fn slow_handshakes_end_at_their_deadline() {
    let (folder, authority) = (TempDir::new().unwrap(), Authority::new());
    authority.certify(&["a"]).save(folder.path(), "site");
    let backend = Backend::start();
    let palisade = Palisade::start_in(
        folder,
        &format!(
            "
listeners:
  - {{ address: 127.0.0.1:0 }}
  - address: 127.0.0.1:0
    tls: {{ certificates: [{{ certificate: site.crt, private_key: site.key }}] }}
    deadlines: {{ handshake: 500ms }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
        ),
    );
    let tls = palisade.listeners()[1];
    let siege = Siege::at(palisade, backend);
    let _held = siege.under("500 TLS handshakes, a byte at a time", || {
        let from = |at: u32| Ipv4Addr::from(u32::from(Ipv4Addr::new(127, 1, 0, 1)) + at / 20);
        let mut held: Vec<_> = (0..500)
            .map(|at| connect_from(from(at), tls).unwrap())
            .collect();
        // The beginning of a ClientHello: a record of 512 bytes.
        for byte in [22, 3, 1, 2, 0, 1, 0, 1] {
            for tcp in &mut held {
                let _ = tcp.write_all(&[byte]);
            }
        }
        wait_for("all of them to fail", || {
            let failed = "palisade_tls_handshake_failures_total{reason=\"timeout\"}";
            (siege.metric(failed) >= 500.0).then_some(())
        });
        held
    });
}

#[test]
fn slow_proxy_headers_end_at_their_deadline() {
    let backend = Backend::start();
    let palisade = Palisade::start(&format!(
        "
listeners:
  - {{ address: 127.0.0.1:0 }}
  - address: 127.0.0.1:0
    proxy_protocol: {{ mode: required, from: [127.1.0.0/16] }}
    deadlines: {{ proxy_header: 500ms }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    ));
    let behind_proxy = palisade.listeners()[1];
    let siege = Siege::at(palisade, backend);
    let _held = siege.under("500 PROXY headers, a byte at a time", || {
        let mut held: Vec<_> = (0..500)
            .map(|_| connect_from(Ipv4Addr::new(127, 1, 0, 1), behind_proxy).unwrap())
            .collect();
        for byte in b"PROXY TC" {
            for tcp in &mut held {
                let _ = tcp.write_all(&[*byte]);
            }
        }
        wait_for("all of them to be refused", || {
            let refused = "palisade_proxy_refusals_total{reason=\"deadline\"}";
            (siege.metric(refused) >= 500.0).then_some(())
        });
        held
    });
}

#[test]
fn idle_websockets_end() {
    let backend = Backend::with(|_, tcp| {
        let switch = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n";
        let _ = tcp.write_all(switch.as_bytes());
        // It says nothing more, and never ends by itself.
        let _ = tcp.read(&mut [0]);
        false
    });
    let palisade = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0, deadlines: {{ idle: 1s }} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    ));
    let ask = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut held: Vec<_> = (0..50).map(|_| palisade.connect()).collect();
    for connection in &mut held {
        assert_eq!(connection.send(ask).answer().unwrap().status, 101);
    }
    wait_for("all of them to end", || {
        (palisade.metric("palisade_connections_open") < 0.5).then_some(())
    });
}

#[test]
fn the_limit_of_open_files_is_raised_and_compared() {
    use std::process::Command;
    let folder = TempDir::new().unwrap();
    let settings = "
listeners: [{ address: 127.0.0.1:0, limits: { connections: 5000 } }]
upstreams: { app: { servers: [127.0.0.1:9] } }
sites: [{ upstream: app }]
metrics: { address: 127.0.0.1:0 }
";
    std::fs::write(folder.path().join("palisade.yaml"), settings).unwrap();
    let binary = Palisade::command().get_program().to_owned();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -Sn 500; ulimit -Hn 3000; exec \"$0\" \"$@\""]);
    shell.arg(binary).args(["run", "--config"]);
    shell.arg(folder.path().join("palisade.yaml"));
    let palisade = Palisade::start_by(shell, folder);
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", palisade.pid())).unwrap();
    let open_files = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let words: Vec<&str> = open_files.unwrap().split_whitespace().collect();
    assert_eq!(words[3..5], ["3000", "3000"]);
    let said = palisade.stderr().join("\n");
    assert!(said.contains("limit=3000 wanted=10256"), "{said}");
}
