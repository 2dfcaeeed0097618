//! HTTP/2 connections: shared, bounded, and ended when they are of no use.

use std::future::poll_fn;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::backend::{NOW, acquire, client, listener, need, only_error, pool, settings};
use crate::{
    Acquired, Channel, ConnectError, ConnectRetry, ConnectStep, Http2Slot, KeepAlive, Pool,
    PoolSettings, Protocol, ProxyVersion, Upstreams,
};

fn http2(addresses: &[std::net::SocketAddr]) -> PoolSettings {
    let mut settings = settings(addresses);
    settings.protocol = Protocol::Http2;
    settings.connect_retry = ConnectRetry::new(1, Duration::from_secs(5)).unwrap();
    settings
}

/// Serves requests on each connection that comes, and answers none; how many came.
fn serve(listener: TcpListener, streams_max: u32) -> std::sync::Arc<std::sync::atomic::AtomicU32> {
    let count = std::sync::Arc::<std::sync::atomic::AtomicU32>::default();
    let counts = std::sync::Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            counts.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tokio::spawn(async move {
                let mut builder = h2::server::Builder::new();
                builder.max_concurrent_streams(streams_max);
                let mut connection = builder.handshake::<_, Bytes>(tcp).await.unwrap();
                let mut held = Vec::new();
                while let Some(Ok(request)) = connection.accept().await {
                    held.push(request);
                }
            });
        }
    });
    count
}

async fn slot(pool: &Pool) -> (Http2Slot, bool) {
    slot_of(acquire(pool, need()).await.0.unwrap())
}

#[track_caller]
fn slot_of(acquired: Acquired) -> (Http2Slot, bool) {
    match acquired.channel {
        Channel::Http2(slot) => (slot, acquired.reused),
        Channel::Http1(_) => panic!("HTTP/2 was expected"),
    }
}

fn connections(pool: &Pool) -> usize {
    pool.status(NOW).servers[0].http2_connections
}

#[tokio::test]
async fn requests_that_come_together_open_one_connection() {
    let (listener, address) = listener().await;
    let count = serve(listener, 100);
    let pool = pool(http2(&[address]));
    let all = (0..50).map(|_| slot(&pool));
    let slots = futures_util::future::join_all(all).await;
    assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 1);
    assert_eq!(slots.iter().filter(|(_, reused)| !reused).count(), 1);
    assert_eq!(connections(&pool), 1);
}

#[tokio::test]
async fn a_full_connection_is_joined_by_another_and_used_again() {
    let (listener, address) = listener().await;
    let count = serve(listener, 2);
    let pool = pool(http2(&[address]));
    let mut slots = Vec::new();
    for _ in 0..5 {
        slots.push(slot(&pool).await.0);
    }
    assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 3);
    slots.truncate(2);
    let (_slot, reused) = slot(&pool).await;
    assert!(reused);
    assert_eq!(connections(&pool), 3);
}

#[tokio::test]
async fn an_idle_connection_ends() {
    let (listener, address) = listener().await;
    serve(listener, 100);
    let mut settings = http2(&[address]);
    settings.keep_alive = KeepAlive::new(1, Duration::from_secs(60)).unwrap();
    let upstreams = Upstreams::build(vec![settings]).unwrap();
    let pool = upstreams.get("app").unwrap();
    let later = NOW + Duration::from_secs(59);
    slot(pool).await.0.done(later);
    assert_eq!(upstreams.sweep(later + Duration::from_secs(59)), 0);
    let (held, reused) = slot(pool).await;
    assert!(reused);
    let over = later + Duration::from_secs(60);
    assert_eq!(upstreams.sweep(over), 0, "it is in use");
    drop(held);
    assert_eq!(upstreams.sweep(over), 1);
    assert_eq!(connections(pool), 0);
}

#[tokio::test]
async fn a_connection_that_the_server_ends_is_not_used_again() {
    let (listener, address) = listener().await;
    let pool = pool(http2(&[address]));
    let server = async {
        let (tcp, _) = listener.accept().await.unwrap();
        h2::server::handshake(tcp).await.unwrap()
    };
    let (first, mut server) = tokio::join!(slot(&pool), server);
    let (response, _) = first.0.send_request(Request::new(()), true).unwrap();
    let _stream = server.accept().await.unwrap().unwrap();
    server.graceful_shutdown();
    let ended = poll_fn(|cx| server.poll_closed(cx));
    // The notice has come when nothing can be sent any more.
    let noticed = async {
        while first.0.send_request(Request::new(()), true).is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! { _ = ended => {}, () = noticed => {} }
    drop(response);
    serve(listener, 100);
    let (_second, reused) = slot(&pool).await;
    assert!(!reused);
}

#[tokio::test]
async fn a_connection_of_its_own_has_one_request() {
    let (listener, address) = listener().await;
    let count = serve(listener, 100);
    let pool = pool(http2(&[address]));
    let _shared = slot(&pool).await;
    let mut own = need();
    own.own_connection = true;
    let (_own, reused) = slot_of(acquire(&pool, own).await.0.unwrap());
    assert!(!reused);
    assert_eq!(connections(&pool), 1, "nobody else gets it");
    assert!(slot(&pool).await.1, "the shared one");
    assert_eq!(count.load(std::sync::atomic::Ordering::Relaxed), 2);
}

#[tokio::test]
async fn with_a_proxy_header_each_client_has_its_own() {
    let (listener, address) = listener().await;
    let mut settings = http2(&[address]);
    settings.proxy_protocol = Some(ProxyVersion::V1);
    let pool = pool(settings);
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            while tcp.read_u8().await.unwrap() != b'\n' {}
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(tcp).await.unwrap();
                while let Some(Ok(_)) = connection.accept().await {}
            });
        }
    });
    let mut other = need();
    other.source = client(40_001);
    let (_first, reused) = slot(&pool).await;
    assert!(!reused);
    let (_again, reused) = slot(&pool).await;
    assert!(reused, "the same client");
    let (_other, reused) = slot_of(acquire(&pool, other).await.0.unwrap());
    assert!(!reused, "another client");
}

#[tokio::test]
async fn a_server_that_speaks_http1_is_told_apart() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tcp.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .await
            .unwrap();
        // Its end would come before what it said if the preface were left unread.
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    });
    let error = only_error(&pool(http2(&[address]))).await;
    assert!(matches!(error, ConnectError::NotHttp2(_)), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_is_not_waited_for() {
    let (_listener, address) = listener().await;
    let error = only_error(&pool(http2(&[address]))).await;
    let at = ConnectStep::Settings;
    assert!(
        matches!(error, ConnectError::Timeout(step) if step == at),
        "{error}"
    );
}

/// Speaks HTTP/2 by hand, so that it can fall silent.
async fn begin_by_hand(listener: &TcpListener) -> TcpStream {
    let (mut tcp, _) = listener.accept().await.unwrap();
    // An empty SETTINGS frame (RFC 9113 section 6.5).
    tcp.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    tcp
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_gone_is_noticed() {
    let (listener, address) = listener().await;
    let pool = pool(http2(&[address]));
    let ((slot, _), _silent) = tokio::join!(slot(&pool), begin_by_hand(&listener));
    let begun = Instant::now();
    let (response, _sending) = slot.send_request(Request::new(()), true).unwrap();
    assert!(response.await.unwrap_err().is_io());
    let took = begun.elapsed().as_secs();
    assert!((45..=75).contains(&took), "{took} s");
    assert!(slot.is_first_to_tell() && !slot.is_first_to_tell());
}
