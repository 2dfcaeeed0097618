//! Tokens folded to the few that tell an injection: signs, repetitions, the operands of one operator
//! and the like say nothing.

mod pairs;
mod triples;

use super::fingerprints::{self, TOKENS_MAX};
use super::kind::Kind;
use super::kinds::Kinds;
use super::lexer::{Dialect, Lexer};
use super::token::Token;
use crate::scan::{find, find_either, find_sequence};

/// One more token than a fingerprint has is read, since it may change the one before it.
const WINDOW: usize = TOKENS_MAX + 1;

/// A value's tokens while they are folded, and what is left of them then.
#[derive(Debug)]
pub(super) struct Folding<'a> {
    lexer: Lexer<'a>,
    /// What was read and not folded away: the first [`len`](Self::len) of these.
    tokens: [Token<'a>; WINDOW],
    len: usize,
    /// The first of the two or three tokens that are looked at. Those before it stay, for now.
    at: usize,
    is_at_end: bool,
    /// A comment, if nothing but comments came behind it.
    last_comment: Option<Token<'a>>,
}

/// What is to be done after rules were tried on the tokens from [`Folding::at`] on.
enum Step {
    /// Some were changed: look again.
    Again,
    /// Nothing was: look at the next ones.
    Next,
    /// There are too few.
    Starved,
    /// The second is an injection by itself.
    Evil,
}

impl<'a> Folding<'a> {
    pub(super) fn new(input: &'a [u8], dialect: Dialect) -> Self {
        Self {
            lexer: Lexer::new(input, dialect),
            tokens: [Token::default(); WINDOW],
            len: 0,
            at: 0,
            is_at_end: false,
            last_comment: None,
        }
    }

    /// Reads all tokens that matter, and folds them. Where the first one, behind `quote`, shows that no
    /// fingerprint can come of them, nothing is left.
    pub(super) fn fold(&mut self, quote: Option<u8>) {
        if let Some(first) = self.first_token(quote)
            && !self.is_hopeless(&first)
        {
            self.fold_behind(first);
        }
    }

    /// As [`fold`](Self::fold), by the rules alone.
    #[cfg(test)]
    pub(super) fn fold_by_rules(&mut self, quote: Option<u8>) {
        if let Some(first) = self.first_token(quote) {
            self.push(first);
            self.run();
        }
    }

    fn fold_behind(&mut self, first: Token<'a>) {
        self.push(first);
        self.skip_operands(&first);
        self.run();
    }

    /// Puts a comment at the end back there, if there is room.
    fn finish(&mut self) {
        if self.len < TOKENS_MAX
            && let Some(comment) = self.last_comment
        {
            self.push(comment);
        }
        self.len = self.len.min(TOKENS_MAX);
    }

    /// What is left, at most [`TOKENS_MAX`] tokens, and one more if that is evil.
    pub(super) fn tokens(&self) -> &[Token<'a>] {
        self.tokens.get(..self.len).unwrap_or_default()
    }

    /// How many tokens were read.
    pub(super) fn tokens_read(&self) -> usize {
        self.lexer.tokens
    }

    /// Whether the other dialect may read something else.
    pub(super) fn depends_on_dialect(&self) -> bool {
        self.lexer.depends_on_dialect
    }

    /// PHP's MySQL takes a backquote at the end for a comment.
    pub(super) fn end_with_backquote_comment(&mut self) {
        let tokens = self.tokens.get_mut(..self.len).unwrap_or_default();
        if let [_, _, .., last] = tokens
            && last.kind == Kind::Bareword
            && last.opened_by == Some(b'`')
            && last.closed_by.is_none()
            && last.text().is_empty()
        {
            last.kind = Kind::Comment;
        }
    }

