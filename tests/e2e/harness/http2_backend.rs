//! A backend that speaks HTTP/2, and does what the path says.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::poll_fn;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicU16, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::certificates::Certificate;

/// An HTTP/2 server on loopback; stopped when dropped.
pub(crate) struct Http2Backend {
    address: SocketAddr,
    seen: Arc<Mutex<Seen>>,
    _stop: tokio::sync::oneshot::Sender<()>,
}

/// What it saw.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// Connections that came.
    pub(crate) connections: usize,
    /// Those that ended.
    pub(crate) ended: usize,
    /// Paths that were asked for.
    pub(crate) begun: HashSet<String>,
    pub(crate) requests: Vec<SeenRequest>,
    /// The codes of resets, by path.
    pub(crate) resets: HashMap<String, Reason>,
    /// Bytes of bodies that were taken from clients, by path.
    pub(crate) taken: HashMap<String, usize>,
    /// Bytes of bodies that were given to HTTP/2, by path.
    pub(crate) given: HashMap<String, usize>,
    /// Paths on which nothing could be given for a while.
    pub(crate) stalled: Vec<String>,
}

/// A request, once its body was read.
#[derive(Clone, Debug)]
pub(crate) struct SeenRequest {
    pub(crate) method: String,
    pub(crate) uri: String,
    pub(crate) fields: HeaderMap,
    pub(crate) body: usize,
    pub(crate) trailers: Option<HeaderMap>,
}

/// How a backend differs from the usual.
#[derive(Clone, Default)]
pub(crate) struct Options {
    pub(crate) streams_max: Option<u32>,
    /// How many requests are refused first.
    pub(crate) refuses: u32,
    pub(crate) tls: Option<Arc<ServerConfig>>,
    /// What `/healthz` is answered with; 0 is 200.
    pub(crate) health: Arc<AtomicU16>,
}

/// TLS with a certificate, speaking `alpn`.
pub(crate) fn server_tls(certificate: &Certificate, alpn: &[&str]) -> Arc<ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = vec![CertificateDer::from_pem_slice(certificate.chain.as_bytes()).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(certificate.key.as_bytes()).unwrap();
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap();
    let mut config = builder
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    Arc::new(config)
}

impl fmt::Display for Http2Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

#[derive(Clone)]
struct Server {
    seen: Arc<Mutex<Seen>>,
    refuses: Arc<AtomicU32>,
    options: Options,
}

impl Http2Backend {
    pub(crate) fn start() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with(options: Options) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let server = Server {
            seen: Arc::clone(&seen),
            refuses: Arc::new(AtomicU32::new(options.refuses)),
            options,
        };
        let (stop, stopped) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                listener.set_nonblocking(true).unwrap();
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                let accept = async {
                    while let Ok((tcp, _)) = listener.accept().await {
                        tokio::spawn(server.clone().connection(tcp));
                    }
                };
                tokio::select! { () = accept => {}, _ = stopped => {} }
            });
        });
        Self {
            address,
            seen,
            _stop: stop,
        }
    }

    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }
}

