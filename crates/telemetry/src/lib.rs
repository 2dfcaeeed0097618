//! Typed events to access log, decision log and metrics
