//! `removeCommentsChar`.

use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet = super::remove_comments::TRIGGERS;

/// Removes what comments begin and end with: `/*`, `*/`, `<!--`, `-->`, `--`, `#`; in one pass, so what
/// only comes together then stays.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    if TRIGGERS.find_in(input).is_none() {
        return false;
    }
    out.clear();
    let mut rest = input;
    loop {
        rest = match rest {
            [b'<', b'!', b'-', b'-', tail @ ..]
            | [b'-', b'-', b'>', tail @ ..]
            | [b'/', b'*', tail @ ..]
            | [b'*', b'/', tail @ ..]
            | [b'-', b'-', tail @ ..]
            | [b'#', tail @ ..] => tail,
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
            [] => break,
        };
    }
    out.len() != input.len()
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::RemoveCommentsChar;
    use super::super::tests::check;

    #[test]
    fn delimiters() {
        check(RemoveCommentsChar, b"a/*b*/c--d#e<!--f-->g", b"abcdefg");
        check(RemoveCommentsChar, b"/#*", b"/*");
        check(RemoveCommentsChar, b"---->", b"");
        check(RemoveCommentsChar, b"-->-", b"-");
        check(RemoveCommentsChar, b"a-b*c<!-", b"a-b*c<!-");
        check(RemoveCommentsChar, b"/*/", b"/");
    }
}
