//! The narrowest exclusion for what a line of the audit log tells.

use super::date::Date;
use super::plant::{Place, is_in_query};
use super::record::{AuditRecord, LoggedMatch, told_names};
use super::scope::{Host, Inexpressible, PathScope, SentPath, Spared};
use super::text::{Exclusion, Note, SparedRule};

/// The most values that one exclusion spares: a request with more is no false positive of a rule, but one
/// that rules don't fit.
const RULES_MAX: usize = 64;

/// The most rules that a message lists.
const TOLD_RULES_MAX: usize = 50;

/// Where an exclusion is wider than it has to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wider {
    /// Requests to all hosts that its file is read for.
    pub host: bool,
    /// All paths of the folder that the request's is in.
    pub path: bool,
    /// All that the rule looks at.
    pub argument: bool,
}

/// What is wanted of an exclusion.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'w> {
    /// These rules alone; all that led to the refusal where there are none.
    pub rules: &'w [u64],
    /// Where it is wider than it has to be.
    pub wider: Wider,
    /// Rules that aren't believed where they say in their data what they looked at.
    pub distrusted: &'w [u64],
    /// The id of its rule.
    pub id: u64,
    /// The first day on which it doesn't hold.
    pub expires: Option<Date>,
    /// The paranoia level up to which OWASP CRS's rules count, where it is known.
    pub paranoia: Option<u8>,
}

/// Why a line of the audit log leads to no exclusion.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ProposalError {
    /// A name in it can't stand in a rule.
    #[error(transparent)]
    Inexpressible(#[from] Inexpressible),
    /// No rule has matched that could be excluded.
    #[error(
        "the line names no rule that could be excluded: those that matched weigh what others have scored"
    )]
    NoRule,
    /// None of those that matched is wanted.
    #[error("rule {rule} didn't match; expected one of {matched}")]
    OtherRule {
        /// What is wanted.
        rule: u64,
        /// What is there.
        matched: String,
    },
    /// Too many values matched.
    #[error(
        "{0} values matched, and one exclusion spares {RULES_MAX}; choose rules with --rule, or add --wider argument"
    )]
    TooMany(usize),
}

/// An exclusion, and what it was made of.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// It.
    pub exclusion: Exclusion,
    /// What each of its rules says of itself; may be what a client made it.
    pub messages: Vec<String>,
    /// The request's host, where one can be named.
    pub host: Option<Host>,
    /// The request's path.
    pub path: SentPath,
    /// For each of its rules, whether what is spared stood in the query.
    are_in_query: Vec<bool>,
    /// Rules of which what they looked at is known from their data alone, which is partly a client's word.
    pub believed: Vec<u64>,
    /// Rules that matched and don't count at this paranoia level.
    pub above_paranoia: Vec<u64>,
    /// Rules that matched and need not be spared for the request to pass, where that was tried.
    pub needless: Vec<u64>,
}

impl Proposal {
    /// The narrowest exclusion that is wanted.
    ///
    /// # Errors
    /// There is nothing to exclude, or it can't stand in a rule.
    pub fn of(record: &AuditRecord, wanted: &Wanted<'_>) -> Result<Self, ProposalError> {
        let (causes, above_paranoia) = causes(record, wanted)?;
        let target = record.request.target.as_deref().unwrap_or_default();
        let (host, path) = (Host::parse(&record.host), SentPath::of_target(target)?);
        let mut proposal = Self {
            exclusion: Exclusion {
                id: wanted.id,
                rules: Vec::new(),
                host: match wanted.wider.host {
                    true => None,
                    false => Some(host.clone()?),
                },
                path: match wanted.wider.path {
                    true => PathScope::Below(path.folder()),
                    false => PathScope::Exactly(path.clone()),
                },
                expires: wanted.expires,
            },
            messages: Vec::new(),
            host: host.ok(),
            path,
            are_in_query: Vec::new(),
            believed: Vec::new(),
            above_paranoia,
            needless: Vec::new(),
        };
        for cause in causes {
            proposal.add(cause, target, wanted)?;
        }
        match proposal.exclusion.rules.len() {
            0 => Err(ProposalError::NoRule),
            1..=RULES_MAX => Ok(proposal),
            more => Err(ProposalError::TooMany(more)),
        }
    }

