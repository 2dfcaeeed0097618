//! An exclusion as a rule file has it.

use std::fmt::Write as _;
use std::ops::RangeInclusive;

use super::date::Date;
use super::scope::{Host, PathScope, Spared};

/// The ids of rules that exclude: beyond the ranges that ModSecurity's reference manual gives to anybody.
pub const EXCLUSION_IDS: RangeInclusive<u64> = 98_000_000..=98_999_999;

/// The most characters of one comment.
const COMMENT_CHARS_MAX: usize = 300;

/// What rules look away from, in which requests, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exclusion {
    /// The id of the rule that it becomes, one of [`EXCLUSION_IDS`].
    pub id: u64,
    /// The rules, and what each of them doesn't look at; at least one.
    pub rules: Vec<SparedRule>,
    /// Requests to this host; to any where there is none.
    pub host: Option<Host>,
    /// Requests for these paths.
    pub path: PathScope,
    /// The first day on which it doesn't hold; it does on all where there is none.
    pub expires: Option<Date>,
}

/// A rule, and what it doesn't look at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SparedRule {
    /// The rule.
    pub id: u64,
    /// What it doesn't look at.
    pub spared: Spared,
}

/// What people are told of it in the file. It may be what a client made it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Note<'n> {
    /// A sentence for each of [`Exclusion::rules`], such as what the rule says of itself.
    pub messages: &'n [&'n str],
    /// The id of the request that it was made for.
    pub request_id: &'n str,
    /// When that was, as the log has it.
    pub time: &'n str,
    /// Why it is right; nothing where nobody said.
    pub why: &'n str,
}

impl Exclusion {
    /// Its rule, in comments that say what it is for; ends with a line break.
    #[must_use]
    pub fn to_seclang(&self, note: &Note<'_>, made: Date) -> String {
        let mut text = self.comments(note, made);
        let links = self.links();
        for (at, (condition, actions)) in links.iter().enumerate() {
            let indent = match at {
                0 => "",
                _ => "    ",
            };
            let chain = match at + 1 == links.len() {
                true => "",
                false => ",chain",
            };
            let _ = writeln!(text, "{indent}SecRule {condition} \"{actions}{chain}\"");
        }
        text
    }

    fn comments(&self, note: &Note<'_>, made: Date) -> String {
        let mut text = String::new();
        let _ = writeln!(text, "# Exclusion {}, made on {made}", self.id);
        let scope = self.scope();
        for (at, rule) in self.rules.iter().enumerate() {
            let message = note.messages.get(at).copied().unwrap_or_default();
            let message = match message {
                "" => String::new(),
                message => format!(" ({})", comment(message)),
            };
            let _ = match rule.spared.target() {
                Some(target) => writeln!(
                    text,
                    "# Rule {}{message} doesn't look at {target} {scope}.",
                    rule.id
                ),
                None => writeln!(text, "# Rule {}{message} doesn't run {scope}.", rule.id),
            };
        }
        if !note.request_id.is_empty() {
            let (id, time) = (comment(note.request_id), comment(note.time));
            let _ = writeln!(text, "# For the request {id} of {time}.");
        }
        if !note.why.is_empty() {
            let _ = writeln!(text, "# Why: {}", comment(note.why));
        }
        let _ = match self.expires {
            Some(date) => writeln!(text, "# Holds until {date}, 00:00 UTC."),
            None => writeln!(text, "# Holds for ever."),
        };
        text
    }

    /// Of which requests: `in requests to app.example.com for /search`.
    #[must_use]
    pub fn scope(&self) -> String {
        let host = self.host.as_ref();
        let host = host.map_or("any host", Host::as_str);
        match &self.path {
            PathScope::Exactly(path) => format!("in requests to {host} for {}", path.as_str()),
            PathScope::Below(path) => {
                format!("in requests to {host} for all below {}", path.as_str())
            }
        }
    }

    /// Condition and actions of each link. The path stands first: it is what most requests differ in, so that
    /// they cost no more than that, and the clock is read for few.
    fn links(&self) -> Vec<(String, String)> {
        let (operator, path) = match &self.path {
            PathScope::Exactly(path) => ("streq", path),
            PathScope::Below(path) => ("beginsWith", path),
        };
        let mut conditions = vec![(
            format!("REQUEST_FILENAME \"@{operator} {}\"", path.as_str()),
            format!("id:{},phase:1,pass,nolog,t:none", self.id),
        )];
        if let Some(host) = &self.host {
            let condition = format!("SERVER_NAME \"@streq {}\"", host.as_str());
            conditions.push((condition, "t:none,t:lowercase".to_owned()));
        }
        if let Some(date) = self.expires {
            let condition = format!("TIME_EPOCH \"@lt {}\"", date.begins());
            conditions.push((condition, "t:none".to_owned()));
        }
        if let Some((_, actions)) = conditions.last_mut() {
            for rule in &self.rules {
                let _ = match rule.spared.target() {
                    Some(target) => {
                        write!(actions, ",ctl:ruleRemoveTargetById={};{target}", rule.id)
                    }
                    None => write!(actions, ",ctl:ruleRemoveById={}", rule.id),
                };
            }
        }
        conditions
    }
}

/// Text that stays in its line of comments: a backslash at its end would make the next line one too.
fn comment(text: &str) -> String {
    let mut out = String::new();
    for character in text.chars().take(COMMENT_CHARS_MAX) {
        let is_printable = matches!(character, '"' | '\'') || character.escape_debug().len() == 1;
        out.push(match is_printable {
            true => character,
            false => '?',
        });
    }
    if text.chars().nth(COMMENT_CHARS_MAX).is_some() {
        out.push_str("...");
    }
    out
}

#[cfg(test)]
mod tests;
