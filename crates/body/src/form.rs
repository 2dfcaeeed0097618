//! `application/x-www-form-urlencoded`: forms, and the query strings of targets.
//!
//! As ModSecurity 2 reads them (`parse_arguments`), which is what the rules expect and no URL
//! library does: pairs end at the separator, a name ends at its first `=`, what lacks one is a name
//! with an empty value, and so is what stands between two separators. Nothing ends or empties a
//! pair that would hide it from rules: an invalid `%XX` stands for itself.

use crate::sink::Arguments;
use crate::syntax::split_at_first;
use crate::{Body, Error, Limits, Outcome, Scratch, Sink, percent};

/// What separates the pairs of a form, unless `SecArgumentSeparator` says otherwise.
pub const SEPARATOR: u8 = b'&';

/// Tells `sink` the fields of a form, or the arguments of a query string, names and values decoded.
///
/// Hot path: one pass; what has no `%` or `+` isn't copied.
pub fn parse<S: Sink>(
    body: Body<'_>,
    separator: u8,
    limits: &Limits,
    scratch: &mut Scratch,
    sink: &mut S,
) -> Outcome {
    let mut has_invalid_encoding = false;
    let mut arguments = Arguments::new(limits, sink);
    let mut rest = body.bytes;
    let mut result = Ok(());
    while !rest.is_empty() && result.is_ok() {
        let (pair, tail) = split_at_first(rest, separator);
        rest = tail;
        result = give(pair, scratch, &mut arguments, &mut has_invalid_encoding);
    }
    Outcome {
        has_invalid_encoding,
        ..Outcome::of(body, result)
    }
}

