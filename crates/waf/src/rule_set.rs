//! Rules that guard sites: compiled once for all that want the same.

use std::cell::RefCell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use palisade_seclang::syntax::{EngineMode, Problems};
use palisade_seclang::{CompileOptions, Countries, Program, RuleFiles, SourceError, compile};
use palisade_vocabulary::{FailurePolicy, Mode};

use crate::{RuleSetSettings, Shadow};

/// The name of the file that the settings make, in messages and logs.
const PREAMBLE: &str = "(settings of waf)";

/// Rules that guard sites, and what becomes of what they say.
#[derive(Debug)]
pub struct RuleSet {
    settings: RuleSetSettings,
    /// The files that it was compiled of, in order, without those that they include.
    roots: Box<[Box<str>]>,
    program: Arc<Program>,
    countries: Option<Arc<dyn Countries>>,
    fingerprint: Fingerprint,
}

/// Two sets of the same fingerprint do the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Fingerprint(u64);

/// What compiling gave.
#[derive(Debug)]
pub struct CompiledRuleSet {
    /// The rules; `None` where there are errors.
    pub rule_set: Option<RuleSet>,
    /// Errors and warnings.
    pub problems: Problems,
    /// What the files say of `SecRuleEngine`, whether it counts or not.
    pub engine_in_files: EngineMode,
}

impl RuleSet {
    /// Compiles the files that `roots` name, in order.
    #[must_use]
    pub fn compile(
        settings: RuleSetSettings,
        roots: &[&str],
        files: &dyn RuleFiles,
        countries: Option<Arc<dyn Countries>>,
    ) -> CompiledRuleSet {
        let files = Fingerprinted::new(files, settings.preamble());
        let mut all = vec![PREAMBLE];
        all.extend(roots);
        let engine = settings.mode.map(|mode| match mode {
            Mode::Block => EngineMode::On,
            Mode::Detect => EngineMode::DetectionOnly,
            Mode::Off => EngineMode::Off,
        });
        let options = CompileOptions {
            has_countries: countries.is_some(),
            engine,
            ..CompileOptions::default()
        };
        let compiled = compile(&all, &files, options);
        let fingerprint = files.fingerprint(&settings);
        CompiledRuleSet {
            rule_set: compiled.program.map(|program| Self {
                settings,
                roots: roots.iter().map(|root| Box::from(*root)).collect(),
                // Another database would make it another set.
                countries: countries.filter(|_| program.asks_for_countries()),
                program: Arc::new(program),
                fingerprint,
            }),
            problems: compiled.problems,
            engine_in_files: compiled.engine_in_files,
        }
    }

    /// The compiled rules.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// What an operator chose for it.
    pub(crate) fn settings(&self) -> RuleSetSettings {
        self.settings
    }

    /// The files that it was compiled of, in order, without those that they include.
    pub(crate) fn roots(&self) -> impl Iterator<Item = &str> {
        self.roots.iter().map(|root| &**root)
    }

    /// Whom `@geoLookup` asks.
    #[must_use]
    pub fn countries(&self) -> Option<&Arc<dyn Countries>> {
        self.countries.as_ref()
    }

    /// Whether any rule runs.
    #[must_use]
    pub fn is_on(&self) -> bool {
        self.program.settings().engine != EngineMode::Off
    }

    /// Whether rules only record what they would refuse, whatever a rule says of it (`ctl:ruleEngine`).
    #[must_use]
    pub fn only_detects(&self) -> bool {
        self.settings.mode == Some(Mode::Detect)
            || self.program.settings().engine == EngineMode::DetectionOnly
    }

    /// Whether of gRPC calls only the head is looked at.
    #[must_use]
    pub fn streams_grpc(&self) -> bool {
        self.settings.streams_grpc
    }

    /// What becomes of a request that couldn't be judged to the end.
    #[must_use]
    pub fn on_failure(&self) -> FailurePolicy {
        self.settings.on_failure
    }
}

/// The rules that guard each site.
#[derive(Clone, Debug, Default)]
pub struct RuleSets {
    sites: Vec<Option<Arc<RuleSet>>>,
    others: Option<Arc<RuleSet>>,
    /// Of each site; empty where none has one.
    shadows: Vec<Option<Shadow>>,
}

impl RuleSets {
    /// Of each site, in the order of the settings; `others` guard what is for no site. Sets in which no rule
    /// runs guard nothing.
    #[must_use]
    pub fn new(sites: Vec<Option<Arc<RuleSet>>>, others: Option<Arc<RuleSet>>) -> Self {
        let on = |set: Option<Arc<RuleSet>>| set.filter(|set| set.is_on());
        Self {
            sites: sites.into_iter().map(on).collect(),
            others: on(others),
            shadows: Vec::new(),
        }
    }