    fn add(
        &mut self,
        cause: &LoggedMatch,
        target: &str,
        wanted: &Wanted<'_>,
    ) -> Result<(), Inexpressible> {
        let (mut name, mut spared) = (&*cause.name, Spared::Everything);
        if !wanted.wider.argument {
            spared = Spared::of_match(name)?;
            if spared == Spared::Everything
                && !wanted.distrusted.contains(&cause.id)
                && let Some((told, of_told)) = told_target(cause)
            {
                self.believed.push(cause.id);
                (name, spared) = (told, of_told);
            }
        }
        let rule = SparedRule {
            id: cause.id,
            spared,
        };
        let rules = &mut self.exclusion.rules;
        let is_wider =
            |known: &SparedRule| known.id == rule.id && known.spared == Spared::Everything;
        if rules.contains(&rule) || rules.iter().any(is_wider) {
            return Ok(());
        }
        rules.push(rule);
        self.messages.push(cause.msg.clone());
        self.are_in_query.push(is_in_query(target, name));
        Ok(())
    }

    /// Where attacks are put to try the exclusion: for each of its rules.
    pub fn places(&self) -> impl Iterator<Item = (&SparedRule, Place<'_>)> {
        let rules = self.exclusion.rules.iter().zip(&self.are_in_query);
        rules.map(|(rule, is_in_query)| {
            let place = Place {
                host: self.host.as_ref(),
                path: &self.path,
                spared: &rule.spared,
                is_in_query: *is_in_query,
            };
            (rule, place)
        })
    }

    /// Its text for a rule file.
    #[must_use]
    pub fn to_seclang(&self, record: &AuditRecord, why: &str, made: Date) -> String {
        let messages: Vec<&str> = self.messages.iter().map(String::as_str).collect();
        let note = Note {
            messages: &messages,
            request_id: &record.request_id,
            time: &record.time,
            why,
        };
        self.exclusion.to_seclang(&note, made)
    }
}

/// What a rule says it looked at, where it matched what another link of its chain had kept.
pub(super) fn told_target(matched: &LoggedMatch) -> Option<(&str, Spared)> {
    told_names(&matched.data).find_map(|name| {
        let spared = Spared::of_match(name).ok()?;
        (spared != Spared::Everything).then_some((name, spared))
    })
}

