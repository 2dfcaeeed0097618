//! A process and those that take its place, one after the other.

use std::process::Command;

use super::{Palisade, wait_for};

/// A Palisade and those that take its place; all stopped when dropped.
pub(crate) struct Dynasty {
    pub(crate) first: Palisade,
    pids: Vec<u32>,
}

impl Dynasty {
    pub(crate) fn of(first: Palisade) -> Self {
        let pids = vec![first.pid()];
        Self { first, pids }
    }

    /// The numbers of all of them, in the order in which they came.
    pub(crate) fn pids(&self) -> &[u32] {
        &self.pids
    }

    /// The number of the one that serves.
    pub(crate) fn pid(&self) -> u32 {
        *self.pids.last().unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        let mut kill = Command::new("kill");
        let status = kill.args([&format!("-{name}"), &pid]).status();
        assert!(status.unwrap().success());
    }

    /// The numbers of the processes that took a place so far.
    fn successors(&self) -> Vec<u32> {
        let said = self.first.stderr();
        let told = said
            .iter()
            .filter(|line| line.contains("msg=\"handed over\""));
        told.map(|line| line.split("pid=").nth(1).unwrap().parse().unwrap())
            .collect()
    }

    /// One more takes the place. Nobody but that one answers at the doors when this returns.
    #[track_caller]
    pub(crate) fn upgrade(&mut self) {
        self.signal("QUIT");
        let known = self.pids.len() - 1;
        let pid = wait_for("an upgrade", || self.successors().get(known).copied());
        self.pids.push(pid);
        self.wait_for("msg=ready", known + 2);
        self.wait_for("replaced_by=", known + 1);
    }

    pub(crate) fn count(&self, what: &str) -> usize {
        let said = self.first.stderr();
        said.iter().filter(|line| line.contains(what)).count()
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, what: &str, times: usize) {
        wait_for(what, || (self.count(what) >= times).then_some(()));
    }

    /// Ends the last one, as SIGTERM does, and waits until all are gone.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        self.wait_for("msg=stopped", self.pids.len());
        assert_eq!(self.first.wait(), Some(0));
    }
}

/// Whether a process is gone, but perhaps for whoever is to take its exit status.
pub(crate) fn has_ended(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    status.map_or(true, |status| status.contains(") Z "))
}

impl Drop for Dynasty {
    fn drop(&mut self) {
        for pid in &self.pids[1..] {
            // They have ended already where the test went well.
            let is_ours = std::fs::read_to_string(format!("/proc/{pid}/comm"));
            if is_ours.is_ok_and(|name| name.trim() == "palisade") {
                let _ = Command::new("kill")
                    .args(["-KILL", &pid.to_string()])
                    .status();
            }
        }
    }
}
