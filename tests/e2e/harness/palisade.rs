//! The binary under test.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;

use super::http::{Answer, Connection};
use super::wait_for;

/// A running Palisade; stopped when dropped.
pub(crate) struct Palisade {
    child: Child,
    directory: TempDir,
    stderr: Arc<Mutex<Vec<String>>>,
    /// Whether somebody reads its standard error.
    reads_on: Arc<AtomicBool>,
    listeners: Vec<SocketAddr>,
}

impl Palisade {
    /// The binary, for a subcommand.
    pub(crate) fn command() -> Command {
        Command::new(env!("CARGO_BIN_EXE_palisade"))
    }

    /// Runs a subcommand to its end.
    pub(crate) fn execute(arguments: &[&str]) -> Output {
        Self::command().args(arguments).output().expect("runs")
    }

    /// Starts with these settings, which name port 0. Metrics are added on a port of their own, and
    /// both logs in the folder of the settings.
    #[track_caller]
    pub(crate) fn start(settings: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), settings)
    }

    /// Starts with these settings in a folder that has other files in it already.
    #[track_caller]
    pub(crate) fn start_in(directory: TempDir, settings: &str) -> Self {
        let logs = "
logs:
  access: { path: access.log, format: combined }
  decisions: { path: decisions.log }
";
        Self::start_with_logs(directory, &format!("{settings}{logs}"))
    }

    /// The same, with settings that say what is logged where.
    #[track_caller]
    pub(crate) fn start_with_logs(directory: TempDir, settings: &str) -> Self {
        Self::start_as(Self::command(), directory, settings)
    }

    /// The same, run by another program, such as `prlimit`, that becomes Palisade: its arguments end
    /// where the command that it runs begins.
    #[track_caller]
    pub(crate) fn start_under(program: &[&str], directory: TempDir, settings: &str) -> Self {
        let mut command = Command::new(program[0]);
        command
            .args(&program[1..])
            .arg(env!("CARGO_BIN_EXE_palisade"));
        Self::start_as(command, directory, settings)
    }

    /// The same, with file systems of its own: `mounts` are commands of a shell that mount them, for
    /// this process alone. They are gone with it.
    #[track_caller]
    pub(crate) fn start_with_mounts(mounts: &str, directory: TempDir, settings: &str) -> Self {
        let script = format!("set -e; {mounts}; exec \"$@\"");
        let mut unshare = vec!["unshare", "--mount", "--propagation", "private"];
        if std::fs::metadata("/proc/self").unwrap().uid() != 0 {
            unshare.push("--map-root-user");
        }
        let may_mount = Command::new(unshare[0])
            .args([&unshare[1..], &["mount", "-t", "tmpfs", "none", "/tmp"]].concat())
            .output()
            .expect("unshare is there");
        assert!(
            may_mount.status.success(),
            "this test mounts file systems in a name space of its own, which needs root, or user \
             name spaces: {}",
            String::from_utf8_lossy(&may_mount.stderr)
        );
        let shell = ["sh", "-c", &script, "sh"];
        Self::start_under(&[&unshare[..], &shell].concat(), directory, settings)
    }

    /// The same, by a command of the caller's, which ends in the binary's name.
    #[track_caller]
    pub(crate) fn start_as(mut command: Command, directory: TempDir, settings: &str) -> Self {
        let metrics = "\nmetrics: { address: 127.0.0.1:0 }\n";
        let path = directory.path().join("palisade.yaml");
        std::fs::write(&path, format!("{settings}{metrics}")).unwrap();
        command
            .args(["run", "--threads", "2", "--config"])
            .arg(directory.path().join("palisade.yaml"));
        Self::start_by(command, directory)
    }

    /// Runs it by a command of the caller's. What it writes is in `directory`.
    #[track_caller]
    pub(crate) fn start_by(mut command: Command, directory: TempDir) -> Self {
        let mut child = command
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("starts");
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let (pipe, lines) = (child.stderr.take().unwrap(), Arc::clone(&stderr));
        let reads_on = Arc::new(AtomicBool::new(true));
        let may_read = Arc::clone(&reads_on);
        std::thread::spawn(move || {
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                lines.lock().unwrap().push(line);
                while !may_read.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        });
        let mut palisade = Self {
            child,
            directory,
            stderr,
            reads_on,
            listeners: Vec::new(),
        };
        palisade.wait_until_ready();
        palisade
    }

    #[track_caller]
    fn wait_until_ready(&mut self) {
        let child = &mut self.child;
        let stderr = &self.stderr;
        wait_for("palisade to start", || {
            let ended = child.try_wait().unwrap();
            let said = stderr.lock().unwrap().clone();
            assert!(ended.is_none(), "palisade ended with {ended:?}: {said:#?}");
            said.iter()
                .any(|line| line.contains("msg=ready"))
                .then_some(())
        });
        self.listeners = self.addresses("msg=listening");
    }

    /// The addresses of lines that say so.
    fn addresses(&self, message: &str) -> Vec<SocketAddr> {
        let lines = self.stderr();
        let told = lines.iter().filter(|line| line.contains(message));
        told.filter_map(|line| {
            let address = line.split("address=").nth(1)?;
            address.split(' ').next()?.parse().ok()
        })
        .collect()
    }

    /// The metrics door.
    pub(crate) fn metrics_address(&self) -> SocketAddr {
        self.addresses("msg=metrics")[0]
    }

    /// The first listener.
    pub(crate) fn address(&self) -> SocketAddr {
        self.listeners[0]
    }

    /// All listeners, in the order of the settings.
    pub(crate) fn listeners(&self) -> &[SocketAddr] {
        &self.listeners
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The folder of the settings.
    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn settings(&self) -> PathBuf {
        self.directory.path().join("palisade.yaml")
    }

    /// What it said on standard error.
    pub(crate) fn stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap().clone()
    }

    /// Whether somebody reads what it says from the next line on.
    pub(crate) fn read_stderr(&self, reads_on: bool) {
        self.reads_on.store(reads_on, Ordering::Relaxed);
    }

    pub(crate) fn connect(&self) -> Connection {
        Connection::open(self.address())
    }

    /// Sends these bytes on a connection of their own; the first answer.
    pub(crate) fn exchange(&self, bytes: impl AsRef<[u8]>) -> Option<Answer> {
        self.connect().send(bytes).answer()
    }

    /// A plain GET, from 127.0.0.1.
    #[track_caller]
    pub(crate) fn get(&self, target: &str) -> Answer {
        self.get_with(target, "")
    }

    /// A GET with more header lines, each ended by CR LF.
    #[track_caller]
    pub(crate) fn get_with(&self, target: &str, headers: &str) -> Answer {
        let request = format!("GET {target} HTTP/1.1\r\nHost: test.example\r\n{headers}\r\n");
        self.exchange(request).expect("an answer")
    }

    /// A connection of this client, whose address comes in a PROXY header.
    pub(crate) fn connect_from(&self, client: &str) -> Connection {
        let (family, own) = match client.contains(':') {
            true => ("TCP6", "::1"),
            false => ("TCP4", "127.0.0.1"),
        };
        let mut connection = self.connect();
        connection.send(format!("PROXY {family} {client} {own} 40000 80\r\n"));
        connection
    }

    /// A plain GET of this client, whose address comes in a PROXY header.
    #[track_caller]
    pub(crate) fn get_from(&self, client: &str, target: &str) -> Answer {
        let request = format!("GET {target} HTTP/1.1\r\nHost: test.example\r\n\r\n");
        self.connect_from(client)
            .send(request)
            .answer()
            .expect("an answer")
    }

    /// The text of `/metrics`.
    pub(crate) fn metrics(&self) -> String {
        self.metrics_door("/metrics").text()
    }

    /// What the metrics door answers.
    pub(crate) fn metrics_door(&self, target: &str) -> Answer {
        self.ask_door("msg=metrics", target, "localhost")
    }

    /// What the admin door answers.
    pub(crate) fn admin_door(&self, target: &str, host: &str) -> Answer {
        self.ask_door("msg=admin", target, host)
    }

    /// What `/status` shows.
    pub(crate) fn status(&self) -> serde_json::Value {
        let answer = self.admin_door("/status", "localhost");
        serde_json::from_slice(&answer.body).expect("JSON")
    }

    fn ask_door(&self, message: &str, target: &str, host: &str) -> Answer {
        let address = self.addresses(message)[0];
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        Connection::open(address)
            .send(request)
            .answer()
            .expect("an answer")
    }

    /// The value of a metric, labels included in `name` as they are printed; 0 where it isn't.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        let metrics = self.metrics();
        let mut lines = metrics.lines();
        lines
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
            .unwrap_or(0.0)
    }

    /// The lines of the decision log so far.
    pub(crate) fn decision_log(&self) -> Vec<serde_json::Value> {
        let log = std::fs::read_to_string(self.directory.path().join("decisions.log"));
        let log = log.unwrap_or_default();
        log.lines()
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// Waits for a line of the decision log.
    #[track_caller]
    pub(crate) fn wait_for_decision(
        &self,
        is_it: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        wait_for("a line of the decision log", || {
            self.decision_log().into_iter().find(|line| is_it(line))
        })
    }

    /// The lines of the access log so far.
    pub(crate) fn access_log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.directory.path().join("access.log"));
        log.unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Runs `palisade decisions` against its admin socket; what that printed.
    #[track_caller]
    pub(crate) fn decisions(&self, arguments: &[&str]) -> String {
        let settings = self.settings();
        let settings = settings.to_str().unwrap();
        let output = Self::execute(&[&["decisions", "--config", settings], arguments].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "palisade decisions {arguments:?}: {said}"
        );
        String::from_utf8(output.stdout).unwrap()
    }

    /// Waits for a line of the access log.
    #[track_caller]
    pub(crate) fn wait_for_access(&self, is_it: impl Fn(&str) -> bool) -> String {
        wait_for("a line of the access log", || {
            self.access_log().into_iter().find(|line| is_it(line))
        })
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, name: &str) {
        send_signal(name, &self.pid().to_string());
    }

    /// Sends a signal to the processes that the one which was started has started itself: the
    /// binary, where that is a launcher which waits for it.
    pub(crate) fn signal_children(&self, name: &str) {
        let pid = self.pid();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        for child in children.unwrap().split_whitespace() {
            send_signal(name, child);
        }
    }

    /// Waits for its end; the exit code.
    pub(crate) fn wait(&mut self) -> Option<i32> {
        self.wait_for_status().code()
    }

    /// Waits for its end; how it ended.
    pub(crate) fn wait_for_status(&mut self) -> ExitStatus {
        let child = &mut self.child;
        wait_for("palisade to end", || child.try_wait().unwrap())
    }
}

fn send_signal(name: &str, pid: &str) {
    let status = Command::new("kill")
        .args([&format!("-{name}"), pid])
        .status();
    assert!(status.unwrap().success());
}

impl Drop for Palisade {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("palisade said: {:#?}", self.stderr());
        }
    }
}
