//! Backends that fail, come back, are busy or move: what clients notice of it.

use std::collections::{HashMap, HashSet};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::harness::{
    Backend, BackendRequest, Dns, Http2Backend, Load, Nginx, Options, Palisade, wait_for,
};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const ADMIN: &str = "admin: { address: 127.0.0.1:0 }";

fn in_front_of(servers: &[String], more: &str) -> Palisade {
    let servers: Vec<String> = servers
        .iter()
        .map(|server| format!("\"{server}\""))
        .collect();
    let servers = servers.join(", ");
    Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [{servers}], {more} }} }}
sites: [{{ upstream: app }}]
{ADMIN}
"
    ))
}

fn metric_of(name: &str, server: &str) -> String {
    format!("palisade_upstream_server_{name}{{server=\"{server}\",upstream=\"app\"}}")
}

#[track_caller]
fn wait_for_metric(palisade: &Palisade, name: &str, value: f64) {
    wait_for(name, || (palisade.metric(name) == value).then_some(()));
}

/// Without those of health checks.
fn clients_requests(backend: &Backend) -> usize {
    let requests = backend.requests();
    let own = |request: &&BackendRequest| !request.line.contains(" /healthz ");
    requests.iter().filter(own).count()
}

#[test]
fn a_backend_killed_and_restored_under_load_fails_no_request() {
    let mut nginx = Nginx::start();
    let others = [Backend::start(), Backend::start()];
    let servers = [
        nginx.address().to_string(),
        others[0].to_string(),
        others[1].to_string(),
    ];
    let palisade = in_front_of(&servers, "ejection: { failures: 2, period: 50ms }");
    let load = Load::on(palisade.address())
        .keep_alive(4)
        .new_connections(2)
        .http2(1)
        .start();
    for _ in 0..3 {
        load.wait_for_more(50);
        nginx.kill();
        load.wait_for_more(100);
        nginx.start_again();
        wait_for("nginx to serve again", || {
            let is_nginx = palisade.get("/load").header("server")?.starts_with("nginx");
            is_nginx.then_some(())
        });
    }
    load.finish().assert_flawless();
    assert!(palisade.metric("palisade_upstream_ejections_total{upstream=\"app\"}") >= 1.0);
}

/// Answers `/healthz` as it is told, and anything else with 200.
fn with_health() -> (Backend, Arc<AtomicBool>) {
    let is_well = Arc::new(AtomicBool::new(true));
    let told = Arc::clone(&is_well);
    let backend = Backend::with(move |request, tcp| {
        let is_check = request.line.starts_with("GET /healthz ");
        let answer = match is_check && !told.load(Ordering::Relaxed) {
            true => b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n",
            false => OK,
        };
        tcp.write_all(answer).is_ok()
    });
    (backend, is_well)
}

const CHECK: &str =
    "health_check: { path: /healthz, interval: 20ms, healthy_after: 1, unhealthy_after: 2 }";

#[test]
fn a_check_takes_a_server_out_and_brings_it_back() {
    let (backend, is_well) = with_health();
    let other = Backend::start();
    let palisade = in_front_of(&[backend.to_string(), other.to_string()], CHECK);
    let load = Load::on(palisade.address()).keep_alive(2).start();
    let up = metric_of("up", &backend.to_string());
    wait_for_metric(&palisade, &up, 1.0);
    load.wait_for_more(20);

    is_well.store(false, Ordering::Relaxed);
    wait_for_metric(&palisade, &up, 0.0);
    // What was on its way when the check failed.
    load.wait_for_more(5);
    let before = clients_requests(&backend);
    load.wait_for_more(50);
    assert_eq!(clients_requests(&backend), before);
    let status = &palisade.status()["upstreams"][0]["servers"][0];
    assert_eq!(status["up"], false);
    assert_eq!(status["health_check"]["down"], true);
    assert_eq!(
        status["health_check"]["last_failure"]["reason"],
        "status 500"
    );
    let told = palisade.stderr();
    assert!(
        told.iter()
            .any(|line| line.contains("health check failed: status 500")),
        "{told:?}"
    );

    is_well.store(true, Ordering::Relaxed);
    wait_for_metric(&palisade, &up, 1.0);
    wait_for("requests at the server", || {
        (clients_requests(&backend) > before).then_some(())
    });
    load.finish().assert_flawless();
}

