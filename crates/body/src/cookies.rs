//! The cookies of a `Cookie` field.
//!
//! As ModSecurity 2 reads them under `SecCookieFormat 0` (`parse_cookies_v0`): split at `;`, white
//! space before a name is dropped, a name ends at its first `=`, what has none is a name with an
//! empty value, what has no name is none. Nothing is decoded and quotes stay, so `$Version` of the
//! older format is a cookie like any other. Repeated names are all kept.

use std::ops::ControlFlow;

use crate::Sink;
use crate::syntax::{split_at_first, trim_space_start};

/// Tells `sink` the cookies of one `Cookie` field as arguments.
///
/// Hot path: one pass, nothing is copied.
///
/// # Errors
/// `Break`, as soon as the sink says so.
pub fn parse<S: Sink>(field: &[u8], sink: &mut S) -> ControlFlow<()> {
    let mut rest = field;
    while !rest.is_empty() {
        let (cookie, tail) = split_at_first(rest, b';');
        rest = tail;
        let (name, value) = split_at_first(trim_space_start(cookie), b'=');
        if !name.is_empty() {
            sink.argument(name, value)?;
        }
    }
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_sink::{Found, TestSink};

    fn read(field: &[u8]) -> Vec<Found> {
        let mut sink = TestSink::default();
        assert_eq!(parse(field, &mut sink), ControlFlow::Continue(()));
        sink.found
    }

    #[track_caller]
    fn check(field: &str, expected: &[(&str, &str)]) {
        let expected: Vec<Found> = expected
            .iter()
            .map(|(name, value)| Found::argument(name, value))
            .collect();
        assert_eq!(read(field.as_bytes()), expected, "{field}");
    }

    #[test]
    fn names_and_values() {
        check("a=1", &[("a", "1")]);
        check("a=1; b=2", &[("a", "1"), ("b", "2")]);
        check("a=1;b=2", &[("a", "1"), ("b", "2")]);
        check("a=1; a=2", &[("a", "1"), ("a", "2")]);
        check("a=b=c", &[("a", "b=c")]);
    }

    #[test]
    fn white_space_is_dropped_before_a_name_only() {
        check(" \t\x0b\x0c\r\na = 1 ; b", &[("a ", " 1 "), ("b", "")]);
    }

    #[test]
    fn a_name_may_lack_a_value_and_not_the_other_way_round() {
        check("a; b=", &[("a", ""), ("b", "")]);
        check("=1; ;; = ;b", &[("b", "")]);
        check("", &[]);
    }

    #[test]
    fn nothing_is_decoded() {
        check(r#"a="%41+b""#, &[("a", r#""%41+b""#)]);
        check(
            "$Version=1; a=1, b=2",
            &[("$Version", "1"), ("a", "1, b=2")],
        );
    }

    #[test]
    fn the_sink_ends_it() {
        let mut sink = TestSink {
            arguments_max: Some(1),
            ..TestSink::default()
        };
        assert_eq!(parse(b"a=1; b=2; c=3", &mut sink), ControlFlow::Break(()));
        assert_eq!(sink.found, [Found::argument("a", "1")]);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            cookies in prop::collection::vec(("[!-:<>-~]{1,8}", "[ -:<-~]{0,12}"), 0..8),
        ) {
            let field: Vec<String> = cookies
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect();
            let expected: Vec<Found> = cookies
                .iter()
                .map(|(name, value)| Found::argument(name, value))
                .collect();
            prop_assert_eq!(read(field.join("; ").as_bytes()), expected);
        }
    }
}
