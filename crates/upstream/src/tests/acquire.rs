//! Keep-alive first, else connect, else another server.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::backend::{NOW, acquire, exchange, listener, need, pool, refusing, settings};
use crate::{AcquireError, Acquired, ConnectRetry, KeepAlive, Pool};

fn keep(acquired: Acquired) {
    acquired.server.keep(acquired.channel.into_http1(), NOW);
}

fn in_flight(pool: &Pool) -> u32 {
    pool.status(NOW)
        .servers
        .iter()
        .map(|server| server.in_flight)
        .sum()
}

#[tokio::test]
async fn a_refused_connect_goes_to_another_server() {
    let (_hold, refused) = refusing();
    let (_listener, good) = listener().await;
    let pool = pool(settings(&[refused, good]));
    let (acquired, tries) = acquire(&pool, need()).await;
    let acquired = acquired.unwrap();
    assert_eq!(tries, ["refused", "ok"]);
    assert!(!acquired.reused);
    assert_eq!(**acquired.server.server().label(), good.to_string());
    let status = pool.status(NOW);
    assert_eq!(status.servers[0].consecutive_failures, 1);
    assert_eq!(
        (status.servers[0].in_flight, status.servers[1].in_flight),
        (0, 1)
    );
    drop(acquired);
    assert_eq!(in_flight(&pool), 0);
}

#[tokio::test]
async fn each_server_is_tried_once() {
    let (_hold, one) = refusing();
    let (_hold_too, other) = refusing();
    let pool = pool(settings(&[one, other]));
    let (result, tries) = acquire(&pool, need()).await;
    assert_eq!(tries, ["refused", "refused"]);
    let error = result.unwrap_err();
    assert_eq!(error.label(), "refused");
    assert!(!error.is_timeout());
    assert!(matches!(error, AcquireError::Failed { attempts: 2, .. }));
    assert_eq!(in_flight(&pool), 0);
}

#[tokio::test]
async fn attempts_have_a_bound() {
    let (_hold, refused) = refusing();
    let (_listener, good) = listener().await;
    let mut settings = settings(&[refused, good]);
    settings.connect_retry = ConnectRetry::new(1, Duration::from_secs(5)).unwrap();
    let (result, tries) = acquire(&pool(settings), need()).await;
    assert_eq!(tries, ["refused"]);
    assert!(matches!(
        result,
        Err(AcquireError::Failed { attempts: 1, .. })
    ));
}

#[tokio::test]
async fn what_the_request_tried_is_left_out() {
    let (_listener, good) = listener().await;
    let pool = pool(settings(&[good]));
    let mut need = need();
    need.tried.add(&pool.servers()[0]);
    let (result, tries) = acquire(&pool, need).await;
    assert!(tries.is_empty());
    assert!(matches!(result, Err(AcquireError::NoServerLeft)));
}

#[tokio::test]
async fn a_connection_is_used_again() {
    let (listener, good) = listener().await;
    let pool = pool(settings(&[good]));
    let mut first = acquire(&pool, need()).await.0.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    exchange(first.channel.http1(), &mut far).await;
    keep(first);
    assert_eq!(pool.status(NOW).servers[0].idle_connections, 1);
    assert_eq!(in_flight(&pool), 0);

    let (second, tries) = acquire(&pool, need()).await;
    let mut second = second.unwrap();
    assert!(second.reused && tries.is_empty());
    assert_eq!(in_flight(&pool), 1);
    exchange(second.channel.http1(), &mut far).await;
    keep(second);

    let mut fresh = need();
    fresh.reuse = false;
    let (third, tries) = acquire(&pool, fresh).await;
    assert!(!third.unwrap().reused);
    assert_eq!(tries, ["ok"]);
}

#[tokio::test]
async fn a_closed_connection_is_not_used_again() {
    let (listener, good) = listener().await;
    let pool = pool(settings(&[good]));
    let mut first = acquire(&pool, need()).await.0.unwrap();
    let (far, _) = listener.accept().await.unwrap();
    drop(far);
    // Its end has arrived, so the order of events is certain.
    assert_eq!(first.channel.http1().read(&mut [0; 1]).await.unwrap(), 0);
    keep(first);
    let second = acquire(&pool, need()).await.0.unwrap();
    assert!(!second.reused);
    assert_eq!(pool.status(NOW).servers[0].idle_connections, 0);
    assert_eq!(
        pool.status(NOW).servers[0].consecutive_failures,
        0,
        "no fault of the server"
    );
}

