//! What is wrong with a file of tests or overrides, and where.

use std::fmt;

use palisade_yaml::Location;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where.
    pub location: Location,
    /// What was got, and what was expected.
    pub message: String,
}

impl fmt::Display for Problem {
    /// `file:line:column: message`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.location, self.message)
    }
}

/// A file that can't be used: all that is wrong with it, in the order in which it was found.
#[derive(Clone, Debug, thiserror::Error)]
pub struct SuiteError {
    /// At least one.
    pub problems: Vec<Problem>,
}

impl fmt::Display for SuiteError {
    /// A line for each problem.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

/// Problems, while a file is read.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<Problem>);

impl Problems {
    pub(crate) fn add(&mut self, location: &Location, message: impl Into<String>) {
        self.0.push(Problem {
            location: location.clone(),
            message: message.into(),
        });
    }

    /// `value`, if nothing was wrong with the file that it was read from.
    pub(crate) fn or_else<T>(self, value: T) -> Result<T, SuiteError> {
        if self.0.is_empty() {
            Ok(value)
        } else {
            Err(SuiteError { problems: self.0 })
        }
    }
}
