//! What `/status` shows. Never a secret: no key, no header of a client, no line of the settings.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use palisade_confinement::{Confinement, Layer};
use palisade_decisions::DecisionTable;
use palisade_feeds::{ListStatus, Lists};
use palisade_gate::settings::{DecisionsPolicy, FallbackRemediation};
use palisade_geo::GeoDatabases;
use palisade_limits::Lockouts;
use palisade_proxy::Generation;
use palisade_upstream::{CheckStatus, PoolStatus, ServerStatus};
use palisade_vocabulary::{FailurePolicy, Tick};
use serde::Serialize;

use crate::context::AdminContext;
use crate::readiness;
use crate::waf_status::{self, WafPolicy, WafStatus};

/// The process at one moment.
#[derive(Debug, Serialize)]
pub(crate) struct Status {
    version: &'static str,
    started_unix_seconds: u64,
    uptime_seconds: u64,
    ready: bool,
    not_ready_because: Vec<String>,
    settings: SettingsStatus,
    confinement: ConfinementStatus,
    sites: usize,
    listeners: Vec<ListenerStatus>,
    lapi: LapiSummary,
    decisions: DecisionsStatus,
    lists: Vec<List>,
    lockouts: LockoutStatus,
    geo: GeoStatus,
    waf: WafStatus,
    upstreams: Vec<Pool>,
    failure_policies: FailurePolicies,
}

/// The settings in use, and what was wrong with the last ones.
#[derive(Debug, Serialize)]
struct SettingsStatus {
    generation: u64,
    hash: Option<String>,
    loaded_seconds_ago: Option<u64>,
    /// Newer ones that could not be used.
    refused: Option<RefusedReload>,
}

#[derive(Debug, Serialize)]
struct RefusedReload {
    seconds_ago: u64,
    error: String,
}

/// Which layers hold.
#[derive(Debug, Serialize)]
struct ConfinementStatus {
    landlock: bool,
    seccomp: bool,
    no_core_dumps: bool,
}

#[derive(Debug, Serialize)]
struct ListenerStatus {
    address: String,
}

#[derive(Debug, Default, Serialize)]
struct LapiSummary {
    configured: bool,
    url: Option<String>,
    synced: bool,
    key_refused: bool,
    last_good_poll_age_seconds: Option<u64>,
    consecutive_failures: u32,
    /// The last poll that failed, also if later ones did not.
    last_error: Option<LapiError>,
    /// Reports of usage; nothing where none are made.
    usage_metrics: Option<UsageSummary>,
    /// Why the decisions can't be saved, while they can't.
    not_saved: Option<LapiNotSaved>,
}

#[derive(Debug, Serialize)]
struct UsageSummary {
    /// Whether LAPI takes them at all; nothing before it answered one.
    supported: Option<bool>,
    last_report_seconds_ago: Option<u64>,
    consecutive_failures: u32,
    last_error: Option<LapiError>,
}

#[derive(Debug, Serialize)]
struct LapiNotSaved {
    for_seconds: u64,
    message: String,
}

#[derive(Debug, Serialize)]
struct LapiError {
    seconds_ago: u64,
    message: String,
}

#[derive(Debug, Serialize)]
struct DecisionsStatus {
    total: usize,
    counts: Vec<Count>,
}

#[derive(Debug, Serialize)]
struct Count {
    source: &'static str,
    origin: String,
    #[serde(rename = "type")]
    kind: &'static str,
    decisions: usize,
}

/// A list from a file or a server.
#[derive(Debug, Serialize)]
struct List {
    /// `block`, `allow` or `access`.
    purpose: &'static str,
    name: String,
    /// Without what may be a key.
    source: String,
    entries: usize,
    bad_entries: u64,
    /// Whether the disk has the copy in force, where it is to have it.
    saved: bool,
    /// How long ago the copy in force was known to be what its source has.
    age_seconds: Option<u64>,
    failures: u64,
    consecutive_failures: u32,
    /// The last time that there was no new copy, also if it went well since.
    last_error: Option<ListError>,
}

#[derive(Debug, Serialize)]
struct ListError {
    at_unix_seconds: u64,
    message: String,
}

/// Who failed to authenticate.
#[derive(Debug, Serialize)]
struct LockoutStatus {
    /// Clients whose failures are counted, those that are locked out included.
    clients: usize,
    locked: usize,
    /// Locks that ended before their time because there was no room.
    ended_early: u64,
}

/// Which databases are loaded.
#[derive(Debug, Serialize)]
struct GeoStatus {
    country_database: bool,
    asn_database: bool,
    /// Those whose files can't be used: what is loaded is what they held before, if anything.
    unusable: Vec<&'static str>,
}

