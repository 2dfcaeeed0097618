//! `upstreams`: pools of backend servers.

use std::sync::Arc;

use palisade_upstream::{
    Balance, ClientCertificate, ConnectRetry, Ejection, KeepAlive, PoolSettings, Protocol,
    ProxyVersion, Roots, SERVERS_MAX, ServerAddress, ServerSettings, ServerTrust, Servers,
    Timeouts, TlsServerName, TlsSettings, Weight,
};
use palisade_yaml::Node;

use super::credentials::{
    CA_PATH, CLIENT_CERTIFICATE, CLIENT_PRIVATE_KEY, PEM_BYTES_MAX, read_private,
};
use super::upstream_health::{
    CONNECTIONS_MAX, HEALTH_CHECK, QUEUE, RETRY_BUDGET, ReadHealth, SLOW_START, WHEN_ALL_DOWN,
};
use crate::reader::{
    Choice, Context, Defaulted, DurationIn, Either, Fields, FilePath, Flag, FromText, Integer, Key,
    Kind, ListOf, Located, Named, Optional, Required, Shape, Socket, Table, TableInfo, Text,
    WithLocation,
};

/// The most upstreams.
const UPSTREAMS_MAX: usize = 10_000;

pub(super) const UPSTREAMS: Named<Table<ReadUpstream>> = Named {
    of: Table { info: &INFO, lower },
    max: UPSTREAMS_MAX,
};

/// A pool without its name, with what the checks between sections need.
#[derive(Debug)]
pub(super) struct ReadUpstream {
    settings: PoolSettings,
    pub(super) servers: Vec<Located<ServerAddress>>,
}

impl ReadUpstream {
    pub(super) fn named(mut self, name: Arc<str>) -> PoolSettings {
        self.settings.name = name;
        self.settings
    }
}

static INFO: TableInfo = TableInfo {
    name: "upstreams",
    about: "Pools of backend servers, by name.",
    keys: &[
        &SERVERS,
        &BALANCE,
        &PROTOCOL,
        &TIMEOUTS,
        &PROXY_PROTOCOL,
        &TLS,
        &KEEP_ALIVE,
        &EJECTION,
        &CONNECT_RETRY,
        &RETRY_BUDGET,
        &HEALTH_CHECK,
        &SLOW_START,
        &WHEN_ALL_DOWN,
        &CONNECTIONS_MAX,
        &QUEUE,
        &RESOLVER,
    ],
    later: &[],
};

type ServerKind = WithLocation<Either<PlainServer, Table<ServerSettings>>>;

static SERVERS: Key<ListOf<ServerKind>, Required> = Key::new(
    "servers",
    ListOf {
        of: WithLocation(Either {
            plain: PlainServer,
            table: SERVER,
        }),
        min: 1,
        max: SERVERS_MAX,
    },
    Required,
    "The servers: `ADDRESS:PORT`, `[IPV6]:PORT` or `HOST:PORT` (all its addresses are used but for those that fail, looked up again when DNS says so), or a mapping with a weight.",
);
static BALANCE: Key<Choice<Balance>, Defaulted> = Key::new(
    "balance",
    Choice {
        words: &[
            ("round_robin", Balance::RoundRobin),
            ("least_connections", Balance::LeastConnections),
            ("client_address", Balance::ClientAddress),
        ],
        later: &[],
    },
    Defaulted("round_robin"),
    "How a request finds its server: in turn, the one with the fewest requests in flight for its weight, or always the same one for the same client.",
);
static PROTOCOL: Key<Choice<Protocol>, Defaulted> = Key::new(
    "protocol",
    Choice {
        words: &[
            ("http1", Protocol::Http1),
            ("http2", Protocol::Http2),
            ("auto", Protocol::Auto),
        ],
        later: &[],
    },
    Defaulted("http1"),
    "What is spoken with the servers: HTTP/1.1; HTTP/2, many requests on each connection (gRPC needs it), without TLS by prior knowledge; or what the server chooses in the TLS handshake, HTTP/1.1 without TLS.",
);
static TIMEOUTS: Key<Table<Timeouts>, Defaulted> = Key::new(
    "timeouts",
    TIMEOUTS_TABLE,
    Defaulted("{}"),
    "How long each step with a server may take.",
);
static PROXY_PROTOCOL: Key<Choice<ProxyVersion>, Optional> = Key::new(
    "proxy_protocol",
    Choice {
        words: &[("v1", ProxyVersion::V1), ("v2", ProxyVersion::V2)],
        later: &[],
    },
    Optional,
    "The PROXY protocol header that is sent first on each connection. Such a connection is used for one client alone. Absent: none.",
);
static TLS: Key<Table<TlsSettings>, Optional> = Key::new(
    "tls",
    TLS_TABLE,
    Optional,
    "TLS to the servers; `tls: {}` verifies each under its own name against the system's authorities. Absent: plain TCP.",
);
static KEEP_ALIVE: Key<Table<KeepAlive>, Defaulted> = Key::new(
    "keep_alive",
    KEEP_ALIVE_TABLE,
    Defaulted("{}"),
    "What is kept of connections that no request uses.",
);
static EJECTION: Key<EjectionKind, Defaulted> = Key::new(
    "ejection",
    EJECTION_KIND,
    Defaulted("{}"),
    "When a server that fails is left out for a while; `off` is never.",
);
static CONNECT_RETRY: Key<Table<ConnectRetry>, Defaulted> = Key::new(
    "connect_retry",
    RETRY_TABLE,
    Defaulted("{}"),
    "How a connect that failed is tried on another server, each server at most once.",
);

