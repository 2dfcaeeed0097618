//! SecLang rules in a request's way: what they refuse never reaches a backend, and what they let pass
//! arrives whole.

mod answers;
mod attacks;
mod benign;
mod bodies;
mod coreruleset;
mod failures;
mod logs;
mod memory;
mod refusals;
mod sites;
mod who;

use std::path::Path;

use serde_json::Value;

use crate::harness::{Answer, Backend, Connection, Palisade, wait_for};

/// Rules that look at requests' arguments, however they come.
const EVIL: &str = r#"SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 1048576
SecRequestBodyNoFilesLimit 1048576
SecRequestBodyLimitAction ProcessPartial
SecRule REQUEST_HEADERS:Content-Type "@beginsWith application/json" "id:1,phase:1,pass,nolog,ctl:requestBodyProcessor=JSON"
SecRule REQBODY_ERROR "!@eq 0" "id:2,phase:2,deny,status:400,log,msg:'A body that can not be read'"
SecRule ARGS "@contains evil" "id:100,phase:2,deny,log,msg:'Evil in %{MATCHED_VAR_NAME}',setvar:tx.anomaly_score=+5"
"#;

const FORM: &str = "Content-Type: application/x-www-form-urlencoded\r\n";

/// How a gate is set up; sections of the settings as they are written.
#[derive(Default)]
struct SetUp<'a> {
    /// Files in its folder; the first ones are its rules, where `waf` names none.
    files: &'a [(&'a str, &'a str)],
    waf: &'a str,
    listener: &'a str,
    sites: &'a str,
    more: &'a str,
}

/// A Palisade with rules, before a backend.
struct Gate {
    palisade: Palisade,
    backend: Backend,
}

impl Gate {
    /// Rules before a backend that answers with `ok`.
    #[track_caller]
    fn with(rules: &str) -> Self {
        Self::before(Backend::start(), rules)
    }

    #[track_caller]
    fn before(backend: Backend, rules: &str) -> Self {
        let files = &[("rules.conf", rules)];
        let set_up = SetUp {
            files,
            ..SetUp::default()
        };
        Self::set_up(backend, &set_up)
    }

    #[track_caller]
    fn set_up(backend: Backend, set_up: &SetUp<'_>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in set_up.files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let or = |text: &str, otherwise: &str| match text {
            "" => otherwise.to_owned(),
            text => text.to_owned(),
        };
        let settings = format!(
            "
listeners: [{{ address: 127.0.0.1:0{} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: {}
waf: {{ {} }}
logs: {{ access: {{ path: access.log }}, decisions: {{ path: decisions.log }}, audit: {{ path: audit.jsonl }} }}
{}
",
            set_up.listener,
            or(set_up.sites, "[{ upstream: app }]"),
            or(set_up.waf, "rules: rules.conf"),
            set_up.more,
        );
        let palisade = Palisade::start_with_logs(folder, &settings);
        Self { palisade, backend }
    }

    fn folder(&self) -> &Path {
        self.palisade.directory()
    }

    /// The answer to a body with these header lines.
    #[track_caller]
    fn post(&self, headers: &str, body: impl AsRef<[u8]>) -> Answer {
        self.palisade
            .exchange(post(headers, body))
            .expect("an answer")
    }

    /// These bytes are refused with 403, and the backend doesn't hear of it.
    #[track_caller]
    fn refuses(&self, bytes: impl AsRef<[u8]>) {
        let answer = self.palisade.exchange(bytes).expect("an answer");
        assert_eq!(answer.status, 403, "{}", answer.head);
        self.backend_saw_nothing();
    }

    #[track_caller]
    fn backend_saw_nothing(&self) {
        assert_eq!(self.backend.connections(), 0, "connections to the backend");
    }

    /// Waits for a line of the audit log.
    #[track_caller]
    fn wait_for_audit(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        wait_for("a line of the audit log", || {
            let log = std::fs::read_to_string(self.folder().join("audit.jsonl")).ok()?;
            let whole = log
                .split_inclusive('\n')
                .filter(|line| line.ends_with('\n'));
            let mut lines = whole.map(|line| serde_json::from_str(line).expect("JSON"));
            lines.find(|line| is_it(line))
        })
    }
}

/// Waits until the other end has read all that was sent on a connection over IPv4.
#[track_caller]
fn wait_until_read(connection: &Connection) {
    let port = format!(":{:04X}", connection.local_address().port());
    let is_read = || {
        let sockets = std::fs::read_to_string("/proc/net/tcp").unwrap();
        // Of each: number, its own address, the other end's, state, bytes to be sent and to be read.
        sockets.lines().skip(1).all(|socket| {
            let fields: Vec<&str> = socket.split_whitespace().collect();
            let (to_send, to_read) = fields[4].split_once(':').unwrap();
            let is_done = |address: &str, bytes| !address.ends_with(&port) || bytes == "00000000";
            is_done(fields[1], to_send) && is_done(fields[2], to_read)
        })
    };
    // Twice: bytes on their way may be in neither queue while the list is made.
    wait_for("all to be read", || (is_read() && is_read()).then_some(()));
}

/// The rules that a line of the audit log names.
fn ids(line: &Value) -> Vec<u64> {
    let messages = line["messages"].as_array().expect("messages").iter();
    messages
        .filter_map(|message| message["id"].as_u64())
        .collect()
}

/// A request with a body of known length.
fn post(headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let mut bytes = format!(
        "POST /form HTTP/1.1\r\nHost: test.example\r\n{headers}Content-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// The same in chunks of this size.
fn post_chunked(headers: &str, body: impl AsRef<[u8]>, size: usize) -> Vec<u8> {
    let mut bytes = format!(
        "POST /form HTTP/1.1\r\nHost: test.example\r\n{headers}Transfer-Encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    bytes.extend(chunked(body.as_ref(), size));
    bytes
}

fn chunked(body: &[u8], size: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in body.chunks(size) {
        bytes.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        bytes.extend_from_slice(chunk);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes.extend_from_slice(b"0\r\n\r\n");
    bytes
}

/// A multipart form with one field, and the header line for it.
fn multipart(name: &str, value: &[u8], file: Option<&str>) -> (&'static str, Vec<u8>) {
    let file = file.map_or_else(String::new, |file| {
        format!("; filename=\"{file}\"\r\nContent-Type: application/octet-stream")
    });
    let mut body =
        format!("--border\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n")
            .into_bytes();
    body.extend_from_slice(value);
    body.extend_from_slice(b"\r\n--border--\r\n");
    (
        "Content-Type: multipart/form-data; boundary=border\r\n",
        body,
    )
}

/// A gzip file (RFC 1952) whose content isn't compressed: stored blocks (RFC 1951 section 3.2.4).
fn gzip(content: &[u8]) -> Vec<u8> {
    let mut file = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    for block in content.chunks(usize::from(u16::MAX)) {
        let length = u16::try_from(block.len()).unwrap();
        file.push(0);
        file.extend(length.to_le_bytes());
        file.extend((!length).to_le_bytes());
        file.extend_from_slice(block);
    }
    // The last one is empty.
    file.extend([1, 0, 0, 255, 255]);
    let crc = content.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    });
    file.extend((!crc).to_le_bytes());
    file.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    file
}