#[derive(Debug, Serialize)]
struct Pool {
    name: String,
    balance: &'static str,
    when_all_down: &'static str,
    queued_requests: u32,
    servers: Vec<Server>,
}

#[derive(Debug, Serialize)]
struct Server {
    address: String,
    weight: u16,
    /// Whether it gets requests.
    up: bool,
    in_flight: u32,
    consecutive_failures: u32,
    /// How long it is still left out; nothing while it isn't.
    ejected_for_seconds: Option<u64>,
    idle_connections: usize,
    http2_connections: usize,
    /// Nothing where the upstream has no health check.
    health_check: Option<HealthCheck>,
    /// Nothing for a server that is named by its address.
    name: Option<Name>,
    /// Palisade's own door that it leads to, where nothing is sent; nothing for what is a server.
    own_door: Option<String>,
}

#[derive(Debug, Serialize)]
struct HealthCheck {
    down: bool,
    failures: u64,
    last_failure: Option<FailedCheck>,
}

#[derive(Debug, Serialize)]
struct FailedCheck {
    seconds_ago: u64,
    reason: String,
}

#[derive(Debug, Serialize)]
struct Name {
    /// The addresses in use.
    addresses: Vec<IpAddr>,
    /// Those of several that get no new connections: checks or requests took them out.
    out: Vec<IpAddr>,
    /// Why the last look-up failed; the addresses are those of the last good one.
    failure: Option<String>,
}

#[derive(Debug, Serialize)]
struct FailurePolicies {
    lapi: LapiPolicy,
    waf: WafPolicy,
}

#[derive(Debug, Serialize)]
struct LapiPolicy {
    mode: &'static str,
    on_failure: &'static str,
    /// From which age of the last good poll on `closed` refuses.
    stale_after_seconds: u64,
    fallback_remediation: &'static str,
}

impl Status {
    /// The process now.
    pub(crate) fn of(context: &AdminContext) -> Self {
        let shared = &context.shared;
        let now = shared.clock.now();
        let generation = shared.generation.load();
        let snapshot = &generation.snapshot;
        let not_ready_because = readiness::reasons(context);
        let (waf, waf_policy) = waf_status::waf(&generation, &shared.rules);
        let started = context.started.duration_since(UNIX_EPOCH);
        let listeners = context.listeners.open();
        let listeners = listeners.iter().map(|listener| ListenerStatus {
            address: listener.address().to_string(),
        });
        Self {
            version: context.version,
            started_unix_seconds: started.unwrap_or_default().as_secs(),
            uptime_seconds: now.as_millis() / 1_000,
            ready: not_ready_because.is_empty(),
            not_ready_because,
            settings: settings(context, &generation, now),
            confinement: confinement(&context.confinement),
            sites: snapshot.sites.iter().count(),
            listeners: listeners.collect(),
            lapi: lapi(context, now),
            decisions: decisions(&shared.state.decisions),
            lists: lists(&context.lists),
            lockouts: lockouts(&shared.state.lockouts, now),
            geo: geo(&snapshot.geo),
            waf,
            upstreams: generation
                .upstreams
                .status(now)
                .into_iter()
                .map(|status| pool(status, now))
                .collect(),
            failure_policies: FailurePolicies {
                lapi: lapi_policy(&snapshot.decisions),
                waf: waf_policy,
            },
        }
    }
}

fn settings(context: &AdminContext, generation: &Generation, now: Tick) -> SettingsStatus {
    let last = context.reload.last();
    SettingsStatus {
        generation: generation.number,
        loaded_seconds_ago: last
            .loaded
            .as_ref()
            .map(|loaded| now.since(loaded.at).as_secs()),
        hash: last.loaded.map(|loaded| loaded.hash),
        refused: last.refused.map(|refused| RefusedReload {
            seconds_ago: now.since(refused.at).as_secs(),
            error: refused.error,
        }),
    }
}

fn confinement(confinement: &Confinement) -> ConfinementStatus {
    ConfinementStatus {
        landlock: confinement.has(Layer::Filesystem),
        seccomp: confinement.has(Layer::SystemCalls),
        no_core_dumps: confinement.has(Layer::Memory),
    }
}

