//! One of a few words.

use super::{ScalarKind, Shape};
use crate::closest::{closest, did_you_mean};
use crate::problem::quoted;

/// One of a few words, each with what it stands for.
pub(crate) struct Choice<T: 'static> {
    pub(crate) words: &'static [(&'static str, T)],
    /// Words that a later version will know.
    pub(crate) later: &'static [&'static str],
}

impl<T: Copy + Sync> ScalarKind for Choice<T> {
    type Value = T;

    fn parse(&self, text: &str) -> Result<T, String> {
        if let Some((_, value)) = self.words.iter().find(|(word, _)| *word == text) {
            return Ok(*value);
        }
        if self.later.contains(&text) {
            let expected = self.names().collect::<Vec<_>>().join(", ");
            return Err(format!(
                "{}: this version can't do it yet; expected {expected}",
                quoted(text)
            ));
        }
        let hint = match closest(text, self.names()) {
            Some(_) => did_you_mean(text, self.names()),
            None => format!("; expected {}", self.names().collect::<Vec<_>>().join(", ")),
        };
        Err(format!("{} is not known here{hint}", quoted(text)))
    }

    fn shape(&self) -> Shape {
        Shape::Choice(self.names().collect())
    }
}

impl<T> Choice<T> {
    fn names(&self) -> impl Iterator<Item = &'static str> {
        self.words.iter().map(|(word, _)| *word)
    }
}