/// Whether nginx has answered one of a few requests.
fn is_asked(palisade: &Palisade) -> Option<()> {
    let answer = palisade.get("/load");
    let is_nginx = answer.header("server")?.starts_with("nginx");
    is_nginx.then_some(())
}

#[test]
fn a_tcp_check_takes_a_closed_port_out_and_brings_it_back() {
    let (mut nginx, other) = (Nginx::start(), Backend::start());
    let address = nginx.address().to_string();
    // Without ejection the check alone can take it out.
    let more = "ejection: off, health_check: { tcp: true, interval: 20ms, healthy_after: 1, unhealthy_after: 2 }";
    let palisade = in_front_of(&[address.clone(), other.to_string()], more);
    let load = Load::on(palisade.address())
        .keep_alive(2)
        .new_connections(1)
        .start();
    let up = metric_of("up", &address);
    wait_for_metric(&palisade, &up, 1.0);
    wait_for("requests at nginx", || is_asked(&palisade));

    nginx.kill();
    wait_for_metric(&palisade, &up, 0.0);
    let check = &palisade.status()["upstreams"][0]["servers"][0]["health_check"];
    assert_eq!(check["down"], true);
    // What was on its way when the check failed.
    load.wait_for_more(5);
    let failures = "palisade_upstream_connect_failures_total{upstream=\"app\"}";
    let before = palisade.metric(failures);
    load.wait_for_more(50);
    assert_eq!(
        palisade.metric(failures),
        before,
        "no request is sent there"
    );

    nginx.start_again();
    wait_for_metric(&palisade, &up, 1.0);
    wait_for("requests at nginx", || is_asked(&palisade));
    load.finish().assert_flawless();
}

#[test]
fn under_slow_start_the_share_of_a_server_that_comes_back_grows_to_a_half() {
    let (mut nginx, other) = (Nginx::start(), Backend::start());
    let servers = [nginx.address().to_string(), other.to_string()];
    let slow_start = Duration::from_secs(5);
    let more = format!(
        "ejection: {{ failures: 1, period: 100ms }}, slow_start: {}s",
        slow_start.as_secs()
    );
    let palisade = in_front_of(&servers, &more);
    let load = Load::on(palisade.address()).keep_alive(3).start();
    // Of so many requests, the part that nginx answered.
    let share_of_next = |count: usize| {
        let (all, others) = (load.report().answers(), other.requests().len());
        load.wait_for_more(count);
        let all = load.report().answers() - all;
        1.0 - (other.requests().len() - others) as f64 / all as f64
    };
    let is_half = |share: f64| (0.44..=0.56).contains(&share);
    let before = share_of_next(200);
    assert!(is_half(before), "{before}");

    nginx.kill();
    let ejections = "palisade_upstream_ejections_total{upstream=\"app\"}";
    wait_for("it to be left out", || {
        (palisade.metric(ejections) > 0.0).then_some(())
    });
    nginx.start_again();
    wait_for("it to be back", || {
        let server = &palisade.status()["upstreams"][0]["servers"][0];
        server["ejected_for_seconds"].is_null().then_some(())
    });
    let back = Instant::now();
    let first = share_of_next(100);
    let mut shares = vec![first];
    while back.elapsed() < slow_start {
        shares.push(share_of_next(100));
    }
    let last = share_of_next(200);
    load.finish().assert_flawless();
    assert!(first < 0.2, "{first}, then {shares:?}");
    let (early, late) = shares.split_at(shares.len() / 2);
    let mean = |shares: &[f64]| shares.iter().sum::<f64>() / shares.len() as f64;
    assert!(mean(early) + 0.05 < mean(late), "{shares:?}");
    assert!(is_half(last), "{last}, after {shares:?}");
}

#[test]
fn a_check_by_http2_takes_a_server_out_and_brings_it_back() {
    let options = Options::default();
    let health = Arc::clone(&options.health);
    let backend = Http2Backend::with(options);
    let palisade = in_front_of(&[backend.to_string()], &format!("protocol: http2, {CHECK}"));
    let up = metric_of("up", &backend.to_string());
    assert_eq!(palisade.get("/").status, 200);

    health.store(503, Ordering::Relaxed);
    wait_for_metric(&palisade, &up, 0.0);
    let status = &palisade.status()["upstreams"][0]["servers"][0];
    assert_eq!(status["health_check"]["down"], true);
    let why = &status["health_check"]["last_failure"]["reason"];
    assert_eq!(why, "status 503");
    assert_eq!(
        status["http2_connections"], 0,
        "they led to the same trouble"
    );

    health.store(204, Ordering::Relaxed);
    wait_for_metric(&palisade, &up, 1.0);
    assert_eq!(palisade.get("/").status, 200);
    wait_for("the connections of the checks to end", || {
        let seen = backend.seen();
        (seen.connections - seen.ended <= 2).then_some(())
    });
}

