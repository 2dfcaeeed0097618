//! `sites`: which hosts are answered for, and where their requests go.

use std::sync::Arc;
use std::time::Duration;

use palisade_gate::settings::{ForwardPath, HeaderEdits, HostPattern, HttpsPolicy, SiteSettings};
use palisade_hygiene::Host;
use palisade_vocabulary::Mode;

use super::header_edits::HEADERS_TABLE;
use super::listeners::BODY_SIZE;
use super::path_forms::{PATH_FORM, PathForm, path_policy};
use super::protected::{PROTECTED, ReadProtected};
use super::routes::{ROUTE, ReadRoute, report_routes_twice};
use super::rules::{RULES, ReadRule};
use super::waf::{ReadWaf, SITE_WAF};
use crate::Location;
use crate::problem::quoted;
use crate::reader::{
    Choice, Defaulted, DurationIn, EachOf, Fields, Key, ListOf, Located, OneOrList, Optional,
    Required, ScalarKind, Shape, SizeIn, Table, TableInfo, Text, WithLocation,
};

const SITES_MAX: usize = 10_000;
const HOSTS_MAX: usize = 1_000;
const ROUTES_MAX: usize = 1_000;

pub(super) const SITES: EachOf<Table<ReadSite>> = EachOf(ListOf {
    of: Table { info: &INFO, lower },
    min: 1,
    max: SITES_MAX,
});

/// A site, with what the checks between sections need.
#[derive(Debug)]
pub(super) struct ReadSite {
    pub(super) settings: SiteSettings,
    pub(super) rules: Vec<ReadRule>,
    pub(super) protected: Vec<ReadProtected>,
    pub(super) waf: Option<ReadWaf>,
    pub(super) location: Location,
    pub(super) hosts: Vec<Located<HostPattern>>,
    /// Every upstream that the site names.
    pub(super) upstreams: Vec<Located<Arc<str>>>,
    /// Where it says `https: redirect`.
    pub(super) redirects_at: Option<Location>,
}

impl ReadSite {
    pub(super) fn into_settings(self) -> SiteSettings {
        SiteSettings {
            rules: self.rules.into_iter().map(|rule| rule.rule).collect(),
            protected: self.protected.into_iter().map(|read| read.path).collect(),
            ..self.settings
        }
    }
}

static INFO: TableInfo = TableInfo {
    name: "sites",
    about: "Which hosts are answered for, and where their requests go. A host that no site has gets 421; give one site no `hosts` to make it the default.",
    keys: &[
        &HOSTS,
        &UPSTREAM,
        &ROUTES,
        &MODE,
        &HTTPS,
        &HSTS_MAX_AGE,
        &HEADERS,
        &ACCESS,
        &PROTECTED_KEY,
        &WAF,
        &FORWARD_PATH,
        &ALLOWED_PATH_FORMS,
        &BODY_BYTES,
        &MISDIRECTED,
    ],
    later: &super::LATER_CHECKS,
};

