//! Words, variables, and what is written between backquotes or brackets.

use super::super::bytes::{self, DIVIDES_WORD, ENDS_VARIABLE, ENDS_WORD};
use super::super::keywords::{self, Keyword};
use super::super::kind::Kind;
use super::super::token::{TEXT_BYTES_MAX, Token};
use super::Lexer;
use crate::scan::{behind, find, find_by, span};

impl<'a> Lexer<'a> {
    /// A word. A keyword before a dot or a backquote is one by itself: `SELECT.1`, ``SELECT`a` ``;
    /// other words have both within them.
    pub(super) fn word(&mut self) -> Token<'a> {
        let text = self.rest.get(..TEXT_BYTES_MAX).unwrap_or(self.rest);
        let mut len = 0;
        while let Some(more) = find_by(behind(text, len), is_no_part_of_word) {
            len += more;
            let divides = text
                .get(len)
                .is_some_and(|byte| bytes::is(*byte, DIVIDES_WORD));
            if !divides {
                return self.whole_word(len);
            }
            if let Some(keyword) = keyword_before(text, len) {
                return Token::of_keyword(keyword, self.take(len));
            }
            len += 1;
        }
        self.long_word()
    }

    /// A word of `len` bytes that may be a keyword.
    fn whole_word(&mut self, len: usize) -> Token<'a> {
        let text = self.take(len);
        match keywords::look_up(text) {
            Some(keyword) => Token::of_keyword(keyword, text),
            None => Token::new(Kind::Bareword, text),
        }
    }

    /// A word that goes on to the end of the value or has [`TEXT_BYTES_MAX`] bytes, longer than all
    /// keywords.
    fn long_word(&mut self) -> Token<'a> {
        match span(self.rest, |byte| !bytes::is(byte, ENDS_WORD)) {
            len @ ..TEXT_BYTES_MAX => self.whole_word(len),
            len => self.take_token(Kind::Bareword, len),
        }
    }

    /// `` `...` ``: MySQL's way to write a name, or a function's.
    pub(super) fn back_quoted(&mut self) -> Token<'a> {
        let mut token = self.quoted_string(1, b'`');
        let keyword = keywords::look_up(token.text());
        token.kind = match keyword {
            Some(function) if function.kind.letter() == b'f' => function.kind,
            _ => Kind::Bareword,
        };
        token.begins_phrase = keyword.is_some_and(|keyword| keyword.begins_phrase);
        token
    }

    /// `[...]`: Microsoft's way to write a name.
    pub(super) fn bracketed_word(&mut self) -> Token<'a> {
        let end = find(self.rest, b']');
        let len = end.map_or(self.rest.len(), |end| end + 1);
        self.take_token(Kind::Bareword, len)
    }

    /// `@name`, `@@name`, with or without quotes.
    pub(super) fn variable(&mut self) -> Token<'a> {
        self.take(match self.rest {
            [_, b'@', ..] => 2,
            _ => 1,
        });
        let mut token = match self.rest {
            [b'`', ..] => self.back_quoted(),
            [quote @ (b'\'' | b'"'), ..] => self.quoted_string(1, *quote),
            name => {
                let len = span(name, |byte| !bytes::is(byte, ENDS_VARIABLE));
                self.take_token(Kind::Variable, len)
            }
        };
        token.kind = Kind::Variable;
        token
    }
}

fn is_no_part_of_word(byte: u8) -> bool {
    bytes::is(byte, ENDS_WORD | DIVIDES_WORD)
}

/// The keyword that the first `len` bytes of `text` are, if it is more than a name.
fn keyword_before(text: &[u8], len: usize) -> Option<&'static Keyword> {
    let keyword = keywords::look_up(text.get(..len)?)?;
    (!matches!(keyword.kind, Kind::None | Kind::Bareword)).then_some(keyword)
}