#[test]
fn when_all_servers_are_out_the_settings_decide() {
    for (policy, status) in [("try_any", 200), ("refuse", 503)] {
        let (backend, is_well) = with_health();
        is_well.store(false, Ordering::Relaxed);
        let more = format!("{CHECK}, when_all_down: {policy}");
        let palisade = in_front_of(&[backend.to_string()], &more);
        wait_for("a check to fail", || {
            let status = palisade.status();
            let failures = &status["upstreams"][0]["servers"][0]["health_check"]["failures"];
            (failures.as_u64() > Some(0)).then_some(())
        });
        let answer = palisade.get("/");
        assert_eq!(answer.status, status, "{policy}");
        let retry_after = answer.header("retry-after");
        assert_eq!(retry_after.is_some(), status == 503);
        is_well.store(true, Ordering::Relaxed);
        wait_for("the server to be back", || {
            (palisade.get("/").status == 200).then_some(())
        });
    }
}

/// Answers each request when it is told to.
fn waiting() -> (Backend, SyncSender<()>) {
    let (release, released): (_, Receiver<()>) = sync_channel(8);
    let released = Mutex::new(released);
    let backend = Backend::with(move |_, tcp| {
        // Whoever could tell is gone when the test has failed.
        let _ = released.lock().unwrap().recv();
        tcp.write_all(OK).is_ok()
    });
    (backend, release)
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const QUEUED: &str = "palisade_upstream_queued_requests{upstream=\"app\"}";

fn refused_by_queue(palisade: &Palisade, reason: &str) -> f64 {
    palisade.metric(&format!(
        "palisade_upstream_queue_refusals_total{{reason=\"{reason}\",upstream=\"app\"}}"
    ))
}

#[test]
fn requests_wait_for_a_server_with_room() {
    let (backend, release) = waiting();
    let more = "connections_max: 1, queue: { length: 2, timeout: 60s }";
    let palisade = in_front_of(&[backend.to_string()], more);
    let mut clients = [palisade.connect(), palisade.connect(), palisade.connect()];
    for (ahead, client) in clients.iter_mut().enumerate() {
        client.send(GET);
        backend.wait_for_requests(1);
        wait_for_metric(&palisade, QUEUED, ahead as f64);
    }
    let full = palisade.get("/");
    assert_eq!((full.status, full.header("retry-after")), (503, Some("1")));
    assert_eq!(refused_by_queue(&palisade, "full"), 1.0);
    for client in &mut clients {
        release.send(()).unwrap();
        assert_eq!(client.answer().unwrap().status, 200);
    }
    assert_eq!(backend.requests().len(), 3);
}

#[test]
fn a_server_has_no_more_connections_than_it_may() {
    let open = Arc::new((Mutex::new(0), Condvar::new()));
    let too_many = Arc::new(AtomicBool::new(false));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (counted, exceeded) = (Arc::clone(&open), Arc::clone(&too_many));
    std::thread::spawn(move || {
        for tcp in listener.incoming().flatten() {
            // The end of the one before may come a moment later than the beginning of this one.
            let (count, changed) = &*counted;
            let patience = Duration::from_secs(5);
            let waits =
                changed.wait_timeout_while(count.lock().unwrap(), patience, |open| *open > 0);
            let (mut open, waited) = waits.unwrap();
            exceeded.fetch_or(waited.timed_out(), Ordering::Relaxed);
            *open += 1;
            let counted = Arc::clone(&counted);
            std::thread::spawn(move || {
                answer_all(tcp);
                *counted.0.lock().unwrap() -= 1;
                counted.1.notify_one();
            });
        }
    });
    let palisade = in_front_of(&[address.to_string()], "connections_max: 1");
    // On either thread, each of which could have one of its own.
    let load = Load::on(palisade.address()).new_connections(2).start();
    load.wait_for_more(100);
    load.finish().assert_flawless();
    assert!(!too_many.load(Ordering::Relaxed));
}

fn answer_all(mut tcp: TcpStream) {
    let mut piece = [0; 4096];
    while tcp.read(&mut piece).is_ok_and(|length| length > 0) && tcp.write_all(OK).is_ok() {}
}

#[test]
fn nobody_waits_longer_than_the_queue_allows() {
    let (backend, release) = waiting();
    let more = "connections_max: 1, queue: { timeout: 50ms }";
    let palisade = in_front_of(&[backend.to_string()], more);
    let mut first = palisade.connect();
    first.send(GET);
    backend.wait_for_requests(1);
    let late = palisade.get("/");
    assert_eq!((late.status, late.header("retry-after")), (503, Some("1")));
    assert_eq!(refused_by_queue(&palisade, "timeout"), 1.0);
    release.send(()).unwrap();
    assert_eq!(first.answer().unwrap().status, 200);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_client_that_goes_away_leaves_the_queue() {
    let (backend, release) = waiting();
    let more = "connections_max: 1, queue: { timeout: 60s }";
    let palisade = in_front_of(&[backend.to_string()], more);
    let mut first = palisade.connect();
    first.send(GET);
    backend.wait_for_requests(1);
    let mut gone = palisade.connect();
    gone.send(GET);
    wait_for_metric(&palisade, QUEUED, 1.0);
    let mut stays = palisade.connect();
    stays.send("GET /stays HTTP/1.1\r\nHost: a\r\n\r\n");
    wait_for_metric(&palisade, QUEUED, 2.0);
    drop(gone);
    wait_for_metric(&palisade, QUEUED, 1.0);
    for client in [&mut first, &mut stays] {
        release.send(()).unwrap();
        assert_eq!(client.answer().unwrap().status, 200);
    }
    assert!(backend.requests()[1].line.contains("/stays"));
}

/// Hears every request and breaks off without an answer.
fn breaking() -> Backend {
    Backend::with(|_, _| false)
}

#[test]
fn a_request_with_a_body_or_that_is_not_idempotent_is_never_repeated() {
    let backends = [breaking(), breaking(), breaking()];
    let servers = backends.each_ref().map(ToString::to_string);
    let palisade = in_front_of(&servers, "ejection: off");
    // Each sees a request on a connection of its own, since all break off, be it whole or not.
    let seen = || {
        backends
            .iter()
            .map(|backend| backend.connections())
            .sum::<usize>()
    };
    // Over what is read before a server is asked.
    let large = "x".repeat(200_000);
    let large = format!("PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 200000\r\n\r\n{large}");
    for (request, times) in [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", 2),
        (&*large, 1),
        (
            "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            2,
        ),
        (
            "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok",
            1,
        ),
        (
            "DELETE / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
            1,
        ),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok",
            1,
        ),
        (
            "PATCH / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
            1,
        ),
    ] {
        let before = seen();
        assert_eq!(palisade.exchange(request).unwrap().status, 502);
        assert_eq!(seen() - before, times, "{:.40}", request);
    }
    // Nothing of it was sent: it may go elsewhere.
    let dead = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let backend = Backend::start();
    let palisade = in_front_of(&[dead.to_string(), backend.to_string()], "ejection: off");
    for _ in 0..4 {
        let post = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nok";
        assert_eq!(palisade.exchange(post).unwrap().status, 200);
    }
    assert_eq!(backend.requests().len(), 4);
}

#[test]
fn a_request_that_was_answered_in_part_is_not_repeated() {
    let early = || {
        Backend::with(|_, tcp| {
            tcp.write_all(b"HTTP/1.1 103 Early Hints\r\n\r\n").unwrap();
            false
        })
    };
    let backends = [early(), early()];
    let palisade = in_front_of(
        &backends.each_ref().map(ToString::to_string),
        "ejection: off",
    );
    let mut client = palisade.connect();
    client.send(GET);
    assert_eq!(client.answer().unwrap().status, 103);
    assert_eq!(client.answer().unwrap().status, 502);
    assert_eq!(
        backends[0].requests().len() + backends[1].requests().len(),
        1
    );
}

#[test]
fn a_storm_of_retries_has_a_budget() {
    let backends = [breaking(), breaking()];
    let more = "ejection: off, retry_budget: { percent: 20, reserve: 5 }";
    let palisade = in_front_of(&backends.each_ref().map(ToString::to_string), more);
    let mut client = palisade.connect();
    for _ in 0..50 {
        assert_eq!(client.send(GET).answer().unwrap().status, 502);
    }
    // Five that were saved up, and a fifth of those that found the reserve not full.
    let retries = palisade.metric("palisade_upstream_retries_total{upstream=\"app\"}");
    let refused = palisade.metric("palisade_upstream_retries_refused_total{upstream=\"app\"}");
    assert_eq!((retries, refused), (14.0, 36.0));
    assert_eq!(
        backends[0].requests().len() + backends[1].requests().len(),
        64
    );
}

const RETRIES: &str = "palisade_upstream_retries_total{upstream=\"app\"}";

#[test]
fn connections_that_die_when_they_are_used_again_have_the_same_budget() {
    let known = Mutex::new(HashSet::new());
    let backend = Backend::with(move |_, tcp| {
        // The first request of each connection is answered, the second is not.
        let is_new = known.lock().unwrap().insert(tcp.peer_addr().unwrap());
        is_new && tcp.write_all(OK).is_ok()
    });
    let more = "ejection: off, retry_budget: { percent: 20, reserve: 5 }";
    let palisade = in_front_of(&[backend.to_string()], more);
    let mut client = palisade.connect();
    let mut statuses = HashMap::new();
    for _ in 0..50 {
        let status = client.send(GET).answer().unwrap().status;
        *statuses.entry(status).or_insert(0) += 1;
    }
    let retries = palisade.metric(RETRIES);
    assert!((5.0..=15.0).contains(&retries), "{retries}");
    assert_eq!(backend.requests().len(), 50 + retries as usize);
    let refused = palisade.metric("palisade_upstream_retries_refused_total{upstream=\"app\"}");
    assert_eq!(statuses[&502], refused as usize);
    assert_eq!(statuses.len(), 2, "{statuses:?}");
}

#[test]
fn a_server_that_breaks_off_in_its_answers_is_ejected() {
    let breaking = Backend::with(move |_, tcp| {
        tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nno")
            .unwrap();
        false
    });
    let other = Backend::start();
    let servers = [breaking.to_string(), other.to_string()];
    let palisade = in_front_of(&servers, "ejection: { failures: 3, period: 1h }");
    let whole = (0..40).filter(|_| {
        let mut client = palisade.connect();
        client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        client.read_to_end().ends_with(b"\r\n\r\nok")
    });
    assert_eq!((whole.count(), breaking.requests().len()), (37, 3));
    let server = &palisade.status()["upstreams"][0]["servers"][0];
    assert_eq!(
        (&server["up"], &server["consecutive_failures"]),
        (&false.into(), &3.into())
    );
    assert_eq!(
        palisade.metric("palisade_upstream_ejections_total{upstream=\"app\"}"),
        1.0
    );
}

/// Backends on two addresses with one port, which say which they are.
fn two_addresses() -> (Backend, Backend, u16) {
    let serve = |listener: TcpListener, body: &'static str| {
        let length = body.len();
        Backend::on(listener, move |_, tcp: &mut TcpStream| {
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            tcp.write_all(answer.as_bytes()).is_ok()
        })
    };
    let (one, other, port) = two_listeners();
    (serve(one, "one"), serve(other, "other"), port)
}

