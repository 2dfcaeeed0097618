//! What runs beside the requests: checks of servers, and look-ups of their names.
//!
//! One task for each server that needs one. A reload hands a server that stays its new settings and
//! leaves its task be, so that neither its standing nor its rhythm is lost; the task of one that goes
//! ends.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use palisade_vocabulary::Tick;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep_until, timeout};

use crate::address::Target;
use crate::check_state::{Change, CheckFailure};
use crate::connect::{ConnectError, Way};
use crate::names::look_up;
use crate::pool::Pool;
use crate::probe::check;
use crate::server::Server;
use crate::settings::{CheckPace, CheckThresholds, HealthCheck};
use crate::upstreams::Upstreams;

/// After how long a look-up that failed is tried again; twice as long each time that it goes on
/// failing, up to [`RETRY_MAX`].
const RETRY_MIN: Duration = Duration::from_secs(1);

/// The longest time between two look-ups that fail.
const RETRY_MAX: Duration = Duration::from_secs(30);

/// News of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerEvent {
    /// The name of its pool.
    pub pool: Arc<str>,
    /// Its label.
    pub server: Arc<str>,
    /// What happened.
    pub news: ServerNews,
}

/// What happened to a server.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerNews {
    /// Checks took it out; why the last one failed.
    Down(Arc<str>),
    /// Checks brought it back.
    Up,
    /// Checks took one of its name's addresses out; why the last one failed.
    AddressDown(IpAddr, Arc<str>),
    /// Checks brought that back.
    AddressUp(IpAddr),
    /// Its name stands for these addresses now.
    Addresses(Arc<[IpAddr]>),
    /// Its name can't be looked up any more; the last addresses, if any, stay.
    NameLost(Arc<str>),
    /// Its name can be looked up again, and stands for what it did.
    NameFound,
    /// It is one of this process's own doors.
    OwnDoor(SocketAddr),
}

impl ServerNews {
    /// Whether an operator should look.
    #[must_use]
    pub const fn is_trouble(&self) -> bool {
        matches!(
            self,
            Self::Down(_) | Self::AddressDown(..) | Self::NameLost(_) | Self::OwnDoor(_)
        )
    }
}

impl fmt::Display for ServerNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down(why) => write!(f, "the server is out: its health check failed: {why}"),
            Self::Up => f.write_str("the server is back: its health check succeeds"),
            Self::AddressDown(address, why) => write!(
                f,
                "the server's address {address} is out: its health check failed: {why}"
            ),
            Self::AddressUp(address) => write!(
                f,
                "the server's address {address} is back: its health check succeeds"
            ),
            Self::Addresses(addresses) => {
                f.write_str("the server's name stands for")?;
                addresses.iter().try_for_each(|ip| write!(f, " {ip}"))
            }
            Self::NameLost(why) => write!(
                f,
                "the server's name can't be looked up, what is known of it stays: {why}"
            ),
            Self::NameFound => f.write_str("the server's name can be looked up again"),
            Self::OwnDoor(door) => write!(
                f,
                "an address of the server is not used: {}",
                ConnectError::OwnDoor(*door)
            ),
        }
    }
}

type Now = dyn Fn() -> Tick + Send + Sync;
type Observe = dyn Fn(&ServerEvent) + Send + Sync;

/// Runs the checks and look-ups of pools, on the runtime that it is used on. Dropping it ends them.
pub struct Attendance {
    clock: Arc<Now>,
    observer: Arc<Observe>,
    tasks: HashMap<(Arc<str>, Arc<str>), Task>,
}

/// The task of one server; dropping this ends it.
struct Task {
    server: watch::Sender<Attended>,
    abort: AbortHandle,
}

/// A server with what its pool says about looking names up.
type Attended = (Arc<Server>, Option<SocketAddr>);

impl Attendance {
    /// Attends to nothing yet. `observer` is told what happens to servers.
    #[must_use]
    pub fn new(
        clock: impl Fn() -> Tick + Send + Sync + 'static,
        observer: impl Fn(&ServerEvent) + Send + Sync + 'static,
    ) -> Self {
        Self {
            clock: Arc::new(clock),
            observer: Arc::new(observer),
            tasks: HashMap::new(),
        }
    }