impl Server {
    fn note(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen.lock().unwrap());
    }

    async fn connection(self, tcp: tokio::net::TcpStream) {
        self.note(|seen| seen.connections += 1);
        match &self.options.tls {
            Some(tls) => {
                let acceptor = TlsAcceptor::from(Arc::clone(tls));
                if let Ok(tls) = acceptor.accept(tcp).await {
                    self.speak(tls).await;
                }
            }
            None => self.speak(tcp).await,
        }
        self.note(|seen| seen.ended += 1);
    }

    async fn speak(&self, io: impl AsyncRead + AsyncWrite + Unpin) {
        let mut builder = Builder::new();
        if let Some(max) = self.options.streams_max {
            builder.max_concurrent_streams(max);
        }
        let Ok(mut connection) = builder.handshake::<_, Bytes>(io).await else {
            return;
        };
        while let Some(Ok((request, mut respond))) = connection.accept().await {
            if request.uri().path() == "/goaway" {
                connection.graceful_shutdown();
            }
            let refused = self
                .refuses
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| {
                    left.checked_sub(1)
                });
            match refused {
                Ok(_) => respond.send_reset(Reason::REFUSED_STREAM),
                Err(_) => drop(tokio::spawn(self.clone().request(request, respond))),
            }
        }
    }

    async fn request(self, request: Request<RecvStream>, mut respond: SendResponse<Bytes>) {
        let (parts, body) = request.into_parts();
        let path = parts.uri.path().to_owned();
        self.note(|seen| {
            seen.begun.insert(path.clone());
        });
        let ok = |status| Response::builder().status(status).body(()).unwrap();
        match path.as_str() {
            "/echo" => {
                let sending = respond.send_response(ok(200), false).unwrap();
                self.echo(&path, body, sending).await;
            }
            // The answer is whole before the body is; h2 resets the stream with NO_ERROR then.
            "/early" => {
                let mut sending = respond.send_response(ok(413), false).unwrap();
                sending.send_data("enough".into(), true).unwrap();
            }
            "/break" => {
                let mut sending = respond.send_response(ok(200), false).unwrap();
                give(&mut sending, "part".into()).await;
                // h2 drops what it has not yet written when a stream is reset.
                sleep(Duration::from_millis(100)).await;
                sending.send_reset(Reason::ENHANCE_YOUR_CALM);
            }
            "/healthz" => {
                let status = self.options.health.load(Ordering::Relaxed);
                let status = if status == 0 { 200 } else { status };
                let _ = respond.send_response(ok(status), true);
            }
            "/reset" => respond.send_reset(Reason::CANCEL),
            "/hang" => {
                let code = poll_fn(|cx| respond.poll_reset(cx)).await;
                self.note_reset(&path, code);
            }
            "/hang-midway" => {
                let mut sending = respond.send_response(ok(200), false).unwrap();
                give(&mut sending, "part".into()).await;
                let code = poll_fn(|cx| sending.poll_reset(cx)).await;
                self.note_reset(&path, code);
            }
            "/flood" => {
                let sending = respond.send_response(ok(200), false).unwrap();
                self.flood(&path, sending).await;
            }
            // Takes nothing of the body.
            "/stall" => {
                let code = poll_fn(|cx| respond.poll_reset(cx)).await;
                self.note_reset(&path, code);
                drop(body);
            }
            "/wrong-length" => {
                let response = Response::builder().header("content-length", "10").body(());
                let mut sending = respond.send_response(response.unwrap(), false).unwrap();
                sending.send_data("short".into(), true).unwrap();
            }
            "/hints" => {
                let hints = Response::builder().status(103).header("link", "</a>");
                respond.send_informational(hints.body(()).unwrap()).unwrap();
                self.whole(parts, body, respond).await;
            }
            "/trailers-only" => {
                let response = Response::builder()
                    .header("grpc-status", "5")
                    .body(())
                    .unwrap();
                respond.send_response(response, true).unwrap();
            }
            _ => self.whole(parts, body, respond).await,
        }
    }

    fn note_reset(&self, path: &str, code: Result<Reason, h2::Error>) {
        if let Ok(code) = code {
            self.note(|seen| {
                seen.resets.insert(path.to_owned(), code);
            });
        }
    }

    /// Answers when the body has ended.
    async fn whole(
        self,
        parts: http::request::Parts,
        mut body: RecvStream,
        mut respond: SendResponse<Bytes>,
    ) {
        let mut length = 0;
        while let Some(part) = body.data().await {
            let Ok(part) = part else { return };
            length += part.len();
            let _ = body.flow_control().release_capacity(part.len());
        }
        let Ok(trailers) = body.trailers().await else {
            return;
        };
        let is_head = parts.method == http::Method::HEAD;
        self.note(|seen| {
            seen.requests.push(SeenRequest {
                method: parts.method.to_string(),
                uri: parts.uri.to_string(),
                fields: parts.headers,
                body: length,
                trailers,
            });
        });
        let response = Response::builder()
            .status(StatusCode::OK)
            .header("x-backend", "http2")
            .body(());
        let sent = respond.send_response(response.unwrap(), false);
        let Ok(mut sending) = sent else { return };
        if is_head {
            let _ = sending.send_data(Bytes::new(), true);
            return;
        }
        let _ = sending.send_data(length.to_string().into(), false);
        let mut trailers = HeaderMap::new();
        trailers.insert("x-sum", HeaderValue::from_static("7"));
        trailers.insert("server", HeaderValue::from_static("secret"));
        let _ = sending.send_trailers(trailers);
    }

    /// Gives back what it takes, as it comes, and the trailers.
    async fn echo(&self, path: &str, mut body: RecvStream, mut sending: SendStream<Bytes>) {
        while let Some(Ok(part)) = body.data().await {
            let length = part.len();
            let _ = body.flow_control().release_capacity(length);
            self.note(|seen| *seen.taken.entry(path.to_owned()).or_default() += length);
            if !give(&mut sending, part).await {
                return;
            }
        }
        if let Ok(trailers) = body.trailers().await {
            let _ = sending.send_trailers(trailers.unwrap_or_default());
        }
    }

    /// Gives as much as is taken.
    async fn flood(&self, path: &str, mut sending: SendStream<Bytes>) {
        let part = Bytes::from(vec![b'x'; 16 * 1024]);
        loop {
            let given = give(&mut sending, part.clone());
            match timeout(Duration::from_millis(500), given).await {
                Ok(true) => {
                    self.note(|seen| *seen.given.entry(path.to_owned()).or_default() += part.len());
                }
                Ok(false) => return,
                Err(_) => self.note(|seen| seen.stalled.push(path.to_owned())),
            }
        }
    }
}

/// Sends a part as the other end takes it; whether it did.
pub(crate) async fn give(sending: &mut SendStream<Bytes>, mut part: Bytes) -> bool {
    while !part.is_empty() {
        sending.reserve_capacity(part.len());
        let Some(Ok(capacity)) = poll_fn(|cx| sending.poll_capacity(cx)).await else {
            return false;
        };
        let now = part.split_to(capacity.min(part.len()));
        if sending.send_data(now, false).is_err() {
            return false;
        }
    }
    true
}
