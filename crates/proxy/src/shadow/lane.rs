//! The queue of requests that wait for a second set of rules, and the thread that works it off.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use palisade_seclang::{CollectionLimits, Collections};
use palisade_telemetry::{ShadowSkip, ShadowSummary};
use palisade_vocabulary::ClientAddr;
use palisade_waf::{Judgement, RuleSet, ShadowCase};

use super::pace::Pace;
use super::tell;
use crate::BodyMemory;
use crate::clock::wall_time;
use crate::shared::Shared;

/// Requests that wait. What they hold is bounded besides.
const QUEUE_MAX: usize = 256;

/// How often it is told what was done, where anything was.
const SUMMARY_INTERVAL: Duration = Duration::from_secs(60);

/// The way of requests to a second set of rules, beside that of all others. Survives reloads.
#[derive(Debug)]
pub struct ShadowLane {
    began: Instant,
    /// There once somebody works it off.
    queue: OnceLock<SyncSender<Message>>,
    pace: Pace,
    memory: Arc<BodyMemory>,
    /// Records that second sets keep: never those of the active ones.
    collections: Arc<Collections>,
    is_stopping: AtomicBool,
}

/// A request that waits.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) case: ShadowCase,
    pub(super) rules: Arc<RuleSet>,
    pub(super) active: Judgement,
    pub(super) subject: Subject,
    pub(super) _held: crate::body_memory::Held,
}

/// What is told of a request beside what rules made of it.
#[derive(Debug)]
pub(super) struct Subject {
    pub(super) client: ClientAddr,
    pub(super) host: Box<str>,
    pub(super) site: Box<str>,
}

#[derive(Debug)]
enum Message {
    Judge(Box<Waiting>),
    /// Wakes whoever waits: the process ends.
    Stop,
}

/// The other end of the queue.
#[derive(Debug)]
pub struct Samples(Receiver<Message>);

impl Default for ShadowLane {
    fn default() -> Self {
        Self {
            began: Instant::now(),
            queue: OnceLock::new(),
            pace: Pace::default(),
            memory: Arc::default(),
            collections: Arc::new(Collections::new(CollectionLimits::default())),
            is_stopping: AtomicBool::new(false),
        }
    }
}

impl ShadowLane {
    /// Opens the lane, the first time: whoever gets the samples is to work them off ([`Samples::work_off`]).
    pub fn open(&self) -> Option<Samples> {
        let (queue, samples) = sync_channel(QUEUE_MAX);
        self.queue.set(queue).ok()?;
        Some(Samples(samples))
    }

    /// Lets go of what waits: whoever works it off ends with what it is at.
    pub fn stop(&self) {
        self.is_stopping.store(true, Ordering::Relaxed);
        if let Some(queue) = self.queue.get() {
            // Where it is full nobody has to be woken.
            let _ = queue.try_send(Message::Stop);
        }
    }

    /// The memory of what is held for second sets.
    #[must_use]
    pub fn memory(&self) -> &Arc<BodyMemory> {
        &self.memory
    }

    /// Whether the budget had room at that time. Hot path: runs per sampled request, allocates nothing.
    pub(super) fn has_room(&self, at: Instant) -> bool {
        self.pace.has_room(self.since(at))
    }

    fn since(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.began)
    }

    /// Never waits.
    pub(super) fn hand_over(&self, waiting: Waiting) -> Result<(), ShadowSkip> {
        let queue = self.queue.get().ok_or(ShadowSkip::Stopping)?;
        let message = Message::Judge(Box::new(waiting));
        queue.try_send(message).map_err(|error| match error {
            TrySendError::Full(_) => ShadowSkip::QueueFull,
            TrySendError::Disconnected(_) => ShadowSkip::Stopping,
        })
    }
}

impl Samples {
    /// Judges what comes, until the lane is stopped, and tells what the sets make different things of.
    /// `processor_time`: how much this thread has used so far.
    pub fn work_off(self, shared: &Shared, processor_time: fn() -> Duration) {
        let lane = &shared.rules.shadow;
        let mut told = Told {
            shared,
            until: ShadowSummary::default(),
            next: Instant::now() + SUMMARY_INTERVAL,
        };
        while !lane.is_stopping.load(Ordering::Relaxed) {
            match self.0.recv_timeout(told.left()) {
                Ok(Message::Judge(waiting)) => judge(&waiting, shared, processor_time),
                Ok(Message::Stop) => break,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if told.left().is_zero() {
                told.tell();
            }
        }
        for message in self.0.try_iter() {
            if let Message::Judge(_) = message {
                shared.metrics.shadow.skipped(ShadowSkip::Stopping);
            }
        }
        told.tell();
    }
}

fn judge(waiting: &Waiting, shared: &Shared, processor_time: fn() -> Duration) {
    let (lane, metrics) = (&shared.rules.shadow, &shared.metrics.shadow);
    let began = Instant::now();
    if !lane.has_room(began) {
        return metrics.skipped(ShadowSkip::Budget);
    }
    let used_before = processor_time();
    let judged = waiting.case.judge(&waiting.rules, &lane.collections);
    let used = processor_time().saturating_sub(used_before);
    let generation = shared.generation.load();
    lane.pace
        .spend(lane.since(began), used, generation.shadow.budget);
    let Ok(shadow) = judged else {
        return metrics.skipped(ShadowSkip::BodyUnread);
    };
    metrics.evaluated();
    tell::tell(&generation.telemetry, waiting, &shadow);
}

/// What was summed up.
struct Told<'s> {
    shared: &'s Shared,
    until: ShadowSummary,
    next: Instant,
}

impl Told<'_> {
    fn left(&self) -> Duration {
        self.next.saturating_duration_since(Instant::now())
    }

    fn tell(&mut self) {
        self.next = Instant::now() + SUMMARY_INTERVAL;
        let now = self.shared.metrics.shadow.summary();
        let done = now.since(&self.until);
        self.until = now;
        if !done.is_empty() {
            let generation = self.shared.generation.load();
            generation
                .telemetry
                .observe_shadow_summary(&done, wall_time());
        }
    }
}
