//! Typed events to access log, decision log and metrics.
//!
//! Layer 3. The request path hands over borrowed events; nothing here decides anything, and
//! nothing here makes a request wait: a sink that is full or broken loses lines, counted.

mod event;
mod settings;
mod time;

pub use event::{
    AccessEvent, Cause, Check, DecisionEvent, DecisionMode, MatchedDecision, Outcome, RequestLine,
    Subject,
};
pub use settings::{AccessFormat, AccessLogSettings, LogSettings, Sink};
pub use time::WallTime;
