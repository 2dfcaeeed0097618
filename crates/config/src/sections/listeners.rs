//! `listeners`: where connections come in, and what each may take.

use std::net::SocketAddr;

use palisade_client_address::{HopHeader, HopRule, ProxyMode, ProxyPolicy};
use palisade_proxy::settings::{Deadlines, Http2Limits, Limits, ListenerSettings, TlsSettings};
use palisade_vocabulary::ByteSize;

use super::listener_tls;
use crate::reader::{
    Choice, Defaulted, DurationIn, EachOf, Fields, Flag, FromText, Integer, Key, ListOf, Located,
    OneOrList, Optional, Ranges, Required, SizeIn, Socket, Table, TableInfo, WithLocation,
};

/// The most listeners.
const LISTENERS_MAX: usize = 256;

/// The most kinds of hops of one listener.
const HOP_RULES_MAX: usize = 64;

const LISTENER: Table<ReadListener> = Table { info: &INFO, lower };

/// A listener, with what the checks between sections need.
#[derive(Debug)]
pub(super) struct ReadListener {
    pub(super) settings: ListenerSettings,
    pub(super) address: Located<SocketAddr>,
}

static INFO: TableInfo = TableInfo {
    name: "listeners",
    about: "Where connections come in. One entry for each socket.",
    keys: &[
        &ADDRESS,
        &PROXY_PROTOCOL,
        &CLIENT_ADDRESS,
        &TLS,
        &HTTP2,
        &DEADLINES,
        &LIMITS,
    ],
    later: &[],
};

static ADDRESS: Key<WithLocation<Socket>, Required> = Key::new(
    "address",
    WithLocation(Socket),
    Required,
    "Address and port to listen on. `[::]:8000` takes IPv4 too, unless the system says otherwise.",
);
static PROXY_PROTOCOL: Key<Table<ProxyPolicy>, Optional> = Key::new(
    "proxy_protocol",
    PROXY_POLICY,
    Optional,
    "Whether connections start with a PROXY protocol header (versions 1 and 2). Absent: never; one that comes anyway is refused as garbage.",
);
static CLIENT_ADDRESS: Key<OneOrList<Table<HopRule>>, Optional> = Key::new(
    "client_address",
    OneOrList {
        of: HOP_RULE,
        max: HOP_RULES_MAX,
    },
    Optional,
    "Whose forwarded headers count, one header for each kind of hop. Headers are read from right to left, as long as the hop in hand is listed; the first address that is no listed hop is the client. Absent: no header counts.",
);
static TLS: Key<Table<TlsSettings>, Optional> = Key::new(
    "tls",
    listener_tls::TLS,
    Optional,
    "TLS 1.2 and 1.3. Absent: plain TCP.",
);
static HTTP2: Key<Flag, Defaulted> = Key::new(
    "http2",
    Flag,
    Defaulted("true"),
    "Whether HTTP/2 is spoken: by ALPN over TLS, by prior knowledge (h2c) on plain TCP.",
);
static DEADLINES: Key<Table<Deadlines>, Defaulted> = Key::new(
    "deadlines",
    DEADLINES_TABLE,
    Defaulted("{}"),
    "How long the parts of a connection may take.",
);
static LIMITS: Key<Table<Limits>, Defaulted> = Key::new(
    "limits",
    LIMITS_TABLE,
    Defaulted("{}"),
    "How large and how many the parts of a connection may be.",
);

fn lower(fields: &Fields<'_>) -> Option<ReadListener> {
    let address = fields.get(&ADDRESS);
    let proxy_protocol = fields.get(&PROXY_PROTOCOL);
    let client_address = fields.get(&CLIENT_ADDRESS);
    let (tls, http2) = (fields.get(&TLS), fields.get(&HTTP2));
    let (deadlines, limits) = (fields.get(&DEADLINES), fields.get(&LIMITS));
    let address = address?;
    let settings = ListenerSettings {
        address: address.value,
        proxy_protocol: proxy_protocol?,
        client_address: client_address?.unwrap_or_default(),
        tls: tls?,
        http2: http2?,
        deadlines: deadlines?,
        limits: limits?,
    };
    Some(ReadListener { settings, address })
}

