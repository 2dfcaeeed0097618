//! SIGQUIT: another process takes this one's place, and no client notices.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::harness::{
    Authority, Backend, Dynasty, Lapi, Load, Manner, Palisade, ScriptedLapi, TlsClient, has_ended,
    wait_for,
};

/// Asks `/readyz` again and again; says how often it said yes, and what it said instead.
struct Readiness {
    stop: Arc<AtomicBool>,
    asking: JoinHandle<(usize, Vec<u16>)>,
}

impl Readiness {
    fn watch(palisade: &Palisade) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (is_over, door) = (Arc::clone(&stop), palisade.metrics_address());
        let asking = std::thread::spawn(move || {
            let (mut yes, mut no) = (0, Vec::new());
            while !is_over.load(Ordering::Relaxed) {
                let request = "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
                let answer = crate::harness::Connection::open(door)
                    .send(request)
                    .answer();
                match answer.map_or(0, |answer| answer.status) {
                    200 => yes += 1,
                    other => no.push(other),
                }
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            (yes, no)
        });
        Self { stop, asking }
    }

    fn finish(self) -> (usize, Vec<u16>) {
        self.stop.store(true, Ordering::Relaxed);
        self.asking.join().unwrap()
    }
}

#[test]
fn no_request_fails_across_two_upgrades() {
    let backend = Backend::start();
    let authority = Authority::new();
    let directory = tempfile::tempdir().unwrap();
    authority
        .certify(&["test.example"])
        .save(directory.path(), "test");
    let first = Palisade::start_in(
        directory,
        &format!(
            "
state_directory: .
shutdown: {{ drain_time: 10s }}
listeners:
  - address: 127.0.0.1:0
  - address: 127.0.0.1:0
    tls: {{ certificates: [{{ certificate: test.crt, private_key: test.key }}] }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
        ),
    );
    let mut dynasty = Dynasty::of(first);
    let readiness = Readiness::watch(&dynasty.first);
    let [plain, tls] = [0, 1].map(|number| dynasty.first.listeners()[number]);
    let client = |alpn: &str| Arc::new(TlsClient::new(&authority, &[alpn]));
    let loads = [
        Load::on(plain).keep_alive(2).new_connections(2).http2(1),
        Load::on(tls)
            .keep_alive(1)
            .new_connections(1)
            .tls(client("http/1.1"), "test.example"),
        Load::on(tls).http2(1).tls(client("h2"), "test.example"),
    ]
    .map(|load| load.start());
    let go_on = || loads.iter().for_each(|load| load.wait_for_more(40));
    go_on();
    for _ in 0..2 {
        dynasty.upgrade();
        go_on();
    }
    let reports = loads.map(Load::finish);
    let (yes, no) = readiness.finish();
    dynasty.stop();
    let mut answers = 0;
    for report in &reports {
        report.assert_flawless();
        assert_eq!((report.unanswered, report.sent_again), (0, 0), "{report:?}");
        answers += report.answers();
    }
    assert!(yes > 10, "{yes}");
    assert_eq!(no, [0_u16; 0], "/readyz never said no");
    let log = dynasty.first.access_log();
    assert_eq!(log.len(), answers, "every request is in the log, once");
    let [a, b, c] = dynasty.pids() else {
        panic!("{:?}", dynasty.pids())
    };
    assert!(a != b && b != c && a != c);
}

#[test]
fn decisions_go_along() {
    let lapi = Lapi::shared();
    let (backend, key) = (Backend::start(), lapi.key());
    let url = lapi.url();
    let first = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: [127.0.0.0/8] }} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
