//! A peer that runs.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use palisade_bench::peers::Peer;
use palisade_bench::place::{Doors, Opens, Place};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;

use crate::files::Files;

/// None takes longer to start, CRS compiled or 50,000 addresses read on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running peer, with the processes that it has started; ended when dropped.
pub(crate) struct Running {
    child: Child,
    folder: TempDir,
    pub(crate) doors: Doors,
}

impl Running {
    pub(crate) fn start(peer: &Peer, files: &Files, backend: SocketAddr) -> Self {
        // Somebody else may take a port in between: then it is tried with others.
        for _ in 0..3 {
            if let Some(running) = Self::try_start(peer, files, backend) {
                return running;
            }
        }
        panic!("{} doesn't start", peer.name);
    }

    fn try_start(peer: &Peer, files: &Files, backend: SocketAddr) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let doors = free_doors();
        let place = Place {
            folder: folder.path().to_owned(),
            doors,
            backend,
            auth: backend,
            certificate: files.certificate(),
            key: files.key(),
            blocked: files.blocked(),
            crs: files.crs.clone(),
            workers: 1,
        };
        let launch = peer.prepare(&place).unwrap();
        let said = fs::File::create(folder.path().join("said")).unwrap();
        let child = Command::new(launch.program)
            .args(launch.arguments)
            .envs(launch.environment)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(said.try_clone().unwrap())
            .stderr(said)
            // What it starts is of its group.
            .process_group(0)
            .spawn()
            .unwrap();
        let mut running = Self {
            child,
            folder,
            doors,
        };
        running.listens(peer.opens).then_some(running)
    }

    /// Waits until all doors are open; whether that happened before it ended.
    fn listens(&mut self, opens: Opens) -> bool {
        let Doors { plain, tls, proxy } = self.doors;
        let doors = [(true, plain), (opens.tls, tls), (opens.proxy, proxy)];
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is_open =
                |(claimed, door): (bool, SocketAddr)| !claimed || TcpStream::connect(door).is_ok();
            if self.child.try_wait().unwrap().is_some() {
                eprintln!("it ended, and said: {}", self.said());
                return false;
            }
            if doors.into_iter().all(is_open) {
                return true;
            }
            assert!(
                Instant::now() < deadline,
                "it doesn't listen: {}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it said on its streams and in its log.
    pub(crate) fn said(&self) -> String {
        let read =
            |name: &str| fs::read_to_string(self.folder.path().join(name)).unwrap_or_default();
        read("said") + &read("error.log")
    }

    /// What is in its folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("it said: {}", self.said());
        }
        let Some(group) = Pid::from_raw(self.child.id().cast_signed()) else {
            return;
        };
        // Asked first, so that it waits for what it has started. It may have ended already.
        let _ = kill_process(group, Signal::TERM);
        let deadline = Instant::now() + Duration::from_secs(5);
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}

fn free_doors() -> Doors {
    // Held together, so that they differ.
    let sockets = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap());
    let [plain, tls, proxy] = sockets.map(|socket| socket.local_addr().unwrap());
    Doors { plain, tls, proxy }
}
