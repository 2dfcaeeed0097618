//! Host names of servers: the addresses that each stands for now.
//!
//! Looked up beside the requests, again when an answer's time to live is over; a request only reads
//! what is known. Each address has a standing of its own, from checks and requests: a connect leaves
//! out those that fail as long as there are others. When DNS doesn't answer, or says that there is no such name, the last good answer
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
use palisade_vocabulary::Tick;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::check_state::CheckState;
use crate::health::{Health, Standing};

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
    begun: Instant,
}

/// What is known of one address of a name.
#[derive(Debug, Default)]
pub(crate) struct AddressCondition {
    pub(crate) health: Health,
    pub(crate) check: CheckState,
}

/// What a connect wants of a name's addresses.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Wanted {
    /// One to be left for last.
    pub(crate) but: Option<IpAddr>,
    /// Whether checks have a say.
    pub(crate) is_checked: bool,
    /// How long one that is tried once more has for that before the next may try.
    pub(crate) trial: Duration,
}

impl AddressCondition {
    /// Whether connects leave it out at `now`.
    fn is_out(&self, now: Tick, is_checked: bool) -> bool {
        is_checked && self.check.is_down() || self.health.standing(now) != Standing::In
    }

    /// Whether the connect that asks is the one that tries it once more.
    fn takes_trial(&self, now: Tick, wanted: Wanted) -> bool {
        match self.health.standing(now) {
            Standing::Due(due) if !(wanted.is_checked && self.check.is_down()) => {
                self.health.claim(due, now, wanted.trial).is_some()
            }
            _ => false,
        }
    }
}

/// The state of one name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Empty until a look-up succeeds.
    pub(crate) addresses: Arc<[IpAddr]>,
    /// Of each, in the same order.
    conditions: Arc<[Arc<AddressCondition>]>,
    /// Why the last look-up failed; `None` when it didn't, or before the first.
    pub(crate) failure: Option<Arc<str>>,
}

impl Known {
    fn with_conditions(&self) -> impl Iterator<Item = (&IpAddr, &Arc<AddressCondition>)> + Clone {
        self.addresses.iter().zip(self.conditions.iter())
    }

    fn condition(&self, address: IpAddr) -> Option<Arc<AddressCondition>> {
        let mut all = self.with_conditions();
        let (_, condition) = all.find(|(ip, _)| **ip == address)?;
        Some(Arc::clone(condition))
    }

    /// The addresses from the one at `first`, without those that are out; one that is to be tried in
    /// front.
    fn in_order(&self, first: usize, now: Tick, wanted: Wanted) -> Vec<IpAddr> {
        let all = self.with_conditions().cycle().skip(first);
        let mut order: Vec<_> = all.take(self.addresses.len()).collect();
        let mut trials = order.iter();
        let trial = trials.position(|(_, condition)| condition.takes_trial(now, wanted));
        let trial = trial.map(|place| order.remove(place));
        let is_in = |of: &AddressCondition| !of.is_out(now, wanted.is_checked);
        if trial.is_some() || order.iter().any(|(_, condition)| is_in(condition)) {
            order.retain(|(_, condition)| is_in(condition));
        }
        let order = trial.into_iter().chain(order);
        order.map(|(ip, _)| *ip).collect()
    }

    fn is_settled(&self) -> bool {
        !self.addresses.is_empty() || self.failure.is_some()
    }
}

