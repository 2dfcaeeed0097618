//! The peers that are installed do what they are measured for: they forward, refuse who is listed, and refuse
//! attacks, at each door that they claim.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test may panic, and says why"
)]

mod backend;
mod client;
mod files;
mod running;

use std::io::Write;
use std::net::Ipv4Addr;
use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use palisade_bench::peers::{self, Peer};
use palisade_bench::place::Duty;
use rustls::HandshakeKind;

use self::backend::{Backend, LEAK, PAGE, forwarded};
use self::client::{Connection, Door, HOST, Tls, proxy_header};
use self::files::Files;
use self::running::Running;

const CLIENT: &str = "198.51.100.23";
/// Listed as an address.
pub(crate) const BANNED: &str = "203.0.113.7";
/// Listed by its range of 256.
pub(crate) const BANNED_IN_RANGE: &str = "192.0.2.99";
/// Harmless, and refused if only the client is.
const TARGET: &str = "/shop/list?page=2";
const ATTACK: &str = "/shop/list?id=1%27%20or%201=1--%20&x=%3Cscript%3Ealert(1)%3C/script%3E";
/// What paranoia 2 refuses and 1 doesn't.
const SUSPECT: &str = "/shop/list?name=a%27+or+b";
const MULTIPART: &str = "multipart/form-data; boundary=limit";

/// Whether a program is here in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Presence {
    /// `./set-up test` installs it.
    Always,
    /// `./set-up bench` installs it.
    WhereInstalled,
}

#[test]
fn nginx() {
    check("nginx", Presence::Always);
}

#[test]
fn haproxy() {
    check("haproxy", Presence::Always);
}

#[test]
fn apache() {
    check("apache2", Presence::WhereInstalled);
}

#[test]
fn caddy() {
    check("caddy", Presence::WhereInstalled);
}

#[test]
fn envoy() {
    check("envoy", Presence::WhereInstalled);
}

#[test]
fn traefik() {
    check("traefik", Presence::WhereInstalled);
}

/// Checks all peers that are made of a program.
fn check(program: &str, presence: Presence) {
    let peers = peers::all()
        .into_iter()
        .filter(|peer| peer.server.program == program);
    let files = Files::new();
    let mut checked = 0;
    for peer in peers {
        // nginx and HAProxy are here in any case; their modules aren't.
        let is_expected = presence == Presence::Always && peer.needs.is_empty();
        let version = match peer.find() {
            Err(missing) if is_expected => panic!("{missing}"),
            Err(missing) => {
                say(&format!("SKIPPED: {missing}"));
                continue;
            }
            Ok(_) if matches!(peer.duty, Duty::Waf(_)) && files.crs.is_none() => {
                say(&format!(
                    "SKIPPED: {}: PALISADE_CRS doesn't say where CRS is",
                    peer.name
                ));
                continue;
            }
            Ok(version) => version,
        };
        say(&format!("{} {version}", peer.name));
        checked += 1;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .unwrap();
        let patience = Duration::from_secs(240);
        runtime.block_on(async {
            tokio::time::timeout(patience, Trial::run(peer, &files))
                .await
                .unwrap()
        });
    }
    assert!(checked > 0 || presence == Presence::WhereInstalled);
}

/// A peer between a client and the application.
struct Trial<'a> {
    peer: &'a Peer,
    running: Running,
    backend: Backend,
    tls: Tls,
}