const PROXY_POLICY: Table<ProxyPolicy> = Table {
    info: &PROXY_POLICY_INFO,
    lower: |fields| {
        let (mode, from) = (fields.get(&PROXY_MODE), fields.get(&PROXY_FROM));
        let mode = mode?;
        if mode == ProxyMode::Optional {
            fields.context().warning(
                fields.location_of(&PROXY_MODE),
                "`optional` departs from the PROXY protocol's specification: a peer listed in `from` that relays a client's bytes as they are lets that client write the header; prefer `required`",
            );
        }
        Some(ProxyPolicy { mode, from: from? })
    },
};

static PROXY_POLICY_INFO: TableInfo = TableInfo {
    name: "listeners.proxy_protocol",
    about: "Whose PROXY protocol header counts.",
    keys: &[&PROXY_MODE, &PROXY_FROM],
    later: &[],
};

static PROXY_MODE: Key<Choice<ProxyMode>, Required> = Key::new(
    "mode",
    Choice {
        words: &[
            ("required", ProxyMode::Required),
            ("optional", ProxyMode::Optional),
        ],
        later: &[],
    },
    Required,
    "`required`: every connection starts with a header, and peers outside `from` are refused. `optional`: peers in `from` may send one, nobody else's is read; departs from the specification.",
);
static PROXY_FROM: Key<Ranges, Required> = Key::new(
    "from",
    Ranges,
    Required,
    "The only peers that may send a header: the addresses of your load balancers.",
);

const HOP_RULE: Table<HopRule> = Table {
    info: &HOP_RULE_INFO,
    lower: |fields| {
        let (from, header) = (fields.get(&HOP_FROM), fields.get(&HOP_HEADER));
        Some(HopRule {
            from: from?,
            header: header?,
        })
    },
};

static HOP_RULE_INFO: TableInfo = TableInfo {
    name: "listeners.client_address",
    about: "One kind of hop, and the header in which it tells whom it got a request from.",
    keys: &[&HOP_FROM, &HOP_HEADER],
    later: &[],
};

static HOP_FROM: Key<Ranges, Required> =
    Key::new("from", Ranges, Required, "The addresses of the hops.");
static HOP_HEADER: Key<FromText<HopHeader>, Required> = Key::new(
    "header",
    FromText::new("the name of a header, like X-Forwarded-For"),
    Required,
    "The header that they write. `X-Forwarded-For` and `Forwarded` are lists; any other has one value and counts only if it is there once.",
);

const DEADLINES_TABLE: Table<Deadlines> = Table {
    info: &DEADLINES_INFO,
    lower: |fields| {
        let (proxy_header, handshake) = (fields.get(&PROXY_HEADER), fields.get(&HANDSHAKE));
        let (head, body, idle) = (fields.get(&HEAD), fields.get(&BODY), fields.get(&IDLE));
        Some(Deadlines {
            proxy_header: proxy_header?,
            handshake: handshake?,
            head: head?,
            body: body?,
            idle: idle?,
        })
    },
};

static DEADLINES_INFO: TableInfo = TableInfo {
    name: "listeners.deadlines",
    about: "How long the parts of a connection may take. Each is for the whole part, not for each read.",
    keys: &[&PROXY_HEADER, &HANDSHAKE, &HEAD, &BODY, &IDLE],
    later: &[],
};

static PROXY_HEADER: Key<DurationIn, Defaulted> = Key::new(
    "proxy_header",
    DurationIn::millis(100, 60_000),
    Defaulted("3s"),
    "The PROXY protocol header.",
);
static HANDSHAKE: Key<DurationIn, Defaulted> = Key::new(
    "handshake",
    DurationIn::millis(100, 60_000),
    Defaulted("5s"),
    "The TLS handshake.",
);
static HEAD: Key<DurationIn, Defaulted> = Key::new(
    "head",
    DurationIn::millis(100, 300_000),
    Defaulted("10s"),
    "The head of a request, from its first byte.",
);
static BODY: Key<DurationIn, Defaulted> = Key::new(
    "body",
    DurationIn::seconds(1, 86_400),
    Defaulted("60s"),
    "The body of a request.",
);
static IDLE: Key<DurationIn, Defaulted> = Key::new(
    "idle",
    DurationIn::seconds(1, 86_400),
    Defaulted("60s"),
    "Nothing between two requests, nothing in either direction of an upgraded connection, or a client that reads none of its answer.",
);

