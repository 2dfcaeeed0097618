//! `palisade explain`: what would become of a request, and why.
//!
//! Runs what the proxy runs: hygiene's check of the head, then `judge`, with a witness that writes
//! each step down.

mod protected;
mod rules;

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use http::{HeaderMap, HeaderName, HeaderValue};
use palisade_access::RuleExplanation;
use palisade_client_address::resolve::explain as explain_hops;
use palisade_config::Settings;
use palisade_decisions::DecisionTable;
use palisade_gate::{
    Cause, ClientCertificate, Record, RecordKind, Refusal, Rules, Site, Snapshot, State, Verdict,
};
use palisade_hygiene::HeadLimits;
use palisade_hygiene::h1::check_head;
use palisade_proxy::judge::{Case, Court, Judged, Ruling, Scratch, Witness, judge};
use palisade_proxy::request::CHECKS;
use palisade_proxy::settings::ListenerSettings;
use palisade_vocabulary::{ClientAddr, Ip, Known, RequestView, Scheme, Tick};

use crate::arguments::Explain;
use crate::url::Url;
use crate::{Exit, load, saved, say};

pub(crate) fn explain(arguments: &Explain) -> Result<Exit> {
    let loaded = match load::load(&arguments.config) {
        Ok(loaded) => loaded,
        Err(exit) => return Ok(exit),
    };
    let settings = &loaded.settings;
    let listener = listener(arguments, settings)?;
    let request = Request::parse(arguments)?;
    let limits = HeadLimits {
        head_bytes: listener.limits.head_bytes.as_usize(),
        headers: listener.limits.headers,
        target_bytes: listener.limits.target_bytes.as_usize(),
    };
    let head = match check_head(&request.head, &limits) {
        Ok(head) => head,
        Err(refusal) => {
            say(&format!(
                "hygiene            refused: {refusal} ({})",
                refusal.reason.as_str()
            ));
            say(&format!(
                "\n=> {} refused, no backend hears of it",
                refusal.status()
            ));
            return Ok(Exit::Done);
        }
    };
    say("hygiene            the head is clean");
    let connection = ClientAddr {
        port: None,
        ..ClientAddr::peer(Ip::new(arguments.client), 0)
    };
    for step in explain_hops(&connection, &request.headers, &listener.client_address) {
        say(&format!("client address     {step}"));
    }
    let shown = protected::certificate(arguments.client_certificate.as_deref(), listener)?;
    let certificate = shown.as_ref().and_then(|shown| shown.at(SystemTime::now()));
    let now = Tick::default();
    let state = state(settings, now);
    let snapshot = snapshot(settings)?;
    let court = Court {
        snapshot: &snapshot,
        state: &state,
        hops: &listener.client_address,
        now,
    };
    let case = Case {
        connection: &connection,
        scheme: request.scheme,
        version: head.version,
        method: head.method,
        host: head.host.as_ref().map(|host| host.name()),
        target: &head.target,
        headers: &request.headers,
        certificate_is_for_host: true,
        client_certificate: certificate,
    };
    let mut writer = Writer {
        snapshot: &snapshot,
        site: None,
        certificate,
        checks: 0,
    };
    let judged = judge(&court, &case, &mut Scratch::default(), &mut writer);
    writer.write_rest();
    for record in &judged.records {
        say(&format!("recorded           {}", shown_record(record)));
    }
    let ruling = ruling(settings, &judged, &listener.address, &request)?;
    say(&format!("\n=> {ruling}"));
    Ok(Exit::Done)
}

/// What becomes of a request that was judged: its credentials are verified, and rules look at it.
fn ruling(
    settings: &Settings,
    judged: &Judged,
    listener: &SocketAddr,
    request: &Request,
) -> Result<String> {
    if let Some(refusal) = protected::verify(judged) {
        return Ok(shown_refusal(&refusal));
    }
    let by_rules = match judged.goes_to_waf {
        true => rules::explain(settings, judged, listener, request)?,
        false => None,
    };
    Ok(by_rules.unwrap_or_else(|| shown_ruling(&judged.ruling)))
}

