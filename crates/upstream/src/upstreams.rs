//! All pools, by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use palisade_vocabulary::Tick;

use crate::own_doors::OwnDoors;
use crate::pool::Pool;
use crate::settings::{PoolSettings, SettingsError};
use crate::status::PoolStatus;
use crate::tls::SystemRoots;

/// All pools, by name: immutable, made anew when settings change.
///
/// What is learnt about a server (its failures, its requests in flight, its idle connections) is
/// shared between the set that was and the set that comes, so a reload forgets nothing.
#[derive(Debug, Default)]
pub struct Upstreams {
    pools: BTreeMap<Arc<str>, Arc<Pool>>,
    own_doors: Arc<OwnDoors>,
}

/// Why pools can't be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// Two pools have one name.
    #[error("upstream {0} is there twice; expected each name once")]
    PoolTwice(Arc<str>),
    /// The settings of a pool can't be used.
    #[error("upstream {pool}: {error}")]
    Pool {
        /// Its name.
        pool: Arc<str>,
        /// What is wrong.
        error: SettingsError,
    },
}

impl Upstreams {
    /// No pools yet. No server of those that [come](Self::rebuild) may be one of `own_doors`.
    #[must_use]
    pub fn beside(own_doors: Arc<OwnDoors>) -> Self {
        Self {
            own_doors,
            ..Self::default()
        }
    }

    /// The pools of `settings`. Reads the system's authorities from disk when a pool trusts them.
    ///
    /// # Errors
    /// When a name is there twice, or TLS can't be set up as a pool says.
    pub fn build(settings: Vec<PoolSettings>) -> Result<Self, BuildError> {
        Self::default().rebuild(settings)
    }

    /// The pools of `settings`, with what this set knows of servers that stay. A server stays when
    /// its pool's name and its address do; its connections stay when also the pool's protocol,
    /// TLS and PROXY settings do. This set goes on working for the requests that have it.
    ///
    /// # Errors
    /// As [`build`](Self::build); then nothing has changed.
    pub fn rebuild(&self, settings: Vec<PoolSettings>) -> Result<Self, BuildError> {
        let mut roots = SystemRoots::default();
        let mut pools = BTreeMap::new();
        for settings in settings {
            let name = Arc::clone(&settings.name);
            let old = self.get(&name).map(|pool| &**pool);
            let pool = Pool::build(settings, &mut roots, &self.own_doors, old);
            let pool = pool.map_err(|error| BuildError::Pool {
                pool: Arc::clone(&name),
                error,
            })?;
            if pools.insert(Arc::clone(&name), Arc::new(pool)).is_some() {
                return Err(BuildError::PoolTwice(name));
            }
        }
        Ok(Self {
            pools,
            own_doors: Arc::clone(&self.own_doors),
        })
    }

    /// The pool with the name `name`. A request has its pool from its route, which looked it up
    /// when settings were loaded.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Pool>> {
        self.pools.get(name)
    }

    /// All pools, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Pool>> {
        self.pools.values()
    }

    /// Drops idle connections that are too old or were closed by their server; to be called every
    /// few seconds. Returns how many that were.
    pub fn sweep(&self, now: Tick) -> usize {
        self.iter()
            .flat_map(|pool| pool.servers())
            .map(|server| {
                let limits = server.keep_alive;
                server.idle.sweep(now, limits) + server.http2.sweep(now, limits)
            })
            .sum()
    }

    /// All pools as they are at `now`, by name.
    #[must_use]
    pub fn status(&self, now: Tick) -> Vec<PoolStatus> {
        self.iter().map(|pool| pool.status(now)).collect()
    }
}
