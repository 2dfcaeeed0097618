//! `logs`: what is written, where, in which form.

use std::path::PathBuf;

use palisade_telemetry::{
    AccessFormat, AccessLogSettings, AuditFormat, AuditLogSettings, LogSettings, Sink,
};

use crate::reader::{Choice, Defaulted, Key, LogPath, Optional, Required, Table, TableInfo};

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
        let (path, format) = (fields.get(&PATH), fields.get(&AUDIT_FORMAT));
        Some(AuditLogSettings {
            sink: sink(path?),
            format: format?,
        })
    },
};

static AUDIT_INFO: TableInfo = TableInfo {
    name: "logs.audit",
    about: "The audit log.",
    keys: &[&PATH, &AUDIT_FORMAT],
    later: &[],
};

static AUDIT_FORMAT: Key<Choice<AuditFormat>, Defaulted> = Key::new(
    "format",
    Choice {
        words: &[
            ("json", AuditFormat::Json),
            ("error_log", AuditFormat::ErrorLog),
        ],
        later: &["modsecurity"],
    },
    Defaulted("json"),
    "`json`: an object with every rule that matched. `error_log`: a line for each rule, as ModSecurity writes into Apache's error log, for tools that read that.",
);

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
