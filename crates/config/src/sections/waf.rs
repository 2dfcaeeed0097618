//! `waf`: rules in ModSecurity's language, of all sites and of one.

use std::path::PathBuf;

use palisade_proxy::ShadowSettings;
use palisade_vocabulary::{ByteSize, FailurePolicy, Mode};
use palisade_waf::{Paranoia, Thresholds};

use super::MODE_KIND;
use super::waf_shadow::{self, ReadGlobalShadow, ReadShadow};
use crate::Location;
use crate::reader::{
    Choice, Defaulted, Fields, FilePath, Integer, Key, Located, OneOrList, Optional, SizeIn, Table,
    TableInfo, WithLocation,
};

/// What `waf` says, of all sites or of one.
#[derive(Debug)]
pub(super) struct ReadWaf {
    pub(super) mode: Option<Located<Mode>>,
    pub(super) rules: Option<Vec<Located<PathBuf>>>,
    pub(super) before: Vec<Located<PathBuf>>,
    pub(super) after: Vec<Located<PathBuf>>,
    pub(super) paranoia: Option<Paranoia>,
    pub(super) thresholds: Thresholds,
    pub(super) on_failure: Option<FailurePolicy>,
    pub(super) streams_grpc: Option<bool>,
    pub(super) shadow: Option<ReadShadow>,
    pub(super) location: Location,
}

/// What `waf` says of all sites, and what they share.
#[derive(Debug)]
pub(super) struct ReadGlobalWaf {
    pub(super) waf: ReadWaf,
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
pub(super) const LEVEL: Integer<u8> = Integer {
    min: 1,
    max: Paranoia::MAX,
};

static PARANOIA: Key<Integer<u8>, Optional> = Key::new(
    "paranoia",
    LEVEL,
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
    "The most memory that bodies take, all together: those that are held until rules have judged them, and what rules keep of them until their requests are over. A request for which there is none is answered with 503. While a long body is judged, that may take up to 200 MiB more, on one thread for each worker.",
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
