//! The sections of the settings file: which keys each has, and what is made of them.
//!
//! One file for each section. Each reads what it says by itself; [`cross_checks`] judges what
//! sections say together.

mod access;
mod blocking;
mod conditions;
mod credentials;
mod cross_checks;
mod crowdsec;
mod doors;
mod geo;
mod header_edits;
mod listener_tls;
mod listeners;
mod lists;
mod lockout;
mod logs;
mod matchers;
mod path_forms;
mod protected;
mod routes;
mod rule_files;
mod rule_sets;
mod rules;
mod shutdown;
mod sites;
mod unmatchable;
mod upstream_health;
mod upstreams;
mod waf;
mod waf_shadow;

use std::sync::Arc;

use palisade_feeds::ListSettings;
use palisade_gate::settings::{BlockingSettings, GateSettings};
use palisade_geo::GeoDatabases;
use palisade_limits::LockoutPolicy;
use palisade_proxy::settings::ShutdownSettings;
use palisade_proxy::{Rules, ShadowSettings};
use palisade_telemetry::LogSettings;
use palisade_vocabulary::Mode;
use palisade_yaml::Node;

use crate::problem::Location;
use crate::reader::{
    Choice, Context, Defaulted, EachOf, Fields, FilePath, Flag, Key, Kind, Later, Named, OneOrList,
    Optional, Ranges, Required, Table, TableInfo, WithLocation,
};
use crate::settings::{Places, Settings, WafSettings};
use cross_checks::Together;

pub(crate) use access::YAML_BYTES_MAX;

/// The settings of the whole file; `None` where something is wrong, which has been reported.
pub(crate) fn read(root: &Node, context: &Context<'_>) -> Option<Settings> {
    ROOT.read(root, context)
}

/// What the reference and the JSON Schema are made from.
pub(crate) fn root() -> &'static TableInfo {
    ROOT.info
}

/// The mappings of other files than the settings file.
pub(crate) fn other_files() -> [&'static TableInfo; 1] {
    [&access::RULE_FILE_INFO]
}

const ROOT: Table<Settings> = Table { info: &INFO, lower };

static INFO: TableInfo = TableInfo {
    name: "palisade.yaml",
    about: "The settings file.",
    keys: &[
        &INCLUDE,
        &STATE_DIRECTORY,
        &SANDBOX,
        &LISTENERS,
        &UPSTREAMS,
        &SITES,
        &TRUSTED_CLIENTS,
        &BLOCK_LISTS,
        &ALLOW_LISTS,
        &ACCESS,
        &GEO,
        &CROWDSEC,
        &WAF,
        &BLOCKING,
        &LOCKOUT,
        &METRICS,
        &ADMIN,
        &SHUTDOWN,
        &LOGS,
    ],
    later: &LATER_CHECKS,
};

/// Checks that a later version has, everywhere that they can be asked for.
pub(super) static LATER_CHECKS: [Later; 5] = [
    Later {
        key: "limits",
        what: "rate limits",
    },
    Later {
        key: "appsec",
        what: "CrowdSec AppSec",
    },
    Later {
        key: "challenge",
        what: "challenges",
    },
    Later {
        key: "throttle",
        what: "throttling",
    },
    Later {
        key: "detection",
        what: "scenarios",
    },
];

/// `mode` of sites and rules.
const MODE_KIND: Choice<Mode> = Choice {
    words: &[
        ("block", Mode::Block),
        ("detect", Mode::Detect),
        ("off", Mode::Off),
    ],
    later: &[],
};

/// The most files and patterns under `include`.
const INCLUDES_MAX: usize = 100;

pub(crate) const INCLUDE_KIND: OneOrList<WithLocation<FilePath>> = OneOrList {
    of: WithLocation(FilePath {
        what: "the path of a settings file, or a pattern like sites/*.yaml",
    }),
    max: INCLUDES_MAX,
};

