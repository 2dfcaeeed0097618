//! Checks and look-ups, with real sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use palisade_vocabulary::Tick;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::backend::{NOW, acquire, listener, need, settings};
use crate::{
    Attendance, CheckPace, CheckThresholds, HealthCheck, HttpProbe, PoolSettings, Probe,
    ProbeMethod, ProxyVersion, ServerAddress, ServerNews, ServerSettings, ServerStatus, Servers,
    StatusRanges, Upstreams,
};

const SHORT: Duration = Duration::from_millis(10);

fn http() -> Probe {
    let good = StatusRanges::default();
    Probe::Http(HttpProbe::new(ProbeMethod::Get, "/up?x=1", Some("app.test"), good).unwrap())
}

fn checked(address: SocketAddr, probe: Probe) -> PoolSettings {
    let mut settings = settings(&[address]);
    settings.health_check = Some(HealthCheck {
        probe,
        pace: CheckPace::new(SHORT, Duration::from_secs(10)).unwrap(),
        thresholds: CheckThresholds::new(1, 1).unwrap(),
    });
    settings
}

type News = Arc<Mutex<Vec<ServerNews>>>;

fn attendance() -> (Attendance, News) {
    let news = News::default();
    let told = Arc::clone(&news);
    let attendance = Attendance::new(|| NOW, move |event| told.lock().push(event.news.clone()));
    (attendance, news)
}

fn status(upstreams: &Upstreams) -> ServerStatus {
    upstreams.status(NOW).remove(0).servers.remove(0)
}

async fn until(upstreams: &Upstreams, is_it: impl Fn(&ServerStatus) -> bool) {
    while !is_it(&status(upstreams)) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Answers each connection with `answer` as it is then; what it was asked first.
fn backend(listener: TcpListener, answer: Arc<Mutex<&'static str>>) -> Arc<Mutex<Vec<u8>>> {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        loop {
            let (mut tcp, _) = listener.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                match tcp.read_buf(&mut request).await {
                    Ok(1..) => {}
                    _ => break,
                }
            }
            if heard.lock().is_empty() {
                *heard.lock() = request;
            }
            let answer = *answer.lock();
            let _ = tcp.write_all(answer.as_bytes()).await;
        }
    });
    asked
}

#[tokio::test]
async fn a_check_takes_a_server_out_and_in() {
    let (listener, address) = listener().await;
    let answer = Arc::new(Mutex::new("HTTP/1.1 200 OK\r\n\r\n"));
    let asked = backend(listener, Arc::clone(&answer));
    let upstreams = Upstreams::build(vec![checked(address, http())]).unwrap();
    let (mut attendance, news) = attendance();
    attendance.attend(&upstreams);
    let is_asked = || !asked.lock().is_empty();
    while !is_asked() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(
        String::from_utf8(asked.lock().clone()).unwrap(),
        "GET /up?x=1 HTTP/1.1\r\nHost: app.test\r\nUser-Agent: palisade-health-check\r\n\
         Accept: */*\r\nConnection: close\r\n\r\n"
    );
    assert!(status(&upstreams).is_up);
    for (bad, why) in [
        ("HTTP/1.1 503 Busy\r\n\r\n", "status 503"),
        ("220 mail.test ESMTP\r\n", "the answer is not HTTP/1.1"),
        ("", "the answer is not HTTP/1.1"),
    ] {
        *answer.lock() = bad;
        until(&upstreams, |server| !server.is_up).await;
        let check = status(&upstreams).check.unwrap();
        assert_eq!(&*check.last_failure.unwrap().reason, why);
        *answer.lock() = "HTTP/1.1 103 Early\r\n\r\nHTTP/1.1 399 Fine\r\n\r\n";
        until(&upstreams, |server| server.is_up).await;
    }
    assert_eq!(
        news.lock().first(),
        Some(&ServerNews::Down("status 503".into()))
    );
    assert_eq!(news.lock().last(), Some(&ServerNews::Up));
}

#[tokio::test]
async fn a_connection_is_enough_for_a_tcp_check() {
    let (listener, address) = listener().await;
    let upstreams = Upstreams::build(vec![checked(address, Probe::Tcp)]).unwrap();
    let (mut attendance, _) = attendance();
    attendance.attend(&upstreams);
    drop(listener.accept().await.unwrap());
    drop(listener);
    until(&upstreams, |server| !server.is_up).await;
    let _listener = TcpListener::bind(address).await.unwrap();
    until(&upstreams, |server| server.is_up).await;
}

