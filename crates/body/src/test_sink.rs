//! A sink for tests: keeps what it is told.

use std::ops::ControlFlow;

use crate::{File, Sink};

/// One thing that a sink was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Argument(String, String),
    File {
        field: String,
        name: Option<String>,
        extended_name: Option<String>,
        content: String,
    },
    PartHeader(String, String),
    Text(String),
    Attribute(String),
}

impl Found {
    pub(crate) fn argument(name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Self {
        Self::Argument(shown(name.as_ref()), shown(value.as_ref()))
    }

    pub(crate) fn part_header(part: &str, line: &str) -> Self {
        Self::PartHeader(shown(part.as_bytes()), shown(line.as_bytes()))
    }
}

/// Bytes as they can be compared and printed: each its own way.
pub(crate) fn shown(bytes: &[u8]) -> String {
    bytes.escape_ascii().to_string()
}

/// Keeps what it is told, in order; texts that follow each other are one.
#[derive(Debug, Default)]
pub(crate) struct TestSink {
    pub(crate) found: Vec<Found>,
    /// From which argument on it says that it has enough.
    pub(crate) arguments_max: Option<usize>,
}

impl TestSink {
    pub(crate) fn arguments(&self) -> Vec<(String, String)> {
        let argument = |found: &Found| match found {
            Found::Argument(name, value) => Some((name.clone(), value.clone())),
            _ => None,
        };
        self.found.iter().filter_map(argument).collect()
    }
}

impl Sink for TestSink {
    fn argument(&mut self, name: &[u8], value: &[u8]) -> ControlFlow<()> {
        if self
            .arguments_max
            .is_some_and(|max| self.arguments().len() >= max)
        {
            return ControlFlow::Break(());
        }
        self.found.push(Found::argument(name, value));
        ControlFlow::Continue(())
    }

    fn file(&mut self, file: File<'_>) {
        self.found.push(Found::File {
            field: shown(file.field),
            name: file.name.map(shown),
            extended_name: file.extended_name.map(shown),
            content: shown(file.content),
        });
    }

    fn part_header(&mut self, part: &[u8], line: &[u8]) {
        self.found.push(Found::PartHeader(shown(part), shown(line)));
    }

    fn text(&mut self, text: &[u8]) {
        match self.found.last_mut() {
            Some(Found::Text(before)) => before.push_str(&shown(text)),
            _ => self.found.push(Found::Text(shown(text))),
        }
    }

    fn attribute(&mut self, value: &[u8]) {
        self.found.push(Found::Attribute(shown(value)));
    }
}
