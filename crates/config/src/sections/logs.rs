//! `logs`: what is written, where, in which form.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use palisade_telemetry::{
    AccessFormat, AccessLogSettings, AuditFormat, AuditLogSettings, AuditParts, LogSettings, Sink,
};
use palisade_vocabulary::HiddenNames;

use crate::problem::quoted;
use crate::reader::{
    Choice, Defaulted, FromText, Key, ListOf, LogPath, Optional, Required, Table, TableInfo, Text,
};

pub(super) const LOGS: Table<LogSettings> = Table {
    info: &INFO,
    lower: |fields| {
        let (access, decisions) = (fields.get(&ACCESS), fields.get(&DECISIONS));
        let (audit, shadow) = (fields.get(&AUDIT), fields.get(&SHADOW));
        Some(LogSettings {
            access: access?,
            decisions: decisions?,
            audit: audit?,
            shadow: shadow?,
        })
    },
};

static INFO: TableInfo = TableInfo {
    name: "logs",
    about: "What is written. A log that is not named is not written.",
    keys: &[&ACCESS, &DECISIONS, &AUDIT, &SHADOW],
    later: &[],
};

static ACCESS: Key<Table<AccessLogSettings>, Optional> = Key::new(
    "access",
    ACCESS_TABLE,
    Optional,
    "One line a request; a CrowdSec agent can read it. Without the requests that a decision refused, so that a ban can't renew itself.",
);
static DECISIONS: Key<Table<Sink>, Optional> = Key::new(
    "decisions",
    DECISIONS_TABLE,
    Optional,
    "One JSON object a refused or would-be-refused request: which check, rule or decision, and why.",
);

static AUDIT: Key<Table<AuditLogSettings>, Optional> = Key::new(
    "audit",
    AUDIT_TABLE,
    Optional,
    "What SecLang rules had to say: one line a request that matched a rule which is for a log, with all of these rules. `SecAuditEngine` is not asked.",
);

static SHADOW: Key<Table<Sink>, Optional> = Key::new(
    "shadow",
    SHADOW_TABLE,
    Optional,
    "What `waf.shadow` would change: one JSON object a request of which its rules make something else than those in force, without any value that the client sent, and each minute one that sums up. `palisade waf shadow report` reads it.",
);

const SHADOW_TABLE: Table<Sink> = Table {
    info: &SHADOW_INFO,
    lower: |fields| fields.get(&PATH).map(sink),
};

static SHADOW_INFO: TableInfo = TableInfo {
    name: "logs.shadow",
    about: "The shadow log.",
    keys: &[&PATH],
    later: &[],
};

const AUDIT_TABLE: Table<AuditLogSettings> = Table {
    info: &AUDIT_INFO,
    lower: |fields| {
        let (path, form) = (fields.get(&PATH), fields.get(&AUDIT_FORMAT));
        let (parts, redact) = (fields.get(&PARTS), fields.get(&REDACT));
        let (form, parts) = (form?, parts?);
        if fields.has(&PARTS) && form != AuditForm::ModSecurity {
            let message =
                "`parts` has no effect without `format: modsecurity`; add that or remove this";
            fields.context().error(fields.location_of(&PARTS), message);
        }
        Some(AuditLogSettings {
            sink: sink(path?),
            format: match form {
                AuditForm::Json => AuditFormat::Json,
                AuditForm::ErrorLog => AuditFormat::ErrorLog,
                AuditForm::ModSecurity => AuditFormat::ModSecurity(parts.0),
            },
            hidden: Arc::new(redact?),
        })
    },
};

/// The word for a form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AuditForm {
    Json,
    ErrorLog,
    ModSecurity,
}

static AUDIT_INFO: TableInfo = TableInfo {
    name: "logs.audit",
    about: "The audit log.",
    keys: &[&PATH, &AUDIT_FORMAT, &PARTS, &REDACT],
    later: &[],
};

static AUDIT_FORMAT: Key<Choice<AuditForm>, Defaulted> = Key::new(
    "format",
    Choice {
        words: &[
            ("json", AuditForm::Json),
            ("error_log", AuditForm::ErrorLog),
            ("modsecurity", AuditForm::ModSecurity),
        ],
        later: &[],
    },
    Defaulted("json"),
    "`json`: an object with every rule that matched. `error_log`: a line for each rule, as ModSecurity writes into Apache's error log, for tools that read that. `modsecurity`: the JSON of ModSecurity 3's audit log.",
);
static PARTS: Key<FromText<PartLetters>, Defaulted> = Key::new(
    "parts",
    FromText::new("letters of ModSecurity's parts, like ABFHZ"),
    Defaulted("ABFHZ"),
    "With `format: modsecurity`: what a line has, as `SecAuditLogParts` says it. `B`: the request's fields. `C` or `I`: the first 64 KiB of its body. `F`: the answer's fields. `E`: the first 64 KiB of its body. `H`: the rules that matched. For the others, `A`, `D`, `G`, `J`, `K` and `Z`, ModSecurity 3 has nothing more either. Bodies hold secrets: name them where you need them.",
);
static REDACT: Key<Table<HiddenNames>, Defaulted> = Key::new(
    "redact",
    REDACT_TABLE,
    Defaulted("{}"),
    "Whose values the audit log shows as `*`: in what rules say of them, in the target, in fields and in bodies. What rules sanitise (`sanitiseArg` and its kin) it doesn't show either.",
);

