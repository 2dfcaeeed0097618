//! A set of rules with one more file, before anybody writes it.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use palisade_seclang::{RuleFiles, SourceError};

use crate::rule_set::CompiledRuleSet;
use crate::{RuleFolder, RuleSet};

/// What a set of rules would be with a file.
#[derive(Debug)]
pub struct AmendedRuleSet {
    /// What compiling gave.
    pub compiled: CompiledRuleSet,
    /// Whether the set has a file of that path already; else it stands before all others.
    pub is_loaded: bool,
}

impl RuleSet {
    /// The rules of the same files as they are on the disk now, of which the one at `path` has that content.
    #[must_use]
    pub fn with_file(&self, path: &Path, content: &[u8]) -> AmendedRuleSet {
        let path = real(path);
        let mut loaded = self.program().settings().files.iter();
        let is_loaded = loaded.any(|file| real(file) == path);
        let files = Amended {
            disk: RuleFolder::new(""),
            path: &path,
            content,
        };
        let mut roots: Vec<&str> = self.roots().collect();
        let name = path.to_string_lossy();
        if !is_loaded {
            roots.insert(0, &name);
        }
        AmendedRuleSet {
            compiled: Self::compile(self.settings(), &roots, &files, self.countries().cloned()),
            is_loaded,
        }
    }
}

/// The path without links and dots; of a file that isn't there, that of its folder.
fn real(path: &Path) -> PathBuf {
    if let Ok(real) = fs::canonicalize(path) {
        return real;
    }
    let folder = path.parent().filter(|folder| *folder != Path::new(""));
    let folder = fs::canonicalize(folder.unwrap_or(Path::new(".")));
    let name = path.file_name().unwrap_or(OsStr::new(""));
    folder.map_or_else(|_| path.to_owned(), |folder| folder.join(name))
}

/// Files on the disk, but for one.
struct Amended<'a> {
    disk: RuleFolder,
    path: &'a Path,
    content: &'a [u8],
}

impl RuleFiles for Amended<'_> {
    fn matching(&self, pattern: &str, from: Option<&str>) -> Result<Vec<String>, SourceError> {
        match from {
            // Those of a set are files, whatever their names look like.
            None => Ok(vec![pattern.to_owned()]),
            Some(_) => self.disk.matching(pattern, from),
        }
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, SourceError> {
        match real(Path::new(file)) == self.path {
            true => Ok(self.content.to_vec()),
            false => self.disk.read(file),
        }
    }

    fn data(&self, name: &str, from: &str) -> Result<Vec<u8>, SourceError> {
        self.disk.data(name, from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RuleSetSettings;

    /// The ids of a set of these files, in order, once a file has a rule 9.
    #[track_caller]
    fn check(roots: &[&str], amended: &str, expected: &[u64], is_loaded: bool) {
        let folder = tempfile::tempdir().unwrap();
        let rule = |id: u32| format!("SecRule ARGS x \"id:{id},phase:1,pass\"\n");
        let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
        write("a.conf", rule(1) + "Include b.conf\n");
        write("b.conf", rule(2));
        write("c.conf", rule(3));
        fs::create_dir(folder.path().join("more")).unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let roots: Vec<String> = roots.iter().map(|root| path(root)).collect();
        let roots: Vec<&str> = roots.iter().map(String::as_str).collect();
        let disk = RuleFolder::new("");
        let set = RuleSet::compile(RuleSetSettings::default(), &roots, &disk, None);
        let set = set.rule_set.unwrap();
        let again = set.with_file(&folder.path().join(amended), rule(9).as_bytes());
        assert_eq!(again.is_loaded, is_loaded, "{amended}");
        let set = again.compiled.rule_set.unwrap();
        let ids: Vec<u64> = set.program().rules().map(|rule| rule.id()).collect();
        assert_eq!(ids, expected, "{amended}");
    }

    #[test]
    fn a_file_stands_where_it_is_named_or_before_all_others() {
        check(&["a.conf", "c.conf"], "none.conf", &[9, 1, 2, 3], false);
        check(&["a.conf", "c.conf"], "c.conf", &[1, 2, 9], true);
        check(&["a.conf"], "c.conf", &[9, 1, 2], false);
        // Whoever names it, and however.
        check(&["a.conf"], "b.conf", &[1, 9], true);
        check(&["a.conf"], "./b.conf", &[1, 9], true);
        check(&["a.conf", "more/../c.conf"], "c.conf", &[1, 2, 9], true);
    }
}
