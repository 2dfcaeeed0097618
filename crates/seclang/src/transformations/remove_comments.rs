//! `removeComments`.

use crate::ByteSet;

/// Each kind of comment begins with one of these, or needs it in its beginning.
pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"*-#");

/// Removes `/* */` and `<!-- -->` (each end closes both), and from `--` and `#` on everything.
///
/// Two oddities of ModSecurity are kept, since its vectors have them: the byte behind a comment is
/// taken as it is, whatever it begins, and a NUL stands for it at the end of the value. A comment
/// that isn't closed leaves a space.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    if TRIGGERS.find_in(input).is_none() {
        return false;
    }
    out.clear();
    let mut rest = input;
    loop {
        rest = match rest {
            [b'/', b'*', comment @ ..] | [b'<', b'!', b'-', b'-', comment @ ..] => {
                match end_of(comment) {
                    Some([byte, tail @ ..]) => {
                        out.push(*byte);
                        tail
                    }
                    Some([]) => {
                        out.push(0);
                        break;
                    }
                    None => {
                        out.push(b' ');
                        break;
                    }
                }
            }
            [b'-', b'-', ..] | [b'#', ..] | [] => break,
            [byte, tail @ ..] => {
                out.push(*byte);
                tail
            }
        };
    }
    out != input
}

/// What stands behind the end of a comment.
fn end_of(mut comment: &[u8]) -> Option<&[u8]> {
    loop {
        comment = match comment {
            [b'*', b'/', rest @ ..] | [b'-', b'-', b'>', rest @ ..] => return Some(rest),
            [_, rest @ ..] => rest,
            [] => return None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::RemoveComments;
    use super::super::tests::check;

    #[test]
    fn comments() {
        check(RemoveComments, b"a/* b */c<!-- d -->e", b"ace");
        check(RemoveComments, b"a/* b -->c<!-- d */e", b"ace");
        check(RemoveComments, b"a/*b*/", b"a\0");
        check(RemoveComments, b"a/*b", b"a ");
        check(RemoveComments, b"a/*/b", b"a ");
        check(RemoveComments, b"a/**//*b*/", b"a/*b*/");
        check(RemoveComments, b"a--b", b"a");
        check(RemoveComments, b"a#b", b"a");
        check(RemoveComments, b"a-b*c/d<!-e", b"a-b*c/d<!-e");
    }
}
