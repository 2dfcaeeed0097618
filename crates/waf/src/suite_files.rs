//! Suites on the disk.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_ftw::{Overrides, SuiteError, Test, parse_overrides, parse_tests};
use palisade_seclang::SourceError;

use crate::rule_folder::read;

/// How deep folders of tests may nest.
const DEPTH_MAX: usize = 16;
/// The most files of tests.
const FILES_MAX: usize = 10_000;

/// Why a file of a suite can't be used.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SuiteFileError {
    /// It can't be read.
    #[error("{}: {error}", .path.display())]
    Unreadable {
        /// The file, or the folder.
        path: PathBuf,
        /// Why.
        error: SourceError,
    },
    /// What is in it can't be used.
    #[error("{0}")]
    Suite(SuiteError),
}

/// The tests of all files `*.yaml` and `*.yml` in the folder `path` and those in it, by their paths; or of
/// the one file.
///
/// # Errors
/// All that is wrong, if anything is.
pub fn read_suite(path: &Path) -> Result<Vec<Test>, Vec<SuiteFileError>> {
    let mut files = Vec::new();
    if path.is_dir() {
        collect(path, DEPTH_MAX, &mut files).map_err(|error| vec![error])?;
        files.sort_unstable();
    } else {
        files.push(path.to_owned());
    }
    let (mut tests, mut errors) = (Vec::new(), Vec::new());
    for file in &files {
        let read = content(file).and_then(|bytes| {
            parse_tests(&Arc::from(&**file), &bytes).map_err(SuiteFileError::Suite)
        });
        match read {
            Ok(of_file) => tests.extend(of_file),
            Err(error) => errors.push(error),
        }
    }
    match errors.is_empty() {
        true => Ok(tests),
        false => Err(errors),
    }
}

/// The overrides of a file.
///
/// # Errors
/// It can't be read, or used.
pub fn read_overrides(path: &Path) -> Result<Overrides, SuiteFileError> {
    let bytes = content(path)?;
    parse_overrides(&Arc::from(path), &bytes).map_err(SuiteFileError::Suite)
}

fn content(path: &Path) -> Result<Vec<u8>, SuiteFileError> {
    read(path).map_err(|error| unreadable(path, error))
}

fn unreadable(path: &Path, error: SourceError) -> SuiteFileError {
    SuiteFileError::Unreadable {
        path: path.to_owned(),
        error,
    }
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<(), SuiteFileError> {
    let failed = |message: String| unreadable(folder, SourceError(message));
    if depth == 0 {
        return Err(failed(format!("folders nest more than {DEPTH_MAX} deep")));
    }
    let entries = fs::read_dir(folder).map_err(|error| failed(error.to_string()))?;
    for entry in entries {
        let path = entry.map_err(|error| failed(error.to_string()))?.path();
        if path.is_dir() {
            collect(&path, depth - 1, files)?;
        } else if path
            .extension()
            .is_some_and(|end| end == "yaml" || end == "yml")
        {
            files.push(path);
        }
        if files.len() > FILES_MAX {
            return Err(failed(format!("more than {FILES_MAX} files of tests")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of tests, or what is wrong, a line each; the folder is cut off.
    #[track_caller]
    fn check(files: &[(&str, &str)], path: &str, expected: &[&str]) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        let got: Vec<String> = match read_suite(&folder.path().join(path)) {
            Ok(tests) => tests.iter().map(|test| test.id.to_string()).collect(),
            Err(errors) => errors.iter().map(ToString::to_string).collect(),
        };
        let prefix = format!("{}/", folder.path().display());
        let got: Vec<String> = got.iter().map(|line| line.replace(&prefix, "")).collect();
        assert_eq!(got, expected);
    }

    const TEST: &str = "tests: [{stages: [{input: {}}]}]";

    #[test]
    fn folders_and_files() {
        let files = &[
            ("b/2.yaml", TEST),
            ("1.yml", TEST),
            ("b/c/3.yaml", TEST),
            ("b/x.txt", "no test"),
        ];
        check(files, "", &["1-1", "2-1", "3-1"]);
        check(files, "b/2.yaml", &["2-1"]);
        check(&[("x.txt", "")], "", &[]);
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        check(
            &[("1.yaml", "tests: 1"), ("2.yaml", "a: 1"), ("3.yaml", TEST)],
            "",
            &[
                "1.yaml:1:8: got a single value; expected a list",
                "2.yaml:1:1: \"a\" is not known here; expected meta, author, rule_id, tests",
            ],
        );
        check(
            &[],
            "none",
            &["none: No such file or directory (os error 2)"],
        );
    }
}
