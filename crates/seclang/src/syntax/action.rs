//! What actions mean.

use crate::macro_text::MacroText;
use crate::transformations::Transformation;

use super::ctl::Ctl;

/// A phase of a transaction (reference manual, "Processing Phases").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// 1: the request's head is there.
    RequestHeaders,
    /// 2: the request's body is there.
    RequestBody,
    /// 3: the answer's head is there.
    ResponseHeaders,
    /// 4: the answer's body is there.
    ResponseBody,
    /// 5: the transaction is over.
    Logging,
}

impl Phase {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::RequestHeaders,
        Self::RequestBody,
        Self::ResponseHeaders,
        Self::ResponseBody,
        Self::Logging,
    ];

    /// 1 to 5.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::RequestHeaders => 1,
            Self::RequestBody => 2,
            Self::ResponseHeaders => 3,
            Self::ResponseBody => 4,
            Self::Logging => 5,
        }
    }

    pub(super) fn named(name: &[u8]) -> Option<Self> {
        match name.to_ascii_lowercase().as_slice() {
            b"1" => Some(Self::RequestHeaders),
            b"2" | b"request" => Some(Self::RequestBody),
            b"3" => Some(Self::ResponseHeaders),
            b"4" | b"response" => Some(Self::ResponseBody),
            b"5" | b"logging" => Some(Self::Logging),
            _ => None,
        }
    }
}

/// What is done to a transaction that a rule matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disruptive {
    /// Nothing.
    Pass,
    /// What `SecDefaultAction` says for the phase.
    Block,
    /// An error page.
    Deny,
    /// The connection is closed.
    Drop,
    /// No further rules, of all phases but the last, of this phase, or of the request's phases.
    Allow(AllowScope),
    /// The client is sent elsewhere.
    Redirect(MacroText),
}

/// What `allow` leaves out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AllowScope {
    /// `allow`: all phases but the last.
    Transaction,
    /// `allow:phase`
    Phase,
    /// `allow:request`: the phases of the request.
    Request,
}

/// One action.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// `id`
    Id(u64),
    /// `phase`
    Phase(Phase),
    /// `msg`
    Message(MacroText),
    /// `logdata`
    LogData(MacroText),
    /// `severity`: 0 (emergency) to 7 (debug).
    Severity(u8),
    /// `tag`
    Tag(MacroText),
    /// `rev`
    Revision(Vec<u8>),
    /// `ver`
    Version(Vec<u8>),
    /// `maturity`
    Maturity(u8),
    /// `accuracy`
    Accuracy(u8),
    /// `pass`, `block`, `deny`, `drop`, `allow`, `redirect`
    Disruptive(Disruptive),
    /// `status`
    Status(u16),
    /// `chain`
    Chain,
    /// `skip`: so many rules.
    Skip(u32),
    /// `skipAfter`: up to a marker, or the rule of that id.
    SkipAfter(Vec<u8>),
    /// `log`, `nolog`
    Log(bool),
    /// `auditlog`, `noauditlog`
    AuditLog(bool),
    /// `capture`
    Capture,
    /// `multiMatch`
    MultiMatch,
    /// `t:none`
    NoTransformations,
    /// `t:...`
    Transform(Transformation),
    /// `setvar`
    SetVar(SetVar),
    /// `expirevar`
    ExpireVar {
        /// The collection and the variable in it.
        variable: VariablePath,
        /// After how many seconds.
        seconds: MacroText,
    },
    /// `initcol`, `setsid`, `setuid`, `setrsc`
    InitCollection {
        /// `ip`, `global`, `session`, `user`, `resource`.
        collection: Vec<u8>,
        /// Which record of it.
        key: MacroText,
    },
    /// `setenv`
    SetEnv {
        /// The variable.
        name: MacroText,
        /// Its value; none takes it away.
        value: Option<MacroText>,
    },
    /// `ctl`
    Ctl(Ctl),
    /// `ctl` with an option that means nothing here, such as how much ModSecurity tells its debug log.
    IgnoredCtl {
        /// The option.
        name: &'static str,
        /// Why it means nothing.
        why: &'static str,
    },
    /// `sanitiseArg`, `sanitiseRequestHeader`, `sanitiseResponseHeader`, `sanitiseMatched`,
    /// `sanitiseMatchedBytes`: what is not to be in the audit log.
    Sanitise(Sanitise),
}

/// What an audit log is not to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sanitise {
    /// An argument.
    Argument(Vec<u8>),
    /// A field of the request.
    RequestHeader(Vec<u8>),
    /// A field of the answer.
    ResponseHeader(Vec<u8>),
    /// What the rule matched.
    Matched,
    /// The part of it that the operator found, but for so many bytes.
    MatchedBytes {
        /// How many may be shown at the beginning.
        shown_first: u16,
        /// How many may be shown at the end.
        shown_last: u16,
    },
}

/// A variable that rules write: `tx.score`, in which both parts may have macros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VariablePath {
    /// `tx`, or a collection that `initcol` opens; lower case.
    pub collection: Vec<u8>,
    /// The variable's name.
    pub name: MacroText,
}

/// What `setvar` does to a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetVar {
    /// Which.
    pub variable: VariablePath,
    /// What becomes of it.
    pub change: Change,
}

/// What becomes of a variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// `!tx.a`
    Unset,
    /// `tx.a=b`; without `=`, 1.
    Set(MacroText),
    /// `tx.a=+1`
    Add(MacroText),
    /// `tx.a=-1`
    Subtract(MacroText),
}
