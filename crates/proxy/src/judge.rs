//! From a clean head to what is done with the request: no socket, no task, no clock.
//!
//! The proxy calls it for every request, and `palisade explain` calls the same function with a
//! [`Witness`] that writes down each step.

use std::ops::ControlFlow;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue};
use palisade_client_address::resolve::{HopRule, resolve};
use palisade_gate::settings::{ForwardPath, HttpsPolicy};
use palisade_gate::{
    Authentication, ClientCertificate, Exchange, Heard, Positions, Record, Refusal, Site, Snapshot,
    State, Verdict,
};
use palisade_hygiene::{PathScratch, RefusalReason, Target, write_canonical_target};
use palisade_vocabulary::{ClientAddr, HttpVersion, PathView, RequestView, Scheme, Tick};
use smallvec::SmallVec;

use crate::request::CHECKS;

/// What a request is judged by.
#[derive(Clone, Copy)]
pub struct Court<'a> {
    /// What the settings say.
    pub snapshot: &'a Snapshot,
    /// What is known beside them.
    pub state: &'a State,
    /// Whose forwarded headers count on the listener.
    pub hops: &'a [HopRule],
    /// The time.
    pub now: Tick,
}

/// A request as it came: its head was found clean.
pub struct Case<'a> {
    /// The TCP peer, or the PROXY source.
    pub connection: &'a ClientAddr,
    /// How the client's connection came in.
    pub scheme: Scheme,
    /// The version of HTTP.
    pub version: HttpVersion,
    /// The method.
    pub method: &'a str,
    /// The canonical host; `None` only on HTTP/1.0.
    pub host: Option<&'a str>,
    /// The target.
    pub target: &'a Target<'a>,
    /// The header fields.
    pub headers: &'a HeaderMap,
    /// Whether the connection's certificate is one for the host; yes without TLS.
    pub certificate_is_for_host: bool,
    /// The certificate that the client showed; nothing where it showed none, or one that isn't valid now.
    pub client_certificate: Option<&'a ClientCertificate>,
}

/// What became of a request.
#[derive(Debug)]
pub struct Judged {
    /// Who sent it.
    pub client: ClientAddr,
    /// The site that it was for.
    pub site: Option<Arc<Site>>,
    /// What is done with it.
    pub ruling: Ruling,
    /// Whether a decision that comes later ends a long answer.
    pub obeys_decisions: bool,
    /// Whether SecLang rules look at it, where its site has any: not at what comes from trusted clients.
    pub goes_to_waf: bool,
    /// What the operator shall know though the request went on.
    pub records: SmallVec<[Record; 1]>,
    /// The protected paths of the site that it is for.
    pub protected_by: Positions,
    /// Who sent it. Until that is verified, the ruling is for somebody who is who it says.
    pub authentication: Authentication,
}

/// What is done with a request.
#[derive(Debug)]
pub enum Ruling {
    /// It goes to a backend.
    Forward {
        /// Which.
        upstream: Arc<str>,
        /// The target that the backend gets, where it isn't the client's own bytes.
        target: Option<Vec<u8>>,
    },
    /// It is refused.
    Refuse(Refusal),
    /// It is sent to https.
    RedirectToHttps(HeaderValue),
    /// No site answers for its host.
    NoSite,
    /// Its site has no upstream for its path.
    NoUpstream,
}

/// Memory that judging needs, kept from request to request.
#[derive(Default)]
pub struct Scratch {
    path: PathScratch,
    gate: palisade_gate::Scratch,
}

