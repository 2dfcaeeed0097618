//! An exclusion, told to people.

use palisade_waf::exclusion::{Attack, AttacksThere, PathScope, SparedRule, Trial};

use super::super::shown;
use super::Excluding;
use super::proof::Attacks;
use crate::say;

/// The most attacks that are listed for a rule.
const LISTED_MAX: usize = 20;
/// The most rules that are listed for a request.
const RULES_MAX: usize = 10;
/// The most characters of an attack, or of a value.
const VALUE_CHARS_MAX: usize = 80;

pub(super) fn tell(excluding: &Excluding<'_>, is_written: bool) {
    tell_request(excluding);
    say(&format!("\n{}", excluding.text));
    tell_replay(excluding);
    match &excluding.proof.attacks {
        Some(attacks) => tell_attacks(excluding, attacks),
        None => {
            say("attacks            NOT TRIED: no tests were found; name them with --tests DIR")
        }
    }
    tell_file(excluding, is_written);
}

fn tell_request(excluding: &Excluding<'_>) {
    let record = excluding.record;
    let part = |text: &Option<String>| shown(text.as_deref().unwrap_or_default().as_bytes());
    let request = &record.request;
    say(&format!(
        "request            {} {} of {}, {} ({})",
        part(&request.method),
        part(&request.target),
        shown(record.host.as_bytes()),
        shown(record.outcome.replace('_', " ").as_bytes()),
        shown(record.time.as_bytes()),
    ));
    let causes = record.messages.iter().filter(|one| !one.is_evaluation());
    for one in causes {
        say(&format!(
            "matched            rule {}: {} [{} = {}]",
            one.id,
            shown(one.msg.as_bytes()),
            shown(one.name.as_bytes()),
            short(one.value.as_bytes())
        ));
    }
    if record.messages_left_out > 0 {
        let more = record.messages_left_out;
        say(&format!("matched            {more} more than the log has"));
    }
    for rule in &excluding.proposal.above_paranoia {
        say(&format!(
            "left out           rule {rule}: it doesn't count at this paranoia level"
        ));
    }
    for rule in &excluding.proposal.needless {
        say(&format!(
            "left out           rule {rule}: the request passes without sparing it"
        ));
    }
    for rule in &excluding.proposal.exclusion.rules {
        if rule.spared.target().is_none() {
            say(&format!(
                "wider              rule {} doesn't run in these requests at all, whatever it would look at",
                rule.id
            ));
        }
    }
}

fn tell_replay(excluding: &Excluding<'_>) {
    let Some(replayed) = &excluding.proof.replayed else {
        say("replayed           NOT: the log has too little of the request");
        return;
    };
    let rules = &excluding.proposal.exclusion.rules;
    let reproduced = match replayed.is_reproduced(rules) {
        true => "",
        false => "; made again of what the log has, it is NOT what the rules found",
    };
    say(&format!(
        "replayed           without the exclusion {}, with it {}{reproduced}",
        end(&replayed.without),
        end(&replayed.with)
    ));
    say("                   its header fields are a browser's, but for those that rules matched");
    for missing in &replayed.missing {
        say(&format!("                   {}", shown(missing.as_bytes())));
    }
}

fn end(trial: &Trial) -> String {
    match (trial.is_malformed, trial.refused_by) {
        (true, _) => "refused before any rule".to_owned(),
        (false, Some(rule)) => format!("refused by rule {rule}{}", others(trial, rule)),
        (false, None) => "passed".to_owned(),
    }
}

/// The rules beside the one that refuses.
fn others(trial: &Trial, refusing: u64) -> String {
    let ids = trial.matches.iter().map(|one| one.rule);
    let mut ids: Vec<u64> = ids.filter(|id| *id != refusing).collect();
    ids.sort_unstable();
    ids.dedup();
    let ids: Vec<String> = ids.iter().take(RULES_MAX).map(u64::to_string).collect();
    match ids.is_empty() {
        true => String::new(),
        false => format!(" (also matched: {})", ids.join(", ")),
    }
}

fn tell_attacks(excluding: &Excluding<'_>, attacks: &Attacks) {
    let rules = excluding.proposal.exclusion.rules.iter();
    for (rule, there) in rules.zip(&attacks.there) {
        tell_attacks_of(rule, there);
    }
    let elsewhere = &attacks.elsewhere;
    let changed: Vec<String> = elsewhere.changed.iter().map(ToString::to_string).collect();
    let which = match changed.is_empty() {
        true => String::new(),
        false => format!(": {}", changed.join(", ")),
    };
    say(&format!(
        "elsewhere          {} tests as they are: {} changed{which}",
        elsewhere.tests,
        changed.len()
    ));
}

fn tell_attacks_of(rule: &SparedRule, there: &AttacksThere) {
    let place = rule.spared.target();
    let place = place.as_deref().unwrap_or("the request");
    let id = rule.id;
    if there.known == 0 {
        say(&format!(
            "attacks            NOT TRIED for rule {id}: the tests have none that it finds"
        ));
        return;
    }
    if there.is_fixed {
        say(&format!(
            "attacks            rule {id}: {place} is this one value, where no other can be"
        ));
        return;
    }
    say(&format!(
        "attacks            rule {id}: of {} in the tests it finds {} in {place} there: {} still refused by other rules, {} LET THROUGH{}",
        there.known,
        there.found_there,
        there.still_refused,
        there.let_through.len(),
        match there.passing_anyway {
            0 => String::new(),
            more => format!(", {more} passed before"),
        }
    ));
    for Attack { test, payload, .. } in there.let_through.iter().take(LISTED_MAX) {
        say(&format!("  {:<16} {}", test.to_string(), short(payload)));
    }
    let more = there.let_through.len().saturating_sub(LISTED_MAX);
    if more > 0 {
        say(&format!("  ... and {more} more; --json has all"));
    }
}

/// The beginning, so that a terminal can bear it.
fn short(bytes: &[u8]) -> String {
    let text = shown(bytes);
    match text.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn tell_file(excluding: &Excluding<'_>, is_written: bool) {
    let Some((file, is_loaded)) = excluding.file else {
        say("written            nothing; --write FILE adds it to a rule file");
        return;
    };
    let path = file.path.display();
    if !is_written {
        say(&format!("written            NOTHING to {path}"));
        return;
    }
    say(&format!("written            to {path}"));
    if !is_loaded {
        let site = shown(excluding.record.site.as_bytes());
        say(&format!(
            "next               the site {site} doesn't have this file yet: add `rules_before: {path}` to its `waf`, or name it \
             first in `waf.rules`"
        ));
    }
    say("next               `palisade check`, then SIGHUP (systemctl reload palisade)");
    if let PathScope::Below(path) = &excluding.proposal.exclusion.path {
        say(&format!(
            "note               it holds for all below {}",
            path.as_str()
        ));
    }
}
