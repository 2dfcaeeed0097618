//! What sections say together: names that must exist, addresses that must differ, rules that can't
//! do what they seem to.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use palisade_access::{BuildError, Rule, RuleSet};
use palisade_proxy::settings::ClientCertificates;
use palisade_upstream::ServerAddress;
use palisade_vocabulary::{Mode, RuleId};

use super::doors::{ReadAdmin, ReadMetrics};
use super::listeners::ReadListener;
use super::protected::ReadProtected;
use super::rules::ReadRule;
use super::sites::{ReadSite, show_host};
use super::upstreams::ReadUpstream;
use crate::Location;
use crate::closest::did_you_mean;
use crate::problem::quoted;
use crate::reader::{Context, Fields, Located};

/// All sections that could be read.
pub(super) struct Together<'a> {
    pub(super) fields: &'a Fields<'a>,
    /// Every upstream that the file names, whether it could be read or not.
    pub(super) upstream_names: BTreeSet<Arc<str>>,
    pub(super) rules: &'a [ReadRule],
    pub(super) listeners: &'a [ReadListener],
    pub(super) upstreams: &'a [(Located<Arc<str>>, ReadUpstream)],
    pub(super) sites: &'a [ReadSite],
    pub(super) metrics: Option<&'a ReadMetrics>,
    pub(super) admin: Option<&'a ReadAdmin>,
    pub(super) has_country: bool,
    pub(super) has_asn: bool,
}

