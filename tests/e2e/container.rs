//! As process 1 of a container.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::harness::{Backend, wait_for};

/// A process namespace whose process 1 is Palisade; killed when dropped.
struct Container {
    unshare: Child,
    pid: u32,
}

impl Drop for Container {
    fn drop(&mut self) {
        // The namespace ends with it.
        let _ = self.unshare.kill();
        let _ = self.unshare.wait();
    }
}

/// Whether this user may make process namespaces. Says loudly where not.
fn may_unshare() -> bool {
    let tried = Command::new("unshare")
        .args(["--pid", "--fork", "--mount-proc", "true"])
        .stderr(Stdio::null())
        .status();
    let may = tried.is_ok_and(|status| status.success());
    if !may {
        eprintln!("SKIPPED: this user may not make process namespaces (unshare --pid)");
    }
    may
}

impl Container {
    /// Starts `shell` as process 1, which is to end in `exec "$@"`.
    fn start(shell: &str, settings: &Path, log: &Path) -> Self {
        let log = std::fs::File::create(log).unwrap();
        let mut unshare = Command::new("unshare")
            .args(["--pid", "--fork", "--kill-child", "--mount-proc"])
            .args(["sh", "-c", shell, "sh", env!("CARGO_BIN_EXE_palisade")])
            .args(["run", "--threads", "1", "--config"])
            .arg(settings)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let pid = unshare.id();
        let children = format!("/proc/{pid}/task/{pid}/children");
        let child = wait_for("process 1", || {
            assert!(unshare.try_wait().unwrap().is_none(), "unshare ended");
            let children = std::fs::read_to_string(&children).ok()?;
            children.split_whitespace().next()?.parse().ok()
        });
        Self {
            unshare,
            pid: child,
        }
    }

    fn signal(&self, name: &str) {
        let mut kill = Command::new("kill");
        let status = kill
            .args([&format!("-{name}"), &self.pid.to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// The states of the children of process 1, as ps(1) has them.
    fn children(&self) -> Vec<char> {
        let children = format!("/proc/{0}/task/{0}/children", self.pid);
        let children = std::fs::read_to_string(children).unwrap();
        let state = |pid: &str| {
            let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
            stat.rsplit(") ").next()?.chars().next()
        };
        children.split_whitespace().filter_map(state).collect()
    }
}

#[test]
fn process_1_hears_signals_and_leaves_no_zombies() {
    if !may_unshare() {
        return;
    }
    let backend = Backend::start();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("palisade.yaml");
    let settings = format!(
        "
listeners: [{{ address: 127.0.0.1:0 }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
"
    );
    std::fs::write(&file, &settings).unwrap();
    let log = directory.path().join("stderr");
    let said = |what: &str| {
        let log = std::fs::read_to_string(&log).unwrap();
        log.contains(what).then_some(())
    };
    // Two children that process 1 never asked for: one that it has from the start, and one that
    // becomes its own when the parent ends.
    let gate = directory.path().join("gate");
    let wait = format!("while [ ! -e {} ]; do sleep 0.05; done", gate.display());
    let shell = format!("({wait}) & (({wait}) &) & exec \"$@\"");
    let mut container = Container::start(&shell, &file, &log);
    wait_for("it to be ready", || said("msg=ready"));
    wait_for("its children", || {
        (container
            .children()
            .iter()
            .filter(|state| **state != 'Z')
            .count()
            >= 2)
            .then_some(())
    });
    std::fs::write(&gate, "").unwrap();
    wait_for("no zombie", || {
        container.children().is_empty().then_some(())
    });

    container.signal("HUP");
    wait_for("a reload", || said("the new settings are in use"));
    container.signal("QUIT");
    wait_for("a refusal", || {
        said("process 1 of a container can't be replaced")
    });
    container.signal("TERM");
    let status = wait_for("the end", || container.unshare.try_wait().unwrap());
    assert_eq!(status.code(), Some(0));
    assert!(said("msg=stopped").is_some());
}
