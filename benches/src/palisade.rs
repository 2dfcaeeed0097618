//! The real binary, running.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::binary::binary;
use crate::settings::{SETTINGS_FILE, SettingsFiles};

/// A running Palisade; ended when dropped.
#[derive(Debug)]
pub struct Palisade {
    child: Child,
}

impl Palisade {
    /// Starts one with these settings, written into `folder`, and so many threads for requests. It is
    /// run by `runner` if there is one.
    ///
    /// # Panics
    /// When it can't be started, or doesn't get ready.
    #[must_use]
    pub fn start(folder: &Path, files: &SettingsFiles, threads: u8, runner: &[&str]) -> Self {
        files
            .write_into(folder)
            .expect("a folder that can be written");
        let (binary, threads) = (binary(), threads.to_string());
        let binary = binary.to_str().expect("a path in UTF-8");
        let mut words = runner
            .iter()
            .copied()
            .chain([binary, "run", "--threads", &threads]);
        let child = Command::new(words.next().unwrap_or(binary))
            .args(words)
            .arg("--config")
            .arg(folder.join(SETTINGS_FILE))
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        let mut child = child.expect("a palisade: cargo build --release --bin palisade");
        let stderr = child.stderr.take().expect("its standard error");
        let palisade = Self { child };
        let mut lines = BufReader::new(stderr).lines().map_while(Result::ok);
        let is_ready = lines.any(|line| line.contains("msg=ready"));
        assert!(
            is_ready,
            "palisade doesn't start; try it with {}",
            folder.display()
        );
        // What it says later is not to fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        palisade
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        let sent = kill_process(Pid::from_child(&self.child), signal);
        sent.expect("a running palisade");
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Palisade {
    fn drop(&mut self) {
        // An error means that it has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on loopback that nobody listens on.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    address.expect("a port on loopback")
}
