//! What all readers share: problems, files, the environment.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_feeds::ListSettings;
use palisade_vocabulary::Cidr;
use palisade_yaml::{Content, Node};

use super::Lists;
use crate::environment::expand;
use crate::files::{FILES_MAX, FileContent, FileError, Files};
use crate::problem::{Location, Problems};
use crate::source::{Source, Sources};

/// What all readers share during one load.
pub(crate) struct Context<'a> {
    files: &'a dyn Files,
    environment: &'a dyn Fn(&str) -> Option<String>,
    problems: RefCell<Problems>,
    sources: RefCell<Sources>,
    lists: RefCell<Lists>,
    state_directory: RefCell<Option<PathBuf>>,
    remote_lists: RefCell<Vec<ListSettings>>,
    incomplete: Cell<bool>,
    /// Settings files that every user of the machine can read.
    world_readable: RefCell<HashSet<Arc<Path>>>,
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
            lists: RefCell::default(),
            state_directory: RefCell::default(),
            remote_lists: RefCell::default(),
            incomplete: Cell::new(false),
            world_readable: RefCell::default(),
        }
    }

    pub(crate) fn error(&self, location: &Location, message: impl Into<String>) {
        self.problems.borrow_mut().error(location, message);
    }

    pub(crate) fn warning(&self, location: &Location, message: impl Into<String>) {
        self.problems.borrow_mut().warning(location, message);
    }

    /// What `made` holds; what is wrong with it is reported at `location`.
    pub(crate) fn accept<T, E: std::fmt::Display>(
        &self,
        made: Result<T, E>,
        location: &Location,
    ) -> Option<T> {
        made.map_err(|error| self.error(location, error.to_string()))
            .ok()
    }

    /// Says where copies of lists are kept.
    pub(crate) fn set_state_directory(&self, path: Option<PathBuf>) {
        *self.state_directory.borrow_mut() = path;
    }

    pub(crate) fn state_directory(&self) -> Option<PathBuf> {
        self.state_directory.borrow().clone()
    }

    /// Notes a list that a server has.
    pub(crate) fn add_remote_list(&self, list: ListSettings) {
        self.remote_lists.borrow_mut().push(list);
    }

    /// The lists of `access.lists` that servers have.
    pub(crate) fn take_remote_lists(&self) -> Vec<ListSettings> {
        self.remote_lists.take()
    }

    /// The lists that `$name` means, once `access.lists` has been read.
    pub(crate) fn set_lists(&self, lists: Lists) {
        *self.lists.borrow_mut() = lists;
    }

    /// The ranges of the list `name`; an unknown name is reported at `location`.
    pub(crate) fn list(&self, name: &str, location: &Location) -> Option<Arc<[Cidr]>> {
        match self.lists.borrow().find(name) {
            Ok(ranges) => ranges,
            Err(_) if self.is_incomplete() => None,
            Err(message) => {
                self.error(location, message);
                None
            }
        }
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
        let read = self.try_read_file(path, bytes_max);
        let read = read.map_err(|error| match location.line() {
            // The place is the file itself, which the message begins with.
            0 => error.to_string(),
            _ => format!("{}: {error}", path.display()),
        });
        self.accept(read, location)
    }

    /// The file at `path`, noted as a source even if it isn't there.
    pub(crate) fn try_read_file(
        &self,
        path: &Path,
        bytes_max: u64,
    ) -> Result<FileContent, FileError> {
        if self.sources.borrow().len() >= FILES_MAX {
            return Err(FileError::TooMany);
        }
        let read = self.files.read(path, bytes_max);
        self.sources.borrow_mut().add(match &read {
            Ok(content) => Source::file(path, content),
            Err(_) => Source::unread(path, self.files.stamp(path)),
        });
        read
    }

    /// As [`Self::try_matching_files`]. A pattern that nothing matches is a warning: an empty folder of site
    /// files is no mistake.
    pub(crate) fn matching_files(
        &self,
        pattern: &Path,
        location: &Location,
    ) -> Option<Vec<PathBuf>> {
        let paths = self.accept(self.try_matching_files(pattern), location)?;
        if paths.is_empty() {
            self.warning(location, format!("no file matches {}", pattern.display()));
        }
        Some(paths)
    }

    /// The files that `pattern` names: itself, or what matches it in its folder, sorted by name.
    ///
    /// `*`, `?` and `[...]` may stand in the last part of the path.
    pub(crate) fn try_matching_files(&self, pattern: &Path) -> Result<Vec<PathBuf>, String> {
        let name = pattern
            .file_name()
            .and_then(|name| name.to_str())
            .unwrap_or_default();
        if !has_wildcard(name) {
            return Ok(vec![pattern.to_owned()]);
        }
        let glob = glob::Pattern::new(name)
            .map_err(|error| format!("{name} is not a pattern for file names: {}", error.msg))?;
        let folder = pattern.parent().unwrap_or(Path::new(""));
        let stamp = self.files.stamp(folder);
        let names = match self.files.list(folder) {
            Ok(names) => names,
            Err(error) => {
                self.sources.borrow_mut().add(Source::unread(folder, stamp));
                return Err(format!("{}: {error}", folder.display()));
            }
        };
        self.sources
            .borrow_mut()
            .add(Source::folder(folder, &names, stamp));
        let paths: Vec<PathBuf> = names
            .iter()
            .filter(|name| glob.matches(name))
            .map(|name| folder.join(name))
            .collect();
        Ok(paths)
    }

    /// Whether an error has been reported so far.
    pub(crate) fn has_errors(&self) -> bool {
        self.problems.borrow().error_count() > 0
    }

    /// Notes that a file is missing from what was read, so that names may be missing too.
    pub(crate) fn set_incomplete(&self) {
        self.incomplete.set(true);
    }

    pub(crate) fn is_incomplete(&self) -> bool {
        self.incomplete.get()
    }

    /// Problems and sources, once all is read.
    pub(crate) fn finish(self) -> (Problems, Sources) {
        let mut problems = self.problems.into_inner();
        problems.sort();
        (problems, self.sources.into_inner())
    }

    /// Parses `content`, read from `file`, as YAML.
    pub(crate) fn parse_yaml(&self, file: &Arc<Path>, content: &FileContent) -> Option<Node> {
        if content.world_readable {
            self.world_readable.borrow_mut().insert(Arc::clone(file));
        }
        let mut problems = self.problems.borrow_mut();
        palisade_yaml::parse(file, &content.bytes, &mut |location, message| {
            problems.error(location, message);
        })
    }

    /// Whether every user of the machine can read what is written at `node`, rather than in the
    /// environment.
    pub(crate) fn is_world_readable(&self, node: &Node) -> bool {
        let from_environment =
            matches!(&node.content, Content::Scalar(scalar) if scalar.text.contains("${"));
        !from_environment && self.world_readable.borrow().contains(node.location.file())
    }
}

fn has_wildcard(name: &str) -> bool {
    name.contains(['*', '?', '['])
}
