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

/// Whether a byte in a name may make it another's twin.
pub(crate) const fn is_odd(byte: u8) -> bool {
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
