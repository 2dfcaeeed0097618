//! What a program is made of, for people: how many rules, and which of them cost much.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::rule::{Fate, Link, Rule};
use super::step::Step;
use super::{CompiledOperator, Program};
use crate::operators::{Matcher, NumberKind, Operator, Relation, TextTest};
use crate::syntax::Phase;

/// What tags of OWASP CRS begin with that say a rule's paranoia level.
const PARANOIA_TAG: &[u8] = b"paranoia-level/";

/// What a program is made of.
#[derive(Clone, Debug, Default)]
pub struct Summary<'p> {
    /// Single rules and chains.
    pub rules: usize,
    /// Chains alone.
    pub chains: usize,
    /// The links of all chains, and the single rules.
    pub links: usize,
    /// How many rules there are for each phase, from the first.
    pub phases: [usize; 5],
    /// How many rules have the tag `paranoia-level/N`, by N.
    pub paranoia_levels: BTreeMap<u8, usize>,
    /// Rules that no request has to ask, since what the rules before them set decides them.
    pub folded: Folded,
    /// Rules that look at text whenever their targets have any, since nothing spares them; those whose
    /// operators cost most first. Comparisons of numbers and addresses cost too little to be here.
    pub always_asked: Vec<Asked<'p>>,
    /// Compiled expressions and lists of phrases, each once, largest first.
    pub compiled: Vec<Asked<'p>>,
    /// The memory that the prefilters of both sides take, in bytes.
    pub prefilter_bytes: usize,
}

/// How much was decided when rules were loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Folded {
    /// All rules that no phase walks.
    pub rules: usize,
    /// Those of them that have `skip` or `skipAfter`, as the gates of paranoia levels have.
    pub gates: usize,
    /// Those of them that only set variables to known values, which is done for all of them at once.
    pub presets: usize,
}

impl std::fmt::Display for Folded {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            rules,
            gates,
            presets,
        } = self;
        write!(
            out,
            "{rules} rules, of which {gates} are gates and {presets} only set variables"
        )
    }
}

/// An operator, and the first rule that asks it.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'p> {
    /// The rule.
    pub rule: &'p Rule,
    /// The operator's name, without `@`.
    pub operator: &'static str,
    /// The memory that its compiled form takes, in bytes; 0 where there is none.
    pub bytes: usize,
}

impl Summary<'_> {
    /// The memory of all compiled forms, in bytes.
    #[must_use]
    pub fn compiled_bytes(&self) -> usize {
        self.compiled.iter().map(|one| one.bytes).sum()
    }
}

impl Program {
    /// What it is made of. Looks at everything: for tools, not for requests.
    #[must_use]
    pub fn summary(&self) -> Summary<'_> {
        let mut summary = Summary {
            rules: self.rules.len(),
            links: self.links.len(),
            chains: self
                .rules
                .iter()
                .filter(|rule| rule.links.len() > 1)
                .count(),
            phases: Phase::ALL.map(|phase| self.rules_of(phase)),
            compiled: self.compiled(),
            prefilter_bytes: self.request.prefilter.memory_usage()
                + self.response.prefilter.memory_usage(),
            always_asked: self.always_asked(),
            folded: self.folded(),
            ..Summary::default()
        };
        for level in self.rules.iter().filter_map(paranoia_level) {
            *summary.paranoia_levels.entry(level).or_default() += 1;
        }
        summary
    }

    fn folded(&self) -> Folded {
        let folded = self.rules.iter().filter(|rule| rule.is_folded());
        let gates = folded.clone().filter(|rule| rule.skip_to.is_some());
        let presets = folded.clone().filter(|rule| rule.fate == Fate::Preset);
        Folded {
            gates: gates.count(),
            presets: presets.count(),
            rules: folded.count(),
        }
    }

    fn rules_of(&self, phase: Phase) -> usize {
        self.rules.iter().filter(|rule| rule.phase == phase).count()
    }

    pub(crate) fn links_of(&self, rule: &Rule) -> &[Link] {
        let range = rule.links.start as usize..rule.links.end as usize;
        self.links.get(range).unwrap_or_default()
    }

    fn operator(&self, index: u32) -> Option<&CompiledOperator> {
        self.operators.get(index as usize)
    }

    fn always_asked(&self) -> Vec<Asked<'_>> {
        let steps = Phase::ALL.into_iter().flat_map(|phase| self.steps(phase));
        let asked = steps.filter_map(|step| {
            let Step::Rule(index) = step else {
                return None;
            };
            let rule = self.rules.get(*index as usize)?;
            let test = self.links_of(rule).first()?.test.as_ref()?;
            let operator = &self.operator(test.operator)?.operator;
            (test.group.is_none() && looks_at_text(operator)).then(|| Asked {
                rule,
                operator: name(operator),
                bytes: bytes(operator),
            })
        });
        let mut asked: Vec<Asked<'_>> = asked.collect();
        // The injection detectors have no compiled form, and cost most.
        let is_detector = |one: &Asked<'_>| one.operator.starts_with("detect");
        asked.sort_by_key(|one| Reverse((is_detector(one), one.bytes)));
        asked
    }

    fn compiled(&self) -> Vec<Asked<'_>> {
        let mut is_told = vec![false; self.operators.len()];
        let mut compiled = Vec::new();
        for rule in &self.rules {
            let tests = self
                .links_of(rule)
                .iter()
                .filter_map(|link| link.test.as_ref());
            for index in tests.map(|test| test.operator) {
                let told = is_told.get_mut(index as usize);
                let is_new = told.is_some_and(|told| !std::mem::replace(told, true));
                let operator = self.operator(index).filter(|_| is_new);
                let one = operator.map(|one| Asked {
                    rule,
                    operator: name(&one.operator),
                    bytes: bytes(&one.operator),
                });
                compiled.extend(one.filter(|one| one.bytes > 0));
            }
        }
        compiled.sort_by_key(|one| Reverse(one.bytes));
        compiled
    }
}

