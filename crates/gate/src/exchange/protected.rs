//! The checks of protected paths: what is cheap to see first, then lockouts, then credentials.

use std::ops::ControlFlow;
use std::sync::Arc;

use palisade_authentication::{Credentials, Presented};
use palisade_limits::{LockoutKey, Network};
use palisade_vocabulary::{Mode, SkippableCheck};

use super::Exchange;
use crate::credentials::{Asking, refuse_locked};
use crate::{
    Authentication, BasicAuthentication, Cause, CredentialsFault, Demand, ProtectedPath,
    RecordKind, Refusal, Unverified, Verdict,
};

impl<'a> Exchange<'a> {
    /// What the protected paths ask for that a request is for, but credentials: all of them have to be
    /// content. No access rule skips it.
    pub fn check_protected(&mut self) -> ControlFlow<Verdict> {
        if self.site.settings.mode == Mode::Off {
            return ControlFlow::Continue(());
        }
        let site = self.site;
        self.protected_by = site
            .protected
            .matching(&self.view, &mut self.scratch.access);
        let positions = self.protected_by.clone();
        for path in site.protected.at(&positions) {
            let lacking = path
                .demands(&self.view, self.certificate)
                .find(|(_, holds)| !holds);
            if let Some((demand, _)) = lacking {
                let refusal = self.refuse_demand(path, demand);
                self.refuse_or_record(refusal)?;
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether the client is locked out of the protected paths that ask for credentials. It is so with
    /// the right ones too, or a lock would tell them apart.
    pub fn check_limits(&mut self) -> ControlFlow<Verdict> {
        if self.askers().next().is_none() || self.skips(SkippableCheck::Limits) {
            return ControlFlow::Continue(());
        }
        match self.state.lockouts.check(self.lockout_key(), self.now) {
            Ok(()) => ControlFlow::Continue(()),
            Err(locked) => {
                self.is_locked_out = true;
                self.refuse_or_record(refuse_locked(locked, None))
            }
        }
    }

    /// Credentials, where a protected path asks for them: those that were verified a moment ago pass, and
    /// others remain to be verified ([`Authentication::Unverified`]).
    pub fn check_credentials(&mut self) -> ControlFlow<Verdict> {
        if self.is_redirected || self.is_locked_out {
            return ControlFlow::Continue(());
        }
        let Some((path, basic)) = self.askers().next() else {
            return ControlFlow::Continue(());
        };
        let fault = match Presented::read(self.view.headers) {
            Presented::Basic(credentials) => {
                self.authentication = self.authenticate(credentials);
                return ControlFlow::Continue(());
            }
            Presented::Nothing => CredentialsFault::Missing,
            Presented::Malformed => CredentialsFault::Malformed,
        };
        self.refuse_or_record(asking(path, basic).refuse(fault, None))
    }

    /// What is known of credentials that every path is content with that asks for some.
    fn authenticate(&mut self, credentials: Credentials) -> Authentication {
        let verified = &self.state.verified_credentials;
        let mut user = None;
        let mut unknown: Vec<Asking> = Vec::new();
        for (path, basic) in self.askers() {
            let is_same = |earlier: &Asking| earlier.users.is_same_as(&basic.users);
            match verified.recall(&basic.users, &credentials, self.now) {
                Some(name) => user = Some(name),
                None if unknown.iter().any(is_same) => {}
                None => unknown.push(asking(path, basic)),
            }
        }
        let mut unknown = unknown.into_iter();
        let Some(first) = unknown.next() else {
            return user.map_or(Authentication::Nobody, Authentication::User);
        };
        let key = self.lockout_key();
        let counts = !self.skips(SkippableCheck::Limits);
        Authentication::Unverified(Arc::new(Unverified {
            credentials,
            first,
            others: unknown.collect(),
            lockout: counts.then_some((key, self.snapshot.lockout)),
            is_trial: self.is_trial(),
        }))
    }

    /// The protected paths that the request is for and that ask for credentials.
    fn askers(&self) -> impl Iterator<Item = (&'a ProtectedPath, &'a BasicAuthentication)> {
        let paths = self.site.protected.at(&self.protected_by);
        paths.filter_map(|path| Some((path, path.basic_authentication.as_ref()?)))
    }

    fn lockout_key(&self) -> LockoutKey {
        LockoutKey {
            network: Network::of(self.view.client.ip),
            is_trial: self.is_trial(),
        }
    }

    fn is_trial(&self) -> bool {
        self.site.settings.mode == Mode::Detect
    }

    fn refuse_demand(&self, path: &ProtectedPath, demand: Demand) -> Refusal {
        const METHOD_NOT_ALLOWED: u16 = 405;
        let status = match (path.status, demand) {
            (Some(status), _) => status.as_u16(),
            (None, Demand::Method) => METHOD_NOT_ALLOWED,
            (None, _) => self.snapshot.blocking.status,
        };
        let methods = path.methods.as_ref();
        let methods = methods.filter(|_| demand == Demand::Method && status == METHOD_NOT_ALLOWED);
        Refusal {
            status,
            cause: Cause::Protected {
                id: path.rule.id.clone(),
                demand,
                allow: methods.map(|methods| methods.field().clone()),
            },
        }
    }

    fn refuse_or_record(&mut self, refusal: Refusal) -> ControlFlow<Verdict> {
        if self.is_trial() {
            self.record(RecordKind::WouldRefuse, refusal.cause, Some(refusal.status));
            return ControlFlow::Continue(());
        }
        ControlFlow::Break(Verdict::Refuse(refusal))
    }
}

fn asking(path: &ProtectedPath, basic: &BasicAuthentication) -> Asking {
    Asking {
        id: path.rule.id.clone(),
        challenge: basic.challenge.clone(),
        users: Arc::clone(&basic.users),
    }
}
