//! A running server.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};

use crate::cost;
use crate::place::{Doors, Launch};

/// Rules and lists take a while to be read.
const START_PATIENCE: Duration = Duration::from_secs(60);
const END_PATIENCE: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Why a server doesn't run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program can't be run, or its files can't be written.
    #[error("{program}: {error}", program = program.display())]
    Io {
        /// What was to be run.
        program: PathBuf,
        /// Why it can't be.
        error: io::Error,
    },
    /// It has ended before it listened.
    #[error("{program} ended with {status}: {said}", program = program.display())]
    Ended {
        /// What was run.
        program: PathBuf,
        /// How it ended.
        status: String,
        /// The end of what it wrote.
        said: String,
    },
    /// It listens nowhere.
    #[error("{program} doesn't listen at {door} after {START_PATIENCE:?}: {said}", program = program.display())]
    Silent {
        /// What was run.
        program: PathBuf,
        /// Where it should.
        door: SocketAddr,
        /// The end of what it wrote.
        said: String,
    },
}

/// A server that was started here; it and all that it has started are ended when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
}

impl Server {
    /// Starts it in its folder, and waits until it listens at all of `doors`.
    ///
    /// # Errors
    /// Where it doesn't.
    pub fn start(launch: &Launch, folder: &Path, doors: &[SocketAddr]) -> Result<Self, StartError> {
        let program = launch.program.clone();
        let io = |error| StartError::Io {
            program: program.clone(),
            error,
        };
        let log = folder.join("said.log");
        let said = File::create(&log).map_err(io)?;
        let child = dies_with_us(&launch.program)
            .args(&launch.arguments)
            .envs(launch.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(said.try_clone().map_err(io)?)
            .stderr(said)
            .spawn()
            .map_err(io)?;
        let mut server = Self { child };
        let patience = Instant::now() + START_PATIENCE;
        for door in doors {
            while TcpStream::connect(door).is_err() {
                if let Some(status) = server.child.try_wait().map_err(io)? {
                    return Err(StartError::Ended {
                        program,
                        status: status.to_string(),
                        said: end_of(&log),
                    });
                }
                if Instant::now() > patience {
                    return Err(StartError::Silent {
                        program,
                        door: *door,
                        said: end_of(&log),
                    });
                }
                std::thread::sleep(LOOK_EVERY);
            }
        }
        Ok(server)
    }

    /// Its number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Asks it to read its settings again.
    ///
    /// # Errors
    /// Where it is gone.
    pub fn reload(&self) -> io::Result<()> {
        Ok(kill_process(Pid::from_child(&self.child), Signal::HUP)?)
    }
}

/// The program, told by the kernel to end when this thread does, however that ends: util-linux's `setpriv` asks for
/// that and becomes the program. Without it, a harness that is killed leaves servers behind.
fn dies_with_us(program: &Path) -> Command {
    const SETPRIV: &str = "/usr/bin/setpriv";
    if !Path::new(SETPRIV).exists() {
        return Command::new(program);
    }
    let mut command = Command::new(SETPRIV);
    command.args(["--pdeathsig", "TERM", "--"]).arg(program);
    command
}

impl Drop for Server {
    fn drop(&mut self) {
        let tree = cost::process_tree(self.child.id());
        let pids = || {
            tree.iter()
                .filter_map(|pid| Pid::from_raw(i32::try_from(*pid).ok()?))
        };
        // Errors mean that it has ended already.
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        let patience = Instant::now() + END_PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < patience {
            std::thread::sleep(LOOK_EVERY);
        }
        for pid in pids().filter(|pid| test_kill_process(*pid).is_ok()) {
            let _ = kill_process(pid, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Three addresses on loopback that nobody listens on.
///
/// # Errors
/// Where there are none.
pub fn free_doors() -> io::Result<Doors> {
    let bind = || TcpListener::bind("127.0.0.1:0");
    // At the same time, so that they differ.
    let (plain, tls, proxy) = (bind()?, bind()?, bind()?);
    Ok(Doors {
        plain: plain.local_addr()?,
        tls: tls.local_addr()?,
        proxy: proxy.local_addr()?,
    })
}

/// The last lines that a server wrote.
fn end_of(log: &Path) -> String {
    const LINES: usize = 5;
    let said = fs::read(log).unwrap_or_default();
    let said = String::from_utf8_lossy(&said);
    let lines: Vec<&str> = said.lines().collect();
    let from = lines.len().saturating_sub(LINES);
    lines.get(from..).unwrap_or_default().join("\n")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A shell that runs this script, in its folder.
    pub(crate) fn shell(script: &str, folder: &Path) -> Server {
        // A shell can't trap what is ignored when it starts, as by a test set that nohup runs.
        let arguments = ["--default-signal=HUP", "sh", "-c", script];
        let launch = Launch {
            program: "env".into(),
            arguments: arguments.map(str::to_owned).to_vec(),
            environment: Vec::new(),
        };
        Server::start(&launch, folder, &[]).expect("a shell")
    }

    /// Until that is so, of other processes.
    pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
        const PATIENCE: Duration = Duration::from_secs(10);
        let begun = Instant::now();
        while !is_so() {
            assert!(begun.elapsed() < PATIENCE, "waited in vain for {what}");
            std::thread::sleep(LOOK_EVERY);
        }
    }

    /// One that has ended and that nobody has asked for is a zombie.
    fn is_running(process: u32) -> bool {
        let stat = fs::read_to_string(format!("/proc/{process}/stat"));
        stat.is_ok_and(|stat| !stat.contains(") Z "))
    }

    #[test]
    fn a_server_ends_with_all_that_it_has_started_when_it_is_dropped() {
        let folder = tempfile::tempdir().expect("a folder");
        let server = shell("sleep 30 & wait", folder.path());
        wait_until("its child", || cost::process_tree(server.pid()).len() > 1);
        let tree = cost::process_tree(server.pid());
        drop(server);
        wait_until("their end", || !tree.iter().any(|pid| is_running(*pid)));
    }
}