pub(crate) static INCLUDE: Key<OneOrList<WithLocation<FilePath>>, Optional> = Key::new(
    "include",
    INCLUDE_KIND,
    Optional,
    "More settings files; `*`, `?` and `[...]` may stand in the last part of a path. `listeners`, `sites`, `trusted_clients`, `access.rules` and `access.rule_files` of all files are joined, the including file's first; `upstreams`, `block_lists`, `allow_lists`, `access.lists` and `logs` may be given in parts; anything else may be given in one file only.",
);
static STATE_DIRECTORY: Key<FilePath, Optional> = Key::new(
    "state_directory",
    FilePath {
        what: "the path of a folder",
    },
    Optional,
    "Where local decisions, the last known ones of CrowdSec and the last good copies of lists are kept over a restart. Absent: nothing is saved.",
);
static SANDBOX: Key<Flag, Defaulted> = Key::new(
    "sandbox",
    Flag,
    Defaulted("true"),
    "Give up, once the settings are read, what a proxy has no use for: writing outside the folders named here and starting programs from other folders than its own (Landlock), system calls of administration and debugging (seccomp), core dumps. Obeyed at the start only; an upgrade takes nothing back. `false` for debuggers and profilers.",
);
static LISTENERS: Key<EachOf<Table<listeners::ReadListener>>, Required> = Key::new(
    "listeners",
    listeners::LISTENERS,
    Required,
    "Where connections come in.",
);
static UPSTREAMS: Key<Named<Table<upstreams::ReadUpstream>>, Required> = Key::new(
    "upstreams",
    upstreams::UPSTREAMS,
    Required,
    "Pools of backend servers, by name.",
);
static SITES: Key<EachOf<Table<sites::ReadSite>>, Required> = Key::new(
    "sites",
    sites::SITES,
    Required,
    "Which hosts are answered for, and where their requests go.",
);
static TRUSTED_CLIENTS: Key<Ranges, Optional> = Key::new(
    "trusted_clients",
    Ranges,
    Optional,
    "Clients that pass decisions, access rules and every later check: addresses and lists only.",
);
static BLOCK_LISTS: Key<Named<Table<lists::ReadList>>, Optional> = Key::new(
    "block_lists",
    Named {
        of: lists::BLOCK_LISTS,
        max: lists::LISTS_MAX,
    },
    Optional,
    "Lists of addresses that are refused, by name; each is a source of decisions of its own, with the origin `lists:NAME`.",
);
static ALLOW_LISTS: Key<Named<Table<lists::ReadList>>, Optional> = Key::new(
    "allow_lists",
    Named {
        of: lists::ALLOW_LISTS,
        max: lists::LISTS_MAX,
    },
    Optional,
    "Lists of clients that no block list and no decision of CrowdSec refuses, by name.",
);
static ACCESS: Key<Table<Vec<rules::ReadRule>>, Defaulted> = Key::new(
    "access",
    access::ACCESS,
    Defaulted("{}"),
    "Lists of addresses, and the access rules of all sites.",
);
static GEO: Key<Table<Arc<GeoDatabases>>, Defaulted> = Key::new(
    "geo",
    geo::GEO,
    Defaulted("{}"),
    "Databases that tell where an address is.",
);
static CROWDSEC: Key<Table<crowdsec::ReadCrowdSec>, Optional> = Key::new(
    "crowdsec",
    crowdsec::CROWDSEC,
    Optional,
    "Decisions of a CrowdSec LAPI. Absent: none are asked for.",
);
static WAF: Key<Table<waf::ReadGlobalWaf>, Optional> = Key::new(
    "waf",
    waf::WAF,
    Optional,
    "Rules in ModSecurity's language (SecLang), such as OWASP CRS, for all sites. Absent: those of `sites.waf` alone.",
);
static BLOCKING: Key<Table<BlockingSettings>, Defaulted> = Key::new(
    "blocking",
    blocking::BLOCKING,
    Defaulted("{}"),
    "How a refusal looks.",
);
static LOCKOUT: Key<Table<LockoutPolicy>, Defaulted> = Key::new(
    "lockout",
    lockout::LOCKOUT,
    Defaulted("{}"),
    "Who is kept out after wrong passwords.",
);
static METRICS: Key<Table<doors::ReadMetrics>, Optional> = Key::new(
    "metrics",
    doors::METRICS,
    Optional,
    "Metrics and health. Absent: off.",
);
static ADMIN: Key<Table<doors::ReadAdmin>, Optional> = Key::new(
    "admin",
    doors::ADMIN,
    Optional,
    "Status and local decisions. Absent: off.",
);
static SHUTDOWN: Key<Table<ShutdownSettings>, Defaulted> = Key::new(
    "shutdown",
    shutdown::SHUTDOWN,
    Defaulted("{}"),
    "How the process ends, on SIGTERM and when another takes its place (SIGQUIT).",
);
static LOGS: Key<Table<LogSettings>, Defaulted> = Key::new(
    "logs",
    logs::LOGS,
    Defaulted("{}"),
    "What is written. Absent: nothing.",
);

/// Block lists, allow lists, and those of `access.lists`, which has been read, that servers have.
fn all_lists(fields: &Fields<'_>) -> Option<Vec<ListSettings>> {
    let (block, allow) = (fields.get(&BLOCK_LISTS), fields.get(&ALLOW_LISTS));
    let context = fields.context();
    let block = lists::named(block?, context);
    let allow = lists::named(allow?, context);
    Some([block?, allow?, context.take_remote_lists()].concat())
}

