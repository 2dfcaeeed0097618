//! h2load against nghttpd, with Palisade in between: both by nghttp2, another HTTP/2 than ours.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::start;
use crate::harness::wait_for;

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
    let output = Command::new("h2load")
        .args(["-n", "4000", "-c", "8", "-m", "50"])
        .arg(format!("http://{}/page.html", palisade.address()))
        .output()
        .expect("run ./set-up test: h2load");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        told.contains("4000 succeeded, 0 failed, 0 errored, 0 timeout"),
        "{told}"
    );
    assert!(told.contains("status codes: 4000 2xx"), "{told}");
    let status = palisade.status();
    let server = &status["upstreams"][0]["servers"][0];
    let connections = server["http2_connections"].as_u64().unwrap();
    assert!((1..=16).contains(&connections), "{connections}");
    assert_eq!(server["in_flight"], 0);
}
