//! `palisade run --demo`: the built-in example.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use palisade_admin::{AdminContext, NewDecision};
use palisade_config::files::Memory;
use palisade_config::{Loaded, Settings};
use palisade_decisions::{Remedy, Scope};
use palisade_vocabulary::Ip;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::say;

/// The settings and the rules are part of the binary, so that the demo needs no file.
const SETTINGS: &str = include_str!("../../../config/demo.yaml");
const RULES: &[(&str, &str)] = &[
    (
        "rules/bad-user-agents.yaml",
        include_str!("../../../rules/bad-user-agents.yaml"),
    ),
    (
        "rules/scanner-paths.yaml",
        include_str!("../../../rules/scanner-paths.yaml"),
    ),
    (
        "rules/seclang/recommended.conf",
        include_str!("../../../rules/seclang/recommended.conf"),
    ),
    (
        "rules/seclang/palisade.conf",
        include_str!("../../../rules/seclang/palisade.conf"),
    ),
];

/// Who is banned in the demo, and why.
const BANNED: &[(&str, &str)] = &[
    ("127.0.0.66", "demo: tried every password"),
    ("192.0.2.0/24", "demo: a range of a block list"),
    ("2001:db8:bad::/48", "demo: a range of a block list"),
];

/// How long the demo's decisions hold.
const BANNED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// The most of a request's head that the demo's backend reads.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// The demo's backend, not yet at work.
pub(crate) struct Backend(std::net::TcpListener);

/// The demo's settings, and the backend that they name.
pub(crate) fn load() -> Result<(Loaded, Backend)> {
    let socket = bind_backend().context("can't start the demo's backend")?;
    let backend = socket.local_addr()?;
    let mut files = Memory::default().with("palisade.yaml", SETTINGS);
    for (path, rules) in RULES {
        files = files.with(*path, *rules);
    }
    let environment = |name: &str| (name == "DEMO_BACKEND").then(|| backend.to_string());
    let loaded = Settings::load(&files, &environment, Path::new("palisade.yaml"));
    let loaded = loaded.context("the built-in settings are wrong")?;
    Ok((loaded, Backend(socket)))
}

fn bind_backend() -> std::io::Result<std::net::TcpListener> {
    let socket =
        std::net::TcpListener::bind((Ip::from(std::net::Ipv4Addr::LOCALHOST).as_std(), 0))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Backend {
    /// Answers with what it is asked. To be called on a runtime.
    pub(crate) fn start(self) -> std::io::Result<()> {
        let listener = TcpListener::from_std(self.0)?;
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(answer(tcp));
            }
        });
        Ok(())
    }
}

/// Bans a few.
pub(crate) fn decide(admin: &AdminContext) -> Result<()> {
    for (value, why) in BANNED {
        let scope = Scope::parse("range", value)?;
        let ban = NewDecision::new(scope, Remedy::Ban, BANNED_FOR, why)?;
        admin.local.add(ban, admin.shared.clock.now())?;
    }
    Ok(())
}

/// Says what to try.
pub(crate) fn greet() {
    say("");
    say("Palisade is running. Try, from another terminal:");
    say("");
    say(
        "  curl -i http://127.0.0.1:8000/hello                                          # passes: 200 from the demo's backend",
    );
    say(
        "  curl -i -A sqlmap/1.8 http://127.0.0.1:8000/                                 # a scanner's user agent: 403",
    );
    say(
        "  curl -i http://127.0.0.1:8000/.env                                           # a scanner's path: 403",
    );
    say(
        "  curl -i \"http://127.0.0.1:8000/?id=1%27+or+1=1--+\"                           # an injection of SQL: 403",
    );
    say(
        "  curl -i --haproxy-protocol --interface 127.0.0.66 http://127.0.0.1:8000/     # a banned client: 403",
    );
    say("");
    say(
        "Metrics: http://127.0.0.1:9900/metrics   Status: http://127.0.0.1:9901/status   Stop: Ctrl-C",
    );
    say("Each refusal is told below, with why.");
    say("");
}

/// Answers requests without looking at their bodies, until one has one.
async fn answer(mut tcp: TcpStream) -> std::io::Result<()> {
    let mut received = Vec::new();
    loop {
        let end = received.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end else {
            if received.len() > HEAD_BYTES_MAX || tcp.read_buf(&mut received).await? == 0 {
                return Ok(());
            }
            continue;
        };
        let head = received.drain(..end + 4).collect::<Vec<u8>>();
        let head = String::from_utf8_lossy(&head);
        let has_body = head.lines().any(|line| {
            let line = line.to_ascii_lowercase();
            line.starts_with("transfer-encoding:")
                || (line.starts_with("content-length:") && line != "content-length: 0")
        });
        let body = format!(
            "Hello from the demo's backend. This is what it got:\n\n{}\n",
            head.trim_end()
        );
        let connection = if has_body { "close" } else { "keep-alive" };
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: {connection}\r\n\r\n",
            body.len()
        );
        tcp.write_all(answer.as_bytes()).await?;
        if !head.starts_with("HEAD ") {
            tcp.write_all(body.as_bytes()).await?;
        }
        if has_body {
            return tcp.shutdown().await;
        }
    }
}
