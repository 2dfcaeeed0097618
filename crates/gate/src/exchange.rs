//! One request on its way through the checks.

mod protected;

use std::ops::ControlFlow;

use palisade_access::{Action, Rule};
use palisade_decisions::Version;
use palisade_vocabulary::{FailurePolicy, Mode, RequestView, SkippableCheck, Tick};
use smallvec::SmallVec;

use crate::rules::Rules;
use crate::{
    Authentication, Cause, ClientCertificate, Positions, Record, RecordKind, Refusal, Site,
    Snapshot, State, Verdict,
};

/// One request on its way through the checks.
///
/// One method a check; each says whether the request goes on. Hot path: the checks run per request
/// and allocate nothing, unless something is refused or recorded.
pub struct Exchange<'a> {
    snapshot: &'a Snapshot,
    state: &'a State,
    decisions: &'a Version,
    site: &'a Site,
    view: RequestView<'a>,
    now: Tick,
    scratch: &'a mut Scratch,
    access: Option<AccessOutcome<'a>>,
    obeys_decisions: bool,
    certificate: Option<&'a ClientCertificate>,
    /// It is sent to https, whatever the checks of credentials would say.
    is_redirected: bool,
    /// The protected paths that it is for.
    protected_by: Positions,
    is_locked_out: bool,
    authentication: Authentication,
    records: SmallVec<[Record; 1]>,
}

/// What the checks have to say of a request beside their verdict.
#[derive(Debug, Default)]
pub struct Heard {
    /// What they want the operator to know, though the request went on.
    pub records: SmallVec<[Record; 1]>,
    /// The protected paths of its site that it is for.
    pub protected_by: Positions,
    /// Who sent it.
    pub authentication: Authentication,
}

/// Memory that evaluation needs, kept from request to request.
#[derive(Debug, Default)]
pub struct Scratch {
    access: palisade_access::Scratch,
}

/// What the access rules decided.
#[derive(Clone, Copy)]
struct AccessOutcome<'a> {
    decided: Option<&'a Rule>,
}

impl<'a> Exchange<'a> {
    /// A request for `site` at the beginning of its checks. `decisions`: the version that said where
    /// the client's place is asked for.
    #[must_use]
    pub fn new(
        snapshot: &'a Snapshot,
        state: &'a State,
        decisions: &'a Version,
        site: &'a Site,
        view: RequestView<'a>,
        now: Tick,
        scratch: &'a mut Scratch,
    ) -> Self {
        Self {
            snapshot,
            state,
            decisions,
            site,
            view,
            now,
            scratch,
            access: None,
            obeys_decisions: false,
            certificate: None,
            is_redirected: false,
            protected_by: Positions::new(),
            is_locked_out: false,
            authentication: Authentication::Nobody,
            records: SmallVec::new(),
        }
    }

    /// The certificate that the client has shown on its connection.
    #[must_use]
    pub fn with_certificate(self, certificate: Option<&'a ClientCertificate>) -> Self {
        Self {
            certificate,
            ..self
        }
    }

    /// A request that is sent to https if no check refuses it. Nobody is asked for a password then that
    /// would come over plain HTTP.
    #[must_use]
    pub fn redirected(self, is_redirected: bool) -> Self {
        Self {
            is_redirected,
            ..self
        }
    }

    /// Trusted clients pass everything that follows.
    pub fn check_trusted(&mut self) -> ControlFlow<Verdict> {
        match self.snapshot.trusted_clients.contains(self.view.client.ip) {
            true => ControlFlow::Break(Verdict::Trusted),
            false => ControlFlow::Continue(()),
        }
    }

    /// The strongest remedy over the address, every containing range, AS and country.
    pub fn check_decisions(&mut self) -> ControlFlow<Verdict> {
        if self.skips(SkippableCheck::Decisions) {
            return ControlFlow::Continue(());
        }
        self.obeys_decisions = true;
        self.check_freshness()?;
        let (client, place) = (self.view.client.ip, &self.view.place);
        let decided = self
            .snapshot
            .decided(self.decisions, client, place, self.now);
        if let Some(found) = decided.would_refuse {
            self.record(RecordKind::WouldRefuse, Cause::Decision(found), None);
        }
        match decided.refuses {
            Some(found) => self.refuse(Cause::Decision(found), None),
            None => ControlFlow::Continue(()),
        }
    }