fn two_listeners() -> (TcpListener, TcpListener, u16) {
    let pair = (0..5).find_map(|_| {
        let one = TcpListener::bind("127.0.0.2:0").unwrap();
        let port = one.local_addr().unwrap().port();
        // Somebody else may have it there.
        let other = TcpListener::bind(("127.0.0.3", port)).ok()?;
        Some((one, other, port))
    });
    pair.expect("a port on both addresses")
}

fn by_name(port: u16, resolver: SocketAddr) -> Palisade {
    in_front_of(
        &[format!("app.test:{port}")],
        &format!("resolver: {resolver}"),
    )
}

#[test]
fn all_addresses_of_a_name_are_used() {
    let (one, other, port) = two_addresses();
    let dns = Dns::start(&["127.0.0.2", "127.0.0.3"]);
    let palisade = by_name(port, dns.address());
    let load = Load::on(palisade.address()).keep_alive(4).start();
    load.wait_for_more(20);
    assert!(one.connections() > 0 && other.connections() > 0);
    let status = &palisade.status()["upstreams"][0]["servers"][0];
    assert_eq!(status["name"]["addresses"].as_array().unwrap().len(), 2);
    load.finish().assert_flawless();
    assert!(dns.questions() < 20, "not one for each request");
}

#[test]
fn an_address_that_fails_requests_is_left_out_and_another_one_answers() {
    let (one, other, port) = two_listeners();
    let good = Backend::on(one, |_, tcp| tcp.write_all(OK).is_ok());
    let breaking = Backend::on(other, |_, _| false);
    let dns = Dns::start(&["127.0.0.2", "127.0.0.3"]);
    let palisade = in_front_of(
        &[format!("app.test:{port}")],
        &format!(
            "resolver: {}, ejection: {{ failures: 3, period: 1h }}, keep_alive: {{ idle_connections: 0 }}",
            dns.address()
        ),
    );
    for _ in 0..40 {
        assert_eq!(palisade.get("/").status, 200);
    }
    assert_eq!((good.requests().len(), breaking.requests().len()), (40, 3));
    let server = &palisade.status()["upstreams"][0]["servers"][0];
    assert_eq!(server["name"]["out"], serde_json::json!(["127.0.0.3"]));
    assert_eq!(
        (&server["up"], palisade.metric(RETRIES)),
        (&true.into(), 3.0)
    );
}

