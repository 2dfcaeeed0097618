//! Requests that wait for a server with room.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncReadExt;

use super::backend::{NOW, acquire, listener, need, pool, refusing, settings};
use crate::{AcquireError, ConnectionLimit, Pool, Queueing};

fn limited(
    addresses: &[std::net::SocketAddr],
    connections_max: u32,
    length: u32,
    timeout: Duration,
) -> Arc<Pool> {
    let mut settings = settings(addresses);
    let queue = Queueing::new(length, timeout).unwrap();
    settings.connection_limit = ConnectionLimit::new(connections_max, queue).ok();
    pool(settings)
}

const LONG: Duration = Duration::from_secs(60);

async fn until_queued(pool: &Pool, queued: u32) {
    while pool.status(NOW).queued != queued {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn who_waits_gets_the_connection_that_comes_free() {
    let (_listener, address) = listener().await;
    let pool = limited(&[address], 1, 2, LONG);
    let first = acquire(&pool, need()).await.0.unwrap();
    let waiting = {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { acquire(&pool, need()).await.0 })
    };
    until_queued(&pool, 1).await;
    first.server.keep(first.channel.into_http1(), NOW);
    let second = waiting.await.unwrap().unwrap();
    assert!(second.reused);
    assert_eq!(pool.status(NOW).queued, 0);
}

#[test]
fn an_idle_connection_of_another_thread_makes_room() {
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let (one, other) = (runtime(), runtime());
    let (listener, address) = one.block_on(listener());
    let pool = limited(&[address], 1, 2, LONG);
    let mut far = one.block_on(async {
        let first = acquire(&pool, need()).await.0.unwrap();
        first.server.keep(first.channel.into_http1(), NOW);
        listener.accept().await.unwrap().0
    });
    let _second = other.block_on(async {
        let second = acquire(&pool, need()).await.0.unwrap();
        assert!(!second.reused);
        second
    });
    assert_eq!(pool.status(NOW).servers[0].idle_connections, 0);
    let read = one.block_on(far.read(&mut [0; 1]));
    assert_eq!(read.unwrap(), 0, "it is closed");
}

#[tokio::test]
async fn the_queue_has_a_length_and_an_end() {
    let (_listener, address) = listener().await;
    let pool = limited(&[address], 1, 1, Duration::from_millis(50));
    let _held = acquire(&pool, need()).await.0.unwrap();
    let waiting = {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { acquire(&pool, need()).await.0 })
    };
    until_queued(&pool, 1).await;
    let full = acquire(&pool, need()).await.0.unwrap_err();
    assert!(matches!(full, AcquireError::QueueFull), "{full}");
    let late = waiting.await.unwrap().unwrap_err();
    assert!(matches!(late, AcquireError::QueueTimeout), "{late}");
    assert!(full.is_for_now() && late.is_for_now() && !late.is_timeout());
}

#[tokio::test]
async fn nobody_overtakes_those_who_wait() {
    let (_listener, address) = listener().await;
    let pool = limited(&[address], 1, 5, LONG);
    let held = acquire(&pool, need()).await.0.unwrap();
    let (served, mut order) = tokio::sync::mpsc::channel(8);
    for number in 0..3 {
        let (of, served) = (Arc::clone(&pool), served.clone());
        tokio::spawn(async move {
            let got = acquire(&of, need()).await.0.unwrap();
            served.send((number, got)).await.unwrap();
        });
        until_queued(&pool, number + 1).await;
    }
    drop(held);
    // Room for one, and three before it.
    let late = {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { acquire(&pool, need()).await.0 })
    };
    for expected in 0..3 {
        let (number, got) = order.recv().await.unwrap();
        assert_eq!(number, expected);
        drop(got);
    }
    late.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_failed_connect_waits_for_another_server() {
    let (_hold, refused) = refusing();
    let (_listener, good) = listener().await;
    let pool = limited(&[refused, good], 1, 5, LONG);
    // The first turn is the refusing server's.
    let held = acquire(&pool, need()).await.0.unwrap();
    assert_eq!(**held.server.server().label(), good.to_string());
    let waiting = {
        let pool = Arc::clone(&pool);
        tokio::spawn(async move { acquire(&pool, need()).await })
    };
    until_queued(&pool, 1).await;
    drop(held);
    let (got, tries) = waiting.await.unwrap();
    assert_eq!(**got.unwrap().server.server().label(), good.to_string());
    assert_eq!(tries, ["refused", "ok"]);
}
