//! JSON: an array, or a value a line. Values that are not needed are passed over, not kept.

use std::borrow::Cow;
use std::fmt;

use serde::Deserializer as _;
use serde::de::{DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::collector::Collector;
use super::{ListError, lines};

pub(super) fn parse_array(
    key: Option<&str>,
    bytes: &[u8],
    list: &mut Collector,
) -> Result<(), ListError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut refused = None;
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let entries = Entries {
        key,
        list,
        refused: &mut refused,
    };
    let read = json.deserialize_seq(entries).and_then(|()| json.end());
    match (refused, read) {
        (Some(error), _) => Err(error),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) => Err(ListError::Json {
            line: error.line(),
            column: error.column(),
            reason: without_place(&error),
        }),
    }
}

pub(super) fn parse_lines(
    key: Option<&str>,
    bytes: &[u8],
    list: &mut Collector,
) -> Result<(), ListError> {
    for (number, line) in lines(bytes) {
        let mut json = serde_json::Deserializer::from_slice(line);
        let read = Entry { key }.deserialize(&mut json);
        match read.and_then(|entry| json.end().map(|()| entry)) {
            Ok(entry) => take(entry, number, list)?,
            Err(error) => list.bad(number, &without_place(&error)),
        }
    }
    Ok(())
}

fn take(entry: Found<'_>, number: u64, list: &mut Collector) -> Result<(), ListError> {
    match entry {
        Found::Address(text) => list.entry(number, text.as_bytes()),
        Found::Nothing(reason) => {
            list.bad(number, reason);
            Ok(())
        }
    }
}

/// What serde_json says, without the place that it ends with.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let end = text.rfind(" at line ").unwrap_or(text.len());
    let text = text.get(..end).unwrap_or_default();
    palisade_remote::excerpt(text.as_bytes())
}

/// The elements of the array.
struct Entries<'a> {
    key: Option<&'a str>,
    list: &'a mut Collector,
    /// Why the list is refused, where that is not JSON's fault.
    refused: &'a mut Option<ListError>,
}

impl<'de> Visitor<'de> for Entries<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(entry) = elements.next_element_seed(Entry { key: self.key })? {
            number += 1;
            if let Err(error) = take(entry, number, self.list) {
                *self.refused = Some(error);
                return Err(serde::de::Error::custom("refused"));
            }
        }
        Ok(())
    }
}

/// One element.
#[derive(Clone, Copy)]
struct Entry<'a> {
    key: Option<&'a str>,
}

enum Found<'de> {
    Address(Cow<'de, str>),
    Nothing(&'static str),
}

const NOT_AN_ENTRY: Found<'_> = Found::Nothing("neither a text nor an object");

impl<'de> DeserializeSeed<'de> for Entry<'_> {
    type Value = Found<'de>;

    fn deserialize<D: serde::Deserializer<'de>>(self, json: D) -> Result<Found<'de>, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Entry<'_> {
    type Value = Found<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or an object")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Found<'de>, E> {
        Ok(match self.key {
            None => Found::Address(Cow::Borrowed(text)),
            Some(_) => Found::Nothing("not an object, which `key` is for"),
        })
    }

    fn visit_str<E>(self, text: &str) -> Result<Found<'de>, E> {
        Ok(match self.key {
            None => Found::Address(Cow::Owned(text.to_owned())),
            Some(_) => Found::Nothing("not an object, which `key` is for"),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Found<'de>, A::Error> {
        let mut found = Found::Nothing("an object without the key");
        while let Some(name) = object.next_key::<Cow<'de, str>>()? {
            if Some(&*name) == self.key {
                found = object.next_value_seed(Entry { key: None })?;
            } else {
                object.next_value::<IgnoredAny>()?;
            }
        }
        Ok(found)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Found<'de>, A::Error> {
        while array.next_element::<IgnoredAny>()?.is_some() {}
        Ok(NOT_AN_ENTRY)
    }

    fn visit_unit<E>(self) -> Result<Found<'de>, E> {
        Ok(NOT_AN_ENTRY)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Found<'de>, E> {
        Ok(NOT_AN_ENTRY)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Found<'de>, E> {
        Ok(NOT_AN_ENTRY)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Found<'de>, E> {
        Ok(NOT_AN_ENTRY)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Found<'de>, E> {
        Ok(NOT_AN_ENTRY)
    }
}