/// Letters of parts.
struct PartLetters(AuditParts);

impl FromStr for PartLetters {
    type Err = String;

    fn from_str(letters: &str) -> Result<Self, String> {
        let parts = AuditParts::parse(letters);
        parts.map(Self).ok_or_else(|| {
            let letters = quoted(letters);
            format!("{letters} has a letter that is no part; expected letters of A to K and Z, like ABFHZ")
        })
    }
}

const REDACT_TABLE: Table<HiddenNames> = Table {
    info: &REDACT_INFO,
    lower: |fields| {
        let (arguments, headers) = (fields.get(&ARGUMENTS), fields.get(&HEADERS));
        let cookies = fields.get(&COOKIES);
        Some(HiddenNames {
            arguments: names(arguments?, &["password", "passwd", "pwd"]),
            headers: names(headers?, &["authorization", "proxy-authorization"]),
            cookies: names(cookies?, &[]),
        })
    },
};

static REDACT_INFO: TableInfo = TableInfo {
    name: "logs.audit.redact",
    about: "Whose values the audit log shows as `*`; letters in either case.",
    keys: &[&ARGUMENTS, &HEADERS, &COOKIES],
    later: &[],
};

const NAMES: ListOf<Text> = ListOf {
    of: Text {
        what: "a name",
        len_max: 128,
    },
    min: 0,
    max: 100,
};

static ARGUMENTS: Key<ListOf<Text>, Optional> = Key::new(
    "arguments",
    NAMES,
    Optional,
    "Arguments of queries, forms, JSON and other bodies: the whole name, or a part of it, so that `password` is `login.password`, `login[password]` and `password[]` too. Absent: `password`, `passwd` and `pwd`.",
);
static HEADERS: Key<ListOf<Text>, Optional> = Key::new(
    "headers",
    NAMES,
    Optional,
    "Fields of requests and answers. Absent: `authorization` and `proxy-authorization`.",
);
static COOKIES: Key<ListOf<Text>, Optional> =
    Key::new("cookies", NAMES, Optional, "Cookies. Absent: none.");

/// The names that are given, or else those that hold where none are.
fn names(given: Option<Vec<String>>, absent: &[&str]) -> Vec<Box<str>> {
    match given {
        Some(given) => given
            .iter()
            .map(|name| name.to_ascii_lowercase().into())
            .collect(),
        None => absent.iter().copied().map(Box::from).collect(),
    }
}

const ACCESS_TABLE: Table<AccessLogSettings> = Table {
    info: &ACCESS_INFO,
    lower: |fields| {
        let (path, format) = (fields.get(&PATH), fields.get(&FORMAT));
        Some(AccessLogSettings {
            sink: sink(path?),
            format: format?,
        })
    },
};

static ACCESS_INFO: TableInfo = TableInfo {
    name: "logs.access",
    about: "The access log.",
    keys: &[&PATH, &FORMAT],
    later: &[],
};

static PATH: Key<LogPath, Required> = Key::new(
    "path",
    LogPath,
    Required,
    "The file, appended to and made with mode 0640; `\"-\"` is standard output.",
);
static FORMAT: Key<Choice<AccessFormat>, Defaulted> = Key::new(
    "format",
    Choice {
        words: &[
            ("combined", AccessFormat::Combined),
            ("json", AccessFormat::Json),
            ("caddy", AccessFormat::Caddy),
        ],
        later: &[],
    },
    Defaulted("combined"),
    "`combined`: as Apache and nginx, with the virtual host in front. `json`: everything that is known. `caddy`: as Caddy.",
);

const DECISIONS_TABLE: Table<Sink> = Table {
    info: &DECISIONS_INFO,
    lower: |fields| fields.get(&PATH).map(sink),
};

static DECISIONS_INFO: TableInfo = TableInfo {
    name: "logs.decisions",
    about: "The decision log.",
    keys: &[&PATH],
    later: &[],
};

fn sink(path: Option<PathBuf>) -> Sink {
    path.map_or(Sink::Stdout, Sink::File)
}
