//! A request that finds an idle connection allocates nothing here, nor does the choice of a server.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use palisade_client_address::Endpoint;
use palisade_testkit::alloc::{CountingAllocator, allocations};
use palisade_upstream::{
    Acquired, Balance, Channel, ConnectionLimit, Need, Pool, PoolSettings, ProxySource,
    ProxyVersion, Queueing, ServerAddress, Servers, SlowStart, Tried, Upstreams,
};
use palisade_vocabulary::Tick;
use tokio::net::TcpListener;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

const NOW: Tick = Tick::from_millis(1000);

fn settings(addresses: &[&str]) -> PoolSettings {
    let addresses = addresses
        .iter()
        .map(|text| text.parse::<ServerAddress>().unwrap());
    PoolSettings::new(
        "app",
        Servers::new(addresses.map(Into::into).collect()).unwrap(),
    )
}

fn need() -> Need {
    let end = |text: &str, port| Endpoint {
        ip: text.parse().unwrap(),
        port,
    };
    let source = ProxySource {
        source: end("203.0.113.7", 40_000),
        destination: end("192.0.2.1", 443),
    };
    Need::new(source, NOW)
}

async fn acquire_and_keep(pool: &Pool, need: &Need) -> bool {
    let acquired = pool.acquire(need, &mut ()).await.unwrap();
    let Acquired {
        channel: Channel::Http1(connection),
        reused,
        mut server,
    } = acquired
    else {
        unreachable!("HTTP/1 was asked for")
    };
    server.answered(NOW);
    server.keep(connection, NOW);
    reused
}

#[tokio::test]
async fn an_idle_connection_is_taken_and_given_back_without_allocating() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    for proxy_protocol in [None, Some(ProxyVersion::V2)] {
        let mut settings = settings(&[&address]);
        settings.proxy_protocol = proxy_protocol;
        let upstreams = Upstreams::build(vec![settings]).unwrap();
        let pool = upstreams.get("app").unwrap();
        let need = need();
        assert!(!acquire_and_keep(pool, &need).await, "the first connects");
        let before = allocations();
        for _ in 0..100 {
            assert!(acquire_and_keep(pool, &need).await);
        }
        assert_eq!(allocations() - before, 0, "{proxy_protocol:?}");
    }
}

#[test]
fn a_choice_allocates_nothing() {
    for balance in [
        Balance::RoundRobin,
        Balance::LeastConnections,
        Balance::ClientAddress,
    ] {
        let mut settings = settings(&["a:1", "b:1", "c:1"]);
        settings.balance = balance;
        settings.slow_start = SlowStart::new(Duration::from_secs(30)).ok();
        settings.connection_limit = ConnectionLimit::new(10, Queueing::default()).ok();
        let upstreams = Upstreams::build(vec![settings]).unwrap();
        let pool = upstreams.get("app").unwrap();
        let client = need().source.source.ip;
        // One of them comes back and has a part of its share.
        let mut ejected = pool.pick(client, NOW, Tried::default()).unwrap();
        while !ejected.failed(NOW) {}
        ejected.answered(NOW);
        drop(ejected);
        let later = NOW + Duration::from_secs(10);
        let before = allocations();
        for _ in 0..100 {
            assert!(pool.pick(client, later, Tried::default()).is_ok());
        }
        assert_eq!(allocations() - before, 0, "{balance:?}");
    }
}
