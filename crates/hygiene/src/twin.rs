//! Header names that a backend can't tell apart.

/// Whether `name` is an underscore twin of `of`: the same name in any case, but with `_`, or another byte that is
/// no letter and no digit, for at least one `-`, as `X_Forwarded_For` and `X.Forwarded.For` are of
/// `X-Forwarded-For`.
///
/// CGI (RFC 3875 section 4.1.18) and what follows it write them as `HTTP_X_FORWARDED_FOR`, so a
/// client could overwrite what the proxy says. Hot path: runs per request, allocates nothing.
#[must_use]
pub fn is_underscore_twin(name: &str, of: &str) -> bool {
    if name.len() != of.len() {
        return false;
    }
    let mut differs = false;
    for (got, want) in name.bytes().zip(of.bytes()) {
        if want == b'-' && is_odd(got) {
            differs = true;
        } else if !got.eq_ignore_ascii_case(&want) {
            return false;
        }
    }
    differs
}

/// Whether a name has a byte that may make it another's twin.
#[must_use]
pub fn may_be_twin(name: &str) -> bool {
    let is_odd = |byte: u8| ODD_BYTES.get(usize::from(byte)) == Some(&true);
    name.bytes().any(is_odd)
}

/// [`is_odd`] of each byte.
#[expect(
    clippy::indexing_slicing,
    reason = "the compiler does it, and would say so"
)]
static ODD_BYTES: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0_u8;
    loop {
        table[byte as usize] = is_odd(byte);
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

const fn is_odd(byte: u8) -> bool {
    !byte.is_ascii_alphanumeric() && byte != b'-'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twins_differ_in_underscores_only() {
        for (name, of, expected) in [
            ("X_Forwarded_For", "X-Forwarded-For", true),
            ("x-forwarded_for", "X-Forwarded-For", true),
            ("x.forwarded~for", "X-Forwarded-For", true),
            ("X-FORWARDED-FOR", "X-Forwarded-For", false),
            ("X_Forwarded_Fox", "X-Forwarded-For", false),
            ("X_Forwarded_For_", "X-Forwarded-For", false),
            ("X-Forwarded-For", "X_Forwarded_For", false),
            ("", "", false),
        ] {
            assert_eq!(is_underscore_twin(name, of), expected, "{name} of {of}");
        }
    }
}
