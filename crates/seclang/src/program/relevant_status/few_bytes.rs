//! Expressions with look-ahead on three bytes: each part leads from places to places, whatever is around
//! it, so that nothing is tried twice and nothing runs long.
//!
//! Alternatives, groups, look-ahead, `^ $ . \d`, classes and repetitions. What else there is, and a
//! repetition of look-ahead alone, isn't read.

use crate::ByteSet;

/// The longest pattern.
const PATTERN_BYTES_MAX: usize = 1_024;
/// The deepest nesting of groups.
const NESTING_MAX: usize = 32;
/// Beyond so many, repetitions of three bytes lead nowhere else.
const REPETITIONS_MAX: u16 = 8;
const DIGITS: ByteSet = ByteSet::range(b'0', b'9');

/// A part of an expression.
#[derive(Debug)]
pub(super) enum Part {
    Begin,
    End,
    Byte(ByteSet),
    /// One behind the other.
    All(Vec<Part>),
    /// One of them.
    Any(Vec<Part>),
    Repeated(Box<Part>, u16, u16),
    /// Look-ahead, and whether it is to match.
    Ahead(Box<Part>, bool),
}

/// Bit `n`: behind `n` bytes.
type Places = u8;

/// Where a part may end, for each place where it may begin.
#[derive(Clone, Copy)]
struct Ends([Places; 4]);

impl Ends {
    /// Of what matches nothing there is.
    const SAME: Self = Self([1, 2, 4, 8]);
    const NONE: Self = Self([0; 4]);

    /// `next` behind this.
    fn then(self, next: Self) -> Self {
        let behind = |places: Places| {
            let ends = (0..).zip(next.0);
            ends.filter(|(at, _)| places >> at & 1 == 1)
                .fold(0, |all, (_, ends)| all | ends)
        };
        Self(self.0.map(behind))
    }

    fn or(self, other: Self) -> Self {
        let [a, b, c, d] = self.0;
        let [e, f, g, h] = other.0;
        Self([a | e, b | f, c | g, d | h])
    }

    /// Where nothing is read: the places that are among `places`.
    fn at(places: Places) -> Self {
        Self(Self::SAME.0.map(|place| place & places))
    }
}

/// Whether `part` matches somewhere in `text`.
pub(super) fn is_match(part: &Part, text: &[u8; 3]) -> bool {
    ends(part, text).0 != Ends::NONE.0
}

fn ends(part: &Part, text: &[u8; 3]) -> Ends {
    match part {
        Part::Begin => Ends::at(0b0001),
        Part::End => Ends::at(0b1000),
        Part::Byte(set) => {
            let [a, b, c] = text.map(|byte| u8::from(set.contains(byte)));
            Ends([a << 1, b << 2, c << 3, 0])
        }
        Part::All(parts) => {
            let parts = parts.iter().map(|part| ends(part, text));
            parts.fold(Ends::SAME, Ends::then)
        }
        Part::Any(parts) => {
            let parts = parts.iter().map(|part| ends(part, text));
            parts.fold(Ends::NONE, Ends::or)
        }
        Part::Repeated(part, min, max) => {
            let once = ends(part, text);
            let at_least = (0..*min).fold(Ends::SAME, |all, _| all.then(once));
            (*min..*max).fold(at_least, |all, _| all.or(all.then(once)))
        }
        Part::Ahead(part, is_wanted) => {
            let [a, b, c, d] = ends(part, text)
                .0
                .map(|ends| u8::from((ends != 0) == *is_wanted));
            Ends::at(a | b << 1 | c << 2 | d << 3)
        }
    }
}

/// Reads an expression; `None` where there is something else in it, or it isn't well-formed.
pub(super) fn parse(pattern: &[u8]) -> Option<Part> {
    let mut reader = Reader {
        rest: pattern,
        depth: 0,
    };
    let part = reader.any().filter(|_| reader.rest.is_empty());
    part.filter(|_| pattern.len() <= PATTERN_BYTES_MAX)
}

struct Reader<'p> {
    rest: &'p [u8],
    depth: usize,
}

