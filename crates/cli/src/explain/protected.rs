//! What protected paths ask of a request, and who its credentials and certificate say it is from.

use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use palisade_gate::{Authentication, ClientCertificate, ProtectedPath, Refusal, Site};
use palisade_proxy::judge::Judged;
use palisade_proxy::settings::{ClientCertificates, ListenerSettings};
use palisade_proxy::{ValidCertificate, verify_client_certificate};
use palisade_vocabulary::{Mode, RequestView};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::say;

/// The certificate of a file, if there is one, verified as the listener does.
pub(super) fn certificate(
    file: Option<&Path>,
    listener: &ListenerSettings,
) -> Result<Option<ValidCertificate>> {
    let Some(file) = file else {
        return Ok(None);
    };
    let shown = file.display();
    let pem = std::fs::read(file).with_context(|| format!("can't read {shown}"))?;
    let chain: Result<Vec<CertificateDer<'_>>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    let chain = chain.map_err(|error| anyhow!("{shown} is not PEM: {error}"))?;
    let off = ClientCertificates::Off;
    let tls = listener.tls.as_ref();
    let settings = tls.map_or(&off, |tls| &tls.client_certificates);
    let verified = verify_client_certificate(settings, &chain)
        .with_context(|| format!("{shown}: the handshake fails, and there is no request"))?;
    match verified
        .as_ref()
        .and_then(|valid| valid.at(SystemTime::now()))
    {
        Some(certificate) => say(&format!("client certificate {}", named(certificate))),
        None => say("client certificate not asked for by this listener, and so not shown"),
    }
    Ok(verified)
}

fn named(certificate: &ClientCertificate) -> String {
    let names: Vec<String> = certificate
        .names()
        .map(|name| format!("{name:?}"))
        .collect();
    match names.is_empty() {
        true => "good, without a name".to_owned(),
        false => format!("good, of {}", names.join(", ")),
    }
}

/// Tells which protected paths a request is for, and which of their demands it fulfils.
pub(super) fn tell(site: &Site, view: &RequestView<'_>, certificate: Option<&ClientCertificate>) {
    let positions = site
        .protected
        .matching(view, &mut palisade_access::Scratch::new());
    if positions.is_empty() && !site.protected.is_empty() {
        say("protected paths    none is for this request");
    }
    for path in site.protected.at(&positions) {
        let demands = path.demands(view, certificate).map(|(demand, holds)| {
            let word = if holds { "holds" } else { "doesn't hold" };
            format!("{} {word}", demand.as_str())
        });
        let demands: Vec<String> = demands.chain(password(path)).collect();
        let id = &path.rule.id;
        say(&format!("protected path     {id}: {}", demands.join(", ")));
    }
}

fn password(path: &ProtectedPath) -> Option<String> {
    let basic = path.basic_authentication.as_ref()?;
    let users = basic.users.len();
    Some(format!("credentials of one of {users} users are asked for"))
}

/// Verifies credentials that judging only looked at, as the proxy does; why the request is refused, if it
/// is.
pub(super) fn verify(judged: &Judged) -> Option<Refusal> {
    let Authentication::Unverified(unverified) = &judged.authentication else {
        return None;
    };
    match unverified.verify() {
        Ok(user) => {
            say(&format!("credentials        right: {user:?}"));
            None
        }
        Err(refusal) if unverified.is_trial() => {
            let shown = super::shown_refusal(&refusal);
            say(&format!("recorded           would be {shown}"));
            None
        }
        Err(refusal) => Some(refusal),
    }
}

/// Whether a site's protected paths are asked at all.
pub(super) fn are_asked(site: &Site) -> bool {
    site.settings.mode != Mode::Off
}
