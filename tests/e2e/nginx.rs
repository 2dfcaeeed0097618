//! A real nginx as backend.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::harness::{Palisade, wait_for};

/// A running nginx; stopped when dropped.
struct Nginx {
    child: Child,
    address: SocketAddr,
    _directory: TempDir,
}

impl Nginx {
    /// Serves `page.html`, and tells in `X-Client` who it was told the client is.
    fn start() -> Self {
        // Somebody else may take the port in between: then it is tried with another.
        (0..5)
            .find_map(|_| Self::try_start())
            .expect("nginx starts; if it isn't there, run ./set-up test")
    }

    fn try_start() -> Option<Self> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().display();
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let page = "x".repeat(100_000);
        std::fs::write(directory.path().join("page.html"), page).unwrap();
        let settings = format!(
            "daemon off; master_process off; pid {path}/pid; error_log stderr;
events {{}}
http {{
  access_log off;
  client_body_temp_path {path}/body; proxy_temp_path {path}/proxy;
  fastcgi_temp_path {path}/fastcgi; uwsgi_temp_path {path}/uwsgi; scgi_temp_path {path}/scgi;
  server {{
    listen {address};
    root {path};
    add_header X-Client $http_x_real_ip always;
  }}
}}
"
        );
        let file = directory.path().join("nginx.conf");
        std::fs::write(&file, settings).unwrap();
        let child = Command::new("nginx")
            .arg("-c")
            .arg(&file)
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx runs; if it isn't there, run ./set-up test");
        let mut nginx = Self {
            child,
            address,
            _directory: directory,
        };
        let is_up = wait_for("nginx to listen or to end", || {
            if nginx.child.try_wait().unwrap().is_some() {
                return Some(false);
            }
            TcpStream::connect(address).is_ok().then_some(true)
        });
        is_up.then_some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn nginx_serves_what_palisade_lets_through() {
    let nginx = Nginx::start();
    let palisade = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{}\"] }} }}
sites: [{{ upstream: app }}]
access: {{ rules: [{{ id: env, match: {{ path: /.env }}, action: block }}] }}
",
        nginx.address
    ));
    let mut client = palisade.connect();
    for _ in 0..3 {
        client.send("GET /page.html HTTP/1.1\r\nHost: a\r\n\r\n");
        let answer = client.answer().unwrap();
        assert_eq!((answer.status, answer.body.len()), (200, 100_000));
        assert_eq!(answer.header("x-client"), Some("127.0.0.1"));
    }
    client.send("HEAD /page.html HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = client.answer_to_head().unwrap();
    assert_eq!(answer.header("content-length"), Some("100000"));
    let modified = answer.header("last-modified").unwrap().to_owned();
    client.send(format!(
        "GET /page.html HTTP/1.1\r\nHost: a\r\nIf-Modified-Since: {modified}\r\n\r\n"
    ));
    assert_eq!(client.answer().unwrap().status, 304);
    client.send("GET /page.html HTTP/1.1\r\nHost: a\r\nRange: bytes=10-19\r\n\r\n");
    let answer = client.answer().unwrap();
    assert_eq!((answer.status, answer.body.len()), (206, 10));
    client.send("GET /missing HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!(client.answer().unwrap().status, 404);
    assert_eq!(palisade.get("/.env").status, 403);
}
