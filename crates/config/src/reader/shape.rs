//! What may be written somewhere, as data: for messages, the reference and the JSON Schema.

use std::fmt;
use std::time::Duration;

use palisade_vocabulary::ByteSize;
use palisade_waf::Share;

use super::TableInfo;
use super::quantity::{show_duration, show_percent};

/// What may be written somewhere.
#[derive(Clone)]
pub(crate) enum Shape {
    /// A text; what kind of text ("an address like 192.0.2.1").
    Text(&'static str),
    Flag,
    Integer {
        min: u64,
        max: u64,
    },
    Duration {
        min: Duration,
        max: Duration,
    },
    Size {
        min: ByteSize,
        max: ByteSize,
    },
    Percent {
        min: Share,
        max: Share,
    },
    Choice(Vec<&'static str>),
    List {
        of: Box<Shape>,
        min: usize,
    },
    OneOrList(Box<Shape>),
    /// Names of the operator's choice, each with a value.
    Named(Box<Shape>),
    Either(Box<Shape>, Box<Shape>),
    Table(&'static TableInfo),
}

impl fmt::Display for Shape {
    /// As a message says what is expected: `a duration like 10s, 1ms to 1h`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(what) => f.write_str(what),
            Self::Flag => f.write_str("true or false"),
            Self::Integer { min, max } => write!(f, "a number from {min} to {max}"),
            Self::Duration { min, max } => {
                write!(
                    f,
                    "a duration like 10s, from {} to {}",
                    show_duration(*min),
                    show_duration(*max)
                )
            }
            Self::Size { min, max } => write!(f, "a size like 32KiB, from {min} to {max}"),
            Self::Percent { min, max } => write!(
                f,
                "a percentage like 10%, from {} to {}",
                show_percent(*min),
                show_percent(*max)
            ),
            Self::Choice(words) => f.write_str(&words.join(" | ")),
            Self::List { of, min } if *min > 0 => write!(f, "a list, not empty, of: {of}"),
            Self::List { of, .. } => write!(f, "a list of: {of}"),
            Self::OneOrList(of) => write!(f, "{of}; or a list of these"),
            Self::Named(of) => write!(f, "names of your choice, each with: {of}"),
            Self::Either(one, other) => write!(f, "{one}; or {other}"),
            Self::Table(table) => write!(f, "a mapping with the keys of `{}`", table.name),
        }
    }
}
