//! A value as tokens of SQL: of ANSI's, MySQL's, PostgreSQL's, Oracle's and Microsoft's at once.

mod literals;
mod numbers;
mod words;

use super::bytes::{self, SKIPPED, WHITE};
use super::keywords;
use super::kind::Kind;
use super::token::Token;
use crate::scan::{find, find_sequence};

/// What `#` and `--` mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    /// `#` is an operator; `--` begins a comment, whatever follows.
    Ansi,
    /// `#` begins a comment; `--` does so only before white space or the end.
    Mysql,
}

/// Reads tokens from a value, each byte a bounded number of times.
#[derive(Debug)]
pub(super) struct Lexer<'a> {
    /// What is not yet read.
    rest: &'a [u8],
    dialect: Dialect,
    /// How many tokens were read.
    pub(super) tokens: usize,
    /// Whether another dialect would have read something else.
    pub(super) depends_on_dialect: bool,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(input: &'a [u8], dialect: Dialect) -> Self {
        Self {
            rest: input,
            dialect,
            tokens: 0,
            depends_on_dialect: false,
        }
    }

    /// What is not yet read.
    pub(super) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next token; `None` at the end.
    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let (first, after) = self.rest.split_first()?;
            if !bytes::is(*first, SKIPPED) {
                self.tokens += 1;
                return Some(self.token(*first));
            }
            self.rest = after;
        }
    }

    /// The token that begins with `first`, the first byte of the rest.
    fn token(&mut self, first: u8) -> Token<'a> {
        match first {
            b'0'..=b'9' | b'.' => self.number(),
            b'\'' | b'"' => self.quoted_string(1, first),
            b'`' => self.back_quoted(),
            b'B' | b'b' => self.binary_string(),
            b'E' | b'e' => self.escaped_string(),
            b'N' | b'n' => self.national_string(),
            b'Q' | b'q' => self.oracle_string(0),
            b'U' | b'u' => self.unicode_string(),
            b'X' | b'x' => self.hexadecimal_string(),
            b'$' => self.money(),
            b'@' => self.variable(),
            b'[' => self.bracketed_word(),
            b'#' => self.hash(),
            b'-' => self.dash(),
            b'/' => self.slash(),
            b'\\' => self.backslash(),
            b'!' | b'&' | b'*' | b':' | b'<' | b'=' | b'>' | b'|' => self.operator(),
            b'%' | b'+' | b'^' | b'~' => self.take_token(Kind::of_operator(first), 1),
            b'(' => self.take_token(Kind::LeftParenthesis, 1),
            b')' => self.take_token(Kind::RightParenthesis, 1),
            b',' => self.take_token(Kind::Comma, 1),
            b';' => self.take_token(Kind::Semicolon, 1),
            b'{' => self.take_token(Kind::LeftBrace, 1),
            b'}' => self.take_token(Kind::RightBrace, 1),
            b'?' | b']' => self.take_token(Kind::Unknown, 1),
            _ => self.word(),
        }
    }

    /// Takes `len` bytes of the rest, or all of it.
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, b""));
        self.rest = rest;
        taken
    }

    fn take_token(&mut self, kind: Kind, len: usize) -> Token<'a> {
        Token::new(kind, self.take(len))
    }

    /// `#`
    fn hash(&mut self) -> Token<'a> {
        self.depends_on_dialect = true;
        match self.dialect {
            Dialect::Mysql => self.comment_to_end_of_line(),
            Dialect::Ansi => self.take_token(Kind::Operator, 1),
        }
    }

    /// `-`
    fn dash(&mut self) -> Token<'a> {
        match self.rest {
            [_, b'-'] => self.comment_to_end_of_line(),
            [_, b'-', byte, ..] if bytes::is(*byte, WHITE) => self.comment_to_end_of_line(),
            [_, b'-', ..] if self.dialect == Dialect::Ansi => {
                self.depends_on_dialect = true;
                self.comment_to_end_of_line()
            }
            _ => self.take_token(Kind::Sign, 1),
        }
    }

    fn comment_to_end_of_line(&mut self) -> Token<'a> {
        let len = find(self.rest, b'\n').unwrap_or(self.rest.len());
        let token = self.take_token(Kind::Comment, len);
        self.take(1);
        token
    }

    /// `/`: division, or a comment. One that has another within it ends in different places for
    /// PostgreSQL and others, and MySQL runs what is in `/*! */`: both are evil.
    fn slash(&mut self) -> Token<'a> {
        let [_, b'*', inside @ ..] = self.rest else {
            return self.take_token(Kind::Arithmetic, 1);
        };
        let end = find_sequence(inside, b"*/");
        // In `/*/*/` the asterisk that ends the comment begins another one for who nests them.
        let is_nested = end.is_some_and(|end| {
            let inside = inside.get(..=end).unwrap_or(inside);
            find_sequence(inside, b"/*").is_some()
        });
        let kind = if is_nested || inside.first() == Some(&b'!') {
            Kind::Evil
        } else {
            Kind::Comment
        };
        let len = end.map_or(self.rest.len(), |end| end + 4);
        self.take_token(kind, len)
    }

    /// `\`: in MySQL `\N` is NULL.
    fn backslash(&mut self) -> Token<'a> {
        match self.rest {
            [_, b'N', ..] => self.take_token(Kind::Number, 2),
            _ => self.take_token(Kind::Backslash, 1),
        }
    }

    /// What may be an operator of two bytes.
    fn operator(&mut self) -> Token<'a> {
        let (kind, len) = match self.rest {
            [b'<', b'=', b'>', ..] => (Kind::Operator, 3),
            [first, second, ..] => match keywords::look_up(&[*first, *second]) {
                Some(operator) => (operator.kind, 2),
                None if *first == b':' => (Kind::Colon, 1),
                None => (Kind::of_operator(*first), 1),
            },
            [first] => (Kind::of_operator(*first), 1),
            [] => (Kind::None, 0),
        };
        self.take_token(kind, len)
    }
}
