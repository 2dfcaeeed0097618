//! What rules matched, for logs.

use super::Transaction;
use super::state::{Kind, State};
use crate::program::{Program, Rule};

/// The matches of a transaction, in order.
pub struct Matches<'t> {
    program: &'t Program,
    state: &'t State,
    at: usize,
}

/// A rule that matched a value.
#[derive(Clone, Copy, Debug)]
pub struct MatchReport<'t> {
    /// The rule.
    pub rule: &'t Rule,
    /// `msg`, macros expanded; at most 1 KiB.
    pub message: &'t [u8],
    /// `logdata`, macros expanded; at most 1 KiB.
    pub data: &'t [u8],
    /// The value's name, such as `ARGS:id`; empty for `SecAction`.
    pub name: &'t [u8],
    /// The value in the form in which it matched; at most 512 bytes.
    pub value: &'t [u8],
    /// Whether it is for the log (`log`, `nolog`).
    pub is_logged: bool,
    /// Whether it ends a transaction, or would if rules were not only to detect.
    pub is_disruptive: bool,
    /// Whether it has ended this one.
    pub has_interrupted: bool,
}

impl Transaction {
    /// What rules have matched so far, of rules that are logged or end the transaction: at most 1,000.
    /// Once [`Transaction::log`] is done, without what rules sanitise ([`Transaction::sanitised`]).
    #[must_use]
    pub fn matches<'t>(&'t self, program: &'t Program) -> Matches<'t> {
        Matches {
            program,
            state: &self.state,
            at: 0,
        }
    }

    /// How many matches there were beyond those that are kept.
    #[must_use]
    pub fn matches_left_out(&self) -> usize {
        self.state.events_left_out
    }

    /// Why the request's arguments or body can't be read to their end (`REQBODY_ERROR_MSG`).
    #[must_use]
    pub fn body_error(&self) -> Option<palisade_body::Error> {
        self.state.body_outcome.error
    }

    /// Names and values of the request's fields, as they were sent. What is sanitised is there.
    pub fn request_headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.members(Kind::RequestHeaders)
    }

    /// Names and values of the answer's fields, once phase 3 has run. What is sanitised is there.
    pub fn response_headers(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.members(Kind::ResponseHeaders)
    }

    /// Names and values of the body's arguments, once phase 2 has run. What is sanitised is there.
    pub fn body_arguments(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.members(Kind::ArgsPost)
    }

    /// Names and values of the arguments of the query. What is sanitised is there.
    pub fn query_arguments(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.members(Kind::ArgsGet)
    }

    /// Names of the fields that files came in, once phase 2 has run.
    pub fn file_fields(&self) -> impl Iterator<Item = &[u8]> {
        self.members(Kind::Files).map(|(field, _)| field)
    }

    /// Whether the request's body, if there was one, was read to its end, so that its arguments and files are
    /// all that is in it; not where nothing says what it is.
    #[must_use]
    pub fn has_read_body(&self) -> bool {
        self.state.controls.processor.is_some() && self.state.body_outcome.error.is_none()
    }

    fn members(&self, kind: Kind) -> impl Iterator<Item = (&[u8], &[u8])> {
        let arena = &self.state.arena;
        let entries = self.state.entries(kind).iter();
        entries.map(|entry| (arena.get(entry.name), arena.get(entry.value)))
    }

    /// How much memory it takes until it is finished, in bytes; without what rules make of it, which is
    /// kept for the next.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        self.state.memory_bytes()
    }

    /// The value of a variable of `TX`, for tools that explain.
    #[must_use]
    pub fn tx(&self, program: &Program, name: &str) -> Option<Vec<u8>> {
        let lower = name.to_ascii_lowercase();
        let value = match program.tx.find(lower.as_bytes()) {
            Some(slot) => self.state.tx.get(slot),
            None => self
                .state
                .tx
                .unforeseen(lower.as_bytes(), &self.state.arena),
        };
        value.is_set().then(|| {
            let mut out = Vec::new();
            value.append_to(&self.state.arena, usize::MAX, &mut out);
            out
        })
    }
}

impl<'t> Iterator for Matches<'t> {
    type Item = MatchReport<'t>;

    fn next(&mut self) -> Option<Self::Item> {
        let event = self.state.events.get(self.at)?;
        self.at += 1;
        let arena = &self.state.arena;
        Some(MatchReport {
            rule: self.program.rules.get(event.rule as usize)?,
            message: arena.get(event.message),
            data: arena.get(event.data),
            name: arena.get(event.name),
            value: arena.get(event.value),
            is_logged: event.is_logged,
            is_disruptive: event.is_disruptive,
            has_interrupted: event.has_interrupted,
        })
    }
}