fn give<S: Sink>(
    pair: &[u8],
    scratch: &mut Scratch,
    arguments: &mut Arguments<'_, S>,
    has_invalid_encoding: &mut bool,
) -> Result<(), Error> {
    let (name, value) = split_at_first(pair, b'=');
    let name = percent::decode(name, &mut scratch.name);
    let value = percent::decode(value, &mut scratch.value);
    *has_invalid_encoding |= !(name.is_valid && value.is_valid);
    arguments.give(name.bytes, value.bytes)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_sink::{Found, TestSink};

    fn read(form: &[u8], limits: &Limits) -> (Vec<Found>, Outcome) {
        let mut sink = TestSink::default();
        let mut scratch = Scratch::new();
        let outcome = parse(
            Body::whole(form),
            SEPARATOR,
            limits,
            &mut scratch,
            &mut sink,
        );
        (sink.found, outcome)
    }

    fn pairs(pairs: &[(&str, &str)]) -> Vec<Found> {
        pairs
            .iter()
            .map(|(name, value)| Found::argument(name, value))
            .collect()
    }

    #[track_caller]
    fn check(form: &str, expected: &[(&str, &str)]) {
        let (found, outcome) = read(form.as_bytes(), &Limits::default());
        assert_eq!(found, pairs(expected), "{form}");
        assert_eq!(outcome.error, None, "{form}");
        assert!(outcome.is_complete);
        assert_eq!(outcome.no_files_bytes, form.len());
    }

    #[test]
    fn names_and_values() {
        check("", &[]);
        check("a=1", &[("a", "1")]);
        check("a=1&b=2", &[("a", "1"), ("b", "2")]);
        check("a=1&a=2", &[("a", "1"), ("a", "2")]);
        check("a=b=c", &[("a", "b=c")]);
        check("a=1;b=2", &[("a", "1;b=2")]);
    }

    #[test]
    fn a_name_without_a_value_has_an_empty_one() {
        check("a", &[("a", "")]);
        check("a=", &[("a", "")]);
        check("a&b", &[("a", ""), ("b", "")]);
        check("=", &[("", "")]);
        check("=1", &[("", "1")]);
    }

    #[test]
    fn nothing_between_separators_is_an_argument_too() {
        check("&", &[("", "")]);
        check("&a=1", &[("", ""), ("a", "1")]);
        check("a=1&&b=2", &[("a", "1"), ("", ""), ("b", "2")]);
        check("a=1&", &[("a", "1")]);
        check("a=1&&", &[("a", "1"), ("", "")]);
    }

    #[test]
    fn names_and_values_are_decoded() {
        check("a+b=c+d", &[("a b", "c d")]);
        check("%61=%3Cscript%3e", &[("a", "<script>")]);
        check("a%3Db=%26", &[("a=b", "&")]);
    }

    #[test]
    fn an_invalid_escape_stands_for_itself_and_is_told() {
        let check = |form: &str, expected: &[(&str, &str)], is_invalid: bool| {
            let (found, outcome) = read(form.as_bytes(), &Limits::default());
            assert_eq!(found, pairs(expected), "{form}");
            assert_eq!(outcome.has_invalid_encoding, is_invalid, "{form}");
            assert_eq!(outcome.error, None, "{form}");
        };
        check("a=%41", &[("a", "A")], false);
        check("a=%zz", &[("a", "%zz")], true);
        check("%=1&b=2", &[("%", "1"), ("b", "2")], true);
    }

    #[test]
    fn the_separator_is_settable() {
        let mut sink = TestSink::default();
        let mut scratch = Scratch::new();
        let body = Body::whole(b"a=1;b=2&c");
        parse(body, b';', &Limits::default(), &mut scratch, &mut sink);
        assert_eq!(sink.found, pairs(&[("a", "1"), ("b", "2&c")]));
    }

    #[test]
    fn arguments_are_limited() {
        let limits = Limits {
            arguments: 2,
            ..Limits::default()
        };
        let check = |form: &str, expected: &[(&str, &str)], error: Option<Error>| {
            let (found, outcome) = read(form.as_bytes(), &limits);
            assert_eq!(found, pairs(expected), "{form}");
            assert_eq!(outcome.error, error, "{form}");
            assert_eq!(outcome.is_complete, error.is_none(), "{form}");
        };
        let two = [("a", "1"), ("b", "2")];
        check("a=1&b=2", &two, None);
        let error = Error::TooManyArguments { limit: 2 };
        check("a=1&b=2&c=3", &two, Some(error));
    }

    #[test]
    fn the_sink_ends_it_too() {
        let mut sink = TestSink {
            arguments_max: Some(1),
            ..TestSink::default()
        };
        let mut scratch = Scratch::new();
        let body = Body::whole(b"a=1&b=2&c=3");
        let outcome = parse(body, SEPARATOR, &Limits::default(), &mut scratch, &mut sink);
        assert_eq!(sink.found, pairs(&[("a", "1")]));
        let error = Error::TooManyArguments { limit: 1_000 };
        assert_eq!(outcome.error, Some(error));
    }

    #[test]
    fn a_cut_form_is_no_error() {
        let mut sink = TestSink::default();
        let mut scratch = Scratch::new();
        let body = Body::partial(b"a=1&bc=d%4");
        let outcome = parse(body, SEPARATOR, &Limits::default(), &mut scratch, &mut sink);
        assert_eq!(sink.found, pairs(&[("a", "1"), ("bc", "d%4")]));
        assert_eq!(outcome.error, None);
        assert!(!outcome.is_complete);
    }

    fn encode(bytes: &[u8]) -> String {
        let encode = |byte: &u8| match byte {
            b' ' => "+".to_owned(),
            b'a'..=b'z' => char::from(*byte).to_string(),
            byte => format!("%{byte:02X}"),
        };
        bytes.iter().map(encode).collect()
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            pairs in prop::collection::vec(
                (prop::collection::vec(any::<u8>(), 0..9), prop::collection::vec(any::<u8>(), 0..20)),
                1..9,
            ),
        ) {
            let form: Vec<String> = pairs
                .iter()
                .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
                .collect();
            let (found, outcome) = read(form.join("&").as_bytes(), &Limits::default());
            let expected: Vec<Found> = pairs
                .iter()
                .map(|(name, value)| Found::argument(name, value))
                .collect();
            prop_assert_eq!(found, expected);
            prop_assert!(!outcome.has_invalid_encoding);
        }

        #[test]
        fn forms_joined_hold_the_fields_of_both(one in "[a=&%+4]{1,12}", other in "[a=&%+4]{1,12}") {
            let limits = Limits::default();
            let (mut expected, _) = read(one.as_bytes(), &limits);
            // A form's last separator separates nothing until something follows.
            if one.ends_with('&') {
                expected.push(Found::argument("", ""));
            }
            expected.extend(read(other.as_bytes(), &limits).0);
            let (joined, _) = read(format!("{one}&{other}").as_bytes(), &limits);
            prop_assert_eq!(joined, expected);
        }
    }
}
