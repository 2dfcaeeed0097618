//! A real HAProxy in front, which tells the client in a PROXY header.

use tempfile::TempDir;

use crate::harness::{Authority, Backend, Haproxy, Palisade, curl, wait_for};

/// HAProxy's options for the header: version 1, version 2, version 2 with what it knows of TLS, and
/// with all that it can tell.
const HEADERS: [&str; 4] = [
    "send-proxy",
    "send-proxy-v2",
    "send-proxy-v2-ssl-cn",
    "send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id",
];

/// A gate with a plain and a TLS listener, both behind HAProxy, that refuses 127.0.0.66.
struct Gate {
    backend: Backend,
    palisade: Palisade,
    authority: Authority,
}

impl Gate {
    fn start() -> Self {
        let backend = Backend::start();
        let authority = Authority::new();
        let directory = tempfile::tempdir().unwrap();
        authority
            .certify(&["gate.example", "127.0.0.1"])
            .save(directory.path(), "gate");
        let palisade = Palisade::start_in(
            directory,
            &format!(
                "
listeners:
  - address: 127.0.0.1:0
    proxy_protocol: {{ mode: required, from: [127.0.0.1] }}
  - address: 127.0.0.1:0
    proxy_protocol: {{ mode: required, from: [127.0.0.1] }}
    tls: {{ certificates: [{{ certificate: gate.crt, private_key: gate.key }}] }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites:
  - {{ upstream: app }}
  - {{ upstream: app, hosts: [secure.example], https: redirect }}
access:
  rules:
    - {{ id: not-you, match: {{ address: 127.0.0.66 }}, action: block }}
admin: {{ socket: admin.sock }}
"
            ),
        );
        Self {
            backend,
            palisade,
            authority,
        }
    }

    /// A HAProxy that speaks HTTP with clients and hands requests on with these words of a server.
    fn haproxy(&self, listener: usize, words: &str) -> Haproxy {
        self.haproxy_of("{bind}", listener, words)
    }

    fn haproxy_of(&self, lines: &str, listener: usize, words: &str) -> Haproxy {
        let address = self.palisade.listeners()[listener];
        let lines =
            format!("  {lines}\n  unique-id-format %pid:%rt\n  server gate {address} {words}\n");
        Haproxy::start_in(self.folder(), &lines)
    }

    /// A folder with a certificate for HAProxy.
    fn folder(&self) -> TempDir {
        let folder = tempfile::tempdir().unwrap();
        let made = self.authority.certify(&["gate.example", "127.0.0.1"]);
        let both = format!("{}{}", made.chain, made.key);
        std::fs::write(folder.path().join("front.pem"), both).unwrap();
        folder
    }

    /// The client reaches the backend under its own address, and 127.0.0.66 doesn't.
    #[track_caller]
    fn check(&self, haproxy: &Haproxy, url_scheme: &str, arguments: &[&str], name: &str) {
        let url = format!("{url_scheme}://{}/", haproxy.address());
        let before = self.backend.requests().len();
        let from = |client: &str| {
            let words = [&["--interface", client, url.as_str()], arguments].concat();
            curl(&words)
        };
        assert_eq!(from("127.0.0.55").status, 200, "{name}");
        let requests = self.backend.requests();
        let request = requests.last().unwrap();
        assert_eq!(request.header("x-real-ip"), Some("127.0.0.55"), "{name}");
        assert_eq!(
            request.header("x-forwarded-for"),
            Some("127.0.0.55"),
            "{name}"
        );
        assert_eq!(from("127.0.0.66").status, 403, "{name}");
        assert_eq!(from("127.0.0.56").status, 200, "{name}");
        let requests = self.backend.requests();
        assert_eq!(
            requests.last().unwrap().header("x-real-ip"),
            Some("127.0.0.56"),
            "{name}"
        );
        assert_eq!(requests.len(), before + 2, "{name}");
    }
}

#[test]
fn every_header_over_every_protocol_tells_the_client() {
    let gate = Gate::start();
    for header in HEADERS {
        for (listener, protocol) in [
            (0, ""),
            (0, "proto h2"),
            (1, "ssl verify none alpn http/1.1"),
            (1, "ssl verify none alpn h2"),
        ] {
            let haproxy = gate.haproxy(listener, &format!("{header} {protocol}"));
            gate.check(&haproxy, "http", &[], &format!("{header} {protocol}"));
        }
    }
    let line = gate
        .palisade
        .wait_for_decision(|line| line["check"] == "access");
    assert_eq!(line["client"]["ip"], "127.0.0.66");
    assert_eq!(line["client"]["provenance"], "proxy");
    assert_eq!(line["peer"], "127.0.0.1");
}

#[test]
fn tls_goes_through_a_haproxy_that_doesnt_read_it() {
    let gate = Gate::start();
    for header in HEADERS {
        let haproxy = gate.haproxy_of("{bind}\n  mode tcp", 1, header);
        gate.check(&haproxy, "https", &["--http1.1"], header);
        gate.check(&haproxy, "https", &["--http2"], header);
    }
    assert_eq!(
        gate.backend
            .requests()
            .last()
            .unwrap()
            .header("x-forwarded-proto"),
        Some("https")
    );
}

#[test]
fn tls_that_ends_at_haproxy_is_https() {
    let gate = Gate::start();
    let host = ["-H", "Host: secure.example"];
    let front = "{bind} ssl crt {folder}/front.pem alpn h2,http/1.1";
    let url = |haproxy: &Haproxy| format!("https://{}/", haproxy.address());
    for header in &HEADERS[2..] {
        let haproxy = gate.haproxy_of(front, 0, header);
        for version in ["--http1.1", "--http2"] {
            let answer = curl(&[&host[..], &[version, &url(&haproxy)]].concat());
            assert_eq!(answer.status, 200, "{header}");
            assert!(
                answer.header("strict-transport-security").is_some(),
                "{header}"
            );
            let request = gate.backend.requests().last().unwrap().clone();
            assert_eq!(
                request.header("x-forwarded-proto"),
                Some("https"),
                "{header}"
            );
            let forwarded = request.header("forwarded").unwrap();
            assert!(forwarded.ends_with(";proto=https"), "{header}: {forwarded}");
        }
    }
    // A header that can't or doesn't say so is of a plain connection, and so is a client's without TLS.
    for header in &HEADERS[..2] {
        let haproxy = gate.haproxy_of(front, 0, header);
        assert_eq!(
            curl(&[&host[..], &[&url(&haproxy)]].concat()).status,
            308,
            "{header}"
        );
    }
    let haproxy = gate.haproxy(0, HEADERS[2]);
    let answer = curl(&[&host[..], &[&format!("http://{}/a?b", haproxy.address())]].concat());
    assert_eq!(answer.status, 308);
    assert_eq!(
        answer.header("location"),
        Some("https://secure.example/a?b")
    );
    assert_eq!(answer.header("strict-transport-security"), None);
}

#[test]
fn a_ban_meets_the_client_behind_haproxy() {
    let gate = Gate::start();
    let haproxy = gate.haproxy(0, HEADERS[1]);
    let url = format!("http://{}/", haproxy.address());
    let status = |client: &str| curl(&["--interface", client, &url]).status;
    let settings = gate.palisade.settings();
    let settings = settings.to_str().unwrap();
    let decide = |words: &[&str]| {
        let done = Palisade::execute(&[&["decisions"], words, &["--config", settings]].concat());
        assert!(
            done.status.success(),
            "{}",
            String::from_utf8_lossy(&done.stderr)
        );
    };
    assert_eq!(status("127.0.0.55"), 200);
    decide(&["add", "127.0.0.55"]);
    assert_eq!(status("127.0.0.55"), 403);
    assert_eq!(status("127.0.0.56"), 200);
    // The load balancer itself is not who was banned.
    decide(&["add", "127.0.0.1"]);
    assert_eq!(status("127.0.0.56"), 200);
    decide(&["delete", "127.0.0.55"]);
    assert_eq!(status("127.0.0.55"), 200);
    assert_eq!(gate.backend.requests().len(), 4);
}

#[test]
fn haproxys_own_health_checks_are_answered() {
    let gate = Gate::start();
    for (header, path) in [
        ("send-proxy-v2", "/health/v2"),
        ("send-proxy", "/health/v1"),
    ] {
        let lines = format!(
            "{{bind}}\n  option httpchk\n  http-check send meth GET uri {path} ver HTTP/1.1 hdr Host gate.example"
        );
        let _haproxy = gate.haproxy_of(&lines, 0, &format!("{header} check inter 100ms"));
        let request = wait_for("a health check", || {
            let requests = gate.backend.requests();
            requests
                .into_iter()
                .find(|request| request.line.contains(path))
        });
        assert_eq!(request.header("x-real-ip"), Some("127.0.0.1"), "{header}");
    }
}
