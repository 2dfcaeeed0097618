//! No step waits for ever. Time is paused: it goes on by itself when nothing else can happen.

use std::time::Duration;

use tokio::time::Instant;

use super::backend::{acquire, full_backlog, listener, need, only_error, pool, settings};
use crate::{ConnectError, ConnectRetry, ConnectStep, ServerTrust, Timeouts, TlsSettings};

fn unverified() -> Option<TlsSettings> {
    Some(TlsSettings {
        trust: ServerTrust::Unverified,
        ..TlsSettings::default()
    })
}

#[tokio::test(start_paused = true)]
async fn a_full_backlog_times_out() {
    let (_listener, _waiting, address) = full_backlog().await;
    let error = only_error(&pool(settings(&[address]))).await;
    assert!(
        matches!(error, ConnectError::Timeout(ConnectStep::Tcp)),
        "{error}"
    );
    assert_eq!(
        error.to_string(),
        "no connection in time: the TCP handshake took too long"
    );
}

#[tokio::test(start_paused = true)]
async fn a_tls_handshake_that_stalls_times_out() {
    let (_listener, address) = listener().await;
    let mut settings = settings(&[address]);
    settings.tls = unverified();
    let started = Instant::now();
    let error = only_error(&pool(settings)).await;
    assert!(
        matches!(error, ConnectError::Timeout(ConnectStep::Tls)),
        "{error}"
    );
    assert!(error.is_timeout() && error.blames_server());
    let took = started.elapsed();
    assert!((2000..2010).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn all_attempts_share_one_deadline() {
    let (_one, first) = listener().await;
    let (_two, second) = listener().await;
    let (_three, third) = listener().await;
    let mut settings = settings(&[first, second, third]);
    settings.tls = unverified();
    let seconds = Duration::from_secs;
    settings.timeouts = Timeouts::new(seconds(2), seconds(60), seconds(60)).unwrap();
    settings.connect_retry = ConnectRetry::new(3, seconds(3)).unwrap();
    let started = Instant::now();
    let (result, tries) = acquire(&pool(settings), need()).await;
    assert!(result.unwrap_err().is_timeout());
    assert_eq!(
        tries,
        ["timeout", "timeout"],
        "2 s, then the 1 s that is left"
    );
    let took = started.elapsed();
    assert!((3000..3010).contains(&took.as_millis()), "{took:?}");
}
