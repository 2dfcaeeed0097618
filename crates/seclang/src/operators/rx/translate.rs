//! From PCRE's syntax over bytes to Rust's.
//!
//! Each element is read as PCRE reads it (pcrepattern(3)) and written so that Rust's parser can't
//! read it otherwise: bytes that aren't letters or digits in hexadecimal, classes as their ranges, names
//! of groups left out. What means something else, or nothing, on linear-time matching is refused with
//! its place.

use std::fmt::Write as _;

use super::class::{self, Escape};
use super::pattern::PatternProblem::{
    AmbiguousRepetition, BackReference, LookAround, NotRegular, NothingToRepeat, Possessive,
    Unclosed, Unopened, Unsupported,
};
use super::{At, at};
use crate::ByteSet;

/// A pattern in Rust's syntax.
#[derive(Debug)]
pub(super) struct Translated {
    pub(super) pattern: String,
    /// Where in `pattern` and where in PCRE's each element begins, in order.
    begins: Vec<(usize, usize)>,
}

impl Translated {
    /// Where in PCRE's pattern is what is at `offset` in Rust's.
    pub(super) fn offset_of(&self, offset: usize) -> usize {
        let after = self.begins.partition_point(|(begin, _)| *begin <= offset);
        let index = after.saturating_sub(1);
        self.begins.get(index).map_or(0, |(_, place)| *place)
    }
}

pub(super) fn translate(pattern: &[u8]) -> Result<Translated, At> {
    let mut translator = Translator {
        text: pattern,
        place: 0,
        out: String::with_capacity(pattern.len() + pattern.len() / 2),
        begins: Vec::new(),
        open: Vec::new(),
        is_extended: false,
        before: Before::Nothing,
    };
    while translator.place < pattern.len() {
        translator
            .begins
            .push((translator.out.len(), translator.place));
        translator.element()?;
    }
    if let Some(group) = translator.open.last() {
        return Err(at(group.place, Unclosed("a group")));
    }
    Ok(Translated {
        pattern: translator.out,
        begins: translator.begins,
    })
}

struct Translator<'p> {
    text: &'p [u8],
    place: usize,
    out: String,
    begins: Vec<(usize, usize)>,
    open: Vec<Group>,
    /// `(?x)`: white space and comments don't count.
    is_extended: bool,
    before: Before,
}

struct Group {
    place: usize,
    was_extended: bool,
}

/// What a quantifier would find before it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Before {
    /// The beginning of a pattern, a group or an alternative; an assertion; another quantifier.
    Nothing,
    Atom,
}

