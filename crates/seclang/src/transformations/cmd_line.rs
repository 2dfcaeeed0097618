//! `cmdLine`: undoes what a shell ignores.

use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet =
    ByteSet::of(b"\"'\\^ ,;\t\r\n").union(ByteSet::range(b'A', b'Z'));

/// Removes quotes, backslashes and carets; makes one space of a run of spaces, commas, semicolons,
/// tabs and line ends; removes it before `/` and `(`; lower case.
///
/// ModSecurity 2 ends at a NUL; here, as in ModSecurity 3, nothing hides behind one.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    if TRIGGERS.find_in(input).is_none() {
        return false;
    }
    out.clear();
    out.reserve(input.len());
    let mut after_space = false;
    for byte in input.iter().copied() {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            b' ' | b',' | b';' | b'\t' | b'\r' | b'\n' => {
                if !after_space {
                    out.push(b' ');
                }
                after_space = true;
            }
            b'/' | b'(' => {
                if after_space {
                    out.pop();
                }
                out.push(byte);
                after_space = false;
            }
            _ => {
                out.push(byte.to_ascii_lowercase());
                after_space = false;
            }
        }
    }
    out != input
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::CmdLine;
    use super::super::tests::check;

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
