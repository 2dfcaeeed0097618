//! A record: variables, some of which expire before it does.

use crate::operators::integer;

/// The most variables of one record.
pub(crate) const VARIABLES_MAX: usize = 256;
/// The most bytes of one record's names and values.
const BYTES_MAX: usize = 64 * 1024;
/// What keeping a record, or a variable, takes beside its bytes; about so much.
const OVERHEAD: usize = 96;

/// A value, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value<'v> {
    Integer(i64),
    Text(&'v [u8]),
}

/// What becomes of a variable.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Edit<'v> {
    /// It is as it was: only when it expires changes.
    Keep,
    /// So much more, or less; never below zero.
    Add(i64),
    Set(Value<'v>),
    Unset,
}

/// What a transaction has changed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change<'v> {
    /// In lower case.
    pub(crate) name: &'v [u8],
    pub(crate) edit: Edit<'v>,
    /// From when on it isn't there, in seconds since 1970.
    pub(crate) expires: Option<u64>,
}

/// What is known of a record as such, in seconds, since 1970 where it is a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) created: u64,
    pub(crate) updated: u64,
    pub(crate) update_count: u64,
    pub(crate) timeout: u64,
}

#[derive(Debug)]
enum Owned {
    Integer(i64),
    Text(Box<[u8]>),
}

#[derive(Debug)]
struct Variable {
    name: Box<[u8]>,
    value: Owned,
    expires: Option<u64>,
}

/// A record.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) hash: u64,
    pub(super) id: Box<[u8]>,
    head: Head,
    variables: Vec<Variable>,
}

impl Variable {
    fn is_live(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| now < expires)
    }

    fn bytes(&self) -> usize {
        let value = match &self.value {
            Owned::Integer(_) => 0,
            Owned::Text(text) => text.len(),
        };
        self.name.len() + value
    }
}

impl Record {
    pub(super) fn new(hash: u64, id: &[u8], now: u64) -> Self {
        Self {
            hash,
            id: id.into(),
            head: Head {
                created: now,
                updated: now,
                update_count: 0,
                timeout: 0,
            },
            variables: Vec::new(),
        }
    }

    pub(super) fn is_live(&self, now: u64) -> bool {
        now < self.head.updated.saturating_add(self.head.timeout)
    }

    pub(super) fn updated(&self) -> u64 {
        self.head.updated
    }

    /// What it takes.
    pub(super) fn bytes(&self) -> usize {
        self.id.len() + OVERHEAD * (1 + self.variables.len()) + self.variables_bytes()
    }

    fn variables_bytes(&self) -> usize {
        self.variables.iter().map(Variable::bytes).sum()
    }

    /// Tells what is there; `None` where the record has expired.
    pub(super) fn tell(&self, now: u64, tell: &mut impl FnMut(&[u8], Value<'_>)) -> Option<Head> {
        if !self.is_live(now) {
            return None;
        }
        for variable in self.variables.iter().filter(|one| one.is_live(now)) {
            let value = match &variable.value {
                Owned::Integer(number) => Value::Integer(*number),
                Owned::Text(text) => Value::Text(text),
            };
            tell(&variable.name, value);
        }
        Some(self.head)
    }

    /// Changes a variable. One too many, or a value that is too long, is dropped.
    pub(super) fn change(&mut self, change: &Change<'_>, now: u64) {
        self.variables.retain(|variable| variable.is_live(now));
        let mut variables = self.variables.iter();
        let at = variables.position(|variable| *variable.name == *change.name);
        let old = at.and_then(|at| self.variables.get(at));
        let value = match change.edit {
            Edit::Keep => None,
            Edit::Add(by) => {
                let old = old.map_or(0, |variable| match &variable.value {
                    Owned::Integer(number) => *number,
                    Owned::Text(text) => integer(text),
                });
                Some(Owned::Integer(old.saturating_add(by).max(0)))
            }
            Edit::Set(Value::Integer(number)) => Some(Owned::Integer(number)),
            Edit::Set(Value::Text(text)) if text.len() > BYTES_MAX => None,
            Edit::Set(Value::Text(text)) => Some(Owned::Text(text.into())),
            Edit::Unset => {
                at.map(|at| self.variables.swap_remove(at));
                return;
            }
        };
        match at.and_then(|at| self.variables.get_mut(at)) {
            Some(variable) => {
                variable.expires = change.expires.or(variable.expires);
                self.set(at, value);
            }
            None => {
                let is_room = self.variables.len() < VARIABLES_MAX;
                if let Some(value) = value.filter(|_| is_room) {
                    self.variables.push(Variable {
                        name: change.name.into(),
                        value,
                        expires: change.expires,
                    });
                    self.keep_within_bounds();
                }
            }
        }
    }

    fn set(&mut self, at: Option<usize>, value: Option<Owned>) {
        let variable = at.and_then(|at| self.variables.get_mut(at));
        if let (Some(variable), Some(value)) = (variable, value) {
            let old = std::mem::replace(&mut variable.value, value);
            if self.variables_bytes() > BYTES_MAX
                && let Some(variable) = at.and_then(|at| self.variables.get_mut(at))
            {
                variable.value = old;
            }
        }
    }

    fn keep_within_bounds(&mut self) {
        if self.variables_bytes() > BYTES_MAX {
            self.variables.pop();
        }
    }

    /// It was written to, and expires so many seconds from now on.
    pub(super) fn touch(&mut self, now: u64, timeout: u64) {
        self.head.updated = now;
        self.head.update_count = self.head.update_count.saturating_add(1);
        self.head.timeout = timeout;
    }
}
