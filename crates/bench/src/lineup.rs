//! The servers that are measured, running.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use http::HeaderValue;

use crate::addresses::{Listed, benign_clients};
use crate::backend::Backend;
use crate::cost;
use crate::lapi::Lapi;
use crate::load::{Certificate, ClientTls};
use crate::palisade::{Palisade, Setting};
use crate::peers::Peer;
use crate::place::{Opens, Place};
use crate::plan::{Plan, Running};
use crate::server::{Server, StartError, free_doors};
use crate::session::Interrupted;
use crate::subject::Subject;

/// A million decisions take some seconds to be sent and read.
const DECISIONS_PATIENCE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The seed of the list that all have, and of the one that comes and goes.
const LISTED_SEED: u64 = 42;
const OTHERS_SEED: u64 = 43;

/// Why nothing can be measured.
#[derive(Debug, thiserror::Error)]
pub enum LineupError {
    /// A file or a port.
    #[error("the harness can't prepare its run: {0}")]
    Io(#[from] io::Error),
    /// A certificate.
    #[error("the harness can't make a certificate: {0}")]
    Tls(#[from] rustls::Error),
    /// A server.
    #[error("{title}: {error}")]
    Start {
        /// Which one.
        title: String,
        /// Why it doesn't run.
        error: StartError,
    },
    /// A Palisade that doesn't get what LAPI has.
    #[error("{title} has {held} of {wanted} decisions after {DECISIONS_PATIENCE:?}")]
    Decisions {
        /// Which one.
        title: String,
        /// How many it has.
        held: u64,
        /// How many it should.
        wanted: usize,
    },
    /// Somebody asked for the end.
    #[error(transparent)]
    Interrupted(#[from] Interrupted),
    /// A server that runs already, supposedly.
    #[error("{name}: nobody that this user may look into listens at {door}")]
    NobodyListens {
        /// What it is called.
        name: String,
        /// Where it should be.
        door: SocketAddr,
    },
}

/// All servers, what is behind them, and who asks them.
#[derive(Debug)]
pub struct Lineup {
    /// The servers, in the order of the tables.
    pub subjects: Vec<Subject>,
    /// Clients that are on no list.
    pub clients: Arc<[(Ipv4Addr, HeaderValue)]>,
    /// A client that is.
    pub listed: Ipv4Addr,
    /// A client that is while LAPI has announced what follows.
    pub announced: Ipv4Addr,
    /// What LAPI announces, and takes back, as documents.
    pub deltas: [Arc<str>; 2],
    /// Peers that didn't start, and why.
    pub absent: Vec<String>,
    /// What is behind them.
    pub backend: Backend,
}

/// What all servers are started with.
struct Start<'a> {
    plan: &'a Plan,
    folder: &'a Path,
    certificate: Certificate,
    blocked: PathBuf,
    listed: Arc<Listed>,
    million: Option<Arc<Listed>>,
    backend: &'a Backend,
    is_over: &'a AtomicBool,
}

impl Lineup {
    /// Starts all servers of a plan, with their files in `folder`, which is theirs alone.
    ///
    /// # Errors
    /// Where Palisade doesn't run, or one that should run already. A peer that doesn't run is left out.
    pub fn start(
        plan: &Plan,
        folder: &Path,
        tell: &dyn Fn(&str),
        is_over: &AtomicBool,
    ) -> Result<Self, LineupError> {
        let listed = Arc::new(Listed::new(Setting::Gate.decisions(), LISTED_SEED));
        let others = Listed::new(Setting::Gate.decisions(), OTHERS_SEED);
        let million = plan
            .settings
            .contains(&Setting::GateLarge)
            .then(|| Arc::new(Listed::new(Setting::GateLarge.decisions(), LISTED_SEED)));
        let mut lists = vec![&*listed, &others];
        lists.extend(million.as_deref());
        let clients = benign_clients(&lists);
        let blocked = folder.join("blocked.txt");
        std::fs::write(&blocked, listed.lines())?;
        let backend = Backend::start(Arc::clone(&listed))?;
        let start = Start {
            plan,
            folder,
            certificate: Certificate::make(folder)?,
            blocked,
            listed: Arc::clone(&listed),
            million,
            backend: &backend,
            is_over,
        };
        let (mut subjects, mut absent) = (Vec::new(), Vec::new());
        let running: Vec<Subject> = plan
            .running
            .iter()
            .map(|running| start.running(running))
            .collect::<Result<_, _>>()?;
        for setting in &plan.settings {
            tell(&format!("starting {}", plan.title(*setting)));
            start.go_on()?;
            subjects.push(start.palisade(*setting)?);
        }
        for peer in &plan.peers {
            tell(&format!("starting {}", peer.title));
            start.go_on()?;
            match start.peer(peer) {
                Ok(subject) => subjects.push(subject),
                Err(reason) => absent.push(reason),
            }
        }
        subjects.extend(running);
        Ok(Self {
            subjects,
            clients: clients.into(),
            listed: listed.any().unwrap_or(Ipv4Addr::UNSPECIFIED),
            announced: others.any_not_in(&listed).unwrap_or(Ipv4Addr::UNSPECIFIED),
            deltas: ["new", "deleted"].map(|member| others.decisions(member).into()),
            absent,
            backend,
        })
    }
}

impl Start<'_> {
    fn place(&self, name: &str) -> io::Result<Place> {
        let folder = self.folder.join(name);
        std::fs::create_dir_all(&folder)?;
        Ok(Place {
            folder,
            doors: free_doors()?,
            backend: self.backend.site,
            auth: self.backend.auth,
            certificate: self.certificate.certificate.clone(),
            key: self.certificate.key.clone(),
            blocked: self.blocked.clone(),
            crs: self.plan.crs.clone(),
            workers: self.plan.workers,
        })
    }

    fn palisade(&self, setting: Setting) -> Result<Subject, LineupError> {
        let name = format!("palisade-{}", setting.name());
        let place = self.place(&name)?;
        let listed = match setting {
            Setting::GateLarge => self.million.as_ref(),
            _ => Some(&self.listed),
        };
        let listed = listed.filter(|_| setting.decisions() > 0);
        let lapi = listed
            .map(|listed| Lapi::start(listed.decisions("new")))
            .transpose()?;
        let metrics = free_address()?;
        let palisade = Palisade {
            setting,
            program: &self.plan.program,
            lapi: lapi.as_ref().map(Lapi::address),
            metrics,
            country_database: self.plan.country_database.as_deref(),
        };
        let launch = palisade.prepare(&place)?;
        let doors = [
            place.doors.plain,
            place.doors.tls,
            place.doors.proxy,
            metrics,
        ];
        let server = Server::start(&launch, &place.folder, &doors);
        let server = server.map_err(|error| LineupError::Start {
            title: self.plan.title(setting).to_owned(),
            error,
        })?;
        let subject = Subject {
            name,
            title: self.plan.title(setting).to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            duty: setting.duty(),
            setting: Some(setting),
            process: server.pid(),
            doors: place.doors,
            opens: Opens {
                tls: true,
                http2: true,
                proxy: true,
            },
            tls: ClientTls::trusting(&self.certificate, self.plan.clients)?,
            server: Some(server),
            lapi,
            metrics: Some(metrics),
            folder: place.folder,
        };
        self.await_decisions(&subject, setting.decisions())?;
        Ok(subject)
    }

    /// The reason is for the person at the terminal.
    fn peer(&self, peer: &Peer) -> Result<Subject, String> {
        let because = |error: &dyn std::fmt::Display| format!("{}: {error}", peer.title);
        let version = peer.find().map_err(|error| because(&error))?;
        let place = self.place(peer.name).map_err(|error| because(&error))?;
        let launch = peer.prepare(&place).map_err(|error| because(&error))?;
        let (doors, opens) = (place.doors, peer.opens);
        let mut open = vec![doors.plain];
        open.extend((opens.tls || opens.http2).then_some(doors.tls));
        // A probe without a PROXY header is an error that some log at length.
        let server =
            Server::start(&launch, &place.folder, &open).map_err(|error| because(&error))?;
        let process = server.pid();
        Ok(Subject {
            name: peer.name.to_owned(),
            title: peer.title.to_owned(),
            version,
            duty: peer.duty,
            setting: None,
            process,
            doors,
            opens,
            tls: ClientTls::trusting(&self.certificate, self.plan.clients)
                .map_err(|error| because(&error))?,
            server: Some(server),
            lapi: None,
            metrics: None,
            folder: place.folder,
        })
    }

    fn running(&self, running: &Running) -> Result<Subject, LineupError> {
        let door = running.door.address();
        let process = cost::listening_process(door).ok_or_else(|| LineupError::NobodyListens {
            name: running.name.clone(),
            door,
        })?;
        let tls = ClientTls::trusting(&self.certificate, self.plan.clients)?;
        Ok(Subject::at(&running.name, door, process, tls))
    }

    fn go_on(&self) -> Result<(), LineupError> {
        match self.is_over.load(Ordering::Relaxed) {
            true => Err(Interrupted.into()),
            false => Ok(()),
        }
    }

    fn await_decisions(&self, subject: &Subject, wanted: usize) -> Result<(), LineupError> {
        let patience = Instant::now() + DECISIONS_PATIENCE;
        loop {
            self.go_on()?;
            let held = subject.metric("palisade_decisions")? as u64;
            if held >= wanted as u64 {
                return Ok(());
            }
            if Instant::now() > patience {
                return Err(LineupError::Decisions {
                    title: subject.title.clone(),
                    held,
                    wanted,
                });
            }
            std::thread::sleep(LOOK_EVERY);
        }
    }
}

fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind("127.0.0.1:0")?.local_addr()
}

/// What a test measures: servers that it has started itself.
#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::place::Duty;

    /// The backend itself, which lets everybody pass, or its service for ForwardAuth, which doesn't.
    pub(crate) fn lineup(duties: &[Duty]) -> Lineup {
        let folder = tempfile::tempdir().expect("a folder");
        let certificate = Certificate::make(folder.path()).expect("a certificate");
        let listed = Arc::new(Listed::new(100, 1));
        let backend = Backend::start(Arc::clone(&listed)).expect("a backend");
        let subjects = duties.iter().flat_map(|duty| {
            [backend.site, backend.auth].map(|door| {
                let tls = ClientTls::trusting(&certificate, 1).expect("its own certificate");
                let mut subject = Subject::at("backend", door, std::process::id(), tls);
                subject.duty = *duty;
                subject
            })
        });
        Lineup {
            subjects: subjects.collect(),
            clients: benign_clients(&[&listed]).into(),
            listed: listed.any().expect("a listed client"),
            announced: Ipv4Addr::UNSPECIFIED,
            deltas: ["".into(), "".into()],
            absent: Vec::new(),
            backend,
        }
    }
}