const LIMITS_TABLE: Table<Limits> = Table {
    info: &LIMITS_INFO,
    lower: |fields| {
        let (connections, per_address) = (
            fields.get(&CONNECTIONS),
            fields.get(&CONNECTIONS_PER_ADDRESS),
        );
        let waiting_requests = fields.get(&WAITING_REQUESTS);
        let (head_bytes, headers) = (fields.get(&HEAD_BYTES), fields.get(&HEADERS));
        let (target_bytes, body_bytes) = (fields.get(&TARGET_BYTES), fields.get(&BODY_BYTES));
        let (body_rate, answer_rate) = (fields.get(&BODY_RATE), fields.get(&ANSWER_RATE));
        let http2 = fields.get(&HTTP2_LIMITS);
        Some(Limits {
            connections: connections?,
            connections_per_address: per_address?,
            waiting_requests: waiting_requests?,
            head_bytes: head_bytes?,
            headers: headers?,
            target_bytes: target_bytes?,
            body_bytes: body_bytes?,
            body_bytes_per_second_min: body_rate?,
            answer_bytes_per_second_min: answer_rate?,
            http2: http2?,
        })
    },
};

static LIMITS_INFO: TableInfo = TableInfo {
    name: "listeners.limits",
    about: "How large and how many the parts of a connection may be.",
    keys: &[
        &CONNECTIONS,
        &CONNECTIONS_PER_ADDRESS,
        &WAITING_REQUESTS,
        &HEAD_BYTES,
        &HEADERS,
        &TARGET_BYTES,
        &BODY_BYTES,
        &BODY_RATE,
        &ANSWER_RATE,
        &HTTP2_LIMITS,
    ],
    later: &[],
};

static CONNECTIONS: Key<Integer<usize>, Defaulted> = Key::new(
    "connections",
    Integer {
        min: 1,
        max: 1_000_000,
    },
    Defaulted("20000"),
    "Connections at a time. One more takes the place of the one that has waited longest for its client; where none waits, it is closed at once.",
);
static CONNECTIONS_PER_ADDRESS: Key<Integer<usize>, Defaulted> = Key::new(
    "connections_per_address",
    Integer {
        min: 1,
        max: 1_000_000,
    },
    Defaulted("200"),
    "Connections at a time of one address: the PROXY source where there is one, else the TCP peer. An IPv6 address is counted by its /64, all of which one client has. Behind a load balancer without the PROXY protocol all connections are the balancer's, so raise it there.",
);
static WAITING_REQUESTS: Key<Integer<usize>, Defaulted> = Key::new(
    "waiting_requests",
    Integer {
        min: 1,
        max: 1_000_000,
    },
    Defaulted("4000"),
    "Requests at a time that wait for their client with memory in their hands, 100 KiB each: for a body that no backend has yet, or for a client that doesn't take its answer. One more ends the one that has waited longest. Raise it where more clients than that download slowly at a time.",
);
static HEAD_BYTES: Key<SizeIn, Defaulted> = Key::new(
    "head_bytes",
    SizeIn {
        min: ByteSize::kib(1),
        max: ByteSize::mib(1),
    },
    Defaulted("32KiB"),
    "The head of a request; a longer one is answered with 431.",
);
static HEADERS: Key<Integer<usize>, Defaulted> = Key::new(
    "headers",
    Integer {
        min: 10,
        max: 1_000,
    },
    Defaulted("100"),
    "Header fields of a request; more are answered with 431.",
);
static TARGET_BYTES: Key<SizeIn, Defaulted> = Key::new(
    "target_bytes",
    SizeIn {
        min: ByteSize::bytes(256),
        max: ByteSize::kib(64),
    },
    Defaulted("8KiB"),
    "The target (path and query) of a request; a longer one is answered with 414.",
);
static BODY_BYTES: Key<SizeIn, Defaulted> = Key::new(
    "body_bytes",
    BODY_SIZE,
    Defaulted("128MiB"),
    "The body of a request; a longer one is answered with 413. A site's own `body_bytes` can only lower it.",
);
static BODY_RATE: Key<Integer<u64>, Defaulted> = Key::new(
    "body_bytes_per_second",
    Integer {
        min: 0,
        max: 1 << 30,
    },
    Defaulted("240"),
    "The slowest that a body may come, once it took five seconds; 0 is no limit.",
);