    /// Attends to the servers of `upstreams` from now on, and to no others. To be called on a tokio
    /// runtime, at the start and when the pools change.
    pub fn attend(&mut self, upstreams: &Upstreams) {
        let mut old = std::mem::take(&mut self.tasks);
        for pool in upstreams.iter() {
            for server in pool.servers() {
                if let Some(door) = server.own_door() {
                    self.tell(pool.name(), server, ServerNews::OwnDoor(door));
                }
                if !server.is_attended() {
                    continue;
                }
                let key = (Arc::clone(pool.name()), Arc::clone(server.label()));
                let attended = (Arc::clone(server), pool.settings().resolver);
                let task = match old.remove(&key) {
                    Some(task) => {
                        task.server.send_replace(attended);
                        task
                    }
                    None => self.start(pool, attended),
                };
                self.tasks.insert(key, task);
            }
        }
    }

    /// How many servers it attends to.
    #[must_use]
    pub fn servers(&self) -> usize {
        self.tasks.len()
    }

    fn tell(&self, pool: &Arc<str>, server: &Server, news: ServerNews) {
        tell(&*self.observer, pool, server, news);
    }

    fn start(&self, pool: &Pool, attended: Attended) -> Task {
        let (server, watched) = watch::channel(attended);
        let attendant = Attendant {
            pool: Arc::clone(pool.name()),
            clock: Arc::clone(&self.clock),
            observer: Arc::clone(&self.observer),
        };
        let task = tokio::spawn(async move {
            tokio::join!(
                attendant.check_all(watched.clone()),
                attendant.look_up_all(watched)
            )
        });
        Task {
            server,
            abort: task.abort_handle(),
        }
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.abort.abort();
    }
}

/// Attends to one server.
struct Attendant {
    pool: Arc<str>,
    clock: Arc<Now>,
    observer: Arc<Observe>,
}

impl Attendant {
    /// Checks the server at its intervals, as long as its settings say so; ends with the sender.
    async fn check_all(&self, mut watched: watch::Receiver<Attended>) {
        let mut next = None;
        loop {
            let server = Arc::clone(&watched.borrow_and_update().0);
            let due = server.health_check.as_ref().map(|settings| {
                let next = *next.get_or_insert_with(|| Instant::now() + start_of(settings.pace));
                // An interval that was made shorter is not waited for.
                next.min(Instant::now() + settings.pace.interval())
            });
            tokio::select! {
                () = until(due) => {}
                changed = watched.changed() => match changed {
                    Ok(()) => continue,
                    Err(_) => return,
                },
            }
            if let Some(settings) = &server.health_check {
                let result = self.check(&server, settings).await;
                self.note(&server, result);
                next = Some(Instant::now() + settings.pace.interval());
            }
        }
    }

    /// Checks the server, and where its name has several addresses each of them: one that is well is
    /// enough for the server to be.
    async fn check(&self, server: &Server, settings: &HealthCheck) -> Result<(), String> {
        let (probe, pace) = (&settings.probe, settings.pace);
        if server.address.is_name() {
            // The first check decides by itself: it is to be one of all addresses.
            let _ = timeout(pace.timeout(), server.condition.name.settled()).await;
        }
        let addresses = server.several_addresses();
        if addresses.is_empty() {
            return check(server, Way::Any, probe, pace).await;
        }
        let ways = addresses.iter().map(|address| Way::Only(*address));
        let results = join_all(ways.map(|way| check(server, way, probe, pace))).await;
        for (address, result) in addresses.iter().zip(&results) {
            self.note_address(server, address.ip(), result.clone(), settings.thresholds);
        }
        let found = results.into_iter().reduce(|one, other| one.or(other));
        found.unwrap_or(Ok(()))
    }

