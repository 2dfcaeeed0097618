//! A real CrowdSec LAPI: Debian's package, alone, on loopback, in a folder of its own.
//!
//! It never touches the system's CrowdSec: own settings, own database, no Central API, no agent.

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tempfile::TempDir;

use super::{Connection, wait_for};

/// Nothing else in these tests listens there, so that the port stays free while LAPI is down.
const ADDRESS: &str = "127.1.1.1";

/// The index of the hub that the package brings; LAPI wants one, and `{}` will do.
const PACKAGED_INDEX: &str = "/usr/share/crowdsec/hub/.index.json";

/// How much of its log is shown when a test fails.
const LOG_LINES: usize = 30;

/// A LAPI with its database; stopped when dropped.
pub(crate) struct Lapi {
    directory: TempDir,
    address: SocketAddr,
    tls: Option<LapiTls>,
    child: Mutex<Option<Child>>,
    bouncers: AtomicUsize,
    decisions: AtomicUsize,
}

/// A decision that was added by hand.
pub(crate) struct Decision {
    pub(crate) id: u64,
    pub(crate) scenario: String,
}

/// The files of a LAPI that speaks TLS and knows bouncers by their certificates.
#[derive(Clone)]
pub(crate) struct LapiTls {
    pub(crate) certificate: String,
    pub(crate) private_key: String,
    /// Who signs the bouncers' certificates.
    pub(crate) bouncers_ca: String,
    /// The organisational unit that those must have.
    pub(crate) bouncers_unit: String,
}

impl Lapi {
    /// The one that tests share which bother nobody else: each with addresses of its own, and
    /// without stopping it. It ends with the last test that uses it.
    pub(crate) fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Lapi>> = Mutex::new(Weak::new());
        let mut shared = SHARED
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner());
        if let Some(lapi) = shared.upgrade() {
            return lapi;
        }
        let lapi = Arc::new(Self::start());
        *shared = Arc::downgrade(&lapi);
        lapi
    }

    /// A running one.
    pub(crate) fn start() -> Self {
        let lapi = Self::prepare(None);
        lapi.restart();
        lapi
    }

    /// A running one that speaks TLS.
    pub(crate) fn start_with_tls(tls: LapiTls) -> Self {
        let lapi = Self::prepare(Some(tls));
        lapi.restart();
        lapi
    }

    /// One that is not running yet.
    pub(crate) fn prepare(tls: Option<LapiTls>) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let free = TcpListener::bind((ADDRESS, 0)).unwrap();
        let address = free.local_addr().unwrap();
        write_settings(directory.path(), address, tls.as_ref());
        let lapi = Self {
            directory,
            address,
            tls,
            child: Mutex::new(None),
            bouncers: AtomicUsize::new(0),
            decisions: AtomicUsize::new(0),
        };
        let url = lapi.url();
        lapi.cscli(&[
            "machines",
            "add",
            "tests",
            "--password",
            "tests",
            "--force",
            "--url",
            &url,
        ]);
        lapi
    }

    /// Starts it, or starts it again: on the same port, with the same database.
    pub(crate) fn restart(&self) {
        while !self.try_start() {}
    }

    /// Whether it runs; not where somebody's own end of a connection has its port at this moment.
    fn try_start(&self) -> bool {
        self.stop();
        let log = File::create(self.directory.path().join("lapi.log")).unwrap();
        let child = Command::new("crowdsec")
            .arg("-c")
            .arg(self.settings())
            .args(["-no-cs", "-no-capi"])
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("crowdsec is there: run ./set-up test");
        *self.child.lock().unwrap() = Some(child);
        wait_for("LAPI to start", || {
            if self.log().contains("address already in use") {
                return Some(false);
            }
            self.is_up().then_some(true)
        })
    }

    /// Stops it, as a crash would.
    pub(crate) fn stop(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    fn is_up(&self) -> bool {
        let ended = self
            .child
            .lock()
            .unwrap()
            .as_mut()
            .map(|child| child.try_wait().unwrap());
        if let Some(Some(status)) = ended {
            panic!("LAPI ended with {status}: {}", self.log());
        }
        if TcpStream::connect(self.address).is_err() {
            return false;
        }
        // Over TLS, that it listens is all that is asked.
        self.tls.is_some() || {
            let request = "GET /health HTTP/1.1\r\nHost: lapi\r\nConnection: close\r\n\r\n";
            let answer = Connection::open(self.address).send(request).answer();
            answer.is_some_and(|answer| answer.status == 200)
        }
    }

    /// Where it is.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    /// A key of a bouncer of its own: LAPI keeps one cursor for each.
    pub(crate) fn key(&self) -> String {
        let number = self.bouncers.fetch_add(1, Ordering::Relaxed);
        let key = self.cscli(&[
            "bouncers",
            "add",
            &format!("palisade-{number}"),
            "-o",
            "raw",
        ]);
        key.trim().to_owned()
    }

    /// Runs `cscli` against it; what it printed.
    #[track_caller]
    pub(crate) fn cscli(&self, arguments: &[&str]) -> String {
        // On a busy machine LAPI gives up waiting for its own database.
        let is_busy = |output: &Output| {
            String::from_utf8_lossy(&output.stderr).contains("database is locked")
        };
        let mut output = self.run_cscli(arguments);
        for _ in 0..5 {
            if !is_busy(&output) {
                break;
            }
            output = self.run_cscli(arguments);
        }
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "cscli {arguments:?}: {said}");
        String::from_utf8(output.stdout).unwrap()
    }

    fn run_cscli(&self, arguments: &[&str]) -> Output {
        let output = Command::new("cscli")
            .arg("-c")
            .arg(self.settings())
            .args(arguments)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .output();
        output.expect("cscli is there: run ./set-up test")
    }

    /// Bans an address for so long, like `4h`.
    #[track_caller]
    pub(crate) fn ban(&self, address: &str, duration: &str) -> Decision {
        self.add(&["--ip", address, "--duration", duration])
    }

    /// Adds a decision.
    #[track_caller]
    pub(crate) fn add(&self, arguments: &[&str]) -> Decision {
        let number = self.decisions.fetch_add(1, Ordering::Relaxed);
        let scenario = format!("end-to-end-{number}");
        self.cscli(&[&["decisions", "add", "--reason", &scenario], arguments].concat());
        let printed = self.cscli(&["decisions", "list", "-o", "json", "--scenario", &scenario]);
        let alerts: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
        let id = alerts[0]["decisions"][0]["id"].as_u64().expect("an id");
        Decision { id, scenario }
    }

    /// Takes one decision back.
    #[track_caller]
    pub(crate) fn delete(&self, decision: &Decision) {
        self.cscli(&["decisions", "delete", "--id", &decision.id.to_string()]);
    }

    fn settings(&self) -> std::path::PathBuf {
        self.directory.path().join("config.yaml")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.directory.path().join("lapi.log")).unwrap_or_default()
    }
}