fn listener<'a>(arguments: &Explain, settings: &'a Settings) -> Result<&'a ListenerSettings> {
    let mut listeners = settings.listeners.iter();
    match arguments.listener {
        None => listeners.next().context("the settings have no listener"),
        Some(address) => listeners
            .find(|listener| listener.address == address)
            .with_context(|| format!("the settings have no listener {address}")),
    }
}

/// What is known beside the settings: the decisions that were saved.
fn state(settings: &Settings, now: Tick) -> State {
    let table = Arc::new(DecisionTable::new());
    match &settings.state_directory {
        None => say("decisions          none are known: the settings have no state_directory"),
        Some(directory) => {
            let found = saved::load(settings, directory, &table, now);
            say(&format!("decisions          {found} saved ones are known"));
        }
    }
    let lists = settings.lists.len();
    if lists > 0 {
        let known = table.len();
        let directory = settings.state_directory.as_deref();
        saved::restore_lists(settings, directory, &table, now);
        let entries = table.len().saturating_sub(known);
        say(&format!(
            "lists              {lists}, by their files and saved copies; {entries} entries of block lists"
        ));
    }
    State::new(table)
}

fn snapshot(settings: &Settings) -> Result<Snapshot> {
    let snapshot = Snapshot::build(settings.gate.clone(), Arc::clone(&settings.geo));
    snapshot.map_err(|errors| {
        let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
        anyhow!("access rules can't be compiled: {}", errors.join("; "))
    })
}

/// A request as it would arrive.
struct Request {
    head: Vec<u8>,
    headers: HeaderMap,
    scheme: Scheme,
    body: Vec<u8>,
}

impl Request {
    fn parse(arguments: &Explain) -> Result<Self> {
        let url = Url::parse(&arguments.url)?;
        let mut headers = HeaderMap::new();
        for header in &arguments.headers {
            let (name, value) = header
                .split_once(':')
                .with_context(|| format!("\"{header}\" is not a header; expected 'Name: value'"))?;
            let name = HeaderName::from_bytes(name.trim().as_bytes())?;
            headers.append(name, HeaderValue::from_str(value.trim())?);
        }
        if !headers.contains_key(http::header::HOST) {
            headers.insert(http::header::HOST, HeaderValue::from_str(url.host)?);
        }
        let body = match &arguments.body {
            Some(path) => crate::waf::read_message(path)?,
            None => Vec::new(),
        };
        if !body.is_empty() && !headers.contains_key(http::header::CONTENT_LENGTH) {
            headers.insert(http::header::CONTENT_LENGTH, body.len().into());
        }
        let mut head = format!("{} {} HTTP/1.1\r\n", arguments.method, url.target).into_bytes();
        for (name, value) in &headers {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
        head.extend_from_slice(b"\r\n");
        Ok(Self {
            head,
            headers,
            scheme: url.scheme,
            body,
        })
    }
}

/// Writes each step down.
struct Writer<'a> {
    snapshot: &'a Snapshot,
    site: Option<Arc<Site>>,
    certificate: Option<&'a ClientCertificate>,
    /// How many checks had their say.
    checks: usize,
}

impl Writer<'_> {
    /// Names the checks that the request didn't get to.
    fn write_rest(&self) {
        for (name, _) in CHECKS.iter().skip(self.checks) {
            say(&format!("check: {name:<18} not asked any more"));
        }
    }
}

