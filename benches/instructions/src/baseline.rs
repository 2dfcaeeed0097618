//! The baseline: what each benchmark took, and what it was made with.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::made_with::MadeWith;

const HEAD: &str = "\
# What each benchmark of benches/instructions takes, in instructions. `make test` compares with it;
# `make instructions-baseline` writes it: see benches/README.md.

";

/// Instructions by the name of the benchmark.
pub(crate) type Counts = BTreeMap<String, u64>;

/// What is kept in git.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Baseline {
    /// Counts are compared only with others of the same.
    pub(crate) made_with: MadeWith,
    pub(crate) instructions: Counts,
}

impl Baseline {
    /// Reads the file.
    pub(crate) fn read(path: &Path) -> Result<Self, Error> {
        let place = || path.display().to_string();
        let text = fs::read_to_string(path).map_err(|error| Error::File(place(), error))?;
        toml::from_str(&text).map_err(|error| Error::Baseline(place(), error.to_string()))
    }

    /// Writes the file: one line a benchmark, by name.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let place = || path.display().to_string();
        let text =
            toml::to_string(self).map_err(|error| Error::Baseline(place(), error.to_string()))?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(|error| Error::File(place(), error))?;
        }
        fs::write(path, format!("{HEAD}{text}")).map_err(|error| Error::File(place(), error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn baseline() -> Baseline {
        Baseline {
            made_with: MadeWith::example(),
            instructions: [
                ("limits::check.unknown", 7_000),
                ("access::evaluate.rules_65", 41),
            ]
            .map(|(name, count)| (name.to_owned(), count))
            .into(),
        }
    }

    #[test]
    fn it_is_read_as_it_was_written() {
        let path = std::env::temp_dir().join(format!("baseline-{}.toml", std::process::id()));
        baseline().write(&path).unwrap();
        let (read, text) = (Baseline::read(&path), fs::read_to_string(&path).unwrap());
        fs::remove_file(&path).unwrap();
        assert_eq!(read.unwrap(), baseline());
        let lines: Vec<&str> = text.lines().filter(|line| line.contains("::")).collect();
        let expected = [
            "\"access::evaluate.rules_65\" = 41",
            "\"limits::check.unknown\" = 7000",
        ];
        assert_eq!(lines, expected, "a line each, by name");
    }

    #[test]
    fn what_is_wrong_with_it_is_told_with_its_place() {
        let path = std::env::temp_dir().join(format!("damaged-{}.toml", std::process::id()));
        fs::write(&path, "[made-with]\nrustc = 1\n").unwrap();
        let read = Baseline::read(&path);
        fs::remove_file(&path).unwrap();
        let message = read.unwrap_err().to_string();
        assert!(
            message.contains("damaged-") && message.contains("line 2"),
            "{message}"
        );
    }
}