    /// The operator's rules, global then the site's. A site's rule can't undo a global block.
    pub fn check_access(&mut self) -> ControlFlow<Verdict> {
        if self.site.settings.mode == Mode::Off {
            return ControlFlow::Continue(());
        }
        let Some(rule) = self.access_outcome().decided else {
            return ControlFlow::Continue(());
        };
        let Action::Block { status } = rule.action else {
            return ControlFlow::Continue(());
        };
        let cause = Cause::Rule {
            id: rule.id.clone(),
            reason: rule.reason.clone(),
        };
        let status = status.map(|status| status.as_u16());
        if self.site.settings.mode == Mode::Detect {
            self.record(RecordKind::WouldRefuse, cause, status);
            return ControlFlow::Continue(());
        }
        self.refuse(cause, status)
    }

    /// Whether decisions were asked about: a decision that comes later ends a long answer then.
    #[must_use]
    pub fn obeys_decisions(&self) -> bool {
        self.obeys_decisions
    }

    /// Whether SecLang rules look at the request, for all that the checks know of it: an `allow` rule may say
    /// that they don't.
    pub fn goes_to_waf(&mut self) -> bool {
        !self.skips(SkippableCheck::Waf)
    }

    /// What the checks have to say beside their verdict.
    #[must_use]
    pub fn into_heard(self) -> Heard {
        Heard {
            records: self.records,
            protected_by: self.protected_by,
            authentication: self.authentication,
        }
    }

    /// With `on_failure: closed`, nobody passes on decisions that are too old.
    fn check_freshness(&mut self) -> ControlFlow<Verdict> {
        let policy = &self.snapshot.decisions;
        if policy.on_failure == FailurePolicy::Open || policy.mode != Mode::Block {
            return ControlFlow::Continue(());
        }
        match self.state.crowdsec.silent_for(self.now) {
            Some(silence) if silence > policy.stale_after => {
                ControlFlow::Break(Verdict::Refuse(Refusal {
                    status: 503,
                    cause: Cause::DecisionsStale,
                }))
            }
            _ => ControlFlow::Continue(()),
        }
    }

    /// Whether an `allow` rule that the request matches names `check` in its `skip`.
    fn skips(&mut self, check: SkippableCheck) -> bool {
        // Asked before the access rules' own turn; their words are computed once either way.
        if !self.may_skip(check) || self.site.settings.mode == Mode::Off {
            return false;
        }
        match self.access_outcome().decided.map(|rule| rule.action) {
            Some(Action::Allow { skip }) => skip.contains(check),
            _ => false,
        }
    }

    fn may_skip(&self, check: SkippableCheck) -> bool {
        self.snapshot.access.may_skip(check) || self.site.access.may_skip(check)
    }

    fn access_outcome(&mut self) -> AccessOutcome<'a> {
        if let Some(outcome) = self.access {
            return outcome;
        }
        let decided = self.evaluate(&self.snapshot.access);
        let decided = decided.or_else(|| self.evaluate(&self.site.access));
        let outcome = AccessOutcome { decided };
        self.access = Some(outcome);
        outcome
    }

    /// The rule that blocks or allows; what only records is noted on the way.
    fn evaluate(&mut self, rules: &'a Rules) -> Option<&'a Rule> {
        if rules.is_empty() {
            return None;
        }
        let ruling = rules.set().evaluate(&self.view, &mut self.scratch.access);
        for rule in ruling.recorded() {
            let (kind, status) = match rule.action {
                Action::Block { status } => (RecordKind::WouldRefuse, status),
                Action::Log => (RecordKind::Logged, None),
                Action::Allow { .. } => continue,
            };
            let status = status.map_or(self.snapshot.blocking.status, |status| status.as_u16());
            self.records.push(Record {
                kind,
                status,
                cause: Cause::Rule {
                    id: rule.id.clone(),
                    reason: rule.reason.clone(),
                },
            });
        }
        ruling.decided
    }

    fn record(&mut self, kind: RecordKind, cause: Cause, status: Option<u16>) {
        let status = status.unwrap_or(self.snapshot.blocking.status);
        self.records.push(Record {
            kind,
            status,
            cause,
        });
    }

    fn refuse(&self, cause: Cause, status: Option<u16>) -> ControlFlow<Verdict> {
        let status = status.unwrap_or(self.snapshot.blocking.status);
        ControlFlow::Break(Verdict::Refuse(Refusal { status, cause }))
    }
}
