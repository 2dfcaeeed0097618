//! `lowercase` and `uppercase`, of ASCII letters.

pub(super) fn lowercase(input: &[u8], out: &mut Vec<u8>) -> bool {
    let changes = any(input, |byte| byte.is_ascii_uppercase());
    if changes {
        out.clear();
        out.extend_from_slice(input);
        out.make_ascii_lowercase();
    }
    changes
}

pub(super) fn uppercase(input: &[u8], out: &mut Vec<u8>) -> bool {
    let changes = any(input, |byte| byte.is_ascii_lowercase());
    if changes {
        out.clear();
        out.extend_from_slice(input);
        out.make_ascii_uppercase();
    }
    changes
}

/// Without an early end, so that it becomes vector instructions.
fn any(input: &[u8], is: impl Fn(&u8) -> bool) -> bool {
    input.iter().fold(false, |found, byte| found | is(byte))
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::{Lowercase, Uppercase};
    use super::super::tests::check;

    #[test]
    fn letters() {
        check(Lowercase, b"@AZ[\xc0", b"@az[\xc0");
        check(Lowercase, b"az09", b"az09");
        check(Uppercase, b"`az{\xe0", b"`AZ{\xe0");
        check(Uppercase, b"AZ09", b"AZ09");
    }
}
