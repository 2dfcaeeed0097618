//! What an operator chose for sites and checks: valid by construction, plain data.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue};
use palisade_access::Rule;
use palisade_hygiene::path::PathPolicy;
use palisade_limits::LockoutPolicy;
use palisade_vocabulary::{ByteSize, CidrSet, FailurePolicy, Mode};

use crate::ProtectedPath;

/// Everything that the checks of a request read; [`crate::Snapshot::build`] compiles it.
#[derive(Clone, Debug, Default)]
pub struct GateSettings {
    /// The sites, in file order. At most one has no hosts: the default site.
    pub sites: Vec<SiteSettings>,
    /// Clients that pass every check from `check_trusted` on.
    pub trusted_clients: CidrSet,
    /// The global access rules, in file order.
    pub rules: Vec<Rule>,
    /// What is done with decisions.
    pub decisions: DecisionsPolicy,
    /// How a refusal looks.
    pub blocking: BlockingSettings,
    /// Who is locked out after failures to authenticate.
    pub lockout: LockoutPolicy,
}

/// One site: the hosts it answers for, where it forwards, and its own rules.
#[derive(Clone, Debug)]
pub struct SiteSettings {
    /// Its name in logs and metrics: its first host, or `default`.
    pub name: Arc<str>,
    /// The hosts it answers for; none = the default site.
    pub hosts: Vec<HostPattern>,
    /// Where requests go that no route takes.
    pub upstream: Option<Arc<str>>,
    /// Routes; the longest prefix of the canonical path wins.
    pub routes: Vec<RouteSettings>,
    /// Whether checks from `check_access` on refuse, or only record.
    pub mode: Mode,
    /// What is done with a request that came over plain HTTP.
    pub https: HttpsPolicy,
    /// Changes to the request's header fields before it is forwarded.
    pub request_headers: HeaderEdits,
    /// Changes to the response's header fields before the client gets it.
    pub response_headers: HeaderEdits,
    /// This site's own access rules, after the global ones.
    pub rules: Vec<Rule>,
    /// Its protected paths.
    pub protected: Vec<ProtectedPath>,
    /// Which form of the target the backend gets.
    pub forward_path: ForwardPath,
    /// Which odd forms of a path the site allows.
    pub path_policy: PathPolicy,
    /// The longest request body; none = the listener's limit.
    pub body_bytes_max: Option<ByteSize>,
    /// Whether a Host that is no name of the connection's certificate is answered with 421
    /// (RFC 9110 section 15.5.20).
    pub check_certificate_name: bool,
}

impl SiteSettings {
    /// A site with nothing but a name and an upstream.
    #[must_use]
    pub fn new(name: Arc<str>, hosts: Vec<HostPattern>, upstream: Option<Arc<str>>) -> Self {
        Self {
            name,
            hosts,
            upstream,
            routes: Vec::new(),
            mode: Mode::Block,
            https: HttpsPolicy::AsItCame,
            request_headers: HeaderEdits::default(),
            response_headers: HeaderEdits::default(),
            rules: Vec::new(),
            protected: Vec::new(),
            forward_path: ForwardPath::AsSent,
            path_policy: PathPolicy::default(),
            body_bytes_max: None,
            check_certificate_name: true,
        }
    }
}

/// A host that a site answers for, in the canonical form of `palisade_hygiene::host`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum HostPattern {
    /// This host alone.
    Exact(Box<str>),
    /// Every host that ends with a dot and this: `*.example.com` holds `example.com`.
    Wildcard(Box<str>),
}

/// A part of a site that goes elsewhere.
#[derive(Clone, Debug)]
pub struct RouteSettings {
    /// Starts with `/`. Matches whole segments of the canonical path: `/api` takes `/api` and
    /// `/api/x`, not `/apix`.
    pub path_prefix: Box<str>,
    /// Where its requests go.
    pub upstream: Arc<str>,
}

/// What is done with a request that came over plain HTTP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HttpsPolicy {
    /// It is served.
    #[default]
    AsItCame,
    /// It is sent to https, and answers over https carry Strict-Transport-Security (RFC 6797).
    Redirect {
        /// How long a browser shall remember.
        hsts_max_age: Duration,
    },
}

/// Header fields to set (replacing what is there) and to remove.
#[derive(Clone, Debug, Default)]
pub struct HeaderEdits {
    /// Fields to set.
    pub set: Vec<(HeaderName, HeaderValue)>,
    /// Fields to remove.
    pub remove: Vec<HeaderName>,
}

/// Which form of the target the backend gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForwardPath {
    /// The client's own bytes.
    #[default]
    AsSent,
    /// The canonical path, percent-encoded anew, with the query as sent.
    Canonical,
}

/// What is done with decisions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecisionsPolicy {
    /// Whether CrowdSec's decisions refuse, only record, or aren't looked at. Local ones refuse.
    pub mode: Mode,
    /// What a remedy that this version can't give (captcha, throttle, unknown ones) does.
    pub fallback_remediation: FallbackRemediation,
    /// What happens when CrowdSec can't be asked for longer than `stale_after`.
    pub on_failure: FailurePolicy,
    /// With [`FailurePolicy::Closed`]: how old the last good poll may be.
    pub stale_after: Duration,
}

impl Default for DecisionsPolicy {
    fn default() -> Self {
        Self {
            mode: Mode::Block,
            fallback_remediation: FallbackRemediation::Ban,
            on_failure: FailurePolicy::Open,
            stale_after: Duration::from_secs(600),
        }
    }
}

/// What a remedy that this version can't give does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FallbackRemediation {
    /// It refuses, as a ban.
    #[default]
    Ban,
    /// It passes.
    Pass,
}

/// How a refusal looks.
#[derive(Clone, Debug)]
pub struct BlockingSettings {
    /// The status of a refusal by decision or rule, where the rule names none: 400 to 599.
    pub status: u16,
    /// The operator's own page in place of the built-in HTML one; `{{request_id}}` and
    /// `{{status}}` are filled in.
    pub page: Option<Arc<str>>,
}

impl Default for BlockingSettings {
    fn default() -> Self {
        Self {
            status: 403,
            page: None,
        }
    }
}
