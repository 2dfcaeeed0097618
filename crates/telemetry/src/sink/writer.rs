//! A bounded queue of lines, and the thread that writes them out.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::SinkError;
use super::output::Output;
use crate::metrics::SinkMetrics;
use crate::report::Report;
use crate::{LINE_BYTES_MAX, Sink};

/// Bytes that wait for the thread; as many again may be in its hands.
const QUEUE_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes worth a write at once.
const BATCH_BYTES: usize = 256 * 1024;
/// How long the thread lets lines gather into one write.
const GATHER: Duration = Duration::from_millis(20);
/// How often the thread looks whether its file was rotated, at most.
const ROTATION_CHECK: Duration = Duration::from_secs(1);
/// Pause after a failed write.
const RETRY: Duration = Duration::from_millis(250);
/// Pause after a write that would block.
const RETRY_BLOCKED: Duration = Duration::from_millis(10);
/// How often one trouble is reported.
const REPORT: Duration = Duration::from_secs(60);
/// Longest that a flush can wait.
const FLUSH_MAX: Duration = Duration::from_secs(3600);

const _: () = assert!(LINE_BYTES_MAX < QUEUE_BYTES_MAX);

/// A sink of lines that makes nobody wait.
///
/// Lines are gathered in a buffer of 4 MiB; one thread swaps it for an empty one and writes it
/// out whole. What comes while the buffer is full is dropped and counted. What could not be
/// written is kept and tried again, so that lines stay whole and in order; after a rotation the
/// new file starts with a whole line.
///
/// Dropping a writer makes its thread write out what it has and end; nothing waits for that. See
/// [`Self::flush`].
pub struct LogWriter {
    sink: Sink,
    shared: Arc<Shared>,
}

struct Shared {
    queue: Mutex<Queue>,
    /// Told when the thread has something to do.
    work: Condvar,
    /// Told when the thread has done something.
    progress: Condvar,
    metrics: SinkMetrics,
}

struct Queue {
    /// Whole lines.
    bytes: Vec<u8>,
    /// Bytes ever taken in.
    accepted: u64,
    /// Of them, bytes that were written out or given up.
    settled: u64,
    /// Write at once, without gathering: somebody waits in `flush`.
    hurry: bool,
    /// Look for a rotation now.
    reopen: bool,
    /// The writer is gone.
    stop: bool,
}

/// A flush that ran out of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{bytes} bytes of log lines could not be written in time")]
pub struct NotFlushed {
    /// Bytes that still wait.
    pub bytes: u64,
}

impl LogWriter {
    /// Opens `sink` and starts its thread.
    ///
    /// # Errors
    /// The file can't be opened for appending, or no thread can be had.
    pub fn open(
        sink: &Sink,
        metrics: SinkMetrics,
        reporter: Arc<dyn Report>,
    ) -> Result<Self, SinkError> {
        Self::start(sink.clone(), Output::open(sink)?, metrics, reporter)
    }

