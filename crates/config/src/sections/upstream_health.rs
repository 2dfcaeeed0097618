//! What `upstreams` says about health and load: checks, slow start, limits, second tries.

use palisade_upstream::{
    CheckPace, CheckThresholds, ConnectionLimit, HealthCheck, HttpProbe, PoolSettings, Probe,
    ProbeMethod, Queueing, RetryBudget, SlowStart, StatusRange, StatusRanges, WhenAllDown,
};

use crate::reader::{
    Choice, Defaulted, DurationIn, Either, Fields, Flag, FromText, Integer, Key, ListOf, Optional,
    Table, TableInfo, Text,
};

/// From one millisecond to one hour.
const HOUR: DurationIn = DurationIn::millis(1, 3_600_000);

pub(super) static HEALTH_CHECK: Key<Table<HealthCheck>, Optional> = Key::new(
    "health_check",
    Table {
        info: &CHECK_INFO,
        lower: lower_check,
    },
    Optional,
    "How Palisade itself finds out whether servers work, beside what requests tell. Absent: from requests alone.",
);
pub(super) static RETRY_BUDGET: Key<BudgetKind, Defaulted> = Key::new(
    "retry_budget",
    BUDGET_KIND,
    Defaulted("{}"),
    "How many requests may be sent a second time when the server broke off without an answer, closed a connection just when it was used again, or refused an HTTP/2 stream; but for refused ones only idempotent requests of whose body nothing was sent. `off` is none.",
);
pub(super) static SLOW_START: Key<DurationIn, Optional> = Key::new(
    "slow_start",
    HOUR,
    Optional,
    "How long a server that comes back takes to get its whole share again; it grows evenly. Absent: at once.",
);
pub(super) static WHEN_ALL_DOWN: Key<Choice<WhenAllDown>, Defaulted> = Key::new(
    "when_all_down",
    Choice {
        words: &[
            ("try_any", WhenAllDown::TryAny),
            ("refuse", WhenAllDown::Refuse),
        ],
        later: &[],
    },
    Defaulted("try_any"),
    "What becomes of requests while all servers are out: any is tried, or 503 at once.",
);
pub(super) static CONNECTIONS_MAX: Key<Integer<u32>, Optional> = Key::new(
    "connections_max",
    Integer {
        min: 1,
        max: ConnectionLimit::CONNECTIONS_MAX,
    },
    Optional,
    "The most connections that one server has from requests at the same time, and the most requests. Idle ones count: one is closed where a thread or a client that can't use it needs another. Of connections that speak HTTP/2, which requests share, the requests count. Health checks open their own. Absent: no limit.",
);
pub(super) static QUEUE: Key<Table<Queueing>, Optional> = Key::new(
    "queue",
    QUEUE_TABLE,
    Optional,
    "How requests wait for a server with room, under `connections_max`; those that find none get 503 with `Retry-After`.",
);

/// What these keys say.
pub(super) struct ReadHealth {
    check: Option<HealthCheck>,
    budget: Option<RetryBudget>,
    slow_start: Option<SlowStart>,
    when_all_down: WhenAllDown,
    limit: Option<ConnectionLimit>,
}

impl ReadHealth {
    pub(super) fn read(fields: &Fields<'_>) -> Option<Self> {
        let (check, budget) = (fields.get(&HEALTH_CHECK), fields.get(&RETRY_BUDGET));
        let (slow_start, when_all_down) = (fields.get(&SLOW_START), fields.get(&WHEN_ALL_DOWN));
        let limit = read_limit(fields);
        let slow_start = match slow_start? {
            Some(period) => Some(fields.accept(SlowStart::new(period), &SLOW_START)?),
            None => None,
        };
        Some(Self {
            check: check?,
            budget: budget?,
            slow_start,
            when_all_down: when_all_down?,
            limit: limit?,
        })
    }

