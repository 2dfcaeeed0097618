//! The files that `pmFromFile` and `ipMatchFromFile` name.

use super::error::{Found, Problem, excerpt};
use crate::Sources;

/// A file, as a rule names it.
#[derive(Debug)]
pub(super) struct File {
    /// As messages show it.
    pub(super) name: String,
    /// Where it is named in the argument.
    pub(super) offset: usize,
    content: Vec<u8>,
}

/// What a line says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line<'f> {
    /// Counted from 1.
    pub(super) number: usize,
    /// Without white space around it.
    pub(super) text: &'f [u8],
}

impl File {
    /// All lines but the empty ones and those that begin with `#`.
    pub(super) fn lines(&self) -> impl Iterator<Item = Line<'_>> {
        let lines = self.content.split(|byte| *byte == b'\n').enumerate();
        lines
            .map(|(index, line)| Line {
                number: index + 1,
                text: line.trim_ascii(),
            })
            .filter(|line| !matches!(line.text, [] | [b'#', ..]))
    }
}

/// Reads the files that `argument` names, separated by white space.
pub(super) fn files(argument: &[u8], sources: &dyn Sources) -> Result<Vec<File>, Found> {
    let mut files = Vec::new();
    let mut offset = 0;
    for name in argument.split(u8::is_ascii_whitespace) {
        if !name.is_empty() {
            files.push(read(name, offset, sources).map_err(|problem| (offset, problem))?);
        }
        offset += name.len() + 1;
    }
    if files.is_empty() {
        return Err((0, Problem::Empty("the name of a file")));
    }
    Ok(files)
}

fn read(name: &[u8], offset: usize, sources: &dyn Sources) -> Result<File, Problem> {
    let name = std::str::from_utf8(name).map_err(|_| Problem::FileName)?;
    let content = sources.read(name).map_err(|error| Problem::Source {
        file: excerpt(name.as_bytes()),
        error,
    })?;
    Ok(File {
        name: excerpt(name.as_bytes()),
        offset,
        content,
    })
}
