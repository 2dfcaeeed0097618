use std::sync::atomic::{AtomicUsize, Ordering};

use http::StatusCode;
use http_body_util::BodyExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::*;
use crate::answer;

/// Answers when it may, after the whole body; counts.
struct Desk {
    may_answer: Semaphore,
    at_once: AtomicUsize,
    at_once_max: AtomicUsize,
}

impl Handler for Desk {
    async fn handle(&self, request: Request<Incoming>, _caller: Caller) -> Answer {
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.at_once_max.fetch_max(now, Ordering::SeqCst);
        let _ = request.into_body().collect().await;
        let _turn = self.may_answer.acquire().await.unwrap();
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        answer::text(StatusCode::OK, "done")
    }
}

struct Open {
    address: std::net::SocketAddr,
    desk: Arc<Desk>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
}

/// A door where so many requests may be answered.
async fn open(answers: usize) -> Open {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let desk = Arc::new(Desk {
        may_answer: Semaphore::new(answers),
        at_once: AtomicUsize::new(0),
        at_once_max: AtomicUsize::new(0),
    });
    let (stop, stopping) = watch::channel(false);
    let serving = tokio::spawn(serve(Acceptor::Tcp(listener), Arc::clone(&desk), stopping));
    Open {
        address,
        desk,
        stop,
        serving,
    }
}

impl Open {
    async fn send(&self, request: &[u8]) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        stream
    }

    async fn ask(&self, request: &[u8]) -> String {
        answer_of(self.send(request).await).await
    }
}

/// All that comes until the other end closes, however it does.
async fn answer_of(mut stream: TcpStream) -> String {
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8(answer).unwrap()
}

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[tokio::test]
async fn a_connection_has_one_request() {
    let open = open(10).await;
    let answer = open.ask(&[GET, GET].concat()).await;
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 1, "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn a_head_is_bounded() {
    let open = open(10).await;
    let line = format!("X-Long: {}\r\n\r\n", "x".repeat(HEAD_BYTES_MAX));
    let head = [b"GET / HTTP/1.1\r\nHost: localhost\r\n", line.as_bytes()].concat();
    let answer = open.ask(&head).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn what_is_no_http_is_refused() {
    let open = open(10).await;
    let answer = open.ask(b"\x16\x03\x01\x02\x00\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
}

#[tokio::test(start_paused = true)]
async fn a_head_that_never_ends_is_cut_off() {
    let open = open(10).await;
    let began = Instant::now();
    let answer = open.ask(b"GET / HTTP/1.1\r\nHost: local").await;
    assert!(!answer.contains("200"), "{answer}");
    assert_eq!(began.elapsed().as_secs(), HEAD_TIMEOUT.as_secs());
    assert_eq!(open.desk.at_once_max.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends_is_cut_off() {
    let open = open(10).await;
    let began = Instant::now();
    let head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\nhalf";
    assert_eq!(open.ask(head).await, "");
    assert_eq!(began.elapsed().as_secs(), CONNECTION_TIMEOUT.as_secs());
    assert_eq!(open.desk.at_once_max.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn connections_are_bounded_and_others_wait() {
    let open = open(0).await;
    let mut streams = Vec::new();
    for _ in 0..CONNECTIONS_MAX + 8 {
        streams.push(open.send(GET).await);
    }
    // Enough turns for the loop to accept what it would accept.
    while open.desk.at_once.load(Ordering::SeqCst) < CONNECTIONS_MAX {
        tokio::task::yield_now().await;
    }
    for _ in 0..10_000 {
        tokio::task::yield_now().await;
    }
    open.desk.may_answer.add_permits(1_000);
    for stream in streams {
        assert!(answer_of(stream).await.starts_with("HTTP/1.1 200"));
    }
    let at_once_max = open.desk.at_once_max.load(Ordering::SeqCst);
    assert_eq!(at_once_max, CONNECTIONS_MAX);
}

#[tokio::test]
async fn at_the_end_what_is_under_way_is_answered_and_nothing_else() {
    let open = open(0).await;
    let under_way = open.send(GET).await;
    let silent = open.send(b"").await;
    while open.desk.at_once.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    open.stop.send_replace(true);
    assert_eq!(answer_of(silent).await, "");
    open.desk.may_answer.add_permits(1);
    assert!(answer_of(under_way).await.starts_with("HTTP/1.1 200"));
    open.serving.await.unwrap();
    assert!(TcpStream::connect(open.address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_nobody_for_long() {
    let open = open(0).await;
    let under_way = open.send(GET).await;
    while open.desk.at_once.load(Ordering::SeqCst) < 1 {
        tokio::task::yield_now().await;
    }
    let began = Instant::now();
    open.stop.send_replace(true);
    open.serving.await.unwrap();
    assert_eq!(began.elapsed().as_secs(), GRACE.as_secs());
    assert_eq!(answer_of(under_way).await, "");
}
