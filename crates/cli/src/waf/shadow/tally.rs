//! What the lines of a shadow log come to.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use super::line::{Disagreement, Kind, Line, Outcome, Rule, Side, Summary};

/// Rules, paths and clients of which lines are counted one by one.
const KEYS_MAX: usize = 10_000;

/// All that was counted.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// Lines that are none of a shadow log.
    pub(super) damaged: u64,
    /// The first and the last time.
    pub(super) times: Option<(String, String)>,
    /// Requests that were judged, as far as it was summed up.
    summed_up: u64,
    /// Of these, those of which both sets made the same.
    pub(super) agreed: u64,
    /// Requests that were skipped, by reason.
    pub(super) skipped: BTreeMap<String, u64>,
    pub(super) kinds: Kinds,
    /// Requests that pass now and would be refused.
    pub(super) would_be_refused: u64,
    pub(super) rules: Keyed<u64, About>,
    pub(super) paths: Keyed<String, ()>,
    pub(super) clients: Keyed<String, ()>,
}

#[derive(Debug, Default)]
pub(super) struct Kinds {
    pub(super) new_refusal: u64,
    pub(super) lost_refusal: u64,
    pub(super) other_rule: u64,
    pub(super) other_matches: u64,
    pub(super) shadow_failed: u64,
}

impl Kinds {
    pub(super) fn all(&self) -> u64 {
        self.new_refusal
            + self.lost_refusal
            + self.other_rule
            + self.other_matches
            + self.shadow_failed
    }
}

/// What is known of a rule: its message, and a value that it matched.
#[derive(Clone, Debug, Default)]
pub(super) struct About {
    pub(super) message: String,
    pub(super) target: String,
}

/// Counts by a key, of a bounded number of keys.
#[derive(Debug)]
pub(super) struct Keyed<K, V> {
    counted: HashMap<K, Counted<V>>,
    /// Lines of keys beyond the bound.
    not_kept: u64,
}

/// What was counted of one key.
#[derive(Clone, Debug, Default)]
pub(super) struct Counted<V> {
    /// Requests that pass now and would be refused.
    pub(super) would_be_refused: u64,
    /// Requests that differ in anything.
    pub(super) all: u64,
    pub(super) about: V,
}

/// Those of which there are most.
pub(super) struct Top<'t, K, V> {
    pub(super) shown: Vec<(&'t K, &'t Counted<V>)>,
    pub(super) more: usize,
    pub(super) not_kept: u64,
}

impl<K, V> Default for Keyed<K, V> {
    fn default() -> Self {
        Self {
            counted: HashMap::new(),
            not_kept: 0,
        }
    }
}

impl<K: Hash + Ord, V> Keyed<K, V> {
    fn count(&mut self, key: K, would_be_refused: bool, about: impl FnOnce() -> V) {
        if self.counted.len() >= KEYS_MAX && !self.counted.contains_key(&key) {
            self.not_kept += 1;
            return;
        }
        let counted = self.counted.entry(key).or_insert_with(|| Counted {
            would_be_refused: 0,
            all: 0,
            about: about(),
        });
        counted.all += 1;
        counted.would_be_refused += u64::from(would_be_refused);
    }

    /// The `max` of which most would be refused, then of which there are most.
    pub(super) fn top(&self, max: usize) -> Top<'_, K, V> {
        let mut shown: Vec<_> = self.counted.iter().collect();
        shown.sort_by(|(one, left), (other, right)| {
            let right = (right.would_be_refused, right.all);
            let left = (left.would_be_refused, left.all);
            right.cmp(&left).then_with(|| one.cmp(other))
        });
        let more = shown.len().saturating_sub(max);
        shown.truncate(max);
        Top {
            shown,
            more,
            not_kept: self.not_kept,
        }
    }
}

impl Tally {
    /// Requests that were judged: as summed up, or as many as are told of, where these are more.
    pub(super) fn evaluated(&self) -> u64 {
        self.summed_up.max(self.kinds.all())
    }

    pub(super) fn count(&mut self, line: Line) {
        match line {
            Line::Damaged => self.damaged += 1,
            Line::Summary(summary) => self.count_summary(summary),
            Line::Disagreement(disagreement) => self.count_disagreement(*disagreement),
        }
    }

    fn count_summary(&mut self, summary: Summary) {
        self.note_time(summary.time);
        self.summed_up = self.summed_up.saturating_add(summary.evaluated);
        self.agreed = self.agreed.saturating_add(summary.agreed);
        for (reason, count) in summary.skipped {
            let is_kept = self.skipped.len() < KEYS_MAX || self.skipped.contains_key(&reason);
            if is_kept {
                let skipped = self.skipped.entry(reason).or_default();
                *skipped = skipped.saturating_add(count);
            }
        }
    }

    fn count_disagreement(&mut self, disagreement: Disagreement) {
        let Disagreement {
            time,
            kind,
            client_ip,
            host,
            path,
            active,
            shadow,
        } = disagreement;
        self.note_time(time);
        *match kind {
            Kind::NewRefusal => &mut self.kinds.new_refusal,
            Kind::LostRefusal => &mut self.kinds.lost_refusal,
            Kind::OtherRule => &mut self.kinds.other_rule,
            Kind::OtherMatches => &mut self.kinds.other_matches,
            Kind::ShadowFailed => &mut self.kinds.shadow_failed,
        } += 1;
        let refused = (active.outcome, shadow.outcome) == (Outcome::Passed, Outcome::Refused);
        self.would_be_refused += u64::from(refused);
        // What matches no longer would refuse nothing.
        for (side, would_refuse) in [(shadow, refused), (active, false)] {
            for rule in telling(side) {
                let about = || About {
                    message: rule.message,
                    target: rule.target,
                };
                self.rules.count(rule.id, would_refuse, about);
            }
        }
        self.paths.count(format!("{host}{path}"), refused, || ());
        self.clients.count(client_ip, refused, || ());
    }