static RESOLVER: Key<Socket, Optional> = Key::new(
    "resolver",
    Socket,
    Optional,
    "The name server that the names of servers are looked up with. Absent: as the system says, in `/etc/resolv.conf` and `/etc/hosts`.",
);

fn lower(fields: &Fields<'_>) -> Option<ReadUpstream> {
    let servers = fields.get(&SERVERS);
    let (balance, timeouts) = (fields.get(&BALANCE), fields.get(&TIMEOUTS));
    let protocol = fields.get(&PROTOCOL);
    let (proxy_protocol, tls) = (fields.get(&PROXY_PROTOCOL), fields.get(&TLS));
    let (keep_alive, ejection) = (fields.get(&KEEP_ALIVE), fields.get(&EJECTION));
    let (connect_retry, resolver) = (fields.get(&CONNECT_RETRY), fields.get(&RESOLVER));
    let health = ReadHealth::read(fields);
    let servers = servers?;
    let addresses = servers.iter().map(|server| Located {
        value: server.value.address.clone(),
        location: server.location.clone(),
    });
    let addresses = addresses.collect();
    let list = servers.into_iter().map(|server| server.value).collect();
    let mut settings = PoolSettings::new("", fields.accept(Servers::new(list), &SERVERS)?);
    settings.balance = balance?;
    settings.timeouts = timeouts?;
    settings.proxy_protocol = proxy_protocol?;
    settings.tls = tls?;
    settings.protocol = protocol?;
    if settings.protocol == Protocol::Auto && settings.tls.is_none() {
        let message = "without `tls` a server can't choose what is spoken: that is HTTP/1.1 then; for HTTP/2 say `http2`";
        fields
            .context()
            .warning(fields.location_of(&PROTOCOL), message);
    }
    settings.keep_alive = keep_alive?;
    settings.ejection = ejection?;
    settings.connect_retry = connect_retry?;
    settings.resolver = resolver?;
    health?.put_into(&mut settings);
    Some(ReadUpstream {
        settings,
        servers: addresses,
    })
}

/// A server by its address alone.
struct PlainServer;

impl Kind for PlainServer {
    type Value = ServerSettings;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<ServerSettings> {
        SERVER_ADDRESS_KIND
            .read(node, context)
            .map(ServerSettings::from)
    }

    fn shape(&self) -> Shape {
        SERVER_ADDRESS_KIND.shape()
    }
}

const SERVER_ADDRESS_KIND: FromText<ServerAddress> =
    FromText::new("a server like 127.0.0.1:9000 or app.internal:9000");

const SERVER: Table<ServerSettings> = Table {
    info: &SERVER_INFO,
    lower: |fields| {
        let (address, weight) = (fields.get(&SERVER_ADDRESS), fields.get(&WEIGHT));
        Some(ServerSettings {
            address: address?,
            weight: fields.accept(Weight::new(weight?), &WEIGHT)?,
        })
    },
};

static SERVER_INFO: TableInfo = TableInfo {
    name: "upstreams.servers",
    about: "A server with a weight.",
    keys: &[&SERVER_ADDRESS, &WEIGHT],
    later: &[],
};

