//! The decision table: deltas, overlaps, expiry, scopes, severity
