//! `waf`: rules in ModSecurity's language, of all sites and of one.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_geo::GeoDatabases;
use palisade_proxy::ShadowSettings;
use palisade_seclang::Countries;
use palisade_seclang::syntax::{EngineMode, Place, Problem, Severity};
use palisade_vocabulary::{ByteSize, FailurePolicy, Mode};
use palisade_waf::{
    CompiledRuleSet, CountryDatabase, Paranoia, RuleSet, RuleSetSettings, RuleSets, Shadow, Share,
    Thresholds,
};

use super::MODE_KIND;
use super::rule_files::RuleFilesOf;
use super::sites::ReadSite;
use super::waf_shadow::{self, ReadGlobalShadow, ReadShadow};
use crate::Location;
use crate::reader::{
    Choice, Context, Defaulted, Fields, FilePath, Integer, Key, Located, OneOrList, Optional,
    SizeIn, Table, TableInfo, WithLocation,
};

/// What `waf` says, of all sites or of one.
#[derive(Debug)]
pub(super) struct ReadWaf {
    mode: Option<Located<Mode>>,
    rules: Option<Vec<Located<PathBuf>>>,
    before: Vec<Located<PathBuf>>,
    after: Vec<Located<PathBuf>>,
    paranoia: Option<Paranoia>,
    thresholds: Thresholds,
    on_failure: Option<FailurePolicy>,
    streams_grpc: Option<bool>,
    shadow: Option<ReadShadow>,
    location: Location,
}

/// What `waf` says of all sites, and what they share.
#[derive(Debug)]
pub(super) struct ReadGlobalWaf {
    waf: ReadWaf,
    pub(super) body_memory: ByteSize,
    pub(super) shadow: ShadowSettings,
}

pub(super) const WAF: Table<ReadGlobalWaf> = Table {
    info: &INFO,
    lower: |fields| {
        let (waf, body_memory) = (read(fields, None), fields.get(&BODY_MEMORY));
        let shadow = fields.get(&SHADOW)?;
        let (shadow, settings) = shadow.map(|it| (it.shadow, it.settings)).unzip();
        Some(ReadGlobalWaf {
            waf: ReadWaf { shadow, ..waf? },
            body_memory: body_memory?,
            shadow: settings.unwrap_or_default(),
        })
    },
};

static INFO: TableInfo = TableInfo {
    name: "waf",
    about: "Rules in ModSecurity's language, such as OWASP CRS. What limits bodies is in the rule files (`SecRequestBodyLimit` and others).",
    keys: &[
        &MODE,
        &RULES,
        &PARANOIA,
        &THRESHOLDS,
        &ON_FAILURE,
        &GRPC,
        &BODY_MEMORY,
        &SHADOW,
    ],
    later: &[],
};

pub(super) const SITE_WAF: Table<ReadWaf> = Table {
    info: &SITE_INFO,
    lower: |fields| {
        let around = (fields.get(&BEFORE), fields.get(&AFTER));
        let shadow = fields.get(&SITE_SHADOW);
        let waf = read(fields, Some((around.0?, around.1?)));
        Some(ReadWaf {
            shadow: shadow?,
            ..waf?
        })
    },
};

static SITE_INFO: TableInfo = TableInfo {
    name: "sites.waf",
    about: "What is different here from `waf`: each key that is given takes the place of the one there, and `rules_before` and `rules_after` stand around its files.",
    keys: &[
        &MODE,
        &RULES,
        &BEFORE,
        &AFTER,
        &PARANOIA,
        &THRESHOLDS,
        &ON_FAILURE,
        &GRPC,
        &SITE_SHADOW,
    ],
    later: &[],
};

/// The most files and patterns under one key.
const PATTERNS_MAX: usize = 100;

pub(super) const RULE_FILES: OneOrList<WithLocation<FilePath>> = OneOrList {
    of: WithLocation(FilePath {
        what: "the path of a file with rules, or a pattern like crs/rules/*.conf",
    }),
    max: PATTERNS_MAX,
};

