//! What the operator is told on standard error: starts, reloads, changes of state.
//!
//! Nothing that a client does is told here; that is what logs and metrics are for.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use crate::format::push_report_value;
use crate::sink::{LogWriter, SinkError};
use crate::{Sink, SinkMetrics, WallTime};

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Level {
    /// As it should be.
    Info,
    /// Works, with less than it should have.
    Warn,
    /// Doesn't work, or does what nobody wants.
    Error,
}

impl Level {
    fn label(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// The named values of a message.
pub type Fields<'a> = &'a [(&'static str, &'a dyn Display)];

/// Where messages for the operator go.
pub trait Report: Send + Sync {
    /// Tells one message. Messages of one `topic` that come too often may be left out, counted.
    fn report(&self, level: Level, topic: &'static str, message: &str, fields: Fields<'_>);

    /// Waits until what was told is written, for so long at most.
    fn flush(&self, deadline: Duration) {
        let _ = deadline;
    }

    /// [`Self::report`] at [`Level::Info`].
    fn info(&self, topic: &'static str, message: &str, fields: Fields<'_>) {
        self.report(Level::Info, topic, message, fields);
    }

    /// [`Self::report`] at [`Level::Warn`].
    fn warn(&self, topic: &'static str, message: &str, fields: Fields<'_>) {
        self.report(Level::Warn, topic, message, fields);
    }

    /// [`Self::report`] at [`Level::Error`].
    fn error(&self, topic: &'static str, message: &str, fields: Fields<'_>) {
        self.report(Level::Error, topic, message, fields);
    }
}

/// Messages of one topic that may come at once.
const BURST: u32 = 10;
/// After a burst, a topic may speak once in this time.
const REFILL: Duration = Duration::from_secs(10);
/// Longest value of a field, in bytes.
const VALUE_BYTES_MAX: usize = 4 * 1024;

/// How long a message waits for standard error.
const PATIENCE: Duration = Duration::from_millis(100);
/// How long the last messages of a process may take to be written.
const FLUSH_TIME: Duration = Duration::from_secs(1);

/// Messages as lines `time=... level=warn topic=lapi msg="..." url=http://127.0.0.1:8080/`.
///
/// Each line is printable ASCII. A topic may say ten things of a level at once and then one in ten
/// seconds, so that no number of warnings hides an error; `suppressed=N` says how many it could not.
/// Each is written before whoever tells it goes on, as long as standard error takes lines. Where nobody
/// reads it, one message waits a tenth of a second for it and the others don't; what doesn't fit into
/// the queue is dropped and counted.
#[derive(Debug)]
pub struct OperatorLog {
    writer: LogWriter,
    budgets: Mutex<HashMap<(&'static str, Level), Budget>>,
}

impl OperatorLog {
    /// Writes to standard error. What can't be written is counted in `metrics`: there is nobody left
    /// to tell.
    ///
    /// # Errors
    /// There is no standard error, or no thread can be had.
    pub fn stderr(metrics: SinkMetrics) -> Result<Self, SinkError> {
        Self::to(&Sink::Stderr, metrics)
    }

    fn to(sink: &Sink, metrics: SinkMetrics) -> Result<Self, SinkError> {
        Ok(Self {
            writer: LogWriter::open(sink, metrics, Arc::new(Nobody))?,
            budgets: Mutex::default(),
        })
    }
}

impl Drop for OperatorLog {
    fn drop(&mut self) {
        self.flush(FLUSH_TIME);
    }
}

/// Who hears of what is wrong with the operator's own log.
struct Nobody;

impl Report for Nobody {
    fn report(&self, _: Level, _: &'static str, _: &str, _: Fields<'_>) {}
}

impl Report for OperatorLog {
    fn report(&self, level: Level, topic: &'static str, message: &str, fields: Fields<'_>) {
        // Held until the line is in the queue: lines stand in the order of their times.
        let mut budgets = self.budgets.lock();
        let now = Instant::now();
        let budget = budgets
            .entry((topic, level))
            .or_insert_with(|| Budget::full(now));
        let Some(suppressed) = budget.spend(now) else {
            return;
        };
        let time = WallTime::from(SystemTime::now());
        let line = message_line(time, level, topic, message, fields, suppressed);
        // Where earlier lines wait still, nobody reads them.
        let is_stuck = self.writer.flush(Duration::ZERO).is_err();
        self.writer.submit_urgent(&line);
        if !is_stuck {
            self.flush(PATIENCE);
        }
    }

    fn flush(&self, deadline: Duration) {
        // A standard error that nobody reads is nothing to stop for.
        self.writer.flush(deadline).unwrap_or_default();
    }
}

fn message_line(
    time: WallTime,
    level: Level,
    topic: &str,
    message: &str,
    fields: Fields<'_>,
    suppressed: u64,
) -> Vec<u8> {
    let mut line = b"time=".to_vec();
    time.write_rfc3339(&mut line);
    let mut field = |name: &str, value: &str| {
        line.push(b' ');
        line.extend_from_slice(name.as_bytes());
        line.push(b'=');
        push_report_value(&mut line, value.as_bytes(), VALUE_BYTES_MAX);
    };
    field("level", level.label());
    field("topic", topic);
    field("msg", message);
    for (name, value) in fields {
        field(name, &value.to_string());
    }
    if suppressed > 0 {
        field("suppressed", &suppressed.to_string());
    }
    line.push(b'\n');
    line
}

/// What a topic may still say: a token bucket.
#[derive(Debug)]
struct Budget {
    tokens: u32,
    refilled: Instant,
    suppressed: u64,
}

impl Budget {
    fn full(now: Instant) -> Self {
        Self {
            tokens: BURST,
            refilled: now,
            suppressed: 0,
        }
    }

    /// Whether a message may go out at `now`; if so, how many before it could not.
    fn spend(&mut self, now: Instant) -> Option<u64> {
        while self.tokens < BURST && now.duration_since(self.refilled) >= REFILL {
            self.tokens += 1;
            self.refilled += REFILL;
        }
        if self.tokens == BURST {
            self.refilled = now;
        }
        let Some(left) = self.tokens.checked_sub(1) else {
            self.suppressed = self.suppressed.saturating_add(1);
            return None;
        };
        self.tokens = left;
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_one_line_of_ascii() {
        let fields: Fields<'_> = &[
            ("url", &"http://127.0.0.1:8080/"),
            ("error", &"no\n\"route\" \u{e9}"),
        ];
        let line = message_line(
            WallTime::from_unix(1_795_289_545, 0),
            Level::Warn,
            "lapi",
            "CrowdSec does not answer",
            fields,
            3,
        );
        assert_eq!(
            String::from_utf8(line).unwrap(),
            concat!(
                "time=2026-11-21T19:32:25.000000Z level=warn topic=lapi ",
                r#"msg="CrowdSec does not answer" url=http://127.0.0.1:8080/ "#,
                r#"error="no\u000A\"route\" \u00E9" suppressed=3"#,
                "\n"
            )
        );
    }

    #[test]
    fn a_topic_that_repeats_itself_is_told_to_wait() {
        let start = Instant::now();
        let mut budget = Budget::full(start);
        for _ in 0..BURST {
            assert_eq!(budget.spend(start), Some(0));
        }
        assert_eq!(budget.spend(start), None);
        assert_eq!(budget.spend(start + REFILL / 2), None);
        assert_eq!(budget.spend(start + REFILL), Some(2));
        assert_eq!(budget.spend(start + REFILL), None);
        let much_later = start + REFILL * 100;
        assert_eq!(budget.spend(much_later), Some(1));
        for _ in 1..BURST {
            assert_eq!(budget.spend(much_later), Some(0));
        }
        assert_eq!(budget.spend(much_later), None);
    }

    #[test]
    fn topics_and_levels_do_not_take_from_each_other() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let counter = || prometheus::IntCounter::new("test", "test").unwrap();
        let metrics = SinkMetrics {
            dropped_lines: counter(),
            write_errors: counter(),
        };
        let sink = Sink::File(file.path().to_owned());
        let log = OperatorLog::to(&sink, metrics).unwrap();
        for _ in 0..2 * BURST {
            log.error("reload", "bad settings", &[]);
        }
        log.warn("reload", "something else", &[]);
        log.info("start", "ready", &[]);
        drop(log);
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(
            text.matches("level=error topic=reload").count(),
            usize::try_from(BURST).unwrap()
        );
        assert_eq!(text.matches("level=warn topic=reload").count(), 1);
        assert_eq!(
            text.matches("level=info topic=start msg=ready\n").count(),
            1
        );
    }
}