impl<'p> Translator<'p> {
    fn rest(&self) -> &'p [u8] {
        self.text.get(self.place..).unwrap_or_default()
    }

    fn element(&mut self) -> Result<(), At> {
        match self.rest() {
            [b'\\', ..] => self.escape(),
            [b'[', ..] => self.class(),
            [b'(', ..] => self.open(),
            [b')', ..] => self.close(),
            [byte @ (b'*' | b'+' | b'?'), ..] => self.quantifier(char::from(*byte)),
            [b'{', ..] => self.brace(),
            [b'|', ..] => self.push_as_is('|', Before::Nothing),
            [byte @ (b'^' | b'$'), ..] => self.push_as_is(char::from(*byte), Before::Nothing),
            [b'.', ..] => self.push_as_is('.', Before::Atom),
            [b'#', ..] if self.is_extended => self.skip_comment(b'\n'),
            [b'\t'..=b'\r' | b' ', ..] if self.is_extended => {
                self.place += 1;
                Ok(())
            }
            [byte, ..] => {
                self.place += 1;
                self.push_byte(*byte);
                Ok(())
            }
            [] => Ok(()),
        }
    }

    fn push_as_is(&mut self, character: char, before: Before) -> Result<(), At> {
        self.out.push(character);
        self.place += 1;
        self.before = before;
        Ok(())
    }

    fn push_byte(&mut self, byte: u8) {
        push_byte(byte, &mut self.out);
        self.before = Before::Atom;
    }

    fn push_set(&mut self, set: ByteSet, is_negated: bool) {
        self.out.push_str(if is_negated { "[^" } else { "[" });
        let mut first = None;
        for byte in 0..=u8::MAX {
            if set.contains(byte) {
                first = first.or(Some(byte));
                continue;
            }
            if let Some(first) = first.take() {
                push_range(first, byte - 1, &mut self.out);
            }
        }
        if let Some(first) = first {
            push_range(first, u8::MAX, &mut self.out);
        }
        self.out.push(']');
        self.before = Before::Atom;
    }

    /// Up to its end, which needn't come where that is the end of the pattern.
    fn skip_comment(&mut self, end: u8) -> Result<(), At> {
        match memchr::memchr(end, self.rest()) {
            Some(len) => self.place += len + 1,
            None if end == b'\n' => self.place = self.text.len(),
            None => return Err(at(self.place, Unclosed("a comment"))),
        }
        Ok(())
    }

    fn escape(&mut self) -> Result<(), At> {
        let place = self.place;
        let (escape, len) =
            class::escape(self.rest(), false).map_err(|problem| at(place, problem))?;
        self.place += len;
        match escape {
            Escape::Byte(byte) => self.push_byte(byte),
            Escape::Set(set) => self.push_set(set, false),
            Escape::Assertion(assertion) => {
                self.out.push_str(assertion);
                self.before = Before::Nothing;
            }
            Escape::Quote => self.quote(),
            Escape::Nothing => {}
        }
        Ok(())
    }

    /// Text up to `\E`, or to the end.
    fn quote(&mut self) {
        let rest = self.rest();
        let len = memchr::memmem::find(rest, b"\\E");
        let (text, _) = rest.split_at(len.unwrap_or(rest.len()));
        for byte in text {
            self.push_byte(*byte);
        }
        self.place += text.len() + if len.is_some() { 2 } else { 0 };
    }

    fn class(&mut self) -> Result<(), At> {
        let parsed = class::parse(self.rest())
            .map_err(|(offset, problem)| at(self.place + offset, problem))?;
        self.place += parsed.len;
        self.push_set(parsed.set, parsed.is_negated);
        Ok(())
    }

    fn quantifier(&mut self, character: char) -> Result<(), At> {
        if self.before != Before::Atom {
            return Err(at(self.place, NothingToRepeat));
        }
        self.out.push(character);
        self.place += 1;
        self.end_of_quantifier()
    }

    /// `{2}`, `{2,}`, `{2,3}`; any other brace is text.
    fn brace(&mut self) -> Result<(), At> {
        match repetition(self.rest()) {
            Some(_) if self.before != Before::Atom => Err(at(self.place, NothingToRepeat)),
            Some(repetition) => {
                self.out.push_str(repetition);
                self.place += repetition.len();
                self.end_of_quantifier()
            }
            None if is_ambiguous(self.rest()) => Err(at(self.place, AmbiguousRepetition)),
            None => {
                self.place += 1;
                self.push_byte(b'{');
                Ok(())
            }
        }
    }

    fn end_of_quantifier(&mut self) -> Result<(), At> {
        match self.rest() {
            [b'?', ..] => {
                self.out.push('?');
                self.place += 1;
            }
            [b'+', ..] => {
                let expected = "the quantifier without its second `+`";
                return Err(at(
                    self.place,
                    Possessive("a possessive quantifier", expected),
                ));
            }
            _ => {}
        }
        self.before = Before::Nothing;
        Ok(())
    }

    fn close(&mut self) -> Result<(), At> {
        let group = self.open.pop().ok_or_else(|| at(self.place, Unopened))?;
        self.is_extended = group.was_extended;
        self.push_as_is(')', Before::Atom)
    }

    /// `(` and what says of which kind the group is.
    fn open(&mut self) -> Result<(), At> {
        let place = self.place;
        let refuse = |problem| Err(at(place, problem));
        match self.rest() {
            [_, b'*', ..] => refuse(NotRegular("a verb (`(*`)")),
            [_, b'?', kind @ ..] => match kind {
                [b':', ..] => self.begin_group("(?:", 3),
                [b'#', ..] => self.skip_comment(b')'),
                [b'=', ..] => refuse(LookAround("=")),
                [b'!', ..] => refuse(LookAround("!")),
                [b'<', b'=', ..] => refuse(LookAround("<=")),
                [b'<', b'!', ..] => refuse(LookAround("<!")),
                [b'<', name @ ..] => self.named_group(name, b'>', 3),
                [b'P', b'<', name @ ..] => self.named_group(name, b'>', 4),
                [b'\'', name @ ..] => self.named_group(name, b'\'', 3),
                [b'>', ..] => refuse(Possessive(
                    "an atomic group",
                    "a group that begins with `(?:`",
                )),
                [b'|', ..] => refuse(Unsupported(
                    "a group that counts anew (`(?|`)",
                    "groups that are counted in order",
                )),
                [b'P', b'=', ..] => refuse(BackReference),
                [b'(', ..] => refuse(NotRegular("a condition (`(?(`)")),
                [b'C', ..] => refuse(NotRegular("a callout (`(?C`)")),
                [b'P', b'>', ..]
                | [b'R' | b'&' | b'0'..=b'9', ..]
                | [b'+' | b'-', b'0'..=b'9', ..] => refuse(NotRegular("recursion")),
                _ => self.flags(),
            },
            _ => self.begin_group("(", 1),
        }
    }

    fn begin_group(&mut self, opening: &str, len: usize) -> Result<(), At> {
        self.open.push(Group {
            place: self.place,
            was_extended: self.is_extended,
        });
        self.out.push_str(opening);
        self.place += len;
        self.before = Before::Nothing;
        Ok(())
    }

    /// Rules know groups by their numbers: the name is left out.
    fn named_group(&mut self, name: &[u8], end: u8, prefix_len: usize) -> Result<(), At> {
        let len = memchr::memchr(end, name);
        let name = len.and_then(|len| name.get(..len));
        let is_name = |name: &[u8]| {
            let mut bytes = name.iter();
            bytes
                .next()
                .is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
                && bytes.all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        };
        match name.filter(|name| is_name(name)) {
            Some(name) => self.begin_group("(", prefix_len + name.len() + 1),
            None => Err(at(
                self.place,
                Unsupported("this name of a group", "letters, digits and underscores"),
            )),
        }
    }

    /// `(?i)`, `(?i-s:`.
    fn flags(&mut self) -> Result<(), At> {
        let (mut kept, mut is_on, mut extended) = (String::new(), true, self.is_extended);
        for (index, byte) in self.rest().iter().enumerate().skip(2) {
            match byte {
                b'i' | b'm' | b's' | b'U' => kept.push(char::from(*byte)),
                b'x' => extended = is_on,
                // Names may be used twice: they are left out.
                b'J' => {}
                b'-' if is_on => {
                    is_on = false;
                    kept.push('-');
                }
                b':' => {
                    let opening = format!("(?{}:", trim_dash(&kept));
                    self.begin_group(&opening, index + 1)?;
                    self.is_extended = extended;
                    return Ok(());
                }
                b')' => {
                    let kept = trim_dash(&kept);
                    if !kept.is_empty() {
                        let _ = write!(self.out, "(?{kept})");
                    }
                    self.is_extended = extended;
                    self.place += index + 1;
                    self.before = Before::Nothing;
                    return Ok(());
                }
                _ => {
                    let expected = "the flags i, m, s, x and U";
                    let problem = Unsupported("this kind of group or flag", expected);
                    return Err(at(self.place + index, problem));
                }
            }
        }
        Err(at(self.place, Unclosed("a group")))
    }
}

