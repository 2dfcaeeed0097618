//! `palisade waf exclude`: from a false positive to the narrowest exclusion, with what it lets through.

mod file;
mod json;
mod line;
mod proof;
mod story;

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use palisade_config::Settings;
use palisade_seclang::syntax::{Action, Directive, Problems, parse};
use palisade_waf::exclusion::{
    AuditRecord, Date, EXCLUSION_IDS, Proposal, Proving, Replayed, Wanted, Wider, paranoia,
};
use palisade_waf::{RuleSet, system_clock};

use self::file::RuleFile;
use self::proof::Proof;
use super::rules;
use crate::arguments::{Expires, WafExclude, WiderBy};
use crate::{Exit, complain, load};

/// What is found, proposed and proven.
struct Excluding<'a> {
    record: &'a AuditRecord,
    proposal: &'a Proposal,
    /// The exclusion's text.
    text: &'a str,
    proof: &'a Proof,
    /// The file that it is for, and whether the site's rules have that file already.
    file: Option<(&'a RuleFile, bool)>,
}

pub(super) fn exclude(arguments: &WafExclude) -> Result<Exit> {
    let loaded = match load::load(&arguments.config) {
        Ok(loaded) => loaded,
        Err(exit) => return Ok(exit),
    };
    let settings = &loaded.settings;
    let today = Date::of(system_clock().as_secs());
    let expires = expires(arguments.expires, today)?;
    let record = line::record(arguments, settings)?;
    let guarding = guarding(settings, &record)?;
    let file = arguments.write.as_deref().map(RuleFile::read).transpose()?;
    let tests = proof::tests(arguments.tests.as_deref(), guarding)?;
    let wider = |by| arguments.wider.contains(&by);
    let mut wanted = Wanted {
        rules: &arguments.rules,
        wider: Wider {
            host: wider(WiderBy::Host),
            path: wider(WiderBy::Path),
            argument: wider(WiderBy::Argument),
        },
        distrusted: &[],
        id: next_id(settings, file.as_ref())?,
        expires,
        paranoia: paranoia(guarding, &record),
    };
    let why = arguments.comment.as_deref().unwrap_or_default();
    let attempt = |wanted: &Wanted<'_>| -> Result<Option<Attempt>> {
        let proposal = Proposal::of(&record, wanted)?;
        let text = proposal.to_seclang(&record, why, today);
        let amended = amended(settings, guarding, file.as_ref(), &text)?;
        Ok(amended.map(|(with, is_loaded)| {
            let mut proving = Proving::new(guarding, &with, &record);
            Attempt {
                replayed: proving.replay(&record, &proposal),
                proposal,
                text,
                proving,
                is_loaded,
            }
        }))
    };
    let Some(mut tried) = attempt(&wanted)? else {
        return Ok(Exit::Failed);
    };
    let refuted = tried.refuted();
    if !refuted.is_empty() {
        wanted.distrusted = &refuted;
        match attempt(&wanted)? {
            Some(again) => tried = again,
            None => return Ok(Exit::Failed),
        }
    }
    if arguments.rules.is_empty() {
        tried = fewest(tried, wanted, attempt)?;
    }
    let proof = Proof::of(
        &mut tried.proving,
        tried.replayed,
        &tried.proposal,
        tests.as_deref(),
    );
    let excluding = Excluding {
        record: &record,
        proposal: &tried.proposal,
        text: &tried.text,
        proof: &proof,
        file: file.as_ref().map(|file| (file, tried.is_loaded)),
    };
    conclude(arguments, &excluding)
}

/// The most rules of which it is tried whether the request passes without sparing them.
const TRIED_MAX: usize = 16;

