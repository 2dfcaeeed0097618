//! What a startup snapshot of LAPI costs, 50,000 decisions in 8 MB of JSON: `cargo bench -p palisade-crowdsec`.
//! `cargo bench -p palisade-benches --bench snapshot` measures what requests notice of it.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that can't be set up has no figures"
)]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use palisade_crowdsec::{Credentials, Poller, Secret, Settings, parse_answer};
use palisade_decisions::DecisionTable;
use palisade_vocabulary::Tick;

const DECISIONS: usize = 50_000;

fn main() {
    divan::main();
}

#[divan::bench(sample_count = 10, sample_size = 1)]
fn parse(bencher: Bencher<'_, '_>) {
    let document = document();
    bencher.counter(BytesCount::of_str(&document)).bench(|| {
        let answer = parse_answer(black_box(document.as_bytes()), Tick::from_millis(0));
        let answer = answer.expect("an answer");
        assert_eq!(answer.delta.added.len(), DECISIONS);
        answer
    });
}

/// From the question to the live table, with an LAPI on loopback.
#[divan::bench(sample_count = 10, sample_size = 1)]
fn poll(bencher: Bencher<'_, '_>) {
    let document: Arc<str> = document().into();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let before = || {
        let table = Arc::new(DecisionTable::new());
        (poller(&serve(Arc::clone(&document)), &table), table)
    };
    bencher
        .with_inputs(before)
        .bench_local_values(|(poller, table)| {
            let is_live = async {
                while table.len() < DECISIONS {
                    tokio::task::yield_now().await;
                }
            };
            runtime.block_on(poller.run(is_live));
            table
        });
}

fn poller(url: &str, table: &Arc<DecisionTable>) -> Poller {
    let key = Credentials::ApiKey(Secret::new("key").expect("a key"));
    let settings = Settings::new(url.parse().expect("a URL"), key).expect("settings");
    let clock = Arc::new(|| Tick::from_millis(0));
    Poller::new(&settings, Arc::clone(table), clock, Arc::new(|_: &_| {})).expect("a client")
}

/// An LAPI on loopback for one request.
fn serve(document: Arc<str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("the poller's connection");
        let _ = connection.read(&mut [0; 4_096]);
        let length = document.len();
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        let _ = connection.write_all(head.as_bytes());
        let _ = connection.write_all(document.as_bytes());
    });
    format!("http://{address}/")
}

/// As LAPI writes it: mostly single addresses of a community list, 160 bytes each.
fn document() -> String {
    let decisions: Vec<String> = (0..DECISIONS)
        .map(|index| {
            let (a, b, c) = (index / 65_536 % 256, index / 256 % 256, index % 256);
            let scenario = if index.is_multiple_of(3) { "ssh-bf" } else { "http-probing" };
            format!(
                r#"{{"duration":"{}h{}m{}.{:09}s","id":{},"origin":"CAPI","scenario":"crowdsecurity/{scenario}","scope":"Ip","type":"ban","value":"100.{a}.{b}.{c}"}}"#,
                index % 168 + 1, index % 60, index % 59, index * 7_919, index + 1,
            )
        })
        .collect();
    format!("{{\"deleted\":null,\"new\":[{}]}}", decisions.join(","))
}
