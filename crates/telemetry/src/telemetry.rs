//! The one door through which events go to logs and metrics.

use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::metrics::{Metrics, MetricsError};
use crate::report::Report;
use crate::sink::{LogWriter, NotFlushed, SinkError};
use crate::{
    AccessEvent, AccessFormat, AuditEvent, AuditLogSettings, DecisionEvent, LogSettings,
    ShadowEvent, ShadowSummary, Sink, WallTime,
};

/// Why logs can't be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// A sink can't be opened.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// The metrics of a sink can't be made.
    #[error(transparent)]
    Metrics(#[from] MetricsError),
}

/// Writes events to the logs that the settings name, and counts them.
pub struct Telemetry {
    metrics: Arc<Metrics>,
    reporter: Arc<dyn Report>,
    access: Option<(AccessFormat, Arc<LogWriter>)>,
    decisions: Option<Arc<LogWriter>>,
    audit: Option<(AuditLogSettings, Arc<LogWriter>)>,
    shadow: Option<Arc<LogWriter>>,
}

impl Telemetry {
    /// Opens the logs.
    ///
    /// # Errors
    /// A sink can't be opened; none is kept open then.
    pub fn open(
        settings: &LogSettings,
        metrics: Arc<Metrics>,
        reporter: Arc<dyn Report>,
    ) -> Result<Self, TelemetryError> {
        let nothing = Self {
            metrics,
            reporter,
            access: None,
            decisions: None,
            audit: None,
            shadow: None,
        };
        nothing.reloaded(settings)
    }

    /// Opens the logs of new settings. A sink that these use too is used on, so that no line of it
    /// is lost or out of order; what only the old settings use is written out and closed when the
    /// last request drops them.
    ///
    /// # Errors
    /// As [`Self::open`]; the old logs are as they were.
    pub fn reloaded(&self, settings: &LogSettings) -> Result<Self, TelemetryError> {
        let mut writers: Vec<Arc<LogWriter>> = self.writers().map(Arc::clone).collect();
        let access = match &settings.access {
            Some(access) => Some((access.format, self.writer(&mut writers, &access.sink)?)),
            None => None,
        };
        let decisions = match &settings.decisions {
            Some(sink) => Some(self.writer(&mut writers, sink)?),
            None => None,
        };
        let audit = match &settings.audit {
            Some(audit) => Some((audit.clone(), self.writer(&mut writers, &audit.sink)?)),
            None => None,
        };
        let shadow = match &settings.shadow {
            Some(sink) => Some(self.writer(&mut writers, sink)?),
            None => None,
        };
        Ok(Self {
            metrics: Arc::clone(&self.metrics),
            reporter: Arc::clone(&self.reporter),
            access,
            decisions,
            audit,
            shadow,
        })
    }

    /// The writer of `sink`: each sink has one, so that two logs to one pipe don't cut into each
    /// other's lines.
    fn writer(
        &self,
        writers: &mut Vec<Arc<LogWriter>>,
        sink: &Sink,
    ) -> Result<Arc<LogWriter>, TelemetryError> {
        if let Some(writer) = writers.iter().find(|writer| writer.sink() == sink) {
            return Ok(Arc::clone(writer));
        }
        let metrics = self.metrics.sink(sink)?;
        let writer = Arc::new(LogWriter::open(sink, metrics, Arc::clone(&self.reporter))?);
        writers.push(Arc::clone(&writer));
        Ok(writer)
    }

    fn writers(&self) -> impl Iterator<Item = &Arc<LogWriter>> {
        let access = self.access.iter().map(|(_, writer)| writer);
        let audit = self.audit.iter().map(|(_, writer)| writer);
        let plain = self.decisions.iter().chain(&self.shadow);
        access.chain(plain).chain(audit)
    }

    /// Where the logs go.
    pub fn sinks(&self) -> impl Iterator<Item = &Sink> {
        self.writers().map(|writer| writer.sink())
    }

    /// Counts a finished request, and writes its line into the access log, unless a decision
    /// refused it: see [`Outcome::may_feed_an_agent`](crate::Outcome::may_feed_an_agent).
    ///
    /// Hot path: runs per request, allocates nothing once the thread has written its longest line.
    pub fn observe_request(&self, event: &AccessEvent<'_>) {
        self.metrics.requests.observe(event);
        if let Some((format, writer)) = &self.access
            && event.outcome.may_feed_an_agent()
        {
            submit(writer, |line| format.write_line(event, line));
        }
    }

    /// Counts a refusal, or what would have been one, and writes its line into the decision log.
    ///
    /// Hot path: runs per refused request, allocates nothing once the thread has written its
    /// longest line.
    pub fn observe_decision(&self, event: &DecisionEvent<'_>) {
        self.metrics.decisions.observe(event);
        if let Some(writer) = &self.decisions {
            submit(writer, |line| event.write_line(line));
        }
    }

    /// What the audit log is like; `None` where there is none, for which no event need be made.
    #[must_use]
    pub fn audit_settings(&self) -> Option<&AuditLogSettings> {
        self.audit.as_ref().map(|(settings, _)| settings)
    }

    /// Writes what SecLang rules had to say of a request into the audit log.
    pub fn observe_audit(&self, event: &AuditEvent<'_>) {
        if let Some((settings, writer)) = &self.audit {
            submit(writer, |line| event.write(settings.format, line));
        }
    }

    /// Counts a request of which two sets of rules make different things, and writes its line into the shadow
    /// log.
    pub fn observe_shadow(&self, event: &ShadowEvent<'_>) {
        self.metrics.shadow.disagreed(event.difference);
        if let Some(writer) = &self.shadow {
            submit(writer, |line| event.write_line(line));
        }
    }

    /// Writes what second sets of rules have done into the shadow log.
    pub fn observe_shadow_summary(&self, summary: &ShadowSummary, time: WallTime) {
        if let Some(writer) = &self.shadow {
            submit(writer, |line| summary.write_line(time, line));
        }
    }

    /// The metrics.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// Looks whether log files were rotated, now instead of within a second.
    pub fn reopen(&self) {
        self.writers().for_each(|writer| writer.reopen());
    }

    /// Waits until everything observed so far is written out.
    ///
    /// # Errors
    /// Some of it was not, after `deadline`.
    pub fn flush(&self, deadline: Duration) -> Result<(), NotFlushed> {
        let started = Instant::now();
        let mut bytes = 0;
        for writer in self.writers() {
            let left = deadline.saturating_sub(started.elapsed());
            if let Err(left_over) = writer.flush(left) {
                bytes = left_over.bytes.max(bytes);
            }
        }
        if bytes == 0 {
            Ok(())
        } else {
            Err(NotFlushed { bytes })
        }
    }
}

impl std::fmt::Debug for Telemetry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let writers: Vec<_> = self.writers().collect();
        f.debug_struct("Telemetry")
            .field("writers", &writers)
            .finish_non_exhaustive()
    }
}

/// Writes a line where only this thread does, so that the queue's lock is held for its copy alone.
fn submit(writer: &LogWriter, write: impl FnOnce(&mut Vec<u8>)) {
    thread_local! {
        static LINE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    }
    let mut line = LINE.try_with(Cell::take).unwrap_or_default();
    line.clear();
    write(&mut line);
    writer.submit(&line);
    // An error means that this thread ends: it needs no buffer any more.
    LINE.try_with(|buffer| buffer.set(line)).unwrap_or_default();
}

#[cfg(test)]
mod tests;