    fn start(
        sink: Sink,
        output: Output,
        metrics: SinkMetrics,
        reporter: Arc<dyn Report>,
    ) -> Result<Self, SinkError> {
        // The whole queue at once: untouched memory costs nothing, and no line waits for a copy.
        let queue = Queue {
            bytes: Vec::with_capacity(QUEUE_BYTES_MAX),
            accepted: 0,
            settled: 0,
            hurry: false,
            reopen: false,
            stop: false,
        };
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue),
            work: Condvar::new(),
            progress: Condvar::new(),
            metrics,
        });
        let mut worker = Worker {
            shared: Arc::clone(&shared),
            output,
            batch: Vec::with_capacity(QUEUE_BYTES_MAX),
            rotation_checked: Instant::now(),
            troubles: Troubles::new(sink.clone(), reporter),
        };
        thread::Builder::new()
            .name("log-writer".to_owned())
            .spawn(move || while worker.run_once() {})
            .map_err(SinkError::Thread)?;
        Ok(Self { sink, shared })
    }

    /// Where the lines go.
    #[must_use]
    pub fn sink(&self) -> &Sink {
        &self.sink
    }

    /// Takes one whole line, its line feed included, or drops it where the queue is full. Whether
    /// it was taken.
    ///
    /// Hot path: runs per request, allocates nothing. The lock is held for a copy of the line, and
    /// the thread, which holds it for a swap of two pointers, is woken once a batch.
    pub fn submit(&self, line: &[u8]) -> bool {
        let mut queue = self.shared.queue.lock();
        let before = queue.bytes.len();
        let after = before.saturating_add(line.len());
        if after > QUEUE_BYTES_MAX {
            drop(queue);
            self.shared.metrics.dropped_lines.inc();
            return false;
        }
        queue.bytes.extend_from_slice(line);
        queue.accepted = queue.accepted.saturating_add(length(line));
        drop(queue);
        if before == 0 || (before < BATCH_BYTES && after >= BATCH_BYTES) {
            self.shared.work.notify_one();
        }
        true
    }

    /// [`Self::submit`], for a line that is not to wait for others. Nobody waits for it either.
    pub(crate) fn submit_urgent(&self, line: &[u8]) {
        if self.submit(line) {
            self.shared.queue.lock().hurry = true;
            self.shared.work.notify_one();
        }
    }

    /// Looks whether the file was rotated, now instead of within a second.
    pub fn reopen(&self) {
        self.shared.queue.lock().reopen = true;
        self.shared.work.notify_one();
    }

    /// Waits until everything taken so far is written out.
    ///
    /// # Errors
    /// Some of it was not, after `deadline` (an hour at most): the disk is full, or nobody reads
    /// the pipe.
    pub fn flush(&self, deadline: Duration) -> Result<(), NotFlushed> {
        let until = Instant::now() + deadline.min(FLUSH_MAX);
        let mut queue = self.shared.queue.lock();
        let goal = queue.accepted;
        queue.hurry = true;
        self.shared.work.notify_one();
        while queue.settled < goal {
            if self
                .shared
                .progress
                .wait_until(&mut queue, until)
                .timed_out()
            {
                let bytes = goal.saturating_sub(queue.settled);
                return if bytes == 0 {
                    Ok(())
                } else {
                    Err(NotFlushed { bytes })
                };
            }
        }
        Ok(())
    }
}

impl fmt::Debug for LogWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogWriter")
            .field("sink", &self.sink)
            .finish_non_exhaustive()
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        self.shared.queue.lock().stop = true;
        self.shared.work.notify_one();
    }
}

/// The thread's side.
struct Worker {
    shared: Arc<Shared>,
    output: Output,
    batch: Vec<u8>,
    rotation_checked: Instant,
    troubles: Troubles,
}

impl Worker {
    /// Writes out one batch. Whether there can be another.
    fn run_once(&mut self) -> bool {
        let stop = self.take_batch();
        self.write_batch();
        let settled = length(&self.batch);
        self.batch.clear();
        let mut queue = self.shared.queue.lock();
        queue.settled = queue.settled.saturating_add(settled);
        drop(queue);
        self.shared.progress.notify_all();
        self.troubles
            .report_losses(self.shared.metrics.dropped_lines.get());
        // Nothing came after the stop: whoever submits holds the writer.
        !stop
    }

    /// Waits for lines, lets some gather, and takes them all. Whether the writer is gone.
    fn take_batch(&mut self) -> bool {
        let mut queue = self.shared.queue.lock();
        while queue.bytes.is_empty() && !queue.reopen && !queue.stop {
            self.shared.work.wait(&mut queue);
        }
        let until = Instant::now() + GATHER;
        while queue.bytes.len() < BATCH_BYTES && !queue.is_urgent() {
            if self.shared.work.wait_until(&mut queue, until).timed_out() {
                break;
            }
        }
        std::mem::swap(&mut queue.bytes, &mut self.batch);
        queue.hurry = false;
        queue.stop
    }

    /// Writes the batch, however often it has to try. Gives up the rest only where the writer is
    /// gone and the sink takes nothing.
    fn write_batch(&mut self) {
        let mut written = 0;
        loop {
            written = self.follow_rotation(written);
            let Some(rest) = self.batch.get(written..).filter(|rest| !rest.is_empty()) else {
                return;
            };
            match self.output.write(rest) {
                Ok(count) => {
                    written = written.saturating_add(count);
                    self.troubles.written();
                }
                Err(error) => {
                    if self.pause_after(&error) {
                        let lost = rest_lines(&self.batch, written);
                        self.shared.metrics.dropped_lines.inc_by(lost);
                        return;
                    }
                }
            }
        }
    }

