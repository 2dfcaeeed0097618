//! Checks by HTTP/2, and of what a server chooses.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::SendResponse;
use http::{Request, Response};
use parking_lot::Mutex;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use super::backend::{listener, settings};
use super::tls::{Authority, tls};
use crate::{
    CheckPace, HttpProbe, PoolSettings, Probe, ProbeMethod, Protocol, ProxyVersion, ServerTrust,
    StatusRanges, Upstreams,
};

const TIMEOUT: Duration = Duration::from_secs(10);

fn speaking(protocol: Protocol, address: SocketAddr) -> PoolSettings {
    let mut settings = settings(&[address]);
    settings.protocol = protocol;
    settings
}

fn http(method: ProbeMethod) -> Probe {
    let good = StatusRanges::default();
    Probe::Http(HttpProbe::new(method, "/up?x=1", Some("app.test"), good).unwrap())
}

/// One check of the only server of these settings.
async fn ask(settings: PoolSettings, probe: &Probe) -> Result<(), String> {
    let pace = CheckPace::new(TIMEOUT, TIMEOUT).unwrap();
    let upstreams = Upstreams::build(vec![settings]).unwrap();
    let server = Arc::clone(&upstreams.get("app").unwrap().servers()[0]);
    crate::probe::check(&server, crate::connect::Way::Any, probe, pace).await
}

/// What a server makes of a check's request.
type Answer = fn(SendResponse<Bytes>);

/// Answers the first request of a connection; gives it once the connection has ended.
async fn serve(io: impl AsyncRead + AsyncWrite + Unpin, answer: Answer) -> Option<Request<()>> {
    let mut connection = h2::server::handshake(io).await.ok()?;
    let (request, respond) = connection.accept().await?.ok()?;
    answer(respond);
    assert!(connection.accept().await.is_none_or(|other| other.is_err()));
    Some(request.map(drop))
}

fn serve_one(listener: TcpListener, answer: Answer) -> JoinHandle<Option<Request<()>>> {
    tokio::spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        serve(tcp, answer).await
    })
}

fn status(status: u16) -> Response<()> {
    Response::builder().status(status).body(()).unwrap()
}

/// One check by prior knowledge of a server that answers like this.
#[track_caller]
fn check(answer: Answer, expected: Result<(), &str>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (listener, address) = listener().await;
        let served = serve_one(listener, answer);
        let settings = speaking(Protocol::Http2, address);
        let got = ask(settings, &http(ProbeMethod::Get)).await;
        match expected {
            Ok(()) => assert_eq!(got, Ok(())),
            Err(why) => assert!(
                got.as_ref().is_err_and(|got| got.starts_with(why)),
                "{got:?}"
            ),
        }
        // Whatever came of it, the connection has ended.
        served.await.unwrap();
    });
}

#[test]
fn a_status_is_judged_as_over_http1() {
    check(|mut to| drop(to.send_response(status(204), true)), Ok(()));
    check(
        |mut to| {
            let mut body = to.send_response(status(200), false).unwrap();
            // More than anybody reads.
            body.send_data(vec![b'x'; 100_000].into(), false).unwrap();
        },
        Ok(()),
    );
    check(
        |mut to| {
            to.send_informational(status(103)).unwrap();
            to.send_response(status(399), true).unwrap();
        },
        Ok(()),
    );
    check(
        |mut to| drop(to.send_response(status(503), true)),
        Err("status 503"),
    );
}

#[test]
fn what_is_no_status_says_what_it_is() {
    check(
        |mut to| to.send_reset(Reason::REFUSED_STREAM),
        Err("the server refused the request: "),
    );
    check(
        |mut to| {
            let head = Response::builder().header("x", "y".repeat(17 * 1024));
            to.send_response(head.body(()).unwrap(), true).unwrap();
        },
        Err("the answer is not HTTP/2: "),
    );
}

#[tokio::test]
async fn a_check_by_http2_asks_as_a_request_does_and_ends_its_connection() {
    for (method, name) in [(ProbeMethod::Get, "GET"), (ProbeMethod::Head, "HEAD")] {
        let (listener, address) = listener().await;
        let served = serve_one(listener, |mut to| {
            to.send_response(status(200), true).unwrap();
        });
        let settings = speaking(Protocol::Http2, address);
        assert_eq!(ask(settings, &http(method)).await, Ok(()));
        let request = served.await.unwrap().unwrap();
        assert_eq!(request.method(), name);
        assert_eq!(request.uri(), "http://app.test/up?x=1");
        assert_eq!(request.headers()["user-agent"], "palisade-health-check");
        assert_eq!(request.headers()["accept"], "*/*");
    }
    // Where no host is set it is the server itself.
    let (listener, address) = listener().await;
    let served = serve_one(listener, |mut to| {
        to.send_response(status(200), true).unwrap();
    });
    let good = StatusRanges::default();
    let probe = HttpProbe::new(ProbeMethod::Get, "/", None, good).unwrap();
    let settings = speaking(Protocol::Http2, address);
    assert_eq!(ask(settings, &Probe::Http(probe)).await, Ok(()));
    let request = served.await.unwrap().unwrap();
    assert_eq!(request.uri().to_string(), format!("http://{address}/"));
}