/// Spares no rule that need not be spared: one that scores nothing, or too little by itself. Only where the
/// request can be made again, and passes.
fn fewest(
    mut best: Attempt,
    wanted: Wanted<'_>,
    attempt: impl Fn(&Wanted<'_>) -> Result<Option<Attempt>>,
) -> Result<Attempt> {
    let mut kept: Vec<u64> = Vec::new();
    for rule in &best.proposal.exclusion.rules {
        if !kept.contains(&rule.id) {
            kept.push(rule.id);
        }
    }
    if !best.passes() {
        return Ok(best);
    }
    let above_paranoia = std::mem::take(&mut best.proposal.above_paranoia);
    let mut needless = Vec::new();
    for rule in kept.clone().into_iter().take(TRIED_MAX) {
        let rest: Vec<u64> = kept.iter().copied().filter(|one| *one != rule).collect();
        if rest.is_empty() {
            break;
        }
        let fewer = attempt(&Wanted {
            rules: &rest,
            ..wanted
        })?;
        if let Some(fewer) = fewer.filter(Attempt::passes) {
            (best, kept) = (fewer, rest);
            needless.push(rule);
        }
    }
    best.proposal.above_paranoia = above_paranoia;
    best.proposal.needless = needless;
    Ok(best)
}

/// An exclusion that is tried.
struct Attempt {
    proposal: Proposal,
    text: String,
    proving: Proving,
    replayed: Option<Replayed>,
    is_loaded: bool,
}

impl Attempt {
    /// Whether the request, made again, is refused without it and passes with it.
    fn passes(&self) -> bool {
        let rules = &self.proposal.exclusion.rules;
        let replayed = self.replayed.as_ref();
        replayed.is_some_and(|one| {
            one.is_reproduced(rules) && one.without.is_refused() && !one.with.is_refused()
        })
    }

    /// The rules that still find something, though what they said they looked at is spared.
    fn refuted(&self) -> Vec<u64> {
        let rules = &self.proposal.exclusion.rules;
        let still = self.replayed.as_ref().map(|one| one.still_found(rules));
        let mut refuted = still.unwrap_or_default();
        refuted.retain(|rule| self.proposal.believed.contains(rule));
        refuted
    }
}

/// Tells it, and writes it if that is wanted and proven.
fn conclude(arguments: &WafExclude, excluding: &Excluding<'_>) -> Result<Exit> {
    let objection = excluding.proof.objection(excluding.proposal);
    let refused = objection
        .as_ref()
        .filter(|objection| !(arguments.unproven && objection.can_be_overruled));
    let written = match (excluding.file, refused) {
        (Some((file, _)), None) => {
            file.append(excluding.text)?;
            true
        }
        _ => false,
    };
    match arguments.json {
        true => json::tell(excluding, written)?,
        false => story::tell(excluding, written),
    }
    if let Some(objection) = &objection {
        complain(&format!("palisade: {}", objection.message));
    }
    let is_done = refused.is_none()
        || (excluding.file.is_none() && objection.is_some_and(|one| one.can_be_overruled));
    Ok(match is_done {
        true => Exit::Done,
        false => Exit::Failed,
    })
}

/// The first day on which the exclusion doesn't hold.
fn expires(wanted: Expires, today: Date) -> Result<Option<Date>> {
    let date = match wanted {
        Expires::Never => return Ok(None),
        Expires::In { days } => today
            .plus(days)
            .context("--expires is too late; expected a day up to 9999-12-31")?,
        Expires::On(date) => date,
    };
    if date <= today {
        bail!("--expires {date} is over; expected a day after today, {today}");
    }
    Ok(Some(date))
}

/// The rules that guard the site of a request.
fn guarding<'s>(settings: &'s Settings, record: &AuditRecord) -> Result<&'s Arc<RuleSet>> {
    let rule_sets = &settings.waf.rule_sets;
    if record.site.is_empty() {
        return rule_sets.of_no_site().context(
            "no rules look at requests that are for no site; `waf` of the settings names none",
        );
    }
    let mut sites = settings.gate.sites.iter();
    let number = sites
        .position(|site| *site.name == *record.site)
        .with_context(|| {
            let site = super::shown(record.site.as_bytes());
            format!("the settings have no site \"{site}\", which the request was for")
        })?;
    rule_sets.of_site(number).with_context(|| {
        let site = super::shown(record.site.as_bytes());
        format!("no rules guard the site \"{site}\" now, so that nothing needs to be excluded")
    })
}

/// An id that no rule has, neither of the settings nor of the file.
fn next_id(settings: &Settings, file: Option<&RuleFile>) -> Result<u64> {
    let sets = settings.waf.rule_sets.distinct();
    let loaded = sets.iter().flat_map(|set| set.program().rules());
    let mut ids: Vec<u64> = loaded.map(palisade_seclang::Rule::id).collect();
    if let Some(file) = file {
        let name = file.path.to_string_lossy().into();
        for directive in parse(&file.content, &name, &mut Problems::default()) {
            let Directive::Rule(rule) = directive.value else {
                continue;
            };
            ids.extend(rule.actions.iter().filter_map(|action| match action.value {
                Action::Id(id) => Some(id),
                _ => None,
            }));
        }
    }
    let is_free = |id: &u64| !ids.contains(id);
    EXCLUSION_IDS.into_iter().find(is_free).with_context(|| {
        let (first, last) = EXCLUSION_IDS.into_inner();
        format!("no id from {first} to {last} is free; remove exclusions that are over")
    })
}

/// The rules with the exclusion, and whether they have the file that it is for already. Whatever has the file
/// is compiled; what is wrong then is told, and there is nothing.
fn amended(
    settings: &Settings,
    guarding: &Arc<RuleSet>,
    file: Option<&RuleFile>,
    text: &str,
) -> Result<Option<(RuleSet, bool)>> {
    let (path, content) = match file {
        Some(file) => (&*file.path, file.with(text)),
        None => (Path::new("(exclusion)"), text.as_bytes().to_vec()),
    };
    let compiled = guarding.with_file(path, &content);
    let others = settings.waf.rule_sets.distinct().into_iter();
    for other in others.filter(|other| !Arc::ptr_eq(other, guarding)) {
        let other = other.with_file(path, &content);
        if other.is_loaded && other.compiled.rule_set.is_none() {
            rules::tell(&other.compiled.problems, complain);
            complain("palisade: with the exclusion these rules can't be used; nothing is written");
            return Ok(None);
        }
    }
    let is_loaded = compiled.is_loaded;
    match compiled.compiled.rule_set {
        Some(rule_set) => Ok(Some((rule_set, is_loaded))),
        None => {
            rules::tell(&compiled.compiled.problems, complain);
            complain("palisade: with the exclusion the rules can't be used; nothing is written");
            Ok(None)
        }
    }
}
