//! A real nginx.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::wait_for;

/// A running nginx; stopped when dropped.
pub(crate) struct Nginx {
    child: Child,
    address: SocketAddr,
    directory: TempDir,
}

impl Nginx {
    /// Serves `page.html` and, small, `load`, and tells in `X-Client` who it was told the client is.
    pub(crate) fn start() -> Self {
        Self::start_with("", "")
    }

    /// The same over HTTP/2, by prior knowledge; each connection takes that many requests.
    pub(crate) fn start_http2(keepalive_requests: u32) -> Self {
        Self::start_with(
            "http2",
            &format!("keepalive_requests {keepalive_requests};"),
        )
    }

    fn start_with(listen: &str, directives: &str) -> Self {
        // Somebody else may take the port in between: then it is tried with another.
        (0..5)
            .find_map(|_| Self::try_start(listen, directives))
            .expect("nginx starts; if it isn't there, run ./set-up test")
    }

    fn try_start(listen: &str, directives: &str) -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display();
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let page = "x".repeat(100_000);
        std::fs::write(directory.path().join("page.html"), page).unwrap();
        std::fs::write(directory.path().join("load"), "ok").unwrap();
        let settings = format!(
            "daemon off; master_process off; pid {path}/pid; error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {path}/body; proxy_temp_path {path}/proxy;
  fastcgi_temp_path {path}/fastcgi; uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
  server {{
    listen {address} {listen};
    {directives}
    root {path};
    add_header X-Client $http_x_real_ip always;
  }}
}}
"
        );
        std::fs::write(directory.path().join("nginx.conf"), settings).unwrap();
        let mut nginx = Self {
            child: run(&directory),
            address,
            directory,
        };
        nginx.is_up().then_some(nginx)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Ends it as a crash would.
    pub(crate) fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Starts it again, on its port.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        self.child = run(&self.directory);
        assert!(self.is_up(), "nginx starts again");
    }

    fn is_up(&mut self) -> bool {
        wait_for("nginx to listen or to end", || {
            if self.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            TcpStream::connect(self.address).is_ok().then_some(true)
        })
    }
}

fn run(directory: &TempDir) -> Child {
    Command::new("nginx")
        .arg("-c")
        .arg(directory.path().join("nginx.conf"))
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx runs; if it isn't there, run ./set-up test")
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.kill();
    }
}
