//! The limit of open files.

use palisade_proxy::settings::ListenerSettings;
use palisade_telemetry::Report;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What is open besides connections: logs, listeners, doors, LAPI, files that are being read.
const OTHER_FILES: u64 = 256;

/// A client's connection, and one to a backend.
const FILES_PER_CONNECTION: u64 = 2;

/// How many files the process may have open, sockets among them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OpenFiles(u64);

impl OpenFiles {
    /// Raises the limit as far as the system lets a normal process. Before system calls are confined.
    pub(crate) fn raise() -> Self {
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        };
        // What can't be raised stays as it is, and is said below where it doesn't do.
        let _ = setrlimit(Resource::Nofile, raised);
        let current = getrlimit(Resource::Nofile).current;
        Self(current.unwrap_or(u64::MAX))
    }

    /// Says when they are fewer than the listeners' connections take.
    pub(crate) fn warn_if_few(self, listeners: &[ListenerSettings], report: &dyn Report) {
        let wanted = wanted(listeners);
        if wanted > self.0 {
            report.warn(
                "start",
                "connections may run out of file descriptors: raise the limit (ulimit -Hn, LimitNOFILE) or lower `connections`",
                &[("limit", &self.0), ("wanted", &wanted)],
            );
        }
    }
}

fn wanted(listeners: &[ListenerSettings]) -> u64 {
    let connections = listeners.iter().map(|listener| {
        let connections = u64::try_from(listener.limits.connections).unwrap_or(u64::MAX);
        connections.saturating_mul(FILES_PER_CONNECTION)
    });
    connections.fold(OTHER_FILES, u64::saturating_add)
}
