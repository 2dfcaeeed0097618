//! `crowdsec`: the decision stream, and what is done with its decisions.

use std::time::Duration;

use palisade_crowdsec::{
    AnswerBytesMax, CertificateAuthorities, ClientIdentity, Credentials, FilterTerm, Filters,
    LapiUrl, PollTimeout, ResyncInterval, Secret, Settings, UpdateInterval, UsageInterval,
};
use palisade_gate::settings::{DecisionsPolicy, FallbackRemediation};
use palisade_vocabulary::{FailurePolicy, Mode};
use palisade_yaml::Node;

use super::credentials::{
    CA_PATH, CLIENT_CERTIFICATE, CLIENT_PRIVATE_KEY, PEM_BYTES_MAX, read_private,
};
use crate::reader::{
    Choice, Context, Defaulted, DurationIn, Either, Fields, FilePath, FromText, Key, Kind, Later,
    OneOrList, Optional, Required, Shape, SizeIn, Table, TableInfo,
};

/// The longest file with a key.
const KEY_BYTES_MAX: u64 = 4096;

/// The most terms of one filter.
const FILTER_TERMS_MAX: usize = 100;

pub(super) const CROWDSEC: Table<ReadCrowdSec> = Table { info: &INFO, lower };

/// How decisions are got, and what is done with them.
#[derive(Debug)]
pub(super) struct ReadCrowdSec {
    pub(super) stream: Settings,
    pub(super) policy: DecisionsPolicy,
}

static INFO: TableInfo = TableInfo {
    name: "crowdsec",
    about: "Decisions of a CrowdSec LAPI. Absent: none are asked for; local decisions work without it.",
    keys: &[
        &LAPI_URL,
        &API_KEY,
        &API_KEY_FILE,
        &CLIENT_CERTIFICATE,
        &CLIENT_PRIVATE_KEY,
        &CA,
        &UPDATE_INTERVAL,
        &REQUEST_TIMEOUT,
        &STARTUP_TIMEOUT,
        &RESYNC_INTERVAL,
        &ANSWER_BYTES,
        &FILTERS,
        &MODE,
        &FALLBACK,
        &ON_FAILURE,
        &USAGE_METRICS,
    ],
    later: &[
        Later {
            key: "appsec",
            what: "CrowdSec AppSec",
        },
        Later {
            key: "appsec_url",
            what: "CrowdSec AppSec",
        },
    ],
};

static LAPI_URL: Key<FromText<LapiUrl>, Required> = Key::new(
    "lapi_url",
    FromText::new("a URL like http://127.0.0.1:8080/"),
    Required,
    "Where LAPI is.",
);
static API_KEY: Key<SecretText, Optional> = Key::new(
    "api_key",
    SecretText,
    Optional,
    "The key that `cscli bouncers add palisade` prints; better in a variable (`${CROWDSEC_API_KEY}`) or a file. Exactly one of `api_key`, `api_key_file`, and `certificate` with `private_key`.",
);
static API_KEY_FILE: Key<FilePath, Optional> = Key::new(
    "api_key_file",
    FilePath {
        what: "the path of a file with the key",
    },
    Optional,
    "A file that holds the key and nothing else.",
);
static CA: Key<FilePath, Optional> = Key::new(
    "ca",
    CA_PATH,
    Optional,
    "The only authorities that may vouch for LAPI's certificate (PEM). Absent: the system's.",
);
static UPDATE_INTERVAL: Key<DurationIn, Defaulted> = Key::new(
    "update_interval",
    within(UpdateInterval::MIN, UpdateInterval::MAX),
    Defaulted("10s"),
    "How often LAPI is asked for what changed.",
);
static REQUEST_TIMEOUT: Key<DurationIn, Defaulted> = Key::new(
    "request_timeout",
    within(PollTimeout::MIN, PollTimeout::MAX),
    Defaulted("10s"),
    "How long an answer with what changed may take.",
);
static STARTUP_TIMEOUT: Key<DurationIn, Defaulted> = Key::new(
    "startup_timeout",
    within(PollTimeout::MIN, PollTimeout::MAX),
    Defaulted("2m"),
    "How long an answer with everything may take; a LAPI with many decisions needs long.",
);
static RESYNC_INTERVAL: Key<DurationIn, Defaulted> = Key::new(
    "resync_interval",
    within(ResyncInterval::MIN, ResyncInterval::MAX),
    Defaulted("1h"),
    "How often everything is asked for again; each time moved by up to a tenth either way.",
);
static ANSWER_BYTES: Key<SizeIn, Defaulted> = Key::new(
    "answer_bytes",
    SizeIn {
        min: AnswerBytesMax::MIN,
        max: AnswerBytesMax::MAX,
    },
    Defaulted("512MiB"),
    "The longest answer that is read. Answers are parsed as they come: this is not a buffer.",
);
static FILTERS: Key<Table<Filters>, Defaulted> = Key::new(
    "filters",
    FILTERS_TABLE,
    Defaulted("{}"),
    "Which decisions LAPI is asked for.",
);
static MODE: Key<Choice<Mode>, Defaulted> = Key::new(
    "mode",
    Choice {
        words: &[("block", Mode::Block), ("detect", Mode::Detect)],
        later: &[],
    },
    Defaulted("block"),
    "`detect`: decisions of LAPI only record whom they would have refused. Local decisions refuse.",
);
static FALLBACK: Key<Choice<FallbackRemediation>, Defaulted> = Key::new(
    "fallback_remediation",
    Choice {
        words: &[
            ("ban", FallbackRemediation::Ban),
            ("pass", FallbackRemediation::Pass),
        ],
        later: &["captcha"],
    },
    Defaulted("ban"),
    "What a remedy does that this version can't give, such as `captcha`: refuse, or pass.",
);
static ON_FAILURE: Key<Table<(FailurePolicy, Duration)>, Defaulted> = Key::new(
    "on_failure",
    FAILURE_TABLE,
    Defaulted("{}"),
    "What happens when LAPI can't be asked. What is known is used in any case, each decision until it expires.",
);