    pub(super) fn put_into(self, settings: &mut PoolSettings) {
        settings.health_check = self.check;
        settings.retry_budget = self.budget;
        settings.slow_start = self.slow_start;
        settings.when_all_down = self.when_all_down;
        settings.connection_limit = self.limit;
    }
}

fn read_limit(fields: &Fields<'_>) -> Option<Option<ConnectionLimit>> {
    let (connections, queue) = (fields.get(&CONNECTIONS_MAX), fields.get(&QUEUE));
    match (connections?, queue?) {
        (Some(connections), queue) => {
            let limit = ConnectionLimit::new(connections, queue.unwrap_or_default());
            fields.accept(limit, &CONNECTIONS_MAX).map(Some)
        }
        (None, None) => Some(None),
        (None, Some(_)) => {
            let message = "nobody waits without `connections_max`; give it, or remove `queue`";
            fields.context().error(fields.location_of(&QUEUE), message);
            None
        }
    }
}

const QUEUE_TABLE: Table<Queueing> = Table {
    info: &QUEUE_INFO,
    lower: |fields| {
        let (length, timeout) = (fields.get(&QUEUE_LENGTH), fields.get(&QUEUE_TIMEOUT));
        fields.accept(Queueing::new(length?, timeout?), &QUEUE_TIMEOUT)
    },
};

static QUEUE_INFO: TableInfo = TableInfo {
    name: "upstreams.queue",
    about: "How requests wait for a server with room, in the order in which they came.",
    keys: &[&QUEUE_LENGTH, &QUEUE_TIMEOUT],
    later: &[],
};

static QUEUE_LENGTH: Key<Integer<u32>, Defaulted> = Key::new(
    "length",
    Integer {
        min: 0,
        max: Queueing::LENGTH_MAX,
    },
    Defaulted("100"),
    "The most requests that wait; 0 is none.",
);
static QUEUE_TIMEOUT: Key<DurationIn, Defaulted> = Key::new(
    "timeout",
    HOUR,
    Defaulted("5s"),
    "The longest that one waits.",
);

type BudgetKind = Either<Choice<Option<RetryBudget>>, Table<Option<RetryBudget>>>;

const BUDGET_KIND: BudgetKind = Either {
    plain: Choice {
        words: &[("off", None)],
        later: &[],
    },
    table: Table {
        info: &BUDGET_INFO,
        lower: |fields| {
            let (percent, reserve) = (fields.get(&PERCENT), fields.get(&RESERVE));
            fields
                .accept(RetryBudget::new(percent?, reserve?), &PERCENT)
                .map(Some)
        },
    },
};

static BUDGET_INFO: TableInfo = TableInfo {
    name: "upstreams.retry_budget",
    about: "How many requests may be sent a second time because their server broke off.",
    keys: &[&PERCENT, &RESERVE],
    later: &[],
};

static PERCENT: Key<Integer<u8>, Defaulted> = Key::new(
    "percent",
    Integer { min: 1, max: 100 },
    Defaulted("20"),
    "How many second tries 100 requests earn.",
);
static RESERVE: Key<Integer<u16>, Defaulted> = Key::new(
    "reserve",
    Integer {
        min: 1,
        max: RetryBudget::RESERVE_MAX,
    },
    Defaulted("100"),
    "The most that are saved up, and so can be made at once; there from the start.",
);

static CHECK_INFO: TableInfo = TableInfo {
    name: "upstreams.health_check",
    about: "How Palisade itself finds out whether servers work: a request in what `protocol` says, or `tcp: true` for a connection alone (TLS included where the upstream has it). Of a name with several addresses each is checked.",
    keys: &[
        &PATH,
        &TCP,
        &METHOD,
        &HOST,
        &STATUS,
        &INTERVAL,
        &TIMEOUT,
        &HEALTHY_AFTER,
        &UNHEALTHY_AFTER,
    ],
    later: &[],
};

