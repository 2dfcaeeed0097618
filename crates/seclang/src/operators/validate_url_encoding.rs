//! `validateUrlEncoding`.

use memchr::memchr;

/// Whether a `%` in `value` isn't followed by two hexadecimal digits.
pub(super) fn is_invalid(value: &[u8]) -> bool {
    let mut rest = value;
    while let Some(escape) = memchr(b'%', rest).and_then(|at| rest.get(at + 1..)) {
        match escape {
            [high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest = tail;
            }
            _ => return true,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn escapes_that_are_none_match() {
        check("validateUrlEncoding", b"", b"a%20%fF+b", false);
        check("validateUrlEncoding", b"", b"", false);
        check("validateUrlEncoding", b"", b"a%2", true);
        check("validateUrlEncoding", b"", b"%", true);
        check("validateUrlEncoding", b"", b"%20%2g", true);
        check("validateUrlEncoding", b"", b"%%41", true);
    }
}
