//! Paths of files, which start at the folder of the file that they are written in.

use std::path::{Path, PathBuf};

use palisade_yaml::Node;

use super::{Context, Kind, Shape};
use crate::problem::quoted;

/// The longest path, in bytes (Linux: PATH_MAX).
const LEN_MAX: usize = 4096;

/// The path of a file.
pub(crate) struct FilePath {
    pub(crate) what: &'static str,
}

impl Kind for FilePath {
    type Value = PathBuf;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<PathBuf> {
        let text = context.text(node, &self.shape())?;
        if text.is_empty() || text.len() > LEN_MAX || text.chars().any(char::is_control) {
            context.error(
                &node.location,
                format!("{} is not a path; expected {}", quoted(&text), self.what),
            );
            return None;
        }
        Some(resolved(node.location.folder(), &text))
    }

    fn shape(&self) -> Shape {
        Shape::Text(self.what)
    }
}

/// Where a log goes: `None` is standard output, written `-`.
pub(crate) struct LogPath;

impl Kind for LogPath {
    type Value = Option<PathBuf>;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<Option<PathBuf>> {
        let path = FilePath { what: LOG_PATH };
        if context.text(node, &self.shape())? == "-" {
            return Some(None);
        }
        path.read(node, context).map(Some)
    }

    fn shape(&self) -> Shape {
        Shape::Text(LOG_PATH)
    }
}

const LOG_PATH: &str = "the path of a file, or \"-\" for standard output";

/// `text` seen from `folder`, with `.` and `name/..` taken out: a file has one name however it was
/// reached, unless symbolic links are in the way.
fn resolved(folder: &Path, text: &str) -> PathBuf {
    use std::path::Component;
    let mut clean = PathBuf::new();
    for component in folder.join(text).components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir
                if matches!(clean.components().next_back(), Some(Component::Normal(_))) =>
            {
                clean.pop();
            }
            other => clean.push(other),
        }
    }
    clean
}
