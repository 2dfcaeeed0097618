//! `waf.shadow`: rules that judge beside those in force, of all sites and of one.

use std::path::PathBuf;

use palisade_proxy::ShadowSettings;
use palisade_vocabulary::ByteSize;
use palisade_waf::{Paranoia, Share, Thresholds};

use super::waf::{LEVEL, RULE_FILES, THRESHOLDS_TABLE};
use crate::Location;
use crate::reader::{
    Defaulted, Fields, FilePath, Flag, Integer, Key, Located, OneOrList, Optional, Percent, SizeIn,
    Table, TableInfo, WithLocation,
};

/// What `waf.shadow` says, of all sites or of one.
#[derive(Debug)]
pub(super) struct ReadShadow {
    pub(super) rules: Option<Vec<Located<PathBuf>>>,
    pub(super) paranoia: Option<Paranoia>,
    pub(super) thresholds: Thresholds,
    pub(super) sample: Option<Share>,
    pub(super) promoted: Option<bool>,
    pub(super) location: Location,
}

/// What `waf.shadow` says of all sites, and what they share.
#[derive(Debug)]
pub(super) struct ReadGlobalShadow {
    pub(super) shadow: ReadShadow,
    pub(super) settings: ShadowSettings,
}

/// What of its requests a site's shadow judges where nothing is said of it: 10 %.
pub(super) const SAMPLE_DEFAULT: Share = match Share::from_millionths(100_000) {
    Some(share) => share,
    None => Share::NONE,
};

pub(super) const SHADOW: Table<ReadGlobalShadow> = Table {
    info: &INFO,
    lower: |fields| {
        let shadow = read(fields);
        let (budget, memory) = (fields.get(&BUDGET), fields.get(&MEMORY));
        Some(ReadGlobalShadow {
            shadow: shadow?,
            settings: ShadowSettings {
                budget: budget?,
                memory_max: memory?,
            },
        })
    },
};

static INFO: TableInfo = TableInfo {
    name: "waf.shadow",
    about: "A second set of rules, such as another version of OWASP CRS or another paranoia level, that judges some requests once they are over and refuses none. What it would change is in `logs.shadow`; `palisade waf shadow report` sums it up. Where a key isn't given, what `waf` says of it holds here too.",
    keys: &[
        &RULES,
        &PARANOIA,
        &THRESHOLDS,
        &SAMPLE,
        &PROMOTED,
        &BUDGET,
        &MEMORY,
    ],
    later: &[],
};

pub(super) const SITE_SHADOW: Table<ReadShadow> = Table {
    info: &SITE_INFO,
    lower: read,
};

static SITE_INFO: TableInfo = TableInfo {
    name: "sites.waf.shadow",
    about: "What is different here from `waf.shadow`. What the site's own `waf` says of rules, paranoia and thresholds wins over `waf.shadow`, as it does over `waf`.",
    keys: &[&RULES, &PARANOIA, &THRESHOLDS, &SAMPLE, &PROMOTED],
    later: &[],
};

static RULES: Key<OneOrList<WithLocation<FilePath>>, Optional> = Key::new(
    "rules",
    RULE_FILES,
    Optional,
    "Files with rules, in order, as in `waf.rules`. Absent: those of the set in force.",
);
static PARANOIA: Key<Integer<u8>, Optional> = Key::new(
    "paranoia",
    LEVEL,
    Optional,
    "As `waf.paranoia`. Absent: that of the set in force.",
);
static THRESHOLDS: Key<Table<Thresholds>, Defaulted> = Key::new(
    "thresholds",
    THRESHOLDS_TABLE,
    Defaulted("{}"),
    "As `waf.thresholds`. Absent: those of the set in force.",
);
static SAMPLE: Key<Percent, Optional> = Key::new(
    "sample",
    Percent {
        min: Share::NONE,
        max: Share::ALL,
    },
    Optional,
    "How many of the requests that rules look at are judged here too. Which ones no client can choose. `0%`: none. Absent: 10%.",
);
static PROMOTED: Key<Flag, Optional> = Key::new(
    "promoted",
    Flag,
    Optional,
    "`true`: this set is the one in force, and the other doesn't run any more. Absent: false.",
);
static BUDGET: Key<Percent, Defaulted> = Key::new(
    "budget",
    Percent {
        min: match Share::from_millionths(1_000) {
            Some(share) => share,
            None => Share::ALL,
        },
        max: Share::ALL,
    },
    Defaulted("5%"),
    "How much of one processor's time judging may take, of all sites together; what would take more is skipped and counted. It is done on a thread of its own that gives way to those that serve clients.",
);
static MEMORY: Key<SizeIn, Defaulted> = Key::new(
    "memory",
    SizeIn {
        min: ByteSize::mib(1),
        max: ByteSize::mib(1 << 20),
    },
    Defaulted("64MiB"),
    "The most memory that requests and answers take that are held for it; it is none of `waf.body_memory`. What doesn't fit is skipped and counted.",
);

fn read(fields: &Fields<'_>) -> Option<ReadShadow> {
    let (rules, paranoia) = (fields.get(&RULES), fields.get(&PARANOIA));
    let (thresholds, sample) = (fields.get(&THRESHOLDS), fields.get(&SAMPLE));
    let promoted = fields.get(&PROMOTED);
    Some(ReadShadow {
        rules: rules?,
        paranoia: paranoia?.and_then(Paranoia::new),
        thresholds: thresholds?,
        sample: sample?,
        promoted: promoted?,
        location: fields.location().clone(),
    })
}
