//! Lists from files and servers: what they refuse and allow, and what becomes of them when their
//! source is away or says something else.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Backend, BackendRequest, Load, Palisade, wait_for};

/// What a server of lists answers.
#[derive(Clone, Debug)]
enum Says {
    /// A list, with this ETag.
    List(&'static str, &'static str),
    /// A status and a body.
    Status(u16, &'static str),
    /// A head that promises more than comes.
    Cut,
    /// A byte now and then, without end.
    Drip,
    /// As many bytes as are taken.
    Endless,
    /// Elsewhere.
    Redirect(String),
}

/// A server of one list, which says what it is told to.
struct ListServer {
    server: Backend,
    says: Arc<Mutex<Says>>,
}

impl ListServer {
    fn start(says: Says) -> Self {
        let says = Arc::new(Mutex::new(says));
        let script = Arc::clone(&says);
        let server = Backend::with(move |request, tcp| {
            let says = script.lock().unwrap().clone();
            answer(request, tcp, &says).is_ok()
        });
        Self { server, says }
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }

    fn url(&self) -> String {
        format!("http://{}/list.txt", self.server)
    }

    /// How often it was asked whether the list with this ETag changed.
    fn asked_again(&self, etag: &str) -> usize {
        let requests = self.server.requests();
        let same = requests
            .iter()
            .filter(|request| request.header("if-none-match") == Some(etag));
        same.count()
    }
}

fn answer(request: &BackendRequest, tcp: &mut TcpStream, says: &Says) -> std::io::Result<()> {
    match says {
        Says::List(etag, _) if request.header("if-none-match") == Some(etag) => {
            write!(tcp, "HTTP/1.1 304 X\r\nETag: {etag}\r\n\r\n")
        }
        Says::List(etag, list) => {
            let len = list.len();
            write!(
                tcp,
                "HTTP/1.1 200 OK\r\nETag: {etag}\r\nContent-Length: {len}\r\n\r\n{list}"
            )
        }
        Says::Status(status, body) => {
            let len = body.len();
            write!(
                tcp,
                "HTTP/1.1 {status} X\r\nContent-Length: {len}\r\n\r\n{body}"
            )
        }
        Says::Cut => {
            tcp.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n198.51.100.99\n")?;
            Err(std::io::ErrorKind::ConnectionAborted.into())
        }
        Says::Drip => {
            tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                tcp.write_all(b"#")?;
                // The pace of the drip is the test; nothing waits for it.
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        Says::Endless => {
            tcp.write_all(b"HTTP/1.1 200 OK\r\n\r\n")?;
            loop {
                tcp.write_all(&b"198.51.100.99\n".repeat(1_000))?;
            }
        }
        Says::Redirect(to) => {
            write!(
                tcp,
                "HTTP/1.1 302 X\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"
            )
        }
    }
}

fn settings(backend: &Backend, more: &str) -> String {
    format!(
        "
listeners:
  - {{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: 127.0.0.0/8 }} }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
admin: {{ address: 127.0.0.1:0, socket: admin.sock }}
state_directory: .
{more}
"
    )
}

#[track_caller]
fn wait_for_status(palisade: &Palisade, client: &str, status: u16) {
    wait_for(&format!("{client} to get {status}"), || {
        (palisade.get_from(client, "/").status == status).then_some(())
    });
}

/// How `/status` shows a list.
fn list(palisade: &Palisade, name: &str) -> Value {
    let status = palisade.status();
    let lists = status["lists"].as_array().unwrap().clone();
    let list = lists.into_iter().find(|list| list["name"] == name);
    list.unwrap_or_else(|| panic!("no list {name} in {status}"))
}

/// Waits until the source of a list failed once more.
#[track_caller]
fn wait_for_failure(palisade: &Palisade, name: &str) -> String {
    let known = list(palisade, name)["failures"].as_u64().unwrap();
    wait_for("a failure", || {
        let list = list(palisade, name);
        let failures = list["failures"].as_u64().unwrap();
        (failures > known).then(|| list["last_error"]["message"].as_str().unwrap().to_owned())
    })
}

fn change_settings(palisade: &Palisade, change: impl FnOnce(&str) -> String) {
    let file = std::fs::read_to_string(palisade.settings()).unwrap();
    std::fs::write(palisade.settings(), change(&file)).unwrap();
    let reloads = "palisade_reloads_total{result=\"ok\"}";
    let known = palisade.metric(reloads);
    palisade.signal("HUP");
    wait_for("the reload", || {
        (palisade.metric(reloads) > known).then_some(())
    });
}

#[test]
fn a_list_refuses_whom_it_names_and_frees_whom_it_no_longer_does() {
    let first = "# drop\n198.51.100.1\n198.51.100.2 ; SBL2\n2001:db8::/32\n";
    let (server, backend) = (
        ListServer::start(Says::List("\"1\"", first)),
        Backend::start(),
    );
    let lists = format!(
        "block_lists: {{ drop: {{ url: \"{}\", refresh: 1s }} }}",
        server.url()
    );
    let palisade = Palisade::start(&settings(&backend, &lists));
    wait_for_status(&palisade, "198.51.100.1", 403);
    assert_eq!(palisade.get_from("2001:db8::77", "/").status, 403);
    assert_eq!(palisade.get_from("198.51.100.3", "/").status, 200);
    let heard = backend.requests().len();
    assert_eq!(palisade.get_from("198.51.100.2", "/refused").status, 403);
    assert_eq!(backend.requests().len(), heard);
    let decision =
        palisade.wait_for_decision(|line| line["path"] == "/refused")["decision"].clone();
    assert_eq!(decision["origin"], "lists:drop");
    assert_eq!(decision["type"], "ban");
    let shown = palisade.decisions(&["list"]);
    assert!(
        shown.contains("lists:drop") && shown.contains("2001:db8::/32"),
        "{shown}"
    );

    // What didn't change is not sent again; what did is one change.
    wait_for("a 304", || (server.asked_again("\"1\"") > 0).then_some(()));
    assert_eq!(palisade.get_from("198.51.100.1", "/").status, 403);
    server.say(Says::List("\"2\"", "198.51.100.2\n198.51.100.3\n"));
    wait_for_status(&palisade, "198.51.100.3", 403);
    assert_eq!(palisade.get_from("198.51.100.2", "/").status, 403);
    assert_eq!(palisade.get_from("198.51.100.1", "/").status, 200);
    assert_eq!(palisade.get_from("2001:db8::77", "/").status, 200);
    let entries = "palisade_list_entries{list=\"drop\",purpose=\"block\"}";
    wait_for("the metric", || {
        (palisade.metric(entries) == 2.0).then_some(())
    });

    // A list that is gone from the settings takes what it said along.
    change_settings(&palisade, |file| file.replace(&lists, ""));
    assert_eq!(palisade.get_from("198.51.100.2", "/").status, 200);
    assert!(palisade.status()["lists"].as_array().unwrap().is_empty());
    assert!(palisade.decisions(&["list"]).contains("no decisions"));
}

#[test]
fn whatever_a_server_does_the_last_good_copy_stays_and_it_recovers_by_itself() {
    let page = "<!DOCTYPE html>\n<html>\n<body>Please sign in</body>\n</html>\n";
    let itself = ListServer::start(Says::Status(500, ""));
    itself.say(Says::Redirect(itself.url()));
    let cases = [
        (Says::Status(500, "oops"), "status 500"),
        (Says::Status(404, ""), "status 404"),
        (Says::Status(200, page), "can't be read"),
        (Says::Status(200, ""), "no entries"),
        (Says::Status(200, "0.0.0.0/0\n::/0\n"), "wider than /8"),
        (Says::Cut, "broke off"),
        (Says::Drip, "not complete after"),
        (Says::Endless, "longer than the limit"),
        (Says::Redirect(itself.url()), "redirects more than 5 times"),
    ];
    let good = "198.51.100.1\n198.51.100.2\n";
    let backend = Backend::start();
    let servers: Vec<_> = cases
        .iter()
        .map(|_| ListServer::start(Says::List("\"1\"", good)))
        .collect();
    let lists = servers.iter().enumerate().map(|(n, server)| {
        let url = server.url();
        format!("  l{n}: {{ url: \"{url}?key=hunter2\", refresh: 1s, timeout: 500ms, size_max: 64KiB }}\n")
    });
    let lists = format!("block_lists:\n{}", lists.collect::<String>());
    let palisade = Palisade::start(&settings(&backend, &lists));
    let entries = |n: usize| {
        list(&palisade, &format!("l{n}"))["entries"]
            .as_u64()
            .unwrap()
    };
    wait_for("the lists", || {
        (0..cases.len()).all(|n| entries(n) == 2).then_some(())
    });
    // Nobody who isn't named notices anything.
    let innocent = Load::on(palisade.address()).of_client("198.51.100.250");
    let load = innocent.keep_alive(1).new_connections(1).start();
    for ((says, _), server) in cases.iter().zip(&servers) {
        server.say(says.clone());
    }
    for (n, (says, told)) in cases.iter().enumerate() {
        wait_for(&format!("{says:?} to be told as {told}"), || {
            let error = list(&palisade, &format!("l{n}"))["last_error"]["message"].clone();
            error
                .as_str()
                .unwrap_or_default()
                .contains(told)
                .then_some(())
        });
        assert_eq!(entries(n), 2, "{says:?}");
    }
    assert_eq!(palisade.get_from("198.51.100.1", "/").status, 403);
    assert_eq!(palisade.get_from("198.51.100.99", "/").status, 200);
    let failures = "palisade_list_failures_total{list=\"l0\",purpose=\"block\"}";
    wait_for("the metric", || {
        (palisade.metric(failures) > 0.0).then_some(())
    });
    for server in &servers {
        server.say(Says::List("\"2\"", "198.51.100.3\n"));
    }
    wait_for_status(&palisade, "198.51.100.3", 403);
    wait_for_status(&palisade, "198.51.100.1", 200);
    assert_eq!(list(&palisade, "l0")["consecutive_failures"], 0);
    load.finish_after(10).assert_flawless();
    let told = palisade.stderr().join("\n");
    assert!(!told.contains("hunter2") && !palisade.status().to_string().contains("hunter2"));
}

#[test]
fn a_restart_while_the_server_is_away_keeps_the_copy() {
    let (server, backend) = (
        ListServer::start(Says::List("\"1\"", "198.51.100.1\n")),
        Backend::start(),
    );
    let lists = format!(
        "block_lists: {{ drop: {{ url: \"{}\", refresh: 1s }} }}",
        server.url()
    );
    let directory = tempfile::tempdir().unwrap();
    let state = tempfile::tempdir().unwrap();
    let settings = settings(&backend, &lists).replace(
        "state_directory: .",
        &format!("state_directory: {}", state.path().display()),
    );
    let mut palisade = Palisade::start_in(directory, &settings);
    wait_for_status(&palisade, "198.51.100.1", 403);
    server.say(Says::Status(503, "away"));
    palisade.signal("TERM");
    palisade.wait();
    let palisade = Palisade::start(&settings);
    assert_eq!(
        palisade.get_from("198.51.100.1", "/").status,
        403,
        "from the first request on"
    );
    let explained = Palisade::execute(&[
        "explain",
        "--config",
        palisade.settings().to_str().unwrap(),
        "--client",
        "198.51.100.1",
        "http://test.example/",
    ]);
    let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
    // Explanations know no PROXY header: the client is the peer.
    assert!(explained.contains("lists:drop"), "{explained}");
    wait_for_failure(&palisade, "drop");
    assert_eq!(palisade.get_from("198.51.100.1", "/").status, 403);
    server.say(Says::List("\"2\"", "198.51.100.2\n"));
    wait_for_status(&palisade, "198.51.100.2", 403);
    drop(palisade);

    // A copy that is not as it was written is put aside.
    let copy = state.path().join("lists/block-drop.list");
    let mut bytes = std::fs::read(&copy).unwrap();
    let last = bytes.len() - 2;
    bytes[last] ^= 1;
    std::fs::write(&copy, bytes).unwrap();
    server.say(Says::Status(503, "away"));
    let palisade = Palisade::start(&settings);
    assert_eq!(palisade.get_from("198.51.100.2", "/").status, 200);
    let told = palisade.stderr().join("\n");
    assert!(told.contains("not as it was written"), "{told}");
    assert!(state.path().join("lists/block-drop.list.rejected").exists());
}

#[test]
fn files_are_read_in_every_format_and_again_when_they_change() {
    let backend = Backend::start();
    let directory = tempfile::tempdir().unwrap();
    for (name, list) in [
        ("a.txt", "198.51.100.1 # one\n"),
        ("b.ipset", "create bad hash:ip\nadd bad 198.51.100.2\n"),
        ("c.csv", "when,\"dst_ip\"\n\"a, b\",198.51.100.3\n"),
        ("d.json", "[{\"ip\":\"198.51.100.4\"}]"),
        ("e.jsonl", "{\"cidr\":\"198.51.100.5/32\"}\n"),
    ] {
        std::fs::write(directory.path().join(name), list).unwrap();
    }
    let lists = "
block_lists:
  a: { file: a.txt }
  b: { file: b.ipset, format: ipset }
  c: { file: c.csv, format: csv, column: dst_ip }
  d: { file: d.json, format: json, key: ip }
  e: { file: e.jsonl, format: json_lines, key: cidr, expires: 1h }
";
    let palisade = Palisade::start_in(directory, &settings(&backend, lists));
    for last in 1..=5 {
        let client = format!("198.51.100.{last}");
        assert_eq!(
            palisade.get_from(&client, "/").status,
            403,
            "{client}, at once"
        );
    }
    let file = palisade.directory().join("a.txt");
    std::fs::write(&file, "198.51.100.77\n").unwrap();
    wait_for_status(&palisade, "198.51.100.77", 403);
    assert_eq!(palisade.get_from("198.51.100.1", "/").status, 200);
    // A file that is gone takes nothing along.
    std::fs::remove_file(&file).unwrap();
    wait_for_failure(&palisade, "a");
    assert_eq!(palisade.get_from("198.51.100.77", "/").status, 403);
    std::fs::write(&file, "198.51.100.78\n").unwrap();
    wait_for_status(&palisade, "198.51.100.78", 403);
    wait_for("the line", || {
        let told = palisade.stderr().join("\n");
        told.contains("good again").then_some(())
    });
}

#[test]
fn lists_overlap_and_an_allow_list_beats_them_but_not_the_operator() {
    let backend = Backend::start();
    let directory = tempfile::tempdir().unwrap();
    let write = |folder: &Path, name: &str, list: &str| {
        std::fs::write(folder.join(name), list).unwrap();
    };
    write(directory.path(), "a.txt", "198.51.100.0/24\n");
    write(directory.path(), "b.txt", "198.51.100.7\n198.51.100.8\n");
    write(directory.path(), "ok.txt", "198.51.100.8\n");
    let lists = "
block_lists: { a: { file: a.txt }, b: { file: b.txt } }
allow_lists: { ok: { file: ok.txt } }
access: { rules: [{ id: no-env, match: { path: /.env }, action: block }] }
";
    let palisade = Palisade::start_in(directory, &settings(&backend, lists));
    assert_eq!(palisade.get_from("198.51.100.7", "/").status, 403);
    assert_eq!(palisade.get_from("198.51.100.8", "/").status, 200);
    assert_eq!(palisade.get_from("198.51.100.8", "/.env").status, 403);
    palisade.decisions(&["add", "198.51.100.8", "--reason", "me"]);
    assert_eq!(palisade.get_from("198.51.100.8", "/").status, 403);
    palisade.decisions(&["delete", "198.51.100.8"]);

    // What one list no longer says another one may.
    write(palisade.directory(), "a.txt", "192.0.2.1\n");
    wait_for_status(&palisade, "198.51.100.9", 200);
    assert_eq!(palisade.get_from("198.51.100.7", "/").status, 403);
    write(palisade.directory(), "ok.txt", "198.51.100.7\n");
    wait_for_status(&palisade, "198.51.100.7", 200);
    assert_eq!(palisade.get_from("198.51.100.8", "/").status, 403);
    change_settings(&palisade, |file| {
        file.replace("allow_lists: { ok: { file: ok.txt } }", "")
    });
    assert_eq!(palisade.get_from("198.51.100.7", "/").status, 403);
}

#[test]
fn a_list_has_a_remedy_of_its_own() {
    let backend = Backend::start();
    // CrowdSec is away, and says nothing.
    for (fallback, status) in [("ban", 403), ("pass", 200)] {
        let directory = tempfile::tempdir().unwrap();
        let (soft, hard) = ("198.51.100.1\n198.51.100.2\n", "198.51.100.2\n");
        std::fs::write(directory.path().join("soft.txt"), soft).unwrap();
        std::fs::write(directory.path().join("hard.txt"), hard).unwrap();
        let more = format!(
            "
crowdsec: {{ lapi_url: \"http://127.0.0.1:9/\", api_key: none, fallback_remediation: {fallback} }}
block_lists:
  soft: {{ file: soft.txt, remediation: captcha }}
  hard: {{ file: hard.txt }}
"
        );
        let palisade = Palisade::start_in(directory, &settings(&backend, &more));
        let soft = palisade.get_from("198.51.100.1", "/soft");
        assert_eq!(soft.status, status, "{fallback}");
        // A ban is stronger than what would pass, or be told as something else.
        assert_eq!(palisade.get_from("198.51.100.2", "/hard").status, 403);
        let decision = palisade.wait_for_decision(|line| line["path"] == "/hard");
        assert_eq!(decision["decision"]["origin"], "lists:hard");
        assert_eq!(decision["decision"]["type"], "ban");
        if fallback == "ban" {
            let decision = palisade.wait_for_decision(|line| line["path"] == "/soft");
            assert_eq!(decision["decision"]["origin"], "lists:soft");
            assert_eq!(decision["decision"]["type"], "captcha");
        }
    }
}

#[test]
fn entries_of_a_list_that_is_not_refreshed_end_after_their_time() {
    let says = || Says::List("\"1\"", "198.51.100.1\n");
    let (ends, stays) = (ListServer::start(says()), ListServer::start(says()));
    stays.say(Says::List("\"1\"", "198.51.100.2\n"));
    let backend = Backend::start();
    let lists = format!(
        "
block_lists:
  ends: {{ url: \"{}\", refresh: 1s, expires: 4s }}
  stays: {{ url: \"{}\", refresh: 1s }}
",
        ends.url(),
        stays.url()
    );
    let palisade = Palisade::start(&settings(&backend, &lists));
    wait_for_status(&palisade, "198.51.100.1", 403);
    wait_for_status(&palisade, "198.51.100.2", 403);
    // Each good answer names them anew, be it that nothing changed: more of them than their time has.
    wait_for("good answers", || {
        let status = palisade.get_from("198.51.100.1", "/").status;
        assert_eq!(status, 403, "named within its time");
        (ends.asked_again("\"1\"") > 5).then_some(())
    });
    for server in [&ends, &stays] {
        server.say(Says::Status(503, "away"));
    }
    wait_for_failure(&palisade, "ends");
    assert_eq!(palisade.get_from("198.51.100.1", "/").status, 403);
    wait_for_status(&palisade, "198.51.100.1", 200);
    assert_eq!(palisade.get_from("198.51.100.2", "/").status, 403);
    ends.say(Says::List("\"2\"", "198.51.100.1\n"));
    wait_for_status(&palisade, "198.51.100.1", 403);
}

/// A real nginx that serves a folder; stopped when dropped.
struct Nginx {
    child: Child,
    directory: TempDir,
    port: u16,
}

impl Nginx {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let path = directory.path().display();
        let settings = format!(
            "daemon off; master_process off; error_log {path}/error.log; pid {path}/pid;
events {{}}
http {{
  log_format own '$request $status $sent_http_content_encoding';
  access_log {path}/access.log own; client_body_temp_path {path}/b; proxy_temp_path {path}/p;
  fastcgi_temp_path {path}/f; uwsgi_temp_path {path}/u; scgi_temp_path {path}/s;
  gzip on; gzip_types text/plain; gzip_min_length 1; default_type text/plain;
  server {{ listen 127.0.0.1:{port}; root {path}/www; }}
}}"
        );
        std::fs::create_dir(directory.path().join("www")).unwrap();
        std::fs::write(directory.path().join("nginx.conf"), settings).unwrap();
        let child = Command::new("nginx")
            .arg("-c")
            .arg(directory.path().join("nginx.conf"))
            .arg("-p")
            .arg(directory.path())
            .stderr(Stdio::null())
            .spawn()
            .expect("nginx runs: else run ./set-up test");
        wait_for("nginx", || TcpStream::connect(("127.0.0.1", port)).ok());
        Self {
            child,
            directory,
            port,
        }
    }

    fn serve(&self, list: &str) {
        let new = self.directory.path().join("www/new");
        std::fs::write(&new, list).unwrap();
        std::fs::rename(new, self.directory.path().join("www/list.txt")).unwrap();
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("access.log")).unwrap_or_default()
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
fn a_real_server_is_asked_only_for_what_changed_and_may_compress_it() {
    let (nginx, backend) = (Nginx::start(), Backend::start());
    nginx.serve(
        &(0..=99)
            .map(|n| format!("198.51.100.{n}\n"))
            .collect::<String>(),
    );
    let lists = format!(
        "
block_lists: {{ drop: {{ url: \"http://127.0.0.1:{}/list.txt\", refresh: 1s }} }}
access:
  lists: {{ drop: {{ url: \"http://127.0.0.1:{}/list.txt\", refresh: 1s }} }}
  rules: [{{ id: by-name, match: {{ address: $drop, path: /by-name }}, action: block, status: 410 }}]
allow_lists: {{ ok: {{ file: ok.txt }} }}
",
        nginx.port, nginx.port
    );
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ok.txt"), "198.51.100.50\n").unwrap();
    let palisade = Palisade::start_in(directory, &settings(&backend, &lists));
    wait_for_status(&palisade, "198.51.100.99", 403);
    wait_for("the list by its name", || {
        (palisade.get_from("198.51.100.50", "/by-name").status == 410).then_some(())
    });
    assert_eq!(palisade.get_from("198.51.100.50", "/").status, 200);
    wait_for("a 304", || nginx.log().contains(" 304 ").then_some(()));
    assert!(nginx.log().contains(" 200 gzip\n"), "{}", nginx.log());
    nginx.serve("203.0.113.9\n");
    wait_for_status(&palisade, "203.0.113.9", 403);
    wait_for_status(&palisade, "198.51.100.99", 200);
    wait_for("the list by its name", || {
        (palisade.get_from("198.51.100.50", "/by-name").status == 200).then_some(())
    });
}

#[test]
fn a_copy_that_the_disk_refuses_is_saved_once_it_takes_it() {
    let server = ListServer::start(Says::List("\"1\"", "198.51.100.1\n"));
    let backend = Backend::start();
    let lists = format!(
        "block_lists: {{ drop: {{ url: \"{}\", refresh: 1s }} }}",
        server.url()
    );
    let palisade = Palisade::start(&settings(&backend, &lists));
    wait_for_status(&palisade, "198.51.100.1", 403);
    let folder = palisade.directory().join("lists");
    let aside = palisade.directory().join("aside");
    std::fs::rename(&folder, &aside).unwrap();
    std::fs::write(&folder, "no folder").unwrap();
    server.say(Says::List("\"2\"", "198.51.100.2\n"));
    wait_for_status(&palisade, "198.51.100.2", 403);
    let not_saved = "palisade_list_not_saved{list=\"drop\",purpose=\"block\"}";
    wait_for("the metric", || {
        (palisade.metric(not_saved) > 0.5).then_some(())
    });
    assert_eq!(list(&palisade, "drop")["saved"], false);

    std::fs::remove_file(&folder).unwrap();
    std::fs::rename(&aside, &folder).unwrap();
    wait_for("the copy to be saved", || {
        (list(&palisade, "drop")["saved"] == true).then_some(())
    });
    let saved = std::fs::read_to_string(folder.join("block-drop.list")).unwrap();
    assert!(saved.ends_with("198.51.100.2\n"), "{saved}");
    wait_for("a 304", || (server.asked_again("\"2\"") > 0).then_some(()));
}