static SERVER_ADDRESS: Key<FromText<ServerAddress>, Required> = Key::new(
    "address",
    SERVER_ADDRESS_KIND,
    Required,
    "Where it listens.",
);
static WEIGHT: Key<Integer<u16>, Defaulted> = Key::new(
    "weight",
    Integer {
        min: 1,
        max: Weight::MAX,
    },
    Defaulted("1"),
    "Its share of the requests, in proportion to the other weights.",
);

const STEP: DurationIn = DurationIn::millis(1, 86_400_000);
const HOUR: DurationIn = DurationIn::millis(1, 3_600_000);

const TIMEOUTS_TABLE: Table<Timeouts> = Table {
    info: &TIMEOUTS_INFO,
    lower: |fields| {
        let (connect, read, write) = (fields.get(&CONNECT), fields.get(&READ), fields.get(&WRITE));
        fields.accept(Timeouts::new(connect?, read?, write?), &CONNECT)
    },
};

static TIMEOUTS_INFO: TableInfo = TableInfo {
    name: "upstreams.timeouts",
    about: "How long each step with a server may take.",
    keys: &[&CONNECT, &READ, &WRITE],
    later: &[],
};

static CONNECT: Key<DurationIn, Defaulted> = Key::new(
    "connect",
    STEP,
    Defaulted("2s"),
    "For one connection to be ready: name look-up, TCP and TLS together.",
);
static READ: Key<DurationIn, Defaulted> = Key::new(
    "read",
    STEP,
    Defaulted("60s"),
    "Between two reads of an answer.",
);
static WRITE: Key<DurationIn, Defaulted> = Key::new(
    "write",
    STEP,
    Defaulted("60s"),
    "For one write of a request to be taken.",
);

const TLS_TABLE: Table<TlsSettings> = Table {
    info: &TLS_INFO,
    lower: lower_tls,
};

static TLS_INFO: TableInfo = TableInfo {
    name: "upstreams.tls",
    about: "TLS to the servers.",
    keys: &[
        &SERVER_NAME,
        &CA,
        &VERIFY,
        &CLIENT_CERTIFICATE,
        &CLIENT_PRIVATE_KEY,
    ],
    later: &[],
};

static SERVER_NAME: Key<WithLocation<Text>, Optional> = Key::new(
    "server_name",
    WithLocation(Text {
        what: "a DNS name or an address",
        len_max: 253,
    }),
    Optional,
    "The name that is asked for (SNI) and that the certificate must be for. Absent: each server's own host.",
);
static CA: Key<FilePath, Optional> = Key::new(
    "ca",
    CA_PATH,
    Optional,
    "The only authorities that are believed (PEM). Absent: the system's.",
);
static VERIFY: Key<Flag, Defaulted> = Key::new(
    "verify",
    Flag,
    Defaulted("true"),
    "`false` believes any certificate: the traffic is encrypted, but to whom is unknown.",
);

fn lower_tls(fields: &Fields<'_>) -> Option<TlsSettings> {
    let (name, ca, verify) = (
        fields.get(&SERVER_NAME),
        fields.get(&CA),
        fields.get(&VERIFY),
    );
    let client_certificate = read_client_certificate(fields);
    let server_name = match name? {
        Some(name) => Some(fields.accept(TlsServerName::new(&name.value), &SERVER_NAME)?),
        None => None,
    };
    let trust = match (ca?, verify?) {
        (Some(_), false) => {
            let message = "`verify: false` believes any certificate, so `ca` would have no effect; remove one of them";
            fields.context().error(fields.location_of(&VERIFY), message);
            return None;
        }
        (Some(path), true) => {
            let file = fields
                .context()
                .read_file(&path, PEM_BYTES_MAX, fields.location_of(&CA))?;
            ServerTrust::Roots(fields.accept(Roots::from_pem(&file.bytes), &CA)?)
        }
        (None, true) => ServerTrust::SystemRoots,
        (None, false) => {
            fields.context().warning(
                fields.location_of(&VERIFY),
                "anyone between here and the server can read and change the traffic; prefer `ca`",
            );
            ServerTrust::Unverified
        }
    };
    Some(TlsSettings {
        server_name,
        trust,
        client_certificate: client_certificate?,
    })
}

