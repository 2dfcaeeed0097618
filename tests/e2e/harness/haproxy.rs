//! A real HAProxy in front.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running HAProxy; stopped when dropped.
pub(crate) struct Haproxy {
    child: Child,
    directory: TempDir,
    address: SocketAddr,
}

impl Haproxy {
    /// Starts one with a single `listen` section of these lines, in a folder that may have
    /// certificates in it; `{bind}` stands for its socket, `{folder}` for the folder.
    pub(crate) fn start_in(directory: TempDir, lines: &str) -> Self {
        // HAProxy takes the socket over as its standard input, so that there is no port to be
        // chosen, and connections wait in it until HAProxy is there.
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let lines = lines
            .replace("{bind}", "bind fd@0")
            .replace("{folder}", directory.path().to_str().unwrap());
        let settings = format!(
            "
global
  maxconn 100
defaults
  mode http
  timeout connect 10s
  timeout client 30s
  timeout server 30s
  retries 0
listen front
{lines}
"
        );
        let path = directory.path().join("haproxy.cfg");
        std::fs::write(&path, settings).unwrap();
        let errors = std::fs::File::create(directory.path().join("haproxy.log")).unwrap();
        let child = Command::new("haproxy")
            .args(["-db", "-f"])
            .arg(&path)
            .stdin(Stdio::from(OwnedFd::from(socket)))
            .stdout(Stdio::null())
            .stderr(errors)
            .spawn()
            .expect("run ./set-up test: haproxy");
        Self {
            child,
            directory,
            address,
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let said = std::fs::read_to_string(self.directory.path().join("haproxy.log"));
            eprintln!("haproxy said: {}", said.unwrap_or_default());
        }
    }
}
