//! What all parts of a run have.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Runtime;

use crate::cost::ProcessorTime;
use crate::lineup::Lineup;
use crate::load::{Clients, Tally, Target};
use crate::plan::Plan;
use crate::workload::{Kind, Requests, Values};

/// A run under way.
#[derive(Clone, Copy)]
pub struct Session<'a> {
    /// What is to be measured.
    pub plan: &'a Plan,
    /// The servers.
    pub lineup: &'a Lineup,
    /// Clients' runtime: one thread, that which waits for it.
    pub runtime: &'a Runtime,
    /// Hears what is being done.
    pub tell: &'a dyn Fn(&str),
    /// Whether somebody asked for the end.
    pub is_over: &'a AtomicBool,
}

/// Somebody asked for the end.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("interrupted")]
pub struct Interrupted;

impl Session<'_> {
    /// Tells what is done next.
    ///
    /// # Errors
    /// Where that isn't done.
    pub fn go_on(&self, next: &str) -> Result<(), Interrupted> {
        if self.is_over.load(Ordering::Relaxed) {
            return Err(Interrupted);
        }
        (self.tell)(next);
        Ok(())
    }

    /// So many clients, each with requests of its own. Every server gets the same ones in the same round, and others
    /// in the next, unless values come again.
    #[must_use]
    pub fn sources(&self, kind: Kind, count: usize, round: u32) -> Vec<Requests> {
        let round = match self.plan.values {
            Values::New => round,
            Values::Seen => 0,
        };
        let seed = |number: usize| u64::from(round) * 1_000_003 + number as u64 + 1;
        (0..count)
            .map(|number| Requests::new(kind, self.plan.values, &self.lineup.clients, seed(number)))
            .collect()
    }

    /// Has as many clients as the plan says, or as a connection has streams, send requests to a server and wait for
    /// answers, on connections that are open before where they stay open.
    #[must_use]
    pub fn load(&self, process: u32, target: &Target, kind: Kind, round: u32) -> Turn {
        let streams = target.transport.streams.unwrap_or(1);
        let sources = self.sources(kind, streams.max(self.plan.clients), round);
        let clients = self.runtime.block_on(Clients::connect(target, sources));
        let before = ProcessorTime::of(process);
        let (tally, open) = self.runtime.block_on(clients.load(self.plan.turn));
        let cpu = ProcessorTime::of(process).since(&before);
        drop(open);
        Turn { tally, cpu }
    }
}

/// What came of requests, and what they cost the server.
#[derive(Clone, Debug)]
pub struct Turn {
    /// What came of them.
    pub tally: Tally,
    /// Processor time of the server's process tree.
    pub cpu: Duration,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::plan::Part;
    use crate::transport;

    /// Runs this with a session of four clients.
    pub(crate) fn with_session(lineup: &Lineup, test: impl FnOnce(&Session)) {
        let plan = Plan {
            program: "palisade".into(),
            settings: Vec::new(),
            peers: Vec::new(),
            running: Vec::new(),
            parts: Part::ALL.to_vec(),
            kinds: Kind::ALL.to_vec(),
            values: Values::New,
            transports: transport::ALL.to_vec(),
            rounds: 1,
            turn: Duration::from_millis(50),
            window: Duration::from_millis(100),
            clients: 4,
            idle: 10,
            workers: 1,
            crs: None,
            country_database: None,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .expect("a runtime");
        test(&Session {
            plan: &plan,
            lineup,
            runtime: &runtime,
            tell: &|_| (),
            is_over: &AtomicBool::new(false),
        });
    }
}
