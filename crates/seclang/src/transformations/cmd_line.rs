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

/// Removes quotes, backslashes and carets; makes one space of a run of spaces, commas, semicolons,
/// tabs and line ends; removes it before `/` and `(`; lower case.
///
/// ModSecurity 2 ends at a NUL; here, as in ModSecurity 3, nothing hides behind one.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    let first = input.iter().position(|byte| class(*byte) != Class::Plain);
    let Some(first) = first else {
        return false;
    };
    let rest = begin(input, first, out);
    // A space is written only where a byte was read that isn't, so that it never gets longer.
    out.resize(input.len(), 0);
    let places = out.as_mut_slice();
    let (mut len, mut holds_space) = (first, false);
    for byte in rest {
        let class = class(*byte);
        if matches!(class, Class::Removed | Class::Space) {
            holds_space |= class == Class::Space;
            continue;
        }
        if holds_space && class != Class::Joined {
            put(places, len, b' ');
            len += 1;
        }
        holds_space = false;
        put(places, len, *byte);
        len += 1;
    }
    if holds_space {
        put(places, len, b' ');
        len += 1;
    }
    out.truncate(len);
    out.make_ascii_lowercase();
    out != input
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
