//! A line of a log, found from its end.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use memchr::{memmem, memrchr};

/// How much is read at once.
const BLOCK_BYTES: usize = 256 * 1024;
/// A longer line is none of ours: messages end at 64 KiB, and little else is in a line.
const LINE_BYTES_MAX: usize = 1024 * 1024;
/// The most files that a log is rotated to and that are read.
const ROTATED_MAX: usize = 100;

/// The last line with `needle` in a log, or in those beside it that it was rotated to (`audit.jsonl.1`,
/// `audit.jsonl-20261130`), the youngest first. Compressed ones are not read.
///
/// # Errors
/// The log can't be read. What it was rotated to may be gone.
pub fn find_in_log(path: &Path, needle: &[u8]) -> io::Result<Option<Vec<u8>>> {
    if let Some(line) = find_in_file(path, needle)? {
        return Ok(Some(line));
    }
    for rotated in rotated(path) {
        if let Ok(Some(line)) = find_in_file(&rotated, needle) {
            return Ok(Some(line));
        }
    }
    Ok(None)
}

/// What a log was rotated to, the youngest first.
fn rotated(path: &Path) -> Vec<PathBuf> {
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = folder.unwrap_or(Path::new("."));
    let (Some(name), Ok(entries)) = (path.file_name(), std::fs::read_dir(folder)) else {
        return Vec::new();
    };
    let name = name.as_encoded_bytes();
    let mut found = Vec::new();
    for entry in entries.flatten() {
        let other = entry.file_name();
        let rest = other.as_encoded_bytes().strip_prefix(name);
        let is_rotated = rest.is_some_and(|rest| matches!(rest.first(), Some(b'.' | b'-')));
        let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file);
        if let (true, Some(metadata)) = (is_rotated, metadata) {
            found.push((metadata.modified().ok(), entry.path()));
        }
    }
    found.sort_unstable();
    let paths = found.into_iter().rev().map(|(_, path)| path);
    paths.take(ROTATED_MAX).collect()
}

/// Holds one block and one line at a time.
fn find_in_file(path: &Path, needle: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let mut file = File::open(path)?;
    if !file.metadata()?.is_file() {
        let message = "it is no file, so that nothing can be looked up in it";
        return Err(io::Error::other(message));
    }
    let finder = memmem::Finder::new(needle);
    let mut end = file.seek(SeekFrom::End(0))?;
    // What stands before the first line break of what was read: the end of a line.
    let mut tail = LineEnd::default();
    let mut block = Vec::new();
    while end > 0 {
        let len = end.min(BLOCK_BYTES as u64);
        end -= len;
        file.seek(SeekFrom::Start(end))?;
        block.clear();
        (&mut file).take(len).read_to_end(&mut block)?;
        let mut rest = &*block;
        while let Some(at) = memrchr(b'\n', rest) {
            let (before, line) = rest.split_at(at);
            let line = line.get(1..).unwrap_or_default();
            tail.prepend(line);
            let whole = std::mem::take(&mut tail).bytes;
            if finder.find(&whole).is_some() {
                return Ok(Some(whole));
            }
            rest = before;
        }
        tail.prepend(rest);
    }
    Ok(finder.find(&tail.bytes).map(|_| tail.bytes))
}

/// The end of a line, as far as it was read; nothing of one that is too long.
#[derive(Default)]
struct LineEnd {
    bytes: Vec<u8>,
    is_too_long: bool,
}

impl LineEnd {
    fn prepend(&mut self, before: &[u8]) {
        self.is_too_long |= before.len() + self.bytes.len() > LINE_BYTES_MAX;
        match self.is_too_long {
            true => self.bytes = Vec::new(),
            false => drop(self.bytes.splice(..0, before.iter().copied())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &[u8])], needle: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let begun = std::time::SystemTime::now();
        // The first is the youngest.
        for (age, (name, content)) in (0..).zip(files) {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            let file = File::options().write(true).open(&path).unwrap();
            file.set_modified(begun - std::time::Duration::from_secs(age))
                .unwrap();
        }
        let line = find_in_log(&folder.path().join("a.log"), needle.as_bytes()).unwrap();
        line.map(|line| String::from_utf8(line).unwrap())
    }

    #[test]
    fn the_last_line_is_found() {
        let check = |log: &str, needle: &str, expected: Option<&str>| {
            let found = found(&[("a.log", log.as_bytes())], needle);
            assert_eq!(found.as_deref(), expected, "{log:?}");
        };
        check("1 a\n2 a\n3 b\n", "a", Some("2 a"));
        check("1 a\n2 b", "b", Some("2 b"));
        check("1 a\n2 b", "1", Some("1 a"));
        check("1 a\n", "c", None);
        check("", "c", None);
    }

    #[test]
    fn lines_that_lie_across_blocks() {
        let line = |number: usize| format!("{number:08} {}\n", "x".repeat(number % 977));
        let log: String = (0..3_000).map(line).collect();
        assert!(log.len() > 4 * BLOCK_BYTES);
        for number in (0..3_000).step_by(13) {
            let needle = format!("{number:08}");
            let found = found(&[("a.log", log.as_bytes())], &needle).unwrap();
            assert_eq!(found + "\n", line(number));
        }
    }

    #[test]
    fn a_line_without_an_end_takes_no_memory_for_ever() {
        let log = |len: usize| {
            let mut log = b"1 a\n2 a".to_vec();
            log.resize(len, b'x');
            log
        };
        let found = |len: usize, needle: &str| found(&[("a.log", &log(len))], needle);
        // One over several blocks is found whole; a longer one is none of ours.
        let whole = found(LINE_BYTES_MAX, "2 a").map(|line| line.len());
        assert_eq!(whole, Some(LINE_BYTES_MAX - 4));
        assert_eq!(found(LINE_BYTES_MAX * 3, "2 a"), None);
        assert_eq!(found(LINE_BYTES_MAX * 3, "1 a").as_deref(), Some("1 a"));
    }

    #[test]
    fn rotated_logs_are_asked_the_youngest_first() {
        let files: &[(&str, &[u8])] = &[
            ("a.log", b"1\n"),
            ("a.log.1", b"2 a\n"),
            ("a.log-20261130", b"3 a\n4\n"),
            ("b.log", b"5\n"),
        ];
        assert_eq!(found(files, "a").as_deref(), Some("2 a"));
        assert_eq!(found(files, "4").as_deref(), Some("4"));
        assert_eq!(found(files, "5"), None);
    }

    #[test]
    fn what_is_no_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(find_in_log(folder.path(), b"a").is_err());
        assert!(find_in_log(&folder.path().join("none"), b"a").is_err());
    }
}