static MODE: Key<WithLocation<Choice<Mode>>, Optional> = Key::new(
    "mode",
    WithLocation(MODE_KIND),
    Optional,
    "`block`: rules refuse. `detect`: they only record what they would refuse. `off`: they don't run. Wins over `SecRuleEngine`; absent: that says it.",
);
static RULES: Key<OneOrList<WithLocation<FilePath>>, Optional> = Key::new(
    "rules",
    RULE_FILES,
    Optional,
    "Files with rules, in order; `*`, `?` and `[...]` may stand in the last part of a path.",
);
static BEFORE: Key<OneOrList<WithLocation<FilePath>>, Optional> = Key::new(
    "rules_before",
    RULE_FILES,
    Optional,
    "Files with rules of this site before all others, such as exclusions by `ctl`.",
);
static AFTER: Key<OneOrList<WithLocation<FilePath>>, Optional> = Key::new(
    "rules_after",
    RULE_FILES,
    Optional,
    "Files with rules of this site behind all others, such as exclusions by `SecRuleRemoveById` and rules of its own.",
);
static PARANOIA: Key<Integer<u8>, Optional> = Key::new(
    "paranoia",
    Integer {
        min: 1,
        max: Paranoia::MAX,
    },
    Optional,
    "How strict OWASP CRS is: 1 has few false positives, 4 many. Set before the rules (`tx.blocking_paranoia_level`): a set-up file of CRS that sets it too wins. Absent: CRS has 1.",
);
static THRESHOLDS: Key<Table<Thresholds>, Defaulted> = Key::new(
    "thresholds",
    THRESHOLDS_TABLE,
    Defaulted("{}"),
    "Scores from which on OWASP CRS refuses; as with `paranoia`, its set-up file wins.",
);
static ON_FAILURE: Key<Choice<FailurePolicy>, Optional> = Key::new(
    "on_failure",
    Choice {
        words: &[
            ("closed", FailurePolicy::Closed),
            ("open", FailurePolicy::Open),
        ],
        later: &[],
    },
    Optional,
    "What becomes of a request that takes rules more than it may (128 MiB looked at, 10 seconds) or that meets a defect of theirs: `closed` refuses it, `open` lets it pass. Both are counted and logged. Absent: `closed`, since a client can provoke it.",
);
static GRPC: Key<Choice<bool>, Optional> = Key::new(
    "grpc",
    Choice {
        words: &[("whole", false), ("stream", true)],
        later: &[],
    },
    Optional,
    "Calls of gRPC (`application/grpc`, to an upstream that speaks HTTP/2) whose body has no declared length. `whole`: as other bodies they are read to their end, or to the limit, before the backend hears of them. `stream`: rules see the head alone, so that both sides can talk at the same time; say that only where backends take nothing but gRPC, since the type is the client's own word. Absent: `whole`.",
);
static BODY_MEMORY: Key<SizeIn, Defaulted> = Key::new(
    "body_memory",
    SizeIn {
        min: ByteSize::mib(1),
        max: ByteSize::mib(1 << 20),
    },
    Defaulted("256MiB"),
    "The most memory that bodies take, all together, that are held until rules have judged them; a request for which there is none is answered with 503.",
);
static SHADOW: Key<Table<ReadGlobalShadow>, Optional> = Key::new(
    "shadow",
    waf_shadow::SHADOW,
    Optional,
    "A second set of rules that judges some requests and refuses none. Absent: there is none.",
);
static SITE_SHADOW: Key<Table<ReadShadow>, Optional> = Key::new(
    "shadow",
    waf_shadow::SITE_SHADOW,
    Optional,
    "What is different here from `waf.shadow`.",
);

pub(super) const THRESHOLDS_TABLE: Table<Thresholds> = Table {
    info: &THRESHOLDS_INFO,
    lower: |fields| {
        let (inbound, outbound) = (fields.get(&INBOUND), fields.get(&OUTBOUND));
        Some(Thresholds {
            inbound: inbound?,
            outbound: outbound?,
        })
    },
};

static THRESHOLDS_INFO: TableInfo = TableInfo {
    name: "waf.thresholds",
    about: "Scores from which on OWASP CRS refuses.",
    keys: &[&INBOUND, &OUTBOUND],
    later: &[],
};

const SCORE: Integer<u32> = Integer {
    min: 1,
    max: 1_000_000,
};

static INBOUND: Key<Integer<u32>, Optional> = Key::new(
    "inbound",
    SCORE,
    Optional,
    "Of requests. Absent: CRS has 5.",
);
static OUTBOUND: Key<Integer<u32>, Optional> = Key::new(
    "outbound",
    SCORE,
    Optional,
    "Of answers. Absent: CRS has 4.",
);

type Patterns = Option<Vec<Located<PathBuf>>>;

