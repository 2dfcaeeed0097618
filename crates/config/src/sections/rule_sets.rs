//! The sets of rules that `waf` makes: what guards each site, and what judges beside that, the same compiled
//! once.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_geo::GeoDatabases;
use palisade_seclang::Countries;
use palisade_seclang::syntax::{EngineMode, Phase, Place, Problem, Severity};
use palisade_vocabulary::{FailurePolicy, Mode};
use palisade_waf::{
    CompiledRuleSet, CountryDatabase, RuleSet, RuleSetSettings, RuleSets, Shadow, Share, Thresholds,
};

use super::rule_files::RuleFilesOf;
use super::sites::ReadSite;
use super::waf::{ReadGlobalWaf, ReadWaf};
use super::waf_shadow::{self, ReadShadow};
use crate::Location;
use crate::reader::{Context, Located};

/// Which of the sets of a site.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// The one in force.
    Guard,
    /// The one that judges beside it.
    Shadow,
}

/// What guards one site, or what is for none; or what judges beside it.
struct Wanted<'a> {
    role: Role,
    settings: RuleSetSettings,
    /// Where it is said whether rules refuse; else where `waf` is.
    mode_at: &'a Location,
    files: Vec<&'a Located<PathBuf>>,
}

/// What is said of one site, or of what is for none: of itself first, then of all.
struct Said<'a> {
    levels: Vec<&'a ReadWaf>,
    /// Whether what a shadow says of itself comes before what is said beside it.
    heeds_shadow: bool,
}

impl<'a> Said<'a> {
    fn of(global: Option<&'a ReadWaf>, site: Option<&'a ReadSite>) -> Self {
        let own = site.and_then(|site| site.waf.as_ref());
        Self {
            levels: own.into_iter().chain(global).collect(),
            heeds_shadow: false,
        }
    }

