//! From a path to settings: the file, what it includes, merged, read, checked.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_yaml::{Content, Entry, Node};

use crate::files::Files;
use crate::problem::{Location, Problems, quoted};
use crate::reader::{Context, Kind};
use crate::sections::{self, INCLUDE, INCLUDE_KIND, YAML_BYTES_MAX};
use crate::settings::Settings;
use crate::source::Sources;

/// How deep files may include files.
const INCLUDE_DEPTH_MAX: usize = 8;

/// Settings that can be used, and what is known about where they came from.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What is odd about them; no errors.
    pub warnings: Problems,
    /// Every file that they were made of.
    pub sources: Sources,
}

/// Settings that can't be used.
#[derive(Debug, thiserror::Error)]
#[error("{problems}")]
pub struct LoadError {
    /// Everything that is wrong, warnings included.
    pub problems: Problems,
    /// Every file that was read, for noticing when one of them is mended.
    pub sources: Sources,
}

impl Settings {
    /// Reads the settings file at `path` and all that it names.
    ///
    /// `environment` gives the value of a variable. Nothing is kept or changed if there is an error.
    ///
    /// # Errors
    /// All that is wrong, found at once, each with its place.
    pub fn load(
        files: &dyn Files,
        environment: &dyn Fn(&str) -> Option<String>,
        path: &Path,
    ) -> Result<Loaded, Box<LoadError>> {
        let context = Context::new(files, environment);
        let settings = read_tree(path, &context).and_then(|root| sections::read(&root, &context));
        let (problems, sources) = context.finish();
        match settings {
            Some(settings) if problems.error_count() == 0 => Ok(Loaded {
                settings,
                warnings: problems,
                sources,
            }),
            _ => Err(Box::new(LoadError { problems, sources })),
        }
    }
}

/// The merged content of the file at `path` and of all that it includes; `None` where nothing can
/// be read at all.
fn read_tree(path: &Path, context: &Context<'_>) -> Option<Node> {
    let mut loading = Loading {
        context,
        seen: vec![path.to_owned()],
        root: None,
    };
    loading.read(path, &Location::whole(path.into()), 0);
    loading.root
}

struct Loading<'a> {
    context: &'a Context<'a>,
    seen: Vec<PathBuf>,
    /// All that was read so far.
    root: Option<Node>,
}

impl Loading<'_> {
    fn read(&mut self, path: &Path, named_at: &Location, depth: usize) {
        let file: Arc<Path> = path.into();
        let Some(content) = self.context.read_file(path, YAML_BYTES_MAX, named_at) else {
            self.context.set_incomplete();
            return;
        };
        let Some(node) = self.context.parse_yaml(&file, &content) else {
            self.context.set_incomplete();
            return;
        };
        let Node { location, content } = node;
        let mut entries = match content {
            Content::Mapping(entries) => entries,
            // An empty file adds nothing; what is missing then is reported like any missing key.
            Content::Null => Vec::new(),
            content => {
                let got = Node {
                    location: location.clone(),
                    content,
                }
                .noun();
                self.context.error(
                    &location,
                    format!("got {got}; expected keys such as listeners, upstreams, sites"),
                );
                self.context.set_incomplete();
                return;
            }
        };
        let include = entries.iter().position(|entry| &*entry.key == INCLUDE.name);
        let include = include.map(|index| entries.remove(index));
        match &mut self.root {
            None => {
                self.root = Some(Node {
                    location,
                    content: Content::Mapping(entries),
                })
            }
            Some(root) => merge(root, entries, "", self.context),
        }
        if let Some(include) = include {
            self.read_included(&include.value, depth + 1);
        }
    }

    fn read_included(&mut self, node: &Node, depth: usize) {
        if depth > INCLUDE_DEPTH_MAX {
            let message = format!("files include files deeper than {INCLUDE_DEPTH_MAX} levels");
            self.context.error(&node.location, message);
            return;
        }
        for pattern in INCLUDE_KIND.read(node, self.context).unwrap_or_default() {
            let files = self
                .context
                .matching_files(&pattern.value, &pattern.location);
            for path in files.unwrap_or_default() {
                if self.seen.contains(&path) {
                    let message = format!("{} is included already", path.display());
                    self.context.error(&pattern.location, message);
                    continue;
                }
                self.seen.push(path.clone());
                self.read(&path, &pattern.location, depth);
            }
        }
    }
}

/// Lists that are joined over all files, by their path.
const JOINED: [&str; 5] = [
    "listeners",
    "sites",
    "trusted_clients",
    "access.rules",
    "access.rule_files",
];

/// Mappings that may be given in parts, by their path.
const IN_PARTS: [&str; 6] = [
    "upstreams",
    "block_lists",
    "allow_lists",
    "access",
    "access.lists",
    "logs",
];

/// Adds the keys of another file to the mapping `into`, which is at `path`.
fn merge(into: &mut Node, from: Vec<Entry>, path: &str, context: &Context<'_>) {
    let Content::Mapping(entries) = &mut into.content else {
        return;
    };
    for entry in from {
        let known = entries.iter_mut().find(|known| known.key == entry.key);
        match known {
            None => entries.push(entry),
            Some(known) => merge_entry(known, entry, path, context),
        }
    }
}

fn merge_entry(known: &mut Entry, entry: Entry, path: &str, context: &Context<'_>) {
    let path = match path {
        "" => known.key.to_string(),
        _ => format!("{path}.{}", known.key),
    };
    let Entry {
        key_location,
        value,
        ..
    } = entry;
    match (&mut known.value.content, value.content) {
        (Content::List(items), Content::List(more)) if JOINED.contains(&path.as_str()) => {
            items.extend(more)
        }
        (Content::Mapping(_), Content::Mapping(more)) if IN_PARTS.contains(&path.as_str()) => {
            merge(&mut known.value, more, &path, context);
        }
        _ => {
            let message = format!(
                "{} is given in another file already, at {}; keep one",
                quoted(&path),
                known.key_location
            );
            context.error(&key_location, message);
        }
    }
}
