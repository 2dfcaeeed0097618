//! `cmdLine`: undoes what a shell ignores.

use super::scan::begin;
use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet =
    ByteSet::of(b"\"'\\^ ,;\t\r\n").union(ByteSet::range(b'A', b'Z'));

/// What is taken out. Of a value without any of these, each part of the result that has no byte of [`SEAMS`]
/// is, in whichever case, a part of the value: spaces become one, or go away before what is a seam.
pub(super) const REMOVED: ByteSet = ByteSet::of(b"\"'\\^");
pub(super) const SEAMS: ByteSet = ByteSet::of(b" /(");

/// What becomes of a byte.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Class {
    Plain,
    Upper,
    Removed,
    Space,
    /// Written, and a space before it isn't.
    Joined,
}

const CLASSES: [Class; 256] = classes();

const fn classes() -> [Class; 256] {
    let mut classes = [Class::Plain; 256];
    let mut rest: &mut [Class] = &mut classes;
    let mut byte = 0_u8;
    while let [class, tail @ ..] = rest {
        *class = match byte {
            b'"' | b'\'' | b'\\' | b'^' => Class::Removed,
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => Class::Space,
            b'/' | b'(' => Class::Joined,
            b'A'..=b'Z' => Class::Upper,
            _ => Class::Plain,
        };
        byte = byte.wrapping_add(1);
        rest = tail;
    }
    classes
}

/// Bytes that are looked at together.
const BLOCK_BYTES: usize = 32;

/// Removes quotes, backslashes and carets; makes one space of a run of spaces, commas, semicolons,
/// tabs and line ends; removes it before `/` and `(`; lower case.
///
/// ModSecurity 2 ends at a NUL; here, as in ModSecurity 3, nothing hides behind one.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    // Hot path: most of a text is words with single spaces between them.
    let first = first_change(input);
    if first == input.len() {
        return false;
    }
    let mut rest = begin(input, first, out);
    // A space is written only where a byte was read that isn't, so that it never gets longer.
    out.resize(input.len(), 0);
    let mut written = Written {
        places: out.as_mut_slice(),
        len: first,
        holds_space: false,
    };
    while let Some((block, next)) = block_of(rest) {
        match !written.holds_space && is_clean(block, next) {
            true => written.copy(block),
            false => block.iter().for_each(|byte| written.add(*byte)),
        }
        rest = rest.get(BLOCK_BYTES..).unwrap_or_default();
    }
    rest.iter().for_each(|byte| written.add(*byte));
    let len = written.end();
    out.truncate(len);
    out.make_ascii_lowercase();
    out != input
}

/// What is written so far.
struct Written<'o> {
    places: &'o mut [u8],
    len: usize,
    /// Whether a space is to be written, unless a byte comes before which there is none.
    holds_space: bool,
}

impl Written<'_> {
    fn copy(&mut self, block: &[u8; BLOCK_BYTES]) {
        if let Some(places) = self.places.get_mut(self.len..self.len + BLOCK_BYTES) {
            places.copy_from_slice(block);
        }
        self.len += BLOCK_BYTES;
    }

    fn add(&mut self, byte: u8) {
        let class = class(byte);
        if matches!(class, Class::Removed | Class::Space) {
            self.holds_space |= class == Class::Space;
            return;
        }
        if self.holds_space && class != Class::Joined {
            put(self.places, self.len, b' ');
            self.len += 1;
        }
        self.holds_space = false;
        put(self.places, self.len, byte);
        self.len += 1;
    }

    fn end(self) -> usize {
        if self.holds_space {
            put(self.places, self.len, b' ');
        }
        self.len + usize::from(self.holds_space)
    }
}

/// A block, and the bytes one further on; `None` near the end.
fn block_of(input: &[u8]) -> Option<(&[u8; BLOCK_BYTES], &[u8; BLOCK_BYTES])> {
    let next = input.get(1..)?.first_chunk()?;
    Some((input.first_chunk()?, next))
}