    fn first<T>(&self, of: impl Fn(&'a ReadWaf) -> Option<T>) -> Option<T> {
        self.levels.iter().find_map(|waf| of(waf))
    }

    fn first_of_shadow<T>(&self, of: impl Fn(&'a ReadShadow) -> Option<T>) -> Option<T> {
        self.first(|waf| waf.shadow.as_ref().and_then(&of))
    }

    /// What both can say.
    fn first_of_either<T>(
        &self,
        of_shadow: impl Fn(&'a ReadShadow) -> Option<T>,
        of: impl Fn(&'a ReadWaf) -> Option<T>,
    ) -> Option<T> {
        self.first(|waf| {
            let shadow = waf.shadow.as_ref().filter(|_| self.heeds_shadow);
            shadow.and_then(&of_shadow).or_else(|| of(waf))
        })
    }

    fn thresholds(&self) -> Thresholds {
        let threshold = |of: fn(&Thresholds) -> Option<u32>| {
            self.first_of_either(|shadow| of(&shadow.thresholds), |waf| of(&waf.thresholds))
        };
        Thresholds {
            inbound: threshold(|of| of.inbound),
            outbound: threshold(|of| of.outbound),
        }
    }

    fn settings(&self, mode: Option<Mode>) -> RuleSetSettings {
        let paranoia = self.first_of_either(|shadow| shadow.paranoia, |waf| waf.paranoia);
        let on_failure = self.first(|waf| waf.on_failure);
        RuleSetSettings {
            mode,
            paranoia,
            thresholds: self.thresholds(),
            on_failure: on_failure.unwrap_or(FailurePolicy::Closed),
            streams_grpc: self.first(|waf| waf.streams_grpc).unwrap_or(false),
        }
    }

    /// The files, in order; those of the site stand around the others.
    fn files(&self, site: Option<&'a ReadSite>) -> Vec<&'a Located<PathBuf>> {
        let own = site.and_then(|site| site.waf.as_ref());
        let before = own.map_or(&[][..], |own| &own.before);
        let after = own.map_or(&[][..], |own| &own.after);
        let rules = self.first_of_either(|shadow| shadow.rules.as_ref(), |waf| waf.rules.as_ref());
        let rules = before.iter().chain(rules.into_iter().flatten());
        rules.chain(after).collect()
    }
}

impl<'a> Wanted<'a> {
    /// `None` where no rules are wanted.
    fn of(
        role: Role,
        global: Option<&'a ReadWaf>,
        site: Option<&'a ReadSite>,
        context: &Context<'_>,
    ) -> Option<Self> {
        let mut said = Said::of(global, site);
        let last = *said.levels.first()?;
        let shadow = said.first_of_shadow(Some);
        let is_promoted = said.first_of_shadow(|shadow| shadow.promoted) == Some(true);
        if role == Role::Shadow && (shadow.is_none() || is_promoted) {
            return None;
        }
        said.heeds_shadow = role == Role::Shadow || is_promoted;
        let mode = said.first(|waf| waf.mode.as_ref());
        let mode_at = mode.map_or(&last.location, |mode| &mode.location);
        let mode = mode.map(|mode| mode.value);
        let mode = match site.map(|site| site.settings.mode) {
            Some(Mode::Off) => Some(Mode::Off),
            Some(Mode::Detect) if mode != Some(Mode::Off) => Some(Mode::Detect),
            _ => mode,
        };
        if mode == Some(Mode::Off) {
            return None;
        }
        let files = said.files(site);
        if files.is_empty() {
            if role == Role::Guard {
                let message = "`waf` without `rules`; name the files, or say `mode: off`";
                context.error(&last.location, message);
            }
            return None;
        }
        let shadow_at = shadow.map(|shadow| &shadow.location);
        Some(Self {
            role,
            settings: said.settings(mode),
            mode_at: match role {
                Role::Guard => mode_at,
                Role::Shadow => shadow_at.unwrap_or(mode_at),
            },
            files,
        })
    }
}

/// Compiles what guards each site, the same once for all.
pub(super) fn rule_sets(
    global: Option<&ReadGlobalWaf>,
    sites: &[ReadSite],
    geo: Option<&GeoDatabases>,
    context: &Context<'_>,
) -> RuleSets {
    let global = global.map(|global| &global.waf);
    let mut compiling = Compiling {
        context,
        countries: countries(geo),
        known: HashMap::new(),
    };
    let mut compile = |role, site| compiling.rule_set(Wanted::of(role, global, site, context)?);
    let of_sites = sites.iter().map(|site| compile(Role::Guard, Some(site)));
    let of_sites = of_sites.collect();
    let others = compile(Role::Guard, None);
    let shadows = sites.iter().map(|site| {
        Some(Shadow {
            rules: compile(Role::Shadow, Some(site))?,
            sample: sample(global, site),
        })
    });
    let shadows: Vec<_> = shadows.collect();
    let sets = RuleSets::new(of_sites, others);
    tell_of_same(global, sites, &sets, &shadows, context);
    sets.with_shadows(shadows)
}

/// How many of a site's requests its shadow judges.
fn sample(global: Option<&ReadWaf>, site: &ReadSite) -> Share {
    let sample = Said::of(global, Some(site)).first_of_shadow(|shadow| shadow.sample);
    sample.unwrap_or(waf_shadow::SAMPLE_DEFAULT)
}

/// Warns of shadows that say nothing else than the sets in force: each where it stands.
fn tell_of_same(
    global: Option<&ReadWaf>,
    sites: &[ReadSite],
    sets: &RuleSets,
    shadows: &[Option<Shadow>],
    context: &Context<'_>,
) {
    let mut differs = false;
    let mut same: Vec<&Location> = Vec::new();
    for (number, (site, shadow)) in sites.iter().zip(shadows).enumerate() {
        let (Some(active), Some(shadow)) = (sets.of_site(number), shadow) else {
            continue;
        };
        let own = site.waf.as_ref().and_then(|own| own.shadow.as_ref());
        match own {
            Some(own) if Arc::ptr_eq(active, &shadow.rules) => same.push(&own.location),
            None if Arc::ptr_eq(active, &shadow.rules) => {}
            _ => differs = true,
        }
    }
    let global = global.and_then(|global| global.shadow.as_ref());
    let for_all = global.filter(|global| !differs && global.promoted != Some(true));
    let for_all = for_all.filter(|_| shadows.iter().any(Option::is_some));
    same.extend(for_all.map(|global| &global.location));
    for location in same {
        let message = "these rules are those in force, so that there is nothing to compare; name other `rules`, `paranoia` or `thresholds`";
        context.warning(location, message);
    }
}

fn countries(geo: Option<&GeoDatabases>) -> Option<Arc<dyn Countries>> {
    let database = geo?.country.clone()?;
    Some(Arc::new(CountryDatabase::from(database)))
}

struct Compiling<'a> {
    context: &'a Context<'a>,
    countries: Option<Arc<dyn Countries>>,
    known: HashMap<(RuleSetSettings, Vec<String>), Option<Arc<RuleSet>>>,
}

impl Compiling<'_> {
    fn rule_set(&mut self, wanted: Wanted<'_>) -> Option<Arc<RuleSet>> {
        let mut files = Vec::new();
        for pattern in &wanted.files {
            files.extend(self.matching(pattern)?);
        }
        let key = (wanted.settings, files);
        if let Some(known) = self.known.get(&key) {
            return known.clone();
        }
        let rule_set = self.compile(&wanted, &key.1).map(Arc::new);
        self.known.insert(key, rule_set.clone());
        rule_set
    }

    fn matching(&self, pattern: &Located<PathBuf>) -> Option<Vec<String>> {
        let Located { value, location } = pattern;
        let found = self.context.try_matching_files(value);
        let paths = self.context.accept(found, location)?;
        if paths.is_empty() {
            let message = format!("no file matches {}", value.display());
            self.context.error(location, message);
            return None;
        }
        let names = paths.into_iter().map(|path| {
            let name = path.into_os_string().into_string();
            name.map_err(|path| format!("{} is not UTF-8", path.display()))
        });
        let names: Result<_, String> = names.collect();
        self.context.accept(names, location)
    }

    fn compile(&self, wanted: &Wanted<'_>, files: &[String]) -> Option<RuleSet> {
        let roots: Vec<&str> = files.iter().map(String::as_str).collect();
        let disk = RuleFilesOf(self.context);
        let CompiledRuleSet {
            rule_set,
            problems,
            engine_in_files,
        } = RuleSet::compile(wanted.settings, &roots, &disk, self.countries.clone());
        for problem in problems.kept() {
            self.report(problem);
        }
        let told = problems.kept().len();
        let (errors, warnings) = problems.counts();
        if errors + warnings > told {
            let message = format!("{} more problems with rules", errors + warnings - told);
            match errors {
                0 => self.context.warning(wanted.mode_at, message),
                _ => self.context.error(wanted.mode_at, message),
            }
        }
        if let Some(rule_set) = &rule_set {
            self.compare_modes(wanted, engine_in_files);
            self.tell_of_bodies(wanted, rule_set);
        }
        rule_set
    }

    fn report(&self, problem: &Problem) {
        let location = location(&problem.place);
        let rule = problem.rule.map(|id| format!("rule {id}: "));
        let message = format!("{}{}", rule.unwrap_or_default(), problem.message);
        match problem.severity {
            Severity::Error => self.context.error(&location, message),
            Severity::Warning => self.context.warning(&location, message),
        }
    }

    /// Warns of rules for bodies that no rule file has rules look at, which they don't unless told: that of
    /// CRS leaves it to the settings of its server.
    fn tell_of_bodies(&self, wanted: &Wanted<'_>, rule_set: &RuleSet) {
        let program = rule_set.program();
        let settings = program.settings();
        let phases = [
            (
                Phase::RequestBody,
                settings.request_body,
                "SecRequestBodyAccess",
                "requests",
            ),
            (
                Phase::ResponseBody,
                settings.response_body,
                "SecResponseBodyAccess",
                "answers",
            ),
        ];
        for (phase, access, directive, of) in phases {
            let is_for_bodies = program.rules().any(|rule| rule.phase() == phase);
            let first = wanted.files.first();
            if let Some(first) = first.filter(|_| is_for_bodies && !access.is_said) {
                let message = format!(
                    "no rule file has `{directive} On`, so that rules see no bodies of {of}; say On or Off in a file \
                     before the others, such as the shipped recommended.conf"
                );
                self.context.warning(&first.location, message);
            }
        }
    }

    fn compare_modes(&self, wanted: &Wanted<'_>, engine_in_files: EngineMode) {
        if wanted.role == Role::Shadow && wanted.settings.mode.is_some() {
            // That is told of the set in force.
            return;
        }
        let word = match engine_in_files {
            EngineMode::On => "On",
            EngineMode::Off => "Off",
            EngineMode::DetectionOnly => "DetectionOnly",
        };
        let message = match (wanted.settings.mode, engine_in_files) {
            (None, EngineMode::Off) => {
                "no rule runs: SecRuleEngine is Off, as it is where no file says otherwise; say `mode: block` or `mode: detect`".to_owned()
            }
            (Some(Mode::Detect), EngineMode::On) | (Some(Mode::Block), EngineMode::DetectionOnly) => {
                format!("this wins over the rule files, which say SecRuleEngine {word}")
            }
            _ => return,
        };
        self.context.warning(wanted.mode_at, message);
    }
}

fn location(place: &Place) -> Location {
    Location::new(Path::new(&*place.file).into(), place.line, place.column)
}