fn lapi(context: &AdminContext, now: Tick) -> LapiSummary {
    let Some(lapi) = context.lapi.load_full() else {
        return LapiSummary::default();
    };
    LapiSummary {
        configured: true,
        url: Some(lapi.lapi_url().as_str().to_owned()),
        synced: lapi.is_synced(),
        key_refused: lapi.is_key_refused(),
        last_good_poll_age_seconds: lapi.last_good_poll().map(|at| now.since(at).as_secs()),
        consecutive_failures: lapi.consecutive_failures(),
        last_error: lapi.last_failure().map(|failure| LapiError {
            seconds_ago: now.since(failure.at).as_secs(),
            message: failure.message,
        }),
        usage_metrics: context.usage.load().as_deref().map(|usage| UsageSummary {
            supported: usage.is_supported(),
            last_report_seconds_ago: usage.last_taken().map(|at| now.since(at).as_secs()),
            consecutive_failures: usage.consecutive_failures(),
            last_error: usage.last_failure().map(|failure| LapiError {
                seconds_ago: now.since(failure.at).as_secs(),
                message: failure.message,
            }),
        }),
        not_saved: lapi.not_saved().map(|not_saved| LapiNotSaved {
            for_seconds: now.since(not_saved.since).as_secs(),
            message: not_saved.message,
        }),
    }
}

fn decisions(table: &DecisionTable) -> DecisionsStatus {
    let counts: Vec<_> = table
        .counts()
        .into_iter()
        .map(|count| Count {
            source: count.source.as_str(),
            origin: count.origin_label.to_string(),
            kind: count.remedy.as_str(),
            decisions: count.decisions,
        })
        .collect();
    DecisionsStatus {
        total: counts.iter().map(|count| count.decisions).sum(),
        counts,
    }
}

fn lists(lists: &Lists) -> Vec<List> {
    let statuses = lists.statuses().into_iter();
    let list = |list: Arc<ListStatus>| List {
        purpose: list.purpose,
        name: list.name.clone(),
        source: list.source.clone(),
        entries: list.entries(),
        bad_entries: list.bad_entries(),
        saved: list.is_saved(),
        age_seconds: list.age().map(|age| age.as_secs()),
        failures: list.failures(),
        consecutive_failures: list.consecutive_failures(),
        last_error: list.last_failure().map(|failure| ListError {
            at_unix_seconds: failure.at_unix_seconds,
            message: failure.message,
        }),
    };
    statuses.map(list).collect()
}

fn lockouts(lockouts: &Lockouts, now: Tick) -> LockoutStatus {
    let counts = lockouts.counts(now);
    LockoutStatus {
        clients: counts.counted,
        locked: counts.locked,
        ended_early: counts.ended_early,
    }
}

fn geo(databases: &GeoDatabases) -> GeoStatus {
    let unusable = [
        (databases.unusable.country, "country_database"),
        (databases.unusable.asn, "asn_database"),
    ];
    GeoStatus {
        unusable: unusable
            .into_iter()
            .filter_map(|(is_unusable, name)| is_unusable.then_some(name))
            .collect(),
        country_database: databases.country.is_some(),
        asn_database: databases.asn.is_some(),
    }
}

fn pool(pool: PoolStatus, now: Tick) -> Pool {
    let servers = pool.servers.into_iter();
    Pool {
        name: pool.name.to_string(),
        balance: pool.balance.as_str(),
        when_all_down: pool.when_all_down.as_str(),
        queued_requests: pool.queued,
        servers: servers.map(|status| server(status, now)).collect(),
    }
}

fn server(server: ServerStatus, now: Tick) -> Server {
    Server {
        address: server.address.to_string(),
        weight: server.weight,
        up: server.is_up,
        in_flight: server.in_flight,
        consecutive_failures: server.consecutive_failures,
        ejected_for_seconds: server.ejected_for.map(seconds_up),
        idle_connections: server.idle_connections,
        http2_connections: server.http2_connections,
        health_check: server.check.map(|status| health_check(status, now)),
        name: server.name.map(|name| Name {
            addresses: name.addresses.to_vec(),
            out: name.out,
            failure: name.failure.map(|why| why.to_string()),
        }),
        own_door: server.own_door.map(|door| door.to_string()),
    }
}

fn health_check(status: CheckStatus, now: Tick) -> HealthCheck {
    HealthCheck {
        down: status.is_down,
        failures: status.failures,
        last_failure: status.last_failure.map(|failure| FailedCheck {
            seconds_ago: now.since(failure.at).as_secs(),
            reason: failure.reason.to_string(),
        }),
    }
}

/// Whole seconds, rounded up: what still lasts is never shown as over.
pub(crate) fn seconds_up(duration: Duration) -> u64 {
    let begun = u64::from(duration.subsec_nanos() > 0);
    duration.as_secs().saturating_add(begun)
}

/// In the words of the settings file.
fn lapi_policy(policy: &DecisionsPolicy) -> LapiPolicy {
    LapiPolicy {
        mode: policy.mode.as_str(),
        on_failure: match policy.on_failure {
            FailurePolicy::Open => "open",
            FailurePolicy::Closed => "closed",
        },
        stale_after_seconds: policy.stale_after.as_secs(),
        fallback_remediation: match policy.fallback_remediation {
            FallbackRemediation::Ban => "ban",
            FallbackRemediation::Pass => "pass",
        },
    }
}
