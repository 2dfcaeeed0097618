//! What systemd is told and what it opens (sd_notify(3), sd_listen_fds(3)).

use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::harness::{Backend, Connection, Palisade, wait_for};

const REQUEST: &str = "GET / HTTP/1.1\r\nHost: test.example\r\n\r\n";

/// Hears what a service says, as systemd does.
struct Systemd {
    socket: UnixDatagram,
    _folder: TempDir,
    path: std::path::PathBuf,
}

impl Systemd {
    fn listen() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .unwrap();
        Self {
            socket,
            _folder: folder,
            path,
        }
    }

    fn service(&self) -> Command {
        let mut command = Palisade::command();
        command.env("NOTIFY_SOCKET", &self.path);
        command
    }

    /// The next message, but for those of the watchdog.
    fn told(&self) -> String {
        loop {
            let message = self.next();
            if message != "WATCHDOG=1" {
                return message;
            }
        }
    }

    fn next(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).expect("a message");
        String::from_utf8_lossy(&bytes[..length]).trim().to_owned()
    }
}

fn settings(backend: &Backend) -> String {
    format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    )
}

#[test]
fn systemd_is_told_of_each_change() {
    let (systemd, backend) = (Systemd::listen(), Backend::start());
    let directory = tempfile::tempdir().unwrap();
    let mut palisade = Palisade::start_as(systemd.service(), directory, &settings(&backend));
    let ready =
        |generation: u64| format!("READY=1\nSTATUS=serving, settings generation {generation}");
    assert_eq!(systemd.told(), ready(1));

    for (settings, generation) in [(settings(&backend), 2), ("nonsense".to_owned(), 2)] {
        let metrics = "metrics: { address: 127.0.0.1:0 }\n";
        std::fs::write(palisade.settings(), format!("{settings}{metrics}")).unwrap();
        palisade.signal("HUP");
        let reloading = systemd.told();
        let time = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=");
        let time: u64 = time.expect(&reloading).parse().unwrap();
        assert!(time > 0);
        let done = systemd.told();
        // The files may have been looked at before the signal came.
        assert!(done == ready(generation) || done == ready(3), "{done}");
    }

    palisade.signal("TERM");
    assert_eq!(
        systemd.told(),
        "STOPPING=1\nSTATUS=draining: no new connections"
    );
    assert_eq!(palisade.wait(), Some(0));
}

#[test]
fn the_watchdog_is_told_as_long_as_the_process_runs() {
    let (systemd, backend) = (Systemd::listen(), Backend::start());
    let mut service = systemd.service();
    service.env("WATCHDOG_USEC", "200000");
    let directory = tempfile::tempdir().unwrap();
    let palisade = Palisade::start_as(service, directory, &settings(&backend));
    for _ in 0..5 {
        while systemd.next() != "WATCHDOG=1" {}
    }
    // It stands still, and says nothing any more but what is on its way.
    palisade.signal("STOP");
    let patience = Duration::from_millis(1500);
    systemd.socket.set_read_timeout(Some(patience)).unwrap();
    let mut bytes = [0; 4096];
    while systemd.socket.recv(&mut bytes).is_ok() {}
    palisade.signal("CONT");
    systemd
        .socket
        .set_read_timeout(Some(Duration::from_secs(30)))
        .unwrap();
    assert_eq!(systemd.next(), "WATCHDOG=1");
}

#[test]
fn an_upgrade_names_the_new_main_process_before_it_speaks() {
    let (systemd, backend) = (Systemd::listen(), Backend::start());
    let mut service = systemd.service();
    service.env("WATCHDOG_USEC", "500000");
    let directory = tempfile::tempdir().unwrap();
    let mut palisade = Palisade::start_as(service, directory, &settings(&backend));
    assert!(systemd.told().starts_with("READY=1"));
    palisade.signal("QUIT");
    let main = systemd.told();
    let pid = main.strip_prefix("MAINPID=").expect(&main);
    let pid: u32 = pid.parse().unwrap();
    assert_ne!(pid, palisade.pid());
    assert!(systemd.told().starts_with("READY=1"), "of the new one");
    assert_eq!(palisade.wait(), Some(0), "the old one said nothing more");
    while systemd.next() != "WATCHDOG=1" {}
    let term = Command::new("kill")
        .args(["-TERM", &pid.to_string()])
        .status();
    assert!(term.unwrap().success());
    assert!(systemd.told().starts_with("STOPPING=1"));
}

/// A service whose sockets systemd opened; killed when dropped.
struct Activated(Child);

impl Drop for Activated {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An address that was free a moment ago.
fn free_address() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap()
}

fn activate(settings: &Path, sockets: &[String], log: &Path) -> Activated {
    let mut command = Command::new("systemd-socket-activate");
    for socket in sockets {
        command.args(["-l", socket]);
    }
    let log = std::fs::File::create(log).unwrap();
    let child = command
        .arg(env!("CARGO_BIN_EXE_palisade"))
        .args(["run", "--threads", "1", "--config"])
        .arg(settings)
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("systemd-socket-activate is there: run ./set-up test");
    Activated(child)
}

#[test]
fn sockets_that_systemd_opened_are_used() {
    let backend = Backend::start();
    let directory = tempfile::tempdir().unwrap();
    let [listener, metrics, unused] = [0; 3].map(|_| free_address());
    let admin = directory.path().join("admin.sock");
    let file = directory.path().join("palisade.yaml");
    let settings = format!(
        "
listeners: [{{ address: \"{listener}\" }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
metrics: {{ address: \"{metrics}\" }}
admin: {{ socket: admin.sock }}
"
    );
    std::fs::write(&file, settings).unwrap();
    let log = directory.path().join("stderr");
    let sockets = [
        listener.to_string(),
        metrics.to_string(),
        unused.to_string(),
    ];
    let path = admin.to_str().unwrap().to_owned();
    let _service = activate(&file, &[&sockets[..], &[path]].concat(), &log);
    // A file that takes another's place may have its inode; another mode makes it no other.
    let file_of = |path: &Path| {
        let file = std::fs::metadata(path).ok()?;
        Some((file.ino(), file.mtime(), file.mtime_nsec()))
    };
    let opened = wait_for("systemd's admin socket", || file_of(&admin));
    // Who connects first starts it.
    let answer = wait_for("systemd's socket", || {
        let mut connection = std::net::TcpStream::connect(listener).ok()?;
        std::io::Write::write_all(&mut connection, REQUEST.as_bytes()).ok()?;
        let mut answer = [0; 12];
        std::io::Read::read_exact(&mut connection, &mut answer).ok()?;
        Some(answer)
    });
    assert_eq!(&answer, b"HTTP/1.1 200");
    let ready = Connection::open(metrics)
        .send("GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n")
        .answer();
    assert_eq!(ready.expect("an answer").status, 200);
    let said = std::fs::read_to_string(&log).unwrap();
    let told = format!("address={unused}");
    let line = said.lines().find(|line| line.contains(&told));
    assert!(
        line.expect(&said).contains("systemd opened a socket that"),
        "{said}"
    );
    let listed = Palisade::execute(&["decisions", "--socket", admin.to_str().unwrap(), "list"]);
    assert!(listed.status.success(), "{listed:?}");
    assert_eq!(file_of(&admin), Some(opened), "the socket that was there");
    // Whatever mode systemd gave it.
    let mode = std::fs::metadata(&admin).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}
