//! What each thread keeps for the rules that it runs.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use palisade_seclang::{Collections, Worker, WorkerOptions};

use crate::{RuleSet, stopwatch, system_clock};

/// The most sets that a thread keeps memory for: those that it ran last. One takes up to about 3 MiB.
const WORKERS_MAX: usize = 16;

thread_local! {
    /// The one that ran last is last.
    static WORKERS: RefCell<Vec<Kept>> = const { RefCell::new(Vec::new()) };
}

struct Kept {
    rules: Weak<RuleSet>,
    worker: Box<Worker>,
}

/// The engine has a defect, of which standard error tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Panicked {
    /// The rule that was asked.
    pub(crate) rule: Option<u64>,
}

/// Does `work` with this thread's memory for `rules`. Where that panics, the memory is given up.
///
/// Hot path: runs for each phase; allocates nothing for a set that this thread has run lately.
pub(crate) fn with_worker<T>(
    rules: &Arc<RuleSet>,
    collections: &Arc<Collections>,
    work: impl FnOnce(&mut Worker) -> T,
) -> Result<T, Panicked> {
    let mut kept = take(rules).unwrap_or_else(|| Kept::new(rules, collections));
    let done = catch_unwind(AssertUnwindSafe(|| work(&mut kept.worker)));
    let done = done.map_err(|_| Panicked {
        rule: kept.worker.asked_rule(),
    })?;
    WORKERS.with_borrow_mut(|workers| workers.push(kept));
    Ok(done)
}

fn take(rules: &Arc<RuleSet>) -> Option<Kept> {
    WORKERS.with_borrow_mut(|workers| {
        let is_for = |kept: &Kept| std::ptr::eq(kept.rules.as_ptr(), Arc::as_ptr(rules));
        let at = workers.iter().rposition(is_for)?;
        Some(workers.remove(at))
    })
}

impl Kept {
    /// New memory; that of sets which settings no longer have goes, and that of the one least lately run
    /// where there are too many.
    #[cold]
    fn new(rules: &Arc<RuleSet>, collections: &Arc<Collections>) -> Self {
        WORKERS.with_borrow_mut(|workers| {
            workers.retain(|kept| kept.rules.strong_count() > 0);
            if workers.len() >= WORKERS_MAX {
                workers.remove(0);
            }
        });
        let options = WorkerOptions {
            stopwatch,
            collections: Some(Arc::clone(collections)),
            countries: rules.countries().cloned(),
            ..WorkerOptions::new(system_clock)
        };
        Self {
            rules: Arc::downgrade(rules),
            worker: Box::new(Worker::new(Arc::clone(rules.program()), options)),
        }
    }
}

#[cfg(test)]
pub(crate) fn kept_by_this_thread() -> usize {
    WORKERS.with_borrow(Vec::len)
}
