//! Requests that are malformed or ambiguous: each is refused, never reaches a backend, ends its
//! connection where bytes behind it could be misread, and shows in the decision log and a counter.

mod bodies;
mod heads;
mod http2;
mod misdirected;
mod paths;
mod smuggling;

use std::collections::BTreeMap;

use palisade_hygiene::RefusalReason;

use crate::harness::{Backend, Palisade};

/// The settings of a gate that knows nothing but one site.
fn one_site(backend: &Backend, site: &str) -> String {
    format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app{site} }}]
"
    )
}

/// Requests that are refused, one after another, at a gate whose backend nothing reaches.
struct Refusals {
    backend: Backend,
    palisade: Palisade,
    seen: Vec<Seen>,
}

/// A request that was refused.
struct Seen {
    name: String,
    request_id: String,
    reason: RefusalReason,
}

impl Refusals {
    fn start() -> Self {
        let backend = Backend::start();
        let palisade = Palisade::start(&one_site(&backend, ""));
        Self {
            backend,
            palisade,
            seen: Vec::new(),
        }
    }

    /// These bytes are answered with `status`, and the connection ends.
    #[track_caller]
    fn row(&mut self, name: &str, bytes: impl AsRef<[u8]>, status: u16, reason: RefusalReason) {
        self.check(name, bytes.as_ref(), status, reason, true);
    }

    /// These bytes are answered with `status`: what the request is was certain, so that another may
    /// follow it.
    #[track_caller]
    fn row_of_many(
        &mut self,
        name: &str,
        bytes: impl AsRef<[u8]>,
        status: u16,
        reason: RefusalReason,
    ) {
        self.check(name, bytes.as_ref(), status, reason, false);
    }

    #[track_caller]
    fn check(&mut self, name: &str, bytes: &[u8], status: u16, reason: RefusalReason, ends: bool) {
        let mut connection = self.palisade.connect();
        connection.send(bytes);
        let answer = connection
            .answer()
            .unwrap_or_else(|| panic!("{name}: no answer"));
        assert_eq!(answer.status, status, "{name}");
        if ends {
            assert_eq!(answer.header("connection"), Some("close"), "{name}");
            assert!(connection.is_closed(), "{name}: the connection goes on");
        } else {
            let next = b"GET /%00 HTTP/1.1\r\nHost: a\r\n\r\n";
            let next = connection.send(next).answer().map(|answer| answer.status);
            assert_eq!(next, Some(400), "{name}: the connection doesn't go on");
        }
        let request_id = answer.header("x-request-id").expect(name);
        let text = answer.text().to_ascii_lowercase();
        assert!(
            !text.contains(reason.as_str()) && !text.contains(reason.explanation()),
            "{name}"
        );
        self.seen.push(Seen {
            name: name.to_owned(),
            request_id: request_id.to_owned(),
            reason,
        });
    }

    /// Nothing reached the backend, and the operator knows why each was refused.
    #[track_caller]
    fn end(self) {
        assert_eq!(self.backend.connections(), 0);
        let mut counts = BTreeMap::new();
        for seen in &self.seen {
            let line = self
                .palisade
                .wait_for_decision(|line| line["request_id"] == *seen.request_id);
            let name = &seen.name;
            assert_eq!(line["reason"], seen.reason.as_str(), "{name}: {line}");
            assert_eq!(line["mode"], "refused", "{name}");
            assert_eq!(line["status"], seen.reason.status(), "{name}");
            assert_eq!(line["client"]["ip"], "127.0.0.1", "{name}");
            *counts.entry(seen.reason.as_str()).or_insert(0_u32) += 1;
        }
        let metrics = self.palisade.metrics();
        for (reason, count) in counts {
            let line = format!("palisade_hygiene_refusals_total{{reason=\"{reason}\"}} ");
            let counted = metrics
                .lines()
                .find_map(|found| found.strip_prefix(&line)?.parse().ok());
            // The probes behind rows that go on are refused, too.
            let is_probe = reason == RefusalReason::EncodedNul.as_str();
            assert!(
                counted >= Some(count) && (is_probe || counted == Some(count)),
                "{reason}: {counted:?}"
            );
        }
    }
}

/// Odd requests that are none the less clear, and reach the backend.
struct Passes {
    backend: Backend,
    palisade: Palisade,
    count: usize,
}

impl Passes {
    fn start() -> Self {
        let backend = Backend::start();
        let palisade = Palisade::start(&one_site(&backend, ""));
        Self {
            backend,
            palisade,
            count: 0,
        }
    }

    /// These bytes reach the backend as one request with this request line and body.
    #[track_caller]
    fn row(&mut self, name: &str, bytes: impl AsRef<[u8]>, line: &str, body: &str) {
        let mut connection = self.palisade.connect();
        connection.send(bytes);
        let answer = connection
            .answer()
            .unwrap_or_else(|| panic!("{name}: no answer"));
        assert_eq!(answer.status, 200, "{name}");
        let requests = self.backend.requests();
        self.count += 1;
        assert_eq!(requests.len(), self.count, "{name}");
        let request = requests.last().unwrap();
        assert_eq!(request.line, line, "{name}");
        assert_eq!(request.body, body.as_bytes(), "{name}");
    }
}

/// A GET with `field` after Host.
fn get(field: &str) -> String {
    format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")
}

/// A POST with `fields` (each with its CR LF) after Host, and three bytes of body.
fn post(fields: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{fields}\r\nabc")
}

/// A request with this request line and a Host.
fn line(line: &str) -> String {
    format!("{line}\r\nHost: a\r\n\r\n")
}

/// A GET with these lines in place of Host.
fn host(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\n{fields}\r\n")
}
