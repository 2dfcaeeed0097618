//! Actions as what a rule is and does.

use super::Lowering;
use crate::MacroText;
use crate::compile::assembly::{Draft, Drafts};
use crate::compile::tx_sources::canonical_integer;
use crate::program::{Change, Effect, Operand, Outcome, Source};
use crate::syntax::{self, Action, Disruptive, Place, Severity, VariableName};

/// `deny` without `status` (reference manual, "status").
const STATUS_DENY: u16 = 403;
/// `redirect` without `status`.
const STATUS_REDIRECT: u16 = 302;

/// What there is one of, the rule's own words before those of `SecDefaultAction`.
#[derive(Default)]
pub(in crate::compile) struct Singles<'d> {
    pub(super) message: Option<&'d MacroText>,
    pub(super) log_data: Option<&'d MacroText>,
    pub(in crate::compile) severity: Option<u8>,
    pub(super) tags: Vec<&'d MacroText>,
    pub(super) revision: Option<&'d [u8]>,
    pub(super) version: Option<&'d [u8]>,
    pub(super) maturity: Option<u8>,
    pub(super) accuracy: Option<u8>,
    pub(in crate::compile) is_logged: bool,
    pub(in crate::compile) is_audit_logged: bool,
    status: Option<u16>,
    disruptive: Option<&'d Disruptive>,
    /// What `block` means.
    default_disruptive: Option<&'d Disruptive>,
    place: Option<&'d Place>,
}

impl<'d> Singles<'d> {
    pub(in crate::compile) fn of(draft: &'d Draft) -> Self {
        // ModSecurity 2 logs unless told otherwise.
        let mut singles = Self {
            is_logged: true,
            is_audit_logged: true,
            place: Some(&draft.place),
            ..Self::default()
        };
        for action in draft.defaults.iter() {
            singles.take(&action.value);
        }
        singles.default_disruptive = singles.disruptive;
        for action in draft.starter_actions() {
            singles.take(action);
        }
        singles
    }

    /// What a match does to the transaction, `block` taken for what it means.
    pub(in crate::compile) fn disruptive(&self) -> Option<&'d Disruptive> {
        match self.disruptive {
            Some(Disruptive::Block) => self.default_disruptive,
            other => other,
        }
    }

    fn take(&mut self, action: &'d Action) {
        match action {
            Action::Message(message) => self.message = Some(message),
            Action::LogData(data) => self.log_data = Some(data),
            Action::Severity(severity) => self.severity = Some(*severity),
            Action::Tag(tag) => self.tags.push(tag),
            Action::Revision(revision) => self.revision = Some(revision),
            Action::Version(version) => self.version = Some(version),
            Action::Maturity(maturity) => self.maturity = Some(*maturity),
            Action::Accuracy(accuracy) => self.accuracy = Some(*accuracy),
            Action::Disruptive(disruptive) => self.disruptive = Some(disruptive),
            Action::Status(status) => self.status = Some(*status),
            // Either also sets what is audited, until that is said too.
            Action::Log(is_logged) => {
                self.is_logged = *is_logged;
                self.is_audit_logged = *is_logged;
            }
            Action::AuditLog(is_logged) => self.is_audit_logged = *is_logged,
            _ => {}
        }
    }
}