/// A dash that nothing follows takes nothing away.
fn trim_dash(flags: &str) -> &str {
    flags.strip_suffix('-').unwrap_or(flags)
}

fn push_byte(byte: u8, out: &mut String) {
    if byte.is_ascii_alphanumeric() {
        out.push(char::from(byte));
    } else {
        let _ = write!(out, "\\x{byte:02X}");
    }
}

fn push_range(first: u8, last: u8, out: &mut String) {
    push_byte(first, out);
    if first < last {
        out.push('-');
        push_byte(last, out);
    }
}

/// A repetition in braces, at the beginning of `text`.
fn repetition(text: &[u8]) -> Option<&str> {
    let len = memchr::memchr(b'}', text)? + 1;
    let braces = std::str::from_utf8(text.get(..len)?).ok()?;
    let inner = braces.strip_prefix('{')?.strip_suffix('}')?;
    let (least, most) = inner.split_once(',').unwrap_or((inner, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    (!least.is_empty() && is_number(least) && is_number(most)).then_some(braces)
}

/// `{,3}`.
fn is_ambiguous(text: &[u8]) -> bool {
    let Some(digits) = text.strip_prefix(b"{,") else {
        return false;
    };
    let len = digits
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    len > 0 && digits.get(len) == Some(&b'}')
}