    /// The first token, behind those that say nothing at the beginning.
    fn first_token(&mut self, quote: Option<u8>) -> Option<Token<'a>> {
        const SKIPPED: Kinds = Kinds::UNARY.or(Kinds::of(&[
            Kind::Comment,
            Kind::LeftParenthesis,
            Kind::SqlType,
        ]));
        if let Some(quote) = quote {
            return Some(self.lexer.unopened_string(quote));
        }
        loop {
            let token = self.lexer.next()?;
            if !SKIPPED.has(token.kind) {
                return Some(token);
            }
        }
    }

    /// Whether `first` can't be folded away, no fingerprint begins with it, and nothing behind it is
    /// an injection by itself. In the other dialect it is then the first token too, unless
    /// [`Lexer::depends_on_dialect`] is already set.
    fn is_hopeless(&self, first: &Token<'_>) -> bool {
        const STAY: Kinds = Kinds::of(&[
            Kind::Operator,
            Kind::Arithmetic,
            Kind::Cast,
            Kind::Colon,
            Kind::Dot,
            Kind::Unknown,
        ]);
        STAY.has(first.kind)
            && !first.begins_phrase
            && !fingerprints::begins_one(first.kind)
            && !may_have_evil(self.lexer.rest())
    }

    /// Reads on as long as `first` and the two tokens behind it say as much as `first` alone: that is
    /// what most harmless values are. [`run`](Self::run) would do the same.
    fn skip_operands(&mut self, first: &Token<'a>) {
        if first.begins_phrase {
            return;
        }
        while let Some(second) = self.read() {
            let third = if pairs::have_rule(first.kind, second.kind) {
                None
            } else {
                self.read()
            };
            let Some(third) = third else {
                return self.push(second);
            };
            if !triples::are_one_operand(first.kind, second.kind, third.kind) {
                self.push(second);
                return self.push(third);
            }
        }
    }

    fn run(&mut self) {
        loop {
            if self.len >= TOKENS_MAX {
                self.drop_closed_expression();
            }
            if self.is_at_end || self.at >= TOKENS_MAX {
                return self.finish();
            }
            match self.step() {
                Step::Again => {}
                Step::Next => self.at += 1,
                Step::Starved => self.at = self.len,
                Step::Evil => {
                    self.set_kind(1, Kind::Evil);
                    self.len = self.at + 2;
                    return;
                }
            }
        }
    }

    fn step(&mut self) -> Step {
        if !self.read_until(2) {
            return Step::Starved;
        }
        match self.fold_pair() {
            Step::Next => {}
            step => return step,
        }
        if !self.read_until(3) {
            return Step::Starved;
        }
        self.fold_triple()
    }

    /// Reads until there are `count` tokens to look at. False: there are less, as the value or the
    /// window is at its end.
    fn read_until(&mut self, count: usize) -> bool {
        while self.len < self.at + count {
            if self.is_at_end || self.len == WINDOW {
                return false;
            }
            let Some(token) = self.read() else {
                return false;
            };
            self.push(token);
        }
        true
    }

    /// The next token that is no comment.
    fn read(&mut self) -> Option<Token<'a>> {
        loop {
            match self.lexer.next() {
                Some(token) if token.kind == Kind::Comment => self.last_comment = Some(token),
                Some(token) => {
                    self.last_comment = None;
                    return Some(token);
                }
                None => {
                    self.is_at_end = true;
                    return None;
                }
            }
        }
    }

    fn push(&mut self, token: Token<'a>) {
        if let Some(slot) = self.tokens.get_mut(self.len) {
            *slot = token;
            self.len += 1;
        }
    }

    /// Of five tokens that are one expression, like `1+(2)`, the first says enough.
    fn drop_closed_expression(&mut self) {
        if self.begins_with_closed_expression() {
            let [_, second, _, _, _, sixth] = &mut self.tokens;
            *second = *sixth;
            self.len = if self.len == WINDOW { 2 } else { 1 };
            self.at = 0;
        }
    }

    fn begins_with_closed_expression(&self) -> bool {
        use Kind::{Bareword, Comma, LeftParenthesis, Number, RightParenthesis};
        let [first, second, third, fourth, fifth, _] = &self.tokens;
        let kinds = (first.kind, third.kind, fourth.kind, fifth.kind);
        let is_operator = Kinds::OPERATORS.has(second.kind);
        match kinds {
            (Number, LeftParenthesis, Number, RightParenthesis) => {
                is_operator || second.kind == Comma
            }
            (Bareword, LeftParenthesis, Bareword | Number, RightParenthesis) => is_operator,
            (Number, Comma, LeftParenthesis, Number) => second.kind == RightParenthesis,
            (Bareword, operator, LeftParenthesis, Bareword) => {
                second.kind == RightParenthesis && Kinds::OPERATORS.has(operator)
            }
            _ => false,
        }
    }

    /// The kinds of the first `N` tokens that are looked at.
    fn kinds<const N: usize>(&self) -> [Kind; N] {
        let tokens = self.tokens.get(self.at..).unwrap_or_default();
        let tokens = tokens.first_chunk::<N>();
        tokens.map_or([Kind::None; N], |tokens| tokens.map(|token| token.kind))
    }

    /// The token that is looked at, or the one `offset` behind it.
    fn token(&self, offset: usize) -> Token<'a> {
        let token = self.tokens.get(self.at + offset);
        token.copied().unwrap_or_default()
    }

    fn set_kind(&mut self, offset: usize, kind: Kind) {
        if let Some(token) = self.tokens.get_mut(self.at + offset) {
            token.kind = kind;
        }
    }

    /// Puts the token `offset + 1` behind the one that is looked at in the place before it.
    fn move_back(&mut self, offset: usize) {
        let moved = self.token(offset + 1);
        if let Some(token) = self.tokens.get_mut(self.at + offset) {
            *token = moved;
        }
    }

    /// Drops the last `count` tokens, and looks at the first.
    fn drop_and_restart(&mut self, count: usize) -> Step {
        self.len = self.len.saturating_sub(count);
        self.at = 0;
        Step::Again
    }
}

/// Whether something in `text` may be [`Kind::Evil`]: a comment, or a brace before an empty name.
fn may_have_evil(text: &[u8]) -> bool {
    find_either(text, b'{', b'*').is_some()
        && (find(text, b'{').is_some() || find_sequence(text, b"/*").is_some())
}
