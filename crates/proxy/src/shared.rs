//! What all connections share.

use std::collections::HashMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use palisade_gate::{Snapshot, State};
use palisade_seclang::{CollectionLimits, Collections};
use palisade_telemetry::{Metrics, MetricsError, Telemetry, UpstreamMetrics};
use palisade_upstream::{Pool, Upstreams};
use palisade_vocabulary::ByteSize;
use palisade_waf::RuleSets;
use tokio::sync::watch;

use crate::respond::Pages;
use crate::settings::ShutdownSettings;
use crate::{BodyMemory, Clock, ShadowLane, ShadowSettings, Verifications};

/// What all connections of a process share.
pub struct Shared {
    /// What the settings say now; swapped whole.
    pub generation: ArcSwap<Generation>,
    /// What survives a reload.
    pub state: Arc<State>,
    /// What SecLang rules keep beyond a request.
    pub rules: RulesState,
    /// Room for what is slow of authentication.
    pub verifications: Verifications,
    /// The metrics, which survive it too.
    pub metrics: Arc<Metrics>,
    /// The time.
    pub clock: Clock,
    /// Turns true once: no new requests then, and connections end with what they are at.
    pub draining: watch::Receiver<bool>,
    /// How the process ends.
    pub shutdown: ArcSwap<ShutdownSettings>,
}

/// What one reading of the settings made. A request holds on to the one that it began with.
pub struct Generation {
    /// Counts from 1.
    pub number: u64,
    /// What the checks read.
    pub snapshot: Snapshot,
    /// The SecLang rules that guard each site.
    pub rule_sets: RuleSets,
    /// The most memory that bodies take that are held until they are judged.
    pub body_memory_max: ByteSize,
    /// What rules may take that judge beside those that guard sites.
    pub shadow: ShadowSettings,
    /// The backends.
    pub upstreams: Upstreams,
    /// Where events go.
    pub telemetry: Arc<Telemetry>,
    backends: HashMap<Arc<str>, Backend, ahash::RandomState>,
    pages: Pages,
}

/// What SecLang rules keep beyond a request, and beyond a reload.
#[derive(Debug)]
pub struct RulesState {
    /// Records of collections.
    pub collections: Arc<Collections>,
    /// The memory of bodies that are held until they are judged.
    pub body_memory: Arc<BodyMemory>,
    /// The way of requests to rules that judge beside those that guard sites.
    pub shadow: ShadowLane,
}

impl Default for RulesState {
    fn default() -> Self {
        Self {
            collections: Arc::new(Collections::new(CollectionLimits::default())),
            body_memory: Arc::default(),
            shadow: ShadowLane::default(),
        }
    }
}

/// SecLang rules, and what they may take.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Those that guard each site.
    pub rule_sets: RuleSets,
    /// The most memory that bodies take that are held until they are judged.
    pub body_memory_max: ByteSize,
    /// What those may take that judge beside.
    pub shadow: ShadowSettings,
}

impl Rules {
    /// What such bodies may take where nothing is said of it.
    pub const BODY_MEMORY_MAX_DEFAULT: ByteSize = ByteSize::mib(256);
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            rule_sets: RuleSets::default(),
            body_memory_max: Self::BODY_MEMORY_MAX_DEFAULT,
            shadow: ShadowSettings::default(),
        }
    }
}

/// A pool with its metrics.
pub(crate) struct Backend {
    pool: Arc<Pool>,
    metrics: UpstreamMetrics,
}

impl Generation {
    /// The generation of a snapshot and its backends.
    ///
    /// # Errors
    /// When the metrics of a backend can't be made.
    pub fn new(
        number: u64,
        snapshot: Snapshot,
        rules: Rules,
        upstreams: Upstreams,
        telemetry: Arc<Telemetry>,
    ) -> Result<Self, MetricsError> {
        let backends = upstreams.iter().map(|pool| {
            let backend = Backend {
                pool: Arc::clone(pool),
                metrics: telemetry.metrics().upstream(pool.name())?,
            };
            Ok((Arc::clone(pool.name()), backend))
        });
        Ok(Self {
            number,
            backends: backends.collect::<Result<_, MetricsError>>()?,
            pages: Pages::new(snapshot.blocking.page.clone()),
            snapshot,
            rule_sets: rules.rule_sets,
            body_memory_max: rules.body_memory_max,
            shadow: rules.shadow,
            upstreams,
            telemetry,
        })
    }

    pub(crate) fn backend(&self, name: &str) -> Option<&Backend> {
        self.backends.get(name)
    }

    pub(crate) fn pages(&self) -> &Pages {
        &self.pages
    }
}

impl Backend {
    pub(crate) fn name(&self) -> &Arc<str> {
        self.pool.name()
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(crate) fn metrics(&self) -> &UpstreamMetrics {
        &self.metrics
    }
}
