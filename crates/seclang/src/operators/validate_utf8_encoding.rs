//! `validateUtf8Encoding`.

/// Whether `value` isn't UTF-8 (RFC 3629): overlong forms, surrogates and what is beyond U+10FFFF
/// included, of which ModSecurity lets the last pass.
pub(super) fn is_invalid(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_err()
}

#[cfg(test)]
mod tests {
    use super::super::tests::check;

    #[test]
    fn what_is_no_utf8_matches() {
        check(
            "validateUtf8Encoding",
            b"",
            "\u{e9}\u{20ac}\u{1f600}\0".as_bytes(),
            false,
        );
        check("validateUtf8Encoding", b"", b"", false);
        for invalid in [
            &b"\xe4"[..],
            b"\xc9;",
            b"\xc0\xaf",
            b"\xe0\x80\xaf",
            b"\xed\xa0\x80",
            b"\xf4\x90\x80\x80",
            b"\xff",
            b"\xe2\x82",
        ] {
            check("validateUtf8Encoding", b"", invalid, true);
        }
    }
}