impl Reader<'_> {
    fn eat(&mut self, expected: &[u8]) -> bool {
        let rest = self.rest.strip_prefix(expected);
        self.rest = rest.unwrap_or(self.rest);
        rest.is_some()
    }

    fn next(&mut self) -> Option<u8> {
        let (byte, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*byte)
    }

    fn any(&mut self) -> Option<Part> {
        let mut parts = vec![self.all()?];
        while self.eat(b"|") {
            parts.push(self.all()?);
        }
        Some(Part::Any(parts))
    }

    fn all(&mut self) -> Option<Part> {
        let mut parts = Vec::new();
        while !matches!(self.rest.first(), None | Some(b'|' | b')')) {
            let part = self.one()?;
            parts.push(self.repeated(part)?);
        }
        Some(Part::All(parts))
    }

    fn one(&mut self) -> Option<Part> {
        Some(match self.next()? {
            b'^' => Part::Begin,
            b'$' => Part::End,
            b'.' => Part::Byte(ByteSet::ALL),
            b'[' => self.class()?,
            b'(' => self.group()?,
            b'\\' => match self.next()? {
                b'd' => Part::Byte(DIGITS),
                b'A' => Part::Begin,
                b'z' => Part::End,
                byte => Part::Byte(ByteSet::of(&[punctuation(byte)?])),
            },
            b'*' | b'+' | b'?' | b'{' => return None,
            byte => Part::Byte(ByteSet::of(&[byte])),
        })
    }

    fn group(&mut self) -> Option<Part> {
        self.depth += 1;
        if self.depth > NESTING_MAX {
            return None;
        }
        let ahead = match self.eat(b"?") {
            false => None,
            true => match self.next()? {
                b':' => None,
                b'=' => Some(true),
                b'!' => Some(false),
                _ => return None,
            },
        };
        let part = self.any()?;
        self.depth -= 1;
        self.eat(b")").then(|| match ahead {
            None => part,
            Some(is_wanted) => Part::Ahead(Box::new(part), is_wanted),
        })
    }

    fn class(&mut self) -> Option<Part> {
        let is_negated = self.eat(b"^");
        let mut set = ByteSet::EMPTY;
        let mut is_first = true;
        while is_first || !self.eat(b"]") {
            is_first = false;
            let more = match self.next()? {
                b'\\' if self.eat(b"d") => DIGITS,
                b'\\' | b'[' | b']' => return None,
                first if self.eat(b"-") => {
                    let last = self.next().filter(u8::is_ascii_alphanumeric)?;
                    (first <= last).then(|| ByteSet::range(first, last))?
                }
                byte => ByteSet::of(&[byte]),
            };
            set = set.union(more);
        }
        Some(Part::Byte(match is_negated {
            true => set.complement(),
            false => set,
        }))
    }

    fn repeated(&mut self, part: Part) -> Option<Part> {
        let (min, max) = match self.rest.first() {
            Some(b'*') => (0, REPETITIONS_MAX),
            Some(b'+') => (1, REPETITIONS_MAX),
            Some(b'?') => (0, 1),
            Some(b'{') => return self.counted(part),
            _ => return Some(part),
        };
        self.next();
        self.repetition(part, min, max)
    }

    /// `{2}`, `{2,}`, `{2,3}`
    fn counted(&mut self, part: Part) -> Option<Part> {
        self.next();
        let min = self.number()?;
        let max = match self.eat(b",") {
            false => min,
            true if self.rest.starts_with(b"}") => u16::MAX,
            true => self.number()?,
        };
        let is_closed = self.eat(b"}") && min <= max;
        is_closed.then_some(())?;
        let capped = |number: u16| number.min(REPETITIONS_MAX);
        self.repetition(part, capped(min), capped(max))
    }

    /// That as few as can be are taken changes nothing of whether something matches; that nothing is
    /// given back would.
    fn repetition(&mut self, part: Part, min: u16, max: u16) -> Option<Part> {
        self.eat(b"?");
        let is_another = matches!(self.rest.first(), Some(b'*' | b'+' | b'?' | b'{'));
        let is_of_a_place = matches!(part, Part::Begin | Part::End | Part::Ahead(..));
        (!is_another && !is_of_a_place).then(|| Part::Repeated(Box::new(part), min, max))
    }

    fn number(&mut self) -> Option<u16> {
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit());
        let (digits, rest) = self.rest.split_at(digits.count());
        self.rest = rest;
        std::str::from_utf8(digits).ok()?.parse().ok()
    }
}

/// A character that is itself behind a backslash.
fn punctuation(byte: u8) -> Option<u8> {
    byte.is_ascii_punctuation().then_some(byte)
}