fn read_client_certificate(fields: &Fields<'_>) -> Option<Option<ClientCertificate>> {
    let context = fields.context();
    let (certificate, key) = (
        fields.get(&CLIENT_CERTIFICATE),
        fields.get(&CLIENT_PRIVATE_KEY),
    );
    let (certificate, key) = match (certificate?, key?) {
        (None, None) => return Some(None),
        (Some(certificate), Some(key)) => (certificate, key),
        _ => {
            context.error(
                fields.location(),
                "`certificate` and `private_key` go together; give both or neither",
            );
            return None;
        }
    };
    let chain = context.read_file(
        &certificate,
        PEM_BYTES_MAX,
        fields.location_of(&CLIENT_CERTIFICATE),
    );
    let key = read_private(
        &key,
        PEM_BYTES_MAX,
        fields.location_of(&CLIENT_PRIVATE_KEY),
        context,
    );
    let made = ClientCertificate::from_pem(&chain?.bytes, &key?);
    fields.accept(made, &CLIENT_CERTIFICATE).map(Some)
}

const KEEP_ALIVE_TABLE: Table<KeepAlive> = Table {
    info: &KEEP_ALIVE_INFO,
    lower: |fields| {
        let (connections, idle) = (fields.get(&IDLE_CONNECTIONS), fields.get(&IDLE_TIMEOUT));
        fields.accept(KeepAlive::new(connections?, idle?), &IDLE_TIMEOUT)
    },
};

static KEEP_ALIVE_INFO: TableInfo = TableInfo {
    name: "upstreams.keep_alive",
    about: "What is kept of connections that no request uses.",
    keys: &[&IDLE_CONNECTIONS, &IDLE_TIMEOUT],
    later: &[],
};

static IDLE_CONNECTIONS: Key<Integer<u16>, Defaulted> = Key::new(
    "idle_connections",
    Integer {
        min: 0,
        max: u16::MAX,
    },
    Defaulted("256"),
    "The most idle connections of one server; 0 keeps none.",
);
static IDLE_TIMEOUT: Key<DurationIn, Defaulted> = Key::new(
    "idle_timeout",
    HOUR,
    Defaulted("60s"),
    "How long a connection may be idle and still be used again. Keep it below the backend's own.",
);

type EjectionKind = Either<Choice<Option<Ejection>>, Table<Option<Ejection>>>;

const EJECTION_KIND: EjectionKind = Either {
    plain: Choice {
        words: &[("off", None)],
        later: &[],
    },
    table: Table {
        info: &EJECTION_INFO,
        lower: |fields| {
            let (failures, period) = (fields.get(&FAILURES), fields.get(&PERIOD));
            fields
                .accept(Ejection::new(failures?, period?), &PERIOD)
                .map(Some)
        },
    },
};

static EJECTION_INFO: TableInfo = TableInfo {
    name: "upstreams.ejection",
    about: "When a server that fails is left out for a while.",
    keys: &[&FAILURES, &PERIOD],
    later: &[],
};

static FAILURES: Key<Integer<u16>, Defaulted> = Key::new(
    "failures",
    Integer { min: 1, max: 1_000 },
    Defaulted("3"),
    "How many failures in a row.",
);
static PERIOD: Key<DurationIn, Defaulted> = Key::new(
    "period",
    HOUR,
    Defaulted("10s"),
    "How long at first; twice as long each time that it goes on failing, up to 32 times.",
);

const RETRY_TABLE: Table<ConnectRetry> = Table {
    info: &RETRY_INFO,
    lower: |fields| {
        let (attempts, within) = (fields.get(&ATTEMPTS), fields.get(&WITHIN));
        fields.accept(ConnectRetry::new(attempts?, within?), &WITHIN)
    },
};

static RETRY_INFO: TableInfo = TableInfo {
    name: "upstreams.connect_retry",
    about: "How a connect that failed is tried on another server.",
    keys: &[&ATTEMPTS, &WITHIN],
    later: &[],
};

static ATTEMPTS: Key<Integer<u8>, Defaulted> = Key::new(
    "attempts",
    Integer { min: 1, max: 16 },
    Defaulted("3"),
    "The most connects for one request, the first included; 1 is no retry.",
);
static WITHIN: Key<DurationIn, Defaulted> = Key::new(
    "within",
    HOUR,
    Defaulted("5s"),
    "The time for all of them together.",
);