    /// With sets that judge beside these, of each site. Those in which no rule runs have nothing to say, and
    /// those beside no other nothing to be compared with.
    #[must_use]
    pub fn with_shadows(mut self, shadows: Vec<Option<Shadow>>) -> Self {
        let active = self.sites.iter();
        let beside = shadows.into_iter().zip(active).map(|(shadow, active)| {
            let active = active.as_ref()?;
            shadow.filter(|it| it.rules.is_on() && !Arc::ptr_eq(&it.rules, active))
        });
        self.shadows = beside.collect();
        if self.shadows.iter().all(Option::is_none) {
            self.shadows = Vec::new();
        }
        self
    }

    /// The same with sets of `old` where these are the same: what workers know of their rules stays known.
    #[must_use]
    pub fn keeping(self, old: &Self) -> Self {
        let known: Vec<&Arc<RuleSet>> = old.distinct();
        let keep = |set: Arc<RuleSet>| {
            let same = |one: &&&Arc<RuleSet>| {
                one.fingerprint == set.fingerprint && one.countries.is_none()
            };
            let same = known.iter().find(same);
            same.map_or(set, |one| Arc::clone(one))
        };
        let shadows = self.shadows.into_iter().map(|shadow| {
            shadow.map(|Shadow { rules, sample }| Shadow {
                rules: keep(rules),
                sample,
            })
        });
        Self {
            shadows: shadows.collect(),
            sites: self.sites.into_iter().map(|set| set.map(keep)).collect(),
            others: self.others.map(keep),
        }
    }

    /// What guards the site of that number. Hot path: runs per request, allocates nothing.
    #[must_use]
    pub fn of_site(&self, number: usize) -> Option<&Arc<RuleSet>> {
        self.sites.get(number)?.as_ref()
    }

    /// What judges beside that. Hot path: runs per request, allocates nothing.
    #[must_use]
    pub fn shadow_of_site(&self, number: usize) -> Option<&Shadow> {
        self.shadows.get(number)?.as_ref()
    }

    /// Whether anything judges beside what guards a site.
    #[must_use]
    pub fn have_shadows(&self) -> bool {
        !self.shadows.is_empty()
    }

    /// What looks at requests that are for no site.
    #[must_use]
    pub fn of_no_site(&self) -> Option<&Arc<RuleSet>> {
        self.others.as_ref()
    }

    /// Each of them once.
    #[must_use]
    pub fn distinct(&self) -> Vec<&Arc<RuleSet>> {
        let mut distinct: Vec<&Arc<RuleSet>> = Vec::new();
        let shadows = self.shadows.iter().flatten().map(|shadow| &shadow.rules);
        let active = self.sites.iter().chain([&self.others]).flatten();
        for set in active.chain(shadows) {
            if distinct.iter().all(|known| !Arc::ptr_eq(known, set)) {
                distinct.push(set);
            }
        }
        distinct
    }
}

/// Files of which a fingerprint is taken as they are read, with what the settings make before them.
struct Fingerprinted<'a> {
    files: &'a dyn RuleFiles,
    preamble: String,
    read: RefCell<DefaultHasher>,
}

impl<'a> Fingerprinted<'a> {
    fn new(files: &'a dyn RuleFiles, preamble: String) -> Self {
        Self {
            files,
            preamble,
            read: RefCell::default(),
        }
    }

    fn fingerprint(&self, settings: &RuleSetSettings) -> Fingerprint {
        let mut hasher = self.read.borrow().clone();
        settings.hash(&mut hasher);
        Fingerprint(hasher.finish())
    }

    fn note<T: Hash>(&self, what: T) -> T {
        what.hash(&mut *self.read.borrow_mut());
        what
    }
}

impl RuleFiles for Fingerprinted<'_> {
    fn matching(&self, pattern: &str, from: Option<&str>) -> Result<Vec<String>, SourceError> {
        if pattern == PREAMBLE && from.is_none() {
            return Ok(vec![pattern.to_owned()]);
        }
        self.files
            .matching(pattern, from)
            .map(|names| self.note(names))
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, SourceError> {
        if file == PREAMBLE {
            return Ok(self.preamble.clone().into_bytes());
        }
        self.files.read(file).map(|content| self.note(content))
    }

    fn data(&self, name: &str, from: &str) -> Result<Vec<u8>, SourceError> {
        self.note(name);
        self.files
            .data(name, from)
            .map(|content| self.note(content))
    }
}

#[cfg(test)]
mod tests;
