//! What three tokens next to each other say.

use super::super::kind::Kind;
use super::super::kinds::{Kinds, Triples};
use super::{Folding, Step};

impl Folding<'_> {
    pub(super) fn fold_triple(&mut self) -> Step {
        let [first, second, third] = self.kinds();
        if are_one_operand(first, second, third) {
            return self.drop_and_restart(2);
        }
        if let Some(dropped) = dropped_without_second(first, second, third) {
            self.move_back(1);
            return self.drop_and_restart(dropped);
        }
        let has_arguments = second == Kind::LeftParenthesis && third != Kind::RightParenthesis;
        if first == Kind::Function && has_arguments && self.token(0).is(b"USER") {
            // `USER()` takes none.
            self.set_kind(0, Kind::Bareword);
        }
        Step::Next
    }
}

/// Whether three tokens say as much as the first.
pub(super) fn are_one_operand(first: Kind, second: Kind, third: Kind) -> bool {
    static RULES: Triples = {
        const COMMA: Kinds = Kinds::of(&[Kind::Comma]);
        const CAST: Kinds = Kinds::of(&[Kind::Cast]);
        const DOT: Kinds = Kinds::of(&[Kind::Dot]);
        const LOGIC: Kinds = Kinds::of(&[Kind::Logic]);
        const TYPE: Kinds = Kinds::of(&[Kind::SqlType]);
        const BAREWORD: Kinds = Kinds::of(&[Kind::Bareword]);
        const VARIABLE: Kinds = Kinds::of(&[Kind::Variable]);
        const NOT_LEFT: Kinds = Kinds::ALL.without(Kind::LeftParenthesis);
        Triples::of(&[
            (NAMES, Kinds::OPERATORS, NAMES),
            (VARIABLE, Kinds::OPERATORS, NAMES.or(VARIABLE)),
            (OPERANDS, CAST, TYPE),
            (OPERANDS, COMMA, OPERANDS),
            (BAREWORD, DOT, BAREWORD),
            (Kinds::OPERATORS, NOT_LEFT, Kinds::OPERATORS),
            (LOGIC, Kinds::ALL, LOGIC),
        ])
    };
    RULES.allow(first, second, third)
}

const NAMES: Kinds = Kinds::of(&[Kind::Number, Kind::Bareword]);
const OPERANDS: Kinds = NAMES.or(Kinds::of(&[Kind::Variable, Kind::String]));

/// How many tokens go when the third takes the place of a second that says nothing: a sign, or a dot
/// after `SELECT`.
fn dropped_without_second(first: Kind, second: Kind, third: Kind) -> Option<usize> {
    const VALUES: Kinds = OPERANDS.or(Kinds::FUNCTIONS);
    if (first, second, third) == (Kind::Expression, Kind::Dot, Kind::Bareword) {
        return Some(1);
    }
    if !Kinds::UNARY.has(second) {
        return None;
    }
    match (first, third) {
        (Kind::Expression | Kind::Group | Kind::Comma, Kind::LeftParenthesis) => Some(1),
        // `,-1` goes altogether, so that the token before it can be folded too.
        (Kind::Comma, operand) if OPERANDS.has(operand) => Some(3),
        (Kind::Comma, Kind::Function | Kind::If) => Some(1),
        (Kind::Expression | Kind::Group | Kind::Keyword, value) if VALUES.has(value) => Some(1),
        _ => None,
    }
}
