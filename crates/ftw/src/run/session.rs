//! The stages of a test, and what one leaves to the next.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::check::{Mismatch, check};
use super::report::Failure;
use crate::engine::{Engine, Exchange, Observed};
use crate::request::{Request, Response};
use crate::suite::{Carried, Input, Stage};

/// Who sends all requests.
const CLIENT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 40_000);

/// Why there is nothing to follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RedirectError {
    /// The stage is the first one, or the one before it got no answer.
    #[error("there is no answer before it to follow")]
    NoAnswer,
    /// The answer before is no redirect.
    #[error("the answer before it has status {0}, which is no redirect")]
    NotARedirect(u16),
    /// It doesn't say where to.
    #[error("the redirect before it has no Location")]
    NoLocation,
}

/// Runs all stages, and tells the first that fails.
pub(super) fn run_stages(engine: &mut dyn Engine, stages: &[Stage]) -> Result<(), Failure> {
    let mut session = Session::default();
    let mut result = Ok(());
    for (index, stage) in stages.iter().enumerate() {
        let failed = |mismatch| Failure {
            stage: index,
            mismatch: Box::new(mismatch),
        };
        let mut ran = session.run(engine, stage);
        if ran.is_err() && stage.output.retry_once {
            ran = session.run(engine, stage);
        }
        result = result.and(ran.map_err(failed));
    }
    result
}

/// What the stages so far left.
#[derive(Default)]
struct Session {
    cookies: Vec<(String, String)>,
    response: Option<Response>,
}

impl Session {
    fn run(&mut self, engine: &mut dyn Engine, stage: &Stage) -> Result<(), Mismatch> {
        let input = &stage.input;
        let carried = self.carried(input).map_err(Mismatch::Redirect)?;
        let bytes = input.message.to_bytes_with(&carried);
        let request = Request::read(&bytes);
        let observed = engine.judge(&Exchange {
            client: CLIENT,
            server: input.server(),
            scheme: input.scheme,
            request: &request,
        });
        let checked = check(&stage.output, &observed);
        self.keep(observed);
        checked
    }

    fn carried(&self, input: &Input) -> Result<Carried, RedirectError> {
        let redirect = match input.follow_redirect {
            true => Some(redirect(self.response.as_ref())?),
            false => None,
        };
        let cookies = match input.save_cookie {
            true => self.cookies.clone(),
            false => Vec::new(),
        };
        Ok(Carried { cookies, redirect })
    }

    fn keep(&mut self, observed: Observed) {
        if let Some(response) = &observed.response {
            for cookie in response.values("Set-Cookie") {
                let pair = cookie.split(';').next().unwrap_or_default();
                let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
                self.cookies.retain(|(other, _)| other != name);
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        self.response = observed.response;
    }
}

/// The URI and the host that an answer leads to.
fn redirect(response: Option<&Response>) -> Result<(String, String), RedirectError> {
    let response = response.ok_or(RedirectError::NoAnswer)?;
    if !matches!(response.status, 300..=303 | 307 | 308) {
        return Err(RedirectError::NotARedirect(response.status));
    }
    let location = response
        .header("Location")
        .filter(|value| !value.is_empty());
    let location = location.ok_or(RedirectError::NoLocation)?;
    let location = location.split('#').next().unwrap_or_default();
    let Some((_, rest)) = location.split_once("://") else {
        return Ok((or_root(location), "localhost".to_owned()));
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, uri) = rest.split_at_checked(end).unwrap_or((rest, ""));
    Ok((or_root(uri), host.to_owned()))
}

/// A URI with a path.
fn or_root(uri: &str) -> String {
    match uri {
        "" => "/".to_owned(),
        uri if uri.starts_with('?') => format!("/{uri}"),
        uri => uri.to_owned(),
    }
}
