//! Operators, each once however many rules ask it.

use std::collections::HashMap;

use super::rule_files::Beside;
use super::tx_sources::TxSources;
use crate::operators::{Matcher, Operator, OperatorError};
use crate::program::CompiledOperator;

/// Operators, each once.
#[derive(Debug, Default)]
pub(super) struct Operators {
    pub(super) all: Vec<CompiledOperator>,
    /// Whether any rule that runs asks each.
    is_asked: Vec<bool>,
    known: HashMap<(Vec<u8>, Vec<u8>, String), u32>,
    /// Those whose macros are known, by what they were and what their arguments come to.
    fixed: HashMap<(u32, Box<[u8]>), u32>,
}

/// Why an operator can't be used.
pub(super) enum Refusal {
    /// What is wrong with it, and at which byte of its argument.
    Operator(OperatorError),
    /// There are too many names of `TX`.
    TooManyNames,
}

impl Operators {
    pub(super) fn add(
        &mut self,
        name: &[u8],
        argument: &[u8],
        tx: &mut TxSources,
        beside: &Beside<'_>,
    ) -> Result<u32, Refusal> {
        // Files are relative to the file that names them.
        let key = (
            name.to_ascii_lowercase(),
            argument.to_vec(),
            folder(beside.from),
        );
        if let Some(index) = self.known.get(&key) {
            return Ok(*index);
        }
        let operator = Operator::parse(name, argument, beside).map_err(Refusal::Operator)?;
        let expanded = match operator.macros() {
            Some(macros) => Some(tx.text(macros).map_err(|_| Refusal::TooManyNames)?),
            None => None,
        };
        let index = self.push(CompiledOperator { operator, expanded });
        self.known.insert(key, index);
        Ok(index)
    }

    /// The operator that is the same but for its argument, which always comes to `text`; itself where it
    /// has no macros.
    pub(super) fn fixed(&mut self, index: u32, text: &[u8]) -> u32 {
        let with_argument = |one: &CompiledOperator| one.operator.with_argument(text);
        let key = (index, text.into());
        if let Some(fixed) = self.fixed.get(&key) {
            return *fixed;
        }
        let Some(operator) = self.get(index).and_then(with_argument) else {
            return index;
        };
        let fixed = self.push(CompiledOperator {
            operator,
            expanded: None,
        });
        self.fixed.insert(key, fixed);
        fixed
    }

    fn push(&mut self, compiled: CompiledOperator) -> u32 {
        let index = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(compiled);
        self.is_asked.push(false);
        index
    }

    /// Notes that a rule that runs asks it.
    pub(super) fn ask(&mut self, index: u32) {
        if let Some(is_asked) = self.is_asked.get_mut(index as usize) {
            *is_asked = true;
        }
    }

    /// Gives back the memory of those that no rule asks that runs: they were compiled to be checked.
    pub(super) fn forget_unasked(&mut self) {
        for (compiled, is_asked) in self.all.iter_mut().zip(&self.is_asked) {
            if !is_asked {
                compiled.operator = Operator::Match(Matcher::Never);
                compiled.expanded = None;
            }
        }
    }

    pub(super) fn get(&self, index: u32) -> Option<&CompiledOperator> {
        self.all.get(usize::try_from(index).ok()?)
    }
}

fn folder(file: &str) -> String {
    let end = file.rfind('/').unwrap_or(0);
    file.get(..end).unwrap_or_default().to_owned()
}

/// Whether the value alone decides, so that what came of it holds for every string that is the same.
pub(super) fn is_of_value_alone(compiled: &CompiledOperator) -> bool {
    if compiled.expanded.is_some() {
        return false;
    }
    match &compiled.operator {
        Operator::Match(Matcher::Always | Matcher::Never | Matcher::Comparison(_))
        | Operator::GeoLookup => false,
        Operator::Match(_) | Operator::DetectSqli | Operator::DetectXss => true,
    }
}