static HOSTS: Key<OneOrList<WithLocation<HostKind>>, Optional> = Key::new(
    "hosts",
    OneOrList {
        of: WithLocation(HostKind),
        max: HOSTS_MAX,
    },
    Optional,
    "The hosts that the site answers for: names, addresses, or `\"*.example.com\"` for all names below `example.com`. An exact name wins over a wildcard, a longer wildcard over a shorter one. Absent: the default site.",
);
static UPSTREAM: Key<WithLocation<Text>, Optional> = Key::new(
    "upstream",
    UPSTREAM_NAME,
    Optional,
    "Where requests go that no route takes. Absent: they get 404.",
);
static ROUTES: Key<ListOf<Table<ReadRoute>>, Optional> = Key::new(
    "routes",
    ListOf {
        of: ROUTE,
        min: 0,
        max: ROUTES_MAX,
    },
    Optional,
    "Parts of the site that go elsewhere; the longest prefix of the canonical path wins.",
);
static MODE: Key<Choice<Mode>, Defaulted> = Key::new(
    "mode",
    super::MODE_KIND,
    Defaulted("block"),
    "`detect`: access rules and later checks only record what they would have refused. `off`: they are not run. Malformed requests and decisions refuse as ever.",
);
static HTTPS: Key<Choice<bool>, Optional> = Key::new(
    "https",
    Choice {
        words: &[("redirect", true)],
        later: &[],
    },
    Optional,
    "`redirect`: a request over plain HTTP is sent to https, and answers over https carry Strict-Transport-Security. Absent: requests are served as they came.",
);
static HSTS_MAX_AGE: Key<DurationIn, Defaulted> = Key::new(
    "hsts_max_age",
    DurationIn::seconds(0, 730 * 86_400),
    Defaulted("365d"),
    "With `https: redirect`: how long a browser shall use https alone.",
);
static HEADERS: Key<Table<(HeaderEdits, HeaderEdits)>, Defaulted> = Key::new(
    "headers",
    HEADERS_TABLE,
    Defaulted("{}"),
    "Header fields to set and to remove.",
);
static ACCESS: Key<Table<Vec<ReadRule>>, Optional> = Key::new(
    "access",
    ACCESS_TABLE,
    Optional,
    "This site's own access rules. They run after the global ones and can't undo a global block.",
);
static PROTECTED_KEY: Key<EachOf<Table<ReadProtected>>, Optional> = Key::new(
    "protected",
    PROTECTED,
    Optional,
    "Parts of the site that not everybody gets to. They are asked after the access rules.",
);
static WAF: Key<Table<ReadWaf>, Optional> = Key::new(
    "waf",
    SITE_WAF,
    Optional,
    "What is different here from `waf`.",
);
static FORWARD_PATH: Key<Choice<ForwardPath>, Defaulted> = Key::new(
    "forward_path",
    Choice {
        words: &[
            ("as_sent", ForwardPath::AsSent),
            ("canonical", ForwardPath::Canonical),
        ],
        later: &[],
    },
    Defaulted("as_sent"),
    "What the backend gets: the client's own bytes, or the path that was judged, encoded anew.",
);
static ALLOWED_PATH_FORMS: Key<OneOrList<Choice<PathForm>>, Optional> = Key::new(
    "allowed_path_forms",
    OneOrList {
        of: PATH_FORM,
        max: 6,
    },
    Optional,
    "Path forms that servers read in different ways, and that are refused with 400 unless named here: `encoded_slash` (`%2F`), `backslash` (`\\` and `%5C`), `encoded_nul` (`%00`), `malformed_escapes` (`%zz`), `double_encoding` (`%252F`), `unresolved_dot_dot` (`/../x`).",
);
static BODY_BYTES: Key<SizeIn, Optional> = Key::new(
    "body_bytes",
    BODY_SIZE,
    Optional,
    "The longest body of a request; a longer one is answered with 413. Absent: the listener's limit.",
);
static MISDIRECTED: Key<Choice<bool>, Defaulted> = Key::new(
    "misdirected",
    Choice {
        words: &[("refuse", true), ("serve", false)],
        later: &[],
    },
    Defaulted("refuse"),
    "A request over TLS whose host is no name of the connection's certificate: refused with 421, or served.",
);

pub(super) const UPSTREAM_NAME: WithLocation<Text> = WithLocation(Text {
    what: "the name of an upstream",
    len_max: 64,
});

fn lower(fields: &Fields<'_>) -> Option<ReadSite> {
    let (hosts, upstream, routes) = (
        fields.get(&HOSTS),
        fields.get(&UPSTREAM),
        fields.get(&ROUTES),
    );
    let (mode, https) = (fields.get(&MODE), read_https(fields));
    let (headers, rules) = (fields.get(&HEADERS), fields.get(&ACCESS));
    let (protected, waf) = (fields.get(&PROTECTED_KEY), fields.get(&WAF));
    let (forward_path, forms) = (fields.get(&FORWARD_PATH), fields.get(&ALLOWED_PATH_FORMS));
    let (body_bytes, misdirected) = (fields.get(&BODY_BYTES), fields.get(&MISDIRECTED));

    let (hosts, upstream, routes) = (
        hosts?.unwrap_or_default(),
        upstream?,
        routes?.unwrap_or_default(),
    );
    if upstream.is_none() && routes.is_empty() {
        let message = "this site has neither `upstream` nor `routes`; say where its requests go";
        fields.context().error(fields.location(), message);
    }
    report_routes_twice(&routes, fields.context());
    let name = hosts
        .first()
        .map_or("default".into(), |host| show_host(&host.value));
    let patterns = hosts.iter().map(|host| host.value.clone()).collect();
    let mut upstreams: Vec<Located<Arc<str>>> = upstream.iter().map(shared).collect();
    let mut settings = SiteSettings::new(
        name,
        patterns,
        upstream.as_ref().map(|name| name.value.as_str().into()),
    );
    for route in routes {
        upstreams.push(shared(&route.upstream));
        settings.routes.push(route.settings);
    }
    settings.mode = mode?;
    settings.https = https?;
    (settings.request_headers, settings.response_headers) = headers?;
    settings.forward_path = forward_path?;
    let (forms, protected) = (forms?.unwrap_or_default(), protected?.unwrap_or_default());
    report_forms_of_protected(fields, &forms, &protected);
    settings.path_policy = path_policy(&forms);
    settings.body_bytes_max = body_bytes?;
    settings.check_certificate_name = misdirected?;
    Some(ReadSite {
        redirects_at: fields
            .has(&HTTPS)
            .then(|| fields.location_of(&HTTPS).clone()),
        settings,
        rules: rules?.unwrap_or_default(),
        protected,
        waf: waf?,
        location: fields.location().clone(),
        hosts,
        upstreams,
    })
}

