//! A backend chosen, and a connection to it taken and given back.

use std::hint::black_box;
use std::net::TcpListener;

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_client_address::Endpoint;
use palisade_upstream::{
    Acquired, Balance, Channel, Need, Pool, PoolSettings, ProxySource, ServerAddress, Servers,
    Tried, Upstreams,
};
use palisade_vocabulary::Tick;
use tokio::runtime::{Builder, Runtime};

use crate::TIMES;

library_benchmark_group!(name = upstream, benchmarks = [pick, reuse]);

const NOW: Tick = Tick::from_millis(1_000);

fn need() -> Need {
    let end = |text: &str, port| Endpoint {
        ip: text.parse().expect("an address"),
        port,
    };
    let source = ProxySource {
        source: end("203.0.113.7", 40_000),
        destination: end("192.0.2.1", 443),
    };
    Need::new(source, NOW)
}

fn pools(addresses: &[String], balance: Balance) -> Upstreams {
    let addresses = addresses.iter().map(|text| text.parse::<ServerAddress>());
    let addresses = addresses.map(|address| address.expect("an address").into());
    let servers = Servers::new(addresses.collect()).expect("servers");
    let mut settings = PoolSettings::new("app", servers);
    settings.balance = balance;
    Upstreams::build(vec![settings]).expect("a pool")
}

fn pool(upstreams: &Upstreams) -> &Pool {
    upstreams.get("app").expect("the pool")
}

fn three_servers(balance: Balance) -> Upstreams {
    let addresses = ["a:1", "b:1", "c:1"].map(str::to_owned);
    let upstreams = pools(&addresses, balance);
    pick_once(pool(&upstreams), &need());
    upstreams
}

fn pick_once(pool: &Pool, need: &Need) {
    let server = pool.pick(need.source.source.ip, need.now, Tried::default());
    assert!(black_box(server).is_ok(), "a server that is in");
}

#[library_benchmark(setup = three_servers)]
#[bench::round_robin(Balance::RoundRobin)]
#[bench::least_connections(Balance::LeastConnections)]
#[bench::client_address(Balance::ClientAddress)]
fn pick(upstreams: Upstreams) -> Upstreams {
    let need = need();
    for _ in 0..TIMES {
        pick_once(pool(&upstreams), black_box(&need));
    }
    upstreams
}

/// A pool with one idle connection, whose other end is never read or written.
struct Connected {
    upstreams: Upstreams,
    runtime: Runtime,
    _listener: TcpListener,
}

impl Connected {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let runtime = Builder::new_current_thread().enable_all().build();
        let connected = Self {
            upstreams: pools(&[address], Balance::default()),
            runtime: runtime.expect("a runtime"),
            _listener: listener,
        };
        // The first connects.
        connected.acquire_and_keep(1, false);
        connected.acquire_and_keep(1, true);
        connected
    }

    fn acquire_and_keep(&self, times: usize, expects_reuse: bool) {
        let (pool, need) = (pool(&self.upstreams), need());
        self.runtime.block_on(async {
            for _ in 0..times {
                let acquired = pool.acquire(black_box(&need), &mut ()).await;
                let Acquired {
                    channel: Channel::Http1(connection),
                    reused,
                    mut server,
                } = acquired.expect("a connection")
                else {
                    unreachable!("HTTP/1 was asked for")
                };
                assert_eq!(reused, expects_reuse);
                server.answered(NOW);
                server.keep(black_box(connection), NOW);
            }
        });
    }
}

// Nothing is read: tokio knows without a system call that nothing came.
#[library_benchmark]
#[bench::idle_connection(Connected::new())]
fn reuse(connected: Connected) -> Connected {
    connected.acquire_and_keep(TIMES, true);
    connected
}
