//! Values of a document to values with a type.
//!
//! Each key of the settings file is a [`Key`]: its name, what may be written there, its default and
//! what it means. The reader, the reference and the JSON Schema are made from the same keys, so
//! that they can't disagree.
//!
//! Readers never stop at the first problem: they report it and return `None`.

mod address;
mod choice;
mod collection;
mod context;
mod http;
mod key;
mod paths;
mod quantity;
mod ranges;
mod scalar;
mod shape;
mod table;

pub(crate) use address::{Range, Socket};
pub(crate) use choice::Choice;
pub(crate) use collection::{
    EachOf, Either, ListOf, Located, Named, OneOrList, WithLocation, names,
};
pub(crate) use context::Context;
pub(crate) use http::{HeaderFieldName, HeaderFieldValue, Status};
pub(crate) use key::{AnyKey, Defaulted, Key, Optional, Required};
pub(crate) use paths::{FilePath, LogPath};
pub(crate) use quantity::{DurationIn, Flag, Integer, Percent, SizeIn};
pub(crate) use ranges::{Lists, RANGES_INLINE_MAX, RangeItem, RangeOrList, Ranges};
pub(crate) use scalar::{FromText, ScalarKind, Text};
pub(crate) use shape::Shape;
pub(crate) use table::{Fields, Later, Nested, Table, TableInfo};

use palisade_yaml::Node;

/// What may be written somewhere, and how it is read.
pub(crate) trait Kind: Sync {
    /// What is read.
    type Value;

    /// Reads one value; `None` means that what is wrong with it has been reported.
    fn read(&self, node: &Node, context: &Context<'_>) -> Option<Self::Value>;

    /// What may be written, for the reference and the JSON Schema.
    fn shape(&self) -> Shape;
}

#[cfg(test)]
mod tests;
