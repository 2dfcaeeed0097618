//! XML bodies. Input: one.

use palisade_body::xml::{self, Elements};
use palisade_body::{Error, Limits, Scratch, XmlError};

use crate::Outcome;
use crate::told::{Told, check_parser};

/// All that is told is UTF-8, and can be written and read again; a beginning tells the beginning. With
/// elements as arguments, whatever else there is is told all the same.
pub fn check(data: &[u8]) -> Outcome {
    let (told, outcome) = read(data, Elements::Untold);
    let (again, of_again) = read(write(&told).as_bytes(), Elements::Untold);
    assert_eq!(of_again.error, None, "what was read can't be written");
    assert_eq!(again, told);
    check_elements(data, &told, &outcome);
    match outcome.error.is_none() && !data.is_empty() {
        true => Outcome::Accepted,
        false => Outcome::Refused,
    }
}

fn read(data: &[u8], elements: Elements) -> (Vec<Told>, palisade_body::Outcome) {
    let limits = Limits::default();
    check_parser(data, |body, sink| {
        xml::parse(body, elements, &limits, &mut Scratch::new(), sink)
    })
}

/// Each document has a leaf, whose name begins as all do; and what else it holds is told all the same.
fn check_elements(data: &[u8], untold: &[Told], outcome: &palisade_body::Outcome) {
    let (told, with_elements) = read(data, Elements::Arguments);
    let (mut leaves, mut rest) = (0, Vec::new());
    for one in told {
        match (one, rest.last_mut()) {
            (Told::Argument(name, _), _) => {
                assert!(name.starts_with(b"xml."), "{name:?}");
                leaves += 1;
            }
            (Told::Text(text), Some(Told::Text(before))) => before.extend(text),
            (other, _) => rest.push(other),
        }
    }
    assert_eq!(rest, untold);
    let is_document = outcome.error.is_none() && !data.is_empty();
    assert!(leaves > 0 || !is_document);
    let is_limited = matches!(
        with_elements.error,
        Some(Error::TooManyArguments { .. } | Error::Xml(XmlError::NamesTooLong { .. }))
    );
    assert!(is_limited || with_elements.error == outcome.error);
}

/// A document that holds the same.
fn write(all: &[Told]) -> String {
    let mut document = "<a>".to_owned();
    for told in all {
        match told {
            Told::Text(text) => document.push_str(&escape(text)),
            Told::Attribute(value) => {
                document.push_str(&format!("<b c='{}'/>", escape(value)));
            }
            other => unreachable!("XML holds {other:?}"),
        }
    }
    document.push_str("</a>");
    document
}

fn escape(text: &[u8]) -> String {
    let text = std::str::from_utf8(text);
    assert!(text.is_ok(), "{text:?}");
    let escape = |character: char| match character {
        '<' | '&' | '>' | '\'' | '\r' | '\n' | '\t' => format!("&#{};", u32::from(character)),
        other => other.to_string(),
    };
    text.unwrap_or_default().chars().map(escape).collect()
}