    /// RFC 3339 in UTC is in the order of time.
    fn note_time(&mut self, time: String) {
        match &mut self.times {
            None => self.times = Some((time.clone(), time)),
            Some((first, _)) if time < *first => *first = time,
            Some((_, last)) if time > *last => *last = time,
            Some(_) => {}
        }
    }
}

/// The rules that matched in this set alone; without the one that ends a request for what others found,
/// where there are others.
fn telling(side: Side) -> Vec<Rule> {
    let Side {
        rule: ended_by,
        mut only,
        ..
    } = side;
    if only.len() > 1 {
        only.retain(|rule| Some(rule.id) != ended_by);
    } else if let (true, Some(id)) = (only.is_empty(), ended_by) {
        only.push(Rule {
            id,
            message: String::new(),
            target: String::new(),
        });
    }
    only
}

#[cfg(test)]
mod tests {
    use super::super::line::Lines;
    use super::*;

    fn tally(lines: &[String]) -> Tally {
        let mut tally = Tally::default();
        for line in Lines::of(lines.join("\n").as_bytes()) {
            tally.count(line.unwrap());
        }
        tally
    }

    fn line(kind: &str, client: &str, active: &str, shadow: &str) -> String {
        format!(
            r#"{{"time":"2026-11-30T10:00:00Z","kind":"{kind}","client_ip":"{client}","host":"h","path":"/p","active":{{{active}}},"shadow":{{{shadow}}}}}"#
        )
    }

    const PASSED: &str = r#""outcome":"passed","only":[]"#;
    const SCORED: &str = r#""outcome":"refused","rule":949110,"only":[{"id":942100,"msg":"SQL","target":"ARGS:q"},{"id":949110}]"#;
    const ODD: &str = r#""outcome":"passed","only":[{"id":7}]"#;
    const BY_THRESHOLD: &str = r#""outcome":"refused","rule":949110,"only":[]"#;

    fn shown<K: Hash + Ord + ToString, V>(keyed: &Keyed<K, V>, max: usize) -> Vec<String> {
        let top = keyed.top(max);
        let shown = top.shown.iter().map(|(key, counted)| {
            format!(
                "{} {}/{}",
                key.to_string(),
                counted.would_be_refused,
                counted.all
            )
        });
        shown.collect()
    }

    #[test]
    fn rules_paths_and_clients_are_counted() {
        let tally = tally(&[
            line("new_refusal", "192.0.2.1", PASSED, SCORED),
            line("new_refusal", "192.0.2.1", PASSED, BY_THRESHOLD),
            line("other_matches", "192.0.2.2", ODD, PASSED),
            line("new_refusal", "192.0.2.2", ODD, SCORED),
            line("lost_refusal", "192.0.2.2", SCORED, PASSED),
            line(
                "shadow_failed",
                "192.0.2.3",
                PASSED,
                r#""outcome":"refused","only":[]"#,
            ),
        ]);
        assert_eq!(
            shown(&tally.rules, 9),
            ["942100 2/3", "949110 1/1", "7 0/2"]
        );
        assert_eq!(shown(&tally.paths, 9), ["h/p 4/6"]);
        let clients = ["192.0.2.1 2/2", "192.0.2.2 1/3", "192.0.2.3 1/1"];
        assert_eq!(shown(&tally.clients, 9), clients);
        assert_eq!(shown(&tally.clients, 1), clients[..1]);
        assert_eq!(tally.clients.top(1).more, 2);
        assert_eq!((tally.would_be_refused, tally.kinds.all()), (4, 6));
        assert_eq!(tally.rules.top(1).shown[0].1.about.message, "SQL");
    }

    #[test]
    fn summaries_are_added_up() {
        let summary = r#"{"time":"2026-11-30T09:00:00Z","kind":"summary","evaluated":30,"agreed":29,"skipped":{"budget":1,"stopping":0}}"#;
        let mut lines = vec![line("new_refusal", "192.0.2.1", PASSED, SCORED)];
        assert_eq!(tally(&lines).evaluated(), 1);
        lines.extend([summary.to_owned(), summary.to_owned(), "{".to_owned()]);
        let tally = tally(&lines);
        assert_eq!(
            (tally.evaluated(), tally.agreed, tally.damaged),
            (60, 58, 1)
        );
        assert_eq!(tally.skipped["budget"], 2);
        let (first, last) = tally.times.unwrap();
        assert_eq!(first, "2026-11-30T09:00:00Z");
        assert_eq!(last, "2026-11-30T10:00:00Z");
    }

    #[test]
    fn no_log_takes_memory_without_end() {
        let mut tally = Tally::default();
        for number in 0..KEYS_MAX + 5 {
            let client = format!("client {number}");
            let line = line("new_refusal", &client, PASSED, SCORED);
            for line in Lines::of(line.as_bytes()) {
                tally.count(line.unwrap());
            }
        }
        let top = tally.clients.top(1);
        assert_eq!((top.more, top.not_kept), (KEYS_MAX - 1, 5));
        assert_eq!(tally.kinds.new_refusal, KEYS_MAX as u64 + 5);
    }
}
