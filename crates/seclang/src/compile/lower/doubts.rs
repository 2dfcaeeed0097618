//! Operators that may not mean what their author thinks.

use super::Lowering;
use crate::MacroText;
use crate::operators::Operator;
use crate::syntax::{Condition, Place, Severity};

impl Lowering<'_> {
    pub(super) fn warn_of_operator(&mut self, operator: u32, condition: &Condition) {
        self.warn_of_countries(operator, &condition.operator_place);
        self.warn_of_macro(operator, condition);
    }

    fn warn_of_countries(&mut self, operator: u32, place: &Place) {
        let compiled = self.operators.get(operator);
        let asks = compiled.is_some_and(|one| matches!(one.operator, Operator::GeoLookup));
        if asks && !self.options.has_countries {
            let message = "@geoLookup never matches: there is no database of countries".to_owned();
            self.add(place, Severity::Warning, message);
        }
    }

    /// A macro in an argument that isn't expanded, here and in ModSecurity, never means what it seems to.
    fn warn_of_macro(&mut self, operator: u32, condition: &Condition) {
        let compiled = self.operators.get(operator);
        let expands = compiled.is_some_and(|one| one.operator.macros().is_some());
        let Some(range) = MacroText::first_in(&condition.argument).filter(|_| !expands) else {
            return;
        };
        let place = condition.argument_place.of(range.start);
        let place = place.unwrap_or_else(|| condition.operator_place.clone());
        let name = String::from_utf8_lossy(&condition.operator);
        let written = String::from_utf8_lossy(condition.argument.get(range).unwrap_or_default());
        let message = format!(
            "@{name} expands no macros and takes {written} for these very characters, as in ModSecurity: use an \
             operator that does, like @within or @contains"
        );
        self.add(&place, Severity::Warning, message);
    }
}
