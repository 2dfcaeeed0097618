//! What LAPI was told, and what it is to be told next.

use std::collections::BTreeMap;
use std::time::Duration;

use palisade_vocabulary::Tick;
use parking_lot::Mutex;

use super::UsageTotals;
use super::document::Window;

/// What LAPI was told so far. One for the process: it outlives reporters, so that a reload loses
/// nothing. Its size is that of the totals, whatever LAPI takes or doesn't.
#[derive(Debug)]
pub struct UsageLedger {
    told: Mutex<Told>,
    /// Held while a report is on its way.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Told {
    /// The counters as they were in the last report that LAPI took.
    totals: UsageTotals,
    /// When that report was made; before the first, when the process began.
    at: Tick,
    /// The end of the last window that was opened, taken or not.
    last_end: u64,
}

/// A report on its way: what LAPI is told, and what it then knows.
pub(super) struct Opened {
    pub(super) window: Window,
    /// Counters are what was added since the last report that LAPI took.
    pub(super) added: UsageTotals,
    totals: UsageTotals,
    at: Tick,
}

impl UsageLedger {
    /// One of a process that began at the tick `started` and has told nothing.
    #[must_use]
    pub fn new(started: Tick) -> Self {
        Self {
            told: Mutex::new(Told {
                totals: UsageTotals::default(),
                at: started,
                last_end: 0,
            }),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Waits until no report is on its way, and keeps others from it: two at once would tell the
    /// same. A reload's new reporter meets the old one's here.
    pub(super) async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Begins a report of `totals`, made at the tick `now` and at `unix_seconds` by the wall clock.
    /// No two reports end at the same second, though the wall clock may stand still or go back.
    pub(super) fn open(&self, totals: UsageTotals, now: Tick, unix_seconds: u64) -> Opened {
        let mut told = self.told.lock();
        let end = unix_seconds.max(told.last_end.saturating_add(1));
        told.last_end = end;
        let added = UsageTotals {
            processed: added(&totals.processed, &told.totals.processed),
            dropped: added(&totals.dropped, &told.totals.dropped),
            active_decisions: totals.active_decisions.clone(),
        };
        let window = Window {
            end_unix_seconds: end,
            seconds: whole_seconds(now.since(told.at)),
        };
        Opened {
            window,
            added,
            totals,
            at: now,
        }
    }

    /// LAPI took a report: what was in it is not told again.
    pub(super) fn taken(&self, report: Opened) {
        let mut told = self.told.lock();
        told.totals = UsageTotals {
            active_decisions: BTreeMap::new(),
            ..report.totals
        };
        told.at = report.at;
    }
}

/// What `now` has over `before`, by key; what is the same is left out.
fn added<K: Ord + Clone>(now: &BTreeMap<K, u64>, before: &BTreeMap<K, u64>) -> BTreeMap<K, u64> {
    let added = now.iter().map(|(key, total)| {
        let known = before.get(key).copied().unwrap_or_default();
        (key.clone(), total.saturating_sub(known))
    });
    added.filter(|(_, added)| *added > 0).collect()
}

/// At least one: a window without length is none.
fn whole_seconds(duration: Duration) -> u64 {
    let rounded = duration.saturating_add(Duration::from_millis(500));
    rounded.as_secs().max(1)
}
