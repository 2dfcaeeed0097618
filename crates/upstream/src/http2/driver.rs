//! What runs beside the requests of a connection: its frames, and the question whether its server is
//! still there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use h2::{Ping, PingPong};
use palisade_transport::Connection;
use tokio::time::{Instant, sleep, timeout};

use super::{Load, Running};

/// While requests wait and nothing has come for this long, up to twice as long, the server is asked
/// whether it is there (RFC 9113 section 6.7).
const SILENCE: Duration = Duration::from_secs(30);

/// How long it may take to answer that.
const PING_TIMEOUT: Duration = Duration::from_secs(15);

/// In one silence a server is asked no oftener: gRPC's end a connection that does (gRPC proposal A8).
const PING_INTERVAL: Duration = Duration::from_secs(300);

/// Counts the reads of a connection, from now on.
pub(super) fn count_reads(connection: &mut Connection) -> Arc<AtomicU64> {
    let reads = Arc::<AtomicU64>::default();
    let counted = Arc::clone(&reads);
    connection.inspect_reads(Some(Box::new(move |_| {
        counted.fetch_add(1, Relaxed);
        Ok(())
    })));
    reads
}

/// Runs a connection to its end, which comes when nobody has it any more, when the server ends it,
/// or when the server is gone. Its requests hear of it.
pub(super) async fn drive(mut connection: Running, reads: Arc<AtomicU64>, load: Arc<Load>) {
    let Some(mut pings) = connection.ping_pong() else {
        return;
    };
    tokio::select! {
        _ = connection => {}
        () = until_dead(&mut pings, &reads, &load) => {}
    }
}

/// Completes when the server no longer answers.
async fn until_dead(pings: &mut PingPong, reads: &AtomicU64, load: &Load) {
    let mut not_before = Instant::now();
    loop {
        let seen = reads.load(Relaxed);
        sleep(SILENCE).await;
        if reads.load(Relaxed) != seen {
            not_before = Instant::now();
            continue;
        }
        if load.is_idle() || Instant::now() < not_before {
            continue;
        }
        let answered = timeout(PING_TIMEOUT, pings.ping(Ping::opaque())).await;
        if !matches!(answered, Ok(Ok(_))) {
            return;
        }
        not_before = Instant::now() + PING_INTERVAL;
    }
}
