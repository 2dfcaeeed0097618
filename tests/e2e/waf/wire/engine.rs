//! Requests of the suite on connections of their own, and its backend.

use std::io::Write as _;
use std::net::SocketAddr;

use palisade_ftw::{Engine, Exchange, Framing, Observed, Request, Response, backend};

use super::audit_lines::AuditLines;
use crate::harness::{Answer, Backend, BackendRequest, Connection};

/// The rule that logs a marker.
const MARKER_RULE: u64 = 999_999;

/// What sends requests to Palisade, and learns from its audit log which rules they matched.
pub(super) struct WireEngine {
    gate: SocketAddr,
    /// An address of the loopback range that nobody else sends from.
    source: String,
    audit: AuditLines,
    markers: u64,
}

impl WireEngine {
    pub(super) fn new(gate: SocketAddr, source: String, audit: AuditLines) -> Self {
        Self {
            gate,
            source,
            audit,
            markers: 0,
        }
    }

    /// A request that logs its own name, from the same client: what is logged of it comes behind all that
    /// was answered before.
    fn mark(&mut self) -> String {
        self.markers += 1;
        let marker = format!("marker-{}-{}-", self.source, self.markers);
        let request = format!(
            "GET / HTTP/1.1\r\nHost: localhost\r\nX-CRS-Test: {marker}\r\nConnection: close\r\n\r\n"
        );
        let mut connection = Connection::open_from(&self.source, self.gate);
        let answer = connection.send(request).answer();
        assert_eq!(answer.map(|answer| answer.status), Some(200), "{marker}");
        marker
    }
}

impl Engine for WireEngine {
    fn judge(&mut self, exchange: &Exchange<'_>) -> Observed {
        let request = exchange.request;
        let mut connection = Connection::open_from(&self.source, self.gate);
        let port = connection.local_address().port();
        connection.send(request.bytes);
        let answer = last_answer(&mut connection, request.method == b"HEAD");
        let marker = self.mark();
        let mut logged = self.audit.take_until(&self.source, &marker, port);
        logged.retain(|line| line.rule_id != Some(MARKER_RULE));
        Observed {
            response: answer.map(response),
            logged,
        }
    }
}

/// The answer after those that only announce it.
fn last_answer(connection: &mut Connection, is_head: bool) -> Option<Answer> {
    loop {
        let answer = match is_head {
            true => connection.answer_to_head()?,
            false => connection.answer()?,
        };
        if answer.status >= 200 {
            return Some(answer);
        }
    }
}

fn response(answer: Answer) -> Response {
    let fields = answer.head.lines().skip(1);
    let fields = fields.filter_map(|line| line.split_once(':'));
    Response {
        status: answer.status,
        headers: fields
            .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
            .collect(),
        body: answer.body,
    }
}

/// The suite's backend on a socket.
pub(super) fn suite_backend() -> Backend {
    Backend::with(|request, tcp| tcp.write_all(&answer(request).to_bytes()).is_ok())
}

fn answer(request: &BackendRequest) -> Response {
    let mut words = request.line.split(' ').map(str::as_bytes);
    let mut word = || words.next().unwrap_or_default();
    backend::answer(&Request {
        bytes: b"",
        head: request.head.as_bytes(),
        line: request.line.as_bytes(),
        method: word(),
        target: word(),
        protocol: word(),
        headers: Vec::new(),
        body: (&*request.body).into(),
        framing: Framing::Length,
        is_whole: true,
    })
}
