//! The application behind a peer, which is also the service that tells who is blocked.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::{BANNED, BANNED_IN_RANGE};

/// What it answers.
pub(crate) const PAGE: &str = "the application's own page";
/// Where it answers as a broken application does.
pub(crate) const LEAK: &str = "/leak";
const LEAKED: &str = "<html>You have an error in your SQL syntax; check the manual that corresponds to your \
                      MySQL server version for the right syntax to use near ''1'' at line 1</html>";

/// A request as the application sees it.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) fields: HeaderMap,
    pub(crate) body: Bytes,
}

/// The running application; it ends with the test's runtime.
#[derive(Clone)]
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

impl Backend {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let backend = Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            connections: Arc::default(),
        };
        tokio::spawn(backend.clone().serve(listener));
        backend
    }

    /// What has come since this was last asked.
    pub(crate) fn take_seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Connections that were opened to it, ever.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    async fn serve(self, listener: TcpListener) {
        loop {
            let (tcp, _) = listener.accept().await.unwrap();
            self.connections.fetch_add(1, Ordering::Relaxed);
            let backend = self.clone();
            let service =
                hyper::service::service_fn(move |request| backend.clone().answer(request));
            let http = hyper::server::conn::http1::Builder::new();
            tokio::spawn(http.serve_connection(TokioIo::new(tcp), service));
        }
    }

    async fn answer(self, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
        let (head, body) = request.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        if head.uri.path() == "/auth" {
            let mut answer = Response::new(Full::default());
            let forwarded = forwarded(&head.headers);
            if [BANNED, BANNED_IN_RANGE]
                .iter()
                .any(|banned| forwarded.contains(banned))
            {
                *answer.status_mut() = StatusCode::FORBIDDEN;
            }
            return Ok(answer);
        }
        let text = if head.uri.path() == LEAK {
            LEAKED
        } else {
            PAGE
        };
        let fields = head.headers;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(Seen { fields, body });
        let answer = Response::builder().header("content-type", "text/html; charset=utf-8");
        Ok(answer.body(Full::from(text)).unwrap())
    }
}

/// All of X-Forwarded-For.
pub(crate) fn forwarded(fields: &HeaderMap) -> String {
    let lines = fields.get_all("x-forwarded-for").iter();
    let texts: Vec<&str> = lines.map(|line| line.to_str().unwrap()).collect();
    texts.join(", ")
}
