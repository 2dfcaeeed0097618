//! Typed events to access log, decision log and metrics.
//!
//! Layer 3. The request path hands over borrowed events; nothing here decides anything, and
//! nothing here makes a request wait: a sink that is full or broken loses lines, counted.
//!
//! - [`AccessEvent`] and [`DecisionEvent`]: what happened, in plain words.
//! - [`Telemetry`]: the one door; writes events to the logs of [`LogSettings`], and counts them.
//! - [`Metrics`]: typed handles, and their text for Prometheus.
//! - [`OperatorLog`]: starts, reloads and changes of state, on standard error.

mod audit;
mod event;
mod format;
mod metrics;
mod report;
mod settings;
mod shadow;
mod sink;
mod telemetry;
mod time;

pub use audit::{AuditContent, AuditEvent, AuditMessage, AuditOutcome, Field};
pub use event::{
    AccessEvent, Cause, Check, DecisionEvent, DecisionMode, MatchedDecision, Outcome, RequestLine,
    Subject, WafCause,
};
pub use format::LINE_BYTES_MAX;
pub use metrics::{
    AuthenticationMetrics, BackendProtocol, ConnectionMetrics, DecisionCount, GeoDatabase,
    GeoMetrics, HandshakeFailure, LapiMetrics, ListReading, MetricLabels, Metrics, MetricsError,
    RuleMetrics, ServerGauges, ShadowMetrics, SinkMetrics, SlotRefusal, SnapshotMetrics,
    StreamRefusal, UpstreamMetrics,
};
pub use report::{Fields, Level, OperatorLog, Report};
pub use settings::{
    AccessFormat, AccessLogSettings, AuditFormat, AuditLogSettings, AuditParts, LogSettings, Sink,
};
pub use shadow::{
    ShadowDifference, ShadowEvent, ShadowRule, ShadowSide, ShadowSkip, ShadowSummary,
};
pub use sink::{LogWriter, NotFlushed, SinkError};
pub use telemetry::{Telemetry, TelemetryError};
pub use time::WallTime;