fn read(fields: &Fields<'_>, around: Option<(Patterns, Patterns)>) -> Option<ReadWaf> {
    let (mode, rules) = (fields.get(&MODE), fields.get(&RULES));
    let (paranoia, thresholds) = (fields.get(&PARANOIA), fields.get(&THRESHOLDS));
    let (on_failure, streams_grpc) = (fields.get(&ON_FAILURE), fields.get(&GRPC));
    let (before, after) = around.unwrap_or_default();
    Some(ReadWaf {
        mode: mode?,
        rules: rules?,
        before: before.unwrap_or_default(),
        after: after.unwrap_or_default(),
        paranoia: paranoia?.and_then(Paranoia::new),
        thresholds: thresholds?,
        on_failure: on_failure?,
        streams_grpc: streams_grpc?,
        shadow: None,
        location: fields.location().clone(),
    })
}

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

impl<'a> Wanted<'a> {
    /// `None` where no rules are wanted.
    fn of(
        role: Role,
        global: Option<&'a ReadWaf>,
        site: Option<&'a ReadSite>,
        context: &Context<'_>,
    ) -> Option<Self> {
        let own = site.and_then(|site| site.waf.as_ref());
        // What one says of itself comes first.
        let said: Vec<&ReadWaf> = own.into_iter().chain(global).collect();
        let last = said.first()?;
        let shadow = nearest_shadow(&said);
        let is_promoted = shadow.is_some() && is_promoted(&said);
        if role == Role::Shadow && (shadow.is_none() || is_promoted) {
            return None;
        }
        // What a shadow says of itself comes before what is said beside it.
        let speaks = |waf: &&'a ReadWaf| match role == Role::Shadow || is_promoted {
            true => waf.shadow.as_ref(),
            false => None,
        };
        let mode = said.iter().find_map(|waf| waf.mode.as_ref());
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
        let rules = said.iter().find_map(|waf| {
            let shadow = speaks(waf).and_then(|shadow| shadow.rules.as_ref());
            shadow.or(waf.rules.as_ref())
        });
        let before = own.map_or(&[][..], |own| &own.before);
        let after = own.map_or(&[][..], |own| &own.after);
        let rules = before.iter().chain(rules.into_iter().flatten());
        let files: Vec<_> = rules.chain(after).collect();
        if files.is_empty() {
            if role == Role::Guard {
                let message = "`waf` without `rules`; name the files, or say `mode: off`";
                context.error(&last.location, message);
            }
            return None;
        }
        let threshold = |of: fn(&Thresholds) -> Option<u32>| {
            said.iter().find_map(|waf| {
                let shadow = speaks(waf).and_then(|shadow| of(&shadow.thresholds));
                shadow.or(of(&waf.thresholds))
            })
        };
        let paranoia = said.iter().find_map(|waf| {
            let shadow = speaks(waf).and_then(|shadow| shadow.paranoia);
            shadow.or(waf.paranoia)
        });
        let on_failure = said.iter().find_map(|waf| waf.on_failure);
        let settings = RuleSetSettings {
            mode,
            paranoia,
            thresholds: Thresholds {
                inbound: threshold(|of| of.inbound),
                outbound: threshold(|of| of.outbound),
            },
            on_failure: on_failure.unwrap_or(FailurePolicy::Closed),
            streams_grpc: said
                .iter()
                .find_map(|waf| waf.streams_grpc)
                .unwrap_or(false),
        };
        let mode_at = match (role, shadow) {
            (Role::Shadow, Some(shadow)) => &shadow.location,
            _ => mode_at,
        };
        Some(Self {
            role,
            settings,
            mode_at,
            files,
        })
    }
}

/// The shadow of the one that says something of it, who is named first.
fn nearest_shadow<'a>(said: &[&'a ReadWaf]) -> Option<&'a ReadShadow> {
    said.iter().find_map(|waf| waf.shadow.as_ref())
}

fn is_promoted(said: &[&ReadWaf]) -> bool {
    let promoted = said.iter().find_map(|waf| waf.shadow.as_ref()?.promoted);
    promoted.unwrap_or(false)
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
    let said = site.waf.iter().chain(global);
    let mut samples = said.filter_map(|waf| waf.shadow.as_ref()?.sample);
    samples.next().unwrap_or(waf_shadow::SAMPLE_DEFAULT)
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
        if rule_set.is_some() {
            self.compare_modes(wanted, engine_in_files);
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
