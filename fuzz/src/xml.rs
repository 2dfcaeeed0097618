//! XML bodies. Input: one.

use palisade_body::{Limits, Scratch, xml};

use crate::Outcome;
use crate::told::{Told, check_parser};

/// All that is told is UTF-8, and can be written and read again; a beginning tells the beginning.
pub fn check(data: &[u8]) -> Outcome {
    let (told, outcome) = read(data);
    let (again, of_again) = read(write(&told).as_bytes());
    assert_eq!(of_again.error, None, "what was read can't be written");
    assert_eq!(again, told);
    match outcome.error.is_none() && !data.is_empty() {
        true => Outcome::Accepted,
        false => Outcome::Refused,
    }
}

fn read(data: &[u8]) -> (Vec<Told>, palisade_body::Outcome) {
    let limits = Limits::default();
    check_parser(data, |body, sink| {
        xml::parse(body, &limits, &mut Scratch::new(), sink)
    })
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