impl Default for NameAddresses {
    fn default() -> Self {
        Self {
            known: watch::Sender::new(Known::default()),
            turns: AtomicUsize::new(0),
            begun: Instant::now(),
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

    /// The addresses for a connect, another one first each time; those that are out only when all are,
    /// but for one that this connect is to try. Waits only while the very first look-up is under way.
    ///
    /// # Errors
    /// When none is known: why.
    pub(crate) async fn for_connect(
        &self,
        port: u16,
        wanted: Wanted,
    ) -> Result<Vec<SocketAddr>, Arc<str>> {
        let mut watched = self.known.subscribe();
        let known = watched.wait_for(Known::is_settled).await;
        // The sender is here, so that the wait can't end without.
        let known = known.map(|known| known.clone()).unwrap_or_default();
        if known.addresses.is_empty() {
            return Err(known.failure.unwrap_or_else(|| "not looked up yet".into()));
        }
        let first = self.turns.fetch_add(1, Relaxed) % known.addresses.len();
        let mut order = known.in_order(first, self.now(), wanted);
        order.sort_by_key(|address| Some(*address) == wanted.but);
        let order = order.into_iter().map(|ip| SocketAddr::new(ip, port));
        Ok(order.collect())
    }

    /// Completes when the first look-up has ended.
    pub(crate) async fn settled(&self) {
        // The sender is here, so that the wait can't end without.
        let _ = self.known.subscribe().wait_for(Known::is_settled).await;
    }

    /// Does something with what is known of an address, if the name stands for others too.
    pub(crate) fn with_condition<T>(
        &self,
        address: IpAddr,
        then: impl FnOnce(&AddressCondition, Tick) -> T,
    ) -> Option<T> {
        let known = self.known.borrow();
        let place = known.addresses.binary_search(&address).ok()?;
        let condition = known.conditions.get(place)?;
        (known.addresses.len() > 1).then(|| then(condition, self.now()))
    }

    /// Whether connects leave an address out.
    pub(crate) fn is_out(&self, address: IpAddr, is_checked: bool) -> bool {
        let is_out = self.with_condition(address, |of, now| of.is_out(now, is_checked));
        is_out.unwrap_or(false)
    }

    /// Those that connects leave out.
    pub(crate) fn out(&self, is_checked: bool) -> Vec<IpAddr> {
        let known = self.known();
        let is_out = |address: &&IpAddr| self.is_out(**address, is_checked);
        known.addresses.iter().filter(is_out).copied().collect()
    }

    /// Whether the name stands for an address that connects don't leave out, beside this one.
    pub(crate) fn has_another(&self, address: IpAddr, is_checked: bool) -> bool {
        let (known, now) = (self.known.borrow(), self.now());
        let mut all = known.with_conditions();
        all.any(|(other, condition)| *other != address && !condition.is_out(now, is_checked))
    }

    /// A clock of its own: nobody compares what it says with another one.
    fn now(&self) -> Tick {
        let millis = self.begun.elapsed().as_millis();
        Tick::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
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
                let of = |ip: &IpAddr| known.condition(*ip).unwrap_or_default();
                known.conditions = addresses.iter().map(of).collect();
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
    use crate::settings::Ejection;

    fn ips(texts: &[&str]) -> Vec<IpAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    async fn order(name: &NameAddresses) -> Vec<String> {
        order_for(name, Wanted::default()).await
    }

    async fn order_for(name: &NameAddresses, wanted: Wanted) -> Vec<String> {
        let addresses = name.for_connect(80, wanted).await.unwrap();
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

    #[tokio::test(start_paused = true)]
    async fn an_address_that_fails_is_left_out_and_tried_again() {
        let name = NameAddresses::default();
        let (one, other) = ("10.0.0.1:80", "10.0.0.2:80");
        name.found(ips(&["10.0.0.1", "10.0.0.2"]));
        let period = Duration::from_secs(10);
        let ejection = Ejection::new(2, period).ok();
        let bad = ips(&["10.0.0.1"])[0];
        let fail = || name.with_condition(bad, |of, now| of.health.failed(None, now, ejection));
        let wanted = Wanted {
            trial: period,
            ..Wanted::default()
        };
        assert_eq!((fail(), fail()), (Some(false), Some(true)));
        for _ in 0..2 {
            assert_eq!(order_for(&name, wanted).await, [other]);
        }
        assert!(name.has_another(bad, false) && name.is_out(bad, false));
        assert_eq!(name.out(false), [bad]);
        tokio::time::advance(period).await;
        assert_eq!(order_for(&name, wanted).await, [one, other], "its trial");
        assert_eq!(order_for(&name, wanted).await, [other], "one at a time");
        // What is known of it stays while it does.
        name.found(ips(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]));
        assert_eq!(name.out(false), [bad]);
        name.with_condition(bad, |of, _| of.health.answered());
        assert_eq!(order_for(&name, wanted).await.len(), 3);
    }

    #[tokio::test]
    async fn an_address_to_be_avoided_is_the_last() {
        let name = NameAddresses::default();
        name.found(ips(&["10.0.0.1", "10.0.0.2"]));
        let wanted = Wanted {
            but: Some(ips(&["10.0.0.1"])[0]),
            ..Wanted::default()
        };
        for _ in 0..2 {
            let order = order_for(&name, wanted).await;
            assert_eq!(order, ["10.0.0.2:80", "10.0.0.1:80"]);
        }
    }

    #[tokio::test]
    async fn all_are_used_when_all_are_out() {
        let name = NameAddresses::default();
        name.found(ips(&["10.0.0.1", "10.0.0.2"]));
        let ejection = Ejection::new(1, Duration::from_secs(10)).ok();
        for ip in ips(&["10.0.0.1", "10.0.0.2"]) {
            name.with_condition(ip, |of, now| of.health.failed(None, now, ejection));
        }
        assert_eq!(name.out(false).len(), 2);
        assert_eq!(order(&name).await.len(), 2);
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
        let addresses = name.for_connect(80, Wanted::default()).await;
        assert_eq!(addresses, Err("no such name".into()));
    }

    #[tokio::test]
    async fn a_connect_waits_for_the_first_answer() {
        let name = NameAddresses::default();
        let (connect, ()) = tokio::join!(name.for_connect(80, Wanted::default()), async {
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