static PATH: Key<Text, Optional> = Key::new(
    "path",
    Text {
        what: "a path like /healthz",
        len_max: 2048,
    },
    Optional,
    "What is asked for.",
);
static TCP: Key<Flag, Defaulted> = Key::new(
    "tcp",
    Flag,
    Defaulted("false"),
    "`true`: that a connection can be made is enough.",
);
static METHOD: Key<Choice<ProbeMethod>, Optional> = Key::new(
    "method",
    Choice {
        words: &[
            ("GET", ProbeMethod::Get),
            ("HEAD", ProbeMethod::Head),
            ("OPTIONS", ProbeMethod::Options),
        ],
        later: &[],
    },
    Optional,
    "How it is asked. Absent: GET.",
);
static HOST: Key<Text, Optional> = Key::new(
    "host",
    Text {
        what: "a host like app.internal",
        len_max: 2048,
    },
    Optional,
    "The `Host` of the request. Absent: the server's own address.",
);
static STATUS: Key<ListOf<FromText<StatusRange>>, Optional> = Key::new(
    "status",
    ListOf {
        of: FromText::new("a status or a range like 200-399"),
        min: 1,
        max: StatusRanges::RANGES_MAX,
    },
    Optional,
    "The statuses that count as good. Absent: 200-399.",
);

/// A shorter interval would be a flood.
const PACE: DurationIn = DurationIn::millis(10, 3_600_000);

static INTERVAL: Key<DurationIn, Defaulted> = Key::new(
    "interval",
    PACE,
    Defaulted("5s"),
    "From the end of one check of a server to the start of the next.",
);
static TIMEOUT: Key<DurationIn, Defaulted> = Key::new(
    "timeout",
    PACE,
    Defaulted("2s"),
    "For one check: connection, request and answer.",
);
static HEALTHY_AFTER: Key<Integer<u16>, Defaulted> = Key::new(
    "healthy_after",
    Integer { min: 1, max: 100 },
    Defaulted("2"),
    "Good checks in a row that bring a server back. The very first check decides by itself.",
);
static UNHEALTHY_AFTER: Key<Integer<u16>, Defaulted> = Key::new(
    "unhealthy_after",
    Integer { min: 1, max: 100 },
    Defaulted("3"),
    "Bad checks in a row that take a server out.",
);

fn lower_check(fields: &Fields<'_>) -> Option<HealthCheck> {
    let probe = read_probe(fields);
    let (interval, timeout) = (fields.get(&INTERVAL), fields.get(&TIMEOUT));
    let (healthy, unhealthy) = (fields.get(&HEALTHY_AFTER), fields.get(&UNHEALTHY_AFTER));
    let pace = CheckPace::new(interval?, timeout?);
    let thresholds = CheckThresholds::new(healthy?, unhealthy?);
    Some(HealthCheck {
        probe: probe?,
        pace: fields.accept(pace, &INTERVAL)?,
        thresholds: fields.accept(thresholds, &HEALTHY_AFTER)?,
    })
}

fn read_probe(fields: &Fields<'_>) -> Option<Probe> {
    let (path, tcp, method) = (fields.get(&PATH), fields.get(&TCP), fields.get(&METHOD));
    let (host, status) = (fields.get(&HOST), fields.get(&STATUS));
    let (path, method, host, status) = (path?, method?, host?, status?);
    let asks = path.is_some() || method.is_some() || host.is_some() || status.is_some();
    let refuse = |message: &str| {
        fields.context().error(fields.location(), message);
        None
    };
    match (tcp?, path) {
        (true, _) if asks => {
            refuse("`tcp: true` asks nothing: remove it, or `path`, `method`, `host` and `status`")
        }
        (true, _) => Some(Probe::Tcp),
        (false, None) => refuse("a health check needs a `path`, or `tcp: true`"),
        (false, Some(path)) => {
            let good = match status {
                Some(ranges) => fields.accept(StatusRanges::new(ranges), &STATUS)?,
                None => StatusRanges::default(),
            };
            let method = method.unwrap_or_default();
            let probe = HttpProbe::new(method, &path, host.as_deref(), good);
            fields.accept(probe, &PATH).map(Probe::Http)
        }
    }
}
