//! What all readers share: problems, files, the environment.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::document::{Content, Node};
use crate::environment::expand;
use crate::files::{FileContent, FileError, Files};
use crate::problem::{Location, Problems};
use crate::source::{Source, Sources};

/// The most files that one set of settings is made of.
const FILES_MAX: usize = 1_000;

/// What all readers share during one load.
pub(crate) struct Context<'a> {
    files: &'a dyn Files,
    environment: &'a dyn Fn(&str) -> Option<String>,
    problems: RefCell<Problems>,
    sources: RefCell<Sources>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        files: &'a dyn Files,
        environment: &'a dyn Fn(&str) -> Option<String>,
    ) -> Self {
        Self {
            files,
            environment,
            problems: RefCell::default(),
            sources: RefCell::default(),
        }
    }

    pub(crate) fn error(&self, location: &Location, message: impl Into<String>) {
        self.problems.borrow_mut().error(location, message);
    }

    pub(crate) fn warning(&self, location: &Location, message: impl Into<String>) {
        self.problems.borrow_mut().warning(location, message);
    }

    /// The text of a scalar with its variables replaced; `expected` is for the message if `node`
    /// is none.
    pub(crate) fn text<'n>(
        &self,
        node: &'n Node,
        expected: &dyn std::fmt::Display,
    ) -> Option<Cow<'n, str>> {
        let Content::Scalar(scalar) = &node.content else {
            self.error(
                &node.location,
                format!("got {}; expected {expected}", node.noun()),
            );
            return None;
        };
        match expand(&scalar.text, self.environment) {
            Ok(text) => Some(text),
            Err(error) => {
                self.error(&node.location, error.to_string());
                None
            }
        }
    }

    /// The file at `path`, which the value at `location` names; a failure is reported there.
    pub(crate) fn read_file(
        &self,
        path: &Path,
        bytes_max: u64,
        location: &Location,
    ) -> Option<FileContent> {
        let full = self.sources.borrow().len() >= FILES_MAX;
        let read = if full {
            Err(FileError::TooMany)
        } else {
            self.files.read(path, bytes_max)
        };
        match read {
            Ok(content) => {
                self.sources
                    .borrow_mut()
                    .add(Source::new(path, &content.bytes));
                Some(content)
            }
            Err(error) => {
                self.error(location, format!("{}: {error}", path.display()));
                None
            }
        }
    }

    /// The files that `pattern` names: itself, or what matches it in its folder, sorted by name.
    ///
    /// `*`, `?` and `[...]` may stand in the last part of the path. A pattern that nothing matches
    /// is a warning: an empty folder of site files is no mistake.
    pub(crate) fn matching_files(
        &self,
        pattern: &Path,
        location: &Location,
    ) -> Option<Vec<PathBuf>> {
        let name = pattern
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if !has_wildcard(name) {
            return Some(vec![pattern.to_owned()]);
        }
        let glob = match glob::Pattern::new(name) {
            Ok(glob) => glob,
            Err(error) => {
                self.error(
                    location,
                    format!("{name} is not a pattern for file names: {}", error.msg),
                );
                return None;
            }
        };
        let folder = pattern.parent().unwrap_or(Path::new(""));
        let names = match self.files.list(folder) {
            Ok(names) => names,
            Err(error) => {
                self.error(location, format!("{}: {error}", folder.display()));
                return None;
            }
        };
        self.sources
            .borrow_mut()
            .add(Source::folder(folder, &names));
        let paths: Vec<PathBuf> = names
            .iter()
            .filter(|name| glob.matches(name))
            .map(|name| folder.join(name))
            .collect();
        if paths.is_empty() {
            self.warning(location, format!("no file matches {}", pattern.display()));
        }
        Some(paths)
    }

    /// Problems and sources, once all is read.
    pub(crate) fn finish(self) -> (Problems, Sources) {
        let mut problems = self.problems.into_inner();
        problems.sort();
        (problems, self.sources.into_inner())
    }

    /// Parses `bytes`, read from `file`, as YAML.
    pub(crate) fn parse_yaml(&self, file: &Arc<Path>, bytes: &[u8]) -> Option<Node> {
        crate::document::parse(file, bytes, &mut self.problems.borrow_mut())
    }
}

fn has_wildcard(name: &str) -> bool {
    name.contains(['*', '?', '['])
}