impl Witness for Writer<'_> {
    fn client(&mut self, client: &ClientAddr) {
        say(&format!(
            "client             {} (from {})",
            client.ip, client.provenance
        ));
    }

    fn site(&mut self, site: Option<&Arc<Site>>) {
        self.site = site.cloned();
        match site {
            Some(site) => say(&format!(
                "site               {} (mode {})",
                site.settings.name,
                site.settings.mode.as_str()
            )),
            None => {
                say("site               none answers for this host, and there is no default site")
            }
        }
    }

    fn view(&mut self, view: &RequestView<'_>) {
        let path = String::from_utf8_lossy(view.path.canonical);
        say(&format!("canonical path     {}", path.escape_debug()));
        let geo = self.snapshot.geo.place(view.client.ip);
        say(&format!(
            "place              country {}, {}",
            known(geo.country),
            known(geo.asn)
        ));
        explain_rules("access (global)", &self.snapshot.access, view);
        if let Some(site) = &self.site {
            explain_rules("access (site)", &site.access, view);
            if protected::are_asked(site) {
                protected::tell(site, view, self.certificate);
            }
        }
    }

    fn check(&mut self, name: &'static str, said: &ControlFlow<Verdict>) {
        self.checks += 1;
        let said = match said {
            ControlFlow::Continue(()) => "goes on".to_owned(),
            ControlFlow::Break(Verdict::Trusted) => "trusted: passes everything".to_owned(),
            ControlFlow::Break(Verdict::Refuse(refusal)) => shown_refusal(refusal),
        };
        say(&format!("check: {name:<18} {said}"));
    }
}

fn explain_rules(place: &str, rules: &Rules, view: &RequestView<'_>) {
    for RuleExplanation {
        rule,
        outcome,
        because,
        ..
    } in rules.set().explain(view)
    {
        let because: Vec<String> = because.iter().map(ToString::to_string).collect();
        say(&format!(
            "{place:<18} {}: {outcome} [{}]",
            rule.id,
            because.join(", ")
        ));
    }
}

fn known<T: std::fmt::Display>(fact: Known<T>) -> String {
    match fact {
        Known::Is(fact) => fact.to_string(),
        Known::Unlisted => "unknown (not in the database)".to_owned(),
        Known::Unavailable => "unknown (no database)".to_owned(),
    }
}

fn shown_refusal(refusal: &Refusal) -> String {
    format!(
        "refused with {}: {}",
        refusal.status,
        shown_cause(&refusal.cause)
    )
}

fn shown_record(record: &Record) -> String {
    let cause = shown_cause(&record.cause);
    match record.kind {
        RecordKind::WouldRefuse => format!("would be refused with {}: {cause}", record.status),
        RecordKind::Logged => format!("logged: {cause}"),
    }
}

fn shown_cause(cause: &Cause) -> String {
    match cause {
        Cause::Hygiene(reason) => format!("{reason} ({})", reason.as_str()),
        Cause::Decision(found) => format!(
            "decision: {} of {} {} by {} ({})",
            found.remedy(),
            found.scope().name(),
            found.scope(),
            found.origin_label(),
            found.scenario()
        ),
        Cause::DecisionsStale => "decisions are too old, and on_failure is closed".to_owned(),
        Cause::Rule { id, reason } => match reason {
            Some(reason) => format!("rule {id} ({reason})"),
            None => format!("rule {id}"),
        },
        Cause::Protected { id, demand, .. } => format!("protected path {id}: {}", demand.as_str()),
        Cause::Credentials(refused) => {
            let (id, fault) = (&refused.id, refused.fault.as_str());
            match &refused.user {
                Some(user) => format!("protected path {id}: {fault} ({user:?})"),
                None => format!("protected path {id}: {fault}"),
            }
        }
        Cause::LockedOut { retry_after, .. } => {
            format!("locked out for {} seconds more", retry_after.as_secs())
        }
    }
}

fn shown_ruling(ruling: &Ruling) -> String {
    match ruling {
        Ruling::Forward { upstream, target } => match target {
            Some(target) => format!(
                "forwarded to {upstream} as {}",
                String::from_utf8_lossy(target)
            ),
            None => format!("forwarded to {upstream}, as it was sent"),
        },
        Ruling::Refuse(refusal) => shown_refusal(refusal),
        Ruling::RedirectToHttps(location) => {
            format!("308 to {}", String::from_utf8_lossy(location.as_bytes()))
        }
        Ruling::NoSite => "404: no site answers for this host".to_owned(),
        Ruling::NoUpstream => "503: the site has no upstream for this path".to_owned(),
    }
}