#[test]
fn an_address_that_fails_its_checks_is_left_out() {
    let (one, other, port) = two_listeners();
    let good = Backend::on(one, |_, tcp| tcp.write_all(OK).is_ok());
    let is_well = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_well);
    let bad = Backend::on(other, move |_, tcp| {
        let bad = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n";
        let answer = if told.load(Ordering::Relaxed) {
            OK
        } else {
            bad
        };
        tcp.write_all(answer).is_ok()
    });
    let dns = Dns::start(&["127.0.0.2", "127.0.0.3"]);
    // Each request has a connection of its own, and with it the next address.
    let more = format!(
        "resolver: {}, {CHECK}, keep_alive: {{ idle_connections: 0 }}",
        dns.address()
    );
    let palisade = in_front_of(&[format!("app.test:{port}")], &more);
    let out = |expected: serde_json::Value| {
        wait_for("the address to be out, or back", || {
            let server = &palisade.status()["upstreams"][0]["servers"][0];
            (server["up"] == true && server["name"]["out"] == expected).then_some(())
        });
    };
    out(serde_json::json!(["127.0.0.3"]));
    let before = clients_requests(&bad);
    for _ in 0..20 {
        assert_eq!(palisade.get("/").status, 200);
    }
    assert_eq!(
        (clients_requests(&good), clients_requests(&bad)),
        (20, before)
    );
    is_well.store(true, Ordering::Relaxed);
    out(serde_json::json!([]));
    let load = Load::on(palisade.address()).new_connections(1).start();
    wait_for("requests at the address", || {
        (clients_requests(&bad) > before).then_some(())
    });
    load.finish().assert_flawless();
}

