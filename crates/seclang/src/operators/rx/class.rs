//! Escapes, and classes in brackets, as PCRE reads them over bytes.

use super::super::error::excerpt;
use super::PatternProblem::{
    self, BackReference, BackwardRange, BeyondByte, Possessive, Unclosed, UnknownClass,
    UnknownEscape, Unsupported,
};
use crate::ByteSet;

const DIGITS: ByteSet = ByteSet::range(b'0', b'9');
const UPPER: ByteSet = ByteSet::range(b'A', b'Z');
const LOWER: ByteSet = ByteSet::range(b'a', b'z');
const ALPHA: ByteSet = UPPER.union(LOWER);
const WORD: ByteSet = ALPHA.union(DIGITS).with(b'_');
const SPACE: ByteSet = ByteSet::range(b'\t', b'\r').with(b' ');
const HORIZONTAL_SPACE: ByteSet = ByteSet::of(b"\t \xa0");
const VERTICAL_SPACE: ByteSet = ByteSet::range(b'\n', b'\r').with(0x85);
const GRAPH: ByteSet = ByteSet::range(0x21, 0x7e);

/// What a backslash and what follows stand for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Escape {
    Byte(u8),
    Set(ByteSet),
    /// In Rust's syntax.
    Assertion(&'static str),
    /// `\Q`.
    Quote,
    /// `\E` without `\Q`.
    Nothing,
}

/// Reads the escape at the beginning of `text`, and says how long it is.
pub(super) fn escape(text: &[u8], is_in_class: bool) -> Result<(Escape, usize), PatternProblem> {
    let [_, letter, tail @ ..] = text else {
        return Err(Unsupported("a backslash at the end", "`\\\\`"));
    };
    let byte = |byte| Ok((Escape::Byte(byte), 2));
    match *letter {
        b'a' => byte(0x07),
        b'e' => byte(0x1b),
        b'f' => byte(0x0c),
        b'n' => byte(b'\n'),
        b'r' => byte(b'\r'),
        b't' => byte(b'\t'),
        b'c' => control(tail),
        b'x' => hexadecimal(tail),
        b'o' => octal_in_braces(tail),
        b'0' => Ok(octal(tail, 2, 2)),
        b'1'..=b'7' if is_in_class => Ok(octal(text.get(1..).unwrap_or_default(), 3, 1)),
        b'b' if is_in_class => byte(0x08),
        b'N' if names_character(tail) => Err(UnknownEscape("N{".to_owned())),
        _ if !letter.is_ascii_alphanumeric() => byte(*letter),
        _ => match set(*letter) {
            Some(set) => Ok((Escape::Set(set), 2)),
            None if is_in_class => Err(refusal(*letter)),
            None => outside(*letter).map(|escape| (escape, 2)),
        },
    }
}

/// `\N{name}`; `\N` repeated looks the same, and is refused with it.
fn names_character(behind: &[u8]) -> bool {
    behind.starts_with(b"{")
}

fn set(letter: u8) -> Option<ByteSet> {
    Some(match letter {
        b'd' => DIGITS,
        b'D' => DIGITS.complement(),
        b'w' => WORD,
        b'W' => WORD.complement(),
        b's' => SPACE,
        b'S' => SPACE.complement(),
        b'h' => HORIZONTAL_SPACE,
        b'H' => HORIZONTAL_SPACE.complement(),
        b'v' => VERTICAL_SPACE,
        b'V' => VERTICAL_SPACE.complement(),
        _ => return None,
    })
}

/// What is an escape only outside of a class.
fn outside(letter: u8) -> Result<Escape, PatternProblem> {
    Ok(match letter {
        b'A' => Escape::Assertion("\\A"),
        b'z' => Escape::Assertion("\\z"),
        b'b' => Escape::Assertion("\\b"),
        b'B' => Escape::Assertion("\\B"),
        b'N' => Escape::Set(ByteSet::of(b"\n").complement()),
        b'Q' => Escape::Quote,
        b'E' => Escape::Nothing,
        _ => return Err(refusal(letter)),
    })
}

