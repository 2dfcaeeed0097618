//! Settings that change while the gate holds: listeners, doors, every kind of file, under load, and
//! ten thousand times.

mod doors;
mod files;
mod listeners;
mod ten_thousand;
mod under_load;

use std::net::SocketAddr;
use std::path::Path;

use tempfile::TempDir;

use crate::harness::{Backend, Palisade, wait_for};

const GET: &str = "GET / HTTP/1.1\r\nHost: test.example\r\n\r\n";

/// A gate whose settings can be replaced.
struct Gate {
    palisade: Palisade,
    /// What the harness adds to the settings.
    added: String,
}

impl Gate {
    #[track_caller]
    fn start(settings: &str) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), settings)
    }

    #[track_caller]
    fn start_in(folder: TempDir, settings: &str) -> Self {
        let palisade = Palisade::start_in(folder, settings);
        let text = std::fs::read_to_string(palisade.settings()).unwrap();
        let added = text.strip_prefix(settings).unwrap().to_owned();
        Self { palisade, added }
    }

    /// Other settings, and waits until they are in use.
    #[track_caller]
    fn change(&self, settings: &str) {
        let before = self.reloads("ok");
        self.ask(settings);
        self.wait_for_reloads("ok", before);
    }

    /// Other settings, and waits until they are refused; why.
    #[track_caller]
    fn change_in_vain(&self, settings: &str) -> String {
        let before = self.reloads("failed");
        self.ask(settings);
        self.wait_for_reloads("failed", before);
        let refused = &self.palisade.status()["settings"]["refused"]["error"];
        refused.as_str().expect("a reason").to_owned()
    }

    fn ask(&self, settings: &str) {
        let text = format!("{settings}{}", self.added);
        replace(&self.palisade.settings(), text);
        self.palisade.signal("HUP");
    }

    fn reloads(&self, result: &str) -> f64 {
        let name = format!("palisade_reloads_total{{result=\"{result}\"}}");
        self.palisade.metric(&name)
    }

    #[track_caller]
    fn wait_for_reloads(&self, result: &str, before: f64) {
        wait_for("a reload", || (self.reloads(result) > before).then_some(()));
    }

    /// Where it listens now, as `/status` says.
    fn listeners(&self) -> Vec<SocketAddr> {
        let status = self.palisade.status();
        let listeners = status["listeners"].as_array().unwrap();
        let address = |listener: &serde_json::Value| listener["address"].as_str()?.parse().ok();
        listeners.iter().filter_map(address).collect()
    }
}

/// Settings with these listeners, in front of `backend`.
fn settings(listeners: &str, backend: &Backend) -> String {
    format!(
        "
listeners: [{listeners}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
admin: {{ address: 127.0.0.1:0 }}
"
    )
}

/// Replaces a file as editors do: at once.
fn replace(path: &Path, bytes: impl AsRef<[u8]>) {
    let new = path.with_extension("new");
    std::fs::write(&new, bytes).unwrap();
    std::fs::rename(&new, path).unwrap();
}