type OffOrTable = Either<Choice<Option<UsageInterval>>, Table<Option<UsageInterval>>>;

static USAGE_METRICS: Key<OffOrTable, Defaulted> = Key::new(
    "usage_metrics",
    Either {
        plain: Choice {
            words: &[("off", None)],
            later: &[],
        },
        table: USAGE_TABLE,
    },
    Defaulted("{}"),
    "Tells LAPI how many requests came, how many were refused by whose decision, and how many decisions hold; `cscli metrics` shows it. A LAPI before 1.6.3 takes no such report, which is no error.",
);

const fn within(min: Duration, max: Duration) -> DurationIn {
    DurationIn { min, max }
}

fn lower(fields: &Fields<'_>) -> Option<ReadCrowdSec> {
    let (lapi_url, credentials, ca) = (
        fields.get(&LAPI_URL),
        read_credentials(fields),
        read_ca(fields),
    );
    let (update, request) = (fields.get(&UPDATE_INTERVAL), fields.get(&REQUEST_TIMEOUT));
    let (startup, resync) = (fields.get(&STARTUP_TIMEOUT), fields.get(&RESYNC_INTERVAL));
    let (answer_bytes, filters) = (fields.get(&ANSWER_BYTES), fields.get(&FILTERS));
    let usage = fields.get(&USAGE_METRICS);
    let (mode, fallback, on_failure) = (
        fields.get(&MODE),
        fields.get(&FALLBACK),
        fields.get(&ON_FAILURE),
    );

    let mut stream = fields.accept(Settings::new(lapi_url?, credentials?), &LAPI_URL)?;
    stream.certificate_authorities = ca?;
    stream.update_interval = fields.accept(UpdateInterval::new(update?), &UPDATE_INTERVAL)?;
    stream.request_timeout = fields.accept(PollTimeout::new(request?), &REQUEST_TIMEOUT)?;
    stream.startup_timeout = fields.accept(PollTimeout::new(startup?), &STARTUP_TIMEOUT)?;
    stream.resync_interval = fields.accept(ResyncInterval::new(resync?), &RESYNC_INTERVAL)?;
    stream.answer_bytes_max = fields.accept(AnswerBytesMax::new(answer_bytes?), &ANSWER_BYTES)?;
    stream.filters = filters?;
    stream.usage_interval = usage?;
    let (on_failure, stale_after) = on_failure?;
    let policy = DecisionsPolicy {
        mode: mode?,
        fallback_remediation: fallback?,
        on_failure,
        stale_after,
    };
    Some(ReadCrowdSec { stream, policy })
}

/// A key that is never shown, in messages neither.
struct SecretText;

impl Kind for SecretText {
    type Value = Secret;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<Secret> {
        let text = context.text(node, &self.shape())?;
        if context.is_world_readable(node) {
            let message = "every user of this machine can read this file, and so the key; use ${NAME} or `api_key_file`, or run chmod o-r on it";
            context.warning(&node.location, message);
        }
        context.accept(Secret::new(&text), &node.location)
    }

    fn shape(&self) -> Shape {
        Shape::Text("a key")
    }
}