/// Is told of each step.
pub trait Witness {
    /// The client was resolved.
    fn client(&mut self, _client: &ClientAddr) {}
    /// The site was found.
    fn site(&mut self, _site: Option<&Arc<Site>>) {}
    /// The path was made canonical.
    fn view(&mut self, _view: &RequestView<'_>) {}
    /// A check had its say.
    fn check(&mut self, _name: &'static str, _said: &ControlFlow<Verdict>) {}
}

/// Nobody listens.
impl Witness for () {}

/// Judges a request. Hot path: runs per request; allocates nothing for one that passes and is
/// forwarded as it was sent.
pub fn judge(
    court: &Court<'_>,
    case: &Case<'_>,
    scratch: &mut Scratch,
    witness: &mut impl Witness,
) -> Judged {
    let client = resolve(case.connection, case.headers, court.hops);
    witness.client(&client);
    let site = court
        .snapshot
        .sites
        .find(case.host.unwrap_or_default())
        .cloned();
    witness.site(site.as_ref());
    let said = match &site {
        None => Said::at_once(Ruling::NoSite),
        Some(site) => judge_for(court, case, &client, site, scratch, witness),
    };
    Judged {
        client,
        site,
        ruling: said.ruling,
        obeys_decisions: said.obeys_decisions,
        goes_to_waf: said.goes_to_waf,
        records: said.heard.records,
        protected_by: said.heard.protected_by,
        authentication: said.heard.authentication,
    }
}

struct Said {
    ruling: Ruling,
    obeys_decisions: bool,
    goes_to_waf: bool,
    heard: Heard,
}

impl Said {
    fn at_once(ruling: Ruling) -> Self {
        Self {
            ruling,
            obeys_decisions: false,
            goes_to_waf: false,
            heard: Heard::default(),
        }
    }
}

fn judge_for(
    court: &Court<'_>,
    case: &Case<'_>,
    client: &ClientAddr,
    site: &Site,
    scratch: &mut Scratch,
    witness: &mut impl Witness,
) -> Said {
    let refuse = |reason: RefusalReason| Said::at_once(Ruling::Refuse(reason.into()));
    if site.settings.check_certificate_name && !case.certificate_is_for_host {
        return refuse(RefusalReason::MisdirectedRequest);
    }
    let path = match case
        .target
        .view(&site.settings.path_policy, &mut scratch.path)
    {
        Ok(path) => path,
        Err(refusal) => return refuse(refusal.reason),
    };
    let Court {
        snapshot,
        state,
        now,
        ..
    } = *court;
    let decisions = state.decisions.version();
    let view = RequestView {
        client,
        place: snapshot.place(&decisions, client.ip),
        scheme: case.scheme,
        version: case.version,
        method: case.method,
        host: case.host.unwrap_or_default(),
        path,
        query: case.target.query().unwrap_or_default(),
        headers: case.headers,
    };
    witness.view(&view);
    let gate = &mut scratch.gate;
    let redirect = redirect(case, site);
    let mut exchange = Exchange::new(snapshot, state, &decisions, site, view, now, gate)
        .with_certificate(case.client_certificate)
        .redirected(redirect.is_some());
    let mut is_trusted = false;
    for (name, check) in CHECKS {
        let said = check(&mut exchange);
        witness.check(name, &said);
        match said {
            ControlFlow::Continue(()) => {}
            ControlFlow::Break(Verdict::Trusted) => {
                is_trusted = true;
                break;
            }
            ControlFlow::Break(Verdict::Refuse(refusal)) => {
                return Said {
                    ruling: Ruling::Refuse(refusal),
                    obeys_decisions: true,
                    goes_to_waf: false,
                    heard: exchange.into_heard(),
                };
            }
        }
    }
    let goes_to_waf = !is_trusted && exchange.goes_to_waf();
    Said {
        ruling: redirect.unwrap_or_else(|| passed(case, site, &path)),
        goes_to_waf,
        obeys_decisions: exchange.obeys_decisions(),
        heard: exchange.into_heard(),
    }
}

/// Where a request over plain HTTP is sent, if no check refuses it.
fn redirect(case: &Case<'_>, site: &Site) -> Option<Ruling> {
    let is_sent =
        case.scheme == Scheme::Http && matches!(site.settings.https, HttpsPolicy::Redirect { .. });
    let location = is_sent.then(|| https_location(case)).flatten();
    location.map(Ruling::RedirectToHttps)
}

/// What is done with a request that no check refused.
fn passed(case: &Case<'_>, site: &Site, path: &PathView<'_>) -> Ruling {
    let Some(upstream) = site.upstream(path.canonical) else {
        return Ruling::NoUpstream;
    };
    let target = match site.settings.forward_path {
        ForwardPath::AsSent => None,
        ForwardPath::Canonical => {
            let mut target = Vec::new();
            write_canonical_target(path.canonical, case.target.query(), &mut target);
            Some(target)
        }
    };
    Ruling::Forward {
        upstream: Arc::clone(upstream),
        target,
    }
}

/// The same target over https, on the port that https has by default.
fn https_location(case: &Case<'_>) -> Option<HeaderValue> {
    let host = case.host?;
    let mut location = b"https://".to_vec();
    location.extend_from_slice(host.as_bytes());
    match case.target.path() {
        b"*" => location.push(b'/'),
        _ => case.target.write_as_sent(&mut location),
    }
    HeaderValue::from_bytes(&location).ok()
}
