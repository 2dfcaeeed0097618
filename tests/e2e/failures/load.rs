//! The instrument itself: a load must see what goes wrong, or every row above it proves nothing.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::harness::{Authority, Backend, Load, LoadReport, Palisade, TlsClient};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What clients of a server see that answers every fifth request with these bytes, and ends the
/// connection then.
fn seen_with(fifth: &'static [u8], retrying: bool) -> LoadReport {
    let asked = AtomicUsize::new(0);
    let server = Backend::with(move |request, tcp| {
        assert!(request.line.starts_with("GET /seen "));
        let is_fifth = asked.fetch_add(1, Ordering::Relaxed) % 5 == 4;
        let answer = if is_fifth { fifth } else { OK };
        tcp.write_all(answer).is_ok() && !is_fifth
    });
    let plan = Load::on(server.to_string().parse().unwrap())
        .request("GET /seen HTTP/1.1\r\nHost: test.example\r\n\r\n")
        .pause(Duration::from_millis(1))
        .keep_alive(1);
    let plan = if retrying { plan.retrying_idle() } else { plan };
    let load = plan.start();
    load.wait_for_more(20);
    load.finish()
}

#[test]
fn a_load_sees_what_goes_wrong() {
    let unavailable = b"HTTP/1.1 503 No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let report = seen_with(unavailable, false);
    assert!(report.count(503) >= 4 && report.count(200) >= 16);
    assert_eq!(report.unexpected.len(), report.count(503));

    for cut in [b"" as &[u8], b"HTTP/1.1 2", &OK[..OK.len() - 1]] {
        let report = seen_with(cut, false);
        assert!(report.unanswered >= 4, "{report:?}");
        assert_eq!(report.unexpected.len(), report.unanswered);
    }

    // Not a byte on a connection that was idle: sent again where that is asked for.
    let report = seen_with(b"", true);
    assert!(report.sent_again >= 4);
    report.assert_flawless();
    assert!(seen_with(b"HTTP/1.1 2", true).unanswered >= 4);
}

#[test]
fn a_load_comes_over_every_protocol() {
    let (folder, authority) = (tempfile::tempdir().unwrap(), Authority::new());
    authority
        .certify(&["test.example"])
        .save(folder.path(), "own");
    let backend = Backend::start();
    let settings = format!(
        "
listeners:
  - {{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: 127.0.0.0/8 }} }}
  - address: 127.0.0.1:0
    tls: {{ certificates: [{{ certificate: own.crt, private_key: own.key }}] }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ hosts: [test.example], upstream: app }}]
"
    );
    let palisade = Palisade::start_in(folder, &settings);
    let plain = Load::on(palisade.listeners()[0]).of_client("198.51.100.1");
    let http1 = Arc::new(TlsClient::new(&authority, &["http/1.1"]));
    let http2 = Arc::new(TlsClient::new(&authority, &["h2"]));
    let tls = || Load::on(palisade.listeners()[1]).expecting(&[200]);
    let loads = [
        plain.keep_alive(1).new_connections(1).http2(1).start(),
        tls()
            .tls(http1, "test.example")
            .keep_alive(1)
            .new_connections(1)
            .start(),
        tls().tls(http2, "test.example").http2(1).start(),
    ];
    for load in loads {
        load.wait_for_more(20);
        load.expect(&[200, 404]);
        load.finish().assert_flawless();
    }
    palisade.wait_for_access(|line| line.contains(" 198.51.100.1 "));
}