fn paranoia_level(rule: &Rule) -> Option<u8> {
    let mut levels = rule.tags().filter_map(|tag| tag.strip_prefix(PARANOIA_TAG));
    std::str::from_utf8(levels.next()?).ok()?.parse().ok()
}

fn looks_at_text(operator: &Operator) -> bool {
    !matches!(
        operator,
        Operator::GeoLookup
            | Operator::Match(
                Matcher::Always | Matcher::Never | Matcher::Comparison(_) | Matcher::Address(_)
            )
    )
}

fn bytes(operator: &Operator) -> usize {
    match operator {
        Operator::Match(Matcher::Rx(rx) | Matcher::RxGlobal(rx)) => rx.size(),
        Operator::Match(Matcher::Phrases(phrases)) => phrases.size(),
        Operator::Match(Matcher::Number(search)) => search.form().size(),
        _ => 0,
    }
}

/// The operator's name. What is read from a file has the name of what is written in the rule.
fn name(operator: &Operator) -> &'static str {
    let matcher = match operator {
        Operator::DetectSqli => return "detectSQLi",
        Operator::DetectXss => return "detectXSS",
        Operator::GeoLookup => return "geoLookup",
        Operator::Match(matcher) => matcher,
    };
    match matcher {
        Matcher::Always => "unconditionalMatch",
        Matcher::Never => "noMatch",
        Matcher::Rx(_) => "rx",
        Matcher::RxGlobal(_) => "rxGlobal",
        Matcher::Phrases(_) => "pm",
        Matcher::Text(text) => text_name(text.test()),
        Matcher::Comparison(comparison) => relation_name(comparison.relation()),
        Matcher::Address(_) => "ipMatch",
        Matcher::Bytes(_) => "validateByteRange",
        Matcher::UrlEncoding => "validateUrlEncoding",
        Matcher::Utf8Encoding => "validateUtf8Encoding",
        Matcher::Number(search) => match search.kind() {
            NumberKind::Card => "verifyCC",
            NumberKind::Cpf => "verifyCPF",
            NumberKind::Ssn => "verifySSN",
            NumberKind::Svnr => "verifySVNR",
        },
    }
}

const fn text_name(test: TextTest) -> &'static str {
    match test {
        TextTest::BeginsWith => "beginsWith",
        TextTest::Contains => "contains",
        TextTest::ContainsWord => "containsWord",
        TextTest::EndsWith => "endsWith",
        TextTest::StrEq => "streq",
        TextTest::Within => "within",
    }
}

const fn relation_name(relation: Relation) -> &'static str {
    match relation {
        Relation::Eq => "eq",
        Relation::Ne => "ne",
        Relation::Ge => "ge",
        Relation::Gt => "gt",
        Relation::Le => "le",
        Relation::Lt => "lt",
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_rules::program;
    use super::*;

    fn shown(asked: &[Asked<'_>]) -> Vec<String> {
        let all = asked.iter();
        all.map(|one| format!("{} {}", one.rule.id(), one.operator))
            .collect()
    }

    #[test]
    fn rules_are_counted() {
        let program = program(
            "SecRule ARGS x id:1,phase:1,pass,tag:paranoia-level/2
SecRule ARGS x id:2,phase:2,pass,chain,tag:paranoia-level/2
SecRule ARGS y
SecRule TX:a \"@eq 1\" id:4,phase:2,pass,nolog,skipAfter:M
SecRule TX:a \"@eq 1\" id:5,phase:2,pass
SecAction id:3,phase:5,pass,tag:paranoia-level/x
SecAction id:6,phase:5,pass,nolog,setvar:tx.b=1
SecMarker M
",
        );
        let summary = program.summary();
        let counts = (summary.rules, summary.chains, summary.links);
        assert_eq!(counts, (6, 1, 7));
        assert_eq!(summary.phases, [1, 3, 0, 0, 2]);
        assert_eq!(
            summary.folded.to_string(),
            "3 rules, of which 1 are gates and 1 only set variables"
        );
        assert_eq!(summary.paranoia_levels, BTreeMap::from([(2, 2)]));
    }

    #[test]
    fn what_costs_most_comes_first() {
        let program = program(
            "SecRule ARGS \"@eq 1\" id:1,phase:1,pass
SecRule ARGS \"!@rx a+[bc]\" id:2,phase:1,pass
SecRule ARGS \"!@rx [a-z]{9}b\" id:3,phase:1,pass
SecRule ARGS \"!@detectXSS\" id:4,phase:1,pass
SecRule TX:a \"@lt 1\" id:5,phase:1,pass,nolog,skipAfter:M
SecRule ARGS \"!@rx a+[bc]\" id:6,phase:1,pass
SecMarker M
",
        );
        let summary = program.summary();
        assert_eq!(
            shown(&summary.always_asked),
            ["4 detectXSS", "3 rx", "2 rx", "6 rx"]
        );
        assert_eq!(shown(&summary.compiled), ["3 rx", "2 rx"]);
        assert!(summary.compiled_bytes() > 0);
    }
}
