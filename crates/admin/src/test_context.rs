//! Doors over a process that has no clients.

use std::io::{Read, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::SystemTime;

use arc_swap::{ArcSwap, ArcSwapOption};
use palisade_config::{AdminSettings, MetricsSettings};
use palisade_crowdsec::{Credentials, LapiEvent, LapiStatus, Poller, Secret};
use palisade_decisions::DecisionTable;
use palisade_feeds::Lists;
use palisade_gate::settings::{DecisionsPolicy, GateSettings, SiteSettings};
use palisade_gate::{Snapshot, State};
use palisade_geo::GeoDatabases;
use palisade_proxy::settings::{Deadlines, Limits, ListenerSettings, ShutdownSettings};
use palisade_proxy::{
    Clock, Generation, Listener, Listeners, Rules, RulesState, Shared, Verifications,
};
use palisade_telemetry::{Fields, Level, LogSettings, MetricLabels, Metrics, Report, Telemetry};
use palisade_upstream::{PoolSettings, ServerSettings, Servers, Upstreams, Weight};
use palisade_vocabulary::Tick;
use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::spawn_blocking;

use crate::context::AdminContext;
use crate::doors::{DoorAt, Doors, OpenDoors};
use crate::local_decisions::LocalDecisions;
use crate::reload_status::ReloadStatus;

/// The key that [`lapi_status`] has, and that nothing may show.
pub(crate) const API_KEY: &str = "e30f4a1b-secret";

/// Keeps what the operator is told.
#[derive(Default)]
pub(crate) struct Told(Mutex<Vec<String>>);

impl Report for Told {
    fn report(&self, level: Level, topic: &'static str, message: &str, fields: Fields<'_>) {
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| format!(" {name}={value}"))
            .collect();
        let line = format!("{level:?} {topic}: {message}{}", fields.concat());
        self.0.lock().push(line);
    }
}

/// Doors that are served until this is dropped or [closed](Self::close).
pub(crate) struct TestDoors {
    pub(crate) context: Arc<AdminContext>,
    pub(crate) told: Arc<Told>,
    pub(crate) draining: watch::Sender<bool>,
    pub(crate) metrics: SocketAddr,
    pub(crate) admin: SocketAddr,
    pub(crate) socket: PathBuf,
    pub(crate) listener: SocketAddr,
    pub(crate) doors: OpenDoors,
    directory: tempfile::TempDir,
}

impl Told {
    pub(crate) fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }
}

impl TestDoors {
    /// All three doors, with nothing kept on disk.
    pub(crate) async fn open() -> Self {
        Self::with(DecisionsPolicy::default(), None, GeoDatabases::default())
    }

    pub(crate) fn with(
        policy: DecisionsPolicy,
        state_directory: Option<&Path>,
        geo: GeoDatabases,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (draining, is_draining) = watch::channel(false);
        let told = Arc::new(Told::default());
        let shared = shared(policy, geo, is_draining, told.clone());
        let table = Arc::clone(&shared.state.decisions);
        let now = shared.clock.now();
        let clock = shared.clock;
        let lists = Lists::new(
            Arc::clone(&table),
            None,
            Arc::new(move || clock.now()),
            tokio::runtime::Handle::current(),
            |_, _| {},
        );
        let (local, problem) = LocalDecisions::open(table, state_directory, now);
        assert_eq!(problem, None);
        let listener = listener();
        let address = listener.address();
        let context = Arc::new(AdminContext {
            confinement: Arc::new(palisade_confinement::Confinement::none()),
            version: "1.2.3",
            started: SystemTime::now(),
            shared: Arc::new(shared),
            listeners: Listeners::new(vec![listener]),
            leaving: AtomicBool::new(false),
            local: Arc::new(local),
            changes: Arc::default(),
            lapi: ArcSwapOption::empty(),
            usage: ArcSwapOption::empty(),
            lists: Arc::new(lists),
            reload: Arc::new(ReloadStatus::default()),
            report: told.clone(),
        });
        let doors = bind(&directory.path().join("admin.sock"));
        let doors = doors.serve(Arc::clone(&context)).unwrap();
        let at = doors.at();
        let [
            DoorAt::Metrics(metrics),
            DoorAt::Admin(admin),
            DoorAt::Socket(socket),
        ] = &*at
        else {
            panic!("{at:?}");
        };
        Self {
            told,
            draining,
            metrics: *metrics,
            admin: *admin,
            socket: socket.clone(),
            listener: address,
            doors,
            context,
            directory,
        }
    }

