//! HTML as tokens, as libinjection's tokeniser has them: WHATWG's "Tokenization" without what makes no
//! difference to it, and with what old browsers did.

#[cfg(test)]
pub(crate) mod tests;

use crate::scan::{behind, find, find_by, find_sequence, span};

/// A piece of HTML.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Token<'a> {
    pub(crate) kind: Kind,
    pub(crate) text: &'a [u8],
}

/// What a piece of HTML is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    /// The name behind `<`.
    TagName,
    /// The `>` of a tag that has attributes or opens something.
    TagEnd,
    /// `/>`
    SelfClose,
    /// The name behind `</`.
    CloseTag,
    AttributeName,
    AttributeValue,
    Comment,
    Doctype,
}

/// Where in HTML a value begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    /// In text.
    Data,
    /// In a tag, behind its name or an attribute.
    Tag,
    /// In an attribute's value that this quote ends.
    Value(u8),
}

/// Reads tokens from a value, each byte a bounded number of times.
#[derive(Debug)]
pub(crate) struct Tokeniser<'a> {
    /// What is not yet read.
    rest: &'a [u8],
    state: State,
    /// A `</` came, and no `>` since then that ends its name.
    is_closing: bool,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Data,
    /// Behind `<`.
    TagOpen,
    /// At a `>` that ends a name or a value.
    TagEnd,
    BeforeAttribute,
    AfterAttributeName,
    BeforeValue,
    /// Within a value that this quote ends.
    Value(u8),
    AfterQuotedValue,
    /// Behind `/` in a tag.
    SelfClosing,
    End,
}

/// A token, or the state in which there is one without anything between.
enum Next<'a> {
    Token(Token<'a>),
    In(State),
}

impl<'a> Tokeniser<'a> {
    pub(crate) fn new(input: &'a [u8], start: Start) -> Self {
        Self {
            rest: input,
            state: match start {
                Start::Data => State::Data,
                Start::Tag => State::BeforeAttribute,
                Start::Value(quote) => State::Value(quote),
            },
            is_closing: false,
        }
    }