impl Together<'_> {
    pub(super) fn report(&self) {
        self.report_addresses_twice();
        self.report_hosts_twice();
        self.report_unknown_upstreams();
        self.report_unused_upstreams();
        self.report_loops();
        self.report_redirect_loops();
        self.report_missing_certificates();
        self.report_readable_passwords();
        self.report_ids_twice();
        self.report_unknowable_places();
        self.report_findings();
    }

    fn context(&self) -> &Context<'_> {
        self.fields.context()
    }

    /// Our own doors, with what they are for.
    fn doors(&self) -> impl Iterator<Item = (&'static str, &Located<SocketAddr>)> {
        let listeners = self
            .listeners
            .iter()
            .map(|listener| ("listener", &listener.address));
        let metrics = self
            .metrics
            .iter()
            .map(|metrics| ("metrics", &metrics.address));
        let admin = self
            .admin
            .iter()
            .filter_map(|admin| Some(("admin", admin.address.as_ref()?)));
        listeners.chain(metrics).chain(admin)
    }

    fn report_addresses_twice(&self) {
        let mut earlier: Vec<&Located<SocketAddr>> = Vec::new();
        for (_, door) in self.doors() {
            if let Some(first) = earlier
                .iter()
                .find(|first| overlap(first.value, door.value))
            {
                let message = format!(
                    "{} is already listened on: {} at {}",
                    door.value, first.value, first.location
                );
                self.context().error(&door.location, message);
            }
            earlier.push(door);
        }
    }

    fn report_hosts_twice(&self) {
        let mut first_by_host = HashMap::new();
        let mut first_default: Option<&Location> = None;
        for site in self.sites {
            for host in &site.hosts {
                if let Some(first) = first_by_host.insert(&host.value, &host.location) {
                    let got = quoted(&show_host(&host.value));
                    self.context().error(
                        &host.location,
                        format!("{got} is another site's already, at {first}; keep one"),
                    );
                }
            }
            if site.hosts.is_empty()
                && let Some(first) = first_default.replace(&site.location)
            {
                let message =
                    format!("a second site without `hosts`; the default site is at {first}");
                self.context().error(&site.location, message);
            }
        }
    }

    fn report_unknown_upstreams(&self) {
        for name in self.sites.iter().flat_map(|site| &site.upstreams) {
            if !self.upstream_names.contains(&name.value) && !self.context().is_incomplete() {
                let hint = did_you_mean(
                    &name.value,
                    self.upstream_names.iter().map(|known| &**known),
                );
                self.context().error(
                    &name.location,
                    format!("there is no upstream {}{hint}", quoted(&name.value)),
                );
            }
        }
    }

    fn report_unused_upstreams(&self) {
        let used: HashSet<&str> = self
            .sites
            .iter()
            .flat_map(|site| &site.upstreams)
            .map(|name| &*name.value)
            .collect();
        for (name, _) in self.upstreams {
            if !used.contains(&*name.value) && !self.context().has_errors() {
                let message = format!("no site uses the upstream {}", quoted(&name.value));
                self.context().warning(&name.location, message);
            }
        }
    }

    /// A backend that is one of our own doors: admin would be open to the world, a listener would
    /// be asked by itself without end.
    fn report_loops(&self) {
        let servers = self
            .upstreams
            .iter()
            .flat_map(|(_, upstream)| &upstream.servers);
        for server in servers {
            for (what, door) in self.doors() {
                if !is_own(&server.value, door.value) {
                    continue;
                }
                let message = format!(
                    "{} is Palisade's own {what} address ({})",
                    server.value, door.location
                );
                match what {
                    "listener" => self.context().warning(
                        &server.location,
                        format!("{message}: requests would go in circles"),
                    ),
                    _ => self.context().error(
                        &server.location,
                        format!("{message}: it would be open to every client"),
                    ),
                }
            }
        }
    }

    fn report_redirect_loops(&self) {
        if self.context().has_errors() || self.listeners.iter().any(is_encrypted) {
            return;
        }
        for location in self
            .sites
            .iter()
            .filter_map(|site| site.redirects_at.as_ref())
        {
            let message =
                "no listener has `tls`, so every request to this site is redirected, without end";
            self.context().warning(location, message);
        }
    }

    /// A certificate that nobody can show.
    fn report_missing_certificates(&self) {
        let asks = |listener: &ReadListener| {
            let tls = listener.settings.tls.as_ref();
            tls.is_some_and(|tls| !matches!(tls.client_certificates, ClientCertificates::Off))
        };
        if self.context().is_incomplete() || self.listeners.iter().any(asks) {
            return;
        }
        for location in self
            .protected()
            .filter_map(|read| read.certificate_at.as_ref())
        {
            let message = "no listener asks for certificates, so nobody can show one; give one `tls.client_certificates` with the authority's `ca`";
            self.context().error(location, message);
        }
    }

    /// Passwords that come over plain HTTP.
    fn report_readable_passwords(&self) {
        if self.context().has_errors() || self.listeners.iter().any(is_encrypted) {
            return;
        }
        for location in self.protected().filter_map(|read| read.basic_at.as_ref()) {
            let message =
                "no listener has `tls`: whoever is on the way of a request can read the password";
            self.context().warning(location, message);
        }
    }

    fn protected(&self) -> impl Iterator<Item = &ReadProtected> {
        self.sites.iter().flat_map(|site| &site.protected)
    }

    fn all_rules(&self) -> impl Iterator<Item = &ReadRule> {
        self.rules
            .iter()
            .chain(self.sites.iter().flat_map(|site| &site.rules))
            .chain(self.protected().map(|read| &read.read))
    }

    fn report_ids_twice(&self) {
        let mut first_by_id: HashMap<&RuleId, &Location> = HashMap::new();
        for read in self.all_rules() {
            match first_by_id.get(&read.rule.id) {
                Some(first) => {
                    let message = format!(
                        "rule id {} is used already at {first}; give each rule its own",
                        quoted(read.rule.id.as_str())
                    );
                    self.context().error(&read.location, message);
                }
                None => {
                    first_by_id.insert(&read.rule.id, &read.location);
                }
            }
        }
    }

    fn report_unknowable_places(&self) {
        let asks = |read: &&ReadProtected| read.path.countries.is_some();
        for protected in self.protected().filter(asks).filter(|_| !self.has_country) {
            let message = format!(
                "{} asks for countries, which only geo.country_database can tell; without it nobody passes, unless `unknown` is named",
                protected.path.rule.id
            );
            self.context().warning(&protected.read.location, message);
        }
        for read in self.all_rules().filter(|read| read.rule.mode != Mode::Off) {
            for (uses, has, key) in [
                (read.uses_country, self.has_country, "country_database"),
                (read.uses_asn, self.has_asn, "asn_database"),
            ] {
                if uses && !has {
                    let message = format!(
                        "rule {} asks for what only geo.{key} can tell; without it the rule matches only where it names `unknown`",
                        read.rule.id
                    );
                    self.context().warning(&read.location, message);
                }
            }
        }
    }

    /// What is odd about rules that are right one by one, and what keeps them from being compiled
    /// together.
    fn report_findings(&self) {
        let global: Vec<Rule> = rules_of(self.rules);
        self.report_rule_set(&[], self.rules, global.clone());
        for site in self.sites {
            self.report_rule_set(&global, &site.rules, rules_of(&site.rules));
            let protected: Vec<ReadRule> = site
                .protected
                .iter()
                .map(|read| read.read.clone())
                .collect();
            self.report_rule_set(&[], &protected, rules_of(&protected));
        }
    }

    fn report_rule_set(&self, before: &[Rule], read: &[ReadRule], rules: Vec<Rule>) {
        let by_id: HashMap<&RuleId, &Location> = read
            .iter()
            .map(|read| (&read.rule.id, &read.location))
            .collect();
        let location_of = |id: &RuleId| by_id.get(id).copied();
        let (findings, errors) = RuleSet::examine(before, &rules);
        for finding in findings {
            let location = location_of(&finding.id).unwrap_or(self.fields.location());
            self.context()
                .warning(location, format!("rule {} {}", finding.id, finding.kind));
        }
        for error in errors {
            let (id, place) = match &error {
                // Reported over all sets already.
                BuildError::DuplicateId { .. } => continue,
                BuildError::TooDeep { id, place, .. }
                | BuildError::TooManyPatterns { id, place, .. }
                | BuildError::TooManyRanges { id, place, .. }
                | BuildError::RegexesTooLarge { id, place, .. } => (Some(id), format!("{place}: ")),
                _ => (None, String::new()),
            };
            let message = error.to_string();
            let message = message.strip_prefix(&place).unwrap_or(&message);
            self.context().error(
                id.and_then(location_of).unwrap_or(self.fields.location()),
                message,
            );
        }
    }
}