    /// Ends the serving; gives the folder that the socket was in.
    pub(crate) async fn close(self) -> tempfile::TempDir {
        self.doors.close().await;
        self.directory
    }
}

fn bind(socket: &Path) -> Doors {
    let loopback: SocketAddr = "127.0.0.1:0".parse().unwrap();
    let admin = AdminSettings {
        address: Some(loopback),
        socket: Some(socket.to_owned()),
        hosts: vec!["admin.example.com".into()],
    };
    Doors::bind(Some(&MetricsSettings { address: loopback }), Some(&admin)).unwrap()
}

fn shared(
    decisions: DecisionsPolicy,
    geo: GeoDatabases,
    draining: watch::Receiver<bool>,
    report: Arc<dyn Report>,
) -> Shared {
    let labels = MetricLabels {
        version: "1.2.3",
        hygiene_reasons: &[],
        proxy_reasons: &[],
    };
    let metrics = Arc::new(Metrics::new(labels).unwrap());
    let logs = LogSettings::default();
    let telemetry = Telemetry::open(&logs, Arc::clone(&metrics), report).unwrap();
    let settings = GateSettings {
        sites: vec![SiteSettings::new(
            "default".into(),
            Vec::new(),
            Some("app".into()),
        )],
        decisions,
        ..GateSettings::default()
    };
    let snapshot = Snapshot::build(settings, Arc::new(geo)).unwrap();
    let server = ServerSettings {
        address: "127.0.0.1:9000".parse().unwrap(),
        weight: Weight::default(),
    };
    let pool = PoolSettings::new("app", Servers::new(vec![server]).unwrap());
    let upstreams = Upstreams::build(vec![pool]).unwrap();
    let generation = Generation::new(
        1,
        snapshot,
        Rules::default(),
        upstreams,
        Arc::new(telemetry),
    )
    .unwrap();
    Shared {
        generation: ArcSwap::from_pointee(generation),
        state: Arc::new(State::new(Arc::new(DecisionTable::new()))),
        rules: RulesState::default(),
        verifications: Verifications::default(),
        metrics,
        clock: Clock::start(),
        draining,
        shutdown: ArcSwap::from_pointee(ShutdownSettings::default()),
    }
}

/// One that nobody connects to.
fn listener() -> Arc<Listener> {
    let settings = ListenerSettings {
        address: "127.0.0.1:0".parse().unwrap(),
        proxy_protocol: None,
        client_address: Default::default(),
        tls: None,
        http2: true,
        deadlines: Deadlines::default(),
        limits: Limits::default(),
    };
    Listener::bind(settings).unwrap()
}

/// That of a poller that has not asked yet.
pub(crate) fn lapi_status() -> Arc<LapiStatus> {
    let url = "http://127.0.0.1:8080/".parse().unwrap();
    let credentials = Credentials::ApiKey(Secret::new(API_KEY).unwrap());
    let settings = palisade_crowdsec::Settings::new(url, credentials).unwrap();
    let table = Arc::new(DecisionTable::new());
    let clock = Arc::new(|| Tick::from_millis(0));
    let poller = Poller::new(&settings, table, clock, Arc::new(|_: &LapiEvent| {}));
    poller.unwrap().status()
}

/// Sends bytes over a stream of their own; gives all that comes back, until the other end closes.
pub(crate) async fn exchange<S: Read + Write>(
    connect: impl FnOnce() -> S + Send + 'static,
    request: impl Into<Vec<u8>>,
) -> String {
    let request = request.into();
    let exchanged = spawn_blocking(move || {
        let mut stream = connect();
        stream.write_all(&request).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        String::from_utf8(answer).unwrap()
    });
    exchanged.await.unwrap()
}

/// [`exchange`] over TCP.
pub(crate) async fn over_tcp(address: SocketAddr, request: impl Into<Vec<u8>>) -> String {
    exchange(
        move || std::net::TcpStream::connect(address).unwrap(),
        request,
    )
    .await
}

/// [`exchange`] over a Unix socket.
pub(crate) async fn over_socket(path: &Path, request: impl Into<Vec<u8>>) -> String {
    let path = path.to_owned();
    exchange(
        move || std::os::unix::net::UnixStream::connect(path).unwrap(),
        request,
    )
    .await
}

/// The status and the body of an answer.
pub(crate) fn parts(answer: &str) -> (u16, &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body)
}