    fn next_in(&mut self, state: State) -> Option<Next<'a>> {
        match state {
            State::Data => self.data(),
            State::TagOpen => self.tag_open(),
            State::TagEnd => {
                self.is_closing = false;
                Some(self.tag_end())
            }
            State::BeforeAttribute => self.before_attribute(),
            State::AfterAttributeName => self.after_attribute_name(),
            State::BeforeValue => self.before_value(),
            State::Value(quote) => Some(self.quoted_value(quote)),
            State::AfterQuotedValue => self.after_quoted_value(),
            State::SelfClosing => self.self_closing(),
            State::End => None,
        }
    }

    /// Takes `len` bytes of the rest, or all of it.
    fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at_checked(len).unwrap_or((self.rest, b""));
        self.rest = rest;
        taken
    }

    /// A token of the next `len` bytes, behind which `skipped` are left out.
    fn token(&mut self, kind: Kind, len: usize, skipped: usize, state: State) -> Next<'a> {
        let text = self.take(len);
        self.take(skipped);
        self.state = state;
        Next::Token(Token { kind, text })
    }

    /// A token of all that is left.
    fn last_token(&mut self, kind: Kind) -> Next<'a> {
        self.token(kind, self.rest.len(), 0, State::End)
    }

    /// A token that ends before `>`, or at the end.
    fn until_angle_bracket(&mut self, kind: Kind) -> Next<'a> {
        match find(self.rest, b'>') {
            Some(end) => self.token(kind, end, 1, State::Data),
            None => self.last_token(kind),
        }
    }

    fn data(&mut self) -> Option<Next<'a>> {
        match find(self.rest, b'<') {
            None if self.rest.is_empty() => None,
            None => Some(self.last_token(Kind::Text)),
            Some(0) => {
                self.take(1);
                Some(Next::In(State::TagOpen))
            }
            Some(end) => Some(self.token(Kind::Text, end, 1, State::TagOpen)),
        }
    }

    fn tag_open(&mut self) -> Option<Next<'a>> {
        match self.rest.first()? {
            b'!' => {
                self.take(1);
                Some(self.markup_declaration())
            }
            b'/' => {
                self.take(1);
                self.end_tag_open()
            }
            b'?' => {
                self.take(1);
                Some(self.until_angle_bracket(Kind::Comment))
            }
            b'%' => {
                self.take(1);
                Some(self.server_comment())
            }
            // Browsers that skip NUL read a name.
            b'a'..=b'z' | b'A'..=b'Z' | 0 => Some(self.tag_name()),
            _ => {
                self.state = State::Data;
                Some(Next::Token(Token {
                    kind: Kind::Text,
                    text: b"<",
                }))
            }
        }
    }

    fn end_tag_open(&mut self) -> Option<Next<'a>> {
        self.is_closing = true;
        match self.rest.first()? {
            b'>' => Some(Next::In(State::Data)),
            byte if byte.is_ascii_alphabetic() => Some(self.tag_name()),
            _ => {
                self.is_closing = false;
                Some(self.until_angle_bracket(Kind::Comment))
            }
        }
    }

    fn tag_name(&mut self) -> Next<'a> {
        let Some(end) = find_class(self.rest, ENDS_TAG_NAME) else {
            return self.last_token(Kind::TagName);
        };
        match self.rest.get(end) {
            Some(b'/') => self.token(Kind::TagName, end, 1, State::SelfClosing),
            Some(b'>') if self.is_closing => {
                self.is_closing = false;
                self.token(Kind::CloseTag, end, 1, State::Data)
            }
            Some(b'>') => self.token(Kind::TagName, end, 0, State::TagEnd),
            _ => self.token(Kind::TagName, end, 1, State::BeforeAttribute),
        }
    }

    /// At `>`.
    fn tag_end(&mut self) -> Next<'a> {
        self.token(Kind::TagEnd, 1, 0, State::Data)
    }

    fn before_attribute(&mut self) -> Option<Next<'a>> {
        loop {
            self.skip_white();
            match self.rest {
                [] | [b'/'] => return None,
                [b'/', b'>', ..] => {
                    self.take(1);
                    return Some(self.self_close());
                }
                [b'/', ..] => self.take(1),
                [b'>', ..] => return Some(self.tag_end()),
                _ => return Some(self.attribute_name()),
            };
        }
    }

    /// Its first byte may be any.
    fn attribute_name(&mut self) -> Next<'a> {
        let others = self.rest.get(1..).unwrap_or_default();
        let Some(end) = find_class(others, ENDS_ATTRIBUTE_NAME).map(|end| end + 1) else {
            return self.last_token(Kind::AttributeName);
        };
        let (skipped, state) = match self.rest.get(end) {
            Some(b'/') => (1, State::SelfClosing),
            Some(b'=') => (1, State::BeforeValue),
            Some(b'>') => (0, State::TagEnd),
            _ => (1, State::AfterAttributeName),
        };
        self.token(Kind::AttributeName, end, skipped, state)
    }

    fn after_attribute_name(&mut self) -> Option<Next<'a>> {
        self.skip_white();
        match self.rest.first()? {
            b'/' => {
                self.take(1);
                Some(Next::In(State::SelfClosing))
            }
            b'=' => {
                self.take(1);
                Some(Next::In(State::BeforeValue))
            }
            b'>' => Some(Next::In(State::TagEnd)),
            _ => Some(self.attribute_name()),
        }
    }

    fn before_value(&mut self) -> Option<Next<'a>> {
        self.skip_white();
        match self.rest.first()? {
            // Internet Explorer knows backquotes too.
            quote @ (b'"' | b'\'' | b'`') => {
                self.take(1);
                Some(Next::In(State::Value(*quote)))
            }
            _ => Some(self.unquoted_value()),
        }
    }

    fn quoted_value(&mut self, quote: u8) -> Next<'a> {
        match find(self.rest, quote) {
            Some(end) => self.token(Kind::AttributeValue, end, 1, State::AfterQuotedValue),
            None => self.last_token(Kind::AttributeValue),
        }
    }

    fn unquoted_value(&mut self) -> Next<'a> {
        let Some(end) = find_class(self.rest, ENDS_VALUE) else {
            return self.last_token(Kind::AttributeValue);
        };
        match self.rest.get(end) {
            Some(b'>') => self.token(Kind::AttributeValue, end, 0, State::TagEnd),
            _ => self.token(Kind::AttributeValue, end, 1, State::BeforeAttribute),
        }
    }

    fn after_quoted_value(&mut self) -> Option<Next<'a>> {
        match self.rest.first()? {
            b'/' => {
                self.take(1);
                Some(Next::In(State::SelfClosing))
            }
            b'>' => Some(self.tag_end()),
            _ => Some(Next::In(State::BeforeAttribute)),
        }
    }

    fn self_closing(&mut self) -> Option<Next<'a>> {
        match self.rest.first()? {
            b'>' => Some(self.self_close()),
            _ => Some(Next::In(State::BeforeAttribute)),
        }
    }

    /// At the `>` behind `/`.
    fn self_close(&mut self) -> Next<'a> {
        self.take(1);
        self.state = State::Data;
        Next::Token(Token {
            kind: Kind::SelfClose,
            text: b"/>",
        })
    }

    /// Behind `<!`.
    fn markup_declaration(&mut self) -> Next<'a> {
        if self.rest.starts_with(b"--") {
            self.take(2);
            return self.comment();
        }
        let (begin, _) = self.rest.split_at(self.rest.len().min(7));
        if begin.eq_ignore_ascii_case(b"DOCTYPE") {
            return self.until_angle_bracket(Kind::Doctype);
        }
        if begin == b"[CDATA[" {
            self.take(7);
            return match find_sequence(self.rest, b"]]>") {
                Some(end) => self.token(Kind::Text, end, 3, State::Data),
                None => self.last_token(Kind::Text),
            };
        }
        self.until_angle_bracket(Kind::Comment)
    }

    /// `<% ... %>`: a comment to some old browsers.
    fn server_comment(&mut self) -> Next<'a> {
        match find_sequence(self.rest, b"%>") {
            Some(end) => self.token(Kind::Comment, end, 2, State::Data),
            None => self.last_token(Kind::Comment),
        }
    }

    /// Behind `<!--`: to `-->` or `--!>`'s end, `-!>`, with NULs behind the first dash.
    fn comment(&mut self) -> Next<'a> {
        let mut dash = 0;
        while let Some(more) = find(behind(self.rest, dash), b'-') {
            dash += more;
            let end = behind(self.rest, dash + 1);
            let nuls = span(end, |byte| byte == 0);
            if let [b'-' | b'!', b'>', ..] = behind(end, nuls) {
                return self.token(Kind::Comment, dash, nuls + 3, State::Data);
            }
            dash += 1;
        }
        self.last_token(Kind::Comment)
    }

    fn skip_white(&mut self) {
        let end = find_class(self.rest, NOT_WHITE);
        self.take(end.unwrap_or(self.rest.len()));
    }
}

