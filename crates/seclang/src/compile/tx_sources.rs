//! What macros and `setvar` name, as what finds it.

use crate::MacroText;
use crate::macro_text::Variable;
use crate::program::{Destination, Operand, RuleField, Slot, Source, TxNames};
use crate::syntax::{VariableName, VariablePath};

/// There are too many names of variables of `TX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TooManyNames;

/// Gives slots to names of `TX`.
#[derive(Debug)]
pub(super) struct TxSources {
    pub(super) names: TxNames,
    /// Macros that mean nothing, by their names, since the last time that anyone asked.
    pub(super) unknown: Vec<String>,
}

impl TxSources {
    pub(super) fn new() -> Self {
        Self {
            names: TxNames::new(),
            unknown: Vec::new(),
        }
    }

    pub(super) fn slot(&mut self, name: &[u8]) -> Result<Slot, TooManyNames> {
        self.names.add(name).ok_or(TooManyNames)
    }

    pub(super) fn text(&mut self, text: &MacroText) -> Result<MacroText<Source>, TooManyNames> {
        text.clone().try_map(|variable| self.source(&variable))
    }

    fn source(&mut self, variable: &Variable) -> Result<Source, TooManyNames> {
        let Some(name) = VariableName::named(&variable.collection) else {
            let name = String::from_utf8_lossy(&variable.collection).into_owned();
            self.unknown.push(name);
            return Ok(Source::Nothing);
        };
        Ok(match (name, &variable.key) {
            (VariableName::Tx, Some(key)) => Source::Tx(self.slot(key)?),
            (VariableName::Rule, Some(key)) => {
                RuleField::named(key).map_or(Source::Nothing, Source::Rule)
            }
            (name, Some(key)) if name.is_collection() => {
                Source::Member(name, key.to_ascii_lowercase().into())
            }
            (name, _) => Source::Variable(name),
        })
    }

    pub(super) fn destination(&mut self, path: &VariablePath) -> Result<Destination, TooManyNames> {
        if path.collection != b"tx" {
            let name = VariableName::named(&path.collection).unwrap_or(VariableName::Global);
            return Ok(Destination::Member(name, self.text(&path.name)?));
        }
        Ok(match path.name.as_literal() {
            Some(name) => Destination::Tx(self.slot(name)?),
            None => Destination::TxNamed(self.text(&path.name)?),
        })
    }

    pub(super) fn operand(&mut self, text: &MacroText) -> Result<Operand, TooManyNames> {
        if let Some(literal) = text.as_literal() {
            return Ok(match canonical_integer(literal) {
                Some(number) => Operand::Integer(number),
                None => Operand::Text(literal.into()),
            });
        }
        let text = self.text(text)?;
        Ok(match text.as_variable() {
            Some(Source::Tx(slot)) => Operand::Tx(*slot),
            _ => Operand::Macros(text),
        })
    }
}

/// The number that is written so and not otherwise.
pub(super) fn canonical_integer(text: &[u8]) -> Option<i64> {
    let number: i64 = std::str::from_utf8(text).ok()?.parse().ok()?;
    let mut buffer = itoa::Buffer::new();
    (buffer.format(number).as_bytes() == text).then_some(number)
}
