//! What the operator is told on standard error: starts, reloads, changes of state.
//!
//! Nothing that a client does is told here; that is what logs and metrics are for.

use std::collections::HashMap;
use std::fmt::{self, Display};
use std::io::{self, Write};
use std::time::{Duration, Instant, SystemTime};

use parking_lot::Mutex;

use crate::WallTime;
use crate::format::push_report_value;

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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

/// Messages as lines `time=... level=warn topic=lapi msg="..." url=http://127.0.0.1:8080/`.
///
/// Each line is printable ASCII, written at once. A topic may say ten things at once and then one
/// in ten seconds; `suppressed=N` says how many it could not.
pub struct OperatorLog {
    inner: Mutex<Inner>,
}

struct Inner {
    out: Box<dyn Write + Send>,
    budgets: HashMap<&'static str, Budget>,
}

impl OperatorLog {
    /// Writes to standard error.
    #[must_use]
    pub fn stderr() -> Self {
        Self::new(Box::new(io::stderr()))
    }

    /// Writes to `out`. What can't be written is lost: there is nobody left to tell.
    #[must_use]
    pub fn new(out: Box<dyn Write + Send>) -> Self {
        let inner = Inner {
            out,
            budgets: HashMap::new(),
        };
        Self {
            inner: Mutex::new(inner),
        }
    }
}

impl fmt::Debug for OperatorLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorLog").finish_non_exhaustive()
    }
}

impl Report for OperatorLog {
    fn report(&self, level: Level, topic: &'static str, message: &str, fields: Fields<'_>) {
        let mut inner = self.inner.lock();
        let now = Instant::now();
        let budget = inner
            .budgets
            .entry(topic)
            .or_insert_with(|| Budget::full(now));
        let Some(suppressed) = budget.spend(now) else {
            return;
        };
        let time = WallTime::from(SystemTime::now());
        let line = message_line(time, level, topic, message, fields, suppressed);
        // A broken standard error is nothing to stop for.
        inner
            .out
            .write_all(&line)
            .and_then(|()| inner.out.flush())
            .unwrap_or_default();
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
    fn topics_do_not_take_from_each_other() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let log = OperatorLog::new(Box::new(file.reopen().unwrap()));
        for _ in 0..2 * BURST {
            log.error("reload", "bad settings", &[]);
        }
        log.info("start", "ready", &[]);
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(
            text.matches("topic=reload").count(),
            usize::try_from(BURST).unwrap()
        );
        assert_eq!(
            text.matches("level=info topic=start msg=ready\n").count(),
            1
        );
    }
}
