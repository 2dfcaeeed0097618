//! Values that are one text.

use std::fmt::Display;
use std::marker::PhantomData;
use std::str::FromStr;

use palisade_yaml::Node;

use super::{Context, Kind, Shape};
use crate::problem::quoted;

/// A value that is one text.
pub(crate) trait ScalarKind: Sync {
    type Value;

    /// What the text means.
    ///
    /// # Errors
    /// Says what was got, what was expected and how to mend it.
    fn parse(&self, text: &str) -> Result<Self::Value, String>;

    fn shape(&self) -> Shape;
}

impl<K: ScalarKind> Kind for K {
    type Value = K::Value;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<K::Value> {
        let text = context.text(node, &ScalarKind::shape(self))?;
        match self.parse(&text) {
            Ok(value) => Some(value),
            Err(message) => {
                context.error(&node.location, message);
                None
            }
        }
    }

    fn shape(&self) -> Shape {
        ScalarKind::shape(self)
    }
}

/// A text on one line: not empty, bounded, without control characters.
pub(crate) struct Text {
    pub(crate) what: &'static str,
    pub(crate) len_max: usize,
}

impl ScalarKind for Text {
    type Value = String;

    fn parse(&self, text: &str) -> Result<String, String> {
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(format!(
                "{} is not {}: it is empty or holds control characters",
                quoted(text),
                self.what
            ));
        }
        if text.len() > self.len_max {
            return Err(format!(
                "{} bytes are too many; at most {} here",
                text.len(),
                self.len_max
            ));
        }
        Ok(text.to_owned())
    }

    fn shape(&self) -> Shape {
        Shape::Text(self.what)
    }
}

/// A type that knows its own text form and says itself what is wrong.
pub(crate) struct FromText<T> {
    pub(crate) what: &'static str,
    value: PhantomData<fn() -> T>,
}

impl<T> FromText<T> {
    pub(crate) const fn new(what: &'static str) -> Self {
        Self {
            what,
            value: PhantomData,
        }
    }
}

impl<T: FromStr<Err: Display>> ScalarKind for FromText<T> {
    type Value = T;

    fn parse(&self, text: &str) -> Result<T, String> {
        text.parse().map_err(|error: T::Err| error.to_string())
    }

    fn shape(&self) -> Shape {
        Shape::Text(self.what)
    }
}
