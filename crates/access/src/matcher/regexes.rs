//! Expressions without a literal worth looking for: all of them run at once, as one automaton.

use std::sync::Arc;

use palisade_vocabulary::ByteSize;
use regex_automata::{Input, MatchKind, PatternSet, meta};

use super::Atom;
use crate::regex::{CompiledRegex, program_config};

/// The most that all such expressions of one field may take together. Each request pays for them,
/// and a hostile one may pay this times its length.
const REGEX_SET_SIZE_MAX: ByteSize = ByteSize::mib(1);

/// An index from a value to every expression that matches it.
#[derive(Debug)]
pub(crate) struct RegexSetIndex {
    program: meta::Regex,
    /// By pattern of the program.
    atoms: Box<[Atom]>,
}

/// The expressions of one field together are too large; this is the first that didn't fit.
#[derive(Debug)]
pub(crate) struct RegexSetError {
    pub(crate) atom: Atom,
    pub(crate) max: ByteSize,
}

impl RegexSetIndex {
    /// From expressions and their atoms; `None` if there are none.
    pub(crate) fn new(
        regexes: &[(Arc<CompiledRegex>, Atom)],
    ) -> Result<Option<Self>, RegexSetError> {
        let mut size = 0_usize;
        for (regex, atom) in regexes {
            size = size.saturating_add(regex.size());
            if size > REGEX_SET_SIZE_MAX.as_usize() {
                return Err(too_large(*atom));
            }
        }
        let Some((_, last)) = regexes.last() else {
            return Ok(None);
        };
        let hirs: Vec<_> = regexes.iter().map(|(regex, _)| regex.hir()).collect();
        let program = meta::Builder::new()
            .configure(program_config(REGEX_SET_SIZE_MAX).match_kind(MatchKind::All))
            .build_many_from_hir(&hirs)
            .map_err(|_| too_large(*last))?;
        Ok(Some(Self {
            program,
            atoms: regexes.iter().map(|(_, atom)| *atom).collect(),
        }))
    }

    /// The number of expressions: what `matched` must have room for.
    pub(crate) fn len(&self) -> usize {
        self.atoms.len()
    }

    /// Calls `hit` with the atom of every expression that matches `value`.
    ///
    /// Hot path: runs per request, allocates nothing once its states are cached.
    pub(crate) fn find(&self, value: &[u8], matched: &mut PatternSet, mut hit: impl FnMut(Atom)) {
        if matched.capacity() < self.len() {
            return;
        }
        matched.clear();
        self.program
            .which_overlapping_matches(&Input::new(value), matched);
        for pattern in matched.iter() {
            if let Some(atom) = self.atoms.get(pattern.as_usize()) {
                hit(*atom);
            }
        }
    }
}

fn too_large(atom: Atom) -> RegexSetError {
    RegexSetError {
        atom,
        max: REGEX_SET_SIZE_MAX,
    }
}
