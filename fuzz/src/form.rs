//! Forms and query strings. Input: one.

use palisade_body::{Limits, Scratch, form};

use crate::Outcome;
use crate::told::{Told, check_parser};

/// Another reading finds the same fields; a beginning tells the beginning.
pub fn check(data: &[u8]) -> Outcome {
    let limits = Limits::default();
    let (told, outcome) = check_parser(data, |body, sink| {
        form::parse(body, form::SEPARATOR, &limits, &mut Scratch::new(), sink)
    });
    let expected = fields(data);
    let kept = told.len();
    assert_eq!(told, expected.get(..kept).unwrap_or_default());
    match outcome.error {
        None => assert_eq!(kept, expected.len()),
        Some(_) => assert_eq!(kept, limits.arguments),
    }
    match outcome.error.is_none() && !outcome.has_invalid_encoding && kept > 0 {
        true => Outcome::Accepted,
        false => Outcome::Refused,
    }
}

/// The fields, read byte by byte.
fn fields(form: &[u8]) -> Vec<Told> {
    let mut fields = Vec::new();
    let (mut name, mut value) = (Vec::new(), None::<Vec<u8>>);
    let mut push = |name: &mut Vec<u8>, value: &mut Option<Vec<u8>>| {
        let name = decode(&std::mem::take(name));
        let value = decode(&value.take().unwrap_or_default());
        fields.push(Told::Argument(name, value));
    };
    for byte in form {
        match (*byte, &mut value) {
            (b'&', _) => push(&mut name, &mut value),
            (b'=', None) => value = Some(Vec::new()),
            (byte, None) => name.push(byte),
            (byte, Some(value)) => value.push(byte),
        }
    }
    if form.last().is_some_and(|last| *last != b'&') {
        push(&mut name, &mut value);
    }
    fields
}

fn decode(raw: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut at = 0;
    while let Some(byte) = raw.get(at) {
        let digits = raw.get(at + 1..at + 3);
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let digits = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        match (byte, escaped) {
            (b'%', Some(escaped)) => {
                decoded.push(escaped);
                at += 3;
                continue;
            }
            (b'+', _) => decoded.push(b' '),
            (byte, _) => decoded.push(*byte),
        }
        at += 1;
    }
    decoded
}