impl Drop for Lapi {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let last = &lines[lines.len().saturating_sub(LOG_LINES)..];
            eprintln!("LAPI said at last: {last:#?}");
        }
    }
}

/// What its set-up needs.
fn write_settings(directory: &Path, address: SocketAddr, tls: Option<&LapiTls>) {
    for folder in ["data", "hub", "notifications", "plugins"] {
        std::fs::create_dir(directory.join(folder)).unwrap();
    }
    let write = |name: &str, text: &str| {
        let mut file = File::create(directory.join(name)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    };
    let index = std::fs::read_to_string(PACKAGED_INDEX);
    write("hub/.index.json", index.as_deref().unwrap_or("{}"));
    write("simulation.yaml", "simulation: off\n");
    write("local_api_credentials.yaml", "");
    write(
        "profiles.yaml",
        "name: default_ip_remediation
filters:
 - Alert.Remediation == true && Alert.GetScope() == \"Ip\"
decisions:
 - type: ban
   duration: 4h
on_success: break
",
    );
    write("config.yaml", &config(directory, address, tls));
}

/// LAPI's own settings.
fn config(directory: &Path, address: SocketAddr, tls: Option<&LapiTls>) -> String {
    let tls = tls.map_or_else(String::new, |tls| {
        format!(
            "    tls:
      cert_file: {}
      key_file: {}
      client_verification: VerifyClientCertIfGiven
      ca_cert_path: {}
      bouncers_allowed_ou: [{}]
",
            tls.certificate, tls.private_key, tls.bouncers_ca, tls.bouncers_unit
        )
    });
    let directory = directory.display();
    format!(
        "common:
  daemonize: false
  log_media: stdout
  log_level: info
  working_dir: {directory}
config_paths:
  config_dir: {directory}
  data_dir: {directory}/data
  simulation_path: {directory}/simulation.yaml
  hub_dir: {directory}/hub
  index_path: {directory}/hub/.index.json
  notification_dir: {directory}/notifications
  plugin_dir: {directory}/plugins
crowdsec_service:
  enable: false
cscli:
  output: human
  color: no
db_config:
  log_level: info
  type: sqlite
  db_path: {directory}/data/crowdsec.db
  use_wal: true
  flush:
    max_items: 200000
    max_age: 7d
api:
  client:
    insecure_skip_verify: true
    credentials_path: {directory}/local_api_credentials.yaml
  server:
    log_level: info
    listen_uri: {address}
    profiles_path: {directory}/profiles.yaml
    use_forwarded_for_headers: false
{tls}prometheus:
  enabled: false
"
    )
}