fn shared(name: &Located<String>) -> Located<Arc<str>> {
    Located {
        value: name.value.as_str().into(),
        location: name.location.clone(),
    }
}

/// A path that is allowed in such a form is judged as it reads here, and served as it reads there.
fn report_forms_of_protected(fields: &Fields<'_>, forms: &[PathForm], protected: &[ReadProtected]) {
    const NAMED_MAX: usize = 4;
    let protected = protected.iter().filter(|entry| entry.asks_for_path());
    let mut ids: Vec<String> = protected
        .map(|entry| entry.path.rule.id.to_string())
        .collect();
    if forms.is_empty() || ids.is_empty() {
        return;
    }
    if ids.len() > NAMED_MAX {
        let more = ids.len() - NAMED_MAX;
        ids.truncate(NAMED_MAX);
        ids.push(format!("{more} more"));
    }
    let forms: Vec<String> = forms
        .iter()
        .map(|form| format!("`{}`", form.as_str()))
        .collect();
    let message = format!(
        "a path with {} may be protected for the backend ({}) and another one here, which opens it; allow only forms that the backend reads as they are read here",
        forms.join(", "),
        ids.join(", ")
    );
    fields
        .context()
        .warning(fields.location_of(&ALLOWED_PATH_FORMS), message);
}

fn read_https(fields: &Fields<'_>) -> Option<HttpsPolicy> {
    let (redirect, hsts_max_age) = (fields.get(&HTTPS), fields.get(&HSTS_MAX_AGE));
    let (redirect, hsts_max_age): (Option<bool>, Duration) = (redirect?, hsts_max_age?);
    if redirect.is_none() && fields.has(&HSTS_MAX_AGE) {
        let message =
            "`hsts_max_age` has no effect without `https: redirect`; add that or remove this";
        fields
            .context()
            .error(fields.location_of(&HSTS_MAX_AGE), message);
    }
    Some(match redirect {
        Some(_) => HttpsPolicy::Redirect { hsts_max_age },
        None => HttpsPolicy::AsItCame,
    })
}

/// A host or `*.` and the end of hosts, in the form that requests' hosts are compared in.
struct HostKind;

impl ScalarKind for HostKind {
    type Value = HostPattern;

    fn parse(&self, text: &str) -> Result<HostPattern, String> {
        let (wildcard, name) = match text.strip_prefix("*.") {
            Some(name) => (true, name),
            None => (false, text),
        };
        let expected = "expected a name like example.com, \"*.example.com\", or an address; no scheme, port or path";
        let host = Host::parse(name.as_bytes())
            .map_err(|_| format!("{} is not a host; {expected}", quoted(text)))?;
        if host.port().is_some() {
            return Err(format!(
                "{} has a port; a site answers on every listener, so remove it",
                quoted(text)
            ));
        }
        let name: Box<str> = host.name().into();
        Ok(if wildcard {
            HostPattern::Wildcard(name)
        } else {
            HostPattern::Exact(name)
        })
    }

    fn shape(&self) -> Shape {
        Shape::Text("a host like example.com or \"*.example.com\"")
    }
}

/// A host as the file has it.
pub(super) fn show_host(host: &HostPattern) -> Arc<str> {
    match host {
        HostPattern::Exact(name) => Arc::from(&**name),
        HostPattern::Wildcard(name) => format!("*.{name}").into(),
    }
}

const ACCESS_TABLE: Table<Vec<ReadRule>> = Table {
    info: &ACCESS_INFO,
    lower: |fields| fields.get(&SITE_RULES),
};

static ACCESS_INFO: TableInfo = TableInfo {
    name: "sites.access",
    about: "A site's own access rules.",
    keys: &[&SITE_RULES],
    later: &[],
};

static SITE_RULES: Key<EachOf<Table<ReadRule>>, Required> = Key::new(
    "rules",
    RULES,
    Required,
    "Rules, in order; see `access.rules`.",
);
