//! Exclusions that hold no more, told where rules are checked.

use std::path::PathBuf;

use palisade_seclang::Program;
use palisade_seclang::RuleFiles as _;
use palisade_waf::exclusion::{ExpiredExclusion, expired};
use palisade_waf::{RuleFolder, system_clock};

use crate::say;

/// Warns of the exclusions in the files of these programs that hold no more; how many there are.
pub(crate) fn tell_expired<'p>(programs: impl Iterator<Item = &'p Program>) -> usize {
    let mut files: Vec<&PathBuf> = programs
        .flat_map(|program| &program.settings().files)
        .collect();
    files.sort_unstable();
    files.dedup();
    let now = system_clock().as_secs();
    let disk = RuleFolder::new("");
    let mut told = 0;
    for file in files {
        let name = file.to_string_lossy();
        // It could be read a moment ago; what is wrong with it now is for the next one who reads it.
        let text = disk.read(&name).unwrap_or_default();
        for ExpiredExclusion { id, place, since } in expired(&name, &text, now) {
            say(&format!(
                "{place}: warning: rule {id}: the exclusion has expired on {since}; remove it"
            ));
            told += 1;
        }
    }
    told
}
