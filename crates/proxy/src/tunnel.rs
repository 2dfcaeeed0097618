//! An upgraded connection: bytes in both directions until one side ends, nothing comes for too
//! long, or the client is banned.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use palisade_gate::Cause;
use palisade_transport::Connection;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{Instant, sleep};

use crate::downstream::Downstream;
use crate::request::{Context, RECHECK_INTERVAL};

/// Bytes are taken and given in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;

/// How a tunnel ended.
#[derive(Debug, Default)]
pub(crate) struct TunnelEnd {
    pub(crate) bytes_to_client: u64,
    /// The decision that ended it.
    pub(crate) banned_by: Option<Cause>,
}

/// Carries bytes between client and backend, of which some came with its head already.
pub(crate) async fn run(
    context: &Context<'_>,
    (backend, to_client): (Box<Connection>, BytesMut),
    downstream: &mut Downstream<'_>,
) -> TunnelEnd {
    // What was read past the heads belongs to the tunnel.
    let Some(client) = downstream.take_for_tunnel() else {
        return TunnelEnd::default();
    };
    let (client, to_backend) = client.into_upgraded();
    let idle = context.facts.listener.settings.deadlines.idle;
    let traffic = Traffic::default();
    let (client_read, client_write) = tokio::io::split(client);
    let (backend_read, backend_write) = tokio::io::split(backend);
    let both = async {
        tokio::join!(
            carry(
                client_read,
                backend_write,
                &to_backend,
                &traffic.pieces,
                None
            ),
            carry(
                backend_read,
                client_write,
                &to_client,
                &traffic.pieces,
                Some(&traffic.bytes_to_client)
            ),
        )
    };
    let watch = async {
        let mut seen = 0;
        let mut quiet_since = Instant::now();
        loop {
            sleep(RECHECK_INTERVAL.min(idle)).await;
            let pieces = traffic.pieces.load(Ordering::Relaxed);
            if pieces != seen {
                seen = pieces;
                quiet_since = Instant::now();
            }
            let banned_by = context.banned_by();
            if banned_by.is_some() || quiet_since.elapsed() >= idle {
                return banned_by;
            }
        }
    };
    let banned_by = tokio::select! {
        _ = both => None,
        banned_by = watch => banned_by,
    };
    TunnelEnd {
        bytes_to_client: traffic.bytes_to_client.load(Ordering::Relaxed),
        banned_by,
    }
}

#[derive(Default)]
struct Traffic {
    pieces: AtomicU64,
    bytes_to_client: AtomicU64,
}

/// Carries one direction to its end, and passes the end on. A connection that breaks has come to its
/// end too: the other side must not wait for more.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    first: &[u8],
    pieces: &AtomicU64,
    bytes: Option<&AtomicU64>,
) -> io::Result<()> {
    let count = |part: &[u8]| {
        pieces.fetch_add(1, Ordering::Relaxed);
        if let Some(bytes) = bytes {
            bytes.fetch_add(part.len() as u64, Ordering::Relaxed);
        }
    };
    if !first.is_empty() {
        to.write_all(first).await?;
        to.flush().await?;
        count(first);
    }
    let mut piece = vec![0_u8; PIECE_BYTES];
    loop {
        let length = from.read(&mut piece).await.unwrap_or(0);
        if length == 0 {
            return to.shutdown().await;
        }
        let part = piece.get(..length).unwrap_or_default();
        to.write_all(part).await?;
        to.flush().await?;
        count(part);
    }
}
