//! One decision as the JSON has it, before anything is made of it.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// The longest field that is kept, in bytes. Free text (the scenario of a hand-made decision) is
/// cut there; nothing else is that long.
pub(crate) const FIELD_BYTES_MAX: usize = 255;

/// One decision as the JSON has it. Made once for a document and filled anew for each decision, so
/// that reading one allocates nothing.
#[derive(Debug, Default)]
pub(crate) struct RawDecision {
    pub(crate) id: RawValue,
    pub(crate) origin: RawText,
    pub(crate) remedy: RawText,
    pub(crate) scope: RawText,
    pub(crate) value: RawText,
    pub(crate) duration: RawText,
    pub(crate) scenario: RawText,
    pub(crate) simulated: RawValue,
}

impl RawDecision {
    fn clear(&mut self) {
        self.id = RawValue::Absent;
        self.simulated = RawValue::Absent;
        for text in [
            &mut self.origin,
            &mut self.remedy,
            &mut self.scope,
            &mut self.value,
            &mut self.duration,
            &mut self.scenario,
        ] {
            text.kind = RawValue::Absent;
        }
    }
}

/// What kind of value a field has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RawValue {
    /// Not there, or `null`.
    #[default]
    Absent,
    /// A text.
    Text,
    /// A text of over [`FIELD_BYTES_MAX`] bytes.
    LongText,
    /// A whole number.
    Integer(i64),
    /// `true` or `false`.
    Bool(bool),
    /// An array, an object, or a number that is no `i64`.
    Other,
}

/// A field that should be a text.
#[derive(Debug, Default)]
pub(crate) struct RawText {
    kind: RawValue,
    /// The text, or its first [`FIELD_BYTES_MAX`] bytes; what it held before, for other kinds.
    text: String,
}

impl RawText {
    /// The whole text.
    ///
    /// # Errors
    /// When the field is absent, no text, or too long.
    pub(crate) fn whole(&self) -> Result<&str, FieldProblem> {
        match self.kind {
            RawValue::LongText => Err(FieldProblem::TooLong),
            _ => self.cut(),
        }
    }

    /// The text, cut at [`FIELD_BYTES_MAX`] bytes.
    ///
    /// # Errors
    /// When the field is absent or no text.
    pub(crate) fn cut(&self) -> Result<&str, FieldProblem> {
        match self.kind {
            RawValue::Text | RawValue::LongText => Ok(&self.text),
            RawValue::Absent => Err(FieldProblem::Missing),
            _ => Err(FieldProblem::NotText),
        }
    }
}

/// What is wrong with a field that should be a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FieldProblem {
    /// It is not there, or `null`.
    #[error("is missing")]
    Missing,
    /// It is a number, an object, or anything else but a text.
    #[error("is no text")]
    NotText,
    /// It has more than 255 bytes.
    #[error("is longer than {FIELD_BYTES_MAX} bytes")]
    TooLong,
}

/// Reads one element of an array into a [`RawDecision`]; `false` when it is no object.
pub(super) struct RawDecisionSeed<'a>(pub(super) &'a mut RawDecision);

impl<'de> DeserializeSeed<'de> for RawDecisionSeed<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for RawDecisionSeed<'_> {
    type Value = bool;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decision")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<bool, A::Error> {
        let raw = self.0;
        raw.clear();
        while let Some(field) = fields.next_key()? {
            match field {
                Field::Id => raw.id = fields.next_value_seed(ValueSeed { text: None })?,
                Field::Simulated => {
                    raw.simulated = fields.next_value_seed(ValueSeed { text: None })?
                }
                Field::Origin => raw.origin.read(&mut fields)?,
                Field::Type => raw.remedy.read(&mut fields)?,
                Field::Scope => raw.scope.read(&mut fields)?,
                Field::Value => raw.value.read(&mut fields)?,
                Field::Duration => raw.duration.read(&mut fields)?,
                Field::Scenario => raw.scenario.read(&mut fields)?,
                Field::Unknown => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(true)
    }

    fn visit_unit<E>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_bool<E>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<bool, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(false)
    }
}

/// The fields of a decision (`pkg/models/decision.go` of CrowdSec). `uuid` and `until` are not used.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Field {
    Id,
    Origin,
    Type,
    Scope,
    Value,
    Duration,
    Scenario,
    Simulated,
    #[serde(other)]
    Unknown,
}

impl RawText {
    fn read<'de, A: MapAccess<'de>>(&mut self, fields: &mut A) -> Result<(), A::Error> {
        let text = Some(&mut self.text);
        self.kind = fields.next_value_seed(ValueSeed { text })?;
        Ok(())
    }
}

/// Reads any value; a text is copied to `text`, up to [`FIELD_BYTES_MAX`] bytes.
struct ValueSeed<'a> {
    text: Option<&'a mut String>,
}

impl<'de> DeserializeSeed<'de> for ValueSeed<'_> {
    type Value = RawValue;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<RawValue, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ValueSeed<'_> {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Absent)
    }

    fn visit_bool<E>(self, value: bool) -> Result<RawValue, E> {
        Ok(RawValue::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<RawValue, E> {
        Ok(RawValue::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<RawValue, E> {
        Ok(i64::try_from(value).map_or(RawValue::Other, RawValue::Integer))
    }

    fn visit_f64<E>(self, _: f64) -> Result<RawValue, E> {
        Ok(RawValue::Other)
    }

    fn visit_str<E>(self, value: &str) -> Result<RawValue, E> {
        let mut end = value.len().min(FIELD_BYTES_MAX);
        while !value.is_char_boundary(end) {
            end -= 1;
        }
        if let Some(text) = self.text {
            text.clear();
            text.push_str(value.get(..end).unwrap_or_default());
        }
        Ok(if end < value.len() {
            RawValue::LongText
        } else {
            RawValue::Text
        })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<RawValue, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(RawValue::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<RawValue, A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(RawValue::Other)
    }
}