fn refusal(letter: u8) -> PatternProblem {
    match letter {
        b'1'..=b'9' | b'g' | b'k' => BackReference,
        b'R' => Possessive("`\\R`", "`(?:\\r\\n|[\\n-\\r\\x85])`"),
        b'Z' => Unsupported("`\\Z`", "`$` or `\\z`, the end of the value"),
        b'G' => Unsupported("`\\G`", "`\\A`"),
        b'K' => Unsupported("`\\K`", "a group"),
        b'p' | b'P' | b'X' => Unsupported("a property of Unicode", "a class of bytes"),
        b'C' => Unsupported("`\\C`", "`[\\x00-\\xff]`"),
        b'Q' | b'E' => Unsupported("a quotation in a class", "the characters themselves"),
        letter => UnknownEscape(char::from(letter).escape_default().to_string()),
    }
}

/// `\cX`.
fn control(tail: &[u8]) -> Result<(Escape, usize), PatternProblem> {
    match tail {
        [byte @ b' '..=b'~', ..] => Ok((Escape::Byte(byte.to_ascii_uppercase() ^ 0x40), 3)),
        _ => Err(UnknownEscape("c".to_owned())),
    }
}

/// `\xHH`, of which both digits may be missing, or `\x{HHH}`.
fn hexadecimal(tail: &[u8]) -> Result<(Escape, usize), PatternProblem> {
    if let [b'{', braces @ ..] = tail {
        let (code, len) = in_braces(braces, 16).ok_or_else(|| UnknownEscape("x{".to_owned()))?;
        return Ok((Escape::Byte(code?), 3 + len));
    }
    let (mut value, mut len) = (0, 0);
    for byte in tail.iter().take(2) {
        let Some(digit) = digit(*byte, 16) else { break };
        value = value * 16 + digit;
        len += 1;
    }
    let byte = u8::try_from(value).map_err(|_| BeyondByte)?;
    Ok((Escape::Byte(byte), 2 + len))
}

fn octal_in_braces(tail: &[u8]) -> Result<(Escape, usize), PatternProblem> {
    let unknown = || UnknownEscape("o".to_owned());
    let braces = tail.strip_prefix(b"{").ok_or_else(unknown)?;
    let (code, len) = in_braces(braces, 8).ok_or_else(unknown)?;
    Ok((Escape::Byte(code?), 3 + len))
}

/// A number up to a brace, and how long both are.
fn in_braces(text: &[u8], base: u32) -> Option<(Result<u8, PatternProblem>, usize)> {
    let end = memchr::memchr(b'}', text)?;
    let digits = text.get(..end)?;
    if digits.is_empty() {
        return None;
    }
    let mut value = 0_u32;
    for byte in digits {
        let digit = digit(*byte, base)?;
        value = value.saturating_mul(base).saturating_add(digit);
    }
    Some((u8::try_from(value).map_err(|_| BeyondByte), end + 1))
}

fn digit(byte: u8, base: u32) -> Option<u32> {
    char::from(byte).to_digit(base)
}

/// Up to `most` octal digits behind `before` bytes of the escape; their lowest byte counts.
fn octal(digits: &[u8], most: usize, before: usize) -> (Escape, usize) {
    let mut value = 0_u8;
    let mut len = 0;
    for byte in digits.iter().take(most) {
        let (b'0'..=b'7', Some(shifted)) = (*byte, value.checked_mul(8)) else {
            break;
        };
        value = shifted | (byte - b'0');
        len += 1;
    }
    (Escape::Byte(value), before + len)
}

/// A class in brackets.
#[derive(Debug)]
pub(super) struct Class {
    pub(super) set: ByteSet,
    pub(super) is_negated: bool,
    /// With its brackets.
    pub(super) len: usize,
}

/// Reads the class at the beginning of `text`; an error has its place in it.
pub(super) fn parse(text: &[u8]) -> Result<Class, (usize, PatternProblem)> {
    let is_negated = text.get(1) == Some(&b'^');
    let first = if is_negated { 2 } else { 1 };
    if let [_, kind @ (b':' | b'.' | b'='), tail @ ..] = text
        && is_closed(tail, *kind)
    {
        let expected = "brackets around it, as in `[[:alpha:]]`";
        return Err((
            0,
            Unsupported("a named class outside of brackets", expected),
        ));
    }
    let (mut set, mut place) = (ByteSet::EMPTY, first);
    loop {
        match text.get(place..).unwrap_or_default() {
            [] => return Err((0, Unclosed("a class"))),
            [b']', ..] if place > first => {
                return Ok(Class {
                    set,
                    is_negated,
                    len: place + 1,
                });
            }
            rest => {
                let (item, len) = item(rest).map_err(|problem| (place, problem))?;
                place += len;
                let (members, len) = match item {
                    Item::Byte(from) => range(from, text.get(place..).unwrap_or_default())
                        .map_err(|problem| (place, problem))?,
                    Item::Set(members) => (members, 0),
                };
                set = set.union(members);
                place += len;
            }
        }
    }
}

