//! What two tokens next to each other say.

use super::super::keywords;
use super::super::kind::Kind;
use super::super::kinds::{Followers, Kinds};
use super::super::token::{TEXT_BYTES_MAX, Token};
use super::{Folding, Step};
use crate::scan::find_either;

impl Folding<'_> {
    pub(super) fn fold_pair(&mut self) -> Step {
        let [left, right] = self.kinds();
        let has_rule = have_rule(left, right);
        if !has_rule && !self.token(0).begins_phrase {
            return Step::Next;
        }
        if has_rule && is_repetition(left, right) {
            self.len -= 1;
            return Step::Again;
        }
        if has_rule && is_sign_of_operand(left, right) {
            return self.drop_and_restart(1);
        }
        if (has_rule && left == Kind::LeftParenthesis && Kinds::UNARY.has(right))
            || self.merge_words()
        {
            self.len -= 1;
            self.at = self.at.saturating_sub(1);
            return Step::Again;
        }
        self.fold_by_kind(left, right)
    }

    /// Makes one token of two words that are a phrase: `UNION` and `ALL`.
    fn merge_words(&mut self) -> bool {
        let (left, right) = (self.token(0), self.token(1));
        if !left.begins_phrase || !MERGED.has(left.kind) || !MERGED_SECOND.has(right.kind) {
            return false;
        }
        let mut text = [0; TEXT_BYTES_MAX];
        let len = left.text().len() + 1 + right.text().len();
        let bytes = left.text().iter().chain(b" ").chain(right.text());
        for (slot, byte) in text.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        let phrase = text.get(..len).and_then(keywords::look_up);
        let Some(phrase) = phrase.filter(|phrase| phrase.kind != Kind::None) else {
            return false;
        };
        if let Some(token) = self.tokens.get_mut(self.at) {
            *token = Token::of_keyword(phrase, phrase.text);
        }
        true
    }

    fn fold_by_kind(&mut self, left: Kind, right: Kind) -> Step {
        match (left, right) {
            // In Transact-SQL `IF` is a statement.
            (Kind::Semicolon, Kind::If) => self.change(1, Kind::Tsql),
            (Kind::Bareword | Kind::Variable, Kind::LeftParenthesis)
                if may_be_function(&self.token(0)) =>
            {
                self.change(0, Kind::Function)
            }
            (Kind::In, Kind::LeftParenthesis) => self.change(0, Kind::Operator),
            (Kind::In, _) => self.change(0, Kind::Bareword),
            (Kind::Like, Kind::LeftParenthesis) => {
                self.set_kind(0, Kind::Function);
                Step::Next
            }
            (Kind::Like, _) => Step::Next,
            (Kind::SqlType, right) if TYPED.has(right) => {
                self.move_back(0);
                self.drop_and_restart(1)
            }
            (Kind::Collate, Kind::Bareword) => {
                self.fold_collation();
                Step::Next
            }
            // Transact-SQL reads `\%1` as `0 % 1`, and `\1` as `1`.
            (Kind::Backslash, Kind::Sign | Kind::Arithmetic) => {
                self.set_kind(0, Kind::Number);
                self.drop_and_restart(0)
            }
            (Kind::Backslash, _) => {
                self.move_back(0);
                self.drop_and_restart(1)
            }
            (Kind::LeftParenthesis, Kind::LeftParenthesis)
            | (Kind::RightParenthesis, Kind::RightParenthesis) => self.drop_and_restart(1),
            // MySQL runs ``{``.``.id}``: what begins so is banned. Else `{name expression}` is the
            // expression.
            (Kind::LeftBrace, Kind::Bareword) if self.token(1).text().is_empty() => Step::Evil,
            (Kind::LeftBrace, Kind::Bareword) => self.drop_and_restart(2),
            (_, Kind::RightBrace) => self.drop_and_restart(1),
            _ => Step::Next,
        }
    }

    fn change(&mut self, offset: usize, kind: Kind) -> Step {
        self.set_kind(offset, kind);
        Step::Again
    }

    /// There are too many collations to list them: they are names with an underscore.
    fn fold_collation(&mut self) {
        let text = self.token(1).text();
        let end = find_either(text, b'_', 0);
        if end.and_then(|end| text.get(end)) == Some(&b'_') {
            self.set_kind(1, Kind::SqlType);
            self.at = 0;
        }
    }
}

/// Whether a rule of pairs may say something, merging apart.
pub(super) fn have_rule(left: Kind, right: Kind) -> bool {
    RULES.allow(left, right)
}

static RULES: Followers = {
    const SIGNS: Kinds = Kinds::UNARY.or(Kinds::of(&[Kind::SqlType]));
    const BAREWORD: Kinds = Kinds::of(&[Kind::Bareword]);
    const LEFT: Kinds = Kinds::of(&[Kind::LeftParenthesis]);
    const RIGHT: Kinds = Kinds::of(&[Kind::RightParenthesis]);
    Followers::of(&[
        (Kinds::ALL, Kinds::of(&[Kind::RightBrace])),
        (Kinds::of(&[Kind::String]), Kinds::of(&[Kind::String])),
        (
            Kinds::of(&[Kind::Semicolon]),
            Kinds::of(&[Kind::Semicolon, Kind::If]),
        ),
        (Kinds::OPERATORS.or(Kinds::of(&[Kind::Logic])), SIGNS),
        (LEFT, Kinds::UNARY.or(LEFT)),
        (RIGHT, RIGHT),
        (BAREWORD.or(Kinds::of(&[Kind::Variable, Kind::Like])), LEFT),
        (Kinds::of(&[Kind::SqlType]), TYPED),
        (Kinds::of(&[Kind::Collate, Kind::LeftBrace]), BAREWORD),
        (Kinds::of(&[Kind::In, Kind::Backslash]), Kinds::ALL),
    ])
};

const fn is_repetition(left: Kind, right: Kind) -> bool {
    matches!(
        (left, right),
        (Kind::String, Kind::String) | (Kind::Semicolon, Kind::Semicolon)
    )
}

/// Whether `right` only tells how the operand behind it is taken.
const fn is_sign_of_operand(left: Kind, right: Kind) -> bool {
    (Kinds::OPERATORS.has(left) || matches!(left, Kind::Logic))
        && (Kinds::UNARY.has(right) || matches!(right, Kind::SqlType))
}

/// What the first part of a phrase may be.
const MERGED: Kinds = Kinds::OPERATORS
    .or(Kinds::KEYWORDS)
    .or(Kinds::FUNCTIONS)
    .or(Kinds::of(&[
        Kind::Bareword,
        Kind::Union,
        Kind::Expression,
        Kind::Tsql,
        Kind::SqlType,
    ]));

const MERGED_SECOND: Kinds = MERGED.or(Kinds::of(&[Kind::Logic]));

/// What a type may stand before.
const TYPED: Kinds = Kinds::FUNCTIONS.or(Kinds::of(&[
    Kind::Bareword,
    Kind::Number,
    Kind::SqlType,
    Kind::LeftParenthesis,
    Kind::Variable,
    Kind::String,
]));

/// Names of functions that are common names of columns and variables too.
fn may_be_function(name: &Token<'_>) -> bool {
    const NAMES: [&[u8]; 11] = [
        b"USER_ID",
        b"USER_NAME",
        b"DATABASE",
        b"PASSWORD",
        b"USER",
        b"CURRENT_USER",
        b"CURRENT_DATE",
        b"CURRENT_TIME",
        b"CURRENT_TIMESTAMP",
        b"LOCALTIME",
        b"LOCALTIMESTAMP",
    ];
    NAMES.iter().any(|known| name.is(known))
}
