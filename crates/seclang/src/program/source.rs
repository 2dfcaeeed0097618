//! What macros stand for.

use super::tx_names::Slot;
use crate::syntax::VariableName;

/// What a macro stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// `%{tx.score}`
    Tx(Slot),
    /// `%{REMOTE_ADDR}`; of a collection its first member.
    Variable(VariableName),
    /// `%{request_headers.host}`: the first member of that name, which is in lower case.
    Member(VariableName, Box<[u8]>),
    /// `%{rule.id}`
    Rule(RuleField),
    /// A name that means nothing, as for ModSecurity.
    Nothing,
}

/// What a rule says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RuleField {
    Id,
    Message,
    LogData,
    Severity,
    Revision,
    Version,
}

impl RuleField {
    /// The one of that name; upper or lower case is the same.
    pub(crate) fn named(name: &[u8]) -> Option<Self> {
        Some(match name.to_ascii_lowercase().as_slice() {
            b"id" => Self::Id,
            b"msg" => Self::Message,
            b"logdata" => Self::LogData,
            b"severity" => Self::Severity,
            b"rev" => Self::Revision,
            b"ver" => Self::Version,
            _ => return None,
        })
    }
}