admin: {{ socket: admin.sock }}
crowdsec: {{ lapi_url: \"{url}\", api_key: {key}, update_interval: 1s, on_failure: {{ policy: closed, after: 10m }} }}
"
    ));
    let mut dynasty = Dynasty::of(first);
    let status = |client: &str| dynasty.first.get_from(client, "/").status;
    let banned = lapi.ban("198.18.71.1", "4h");
    wait_for("the ban", || (status("198.18.71.1") == 403).then_some(()));
    dynasty.first.decisions(&["add", "198.18.71.2"]);
    assert_eq!(status("198.18.71.2"), 403);

    dynasty.upgrade();
    let status = |client: &str| dynasty.first.get_from(client, "/").status;
    assert_eq!(status("198.18.71.1"), 403, "LAPI's");
    assert_eq!(
        status("198.18.71.2"),
        403,
        "the operator's, that nobody saved"
    );
    assert_eq!(status("198.18.71.3"), 200);
    let before = lapi.ban("198.18.71.3", "4h");
    wait_for("a new ban", || (status("198.18.71.3") == 403).then_some(()));
    for decision in [&banned, &before] {
        lapi.delete(decision);
    }
    for client in ["198.18.71.1", "198.18.71.3"] {
        wait_for("its end", || (status(client) == 200).then_some(()));
    }
    // The socket is the new process's, and so is its file.
    let listed = dynasty.first.decisions(&["list", "--local"]);
    assert!(listed.contains("198.18.71.2"), "{listed}");
    dynasty.first.decisions(&["delete", "198.18.71.2"]);
    assert_eq!(status("198.18.71.2"), 200);
    dynasty.stop();
    let socket = dynasty.first.directory().join("admin.sock");
    assert!(!socket.exists(), "the last one removes it");
}

#[test]
fn decisions_go_along_while_lapi_is_away() {
    let (lapi, backend) = (ScriptedLapi::start(), Backend::start());
    let asking = lapi.asking();
    // Nothing is saved, and LAPI says nothing to the new process.
    let first = Palisade::start(&format!(
        "
listeners: [{{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: [127.0.0.0/8] }} }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
crowdsec: {{ {asking} }}
"
    ));
    lapi.ban("198.18.74.1", "4h");
    let mut dynasty = Dynasty::of(first);
    let status = |dynasty: &Dynasty| dynasty.first.get_from("198.18.74.1", "/").status;
    wait_for("the ban", || (status(&dynasty) == 403).then_some(()));
    lapi.set(Manner::Resets);
    dynasty.upgrade();
    assert_eq!(status(&dynasty), 403);
    dynasty.stop();
}