#[tokio::test]
async fn a_check_introduces_itself_as_nobody() {
    for (version, expected) in [
        (ProxyVersion::V2, &b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"[..]),
        (ProxyVersion::V1, b"PROXY TCP4 127.0.0.1 127.0.0.1 "),
    ] {
        let (listener, address) = listener().await;
        let mut settings = checked(address, http());
        settings.proxy_protocol = Some(version);
        let upstreams = Upstreams::build(vec![settings]).unwrap();
        let (mut attendance, _) = attendance();
        attendance.attend(&upstreams);
        let (mut tcp, _) = listener.accept().await.unwrap();
        let mut header = vec![0; expected.len()];
        tcp.read_exact(&mut header).await.unwrap();
        assert_eq!(header, expected);
    }
}

#[tokio::test]
async fn a_reload_keeps_standings_and_ends_what_is_gone() {
    let (listener, address) = listener().await;
    let answer = Arc::new(Mutex::new("HTTP/1.1 500 No\r\n\r\n"));
    backend(listener, answer);
    let old = Upstreams::build(vec![checked(address, http())]).unwrap();
    let (mut attendance, _) = attendance();
    attendance.attend(&old);
    until(&old, |server| !server.is_up).await;
    let new = old.rebuild(vec![checked(address, http())]).unwrap();
    assert!(!status(&new).is_up, "at once");
    attendance.attend(&new);
    let failures = |of: &ServerStatus| of.check.as_ref().map_or(0, |check| check.failures);
    let before = failures(&status(&new));
    until(&new, |server| failures(server) > before).await;

    let without = new.rebuild(vec![settings(&[address])]).unwrap();
    assert!(status(&without).is_up, "nothing speaks against it any more");
    attendance.attend(&without);
    assert_eq!(attendance.servers(), 0);
    // What was under way may end; then nothing is asked any more.
    tokio::time::sleep(5 * SHORT).await;
    let ended = failures(&status(&new));
    tokio::time::sleep(5 * SHORT).await;
    assert_eq!(failures(&status(&new)), ended);
}

#[tokio::test]
async fn a_name_is_looked_up_beside_the_requests() {
    let (_listener, good) = listener().await;
    let name: ServerAddress = format!("localhost:{}", good.port()).parse().unwrap();
    let servers = Servers::new(vec![ServerSettings::from(name)]).unwrap();
    let upstreams = Upstreams::build(vec![PoolSettings::new("app", servers)]).unwrap();
    let (mut attendance, news) = attendance();
    attendance.attend(&upstreams);
    let acquired = acquire(upstreams.get("app").unwrap(), need()).await.0;
    let acquired = acquired.unwrap();
    assert!(matches!(&news.lock()[..], [ServerNews::Addresses(_)]));
    let name = status(&upstreams).name.unwrap();
    assert!(name.addresses.contains(&"127.0.0.1".parse().unwrap()));
    // What leads where the name doesn't any more is not used again.
    let pool = upstreams.get("app").unwrap();
    acquired.server.keep(acquired.channel.into_http1(), NOW);
    assert_eq!(status(&upstreams).idle_connections, 1);
    let again = acquire(pool, need()).await.0.unwrap();
    assert!(again.reused);
    let known = &pool.servers()[0].condition.name;
    known.found(vec!["127.0.0.9".parse().unwrap()]);
    again.server.keep(again.channel.into_http1(), NOW);
    assert_eq!(status(&upstreams).idle_connections, 0);
}

#[tokio::test]
async fn a_server_that_checks_bring_back_starts_slowly() {
    let (listener, address) = listener().await;
    let answer = Arc::new(Mutex::new("HTTP/1.1 500 No\r\n\r\n"));
    backend(listener, Arc::clone(&answer));
    let mut settings = checked(address, http());
    settings.slow_start = crate::SlowStart::new(Duration::from_secs(10)).ok();
    let upstreams = Upstreams::build(vec![settings]).unwrap();
    let (mut attendance, _) = attendance();
    attendance.attend(&upstreams);
    until(&upstreams, |server| !server.is_up).await;
    *answer.lock() = "HTTP/1.1 200 OK\r\n\r\n";
    until(&upstreams, |server| server.is_up).await;
    let server = &upstreams.get("app").unwrap().servers()[0];
    assert!(server.share(NOW + Duration::from_secs(9)).is_some());
    assert!(
        server
            .share(Tick::from_millis(NOW.as_millis() + 10_000))
            .is_none()
    );
}
