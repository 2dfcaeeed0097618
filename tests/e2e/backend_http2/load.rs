//! h2load against nghttpd and nginx, with Palisade in between: other HTTP/2s than ours.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::start;
use crate::harness::{Nginx, Palisade, wait_for};

/// A running nghttpd; stopped when dropped.
struct Nghttpd {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Nghttpd {
    /// Serves `page.html`.
    fn start() -> Self {
        // Somebody else may take the port in between: then it is tried with another.
        (0..5).find_map(|_| Self::try_start()).expect("it starts")
    }

    fn try_start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("page.html"), "x".repeat(2000)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let child = Command::new("nghttpd")
            .args(["--no-tls", "--address=127.0.0.1", "--htdocs"])
            .arg(directory.path())
            .arg(address.port().to_string())
            .stdout(Stdio::null())
            .spawn()
            .expect("run ./set-up test: nghttpd");
        let mut nghttpd = Self {
            child,
            address,
            _directory: directory,
        };
        let is_up = wait_for("nghttpd to listen or to end", || {
            if nghttpd.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            TcpStream::connect(address).is_ok().then_some(true)
        });
        is_up.then_some(nghttpd)
    }
}

impl Drop for Nghttpd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn many_streams_of_many_connections_are_all_answered() {
    let nghttpd = Nghttpd::start();
    let palisade = start(nghttpd.address);
    load(&palisade, "/page.html", 4000, 50);
    let status = palisade.status();
    let server = &status["upstreams"][0]["servers"][0];
    let connections = server["http2_connections"].as_u64().unwrap();
    assert!((1..=16).contains(&connections), "{connections}");
    assert_eq!(server["in_flight"], 0);
}

#[test]
fn a_backend_that_ends_its_connections_under_load_fails_no_request() {
    for keepalive_requests in [100, 10, 1] {
        let nginx = Nginx::start_http2(keepalive_requests);
        let palisade = start(nginx.address());
        load(&palisade, "/load", 5000, 30);
        let retries = palisade.metric(r#"palisade_upstream_retries_total{upstream="app"}"#);
        assert!(retries > 0.0, "each connection ended with its last answer");
    }
}

/// `count` requests on 8 connections, so many at a time on each; all are answered with 200.
#[track_caller]
fn load(palisade: &Palisade, path: &str, count: u32, at_a_time: u32) {
    let output = Command::new("h2load")
        .args([
            "-c",
            "8",
            "-n",
            &count.to_string(),
            "-m",
            &at_a_time.to_string(),
        ])
        .arg(format!("http://{}{path}", palisade.address()))
        .output()
        .expect("run ./set-up test: h2load");
    let told = String::from_utf8_lossy(&output.stdout);
    let all = format!("{count} succeeded, 0 failed, 0 errored, 0 timeout");
    assert!(told.contains(&all), "{told}");
    let good = format!("status codes: {count} 2xx");
    assert!(told.contains(&good), "{told}");
}
