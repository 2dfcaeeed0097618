//! The answer, from its head to its end at the client.

use std::time::Instant;

use http::StatusCode;
use palisade_upstream::InFlight;
use tokio::task::unconstrained;

use super::{Failure, Forwarding, Sent};
use crate::downstream::{Downstream, Gone};
use crate::request::RECHECK_INTERVAL;
use crate::upstream::Upstream;
use crate::{outgoing, tunnel};

impl Forwarding<'_> {
    /// Passes the answer on, from its head to its end.
    pub(super) async fn pass_on(
        &self,
        mut upstream: Upstream,
        server: InFlight,
        downstream: &mut Downstream<'_>,
    ) -> Result<Sent, Failure> {
        let Some(head) = upstream.head() else {
            return Err(Failure::Backend { status: 502 });
        };
        let mut head = Box::new(head.clone());
        let mut sent = Sent {
            status: head.status.as_u16(),
            bytes: 0,
            www_authenticate: head.headers.get(http::header::WWW_AUTHENTICATE).cloned(),
        };
        if head.status == StatusCode::SWITCHING_PROTOCOLS {
            outgoing::upgrade_head(self.context, &mut head);
            downstream.send_head(head, false).await?;
            let end = tunnel::run(self.context, upstream.into_session(), downstream).await;
            sent.bytes = end.bytes_to_client;
            return match end.banned_by {
                Some(cause) => Err(Failure::Banned(sent, cause)),
                None => Ok(sent),
            };
        }
        let has_body = outgoing::answer_head(self.context, &mut head);
        let ends = !has_body || upstream.body_done();
        self.context.end_if_draining(downstream);
        if downstream.send_head(head, ends).await.is_err() {
            return Err(Failure::ClientGone(sent));
        }
        if has_body {
            self.pass_body_on(&mut upstream, downstream, &mut sent)
                .await?;
        }
        let finished = downstream.finish().await;
        if self.sent_whole {
            let now = self.context.facts.shared.clock.now();
            upstream.keep(server, now).await;
        }
        match finished {
            Ok(()) => Ok(sent),
            Err(Gone) => Err(Failure::ClientGone(sent)),
        }
    }

    /// Passes the answer's body on, to its end or until the client is banned.
    async fn pass_body_on(
        &self,
        upstream: &mut Upstream,
        downstream: &mut Downstream<'_>,
        sent: &mut Sent,
    ) -> Result<(), Failure> {
        let cause = tokio::select! {
            biased;
            passed = self.pass_body(upstream, downstream, sent) => return passed,
            // For a body that pauses; one that always has more looks at the time itself.
            cause = unconstrained(self.context.until_banned()) => cause,
        };
        Err(Failure::Banned(sent.clone(), cause))
    }

    async fn pass_body(
        &self,
        upstream: &mut Upstream,
        downstream: &mut Downstream<'_>,
        sent: &mut Sent,
    ) -> Result<(), Failure> {
        let mut recheck_at = Instant::now() + RECHECK_INTERVAL;
        loop {
            let watches = downstream.body_done();
            let part = tokio::select! {
                biased;
                part = upstream.read_body() => part,
                () = downstream.gone(), if watches => return Err(Failure::ClientGone(sent.clone())),
            };
            match part {
                Ok(Some(part)) => {
                    if downstream.send_body(part).await.is_err() {
                        return Err(Failure::ClientGone(sent.clone()));
                    }
                    sent.bytes += part.len() as u64;
                }
                Ok(None) => return Ok(()),
                Err(_) => return Err(Failure::AnswerBroken(sent.clone())),
            }
            let now = Instant::now();
            if now >= recheck_at {
                recheck_at = now + RECHECK_INTERVAL;
                if let Some(cause) = self.context.banned_by() {
                    return Err(Failure::Banned(sent.clone(), cause));
                }
            }
        }
    }
}
