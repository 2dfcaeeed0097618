//! What is behind all servers: a site of one page, and a service that says who may pass.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;

use crate::addresses::Listed;

/// The page, which no rule of a WAF takes for a leak.
const PAGE_BYTES: usize = 1 << 10;

/// A site that answers everything with a page of 1 KiB, and beside it a service for ForwardAuth: one thread of this
/// process, whose cost is none of any server's. It lives as long as the process.
#[derive(Debug)]
pub struct Backend {
    /// The site.
    pub site: SocketAddr,
    /// Answers `GET /auth` with 200, or with 403 where X-Forwarded-For names a listed address.
    pub auth: SocketAddr,
    served: Arc<AtomicU64>,
}

impl Backend {
    /// Starts it.
    ///
    /// # Errors
    /// Where there is no port or no thread.
    pub fn start(listed: Arc<Listed>) -> io::Result<Self> {
        let bind = || {
            let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
            listener.set_nonblocking(true)?;
            Ok::<_, io::Error>((listener.local_addr()?, listener))
        };
        let ((site, site_listener), (auth, auth_listener)) = (bind()?, bind()?);
        let served = Arc::new(AtomicU64::new(0));
        let page: Bytes = page().into();
        let count = Arc::clone(&served);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let serve = async move {
            let site = serve(site_listener, move |_| {
                count.fetch_add(1, Ordering::Relaxed);
                (StatusCode::OK, page.clone())
            });
            let auth = serve(auth_listener, move |request| {
                let status = match is_listed(request, &listed) {
                    true => StatusCode::FORBIDDEN,
                    false => StatusCode::OK,
                };
                (status, Bytes::new())
            });
            tokio::join!(site, auth)
        };
        std::thread::Builder::new()
            .name("backend".to_owned())
            .spawn(move || runtime.block_on(serve))?;
        Ok(Self { site, auth, served })
    }

    /// How many requests the site has answered.
    #[must_use]
    pub fn served(&self) -> u64 {
        self.served.load(Ordering::Relaxed)
    }
}

fn page() -> String {
    let line = "<p>An oak chair that folds, for gardens and balconies.</p>\n";
    let mut page = String::from("<!doctype html>\n<title>Chairs</title>\n");
    while page.len() + line.len() <= PAGE_BYTES {
        page.push_str(line);
    }
    page.extend(std::iter::repeat_n('\n', PAGE_BYTES - page.len()));
    page
}

/// Serves until its listener fails.
async fn serve<A>(listener: std::net::TcpListener, answer: A) -> io::Result<()>
where
    A: Fn(&Request<Incoming>) -> (StatusCode, Bytes) + Clone + Send + 'static,
{
    let listener = TcpListener::from_std(listener)?;
    loop {
        let (tcp, _) = listener.accept().await?;
        tcp.set_nodelay(true)?;
        let answer = answer.clone();
        let service = service_fn(move |request: Request<Incoming>| {
            let (status, body) = answer(&request);
            async move {
                // A body that breaks off is the client's affair.
                let mut sent = request.into_body();
                while let Some(Ok(_)) = sent.frame().await {}
                let mut response = Response::new(Full::new(body));
                *response.status_mut() = status;
                let kind = HeaderValue::from_static("text/html; charset=utf-8");
                response.headers_mut().insert(CONTENT_TYPE, kind);
                Ok::<_, Infallible>(response)
            }
        });
        // As is one who hangs up.
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(tcp), service));
    }
}

fn is_listed(request: &Request<Incoming>, listed: &Listed) -> bool {
    let fields = request.headers().get_all("x-forwarded-for").iter();
    let mut addresses = fields
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|address| address.trim().parse().ok());
    addresses.any(|address| listed.contains(address))
}