#[tokio::test]
async fn an_answer_that_comes_with_the_end_of_its_connection_counts() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut preface = [0; 24];
        tcp.read_exact(&mut preface).await.unwrap();
        // Empty SETTINGS, and HEADERS of stream 1 that end it: 0x88 is `:status: 200` (RFC 7541,
        // appendix A).
        let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
        let headers = [0, 0, 1, 1, 5, 0, 0, 0, 1, 0x88];
        let answer = [&settings[..], &headers[..]].concat();
        tcp.write_all(&answer).await.unwrap();
        tcp.shutdown().await.unwrap();
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    });
    let settings = speaking(Protocol::Http2, address);
    assert_eq!(ask(settings, &http(ProbeMethod::Get)).await, Ok(()));
}

#[tokio::test]
async fn a_server_that_speaks_http1_alone_fails_a_check_by_http2() {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        tcp.write_all(answer).await.unwrap();
        // Its end would come before what it said if the request were left unread.
        let _ = tcp.read_to_end(&mut Vec::new()).await;
    });
    let settings = speaking(Protocol::Http2, address);
    let failed = ask(settings, &http(ProbeMethod::Get)).await.unwrap_err();
    assert!(failed.starts_with("the answer is not HTTP/2: "), "{failed}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_fails_a_check_by_http2_in_time() {
    let (_listener, address) = listener().await;
    let settings = speaking(Protocol::Http2, address);
    let failed = ask(settings, &http(ProbeMethod::Get)).await;
    assert_eq!(failed, Err("no answer in 10s".to_owned()));
}

#[tokio::test]
async fn the_proxy_header_comes_before_http2() {
    let (listener, address) = listener().await;
    let mut settings = speaking(Protocol::Http2, address);
    settings.proxy_protocol = Some(ProxyVersion::V2);
    let served = tokio::spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut header = [0; 16];
        tcp.read_exact(&mut header).await.unwrap();
        let answer = |mut to: SendResponse<Bytes>| drop(to.send_response(status(200), true));
        (header, serve(tcp, answer).await.is_some())
    });
    assert_eq!(ask(settings, &http(ProbeMethod::Get)).await, Ok(()));
    let (header, is_served) = served.await.unwrap();
    assert_eq!(&header, b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    assert!(is_served);
}

/// Serves whatever comes over TLS in what was chosen in the handshake; tells that.
fn serve_tls(listener: TcpListener, acceptor: TlsAcceptor) -> Arc<Mutex<Vec<Option<Vec<u8>>>>> {
    let chosen = Arc::<Mutex<Vec<Option<Vec<u8>>>>>::default();
    let chooses = Arc::clone(&chosen);
    tokio::spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut io) = acceptor.accept(tcp).await else {
                continue;
            };
            let alpn = io.get_ref().1.alpn_protocol().map(<[u8]>::to_vec);
            let is_http2 = alpn.as_deref() == Some(b"h2");
            chooses.lock().push(alpn);
            if is_http2 {
                let answer =
                    |mut to: SendResponse<Bytes>| drop(to.send_response(status(200), true));
                serve(io, answer).await;
            } else {
                let _ = io.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
                let _ = io.read(&mut [0; 1024]).await;
            }
        }
    });
    chosen
}

#[tokio::test]
async fn a_check_speaks_what_is_chosen_in_the_tls_handshake() {
    let authority = Authority::new("ours");
    for (protocol, alpn, expected) in [
        (Protocol::Auto, &["h2", "http/1.1"][..], Ok("h2")),
        (Protocol::Auto, &["http/1.1"], Ok("http/1.1")),
        (Protocol::Http1, &["h2", "http/1.1"], Ok("http/1.1")),
        (Protocol::Http2, &["h2", "http/1.1"], Ok("h2")),
        (Protocol::Http2, &["h2"], Ok("h2")),
        // Chooses nothing.
        (Protocol::Http2, &[], Err("choose h2 in the TLS handshake")),
    ] {
        let (listener, address) = listener().await;
        let chosen = serve_tls(listener, authority.speaking(alpn, "app.test", None));
        let mut settings = speaking(protocol, address);
        settings.tls = Some(tls(ServerTrust::Roots(authority.roots())));
        for probe in [http(ProbeMethod::Get), Probe::Tcp] {
            let got = ask(settings.clone(), &probe).await;
            match expected {
                Ok(name) => {
                    assert_eq!(got, Ok(()), "{protocol:?} {alpn:?} {probe:?}");
                    let last = chosen.lock().last().cloned().flatten();
                    assert_eq!(last.as_deref(), Some(name.as_bytes()));
                }
                Err(why) => assert!(got.as_ref().is_err_and(|got| got.contains(why)), "{got:?}"),
            }
        }
    }
}
