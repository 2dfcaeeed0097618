//! What is known of an exclusion before it is written.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};
use palisade_ftw::Test;
use palisade_waf::exclusion::{AttacksThere, Proposal, Proving, Replayed, SuiteAsItIs};
use palisade_waf::{RuleSet, read_suite};

use crate::complain;

/// Where a suite is, seen from the folder above that of the rules.
const SUITES: [&str; 2] = ["tests/regression/tests", "regression/tests"];

/// What is known of an exclusion.
pub(super) struct Proof {
    /// What becomes of the request itself; `None` where the log has too little of it.
    pub(super) replayed: Option<Replayed>,
    /// What a suite shows; `None` where there is none.
    pub(super) attacks: Option<Attacks>,
}

/// What a suite shows.
pub(super) struct Attacks {
    /// For each rule of the exclusion: attacks where it holds.
    pub(super) there: Vec<AttacksThere>,
    /// The suite's requests as they are.
    pub(super) elsewhere: SuiteAsItIs,
}

/// Why an exclusion isn't written.
pub(super) struct Objection {
    pub(super) message: String,
    /// Whether `--unproven` overrules it.
    pub(super) can_be_overruled: bool,
}

/// The tests of the folder, else of the one beside the rules; `None` where there is none.
pub(super) fn tests(folder: Option<&Path>, rules: &RuleSet) -> Result<Option<Vec<Test>>> {
    let Some(folder) = folder.map(Path::to_owned).or_else(|| beside(rules)) else {
        return Ok(None);
    };
    let tests = match read_suite(&folder) {
        Ok(tests) => tests,
        Err(errors) => {
            for error in &errors {
                complain(&error.to_string());
            }
            bail!("the tests of {} can't be used", folder.display());
        }
    };
    if tests.is_empty() {
        bail!(
            "{} has no tests; expected files *.yaml in go-ftw's form",
            folder.display()
        );
    }
    Ok(Some(tests))
}

fn beside(rules: &RuleSet) -> Option<PathBuf> {
    let files = rules.program().settings().files.iter();
    let mut folders: Vec<&Path> = files.filter_map(|file| file.parent()?.parent()).collect();
    folders.dedup();
    let mut suites = folders
        .into_iter()
        .flat_map(|folder| SUITES.map(|suite| folder.join(suite)));
    suites.find(|suite| suite.is_dir())
}

impl Proof {
    pub(super) fn of(
        proving: &mut Proving,
        replayed: Option<Replayed>,
        proposal: &Proposal,
        tests: Option<&[Test]>,
    ) -> Self {
        Self {
            replayed,
            attacks: tests.map(|tests| Attacks {
                there: proving.attacks(tests, proposal),
                elsewhere: proving.suite(tests),
            }),
        }
    }

    /// What speaks against writing the exclusion; the worst of it.
    pub(super) fn objection(&self, proposal: &Proposal) -> Option<Objection> {
        let rules = &proposal.exclusion.rules;
        let still = self.replayed.as_ref().map(|one| one.still_found(rules));
        if let Some(rule) = still.iter().flatten().next() {
            return Some(Objection {
                message: format!(
                    "rule {rule} finds it with the exclusion too, so that it would be for nothing. The file has to stand \
                     before the rules (`rules_before` of the site, or first of `waf.rules`), and no later rule may undo it"
                ),
                can_be_overruled: false,
            });
        }
        let unproven = |message: &str| {
            Some(Objection {
                message: format!("{message}. With --unproven it is written anyway"),
                can_be_overruled: true,
            })
        };
        let Some(attacks) = &self.attacks else {
            return unproven(
                "what else the exclusion lets through is NOT known, since no tests were found beside the rules: name CRS's with --tests DIR",
            );
        };
        let is_replayed = self
            .replayed
            .as_ref()
            .is_some_and(|one| one.is_reproduced(rules));
        let is_shown = |there: &AttacksThere| there.let_through.len() + there.still_refused > 0;
        match is_replayed || attacks.there.iter().all(is_shown) {
            true => None,
            false => unproven(
                "that the exclusion helps is NOT shown: the request, made again of what the log has, is not what the rules found",
            ),
        }
    }
}