fn read_credentials(fields: &Fields<'_>) -> Option<Credentials> {
    let (key, key_file) = (fields.get(&API_KEY), fields.get(&API_KEY_FILE));
    let (certificate, private_key) = (
        fields.get(&CLIENT_CERTIFICATE),
        fields.get(&CLIENT_PRIVATE_KEY),
    );
    let context = fields.context();
    match (key?, key_file?, certificate?, private_key?) {
        (Some(key), None, None, None) => Some(Credentials::ApiKey(key)),
        (None, Some(path), None, None) => {
            let bytes = read_private(
                &path,
                KEY_BYTES_MAX,
                fields.location_of(&API_KEY_FILE),
                context,
            )?;
            let made = Secret::new(&String::from_utf8_lossy(&bytes));
            let made = made.map_err(|error| format!("{}: {error}", path.display()));
            fields.accept(made, &API_KEY_FILE).map(Credentials::ApiKey)
        }
        (None, None, Some(certificate), Some(private_key)) => {
            let chain = context.read_file(
                &certificate,
                PEM_BYTES_MAX,
                fields.location_of(&CLIENT_CERTIFICATE),
            );
            let key = read_private(
                &private_key,
                PEM_BYTES_MAX,
                fields.location_of(&CLIENT_PRIVATE_KEY),
                context,
            );
            let made = ClientIdentity::from_pem(&chain?.bytes, &key?);
            fields
                .accept(made, &CLIENT_CERTIFICATE)
                .map(Credentials::ClientCertificate)
        }
        (None, None, Some(_), None) | (None, None, None, Some(_)) => {
            context.error(
                fields.location(),
                "`certificate` and `private_key` go together; give both",
            );
            None
        }
        (None, None, None, None) => {
            let message = "LAPI wants to know who asks; give `api_key`, `api_key_file`, or `certificate` and `private_key`";
            context.error(fields.location(), message);
            None
        }
        _ => {
            let message = "more than one proof for LAPI; keep one of `api_key`, `api_key_file`, and `certificate` with `private_key`";
            context.error(fields.location(), message);
            None
        }
    }
}

fn read_ca(fields: &Fields<'_>) -> Option<Option<CertificateAuthorities>> {
    let Some(path) = fields.get(&CA)? else {
        return Some(None);
    };
    let file = fields
        .context()
        .read_file(&path, PEM_BYTES_MAX, fields.location_of(&CA))?;
    fields
        .accept(CertificateAuthorities::from_pem(&file.bytes), &CA)
        .map(Some)
}

const FILTERS_TABLE: Table<Filters> = Table {
    info: &FILTERS_INFO,
    lower: |fields| {
        let origins = fields.get(&ORIGINS);
        let (containing, not_containing) = (fields.get(&CONTAINING), fields.get(&NOT_CONTAINING));
        Some(Filters {
            origins: origins?.unwrap_or_default(),
            scenarios_containing: containing?.unwrap_or_default(),
            scenarios_not_containing: not_containing?.unwrap_or_default(),
        })
    },
};

static FILTERS_INFO: TableInfo = TableInfo {
    name: "crowdsec.filters",
    about: "Which decisions LAPI is asked for; absent filters ask for all.",
    keys: &[&ORIGINS, &CONTAINING, &NOT_CONTAINING],
    later: &[],
};

type TermsKey = Key<OneOrList<FromText<FilterTerm>>, Optional>;

const TERMS: OneOrList<FromText<FilterTerm>> = OneOrList {
    of: FromText::new("a text without commas"),
    max: FILTER_TERMS_MAX,
};

static ORIGINS: TermsKey = Key::new(
    "origins",
    TERMS,
    Optional,
    "Only these origins: `crowdsec`, `cscli`, `CAPI`, `lists`, ...",
);
static CONTAINING: TermsKey = Key::new(
    "scenarios_containing",
    TERMS,
    Optional,
    "Only scenarios with one of these in their name.",
);
static NOT_CONTAINING: TermsKey = Key::new(
    "scenarios_not_containing",
    TERMS,
    Optional,
    "No scenarios with one of these in their name.",
);

const FAILURE_TABLE: Table<(FailurePolicy, Duration)> = Table {
    info: &FAILURE_INFO,
    lower: |fields| {
        let (policy, after) = (fields.get(&POLICY), fields.get(&AFTER));
        Some((policy?, after?))
    },
};

static FAILURE_INFO: TableInfo = TableInfo {
    name: "crowdsec.on_failure",
    about: "What happens when LAPI can't be asked.",
    keys: &[&POLICY, &AFTER],
    later: &[],
};

static POLICY: Key<Choice<FailurePolicy>, Defaulted> = Key::new(
    "policy",
    Choice {
        words: &[
            ("open", FailurePolicy::Open),
            ("closed", FailurePolicy::Closed),
        ],
        later: &[],
    },
    Defaulted("open"),
    "`open`: requests that no known decision refuses pass. `closed`: all are refused once the last good answer is older than `after`, and before the first.",
);
static AFTER: Key<DurationIn, Defaulted> = Key::new(
    "after",
    DurationIn::seconds(1, 7 * 86_400),
    Defaulted("10m"),
    "How old the last good answer may be.",
);

const USAGE_TABLE: Table<Option<UsageInterval>> = Table {
    info: &USAGE_INFO,
    lower: |fields| {
        let interval = UsageInterval::new(fields.get(&INTERVAL)?);
        fields.accept(interval, &INTERVAL).map(Some)
    },
};

static USAGE_INFO: TableInfo = TableInfo {
    name: "crowdsec.usage_metrics",
    about: "What LAPI is told of the requests that came; `off` in place of the mapping: nothing.",
    keys: &[&INTERVAL],
    later: &[],
};

static INTERVAL: Key<DurationIn, Defaulted> = Key::new(
    "interval",
    within(UsageInterval::MIN, UsageInterval::MAX),
    Defaulted("15m"),
    "How often; each time moved by up to a tenth either way. What is not told by then is told when Palisade stops.",
);
