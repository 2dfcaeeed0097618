//! `palisade waf shadow`: what a second set of rules would change, from its log.

mod json;
mod line;
mod tally;

use std::fs::File;
use std::io::{BufRead, BufReader, stdin};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use palisade_telemetry::Sink;

use self::line::Lines;
use self::tally::{Counted, Tally, Top};
use super::shown;
use super::terminal::json_shown;
use crate::arguments::{WafShadow, WafShadowAction, WafShadowReport};
use crate::{Exit, complain, load, say};

pub(super) fn shadow(arguments: &WafShadow) -> Result<Exit> {
    match &arguments.action {
        WafShadowAction::Report(arguments) => report(arguments),
    }
}

fn report(arguments: &WafShadowReport) -> Result<Exit> {
    let logs = match arguments.logs.is_empty() {
        false => arguments.logs.clone(),
        true => match load::load(&arguments.config) {
            Ok(loaded) => vec![named(loaded.settings.logs.shadow.as_ref())?],
            Err(exit) => return Ok(exit),
        },
    };
    let mut tally = Tally::default();
    for log in &logs {
        read(log, &mut tally).with_context(|| format!("can't read {}", log.display()))?;
    }
    if tally.damaged > 0 {
        complain(&format!(
            "{} lines are no lines of a shadow log, and are left out",
            tally.damaged
        ));
    }
    match arguments.json {
        true => {
            let report = serde_json::to_string_pretty(&json::Report::of(&tally, arguments.top))?;
            say(&json_shown(&report));
        }
        false => show(&tally, arguments.top),
    }
    Ok(Exit::Done)
}

/// The file that the settings name.
fn named(sink: Option<&Sink>) -> Result<PathBuf> {
    match sink {
        Some(Sink::File(path)) => Ok(path.clone()),
        Some(Sink::Stdout | Sink::Stderr) => Err(anyhow!(
            "`logs.shadow` goes to standard output; name a file with its lines, or - for standard input"
        )),
        None => Err(anyhow!(
            "the settings have no `logs.shadow`, so that there is nothing to report; see `waf.shadow`"
        )),
    }
}

fn read(log: &Path, tally: &mut Tally) -> Result<()> {
    let reader: Box<dyn BufRead> = match log == Path::new("-") {
        true => Box::new(stdin().lock()),
        false => Box::new(BufReader::new(File::open(log)?)),
    };
    for line in Lines::of(reader) {
        tally.count(line?);
    }
    Ok(())
}

fn show(tally: &Tally, top: usize) {
    if let Some((from, to)) = &tally.times {
        say(&format!(
            "{:<18} {} to {}",
            "lines",
            shown(from.as_bytes()),
            shown(to.as_bytes())
        ));
    }
    show_judged(tally);
    let kinds = &tally.kinds;
    let table = [
        (
            "new refusals",
            kinds.new_refusal,
            "pass now, and would be refused",
        ),
        (
            "lost refusals",
            kinds.lost_refusal,
            "are refused now, and would pass",
        ),
        (
            "other rule",
            kinds.other_rule,
            "would be refused by another rule",
        ),
        (
            "other matches",
            kinds.other_matches,
            "would end the same, with other rules that match",
        ),
        (
            "shadow failed",
            kinds.shadow_failed,
            "could not be judged to the end",
        ),
    ];
    for (name, count, meaning) in table {
        say(&format!("{name:<18} {count:>9}  {meaning}"));
    }
    show_top("by rule", &tally.rules.top(top), |id, rule| {
        let message = shown(rule.message.as_bytes());
        format!("{id:<10} {message}  {}", shown(rule.target.as_bytes()))
    });
    show_top("by path", &tally.paths.top(top), |path, ()| {
        shown(path.as_bytes())
    });
    show_top("by client", &tally.clients.top(top), |client, ()| {
        shown(client.as_bytes())
    });
    say("");
    say(&verdict(tally));
}

fn show_judged(tally: &Tally) {
    let skipped: Vec<String> = tally
        .skipped
        .iter()
        .filter(|(_, count)| **count > 0)
        .map(|(reason, count)| format!("{count} {}", shown(reason.as_bytes())))
        .collect();
    let skipped = match skipped.is_empty() {
        true => String::new(),
        false => format!("; skipped: {}", skipped.join(", ")),
    };
    say(&format!(
        "{:<18} {:>9}  requests, of which {} came to the same{skipped}",
        "judged",
        tally.evaluated(),
        tally.agreed
    ));
}

fn show_top<K, V>(label: &str, top: &Top<'_, K, V>, name: impl Fn(&K, &V) -> String) {
    if top.shown.is_empty() {
        return;
    }
    say(&format!("\n{label:<18} {:>9} {:>9}", "refused", "all"));
    for (key, counted) in &top.shown {
        let Counted {
            would_be_refused,
            all,
            about,
        } = counted;
        let name = name(key, about);
        say(&format!(
            "{:<18} {would_be_refused:>9} {all:>9}  {}",
            "",
            name.trim_end()
        ));
    }
    if top.more > 0 {
        say(&format!("  ... and {} more; --top N shows more", top.more));
    }
    if top.not_kept > 0 {
        say(&format!(
            "  ... and {} lines of yet others, beyond what is kept",
            top.not_kept
        ));
    }
}

/// What promotion would do, and what is next.
fn verdict(tally: &Tally) -> String {
    match (tally.would_be_refused, tally.evaluated()) {
        (0, 0) => "Nothing was judged, so that nothing can be said. Is there a `waf.shadow` with a `sample`, and has there been traffic? What was judged is summed up each minute.".to_owned(),
        (0, _) => "Promotion would refuse nothing that passes now, as far as was judged. Next: `waf.shadow.promoted: true`, and a reload.".to_owned(),
        (count, _) => format!(
            "Promotion would refuse {count} of the requests that pass now. Next: look at them by `request_id` in the access log; where they are benign, exclude their rules behind the new set's; then look again."
        ),
    }
}
