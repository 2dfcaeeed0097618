//! Host names of servers: the addresses that each stands for now.
//!
//! Looked up beside the requests, again when an answer's time to live is over; a request only reads
//! what is known. When DNS doesn't answer, or says that there is no such name, the last good answer
//! holds: a server that worked a moment ago is a better guess than none.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};
use tokio::sync::watch;

/// The most addresses of one name that are used.
const ADDRESSES_MAX: usize = 64;

/// How long an answer holds at least, whatever its time to live says: a zero would be a flood.
const TTL_MIN: Duration = Duration::from_secs(1);

/// How long an answer holds at most: a change is seen within five minutes.
const TTL_MAX: Duration = Duration::from_secs(300);

/// How long one question may take, all name servers together.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(2);

/// How often a question is asked before the look-up has failed.
const ATTEMPTS: usize = 2;

/// What is known of one name.
#[derive(Debug)]
pub(crate) struct NameAddresses {
    known: watch::Sender<Known>,
    turns: AtomicUsize,
}

/// The state of one name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Empty until a look-up succeeds.
    pub(crate) addresses: Arc<[IpAddr]>,
    /// Why the last look-up failed; `None` when it didn't, or before the first.
    pub(crate) failure: Option<Arc<str>>,
}

impl Known {
    fn is_settled(&self) -> bool {
        !self.addresses.is_empty() || self.failure.is_some()
    }
}

impl Default for NameAddresses {
    fn default() -> Self {
        Self {
            known: watch::Sender::new(Known::default()),
            turns: AtomicUsize::new(0),
        }
    }
}

impl NameAddresses {
    /// What is known now.
    pub(crate) fn known(&self) -> Known {
        self.known.borrow().clone()
    }

    /// Whether `address` is one that the name stands for.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        self.known.borrow().addresses.contains(&address)
    }

    /// The addresses for a connect, another one first each time. Waits only while the very first
    /// look-up is under way.
    ///
    /// # Errors
    /// When none is known: why.
    pub(crate) async fn for_connect(&self, port: u16) -> Result<Vec<SocketAddr>, Arc<str>> {
        let mut watched = self.known.subscribe();
        let known = watched.wait_for(Known::is_settled).await;
        // The sender is here, so that the wait can't end without.
        let known = known.map(|known| known.clone()).unwrap_or_default();
        if known.addresses.is_empty() {
            return Err(known.failure.unwrap_or_else(|| "not looked up yet".into()));
        }
        let first = self.turns.fetch_add(1, Relaxed) % known.addresses.len();
        let (before, from) = known.addresses.split_at_checked(first).unwrap_or_default();
        let order = from.iter().chain(before);
        Ok(order.map(|&ip| SocketAddr::new(ip, port)).collect())
    }

    /// Notes an answer; whether the addresses are not what they were.
    pub(crate) fn found(&self, mut addresses: Vec<IpAddr>) -> bool {
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(ADDRESSES_MAX);
        let is_new = *self.known.borrow().addresses != *addresses;
        self.known.send_if_modified(|known| {
            let is_modified = is_new || known.failure.is_some();
            known.failure = None;
            if is_new {
                known.addresses = addresses.into();
            }
            is_modified
        });
        is_new
    }

    /// Notes a look-up that failed: what was known stays. Whether the one before had not failed.
    pub(crate) fn failed(&self, why: &str) -> bool {
        let mut is_new = false;
        self.known.send_modify(|known| {
            is_new = known.failure.is_none();
            known.failure = Some(why.into());
        });
        is_new
    }
}

/// Asks the name server at `resolver`, or as the system says, for the addresses of `host`: they, and
/// how long they hold.
///
/// The system's own settings (`/etc/resolv.conf`, `/etc/hosts`) are read each time: they change, in a
/// container or with the network.
pub(crate) async fn look_up(
    host: &str,
    resolver: Option<SocketAddr>,
) -> Result<(Vec<IpAddr>, Duration), String> {
    let resolver = prepare(resolver)
        .and_then(|mut builder| {
            options(builder.options_mut());
            builder.build()
        })
        .map_err(|error| format!("no name server can be asked: {error}"))?;
    let found = resolver.lookup_ip(host).await;
    let found = found.map_err(|error| error.to_string())?;
    let addresses: Vec<IpAddr> = found.iter().map(|ip| ip.to_canonical()).collect();
    if addresses.is_empty() {
        return Err("the name has no address".to_owned());
    }
    let holds = found
        .valid_until()
        .saturating_duration_since(std::time::Instant::now());
    Ok((addresses, holds.clamp(TTL_MIN, TTL_MAX)))
}

type Builder = ResolverBuilder<TokioRuntimeProvider>;

fn prepare(resolver: Option<SocketAddr>) -> Result<Builder, hickory_resolver::net::NetError> {
    let Some(address) = resolver else {
        return TokioResolver::builder_tokio();
    };
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = address.port();
        connection
    });
    let server = NameServerConfig::new(address.ip(), true, connections.into());
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let provider = TokioRuntimeProvider::default();
    Ok(TokioResolver::builder_with_config(config, provider))
}

fn options(options: &mut ResolverOpts) {
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    options.cache_size = 0;
    options.timeout = QUESTION_TIMEOUT;
    options.attempts = ATTEMPTS;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    async fn order(name: &NameAddresses) -> Vec<String> {
        let addresses = name.for_connect(80).await.unwrap();
        addresses.iter().map(ToString::to_string).collect()
    }

    #[tokio::test]
    async fn all_addresses_are_used_in_turn() {
        let name = NameAddresses::default();
        assert!(name.found(ips(&["10.0.0.2", "10.0.0.1", "10.0.0.2"])));
        assert_eq!(order(&name).await, ["10.0.0.1:80", "10.0.0.2:80"]);
        assert_eq!(order(&name).await, ["10.0.0.2:80", "10.0.0.1:80"]);
        assert_eq!(order(&name).await, ["10.0.0.1:80", "10.0.0.2:80"]);
    }

    #[tokio::test]
    async fn the_last_good_answer_holds() {
        let name = NameAddresses::default();
        name.found(ips(&["10.0.0.1"]));
        assert!(name.failed("timed out"));
        assert!(!name.failed("timed out"), "only the first is news");
        assert_eq!(order(&name).await, ["10.0.0.1:80"]);
        assert_eq!(name.known().failure.as_deref(), Some("timed out"));
        assert!(!name.found(ips(&["10.0.0.1"])), "nothing changed");
        assert_eq!(name.known().failure, None);
        assert!(name.found(ips(&["10.0.0.3"])));
        assert!(name.contains(ips(&["10.0.0.3"])[0]) && !name.contains(ips(&["10.0.0.1"])[0]));
    }

    #[tokio::test]
    async fn a_name_that_was_never_found_is_an_error_at_once() {
        let name = NameAddresses::default();
        name.failed("no such name");
        assert_eq!(name.for_connect(80).await, Err("no such name".into()));
    }

    #[tokio::test]
    async fn a_connect_waits_for_the_first_answer() {
        let name = NameAddresses::default();
        let (connect, ()) = tokio::join!(name.for_connect(80), async {
            tokio::task::yield_now().await;
            name.found(ips(&["10.0.0.1"]));
        });
        assert_eq!(connect.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn the_systems_own_names_are_known() {
        let (addresses, holds) = look_up("localhost", None).await.unwrap();
        assert!(addresses.iter().all(IpAddr::is_loopback));
        assert!((TTL_MIN..=TTL_MAX).contains(&holds));
    }
}
