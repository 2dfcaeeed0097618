//! Connections to one server that no request uses.
//!
//! The most recently used goes out first, so that a pool which needs fewer connections lets the
//! rest grow old. Nothing runs in the background: what is too old, closed or spoken out of turn
//! is dropped where it is met, and by the occasional sweep.
//!
//! Where each thread has a runtime of its own, each uses the connections that it opened itself: the
//! runtime that opened one hears what comes on it, would have to wake another for every answer, and
//! takes the connection with it when it ends.

use std::collections::VecDeque;
use std::mem;
use std::net::SocketAddr;

use palisade_transport::Connection;
use palisade_vocabulary::Tick;
use parking_lot::Mutex;
use tokio::runtime;

use crate::connect::ProxySource;
use crate::settings::KeepAlive;

/// The runtime that this runs on.
pub(crate) fn this_runtime() -> Option<runtime::Id> {
    let handle = runtime::Handle::try_current();
    handle.ok().map(|handle| handle.id())
}

/// The idle connections of one server, the longest idle in front.
#[derive(Debug, Default)]
pub(crate) struct IdleConnections {
    stack: Mutex<VecDeque<Idle>>,
}

/// A connection with what it is for.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(crate) connection: Box<Connection>,
    /// Where it leads to.
    pub(crate) address: SocketAddr,
}

#[derive(Debug)]
struct Idle {
    kept: Kept,
    since: Tick,
    /// The runtime that it was opened on.
    home: Option<runtime::Id>,
    /// Whom the PROXY header at its start speaks for; no other client may use it.
    bound_to: Option<ProxySource>,
}

impl Idle {
    fn is_over(&self, now: Tick, limits: KeepAlive) -> bool {
        now.since(self.since) >= limits.idle_timeout()
    }
}

impl IdleConnections {
    /// Takes out the connection that was used last, of those that were opened here for `bound_to`.
    ///
    /// It is open as far as this machine knows; the server may be closing it right now. Hot path:
    /// allocates nothing and makes no system call while the connection is as it was left.
    pub(crate) fn check_out(
        &self,
        bound_to: Option<&ProxySource>,
        now: Tick,
        limits: KeepAlive,
    ) -> Option<Kept> {
        loop {
            // The lock is not held while a connection is asked or closed.
            let mut idle = self.pop(bound_to, now, limits)?;
            if !idle.is_over(now, limits) && idle.kept.connection.is_quiet() {
                return Some(idle.kept);
            }
        }
    }

    fn pop(&self, bound_to: Option<&ProxySource>, now: Tick, limits: KeepAlive) -> Option<Idle> {
        let mut stack = self.stack.lock();
        if stack.back()?.is_over(now, limits) {
            // All others are older still.
            let over = mem::take(&mut *stack);
            drop(stack);
            drop(over);
            return None;
        }
        let home = this_runtime();
        let place = stack
            .iter()
            .rposition(|idle| idle.home == home && idle.bound_to.as_ref() == bound_to)?;
        stack.remove(place)
    }

    /// Keeps a connection that its request is done with; the longest idle one goes for it when
    /// there are too many.
    pub(crate) fn check_in(
        &self,
        kept: Kept,
        bound_to: Option<ProxySource>,
        now: Tick,
        limits: KeepAlive,
    ) {
        let idle = Idle {
            kept,
            since: now,
            home: this_runtime(),
            bound_to,
        };
        let mut stack = self.stack.lock();
        let has_place = stack.len() < usize::from(limits.idle_connections_max());
        let surplus = if has_place { None } else { stack.pop_front() };
        if has_place || surplus.is_some() {
            stack.push_back(idle);
        }
        drop(stack);
        drop(surplus);
    }

    /// Drops what is too old, was closed by the server, or is more than `limits` allow. Returns
    /// how many that were.
    pub(crate) fn sweep(&self, now: Tick, limits: KeepAlive) -> usize {
        let mut gone = Vec::new();
        let mut stack = self.stack.lock();
        let mut surplus = stack
            .len()
            .saturating_sub(usize::from(limits.idle_connections_max()));
        for _ in 0..stack.len() {
            let Some(mut idle) = stack.pop_front() else {
                break;
            };
            if surplus > 0 || idle.is_over(now, limits) || !idle.kept.connection.is_quiet() {
                surplus = surplus.saturating_sub(1);
                gone.push(idle);
            } else {
                stack.push_back(idle);
            }
        }
        drop(stack);
        gone.len()
    }

    /// Closes the one that has been idle the longest, whoever opened it; whether there was one.
    pub(crate) fn close_one(&self) -> bool {
        let longest_idle = self.stack.lock().pop_front();
        longest_idle.is_some()
    }

    /// Drops all: the server that they led to is not to be trusted with requests.
    pub(crate) fn clear(&self) {
        let all = mem::take(&mut *self.stack.lock());
        drop(all);
    }

    /// Drops those that lead to an address which isn't `wanted`.
    pub(crate) fn keep_only(&self, wanted: impl Fn(SocketAddr) -> bool) {
        let mut stack = self.stack.lock();
        let (stay, gone) = mem::take(&mut *stack)
            .into_iter()
            .partition::<VecDeque<_>, _>(|idle: &Idle| wanted(idle.kept.address));
        *stack = stay;
        drop(stack);
        drop(gone);
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.stack.lock().len()
    }
}

#[cfg(test)]
mod tests;
