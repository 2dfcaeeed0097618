//! Which site answers for a host, and where its paths go.

use std::collections::HashMap;
use std::sync::Arc;

use palisade_access::BuildError;

use crate::settings::{HostPattern, RouteSettings, SiteSettings};
use crate::{Protected, Rules};

/// A site, compiled.
#[derive(Debug)]
pub struct Site {
    /// Its place among all sites, from 0.
    pub number: usize,
    /// What the operator chose.
    pub settings: SiteSettings,
    /// Its own access rules, after the global ones.
    pub access: Rules,
    /// Its protected paths.
    pub protected: Protected,
    /// Longest prefix first.
    routes: Vec<RouteSettings>,
}

impl Site {
    fn build(number: usize, settings: SiteSettings) -> Result<Self, Vec<BuildError>> {
        let access = Rules::build(settings.rules.clone())?;
        let protected = Protected::build(settings.protected.clone())?;
        let mut routes = settings.routes.clone();
        routes.sort_by_key(|route| std::cmp::Reverse(route.path_prefix.len()));
        Ok(Self {
            number,
            settings,
            access,
            protected,
            routes,
        })
    }

    /// The upstream of the longest route that takes `canonical_path`, else the site's own.
    /// Hot path: runs per request, allocates nothing.
    #[must_use]
    pub fn upstream(&self, canonical_path: &[u8]) -> Option<&Arc<str>> {
        self.routes
            .iter()
            .find(|route| takes(&route.path_prefix, canonical_path))
            .map(|route| &route.upstream)
            .or(self.settings.upstream.as_ref())
    }
}

/// Whether `prefix` covers whole segments of `path`.
fn takes(prefix: &str, path: &[u8]) -> bool {
    path.strip_prefix(prefix.as_bytes())
        .is_some_and(|rest| rest.is_empty() || prefix.ends_with('/') || rest.first() == Some(&b'/'))
}

/// All sites, by host.
#[derive(Debug, Default)]
pub struct Sites {
    sites: Vec<Arc<Site>>,
    exact: HashMap<Box<str>, Arc<Site>, ahash::RandomState>,
    wildcard: HashMap<Box<str>, Arc<Site>, ahash::RandomState>,
    default: Option<Arc<Site>>,
}

impl Sites {
    /// Compiles the sites and their access rules.
    ///
    /// # Errors
    /// All that keeps rules from being compiled together.
    pub fn build(settings: Vec<SiteSettings>) -> Result<Self, Vec<BuildError>> {
        let mut built = Self::default();
        for (number, site) in settings.into_iter().enumerate() {
            let site = Arc::new(Site::build(number, site)?);
            if site.settings.hosts.is_empty() {
                built.default = Some(Arc::clone(&site));
            }
            for host in &site.settings.hosts {
                let (map, name) = match host {
                    HostPattern::Exact(name) => (&mut built.exact, name),
                    HostPattern::Wildcard(suffix) => (&mut built.wildcard, suffix),
                };
                map.insert(name.clone(), Arc::clone(&site));
            }
            built.sites.push(site);
        }
        Ok(built)
    }

    /// The site for a canonical host: an exact name, else the longest wildcard, else the default.
    /// Hot path: runs per request, allocates nothing.
    #[must_use]
    pub fn find(&self, host: &str) -> Option<&Arc<Site>> {
        self.exact
            .get(host)
            .or_else(|| self.find_wildcard(host))
            .or(self.default.as_ref())
    }

    fn find_wildcard(&self, host: &str) -> Option<&Arc<Site>> {
        if self.wildcard.is_empty() {
            return None;
        }
        let mut rest = host;
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(site) = self.wildcard.get(parent) {
                return Some(site);
            }
            rest = parent;
        }
        None
    }

    /// All sites, in file order.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Site>> {
        self.sites.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(name: &str, hosts: &[&str]) -> SiteSettings {
        let hosts = hosts.iter().map(|host| match host.strip_prefix("*.") {
            Some(suffix) => HostPattern::Wildcard(suffix.into()),
            None => HostPattern::Exact((*host).into()),
        });
        SiteSettings::new(name.into(), hosts.collect(), Some(name.into()))
    }

    #[track_caller]
    fn check_host(host: &str, expected: &str) {
        let sites = Sites::build(vec![
            site("app", &["app.example.com"]),
            site("apps", &["*.example.com"]),
            site("deep", &["*.deep.example.com"]),
            site("default", &[]),
        ])
        .unwrap();
        let found = sites.find(host).map(|site| site.settings.name.to_string());
        assert_eq!(found.as_deref(), Some(expected), "{host}");
    }

    #[test]
    fn the_most_specific_host_wins() {
        check_host("app.example.com", "app");
        check_host("other.example.com", "apps");
        check_host("x.y.example.com", "apps");
        check_host("x.deep.example.com", "deep");
        check_host("deep.example.com", "apps");
        check_host("example.com", "default");
        check_host("", "default");
        check_host("app.example.com.evil", "default");
    }

    #[test]
    fn without_a_default_site_an_unknown_host_has_none() {
        let sites = Sites::build(vec![site("app", &["app.example.com"])]).unwrap();
        assert!(sites.find("other").is_none());
    }

    #[track_caller]
    fn check_route(path: &str, expected: &str) {
        let mut settings = site("root", &[]);
        for prefix in ["/api", "/api/v2", "/static/"] {
            settings.routes.push(RouteSettings {
                path_prefix: prefix.into(),
                upstream: prefix.into(),
            });
        }
        let built = Site::build(0, settings).unwrap();
        assert_eq!(
            built.upstream(path.as_bytes()).map(|u| &**u),
            Some(expected),
            "{path}"
        );
    }

    #[test]
    fn the_longest_prefix_of_whole_segments_wins() {
        check_route("/", "root");
        check_route("/api", "/api");
        check_route("/api/", "/api");
        check_route("/api/v1", "/api");
        check_route("/api/v2", "/api/v2");
        check_route("/api/v2/x", "/api/v2");
        check_route("/api/v20", "/api");
        check_route("/apix", "root");
        check_route("/static", "root");
        check_route("/static/x", "/static/");
    }
}
