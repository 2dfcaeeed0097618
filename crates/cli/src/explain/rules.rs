//! What SecLang rules would make of a request.

use std::net::SocketAddr;

use anyhow::Result;
use palisade_config::Settings;
use palisade_ftw::Request as RawRequest;
use palisade_proxy::judge::{Judged, Ruling};
use palisade_seclang::WorkerOptions;
use palisade_waf::{Case, Explanation, RuleSet, stopwatch, system_clock};

use super::Request;
use crate::say;
use crate::waf::{ending, shown};

/// Tells which rules match, and how the request ends if rules end it.
pub(super) fn explain(
    settings: &Settings,
    judged: &Judged,
    listener: &SocketAddr,
    request: &Request,
) -> Result<Option<String>> {
    if !matches!(judged.ruling, Ruling::Forward { .. }) {
        return Ok(None);
    }
    let site = judged.site.as_ref();
    let rules = site.and_then(|site| settings.waf.rule_sets.of_site(site.number));
    let Some(rules) = rules else {
        say("waf                no rules guard this site");
        return Ok(None);
    };
    let sent = [&*request.head, &*request.body].concat();
    let options = WorkerOptions {
        stopwatch,
        countries: rules.countries().cloned(),
        ..WorkerOptions::new(system_clock)
    };
    let case = Case {
        client: SocketAddr::new(judged.client.ip.as_std(), judged.client.port.unwrap_or(0)),
        server: *listener,
        request: &RawRequest::read(&sent),
        response: None,
    };
    let explanation = palisade_waf::explain(rules.program(), options, &case);
    tell(&explanation, rules);
    Ok(verdict(&explanation, rules))
}

fn tell(explanation: &Explanation<'_>, rules: &RuleSet) {
    let mode = match rules.only_detects() {
        true => "detect",
        false => "block",
    };
    let count = rules.program().rule_count();
    say(&format!("waf                {count} rules (mode {mode})"));
    for matched in explanation.matches.iter().filter(|one| one.is_logged) {
        let value = match matched.name.is_empty() {
            true => String::new(),
            false => format!(" [{} = {}]", shown(&matched.name), shown(&matched.value)),
        };
        say(&format!(
            "waf                rule {}: {}{value}",
            matched.rule.id(),
            shown(&matched.message)
        ));
    }
    for (name, value) in &explanation.scores {
        if name.starts_with("blocking_") && name.ends_with("_score") {
            say(&format!("waf                tx.{name} {}", shown(value)));
        }
    }
    if let Some(error) = &explanation.body_error {
        say(&format!(
            "waf                body error: {}",
            shown(error.as_bytes())
        ));
    }
}

/// `None` where it goes on.
fn verdict(explanation: &Explanation<'_>, rules: &RuleSet) -> Option<String> {
    let end = explanation.interruption.as_ref();
    let end = end.or(explanation.would_be.as_ref())?;
    match rules.only_detects() {
        true => {
            say(&format!("recorded           would be {}", ending(end)));
            None
        }
        false => Some(format!("{}; no backend hears of it", ending(end))),
    }
}
