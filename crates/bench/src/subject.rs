//! A server that is measured.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::lapi::Lapi;
use crate::load::{ClientTls, Target};
use crate::metrics::sum_of_metric;
use crate::palisade::{Setting, rule_path};
use crate::place::{Doors, Duty, Opens};
use crate::server::Server;
use crate::transport::{Tls, Transport};

/// A server that is measured.
#[derive(Debug)]
pub struct Subject {
    /// Its name in files.
    pub name: String,
    /// Its name in tables.
    pub title: String,
    /// Its version.
    pub version: String,
    /// What it does with a request.
    pub duty: Duty,
    /// What it is told to do, where it is Palisade.
    pub setting: Option<Setting>,
    /// The root of its process tree.
    pub process: u32,
    pub(crate) doors: Doors,
    pub(crate) opens: Opens,
    pub(crate) tls: ClientTls,
    pub(crate) server: Option<Server>,
    pub(crate) lapi: Option<Lapi>,
    pub(crate) metrics: Option<SocketAddr>,
    pub(crate) folder: PathBuf,
}

impl Subject {
    /// A server that was started elsewhere, and speaks HTTP/1.1 there.
    pub(crate) fn at(name: &str, door: SocketAddr, process: u32, tls: ClientTls) -> Self {
        Self {
            name: name.to_owned(),
            title: format!("{name} at {door}"),
            version: String::new(),
            duty: Duty::Bare,
            setting: None,
            process,
            doors: Doors {
                plain: door,
                tls: door,
                proxy: door,
            },
            opens: Opens::default(),
            tls,
            server: None,
            lapi: None,
            metrics: None,
            folder: PathBuf::new(),
        }
    }

    /// How to reach it so; `None` where it can't be.
    #[must_use]
    pub fn target(&self, transport: Transport) -> Option<Target> {
        let is_http2 = transport.streams.is_some();
        let (door, is_open) = match (transport.tls, transport.proxy) {
            (Tls::Off, true) => (self.doors.proxy, self.opens.proxy),
            (Tls::Off, false) => (self.doors.plain, true),
            _ if is_http2 => (self.doors.tls, self.opens.http2),
            _ => (self.doors.tls, self.opens.tls),
        };
        is_open.then(|| Target {
            door,
            transport,
            tls: self.tls.clone(),
        })
    }

    /// The LAPI that it asks, where it asks one.
    #[must_use]
    pub fn lapi(&self) -> Option<&Lapi> {
        self.lapi.as_ref()
    }

    /// Makes it read changed rules.
    ///
    /// # Errors
    /// Where it wasn't started here, is gone, or has no rules.
    pub fn reload(&self) -> io::Result<()> {
        let server = self.server.as_ref().ok_or(io::ErrorKind::Unsupported)?;
        let path = rule_path(&self.folder, self.duty);
        let rules = std::fs::read_to_string(&path)?;
        let new = path.with_extension("new");
        std::fs::write(&new, format!("{rules}# again\n"))?;
        std::fs::rename(new, path)?;
        server.reload()
    }

    /// The sum of one of Palisade's metrics over all its labels.
    ///
    /// # Errors
    /// Where it has no metrics.
    pub fn metric(&self, name: &str) -> io::Result<f64> {
        sum_of_metric(self.metrics.ok_or(io::ErrorKind::Unsupported)?, name)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::Ipv4Addr;

    use crate::load::Certificate;
    use crate::server::tests::{shell, wait_until};

    use super::*;

    /// A shell watches no files: it is told.
    #[test]
    fn a_reload_changes_the_rules_and_tells_the_server() {
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = Certificate::make(folder.path()).expect("a certificate");
        let tls = ClientTls::trusting(&certificate, 1).expect("its own certificate");
        let mut subject = Subject::at("shell", (Ipv4Addr::LOCALHOST, 0).into(), 0, tls);
        assert!(subject.reload().is_err(), "it wasn't started here");
        subject.folder = folder.path().to_owned();
        let rules = rule_path(folder.path(), Duty::Gate);
        fs::write(&rules, "rules: []\n").expect("a rule file");
        let script = "trap 'cat rules.yaml; exit' HUP; echo ready; while :; do sleep 0.05; done";
        subject.server = Some(shell(script, folder.path()));
        let said = || fs::read_to_string(folder.path().join("said.log")).unwrap_or_default();
        wait_until("its trap", || said() == "ready\n");
        subject.reload().expect("a server with rules");
        wait_until("what it reads", || said() == "ready\nrules: []\n# again\n");
    }
}
