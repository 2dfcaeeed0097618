//! Strings, in the ways that databases write them.

use super::super::kind::Kind;
use super::super::token::Token;
use super::Lexer;
use super::numbers::{is_binary_digit, is_hexadecimal_digit};
use crate::scan::{behind, find, find_sequence, span, trailing};

impl<'a> Lexer<'a> {
    /// What a value begins with that is put between quotes: a string without its beginning.
    pub(in super::super) fn unopened_string(&mut self, quote: u8) -> Token<'a> {
        self.tokens += 1;
        let mut string = self.quoted_string(0, quote);
        string.opened_by = None;
        string
    }

    /// A string between quotes; its first byte is `offset` bytes away.
    pub(super) fn quoted_string(&mut self, offset: usize, quote: u8) -> Token<'a> {
        self.take(offset);
        let end = end_of_string(self.rest, quote);
        let text = self.take(end.unwrap_or(self.rest.len()));
        self.take(1);
        Token::string(text, quote, end.is_some())
    }

    /// PostgreSQL's `E'...'`, or a word.
    pub(super) fn escaped_string(&mut self) -> Token<'a> {
        match self.rest {
            [_, b'\'', _, ..] => self.quoted_string(2, b'\''),
            _ => self.word(),
        }
    }

    /// `N'...'`; Oracle's `nq'[...]'`; or a word.
    pub(super) fn national_string(&mut self) -> Token<'a> {
        match self.rest {
            [_, b'\'', _, ..] => self.quoted_string(2, b'\''),
            _ => self.oracle_string(1),
        }
    }

    /// `U&'...'`, or a word.
    pub(super) fn unicode_string(&mut self) -> Token<'a> {
        let [_, b'&', b'\'', ..] = self.rest else {
            return self.word();
        };
        let mut string = self.quoted_string(3, b'\'');
        string.opened_by = Some(b'u');
        string.closed_by = string.closed_by.map(|_| b'u');
        string
    }

    /// Oracle's `q'[...]'`, whose `q` is `offset` bytes away; or a word.
    pub(super) fn oracle_string(&mut self, offset: usize) -> Token<'a> {
        let [b'q' | b'Q', b'\'', bracket @ b'!'..=0x7f, ..] = behind(self.rest, offset) else {
            return self.word();
        };
        let closing = match bracket {
            b'(' => b')',
            b'[' => b']',
            b'{' => b'}',
            b'<' => b'>',
            same => *same,
        };
        self.take(offset + 3);
        let end = find_sequence(self.rest, &[closing, b'\'']);
        let text = self.take(end.unwrap_or(self.rest.len()));
        self.take(2);
        Token::string(text, b'q', end.is_some())
    }

    /// `B'01'`, or a word.
    pub(super) fn binary_string(&mut self) -> Token<'a> {
        self.number_in_quotes(is_binary_digit)
    }

    /// `X'1F'`, or a word.
    pub(super) fn hexadecimal_string(&mut self) -> Token<'a> {
        self.number_in_quotes(is_hexadecimal_digit)
    }

    fn number_in_quotes(&mut self, is_digit: fn(u8) -> bool) -> Token<'a> {
        if let [_, b'\'', digits @ ..] = self.rest {
            let len = span(digits, is_digit);
            if digits.get(len) == Some(&b'\'') {
                return self.take_token(Kind::Number, len + 3);
            }
        }
        self.word()
    }
}

/// Where the quote is that ends a string: not behind an odd number of backslashes, not doubled.
fn end_of_string(text: &[u8], quote: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + find(behind(text, from), quote)?;
        let before = text.get(..at).unwrap_or_default();
        if trailing(before, b'\\') % 2 == 1 {
            from = at + 1;
        } else if text.get(at + 1) == Some(&quote) {
            from = at + 2;
        } else {
            return Some(at);
        }
    }
}
