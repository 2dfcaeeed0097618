//! A plain HTTP/1 server with bounds: one request a connection.

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::answer::Answer;
use crate::peer::Caller;

/// Connections that are served at once. Others wait in the kernel's queue.
pub(crate) const CONNECTIONS_MAX: usize = 64;
/// The longest head of a request.
pub(crate) const HEAD_BYTES_MAX: usize = 16 * 1024;
/// How long a head may take.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a connection may last, from accept to the last byte of the answer.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a door that closes waits for the request of a connection that it has accepted.
const REQUEST_GRACE: Duration = Duration::from_secs(1);
/// How long what is under way at the end may still take.
const GRACE: Duration = Duration::from_secs(5);
/// How long to wait when the process has no file descriptors left, before trying again.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is behind a door.
pub(crate) trait Handler: Send + Sync + 'static {
    /// Answers a request. Its body is read only by who asks for it.
    fn handle(
        &self,
        request: Request<Incoming>,
        caller: Caller,
    ) -> impl Future<Output = Answer> + Send;
}

/// Where connections come from.
pub(crate) enum Acceptor {
    Tcp(TcpListener),
    Unix(UnixListener),
}

enum Stream {
    Tcp(tokio::net::TcpStream),
    Unix(tokio::net::UnixStream),
}

impl Acceptor {
    async fn accept(&self) -> io::Result<Stream> {
        Ok(match self {
            Self::Tcp(listener) => Stream::Tcp(listener.accept().await?.0),
            Self::Unix(listener) => Stream::Unix(listener.accept().await?.0),
        })
    }
}

/// Serves until `stopping` is true; then finishes what is under way, within [`GRACE`].
pub(crate) async fn serve<H: Handler>(
    acceptor: Acceptor,
    handler: Arc<H>,
    mut stopping: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => break,
            Some(_) = connections.join_next() => continue,
            accepted = acceptor.accept(), if connections.len() < CONNECTIONS_MAX => accepted,
        };
        let (handler, stopping) = (Arc::clone(&handler), stopping.clone());
        match accepted {
            Ok(Stream::Tcp(stream)) => {
                connections.spawn(serve_connection(stream, Caller::Network, handler, stopping));
            }
            Ok(Stream::Unix(stream)) => {
                let caller = Caller::of(&stream);
                connections.spawn(serve_connection(stream, caller, handler, stopping));
            }
            Err(error) if is_of_one_connection(&error) => {}
            // No descriptors or no memory: those that are open end sooner or later.
            Err(_) => sleep(ACCEPT_PAUSE).await,
        }
    }
    drop(acceptor);
    // What takes longer is cut off when the set is dropped.
    let _ = timeout(GRACE, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
}

/// Whether an error of accept(2) is about the connection that would have been accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

async fn serve_connection<H: Handler>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    caller: Caller,
    handler: Arc<H>,
    mut stopping: watch::Receiver<bool>,
) {
    let service = service_fn(|request| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, Infallible>(handler.handle(request, caller).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_header_size(HEAD_BYTES_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    // How a connection ends is its caller's business.
    let served = async {
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = stopping.wait_for(|stopping| *stopping) => {}
        }
        // Its one request may be on its way: a graceful shutdown at once would leave it unanswered.
        if timeout(REQUEST_GRACE, connection.as_mut()).await.is_err() {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    };
    let _ = timeout(CONNECTION_TIMEOUT, served).await;
}