/// How many bytes at the beginning stay as they are; whole blocks of them, unless it is all.
fn first_change(input: &[u8]) -> usize {
    let (mut rest, mut len) = (input, 0);
    while let Some((block, next)) = block_of(rest) {
        let has_upper = block
            .iter()
            .fold(false, |found, byte| found | byte.is_ascii_uppercase());
        if has_upper || !is_clean(block, next) {
            return len;
        }
        len += BLOCK_BYTES;
        rest = rest.get(BLOCK_BYTES..).unwrap_or_default();
    }
    let next = rest.iter().skip(1).copied().chain([b'a']);
    let mut pairs = rest.iter().copied().zip(next);
    let changes = |(byte, next): (u8, u8)| {
        alters(byte) || byte.is_ascii_uppercase() || (byte == b' ' && swallows(next))
    };
    match pairs.any(changes) {
        true => len,
        false => input.len(),
    }
}

/// Whether nothing becomes of a block's bytes but lower case: where a space stands, the next byte is one that
/// it stays before. Without branches, so that many bytes are looked at at once.
fn is_clean(block: &[u8; BLOCK_BYTES], next: &[u8; BLOCK_BYTES]) -> bool {
    let pairs = block.iter().zip(next);
    !pairs.fold(false, |altered, (byte, next)| {
        altered | alters(*byte) | ((*byte == b' ') & swallows(*next))
    })
}

/// Whether a byte doesn't stay, whatever stands around it.
fn alters(byte: u8) -> bool {
    (byte == b'"')
        | (byte == b'\'')
        | (byte == b'\\')
        | (byte == b'^')
        | (byte == b',')
        | (byte == b';')
        | (byte == b'\t')
        | (byte == b'\r')
        | (byte == b'\n')
}

/// Whether a space before this byte may go away.
fn swallows(byte: u8) -> bool {
    alters(byte) | (byte == b' ') | (byte == b'/') | (byte == b'(')
}

fn put(out: &mut [u8], at: usize, byte: u8) {
    if let Some(place) = out.get_mut(at) {
        *place = byte;
    }
}

fn class(byte: u8) -> Class {
    let class = CLASSES.get(usize::from(byte)).copied();
    class.unwrap_or(Class::Plain)
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::CmdLine;
    use super::super::tests::check;
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn between_seams_it_is_the_value(value in r#"[aB ,;\t/(."'^\\]{0,12}"#) {
            let mut out = Vec::new();
            let is_whole = REMOVED.find_in(value.as_bytes()).is_none();
            if is_whole && apply(value.as_bytes(), &mut out) {
                let lower = value.to_ascii_lowercase();
                for part in out.split(|byte| SEAMS.contains(*byte)) {
                    prop_assert!(lower.contains(std::str::from_utf8(part).unwrap()));
                }
            }
        }
    }

    /// Byte by byte.
    fn slowly(input: &[u8]) -> Vec<u8> {
        let (mut out, mut holds_space) = (Vec::new(), false);
        for byte in input {
            match class(*byte) {
                Class::Removed => continue,
                Class::Space => {
                    holds_space = true;
                    continue;
                }
                Class::Plain | Class::Upper if holds_space => out.push(b' '),
                Class::Plain | Class::Upper | Class::Joined => {}
            }
            holds_space = false;
            out.push(byte.to_ascii_lowercase());
        }
        if holds_space {
            out.push(b' ');
        }
        out
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn blocks_make_no_difference(value in r#"([a-z]{1,9}[ a-zB]){0,9}[aB ,;\t/(."'^\\]{0,3}([a-z/]{1,12} ){0,9}[ ,^/]{0,2}[a-z]{0,40}"#) {
            let mut out = Vec::new();
            let is_changed = apply(value.as_bytes(), &mut out);
            let expected = slowly(value.as_bytes());
            prop_assert_eq!(is_changed, expected != value.as_bytes());
            if is_changed {
                prop_assert_eq!(out, expected);
            }
        }
    }

    #[test]
    fn command_lines() {
        check(CmdLine, b"C^OMM\"A\"ND /C D'I\\R", b"command/c dir");
        check(CmdLine, b"a , ;\t\r\n b", b"a b");
        check(CmdLine, b"a ,\" ^/b ( c", b"a/b( c");
        check(CmdLine, b"cat\0 /ETC", b"cat\0/etc");
        check(CmdLine, b"a b\x0bc", b"a b\x0bc");
        check(CmdLine, b" ", b" ");
        check(CmdLine, b",", b" ");
    }
}
