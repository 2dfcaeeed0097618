//! What rules matched.

use super::arena::{Arena, Span};
use super::strings::StringId;
use crate::program::{Program, Slot};
use crate::syntax::VariableName;

/// Where the bytes of a value are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Text {
    Arena(Span),
    /// A string of the phase that runs.
    String(StringId),
}

/// The name of a value, to be written when somebody asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Name {
    pub(super) variable: VariableName,
    pub(super) member: Member,
    pub(super) is_count: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Member {
    None,
    Named(Span),
    /// It is left out by this name, and not shown with it: what paths choose of XML.
    Unshown(Span),
    Tx(Slot),
}

impl Name {
    /// Writes it as `ARGS:id`, `&ARGS`, `REMOTE_ADDR`.
    pub(super) fn append_to(self, program: &Program, arena: &Arena, out: &mut Vec<u8>) {
        if self.is_count {
            out.push(b'&');
        }
        out.extend_from_slice(self.variable.as_str().as_bytes());
        match self.member {
            Member::None | Member::Unshown(_) => {}
            Member::Named(name) => {
                out.push(b':');
                out.extend_from_slice(arena.get(name));
            }
            Member::Tx(slot) => {
                out.push(b':');
                out.extend_from_slice(program.tx.name(slot));
            }
        }
    }
}

/// A value that matched, in the form in which it did.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matched {
    pub(super) name: Name,
    pub(super) value: Text,
}

/// A rule that matched a value, as a log has it.
#[derive(Clone, Copy, Debug)]
pub(super) struct MatchedRule {
    pub(super) rule: u32,
    /// What the value is called; nothing of `SecAction`.
    pub(super) matched: Option<Name>,
    pub(super) message: Span,
    pub(super) data: Span,
    pub(super) name: Span,
    pub(super) value: Span,
    pub(super) is_logged: bool,
    pub(super) is_disruptive: bool,
    pub(super) has_interrupted: bool,
}