/// Whether requests may come encrypted: over TLS here, or in front of the PROXY header.
fn is_encrypted(listener: &ReadListener) -> bool {
    listener.settings.tls.is_some() || listener.settings.proxy_protocol.is_some()
}

fn rules_of(read: &[ReadRule]) -> Vec<Rule> {
    read.iter().map(|read| read.rule.clone()).collect()
}

/// Whether two sockets can't both be listened on. `[::]` takes IPv4 as well; port 0 is any free one.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let covers = |wide: SocketAddr, narrow: SocketAddr| {
        wide.ip() == narrow.ip()
            || wide.ip().is_unspecified() && (wide.is_ipv6() || narrow.is_ipv4())
    };
    one.port() == other.port() && one.port() != 0 && (covers(one, other) || covers(other, one))
}

/// Whether connecting to `server` from this machine reaches `door`.
fn is_own(server: &ServerAddress, door: SocketAddr) -> bool {
    if server.port() != door.port() {
        return false;
    }
    let host = server.host();
    match host.parse::<IpAddr>() {
        Ok(ip) => {
            ip == door.ip().to_canonical() || (door.ip().is_unspecified() && ip.is_loopback())
        }
        Err(_) => host == "localhost" && (door.ip().is_loopback() || door.ip().is_unspecified()),
    }
}