#[test]
fn a_name_is_followed_and_its_last_answer_holds() {
    let (one, other, port) = two_addresses();
    let mut dns = Dns::start(&["127.0.0.2"]);
    let palisade = by_name(port, dns.address());
    let load = Load::on(palisade.address()).keep_alive(2).start();
    load.wait_for_more(10);
    assert!(other.requests().is_empty());

    dns.say(&["127.0.0.3"]);
    wait_for("requests where the name leads now", || {
        (!other.requests().is_empty()).then_some(())
    });
    // What was on its way.
    load.wait_for_more(10);
    let before = one.requests().len();
    load.wait_for_more(30);
    assert_eq!(
        one.requests().len(),
        before,
        "idle connections don't hold on to it"
    );

    dns.stop();
    let failing = metric_of("name_lookup_failing", &format!("app.test:{port}"));
    wait_for_metric(&palisade, &failing, 1.0);
    load.wait_for_more(20);
    assert_eq!(palisade.get("/").text(), "other");
    let status = &palisade.status()["upstreams"][0]["servers"][0]["name"];
    assert_eq!(status["addresses"][0], "127.0.0.3");
    assert!(status["failure"].is_string());
    dns.start_again();
    wait_for_metric(&palisade, &failing, 0.0);
    load.finish().assert_flawless();

    // Nobody asks while it moves back: what is idle leads where it was.
    dns.say(&["127.0.0.2"]);
    wait_for("the name to move back", || {
        let status = &palisade.status()["upstreams"][0]["servers"][0]["name"];
        (status["addresses"][0] == "127.0.0.2").then_some(())
    });
    for _ in 0..8 {
        assert_eq!(palisade.get("/").text(), "one");
    }
}