impl Trial<'_> {
    async fn run(peer: &Peer, files: &Files) {
        let backend = Backend::start().await;
        let trial = Trial {
            peer,
            running: Running::start(peer, files, backend.address),
            backend,
            tls: Tls::trusting(files.der.clone()),
        };
        trial.is_ready().await;
        let opens = peer.opens;
        let doors = [
            (true, Door::Plain),
            (opens.tls, Door::TlsHttp1),
            (opens.http2, Door::TlsHttp2),
            (opens.proxy, Door::Proxy),
        ];
        for (_, door) in doors.into_iter().filter(|(claimed, _)| *claimed) {
            trial.forwards(door).await;
            trial.takes_an_upload(door).await;
            match peer.duty {
                Duty::Bare => {}
                Duty::Gate => trial.refuses_the_banned(door).await,
                Duty::Waf(paranoia) => trial.refuses_attacks(door, paranoia).await,
            }
        }
        if opens.tls {
            trial.resumes_sessions().await;
        }
        trial.keeps_connections_to_the_backend().await;
    }

    /// Waits until it knows where requests go: Traefik reads that after it has begun to listen.
    async fn is_ready(&self) {
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.ask(Door::Plain, CLIENT, Asked::page(TARGET)).await.0 != StatusCode::OK {
            assert!(Instant::now() < deadline, "{} isn't ready", self.peer.name);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.backend.take_seen();
    }

    async fn connect(&self, door: Door, client: &str) -> Connection {
        let doors = self.running.doors;
        match door {
            Door::Plain => Connection::plain(doors.plain, &[]).await,
            Door::TlsHttp1 => {
                Connection::tls(doors.tls, &self.tls.speaking("http/1.1"))
                    .await
                    .0
            }
            Door::TlsHttp2 => Connection::tls(doors.tls, &self.tls.speaking("h2")).await.0,
            Door::Proxy => {
                let client: Ipv4Addr = client.parse().unwrap();
                Connection::plain(doors.proxy, &proxy_header(client, doors.proxy)).await
            }
        }
    }

    /// Asks as a client with a connection of its own.
    async fn ask(&self, door: Door, client: &str, asked: Asked<'_>) -> (StatusCode, Bytes) {
        let mut connection = self.connect(door, client).await;
        connection.ask(request(door, client, asked)).await
    }

    /// A client reaches the application, which is told who it is.
    async fn forwards(&self, door: Door) {
        let (status, body) = self.ask(door, CLIENT, Asked::page(TARGET)).await;
        let of = format!("{} at {door:?}", self.peer.name);
        assert_eq!((status, &*body), (StatusCode::OK, PAGE.as_bytes()), "{of}");
        let seen = self.backend.take_seen();
        assert_eq!(seen.len(), 1, "{of}: {seen:?}");
        let fields = &seen[0].fields;
        assert!(forwarded(fields).contains(CLIENT), "{of}: {fields:?}");
        assert_eq!(fields["host"], HOST, "{of}");
        let scheme = match door {
            Door::Plain | Door::Proxy => "http",
            Door::TlsHttp1 | Door::TlsHttp2 => "https",
        };
        assert_eq!(fields["x-forwarded-proto"], scheme, "{of}");
    }

    async fn takes_an_upload(&self, door: Door) {
        let file: String = "a line of a file that somebody keeps\r\n".repeat(2_700);
        let body = format!(
            "--limit\r\nContent-Disposition: form-data; name=\"file\"; filename=\"notes.txt\"\r\n\
             Content-Type: text/plain\r\n\r\n{file}\r\n--limit--\r\n"
        );
        let upload = Asked {
            target: "/shop/upload",
            body: Some((MULTIPART, &body)),
        };
        let (status, _) = self.ask(door, CLIENT, upload).await;
        let of = format!("{} at {door:?}", self.peer.name);
        assert_eq!(status, StatusCode::OK, "{of}");
        let seen = self.backend.take_seen();
        assert!(
            seen.len() == 1 && seen[0].body == body,
            "{of}: the body has changed"
        );
    }

    async fn refuses_the_banned(&self, door: Door) {
        let of = format!("{} at {door:?}", self.peer.name);
        for banned in [BANNED, BANNED_IN_RANGE] {
            let (status, _) = self.ask(door, banned, Asked::page(TARGET)).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{of}: {banned}");
        }
        if door != Door::Proxy {
            // Whoever it says it came from itself, the hop has added who it is.
            let forged = format!("{CLIENT}, {BANNED}");
            let (status, _) = self.ask(door, &forged, Asked::page(TARGET)).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{of}: {forged}");
        }
        let seen = self.backend.take_seen();
        assert!(seen.is_empty(), "{of}: {seen:?}");
    }

    async fn refuses_attacks(&self, door: Door, paranoia: u8) {
        let of = format!("{} at {door:?}", self.peer.name);
        let form = (
            "application/x-www-form-urlencoded",
            "name=%3Cscript%3Ealert(1)%3C/script%3E",
        );
        let json = ("application/json", r#"{"name":"1' or 1=1-- "}"#);
        for (target, body) in [(ATTACK, None), (TARGET, Some(form)), (TARGET, Some(json))] {
            let (status, _) = self.ask(door, CLIENT, Asked { target, body }).await;
            assert_eq!(status, StatusCode::FORBIDDEN, "{of}: {target} {body:?}");
        }
        let seen = self.backend.take_seen();
        assert!(seen.is_empty(), "{of}: {seen:?}");
        let (status, _) = self.ask(door, CLIENT, Asked::page(SUSPECT)).await;
        let is_refused = status == StatusCode::FORBIDDEN;
        assert_eq!(is_refused, paranoia > 1, "{of}: {SUSPECT}");
        self.backend.take_seen();
        // Answers are inspected too. nginx has sent the head by then, and can only end the connection.
        let mut connection = self.connect(door, CLIENT).await;
        let leaked = connection
            .try_ask(request(door, CLIENT, Asked::page(LEAK)))
            .await;
        let is_refused =
            (leaked.as_ref()).map_or(true, |(status, _)| *status == StatusCode::FORBIDDEN);
        assert!(is_refused, "{of}: {leaked:?}");
        assert_eq!(self.backend.take_seen().len(), 1, "{of}");
        // Apache writes after it has answered.
        let audit = self.running.folder().join("audit.log");
        let deadline = Instant::now() + Duration::from_secs(20);
        while !["949110", "959100"]
            .iter()
            .all(|rule| read(&audit).contains(rule))
        {
            assert!(Instant::now() < deadline, "{of}: {}", read(&audit));
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn resumes_sessions(&self) {
        let tls = self.tls.speaking("http/1.1");
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let (mut connection, kind) = Connection::tls(self.running.doors.tls, &tls).await;
            // The ticket has come when the answer has.
            let asked = request(Door::TlsHttp1, CLIENT, Asked::page(TARGET));
            assert_eq!(connection.ask(asked).await.0, StatusCode::OK);
            kinds.push(kind);
        }
        assert_eq!(
            kinds,
            [HandshakeKind::Full, HandshakeKind::Resumed],
            "{}",
            self.peer.name
        );
    }

    async fn keeps_connections_to_the_backend(&self) {
        let mut connection = self.connect(Door::Plain, CLIENT).await;
        let before = self.backend.connections();
        for _ in 0..20 {
            let asked = request(Door::Plain, CLIENT, Asked::page(TARGET));
            assert_eq!(connection.ask(asked).await.0, StatusCode::OK);
        }
        let opened = self.backend.connections() - before;
        assert!(opened <= 2, "{}: {opened} connections", self.peer.name);
    }
}

/// Says it where tests that pass are seen too.
fn say(line: &str) {
    let line = format!("{line}\n");
    std::io::stderr().write_all(line.as_bytes()).unwrap();
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

/// A request: where to, and a body with its type.
#[derive(Clone, Copy)]
struct Asked<'a> {
    target: &'a str,
    body: Option<(&'static str, &'a str)>,
}

impl<'a> Asked<'a> {
    const fn page(target: &'a str) -> Self {
        Self { target, body: None }
    }
}

/// A browser's request. The hop says who the client is where PROXY protocol doesn't.
fn request(door: Door, client: &str, asked: Asked<'_>) -> Request<Full<Bytes>> {
    let mut request = Request::builder()
        .header(
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
        )
        .header(
            "accept",
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
        );
    request = match door {
        Door::TlsHttp2 => request.uri(format!("https://{HOST}{}", asked.target)),
        _ => request.uri(asked.target).header("host", HOST),
    };
    if door != Door::Proxy {
        request = request.header("x-forwarded-for", client);
    }
    if let Some((kind, body)) = asked.body {
        let request = request.method("POST").header("content-type", kind);
        return request.body(Full::from(body.to_owned())).unwrap();
    }
    request.body(Full::default()).unwrap()
}
