//! Everything that a request is judged by.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::sync::Arc;

use http::HeaderValue;
use palisade_client_address::resolve::HopRule;
use palisade_decisions::{DecisionTable, Delta, SourceId};
use palisade_gate::{Snapshot, State};
use palisade_proxy::judge::{Case, Court, Judged, Ruling, Scratch, judge};
use palisade_testkit::alloc::live_bytes;
use palisade_vocabulary::{ClientAddr, Scheme, Tick};

use crate::browser::BrowserRequest;
use crate::decisions::decisions;
use crate::settings::{Rules, SettingsFiles};
use palisade_bench::random::Random;

/// The time of all requests.
pub const NOW: Tick = Tick::from_millis(1_000_000);

/// What a request is judged by: compiled settings, decisions, the time.
#[derive(Debug)]
pub struct Scene {
    /// What the settings say.
    pub snapshot: Snapshot,
    /// The decisions.
    pub state: State,
    /// The memory that the decisions take, where the program counts it and no other thread runs.
    pub decision_bytes: usize,
    hops: Vec<HopRule>,
    hop: ClientAddr,
}

impl Scene {
    /// A scene with these rules and so many decisions: see [`SettingsFiles`] and [`decisions`].
    #[must_use]
    pub fn new(rules: Rules, decision_count: usize) -> Self {
        let settings = SettingsFiles::new(rules, "127.0.0.1:8000", "127.0.0.1:9000").load();
        let snapshot = Snapshot::build(settings.gate, settings.geo).expect("rules that compile");
        let bytes_before = live_bytes();
        let table = DecisionTable::new();
        let announced = Delta {
            deleted: Vec::new(),
            added: decisions(decision_count, NOW),
        };
        table.apply_snapshot(SourceId::CrowdSec, announced, NOW);
        assert_eq!(table.len(), decision_count, "all decisions are held");
        let decision_bytes = live_bytes().saturating_sub(bytes_before);
        let listeners = settings.listeners.into_iter();
        Self {
            snapshot,
            state: State::new(Arc::new(table)),
            decision_bytes,
            hops: listeners
                .flat_map(|listener| listener.client_address)
                .collect(),
            hop: ClientAddr::peer(Ipv4Addr::new(10, 0, 0, 5).into(), 40_000),
        }
    }

    /// How many access rules there are for all sites.
    #[must_use]
    pub fn rule_count(&self) -> usize {
        self.snapshot.access.set().rules().len()
    }

    /// Judges `request`, as the proxy does: the client's address, its site, and all checks.
    pub fn judge(&self, request: &BrowserRequest, scratch: &mut Scratch) -> Judged {
        let court = Court {
            snapshot: &self.snapshot,
            state: &self.state,
            hops: &self.hops,
            now: NOW,
        };
        let case = Case {
            connection: &self.hop,
            scheme: Scheme::Https,
            version: request.head.version,
            method: request.head.method,
            host: request.head.host.as_ref().map(|host| host.name()),
            target: &request.head.target,
            headers: &request.headers,
            certificate_is_for_host: true,
            client_certificate: None,
        };
        judge(&court, &case, scratch, &mut ())
    }

    /// `count` different clients that pass, as X-Forwarded-For names them.
    #[must_use]
    pub fn benign_clients(&self, count: usize) -> Vec<HeaderValue> {
        let (mut random, mut seen) = (Random::new(7), HashSet::with_capacity(count));
        let (mut request, mut scratch) = (BrowserRequest::new(), Scratch::default());
        let mut clients = Vec::with_capacity(count);
        while clients.len() < count {
            let address = random.address();
            if !seen.insert(address) {
                continue;
            }
            let client = header_value(&address.to_string());
            request.set_client(&client);
            if self.passes(&request, &mut scratch) {
                clients.push(client);
            }
        }
        clients
    }

    /// Whether `request` is forwarded.
    pub fn passes(&self, request: &BrowserRequest, scratch: &mut Scratch) -> bool {
        matches!(self.judge(request, scratch).ruling, Ruling::Forward { .. })
    }
}

/// A value that can be copied without counting references, as bytes of a head can.
#[must_use]
pub fn header_value(text: &str) -> HeaderValue {
    HeaderValue::from_static(Box::leak(text.into()))
}
