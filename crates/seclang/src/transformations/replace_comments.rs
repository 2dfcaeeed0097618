//! `replaceComments`.

use memchr::memmem;

use super::scan::begin;
use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"*");

/// Makes a space of each `/* */`, closed or not.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = memmem::find(input, b"/*") else {
        return false;
    };
    let mut rest = begin(input, first, out);
    loop {
        rest = match rest {
            [b'/', b'*', comment @ ..] => {
                out.push(b' ');
                match memmem::find(comment, b"*/").and_then(|end| comment.get(end + 2..)) {
                    Some(tail) => tail,
                    None => return true,
                }
            }
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
            [] => return true,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::ReplaceComments;
    use super::super::tests::check;

    #[test]
    fn comments() {
        check(ReplaceComments, b"a/* b */c/**/d", b"a c d");
        check(ReplaceComments, b"a/* b", b"a ");
        check(ReplaceComments, b"a/*/b", b"a ");
        check(ReplaceComments, b"a*/b", b"a*/b");
        check(ReplaceComments, b"/*", b" ");
    }
}
