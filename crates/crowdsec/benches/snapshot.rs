//! What a startup snapshot of LAPI costs: 50,000 decisions, 8 MB of JSON.
//!
//! `cargo bench -p palisade-crowdsec --bench snapshot`. Prints one line a figure; the smallest of
//! several rounds, which is what the code costs when nothing else runs.

use std::cell::Cell;
use std::hint::black_box;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use palisade_crowdsec::{Credentials, Poller, Secret, Settings, parse_answer};
use palisade_decisions::DecisionTable;
use palisade_vocabulary::{Ip, Place, Tick};

const DECISIONS: usize = 50_000;
const ROUNDS: usize = 10;

#[expect(clippy::print_stdout, reason = "a benchmark's figures are its output")]
fn main() {
    let document = document();
    let megabytes = document.len() as f64 / 1e6;
    let parsing = (0..ROUNDS)
        .map(|_| parse_once(&document))
        .min()
        .unwrap_or_default();
    println!("parse {DECISIONS} decisions, {megabytes:.1} MB: {parsing:.1?}");

    let rounds: Vec<Round> = (0..ROUNDS).map(|_| poll_once(&document)).collect();
    let live = rounds.iter().map(|round| round.live_after_last_byte).min();
    let whole = rounds.iter().map(|round| round.whole).min();
    let gap = rounds.iter().map(|round| round.longest_lookup_gap).min();
    println!(
        "from the last byte of the answer to the live table: {:.1?}",
        live.unwrap_or_default()
    );
    println!(
        "from the question to the live table: {:.1?}",
        whole.unwrap_or_default()
    );
    println!(
        "longest wait of a look-up on the poller's own thread meanwhile: {:.2?}",
        gap.unwrap_or_default()
    );
}

fn parse_once(document: &str) -> Duration {
    let started = Instant::now();
    let answer = parse_answer(document.as_bytes(), Tick::from_millis(0));
    let took = started.elapsed();
    let decisions = black_box(answer).map(|answer| answer.delta.added.len());
    assert_eq!(decisions, Ok(DECISIONS));
    took
}

struct Round {
    live_after_last_byte: Duration,
    whole: Duration,
    longest_lookup_gap: Duration,
}

/// A poller with an LAPI on loopback; its thread looks an address up all the time.
fn poll_once(document: &str) -> Round {
    let zero = Instant::now();
    let nanos = move || u64::try_from(zero.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let last_byte_at = Arc::new(AtomicU64::new(0));
    let url = serve(document.to_owned(), Arc::clone(&last_byte_at), nanos);
    let table = Arc::new(DecisionTable::new());
    let poller = poller(&url, &table, zero);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let longest_lookup_gap = Cell::new(Duration::ZERO);
    let (started, live_at) = (nanos(), Cell::new(0));
    let look_up_until_live = async {
        let client: Ip = std::net::Ipv4Addr::new(192, 0, 2, 1).into();
        let mut last = Instant::now();
        while table.len() < DECISIONS {
            black_box(table.lookup(client, &Place::UNAVAILABLE, Tick::from_millis(1)));
            longest_lookup_gap.set(longest_lookup_gap.get().max(last.elapsed()));
            last = Instant::now();
            tokio::task::yield_now().await;
        }
        live_at.set(nanos());
    };
    if let Ok(runtime) = runtime {
        runtime.block_on(poller.run(look_up_until_live));
    }
    Round {
        live_after_last_byte: Duration::from_nanos(
            live_at
                .get()
                .saturating_sub(last_byte_at.load(Ordering::SeqCst)),
        ),
        whole: Duration::from_nanos(live_at.get().saturating_sub(started)),
        longest_lookup_gap: longest_lookup_gap.get(),
    }
}

#[expect(
    clippy::expect_used,
    reason = "a benchmark that can't be set up has no figures"
)]
fn poller(url: &str, table: &Arc<DecisionTable>, zero: Instant) -> Poller {
    let key = Credentials::ApiKey(Secret::new("key").expect("a key"));
    let settings = Settings::new(url.parse().expect("a URL"), key).expect("settings");
    let clock =
        move || Tick::from_millis(u64::try_from(zero.elapsed().as_millis()).unwrap_or(u64::MAX));
    Poller::new(
        &settings,
        Arc::clone(table),
        Arc::new(clock),
        Arc::new(|_: &_| {}),
    )
    .expect("a client")
}

/// An LAPI on loopback for one request; notes when its last byte was taken.
#[expect(
    clippy::expect_used,
    reason = "a benchmark that can't be set up has no figures"
)]
fn serve(
    document: String,
    last_byte_at: Arc<AtomicU64>,
    nanos: impl Fn() -> u64 + Send + 'static,
) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port on loopback");
    let address = listener.local_addr().expect("its address");
    std::thread::spawn(move || {
        let (mut connection, _) = listener.accept().expect("the poller's connection");
        let mut head = [0; 4_096];
        let _ = connection.read(&mut head);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            document.len()
        );
        let _ = connection.write_all(head.as_bytes());
        let _ = connection.write_all(document.as_bytes());
        last_byte_at.store(nanos(), Ordering::SeqCst);
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