    /// Looks for a rotation where it is time to. Returns where in the batch to go on: a new file
    /// does not start with the second half of a line.
    fn follow_rotation(&mut self, written: usize) -> usize {
        let asked = std::mem::take(&mut self.shared.queue.lock().reopen);
        if !asked && self.rotation_checked.elapsed() < ROTATION_CHECK {
            return written;
        }
        self.rotation_checked = Instant::now();
        match self.output.follow_rotation() {
            Ok(reopened) => {
                self.troubles.rotation_followed();
                if reopened {
                    self.skip_half_line(written)
                } else {
                    written
                }
            }
            Err(error) => {
                self.shared.metrics.write_errors.inc();
                self.troubles.rotation_failed(&error);
                written
            }
        }
    }

    fn skip_half_line(&self, written: usize) -> usize {
        let (before, rest) = self.batch.split_at_checked(written).unwrap_or_default();
        if before.last().is_none_or(|byte| *byte == b'\n') {
            return written;
        }
        self.shared.metrics.dropped_lines.inc();
        let end = rest.iter().position(|byte| *byte == b'\n');
        end.map_or(self.batch.len(), |end| {
            written.saturating_add(end).saturating_add(1)
        })
    }

    /// Waits a while before the next try. Whether there should be none.
    fn pause_after(&mut self, error: &io::Error) -> bool {
        let pause = if error.kind() == io::ErrorKind::WouldBlock {
            // Nobody would hear of them before the reader reads on.
            let lost = self.shared.metrics.dropped_lines.get();
            self.troubles.report_losses(lost);
            RETRY_BLOCKED
        } else {
            self.shared.metrics.write_errors.inc();
            self.troubles.write_failed(error);
            RETRY
        };
        let until = Instant::now() + pause;
        let mut queue = self.shared.queue.lock();
        while !queue.reopen && !queue.stop {
            if self.shared.work.wait_until(&mut queue, until).timed_out() {
                break;
            }
        }
        queue.stop
    }
}

impl Queue {
    fn is_urgent(&self) -> bool {
        self.hurry || self.reopen || self.stop
    }
}

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}

fn rest_lines(batch: &[u8], written: usize) -> u64 {
    let rest = batch.get(written..).unwrap_or_default();
    rest.iter()
        .fold(0, |lines, byte| lines + u64::from(*byte == b'\n'))
}

/// What goes wrong with a sink, told when it starts and then once a minute.
struct Troubles {
    sink: Sink,
    reporter: Arc<dyn Report>,
    /// When each was last told; for the first two, while it lasts.
    write_told: Option<Instant>,
    rotation_told: Option<Instant>,
    losses_told: Option<Instant>,
    /// Losses that were told.
    lost_lines: u64,
}

impl Troubles {
    fn new(sink: Sink, reporter: Arc<dyn Report>) -> Self {
        Self {
            sink,
            reporter,
            write_told: None,
            rotation_told: None,
            losses_told: None,
            lost_lines: 0,
        }
    }

    fn write_failed(&mut self, error: &io::Error) {
        if is_due(&mut self.write_told) {
            let message = "can't write to the log; its lines wait, and are lost when too many do";
            self.reporter
                .error(TOPIC, message, &[("sink", &self.sink), ("error", error)]);
        }
    }

    fn written(&mut self) {
        if self.write_told.take().is_some() {
            self.reporter
                .info(TOPIC, "the log is written again", &[("sink", &self.sink)]);
        }
    }

    fn rotation_failed(&mut self, error: &io::Error) {
        if is_due(&mut self.rotation_told) {
            let message =
                "can't open the log again after its rotation; still writing to the old file";
            self.reporter
                .error(TOPIC, message, &[("sink", &self.sink), ("error", error)]);
        }
    }

    fn rotation_followed(&mut self) {
        self.rotation_told = None;
    }

    fn report_losses(&mut self, lost_lines: u64) {
        if lost_lines > self.lost_lines && is_due(&mut self.losses_told) {
            let lines = lost_lines.saturating_sub(self.lost_lines);
            self.lost_lines = lost_lines;
            let message = "log lines were lost: the sink was too slow";
            self.reporter
                .warn(TOPIC, message, &[("sink", &self.sink), ("lines", &lines)]);
        }
    }
}

/// The topic of these messages.
const TOPIC: &str = "logs";

/// Whether something may be told again; if so, it counts as told now.
fn is_due(told: &mut Option<Instant>) -> bool {
    let due = told.is_none_or(|told| told.elapsed() >= REPORT);
    if due {
        *told = Some(Instant::now());
    }
    due
}

#[cfg(test)]
mod tests;
