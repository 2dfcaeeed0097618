//! `metrics` and `admin`: the doors that are not for clients.

use std::net::SocketAddr;
use std::path::PathBuf;

use palisade_hygiene::Host;

use crate::problem::quoted;
use crate::reader::{
    FilePath, Key, Located, OneOrList, Optional, Required, ScalarKind, Shape, Socket, Table,
    TableInfo, WithLocation,
};
use crate::settings::{AdminSettings, MetricsSettings};

/// The most names that the admin door answers to.
const HOSTS_MAX: usize = 100;

pub(super) const METRICS: Table<ReadMetrics> = Table {
    info: &METRICS_INFO,
    lower: |fields| {
        let address = fields.get(&METRICS_ADDRESS)?;
        Some(ReadMetrics {
            settings: MetricsSettings {
                address: address.value,
            },
            address,
        })
    },
};

/// The metrics door, with what the checks between sections need.
#[derive(Debug)]
pub(super) struct ReadMetrics {
    pub(super) settings: MetricsSettings,
    pub(super) address: Located<SocketAddr>,
}

static METRICS_INFO: TableInfo = TableInfo {
    name: "metrics",
    about: "`/metrics` (Prometheus), `/healthz` and `/readyz`, nothing else. Absent: off.",
    keys: &[&METRICS_ADDRESS],
    later: &[],
};

static METRICS_ADDRESS: Key<WithLocation<Socket>, Required> = Key::new(
    "address",
    WithLocation(Socket),
    Required,
    "Where it listens. It tells nothing secret, but keep it from the world.",
);

pub(super) const ADMIN: Table<ReadAdmin> = Table {
    info: &ADMIN_INFO,
    lower: |fields| {
        let (address, socket, hosts) = (
            fields.get(&ADMIN_ADDRESS),
            fields.get(&SOCKET),
            fields.get(&HOSTS),
        );
        let (address, socket, hosts) = (address?, socket?, hosts?);
        if address.is_none() && socket.is_none() {
            let message = "neither `address` nor `socket`; give one of them, or remove `admin`";
            fields.context().error(fields.location(), message);
            return None;
        }
        if let Some(address) = &address
            && !address.value.ip().to_canonical().is_loopback()
        {
            let message = format!(
                "{} can be reached from other machines; admin listens on loopback (127.0.0.1, ::1) or a socket only",
                address.value
            );
            fields.context().error(&address.location, message);
            return None;
        }
        Some(ReadAdmin {
            settings: AdminSettings {
                address: address.as_ref().map(|address| address.value),
                socket: socket.as_ref().map(|socket| socket.value.clone()),
                hosts: hosts.unwrap_or_default(),
            },
            address,
            socket,
        })
    },
};

/// The admin door, with what the checks between sections need.
#[derive(Debug)]
pub(super) struct ReadAdmin {
    pub(super) settings: AdminSettings,
    pub(super) address: Option<Located<SocketAddr>>,
    pub(super) socket: Option<Located<PathBuf>>,
}

static ADMIN_INFO: TableInfo = TableInfo {
    name: "admin",
    about: "`/status`, and changes to local decisions. Absent: off.",
    keys: &[&ADMIN_ADDRESS, &SOCKET, &HOSTS],
    later: &[],
};

static ADMIN_ADDRESS: Key<WithLocation<Socket>, Optional> = Key::new(
    "address",
    WithLocation(Socket),
    Optional,
    "A loopback address with a port. Absent: only the socket.",
);
static SOCKET: Key<WithLocation<FilePath>, Optional> = Key::new(
    "socket",
    WithLocation(FilePath {
        what: "the path of a socket",
    }),
    Optional,
    "A Unix socket, made with mode 0600; its peer's user is checked. `palisade decisions` uses it. Absent: only the address.",
);
static HOSTS: Key<OneOrList<AdminHost>, Optional> = Key::new(
    "hosts",
    OneOrList {
        of: AdminHost,
        max: HOSTS_MAX,
    },
    Optional,
    "Names under which `address` may be asked, besides loopback ones: any other Host is refused, so that no web page can reach in through a visitor's browser.",
);

/// A host without a port.
struct AdminHost;

impl ScalarKind for AdminHost {
    type Value = Box<str>;

    fn parse(&self, text: &str) -> Result<Box<str>, String> {
        match Host::parse(text.as_bytes()) {
            Ok(host) if host.port().is_none() => Ok(host.name().into()),
            _ => Err(format!(
                "{} is not a host; expected a name like admin.example.com, without a port",
                quoted(text)
            )),
        }
    }

    fn shape(&self) -> Shape {
        Shape::Text("a host like admin.example.com")
    }
}