static ANSWER_RATE: Key<Integer<u64>, Defaulted> = Key::new(
    "answer_bytes_per_second",
    Integer {
        min: 0,
        max: 1 << 30,
    },
    Defaulted("240"),
    "The slowest that a client may take its answer, once it let it wait for `deadlines.idle` in all; time in which there is nothing to take doesn't count. What it takes faster gives that time back. 0 is no limit but `deadlines.idle` from one byte to the next.",
);

static HTTP2_LIMITS: Key<Table<Http2Limits>, Defaulted> = Key::new(
    "http2",
    HTTP2_LIMITS_TABLE,
    Defaulted("{}"),
    "How much one connection that speaks HTTP/2 may do.",
);

const HTTP2_LIMITS_TABLE: Table<Http2Limits> = Table {
    info: &HTTP2_LIMITS_INFO,
    lower: |fields| {
        let (streams, per_address) = (fields.get(&STREAMS), fields.get(&STREAMS_PER_ADDRESS));
        let (resets, frames) = (fields.get(&RESETS), fields.get(&FRAMES));
        Some(Http2Limits {
            streams: streams?,
            streams_per_address: per_address?,
            resets_per_second: resets?,
            frames_per_second: frames?,
        })
    },
};

static HTTP2_LIMITS_INFO: TableInfo = TableInfo {
    name: "listeners.limits.http2",
    about: "How much one connection that speaks HTTP/2 may do. One that does more ends with ENHANCE_YOUR_CALM, and is counted as `http2_reset_flood` or `http2_frame_flood`.",
    keys: &[&STREAMS, &STREAMS_PER_ADDRESS, &RESETS, &FRAMES],
    later: &[],
};

static STREAMS: Key<Integer<u32>, Defaulted> = Key::new(
    "streams",
    Integer { min: 1, max: 1_000 },
    Defaulted("100"),
    "Requests at a time.",
);
static STREAMS_PER_ADDRESS: Key<Integer<usize>, Defaulted> = Key::new(
    "streams_per_address",
    Integer {
        min: 1,
        max: 1_000_000,
    },
    Defaulted("1000"),
    "Requests at a time of all connections of one address (see `connections_per_address`). One more is refused with REFUSED_STREAM, so that the client may try again.",
);
static RESETS: Key<Integer<u32>, Defaulted> = Key::new(
    "resets_per_second",
    Integer {
        min: 1,
        max: 100_000,
    },
    Defaulted("20"),
    "Requests that the client resets, beyond as many as it takes the answers of. Those of ten seconds may come at once.",
);
static FRAMES: Key<Integer<u32>, Defaulted> = Key::new(
    "frames_per_second",
    Integer {
        min: 10,
        max: 1_000_000,
    },
    Defaulted("200"),
    "Frames that carry nothing (PING, SETTINGS, PRIORITY, WINDOW_UPDATE, CONTINUATION, empty DATA, unknown ones), beyond those that answers make necessary. Those of ten seconds may come at once.",
);

/// What a body may be limited to, for listeners and sites.
pub(super) const BODY_SIZE: SizeIn = SizeIn {
    min: ByteSize::bytes(0),
    max: ByteSize::mib(1024 * 1024),
};

pub(super) const LISTENERS: EachOf<Table<ReadListener>> = EachOf(ListOf {
    of: LISTENER,
    min: 1,
    max: LISTENERS_MAX,
});