impl<'a> Iterator for Tokeniser<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let mut state = self.state;
        loop {
            match self.next_in(state) {
                Some(Next::Token(token)) => return Some(token),
                Some(Next::In(next)) => state = next,
                None => {
                    self.state = State::End;
                    return None;
                }
            }
        }
    }
}

/// Neither white space nor NUL, which old browsers skip.
const NOT_WHITE: u8 = 1;
const ENDS_TAG_NAME: u8 = 1 << 1;
const ENDS_ATTRIBUTE_NAME: u8 = 1 << 2;
/// Ends a value without quotes.
const ENDS_VALUE: u8 = 1 << 3;

/// Where the first byte of `class` is.
fn find_class(text: &[u8], class: u8) -> Option<usize> {
    find_by(text, |byte| {
        let classes = CLASSES.get(usize::from(byte));
        classes.is_some_and(|classes| classes & class != 0)
    })
}

static CLASSES: [u8; 256] = classes();

#[expect(
    clippy::indexing_slicing,
    reason = "when compiled, where an index out of bounds is an error of the compiler"
)]
const fn classes() -> [u8; 256] {
    let mut classes = [NOT_WHITE; 256];
    let mut byte = 0;
    while byte <= b' ' {
        if matches!(byte, b'\t'..=b'\r' | b' ') {
            classes[byte as usize] = ENDS_TAG_NAME | ENDS_ATTRIBUTE_NAME | ENDS_VALUE;
        }
        byte += 1;
    }
    classes[0] = ENDS_ATTRIBUTE_NAME | ENDS_VALUE;
    classes[b'/' as usize] |= ENDS_TAG_NAME | ENDS_ATTRIBUTE_NAME;
    classes[b'=' as usize] |= ENDS_ATTRIBUTE_NAME;
    classes[b'>' as usize] |= ENDS_TAG_NAME | ENDS_ATTRIBUTE_NAME | ENDS_VALUE;
    classes
}
