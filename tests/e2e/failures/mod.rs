//! What happens when something that Palisade depends on fails, one suite for each dependency. Each
//! row breaks the real thing while clients ask, and says what they saw, what the metrics and
//! `/status` said, and that nobody had to do anything once the thing was whole again.

mod backends;
mod descriptors;
mod geo;
mod lapi;
mod lapi_answers;
mod load;
mod logs;
mod saved;
mod settings_files;

use std::path::{Path, PathBuf};

use crate::harness::{Backend, Load, LoadPlan, Palisade, wait_for};

/// The client of the load; nobody bans it.
const INNOCENT: &str = "198.51.100.250";

/// A Palisade whose clients' addresses come in PROXY headers, with an admin door, and these sections.
fn settings(backend: &Backend, more: &str) -> String {
    format!(
        "
listeners:
  - {{ address: 127.0.0.1:0, proxy_protocol: {{ mode: required, from: 127.0.0.0/8 }} }}
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
admin: {{ address: 127.0.0.1:0, socket: admin.sock }}
{more}
"
    )
}

/// Clients that nobody bans: one that stays, and one that comes and goes.
fn innocent_load(palisade: &Palisade) -> LoadPlan {
    Load::on(palisade.address())
        .of_client(INNOCENT)
        .keep_alive(1)
        .new_connections(1)
}

/// Waits until a client's requests are answered so.
#[track_caller]
fn wait_for_status(palisade: &Palisade, client: &str, status: u16) {
    wait_for(&format!("{client} to get {status}"), || {
        (palisade.get_from(client, "/").status == status).then_some(())
    });
}

/// Waits until the last poll of LAPI was a good one.
#[track_caller]
fn wait_until_well(palisade: &Palisade) {
    wait_for("a good poll", || {
        (palisade.status()["lapi"]["consecutive_failures"] == 0).then_some(())
    });
}

/// Waits until a metric is more than it was.
#[track_caller]
fn wait_for_more_of(palisade: &Palisade, metric: &str, before: f64) {
    wait_for(metric, || (palisade.metric(metric) > before).then_some(()));
}

/// Replaces a file as editors do: at once.
fn replace(path: &Path, bytes: impl AsRef<[u8]>) {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(&new, path).unwrap();
}

/// Where a path of a process with file systems of its own is for others.
fn inside(palisade: &Palisade, path: &Path) -> PathBuf {
    let root = format!("/proc/{}/root", palisade.pid());
    Path::new(&root).join(path.strip_prefix("/").unwrap())
}

/// Waits until it has told the operator so.
#[track_caller]
fn wait_until_said(palisade: &Palisade, what: &str) {
    wait_for(&format!("{what:?} to be said"), || {
        said(palisade, what).then_some(())
    });
}

/// Whether it told the operator so.
fn said(palisade: &Palisade, what: &str) -> bool {
    palisade.stderr().iter().any(|line| line.contains(what))
}

/// Memory that is resident now, and the most that ever was, in MiB.
fn resident_mib(palisade: &Palisade) -> (u64, u64) {
    let status = std::fs::read_to_string(format!("/proc/{}/status", palisade.pid())).unwrap();
    let of = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kib / 1024
    };
    (of("VmRSS:"), of("VmHWM:"))
}
