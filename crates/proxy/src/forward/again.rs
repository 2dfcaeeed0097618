//! A request that a server didn't answer: what that says about the server, and whether it is sent
//! once more.

use palisade_upstream::{InFlight, Need, Server};

use super::Forwarding;
use super::read_ahead::ReadAhead;
use crate::upstream::UpstreamError;

/// How often a request is sent at most, but for [`GOAWAYS_MAX`]. Over HTTP/1 it is twice: the second
/// time on a new connection.
const TRIES_MAX: u8 = 3;

/// How often a request is sent again because the connection that it was on ended before its turn. The
/// first time it goes to the next one that is shared; there may be too many for that one too, so that
/// the second time it gets one of its own, where it is the first.
const GOAWAYS_MAX: u8 = 2;

/// A try that was in vain.
#[derive(Clone, Copy)]
pub(super) struct Lost {
    error: UpstreamError,
    /// A server may close an idle connection just when it is used again (RFC 9112 section 9.3.1).
    /// That says nothing about the server.
    was_idle: bool,
}

impl Lost {
    pub(super) fn new(error: UpstreamError, reused: bool) -> Self {
        Self {
            error,
            was_idle: reused && error.is_break(),
        }
    }
}

/// How often a request was sent again, and why.
#[derive(Default)]
pub(super) struct Tries {
    again: u8,
    goaways: u8,
    was_sent_elsewhere: bool,
}

impl Tries {
    /// Takes one more, if there is one.
    fn take(&mut self) -> bool {
        let is_left = self.again + 1 < TRIES_MAX;
        self.again += u8::from(is_left);
        is_left
    }

    /// The same, for one that a GOAWAY was too early for.
    fn take_goaway(&mut self) -> bool {
        let is_left = self.goaways < GOAWAYS_MAX;
        self.goaways += u8::from(is_left);
        is_left
    }
}

impl Forwarding<'_> {
    /// Holds what happened against the server, if it is the server's fault: not when it has not
    /// waited for a client that took its time to send.
    pub(super) fn hold_against(&self, server: &mut InFlight, lost: Lost, body: &ReadAhead) {
        let is_servers_fault =
            !lost.was_idle && lost.error.blames_server() && (body.is_whole() || self.sent_whole);
        if is_servers_fault && server.failed(self.context.facts.shared.clock.now()) {
            self.backend.metrics().ejected();
        }
    }

    /// Whether the request is sent once more; then `need` says how, and it is counted.
    pub(super) fn goes_again(
        &self,
        lost: Lost,
        server: &InFlight,
        body: &ReadAhead,
        tries: &mut Tries,
        need: &mut Need,
    ) -> bool {
        // RFC 9113 section 8.7: whatever the method.
        if lost.error.is_unprocessed() {
            return body.is_untouched()
                && !self.has_answered
                && self.goes_back(lost, server.server(), tries, need);
        }
        if !lost.error.is_break() || !self.may_try_again(body) {
            return false;
        }
        if lost.was_idle && tries.take() {
            need.reuse = false;
            return self.may_retry();
        }
        // Once at most: a request that breaks servers shall not go round them.
        let is_alone = self.backend.pool().servers().len() < 2;
        let address = server.one_address_of_several().filter(|_| is_alone);
        let is_elsewhere = !is_alone || address.is_some();
        let goes = is_elsewhere && !tries.was_sent_elsewhere && self.may_retry();
        if goes {
            tries.was_sent_elsewhere = true;
            match address {
                Some(address) => (need.but, need.reuse) = (Some(address), false),
                None => need.tried.add(server.server()),
            }
        }
        goes
    }

    /// Whether a request about which nothing was done is sent once more.
    fn goes_back(&self, lost: Lost, server: &Server, tries: &mut Tries, need: &mut Need) -> bool {
        if lost.error == UpstreamError::GoneAway && tries.take_goaway() {
            need.own_connection = tries.goaways == GOAWAYS_MAX;
            self.backend.metrics().retried();
            return true;
        }
        let goes = tries.take() && self.may_retry();
        let now = self.context.facts.shared.clock.now();
        if goes && self.backend.pool().has_another(server, need.tried, now) {
            need.tried.add(server);
        }
        goes
    }

    /// Whether nothing is lost or done twice by sending the request once more, of which the server may
    /// have done something.
    fn may_try_again(&self, body: &ReadAhead) -> bool {
        // RFC 9110 section 9.2.2.
        let is_idempotent = matches!(
            self.context.incoming.method,
            "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE"
        );
        let is_idempotent = is_idempotent && !self.context.incoming.wants_websocket;
        is_idempotent && body.is_untouched() && !self.body_begun && !self.has_answered
    }

    /// Whether the pool's budget has one more second try; takes it.
    fn may_retry(&self) -> bool {
        let metrics = self.backend.metrics();
        let may = self.backend.pool().may_retry();
        if may {
            metrics.retried();
        } else {
            metrics.retry_refused();
        }
        may
    }
}
