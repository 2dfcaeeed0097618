//! Numbers, and amounts of money.

use super::super::bytes::{self, WHITE};
use super::super::kind::Kind;
use super::super::token::Token;
use super::Lexer;
use crate::scan::{behind, find_sequence, span};

impl<'a> Lexer<'a> {
    /// `12`, `1.5`, `.5e-3`, `0x1F`, `0b01`, `1.5f`; a lone dot; or words that look like them.
    pub(super) fn number(&mut self) -> Token<'a> {
        match self.rest {
            [b'0', b'x' | b'X', digits @ ..] => {
                let len = span(digits, is_hexadecimal_digit);
                self.number_with_prefix(len)
            }
            [b'0', b'b' | b'B', digits @ ..] => {
                let len = span(digits, is_binary_digit);
                self.number_with_prefix(len)
            }
            _ => self.decimal_number(),
        }
    }

    fn number_with_prefix(&mut self, digits: usize) -> Token<'a> {
        let kind = if digits == 0 {
            Kind::Bareword
        } else {
            Kind::Number
        };
        self.take_token(kind, 2 + digits)
    }

    fn decimal_number(&mut self) -> Token<'a> {
        let text = self.rest;
        let mut len = digits_at(text, 0);
        if text.get(len) == Some(&b'.') {
            len += 1;
            len += digits_at(text, len);
            if len == 1 {
                return self.take_token(Kind::Dot, 1);
            }
        }
        let mut kind = Kind::Number;
        if let Some(b'e' | b'E') = text.get(len) {
            len += 1;
            len += usize::from(matches!(text.get(len), Some(b'+' | b'-')));
            let digits = digits_at(text, len);
            if digits == 0 {
                // libinjection 4.0.0 reads nothing here; its test files before that have a word.
                kind = Kind::Bareword;
            }
            len += digits;
        }
        len += usize::from(has_oracle_suffix(behind(text, len)));
        self.take_token(kind, len)
    }

    /// `$1,000.00`; PostgreSQL's `$$...$$` and `$tag$...$tag$`; else a word.
    pub(super) fn money(&mut self) -> Token<'a> {
        let after = behind(self.rest, 1);
        match span(after, is_in_amount) {
            0 => self.dollar_quoted(after),
            1 if after.first() == Some(&b'.') => self.word(),
            len => self.take_token(Kind::Number, 1 + len),
        }
    }

    /// `after` is what follows the first dollar.
    fn dollar_quoted(&mut self, after: &'a [u8]) -> Token<'a> {
        let tag = span(after, |byte| byte.is_ascii_alphabetic() || byte == 0);
        if after.get(tag) != Some(&b'$') {
            return self.take_token(Kind::Bareword, 1);
        }
        let quote = self.take(tag + 2);
        let end = find_sequence(self.rest, quote);
        let text = self.take(end.unwrap_or(self.rest.len()));
        self.take(quote.len());
        Token::string(text, b'$', end.is_some())
    }
}

fn digits_at(text: &[u8], at: usize) -> usize {
    span(behind(text, at), |byte| byte.is_ascii_digit())
}

/// Oracle's suffix of a float or double, as far as what follows shows that it is one: also in
/// `1fUNION`.
fn has_oracle_suffix(text: &[u8]) -> bool {
    match text {
        [b'd' | b'D' | b'f' | b'F'] => true,
        [b'd' | b'D' | b'f' | b'F', next, ..] => {
            bytes::is(*next, WHITE) || matches!(next, b';' | b'u' | b'U')
        }
        _ => false,
    }
}

// NUL is in these since it is for libinjection, whose C strings end with it.

pub(super) const fn is_hexadecimal_digit(byte: u8) -> bool {
    byte.is_ascii_hexdigit() || byte == 0
}

pub(super) const fn is_binary_digit(byte: u8) -> bool {
    matches!(byte, b'0' | b'1' | 0)
}

const fn is_in_amount(byte: u8) -> bool {
    matches!(byte, b'0'..=b'9' | b'.' | b',' | 0)
}
