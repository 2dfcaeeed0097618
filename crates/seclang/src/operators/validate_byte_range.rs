//! `validateByteRange`.

use super::error::{Found, Problem, excerpt};
use super::integer::integer;
use crate::ByteSet;

/// The bytes that the argument doesn't allow: numbers and ranges separated by commas. As in
/// ModSecurity, what isn't a number is 0, and an empty argument allows nothing.
pub(super) fn parse(argument: &[u8]) -> Result<ByteSet, Found> {
    let (mut allowed, mut offset) = (ByteSet::EMPTY, 0);
    for part in argument.split(|byte| *byte == b',') {
        if !part.is_empty() {
            let range = range(part).ok_or_else(|| {
                let got = excerpt(part);
                (offset, Problem::ByteRange { got })
            })?;
            allowed = allowed.union(range);
        }
        offset += part.len() + 1;
    }
    Ok(allowed.complement())
}

fn range(part: &[u8]) -> Option<ByteSet> {
    let dash = part.iter().position(|byte| *byte == b'-');
    let first = number(part)?;
    let last = match dash.and_then(|dash| part.get(dash + 1..)) {
        Some(last) => number(last)?,
        None => first,
    };
    (first <= last).then(|| ByteSet::range(first, last))
}

fn number(text: &[u8]) -> Option<u8> {
    u8::try_from(integer(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, parse_error};

    #[test]
    fn bytes_that_are_not_allowed_match() {
        check(
            "validateByteRange",
            b"9,10,13,32-126,128-255",
            b"a\tb\xff",
            false,
        );
        check(
            "validateByteRange",
            b"9,10,13,32-126,128-255",
            b"a\x7f",
            true,
        );
        check("validateByteRange", b"1-255", b"a\0", true);
        check("validateByteRange", b" 32 - 126 , 10", b"a\n", false);
        check("validateByteRange", b"1-255", b"", false);
        check("validateByteRange", b"", b"a", true);
        check("validateByteRange", b"xxx", b"\0", false);
    }

    #[test]
    fn errors_say_where() {
        assert_eq!(
            parse_error("validateByteRange", b"32-126,256"),
            "@validateByteRange: `256` is no range of bytes; expected a number from 0 to 255, or two as in 32-126, the \
            lower first (at byte 7 of the argument)"
        );
        assert!(parse_error("validateByteRange", b"9-8").contains("`9-8`"));
        assert!(parse_error("validateByteRange", b"-1").contains("`-1`"));
        assert!(parse_error("validateByteRange", b"1-300").contains("`1-300`"));
    }
}
