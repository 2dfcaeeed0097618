//! Connections of clients.

use prometheus::{IntCounter, IntGauge, Result};

use super::family::{By, Registrar};
use super::labels::{HandshakeFailure, SlotRefusal, StreamRefusal};

/// Counts the connections of clients.
pub struct ConnectionMetrics {
    open: IntGauge,
    accepted: IntCounter,
    refused: By<SlotRefusal, IntCounter>,
    evicted: IntCounter,
    stalled: IntCounter,
    requests_evicted: IntCounter,
    streams_refused: By<StreamRefusal, IntCounter>,
    handshake_failures: By<HandshakeFailure, IntCounter>,
}

impl ConnectionMetrics {
    pub(super) fn register(registrar: &Registrar) -> Result<Self> {
        Ok(Self {
            open: registrar.gauge(
                "palisade_connections_open",
                "Connections of clients that are open",
            )?,
            accepted: registrar.counter(
                "palisade_connections_accepted_total",
                "Connections of clients that got a slot",
            )?,
            refused: registrar.counters(
                "palisade_connections_refused_total",
                "Connections closed at once because no slot was free, in total or for their address",
                "slots",
            )?,
            evicted: registrar.counter(
                "palisade_connections_evicted_total",
                "Connections that waited for their client and were closed because another needed the slot",
            )?,
            stalled: registrar.counter(
                "palisade_stalled_answers_total",
                "Answers broken off because the client took nothing of them for too long",
            )?,
            requests_evicted: registrar.counter(
                "palisade_requests_evicted_total",
                "Requests broken off because too many waited for their clients, or others needed their connection",
            )?,
            streams_refused: registrar.counters(
                "palisade_streams_refused_total",
                "Requests over HTTP/2 not begun because their connection or their address had as many as it may",
                "slots",
            )?,
            handshake_failures: registrar.counters(
                "palisade_tls_handshake_failures_total",
                "TLS handshakes of clients that failed",
                "reason",
            )?,
        })
    }

    /// A connection got a slot. Each is to be [`Self::closed`] once.
    pub fn opened(&self) {
        self.accepted.inc();
        self.open.inc();
    }

    /// A connection gave its slot back.
    pub fn closed(&self) {
        self.open.dec();
    }

    /// A connection got no slot.
    pub fn refused(&self, why: SlotRefusal) {
        self.refused.inc(why);
    }

    /// A connection that waited for its client was closed for another.
    pub fn evicted(&self) {
        self.evicted.inc();
    }

    /// An answer was broken off: its client took nothing of it for too long.
    pub fn stalled(&self) {
        self.stalled.inc();
    }

    /// A request was broken off for others: too many waited for their clients.
    pub fn request_evicted(&self) {
        self.requests_evicted.inc();
    }

    /// A request over HTTP/2 was not begun.
    pub fn stream_refused(&self, why: StreamRefusal) {
        self.streams_refused.inc(why);
    }

    /// A TLS handshake failed.
    pub fn handshake_failed(&self, how: HandshakeFailure) {
        self.handshake_failures.inc(how);
    }
}
