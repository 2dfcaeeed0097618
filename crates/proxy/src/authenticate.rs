//! Verifies credentials, which is slow by design: beside the threads that serve, a few at a time.

use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use palisade_gate::{Authentication, Refusal, Unverified};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::request::Context;

/// The most verifications at a time: each keeps a core busy, and argon2id takes up to 64 MiB. Half of
/// the cores are left to requests.
const AT_WORK_MAX: usize = 4;

/// The most that are at work or wait for it.
const ADMITTED_MAX: usize = 64;

/// The longest that one waits for others.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// Room for verifications. Survives reloads.
#[derive(Debug)]
pub struct Verifications {
    admitted: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
}

/// What came of credentials that had to be verified.
#[derive(Debug)]
pub(crate) enum Verified {
    /// They are this user's.
    User(Arc<str>),
    /// The request is refused.
    Refused(Refusal),
    /// It would be, were its site not in detect mode.
    WouldBeRefused(Refusal),
}

/// There is no room to verify more.
struct Overloaded;

impl Default for Verifications {
    fn default() -> Self {
        let cores = available_parallelism().map_or(1, usize::from);
        Self {
            admitted: Arc::new(Semaphore::new(ADMITTED_MAX)),
            at_work: Arc::new(Semaphore::new((cores / 2).clamp(1, AT_WORK_MAX))),
        }
    }
}

impl Verifications {
    async fn verify(
        &self,
        unverified: &Arc<Unverified>,
    ) -> Result<Result<Arc<str>, Refusal>, Overloaded> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned();
        let admitted = admitted.map_err(|_| Overloaded)?;
        let at_work = timeout(WAIT_MAX, Arc::clone(&self.at_work).acquire_owned());
        let at_work = at_work.await.map_err(|_| Overloaded)?;
        let unverified = Arc::clone(unverified);
        // It keeps its room until it is over, also when nobody waits for it any more.
        let verified = spawn_blocking(move || {
            let _room = (admitted, at_work);
            unverified.verify()
        });
        verified.await.map_err(|_| Overloaded)
    }
}

/// Says that nothing is left to be found out about who sent a request: only [`authenticate`] can make
/// one, and no permit is given without.
pub(crate) struct Known(());

/// Finds out who sent a request, where that takes more than a look.
pub(crate) async fn authenticate(context: &Context<'_>) -> Known {
    let Authentication::Unverified(unverified) = &context.judged.authentication else {
        return Known(());
    };
    let verified = match verify(context, unverified).await {
        Ok(user) => Verified::User(user),
        Err(refusal) if unverified.is_trial() => Verified::WouldBeRefused(refusal),
        Err(refusal) => Verified::Refused(refusal),
    };
    // Nobody else sets it.
    let _ = context.verified.set(verified);
    Known(())
}

async fn verify(context: &Context<'_>, unverified: &Arc<Unverified>) -> Result<Arc<str>, Refusal> {
    let shared = &context.facts.shared;
    let attempt = unverified.begin(&shared.state, shared.clock.now())?;
    match shared.verifications.verify(unverified).await {
        Ok(Ok(user)) => {
            if let Some(attempt) = attempt {
                attempt.succeed();
            }
            unverified.remember(&shared.state, shared.clock.now());
            Ok(user)
        }
        Ok(Err(refusal)) => {
            let locks = attempt.is_some_and(|attempt| attempt.fail(shared.clock.now()));
            if locks {
                shared.metrics.authentication.locks();
            }
            Err(refusal.with_lock(locks))
        }
        Err(Overloaded) => {
            if let Some(attempt) = attempt {
                attempt.cancel();
            }
            Err(unverified.overloaded())
        }
    }
}