/// A LAPI without decisions, which never answers those who have the key `new`.
fn lapi_of_two_keys() -> Backend {
    Backend::with(|request, tcp| {
        if request.header("x-api-key") == Some("new") {
            // Until whoever asks goes away.
            let _ = tcp.read(&mut [0]);
            return false;
        }
        let body = "{\"new\":null,\"deleted\":null}";
        let length = body.len();
        write!(
            tcp,
            "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .is_ok()
    })
}

#[test]
fn meanwhile_one_process_asks_lapi_and_nobody_changes_decisions() {
    let (lapi, backend) = (lapi_of_two_keys(), Backend::start());
    let (_folder, binary) = own_binary();
    let settings = |key: &str| {
        format!(
            "
sandbox: false
shutdown: {{ upgrade_time: 6s }}
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
crowdsec: {{ lapi_url: \"http://{lapi}/\", api_key: {key}, update_interval: 1s, on_failure: {{ policy: closed, after: 10m }} }}
admin: {{ socket: admin.sock }}
"
        )
    };
    let asked_by = |key: &str| {
        let requests = lapi.requests();
        let by = requests
            .iter()
            .filter(|request| request.header("x-api-key") == Some(key));
        by.count()
    };
    let directory = tempfile::tempdir().unwrap();
    let first = Palisade::start_as(Command::new(&binary), directory, &settings("old"));
    wait_for("a poll", || (asked_by("old") > 1).then_some(()));
    // The new process is given everything, and waits for LAPI's first answer to it.
    let good = binary.with_extension("good");
    std::fs::rename(&binary, &good).unwrap();
    let file = first.directory().join("new.yaml");
    std::fs::write(&file, settings("new")).unwrap();
    let run = format!("exec {} run --config {}", good.display(), file.display());
    replace_by_script(&binary, &run);
    let dynasty = Dynasty::of(first);
    dynasty.signal("QUIT");
    wait_for("the new one to ask", || (asked_by("new") > 0).then_some(()));

    let (asked, begun) = (asked_by("old"), Instant::now());
    let config = dynasty.first.settings();
    let add = ["decisions", "--config", config.to_str().unwrap(), "add"];
    let output = Palisade::execute(&[&add[..], &["198.18.75.1"]].concat());
    assert!(!output.status.success(), "{output:?}");
    wait_for("two intervals of the old one", || {
        (begun.elapsed() > Duration::from_millis(2_500)).then_some(())
    });
    assert_eq!(asked_by("old"), asked);

    dynasty.wait_for("it failed, this process goes on", 1);
    wait_for("the old one to ask again", || {
        (asked_by("old") > asked).then_some(())
    });
    dynasty.first.decisions(&["add", "198.18.75.1"]);
}

/// A binary in a folder of its own, for others to be put in its place.
fn own_binary() -> (TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("palisade");
    std::fs::copy(env!("CARGO_BIN_EXE_palisade"), &binary).unwrap();
    (folder, binary)
}

/// Puts a shell script at the path of a running binary.
fn replace_by_script(binary: &Path, script: &str) {
    let new = binary.with_extension("new");
    std::fs::write(&new, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&new, PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::rename(new, binary).unwrap();
}

/// A gate with a LAPI whose binary can be replaced.
struct Replaceable {
    dynasty: Dynasty,
    lapi: Arc<Lapi>,
    settings: String,
    binary: std::path::PathBuf,
    /// Where the binary is that works.
    good: std::path::PathBuf,
    failures: usize,
    _folder: TempDir,
    _backend: Backend,
}

impl Replaceable {
    fn start() -> Self {
        let (lapi, backend) = (Lapi::shared(), Backend::start());
        let (folder, binary) = own_binary();
        let (url, key) = (lapi.url(), lapi.key());
        // Without the sandbox, which would not start a shell.
        let settings = format!(
            "
sandbox: false
shutdown: {{ upgrade_time: 5s }}
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
crowdsec: {{ lapi_url: \"{url}\", api_key: {key}, update_interval: 1s }}
admin: {{ socket: admin.sock }}
"
        );
        let directory = tempfile::tempdir().unwrap();
        let first = Palisade::start_as(Command::new(&binary), directory, &settings);
        let good = binary.with_extension("good");
        std::fs::rename(&binary, &good).unwrap();
        Self {
            dynasty: Dynasty::of(first),
            lapi,
            settings,
            binary,
            good,
            failures: 0,
            _folder: folder,
            _backend: backend,
        }
    }

    fn load(&self) -> Load {
        let load = Load::on(self.dynasty.first.address());
        load.keep_alive(1).new_connections(1).start()
    }

    /// Tries to upgrade to this shell script, which has to fail and to be told of like this.
    #[track_caller]
    fn fail(&mut self, script: &str, told: &str) {
        replace_by_script(&self.binary, script);
        self.fail_as_it_is(told);
    }

    #[track_caller]
    fn fail_as_it_is(&mut self, told: &str) {
        self.dynasty.signal("QUIT");
        self.failures += 1;
        let failed = "it failed, this process goes on";
        self.dynasty.wait_for(failed, self.failures);
        let said = self.dynasty.first.stderr();
        let is_told = |line: &String| line.contains(failed) && line.contains(told);
        assert!(said.iter().any(is_told), "{told}: {said:#?}");
        let mut begun = said
            .iter()
            .filter_map(|line| line.split("is to take this one's place\" pid=").nth(1));
        let pid = begun.next_back().and_then(|rest| rest.split(' ').next());
        let process = format!("/proc/{}", pid.expect("one was begun"));
        assert!(!Path::new(&process).exists(), "{process} is ended");
        let metric = self.dynasty.first.metric("palisade_upgrade_failures_total");
        assert_eq!(metric.to_string(), self.failures.to_string());
    }

    /// Decisions can be changed, LAPI is asked, and a binary that works takes over.
    #[track_caller]
    fn assert_sound(&mut self) {
        let first = &self.dynasty.first;
        first.decisions(&["add", "198.18.72.1"]);
        let banned = self.lapi.ban("198.18.72.2", "4h");
        wait_for("LAPI to be asked again", || {
            let listed = first.decisions(&["list", "--address", "198.18.72.2"]);
            listed.contains("198.18.72.2").then_some(())
        });
        self.lapi.delete(&banned);
        std::fs::rename(&self.good, &self.binary).unwrap();
        self.dynasty.upgrade();
        self.dynasty.first.decisions(&["delete", "198.18.72.1"]);
    }
}

#[test]
fn a_new_process_that_is_none_changes_nothing() {
    let mut gate = Replaceable::start();
    let load = gate.load();
    gate.fail("exit 3", "it ended: exit status: 3");
    gate.fail("exec sleep 60", "it did not serve within 5s");
    gate.fail("echo nonsense >&0; exec sleep 60", "can't be understood");
    std::fs::remove_file(&gate.binary).unwrap();
    gate.fail_as_it_is("can't start");
    load.wait_for_more(10);
    gate.assert_sound();
    load.finish().assert_flawless();
}

#[test]
fn a_new_process_that_refuses_its_settings_changes_nothing() {
    let mut gate = Replaceable::start();
    let load = gate.load();
    let run = format!("exec {} run --config", gate.good.display());
    gate.fail(&format!("{run} /no/such.yaml"), "it ended: exit status: 1");
    // It had everything already when it failed: the old one had stopped asking LAPI.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let elsewhere = gate.settings.replace("127.0.0.1:0", &address);
    let file = gate.dynasty.first.directory().join("elsewhere.yaml");
    std::fs::write(&file, elsewhere).unwrap();
    gate.fail(
        &format!("{run} {}", file.display()),
        "it ended: exit status: 1",
    );
    load.wait_for_more(10);
    gate.assert_sound();
    load.finish().assert_flawless();
}

#[test]
fn one_upgrade_at_a_time_and_a_stop_ends_it() {
    let backend = Backend::start();
    let (_folder, binary) = own_binary();
    let settings = format!(
        "
sandbox: false
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    );
    let directory = tempfile::tempdir().unwrap();
    let mut palisade = Palisade::start_as(Command::new(&binary), directory, &settings);
    replace_by_script(&binary, "exec sleep 60");
    let said = |palisade: &Palisade, what: &str| {
        let said = palisade.stderr();
        said.iter().find(|line| line.contains(what)).cloned()
    };
    palisade.signal("QUIT");
    let begun = wait_for("the first", || {
        said(&palisade, "is to take this one's place")
    });
    palisade.signal("QUIT");
    wait_for("the second", || said(&palisade, "one is under way"));
    assert_eq!(palisade.get("/").status, 200);
    palisade.signal("TERM");
    assert_eq!(palisade.wait(), Some(0));
    let pid = begun.split("pid=").nth(1).unwrap();
    let pid = pid.split(' ').next().unwrap().parse().unwrap();
    wait_for("the child to be gone", || has_ended(pid).then_some(()));
}

fn layers(dynasty: &Dynasty) -> [f64; 3] {
    ["landlock", "seccomp", "no_core_dumps"].map(|layer| {
        let name = format!("palisade_confinement{{layer=\"{layer}\"}}");
        dynasty.first.metric(&name)
    })
}

fn confined(backend: &Backend) -> String {
    format!(
        "
state_directory: .
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    )
}

#[test]
fn however_many_upgrades_the_confinement_holds() {
    let backend = Backend::start();
    let mut dynasty = Dynasty::of(Palisade::start(&confined(&backend)));
    // The kernel takes sixteen layers of Landlock, and a process inherits them all.
    for _ in 0..17 {
        dynasty.upgrade();
    }
    assert_eq!(layers(&dynasty), [1.0; 3]);
    assert_eq!(dynasty.count("not confined by"), 0);
    // As many filters of system calls as the first process had.
    let filters = |pid: u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = status
            .lines()
            .find(|line| line.starts_with("Seccomp_filters:"));
        line.unwrap().to_owned()
    };
    let backend = Backend::start();
    let fresh = Palisade::start(&confined(&backend));
    assert_eq!(filters(dynasty.pid()), filters(fresh.pid()));
    assert_eq!(dynasty.first.get("/").status, 200);
    dynasty.stop();
}

#[test]
fn an_upgrade_to_settings_that_want_to_write_elsewhere_is_refused_and_says_why() {
    let backend = Backend::start();
    let mut dynasty = Dynasty::of(Palisade::start(&confined(&backend)));
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().canonicalize().unwrap();
    let folder = folder.to_str().unwrap();
    let file = dynasty.first.settings();
    let before = std::fs::read_to_string(&file).unwrap();
    let failed = "it failed, this process goes on";
    for (number, sandbox) in [(1, "true"), (2, "false")] {
        let moved = before.replace("state_directory: .", &format!("state_directory: {folder}"));
        std::fs::write(&file, format!("{moved}sandbox: {sandbox}\n")).unwrap();
        dynasty.signal("QUIT");
        dynasty.wait_for(failed, number);
        let said = dynasty.first.stderr();
        let told = said.iter().rfind(|line| line.contains(failed)).unwrap();
        assert!(
            told.contains(folder) && told.contains("restart it"),
            "{told}"
        );
        assert_eq!(dynasty.first.get("/").status, 200);
    }
    let failures = dynasty.first.metric("palisade_upgrade_failures_total");
    assert_eq!(failures.to_string(), "2");

    // `sandbox: false` alone gives nothing back, which is said.
    std::fs::write(&file, format!("{before}sandbox: false\n")).unwrap();
    dynasty.upgrade();
    assert_eq!(layers(&dynasty), [1.0, 1.0, 0.0]);
    assert_eq!(dynasty.count("`sandbox: false` takes a restart"), 1);
    dynasty.stop();
}

#[test]
fn the_new_settings_say_which_sockets_there_are() {
    let backend = Backend::start();
    let settings = |listeners: &str| {
        format!(
            "
listeners: [{listeners}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
        )
    };
    let address = |host: &str| format!("{{ address: {host}:0 }}");
    let both = format!("{}, {}", address("127.0.0.1"), address("127.0.0.2"));
    let mut dynasty = Dynasty::of(Palisade::start(&settings(&both)));
    let [kept, gone] = [0, 1].map(|number| dynasty.first.listeners()[number]);
    let new = format!("{}, {}", address("127.0.0.1"), address("127.0.0.3"));
    let file = dynasty.first.settings();
    let metrics = "metrics: { address: 127.0.0.1:0 }\n";
    std::fs::write(&file, settings(&new) + metrics).unwrap();
    dynasty.upgrade();
    let get = |address| {
        let request = "GET / HTTP/1.1\r\nHost: test.example\r\n\r\n";
        let answer = crate::harness::Connection::open(address)
            .send(request)
            .answer();
        answer.expect("an answer").status
    };
    assert_eq!(get(kept), 200);
    let opened = wait_for("the new listener", || {
        let said = dynasty.first.stderr();
        let line = said
            .iter()
            .find(|line| line.contains("address=127.0.0.3:"))?;
        let address = line.split("address=").nth(1)?.split(' ').next()?;
        address.parse::<std::net::SocketAddr>().ok()
    });
    assert_eq!(get(opened), 200);
    wait_for("the other to be closed", || {
        std::net::TcpStream::connect(gone).is_err().then_some(())
    });
}
