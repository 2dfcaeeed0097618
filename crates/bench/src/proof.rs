//! That each server does its duty, before it is measured: one that lets everybody pass is cheap.

use std::io;
use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use http::{HeaderName, HeaderValue};

use crate::load::{Connection, Target};
use crate::place::Duty;
use crate::session::Session;
use crate::subject::Subject;
use crate::transport::{ALL, KEEP_ALIVE};
use crate::workload::{Kind, Prepared};

/// A server that has just started knows by then what to do.
const PATIENCE: Duration = Duration::from_secs(5);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What a server does otherwise than its duty, if anything: it forwards a page, a gate refuses a client that is
/// listed, a WAF an attack, at each of its doors.
#[must_use]
pub fn fault(session: &Session, subject: &Subject) -> Option<String> {
    let doors = [KEEP_ALIVE.name, "proxy", "tls", "h2-1"];
    let transports = ALL.iter().filter(|one| doors.contains(&one.name));
    for target in transports.filter_map(|transport| subject.target(*transport)) {
        let page = first(session, Kind::Get)?;
        let refused = match subject.duty {
            Duty::Bare => None,
            Duty::Gate => Some(from(page.clone(), session.lineup.listed)),
            Duty::Waf(_) => Some(first(session, Kind::Attack)?),
        };
        for (prepared, expected) in [(Some(page), 200), (refused, 403)] {
            let Some(prepared) = prepared else { continue };
            let client = prepared.client;
            let what = match prepared.is_attack {
                true => "an attack",
                false => "a GET",
            };
            let answered = session.runtime.block_on(ask(&target, &prepared, expected));
            let was = match answered {
                Ok(status) if status == expected => continue,
                Ok(status) => format!("answered with {status}"),
                Err(error) => format!("not answered: {error}"),
            };
            return Some(format!(
                "{}: left out: {what} of {client}, {}, was {was}, not with {expected}",
                subject.title, target.transport.title
            ));
        }
    }
    None
}

fn first(session: &Session, kind: Kind) -> Option<Prepared> {
    let mut source = session.sources(kind, 1, 0);
    Some(source.first_mut()?.make())
}

/// What a client is answered with who asks for a page.
pub(crate) fn status_of(session: &Session, subject: &Subject, client: Ipv4Addr) -> io::Result<u16> {
    let target = subject.target(KEEP_ALIVE);
    let page = first(session, Kind::Get);
    let (target, page) = target.zip(page).ok_or(io::ErrorKind::Unsupported)?;
    let page = from(page, client);
    session.runtime.block_on(async {
        let mut connection = Connection::open(&target, client).await?;
        connection.ask(page).await
    })
}

/// The same request from another client.
fn from(mut prepared: Prepared, client: Ipv4Addr) -> Prepared {
    prepared.client = client;
    if let Ok(value) = HeaderValue::try_from(client.to_string()) {
        let name = HeaderName::from_static("x-forwarded-for");
        prepared.headers.insert(name, value);
    }
    prepared
}

/// The status, once it is `expected`: some listen before they know where requests go.
async fn ask(target: &Target, prepared: &Prepared, expected: u16) -> io::Result<u16> {
    let patience = Instant::now() + PATIENCE;
    loop {
        let mut connection = Connection::open(target, prepared.client).await?;
        let status = connection.ask(prepared.clone()).await?;
        if status == expected || Instant::now() > patience {
            return Ok(status);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use crate::lineup::tests::lineup;
    use crate::session::tests::with_session;

    use super::*;

    #[test]
    fn a_waf_that_lets_attacks_pass_is_not_measured() {
        let lineup = lineup(&[Duty::Waf(1)]);
        with_session(&lineup, |session| {
            let site = lineup.subjects.first().expect("the backend itself");
            let fault = fault(session, site).unwrap_or_default();
            assert!(fault.contains("left out: an attack of "), "{fault}");
            assert!(
                fault.contains("was answered with 200, not with 403"),
                "{fault}"
            );
        });
    }

    #[test]
    fn a_gate_that_lets_everybody_pass_is_not_measured() {
        let lineup = lineup(&[Duty::Bare, Duty::Gate]);
        with_session(&lineup, |session| {
            let faults = lineup
                .subjects
                .iter()
                .map(|subject| fault(session, subject));
            let faults: Vec<Option<String>> = faults.collect();
            let [bare_site, bare_auth, gate_site, gate_auth] = faults.as_slice() else {
                panic!("four servers: {faults:?}")
            };
            assert_eq!((bare_site, bare_auth, gate_auth), (&None, &None, &None));
            let fault = gate_site.as_deref().unwrap_or_default();
            assert!(
                fault.contains("was answered with 200, not with 403"),
                "{fault}"
            );
        });
    }
}