impl Lowering<'_> {
    /// What a match does to the transaction.
    pub(super) fn outcome(&mut self, singles: &Singles<'_>) -> Option<Outcome> {
        Some(match singles.disruptive() {
            None | Some(Disruptive::Pass | Disruptive::Block) => Outcome::Pass,
            Some(Disruptive::Deny) => Outcome::Deny(singles.status.unwrap_or(STATUS_DENY)),
            Some(Disruptive::Drop) => Outcome::Drop,
            Some(Disruptive::Allow(scope)) => Outcome::Allow(*scope),
            Some(Disruptive::Redirect(to)) => {
                let is_redirect = |status: &u16| matches!(status, 301 | 302 | 303 | 307 | 308);
                let status = singles.status.filter(is_redirect);
                let to = self.text(to, singles.place?)?;
                Outcome::Redirect(status.unwrap_or(STATUS_REDIRECT), to)
            }
        })
    }

    /// What an action does beside; nothing where it says what the rule is. `operand` is what is known of
    /// the value of a `setvar`. The inner `None` is no effect, the outer one a problem.
    pub(super) fn effect(
        &mut self,
        action: &Action,
        place: &Place,
        operand: Option<&[u8]>,
        drafts: &Drafts,
    ) -> Option<Option<Effect>> {
        Some(Some(match action {
            Action::SetVar(set) => self.set_var(set, place, operand)?,
            Action::ExpireVar { variable, seconds } => Effect::Expire(
                collection(&variable.collection),
                self.text(&variable.name, place)?,
                self.text(seconds, place)?,
            ),
            Action::InitCollection {
                collection: name,
                key,
            } => Effect::InitCollection(collection(name), self.text(key, place)?),
            Action::SetEnv { name, value } => Effect::SetEnv(
                self.text(name, place)?,
                self.optional_text(value.as_ref(), place)?,
            ),
            Action::Ctl(ctl) => Effect::Ctl(self.ctl(ctl, place, drafts)?),
            Action::IgnoredCtl { name, why } => {
                let message = format!("ctl:{name} means nothing here: {why}");
                self.add(place, Severity::Warning, message);
                return Some(None);
            }
            Action::Sanitise(what) => Effect::Sanitise(what.clone()),
            _ => return Some(None),
        }))
    }

    fn set_var(
        &mut self,
        set: &syntax::SetVar,
        place: &Place,
        operand: Option<&[u8]>,
    ) -> Option<Effect> {
        let destination = self.tx.destination(&set.variable);
        let change = match &set.change {
            syntax::Change::Unset => Ok(Change::Unset),
            syntax::Change::Set(value) => self.tx.operand(value).map(Change::Set),
            syntax::Change::Add(value) => self.tx.operand(value).map(Change::Add),
            syntax::Change::Subtract(value) => self.tx.operand(value).map(Change::Subtract),
        };
        match (destination, change) {
            (Ok(destination), Ok(change)) => {
                self.warn_of_unknown(place);
                let change = match operand {
                    Some(text) => with_known(change, text),
                    None => change,
                };
                Some(Effect::Set(destination, change))
            }
            _ => {
                self.too_many_names(place);
                None
            }
        }
    }

    pub(super) fn text(&mut self, text: &MacroText, place: &Place) -> Option<MacroText<Source>> {
        match self.tx.text(text) {
            Ok(text) => {
                self.warn_of_unknown(place);
                Some(text)
            }
            Err(_) => {
                self.too_many_names(place);
                None
            }
        }
    }

    /// The outer `None` is a problem.
    pub(super) fn optional_text(
        &mut self,
        text: Option<&MacroText>,
        place: &Place,
    ) -> Option<Option<MacroText<Source>>> {
        match text {
            Some(text) => Some(Some(self.text(text, place)?)),
            None => Some(None),
        }
    }

    pub(super) fn texts(
        &mut self,
        texts: &[&MacroText],
        place: &Place,
    ) -> Option<Box<[MacroText<Source>]>> {
        texts.iter().map(|text| self.text(text, place)).collect()
    }

    /// What ModSecurity expands to nothing is more often a slip of the pen.
    fn warn_of_unknown(&mut self, place: &Place) {
        for name in std::mem::take(&mut self.tx.unknown) {
            self.problems.add(syntax::Problem {
                place: place.clone(),
                severity: syntax::Severity::Warning,
                rule: Some(self.rule_id),
                message: format!("%{{{name}}} names no variable, and expands to nothing"),
            });
        }
    }
}

/// The same change, of which it is known what is set, added or taken away.
fn with_known(change: Change, text: &[u8]) -> Change {
    let sum = || Operand::Integer(crate::integer(text));
    match (change, canonical_integer(text)) {
        (Change::Add(_), _) => Change::Add(sum()),
        (Change::Subtract(_), _) => Change::Subtract(sum()),
        (Change::Set(_), Some(number)) => Change::Set(Operand::Integer(number)),
        (Change::Set(Operand::Macros(_)), None) => Change::Set(Operand::Text(text.into())),
        // Another variable's text is not copied.
        (change, _) => change,
    }
}

/// `setsid` and its kin are read as `initcol` of their collection.
fn collection(name: &[u8]) -> VariableName {
    VariableName::named(name).unwrap_or(VariableName::Global)
}
