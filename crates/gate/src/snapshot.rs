//! Everything compiled from settings.

use std::sync::Arc;

use palisade_access::BuildError;
use palisade_decisions::Version;
use palisade_geo::GeoDatabases;
use palisade_limits::LockoutPolicy;
use palisade_vocabulary::{CidrSet, Ip, Known, Place};

use crate::settings::{BlockingSettings, DecisionsPolicy, GateSettings};
use crate::{Rules, Site, Sites};

/// Everything that the checks read, compiled from settings: immutable, swapped whole on reload. A
/// request loads it once.
#[derive(Debug)]
pub struct Snapshot {
    /// The sites.
    pub sites: Sites,
    /// Clients that pass everything.
    pub trusted_clients: CidrSet,
    /// The global access rules.
    pub access: Rules,
    /// What is done with decisions.
    pub decisions: DecisionsPolicy,
    /// How a refusal looks.
    pub blocking: BlockingSettings,
    /// Who is locked out after failures to authenticate.
    pub lockout: LockoutPolicy,
    /// Where addresses are.
    pub geo: Arc<GeoDatabases>,
    /// Whether any access rule or protected path asks where a client is.
    rules_need_place: bool,
}

impl Snapshot {
    /// Compiles settings.
    ///
    /// # Errors
    /// All that keeps rules from being compiled together.
    pub fn build(settings: GateSettings, geo: Arc<GeoDatabases>) -> Result<Self, Vec<BuildError>> {
        let access = Rules::build(settings.rules)?;
        let sites = Sites::build(settings.sites)?;
        let needs_place =
            |site: &Arc<Site>| site.access.needs_place() || site.protected.needs_place();
        let rules_need_place = access.needs_place() || sites.iter().any(needs_place);
        Ok(Self {
            sites,
            trusted_clients: settings.trusted_clients,
            access,
            decisions: settings.decisions,
            blocking: settings.blocking,
            lockout: settings.lockout,
            geo,
            rules_need_place,
        })
    }

    /// Where a client is, if any rule or decision asks; it is then judged by the same version of the
    /// decisions, since another may ask what this one doesn't.
    ///
    /// Hot path: runs per request, allocates nothing.
    #[must_use]
    pub fn place(&self, decisions: &Version, client: Ip) -> Place {
        if self.rules_need_place || decisions.asks_for_places() {
            return self.geo.place(client);
        }
        // Nobody asks: `Unlisted` and `Unavailable` would do as well.
        Place {
            country: Known::Unavailable,
            asn: Known::Unavailable,
        }
    }
}
