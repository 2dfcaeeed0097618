//! A backend chosen, and a connection to it taken and given back.

use std::future::pending;
use std::hint::black_box;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use gungraun::{library_benchmark, library_benchmark_group};
use palisade_client_address::Endpoint;
use palisade_upstream::{
    Acquired, Balance, Channel, Need, Pool, PoolSettings, Protocol, ProxySource, ServerAddress,
    Servers, SlowStart, Tried, Upstreams,
};
use palisade_vocabulary::Tick;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

use crate::TIMES;

library_benchmark_group!(
    name = upstream,
    benchmarks = [pick, pick_while_one_starts, reuse]
);

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

fn pools(addresses: &[String], balance: Balance, protocol: Protocol) -> Upstreams {
    let mut settings = settings(addresses);
    settings.balance = balance;
    settings.protocol = protocol;
    Upstreams::build(vec![settings]).expect("a pool")
}

fn settings(addresses: &[String]) -> PoolSettings {
    let addresses = addresses.iter().map(|text| text.parse::<ServerAddress>());
    let addresses = addresses.map(|address| address.expect("an address").into());
    let servers = Servers::new(addresses.collect()).expect("servers");
    PoolSettings::new("app", servers)
}

fn pool(upstreams: &Upstreams) -> &Pool {
    upstreams.get("app").expect("the pool")
}

fn three() -> [String; 3] {
    ["a:1", "b:1", "c:1"].map(str::to_owned)
}

fn three_servers(balance: Balance) -> Upstreams {
    let upstreams = pools(&three(), balance, Protocol::Http1);
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

/// Three servers, of which one was out and gets less than its share, and a request in that time.
fn one_that_starts() -> (Upstreams, Need) {
    let mut settings = settings(&three());
    settings.slow_start = SlowStart::new(Duration::from_secs(30)).ok();
    assert!(settings.slow_start.is_some(), "a period");
    let upstreams = Upstreams::build(vec![settings]).expect("a pool");
    let mut need = need();
    let picked = pool(&upstreams).pick(need.source.source.ip, NOW, Tried::default());
    let mut ejected = picked.expect("a server that is in");
    while !ejected.failed(NOW) {}
    ejected.answered(NOW);
    drop(ejected);
    need.now = NOW + Duration::from_secs(10);
    pick_once(pool(&upstreams), &need);
    (upstreams, need)
}

#[library_benchmark]
#[bench::round_robin(one_that_starts())]
fn pick_while_one_starts((upstreams, need): (Upstreams, Need)) -> Upstreams {
    for _ in 0..TIMES {
        pick_once(pool(&upstreams), black_box(&need));
    }
    upstreams
}

/// A pool with one connection, on which nothing comes.
struct Connected {
    upstreams: Upstreams,
    runtime: Runtime,
}

impl Connected {
    fn new(protocol: Protocol) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let address = runtime.block_on(serve_one(protocol));
        let balance = Balance::default();
        let connected = Self {
            upstreams: pools(&[address.to_string()], balance, protocol),
            runtime,
        };
        assert!(!connected.use_each(1), "the first connects");
        assert!(connected.use_each(1), "the second finds it");
        connected
    }

    /// Whether all found one that was there.
    fn use_each(&self, times: usize) -> bool {
        let (pool, need) = (pool(&self.upstreams), need());
        self.runtime.block_on(async {
            let mut all_reused = true;
            for _ in 0..times {
                let acquired = pool.acquire(black_box(&need), &mut ()).await;
                all_reused &= give_back(acquired.expect("a connection"));
            }
            all_reused
        })
    }
}

/// As the proxy does it after a good answer; whether another request had used the connection before.
fn give_back(acquired: Acquired) -> bool {
    let Acquired {
        channel,
        reused,
        mut server,
    } = acquired;
    server.answered(NOW);
    match black_box(channel) {
        Channel::Http1(connection) => server.keep(connection, NOW),
        Channel::Http2(slot) => slot.done(NOW),
    }
    reused
}

/// Takes one connection and keeps it.
async fn serve_one(protocol: Protocol) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        let (connection, _) = listener.accept().await.expect("a connection");
        if protocol == Protocol::Http2 {
            let server = h2::server::Builder::new();
            let server = server.handshake::<_, Bytes>(connection).await;
            let mut server = server.expect("a client of HTTP/2");
            assert!(server.accept().await.is_none(), "no request is sent");
        } else {
            let _open = connection;
            pending::<()>().await;
        }
    });
    address
}

// Nothing is read: it is known without a system call that nothing came.
#[library_benchmark(setup = Connected::new)]
#[bench::idle_http1(Protocol::Http1)]
#[bench::shared_http2(Protocol::Http2)]
fn reuse(connected: Connected) -> Connected {
    assert!(connected.use_each(TIMES), "none connects");
    connected
}