/// The matches that are to be spared, and the rules that are left out since they don't count.
fn causes<'r>(
    record: &'r AuditRecord,
    wanted: &Wanted<'_>,
) -> Result<(Vec<&'r LoggedMatch>, Vec<u64>), ProposalError> {
    if wanted.rules.is_empty() {
        let counts = |one: &LoggedMatch| {
            let level = one.paranoia().zip(wanted.paranoia);
            level.is_none_or(|(level, counted)| level <= counted)
        };
        let (counted, above) = record.causes().into_iter().partition(|one| counts(one));
        let above: Vec<&LoggedMatch> = above;
        let mut above: Vec<u64> = above.iter().map(|one| one.id).collect();
        above.dedup();
        return Ok((counted, above));
    }
    for rule in wanted.rules {
        if record.messages.iter().all(|one| one.id != *rule) {
            let ids = record.messages.iter().map(|one| one.id.to_string());
            let mut ids: Vec<String> = ids.collect();
            ids.dedup();
            ids.truncate(TOLD_RULES_MAX);
            return Err(ProposalError::OtherRule {
                rule: *rule,
                matched: ids.join(", "),
            });
        }
    }
    let messages = record.messages.iter();
    let chosen = messages.filter(|one| wanted.rules.contains(&one.id));
    Ok((chosen.collect(), Vec::new()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(host: &str, target: &str, messages: &[(u64, &str, &str)]) -> AuditRecord {
        let messages = messages.iter().map(|(id, name, tag)| {
            serde_json::json!({ "id": id, "phase": 2, "name": name, "msg": "m", "tags": [tag] })
        });
        let messages: Vec<_> = messages.collect();
        let line = serde_json::json!({
            "time": "", "request_id": "a", "client_ip": "192.0.2.1", "host": host, "outcome": "refused",
            "request": { "method": "GET", "target": target }, "messages": messages,
        });
        serde_json::from_value(line).unwrap()
    }

    const NARROW: Wanted<'_> = Wanted {
        rules: &[],
        wider: Wider {
            host: false,
            path: false,
            argument: false,
        },
        distrusted: &[],
        id: 98_000_000,
        expires: None,
        paranoia: None,
    };

    /// The scope, and for each rule what it doesn't look at.
    fn proposed(record: &AuditRecord, wanted: &Wanted<'_>) -> Result<Vec<String>, String> {
        let proposal = Proposal::of(record, wanted).map_err(|error| error.to_string())?;
        let mut told = vec![proposal.exclusion.scope()];
        for rule in &proposal.exclusion.rules {
            let target = rule.spared.target().unwrap_or("everything".to_owned());
            told.push(format!("{} {target}", rule.id));
        }
        Ok(told)
    }

    #[track_caller]
    fn check(wanted: &Wanted<'_>, expected: &[&str]) {
        let messages = [
            (942_100, "ARGS:q", "paranoia-level/1"),
            (942_100, "ARGS:q", "paranoia-level/1"),
            (942_200, "ARGS:q", "paranoia-level/2"),
            (942_100, "ARGS:r", "paranoia-level/1"),
            (932_240, "TX:1", "paranoia-level/1"),
            (932_240, "ARGS:q", "paranoia-level/1"),
            (949_110, "TX:blocking_inbound_anomaly_score", ""),
        ];
        let record = record("app.example", "/s/t?q=1", &messages);
        assert_eq!(proposed(&record, wanted).unwrap(), expected);
    }

    #[test]
    fn each_rule_and_argument_once() {
        check(
            &NARROW,
            &[
                "in requests to app.example for /s/t",
                "942100 ARGS:q",
                "942200 ARGS:q",
                "942100 ARGS:r",
                "932240 everything",
            ],
        );
    }

    #[test]
    fn rules_that_do_not_count_are_left_out() {
        let wanted = Wanted {
            paranoia: Some(1),
            rules: &[],
            ..NARROW
        };
        check(
            &wanted,
            &[
                "in requests to app.example for /s/t",
                "942100 ARGS:q",
                "942100 ARGS:r",
                "932240 everything",
            ],
        );
    }

    #[test]
    fn wider_where_it_is_asked_for() {
        let all = Wider {
            host: true,
            path: true,
            argument: true,
        };
        let wanted = Wanted {
            wider: all,
            rules: &[942_100],
            ..NARROW
        };
        check(
            &wanted,
            &[
                "in requests to any host for all below /s/",
                "942100 everything",
            ],
        );
    }

    #[test]
    fn a_chain_says_what_it_looked_at() {
        let mut record = record("a.example", "/s?q=1", &[(942_130, "TX:1", "")]);
        record.messages[0].data = "Matched Data: 1 found within ARGS:q: 1".to_owned();
        let distrusting = Wanted {
            distrusted: &[942_130],
            ..NARROW
        };
        let check = |wanted: &Wanted<'_>, expected: &str| {
            let proposed = proposed(&record, wanted).unwrap();
            assert_eq!(proposed[1], expected);
        };
        check(&NARROW, "942130 ARGS:q");
        check(&distrusting, "942130 everything");
    }

    #[test]
    fn what_leads_to_none() {
        #[track_caller]
        fn check(record: &AuditRecord, wanted: &Wanted<'_>, expected: &str) {
            let error = proposed(record, wanted).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
        let one = [(1, "ARGS:q", "")];
        check(&record("a", "/", &[]), &NARROW, "names no rule");
        check(&record("a b", "/", &one), &NARROW, "--wider host");
        check(&record("a", "http://a/", &one), &NARROW, "the path");
        let other = Wanted {
            rules: &[2],
            ..NARROW
        };
        check(
            &record("a", "/", &one),
            &other,
            "rule 2 didn't match; expected one of 1",
        );
        let names: Vec<String> = (0..=RULES_MAX).map(|n| format!("ARGS:{n}")).collect();
        let many: Vec<(u64, &str, &str)> = names.iter().map(|name| (1, &**name, "")).collect();
        check(&record("a", "/", &many), &NARROW, "65 values matched");
    }
}