#[tokio::test]
async fn a_connection_with_an_answer_nobody_asked_for_is_not_used_again() {
    let (listener, good) = listener().await;
    let pool = pool(settings(&[good]));
    let mut first = acquire(&pool, need()).await.0.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    far.write_all(b"!!").await.unwrap();
    first.channel.http1().read_u8().await.unwrap();
    keep(first);
    assert!(!acquire(&pool, need()).await.0.unwrap().reused);
}

#[tokio::test]
async fn keep_alive_can_be_off() {
    let (_listener, good) = listener().await;
    let mut settings = settings(&[good]);
    settings.keep_alive = KeepAlive::new(0, Duration::from_secs(60)).unwrap();
    let pool = pool(settings);
    keep(acquire(&pool, need()).await.0.unwrap());
    assert!(!acquire(&pool, need()).await.0.unwrap().reused);
}

#[tokio::test]
async fn an_ejected_server_is_connected_to_only_on_trial() {
    let (hold, failing) = refusing();
    let (_listener, good) = listener().await;
    let pool = pool(settings(&[failing, good]));
    let mut later = need();
    for _ in 0..3 {
        later.reuse = false;
        acquire(&pool, later).await.0.unwrap();
        acquire(&pool, later).await.0.unwrap();
    }
    assert_eq!(
        pool.status(NOW).servers[0].ejected_for,
        Some(Duration::from_secs(10))
    );
    for _ in 0..8 {
        assert_eq!(
            acquire(&pool, later).await.1,
            ["ok"],
            "nobody meets the broken server"
        );
    }
    // It comes back; its period is over.
    let _listener_too = hold.listen(8).unwrap();
    later.now = NOW + Duration::from_secs(3600);
    let mut trial = loop {
        let acquired = acquire(&pool, later).await.0.unwrap();
        if Arc::ptr_eq(acquired.server.server().label(), pool.servers()[0].label()) {
            break acquired;
        }
    };
    assert!(pool.status(later.now).servers[0].ejected_for.is_some());
    trial.server.answered(later.now);
    assert_eq!(pool.status(later.now).servers[0].ejected_for, None);
}

#[tokio::test]
async fn ejection_drops_idle_connections() {
    let (_listener, good) = listener().await;
    let pool = pool(settings(&[good]));
    keep(acquire(&pool, need()).await.0.unwrap());
    assert_eq!(pool.status(NOW).servers[0].idle_connections, 1);
    let mut fresh = need();
    fresh.reuse = false;
    for n in 1..=3 {
        let mut acquired = acquire(&pool, fresh).await.0.unwrap();
        assert_eq!(acquired.server.failed(NOW), n == 3);
    }
    assert_eq!(pool.status(NOW).servers[0].idle_connections, 0);
}

#[tokio::test]
async fn a_trial_is_made_with_a_new_connection() {
    let (_listener, good) = listener().await;
    let pool = pool(settings(&[good]));
    // Its answer began before the server broke, and ended after.
    let long = acquire(&pool, need()).await.0.unwrap();
    let mut later = need();
    later.reuse = false;
    for _ in 0..3 {
        acquire(&pool, later).await.0.unwrap().server.failed(NOW);
    }
    keep(long);
    assert_eq!(pool.status(NOW).servers[0].idle_connections, 1);
    later.reuse = true;
    later.now = NOW + Duration::from_secs(10);
    assert!(!acquire(&pool, later).await.0.unwrap().reused);
}

#[tokio::test]
async fn the_usual_case_is_a_small_future() {
    let (_listener, good) = listener().await;
    let pool = pool(settings(&[good]));
    let need = need();
    let mut observer = ();
    let future = pool.acquire(&need, &mut observer);
    assert!(
        size_of_val(&future) <= 512,
        "{} bytes",
        size_of_val(&future)
    );
}