fn lower(fields: &Fields<'_>) -> Option<Settings> {
    let (context, state_directory) = (fields.context(), fields.get(&STATE_DIRECTORY));
    context.set_state_directory(state_directory.clone().flatten());
    // First, since all that names addresses may use its lists.
    let rules = fields.get(&ACCESS);
    let (listeners, upstreams, sites) = (
        fields.get(&LISTENERS),
        fields.get(&UPSTREAMS),
        fields.get(&SITES),
    );
    let trusted_clients = fields.get(&TRUSTED_CLIENTS);
    let (geo, crowdsec, blocking) = (
        fields.get(&GEO),
        fields.get(&CROWDSEC),
        fields.get(&BLOCKING),
    );
    let (metrics, admin, logs) = (fields.get(&METRICS), fields.get(&ADMIN), fields.get(&LOGS));
    let (sandbox, shutdown) = (fields.get(&SANDBOX), fields.get(&SHUTDOWN));
    let (lockout, lists) = (fields.get(&LOCKOUT), all_lists(fields));
    let waf = read_waf(fields, sites.as_deref(), geo.as_deref(), logs.as_ref());
    Together {
        fields,
        upstream_names: crate::reader::names(fields.node(&UPSTREAMS)),
        rules: rules.as_deref().unwrap_or_default(),
        listeners: listeners.as_deref().unwrap_or_default(),
        upstreams: upstreams.as_deref().unwrap_or_default(),
        sites: sites.as_deref().unwrap_or_default(),
        metrics: metrics.as_ref().and_then(Option::as_ref),
        admin: admin.as_ref().and_then(Option::as_ref),
        has_country: fields.names_inside(&GEO, "country_database"),
        has_asn: fields.names_inside(&GEO, "asn_database"),
    }
    .report();
    let (listeners, metrics, admin) = (listeners?, metrics?, admin?);
    let places = places(fields, &listeners, metrics.as_ref(), admin.as_ref());
    let crowdsec = crowdsec?;
    let gate = GateSettings {
        sites: sites?
            .into_iter()
            .map(sites::ReadSite::into_settings)
            .collect(),
        trusted_clients: trusted_clients?.unwrap_or_default(),
        rules: rules?.into_iter().map(|rule| rule.rule).collect(),
        decisions: crowdsec
            .as_ref()
            .map_or_else(Default::default, |crowdsec| crowdsec.policy),
        blocking: blocking?,
        lockout: lockout?,
    };
    Some(Settings {
        state_directory: state_directory?,
        sandbox: sandbox?,
        listeners: listeners
            .into_iter()
            .map(|listener| listener.settings)
            .collect(),
        upstreams: upstreams?
            .into_iter()
            .map(|(name, pool)| pool.named(name.value))
            .collect(),
        gate,
        geo: geo?,
        crowdsec: crowdsec.map(|crowdsec| crowdsec.stream),
        lists: lists?,
        waf: waf?,
        metrics: metrics.map(|metrics| metrics.settings),
        admin: admin.map(|admin| admin.settings),
        shutdown: shutdown?,
        logs: logs?,
        places,
    })
}

/// The SecLang rules of all sites, which are compiled once the sites are known.
fn read_waf(
    fields: &Fields<'_>,
    sites: Option<&[sites::ReadSite]>,
    geo: Option<&GeoDatabases>,
    logs: Option<&LogSettings>,
) -> Option<WafSettings> {
    let global = fields.get(&WAF)?;
    let sites = sites.unwrap_or_default();
    let rule_sets = rule_sets::rule_sets(global.as_ref(), sites, geo, fields.context());
    if rule_sets.have_shadows() && logs.is_some_and(|logs| logs.shadow.is_none()) {
        let message = "`waf.shadow` without `logs.shadow`: what it would change is only counted";
        let location = fields.location_of(&LOGS);
        fields.context().warning(location, message);
    }
    let global = global.as_ref();
    Some(WafSettings {
        rule_sets,
        body_memory: global.map_or(Rules::BODY_MEMORY_MAX_DEFAULT, |waf| waf.body_memory),
        shadow: global.map_or_else(ShadowSettings::default, |waf| waf.shadow),
    })
}

/// A key that isn't there stands where the file does.
fn places(
    fields: &Fields<'_>,
    listeners: &[listeners::ReadListener],
    metrics: Option<&doors::ReadMetrics>,
    admin: Option<&doors::ReadAdmin>,
) -> Places {
    let listeners = listeners
        .iter()
        .map(|listener| listener.address.location.clone());
    let admin_place =
        |place: Option<&Location>| place.unwrap_or(fields.location_of(&ADMIN)).clone();
    Places {
        listeners: listeners.collect(),
        metrics: metrics.map_or_else(
            || fields.location_of(&METRICS).clone(),
            |metrics| metrics.address.location.clone(),
        ),
        admin: admin_place(admin.and_then(|admin| Some(&admin.address.as_ref()?.location))),
        admin_socket: admin_place(admin.and_then(|admin| Some(&admin.socket.as_ref()?.location))),
        state_directory: fields.location_of(&STATE_DIRECTORY).clone(),
        sandbox: fields.location_of(&SANDBOX).clone(),
    }
}
