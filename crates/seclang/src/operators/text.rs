//! `beginsWith`, `contains`, `endsWith`, `streq`, `strmatch`, `within`; and `containsWord`, whose search
//! is in `contains_word`.

use memchr::memmem::{self, Finder};

use super::argument::Argument;
use super::contains_word::contains_word;
use super::content;
use super::error::{Found, Problem};
use crate::MacroText;

/// How a value must stand to the argument, byte by byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TextTest {
    /// It begins with it.
    BeginsWith,
    /// It has it somewhere.
    Contains,
    /// It has it somewhere, with neither a letter, a digit nor an underscore before or behind.
    ContainsWord,
    /// It ends with it.
    EndsWith,
    /// It is it.
    StrEq,
    /// It is somewhere in it.
    Within,
}

/// An operator that compares a value with text. An empty argument is in every value, and an empty
/// value within every argument.
#[derive(Clone, Debug)]
pub struct Text {
    test: TextTest,
    argument: Argument,
    /// Where a fixed argument is searched for.
    finder: Option<Box<Finder<'static>>>,
}

impl Text {
    pub(super) fn parse(test: TextTest, argument: &[u8]) -> Result<Self, Found> {
        Ok(Self::new(test, Argument::parse(argument)?))
    }

    /// `strmatch`: what is to be contained may have bytes in hexadecimal, and no macros.
    pub(super) fn parse_str_match(argument: &[u8]) -> Result<Self, Found> {
        let content = content::decode(content::unquoted(argument));
        if content.is_empty() {
            return Err((0, Problem::Empty("text to search for")));
        }
        Ok(Self::new(
            TextTest::Contains,
            Argument::Fixed(content.into()),
        ))
    }

    fn new(test: TextTest, argument: Argument) -> Self {
        let searched = match (test, &argument) {
            (TextTest::Contains | TextTest::ContainsWord, Argument::Fixed(text)) => Some(text),
            _ => None,
        };
        let finder = searched.map(|text| Box::new(Finder::new(text).into_owned()));
        Self {
            test,
            argument,
            finder,
        }
    }

    /// How a value must stand to the argument.
    #[must_use]
    pub fn test(&self) -> TextTest {
        self.test
    }

    /// The argument.
    #[must_use]
    pub fn argument(&self) -> &Argument {
        &self.argument
    }

    pub(super) fn with_argument(&self, text: &[u8]) -> Self {
        Self::new(self.test, Argument::Fixed(text.into()))
    }

    pub(super) fn macros(&self) -> Option<&MacroText> {
        self.argument.macros()
    }

    /// Whether `value` stands so to the argument, or to what it was expanded to. `scratch` is for
    /// searching words.
    pub(super) fn holds(&self, value: &[u8], expanded: &[u8], scratch: &mut Vec<usize>) -> bool {
        let argument = self.argument.text(expanded);
        match self.test {
            TextTest::BeginsWith => value.starts_with(argument),
            TextTest::EndsWith => value.ends_with(argument),
            TextTest::StrEq => value == argument,
            TextTest::Within => is_within(value, argument),
            TextTest::Contains => self.find(value, argument).is_some(),
            TextTest::ContainsWord => match self.find(value, argument) {
                Some(first) => contains_word(value, argument, first, scratch),
                None => false,
            },
        }
    }

    fn find(&self, value: &[u8], argument: &[u8]) -> Option<usize> {
        match &self.finder {
            Some(finder) => finder.find(value),
            None => memmem::find(value, argument),
        }
    }
}

/// Text in which a value is looked for byte by byte: less of it costs less than to make a searcher for
/// the value, which is another each time.
const SHORT: usize = 512;

/// How often each byte is in a list of words, roughly: separators most, then vowels and what is as common.
const COMMONNESS: [u8; 256] = {
    let mut all = [0; 256];
    let mut rest: &mut [u8] = &mut all;
    let mut byte = 0_u8;
    while let [place, tail @ ..] = rest {
        *place = match byte.to_ascii_lowercase() {
            b'/' | b'|' | b' ' | b',' => 3,
            b'a' | b'c' | b'd' | b'e' | b'i' | b'n' | b'o' | b'p' | b'r' | b's' | b't' | b'-' => 2,
            b'a'..=b'z' => 1,
            _ => 0,
        };
        byte = byte.wrapping_add(1);
        rest = tail;
    }
    all
};

/// Whether `value` is somewhere in `text`.
fn is_within(value: &[u8], text: &[u8]) -> bool {
    // The byte that is least often in a list of words: they have the same at both ends.
    let commonness = |byte: &u8| COMMONNESS.get(usize::from(*byte)).copied();
    let bytes = value.iter().enumerate();
    let rarest = bytes.min_by_key(|(_, byte)| commonness(byte));
    let Some((middle, byte)) = rarest.filter(|_| text.len() <= SHORT) else {
        return memmem::find(text, value).is_some();
    };
    let Some(rest) = text.get(middle..) else {
        return false;
    };
    memchr::memchr_iter(*byte, rest).any(|at| {
        text.get(at..at + value.len())
            .is_some_and(|part| part == value)
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_expanded};
    use proptest::prelude::*;

    #[test]
    fn what_a_value_begins_and_ends_with() {
        check("beginsWith", b"ab", b"abc", true);
        check("beginsWith", b"ab", b"Abc", false);
        check("beginsWith", b"", b"", true);
        check("endsWith", b"bc", b"abc", true);
        check("endsWith", b"bc", b"c", false);
        check_expanded(
            "endsWith",
            b".%{request_headers.host}",
            b".a.example",
            b"x.a.example",
            true,
        );
        check_expanded("beginsWith", b"%{tx.x}", b"", b"a", true);
    }

    #[test]
    fn what_a_value_contains_or_is() {
        check("contains", b"\xffb", b"a\xffbc", true);
        check("contains", b"B", b"abc", false);
        check("contains", b"", b"", true);
        check_expanded("contains", b"%{tx.x}", b"bc", b"abc", true);
        check("streq", b"abc", b"abc", true);
        check("streq", b"abc", b"ABC", false);
        check_expanded("streq", b"%{TX.2}", b"a", b"b", false);
    }

    #[test]
    fn what_a_value_is_within() {
        check("within", b"GET HEAD POST", b"HEAD", true);
        check("within", b"GET HEAD POST", b"head", false);
        check("within", b"GET", b"GET ", false);
        check("within", b"", b"", true);
        check_expanded(
            "within",
            b"%{tx.allowed_methods}",
            b"GET POST",
            b"T P",
            true,
        );
        check_expanded("within", b"%{tx.unset}", b"", b"GET", false);
    }

    #[test]
    fn text_that_may_have_bytes_in_hexadecimal() {
        check("strmatch", b"WebZIP", b"xWebZIPx", true);
        check("strmatch", b"webzip", b"xWebZIPx", false);
        check("strmatch", b"a|0d 0A|b", b"xa\r\nbx", true);
        check("strmatch", b"\"a b\"", b"xa bx", true);
        check("strmatch", b"%{tx.x}", b"%{tx.x}", true);
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan(argument in "[ab]{0,3}", value in "[ab ]{0,12}") {
            let contains = value.contains(&argument);
            check("contains", argument.as_bytes(), value.as_bytes(), contains);
            check("within", value.as_bytes(), argument.as_bytes(), contains);
            check_expanded("contains", b"%{a}", argument.as_bytes(), value.as_bytes(), contains);
        }
    }
}