enum Item {
    Byte(u8),
    Set(ByteSet),
}

/// The first item of `text`, and how long it is.
fn item(text: &[u8]) -> Result<(Item, usize), PatternProblem> {
    match text {
        [b'\\', ..] => match escape(text, true)? {
            (Escape::Byte(byte), len) => Ok((Item::Byte(byte), len)),
            (Escape::Set(set), len) => Ok((Item::Set(set), len)),
            _ => Err(Unsupported("an assertion in a class", "characters")),
        },
        [b'[', b':', ..] => match posix(text)? {
            Some((set, len)) => Ok((Item::Set(set), len)),
            None => Ok((Item::Byte(b'['), 1)),
        },
        [b'[', kind @ (b'.' | b'='), tail @ ..] if is_closed(tail, *kind) => {
            Err(Unsupported("a collating element", "characters"))
        }
        [byte, ..] => Ok((Item::Byte(*byte), 1)),
        [] => Err(Unclosed("a class")),
    }
}

/// What `from` begins: a range, where a dash and a byte follow in `rest`, or itself. A dash before a set
/// or at the end is itself.
fn range(from: u8, rest: &[u8]) -> Result<(ByteSet, usize), PatternProblem> {
    let single = Ok((ByteSet::EMPTY.with(from), 0));
    let [b'-', end @ ..] = rest else {
        return single;
    };
    if matches!(end, [] | [b']', ..]) {
        return single;
    }
    match item(end)? {
        (Item::Byte(to), _) if to < from => Err(BackwardRange),
        (Item::Byte(to), len) => Ok((ByteSet::range(from, to), 1 + len)),
        (Item::Set(set), len) => Ok((set.with(from).with(b'-'), 1 + len)),
    }
}

/// `[:alpha:]` or `[:^alpha:]`; `None` where it isn't closed, so that the bracket is itself.
fn posix(text: &[u8]) -> Result<Option<(ByteSet, usize)>, PatternProblem> {
    let inner = text.get(2..).unwrap_or_default();
    let is_negated = inner.first() == Some(&b'^');
    let name = if is_negated {
        inner.get(1..)
    } else {
        Some(inner)
    };
    let name = name.unwrap_or_default();
    let len = name
        .iter()
        .take_while(|byte| byte.is_ascii_alphabetic())
        .count();
    let (name, tail) = name.split_at(len);
    if !tail.starts_with(b":]") {
        return Ok(None);
    }
    let unknown = || UnknownClass(format!("[:{}:]", excerpt(name)));
    let set = posix_set(name).ok_or_else(unknown)?;
    if is_negated && matches!(name, b"upper" | b"lower") {
        // Under (?i), PCRE makes no letter of it and Rust every letter.
        return Err(Unsupported(
            "a negated class of case",
            "`[^A-Z]` or `[^a-z]`",
        ));
    }
    let set = if is_negated { set.complement() } else { set };
    Ok(Some((set, 2 + usize::from(is_negated) + len + 2)))
}

fn posix_set(name: &[u8]) -> Option<ByteSet> {
    Some(match name {
        b"alnum" => ALPHA.union(DIGITS),
        b"alpha" => ALPHA,
        b"ascii" => ByteSet::range(0x00, 0x7f),
        b"blank" => ByteSet::of(b"\t "),
        b"cntrl" => ByteSet::range(0x00, 0x1f).with(0x7f),
        b"digit" => DIGITS,
        b"graph" => GRAPH,
        b"lower" => LOWER,
        b"print" => GRAPH.with(b' '),
        b"punct" => GRAPH.complement().union(ALPHA).union(DIGITS).complement(),
        b"space" => SPACE,
        b"upper" => UPPER,
        b"word" => WORD,
        b"xdigit" => DIGITS
            .union(ByteSet::range(b'a', b'f'))
            .union(ByteSet::range(b'A', b'F')),
        _ => return None,
    })
}

fn is_closed(text: &[u8], kind: u8) -> bool {
    let ends = text.windows(2).position(|pair| pair == [kind, b']']);
    let bracket = memchr::memchr(b']', text);
    ends.is_some_and(|end| bracket.is_none_or(|bracket| end < bracket))
}
