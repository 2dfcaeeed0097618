//! Connections that ask nothing for as long as the process lives that has them.

use std::net::SocketAddr;
use std::sync::Mutex;

use palisade_testkit::crowd::{Crowd, Speech};

/// Of one address: below what an address may have.
const PER_ADDRESS: usize = 100;

/// So many connections to one listener.
pub(crate) struct Idle {
    listener: SocketAddr,
    count: usize,
    crowd: Mutex<Crowd>,
}

/// What became of them.
#[derive(Clone, Copy)]
pub(crate) struct IdleKept {
    pub(crate) opened: usize,
    pub(crate) answered: usize,
}

impl Idle {
    pub(crate) fn open(listener: SocketAddr, count: usize) -> Self {
        let crowd = open(listener, count);
        Self {
            listener,
            count,
            crowd: Mutex::new(crowd),
        }
    }

    /// Closes them, and opens as many anew.
    pub(crate) fn open_again(&self) {
        let mut crowd = self.crowd.lock().unwrap();
        *crowd = open(self.listener, 0);
        *crowd = open(self.listener, self.count);
    }

    /// Asks on each of them, and closes them.
    pub(crate) fn finish(&self) -> IdleKept {
        let mut crowd = self.crowd.lock().unwrap();
        let kept = IdleKept {
            opened: crowd.len(),
            answered: crowd.ask(),
        };
        *crowd = open(self.listener, 0);
        kept
    }
}

fn open(listener: SocketAddr, count: usize) -> Crowd {
    let speech = Speech {
        per_address: PER_ADDRESS,
        ..Speech::default()
    };
    Crowd::open(listener, count, &speech).expect("idle connections")
}