    fn note_address(
        &self,
        server: &Server,
        address: IpAddr,
        result: Result<(), String>,
        thresholds: CheckThresholds,
    ) {
        let result = result.map_err(|reason| CheckFailure {
            at: (self.clock)(),
            reason: reason.into(),
        });
        let why = result.as_ref().err().map(|failure| &failure.reason);
        let why = why.map(Arc::clone).unwrap_or_default();
        let name = &server.condition.name;
        let change = name.with_condition(address, |of, _| of.check.note(result, thresholds));
        match change.flatten() {
            None => {}
            Some(Change::Down) => {
                server.leave(address);
                self.tell(server, ServerNews::AddressDown(address, why));
            }
            Some(Change::Up) => self.tell(server, ServerNews::AddressUp(address)),
        }
    }

    fn note(&self, server: &Server, result: Result<(), String>) {
        let now = (self.clock)();
        let result = result.map_err(|reason| CheckFailure {
            at: now,
            reason: reason.into(),
        });
        let why = result.as_ref().err().map(|failure| &failure.reason);
        let why = why.map(Arc::clone).unwrap_or_default();
        let Some(settings) = &server.health_check else {
            return;
        };
        match server.condition.check.note(result, settings.thresholds) {
            None => {}
            Some(Change::Down) => {
                // They lead to the same trouble.
                server.idle.clear();
                server.http2.clear();
                self.tell(server, ServerNews::Down(why));
            }
            Some(Change::Up) => {
                server.back(now);
                self.tell(server, ServerNews::Up);
            }
        }
    }

    /// Looks the server's name up when the last answer is over; ends with the sender.
    async fn look_up_all(&self, mut watched: watch::Receiver<Attended>) {
        let mut retry = RETRY_MIN;
        loop {
            let (server, resolver) = watched.borrow_and_update().clone();
            let Target::Name { host, .. } = server.address.target() else {
                return;
            };
            let holds = match look_up(host, resolver).await {
                Ok((addresses, holds)) => {
                    self.found(&server, addresses);
                    retry = RETRY_MIN;
                    holds
                }
                Err(why) => {
                    if server.condition.name.failed(&why) {
                        self.tell(&server, ServerNews::NameLost(why.into()));
                    }
                    let holds = retry;
                    retry = retry.saturating_mul(2).min(RETRY_MAX);
                    holds
                }
            };
            let due = Instant::now() + holds;
            loop {
                tokio::select! {
                    () = sleep_until(due) => break,
                    changed = watched.changed() => match changed {
                        Ok(()) if is_asked_the_same(&watched, &server, resolver) => {}
                        Ok(()) => break,
                        Err(_) => return,
                    },
                }
            }
        }
    }

    fn found(&self, server: &Server, addresses: Vec<IpAddr>) {
        let name = &server.condition.name;
        let was_lost = name.known().failure.is_some();
        if name.found(addresses) {
            // What runs goes on; nothing new goes where the name doesn't lead any more.
            server.idle.keep_only(|address| name.contains(address.ip()));
            server
                .http2
                .keep_only(|address| name.contains(address.ip()));
            let addresses = name.known().addresses;
            self.tell(server, ServerNews::Addresses(addresses));
            if let Some(door) = server.own_door() {
                self.tell(server, ServerNews::OwnDoor(door));
            }
        } else if was_lost {
            self.tell(server, ServerNews::NameFound);
        }
    }

    fn tell(&self, server: &Server, news: ServerNews) {
        tell(&*self.observer, &self.pool, server, news);
    }
}

fn tell(observer: &Observe, pool: &Arc<str>, server: &Server, news: ServerNews) {
    observer(&ServerEvent {
        pool: Arc::clone(pool),
        server: Arc::clone(server.label()),
        news,
    });
}

/// Whether new settings change nothing about looking the server's name up.
fn is_asked_the_same(
    watched: &watch::Receiver<Attended>,
    server: &Server,
    resolver: Option<SocketAddr>,
) -> bool {
    let now = watched.borrow();
    now.1 == resolver && Arc::ptr_eq(&now.0.condition, &server.condition)
}

async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

/// When a server is checked first: somewhere in its interval, so that those of a pool, and all the
/// gates in front of it, don't ask at the same moment.
fn start_of(pace: CheckPace) -> Duration {
    let random = RandomState::new().hash_one(()) % 1024;
    let part = u32::try_from(random).unwrap_or(0);
    pace.interval() / 1024 * part
}
