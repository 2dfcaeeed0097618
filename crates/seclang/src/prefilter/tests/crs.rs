//! CRS's rules, where they are: that nothing they match is missed, and what is left to be asked.

use std::path::PathBuf;
use std::sync::Arc;

use super::sample::Sampler;
use super::*;
use crate::syntax::{Action, Condition, Directive, Placed, Problems, Rule, parse};

struct Folder(PathBuf);

impl Sources for Folder {
    fn read(&self, name: &str) -> Result<Vec<u8>, SourceError> {
        std::fs::read(self.0.join(name)).map_err(|error| SourceError(error.to_string()))
    }
}

/// A condition of a rule or of a link.
struct Asked {
    is_request: bool,
    is_negated: bool,
    /// 1 to 4; 0 of rules for all of them, and of links.
    paranoia: usize,
    operator: Operator,
}

fn rules() -> Option<Vec<Asked>> {
    let Some(crs) = std::env::var_os("PALISADE_CRS") else {
        eprintln!("SKIPPED: PALISADE_CRS doesn't say where CRS is; its rules were not looked at");
        return None;
    };
    let folder = PathBuf::from(crs).join("rules");
    let mut rules = Vec::new();
    let mut paths: Vec<PathBuf> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let sources = Folder(folder);
    for path in paths
        .iter()
        .filter(|path| path.extension().is_some_and(|end| end == "conf"))
    {
        let text = std::fs::read(path).unwrap();
        let name: Arc<str> = Arc::from(path.file_name().unwrap().to_string_lossy());
        for Placed { value, .. } in parse(&text, &name, &mut Problems::default()) {
            if let Directive::Rule(rule) = value {
                rules.extend(asked(&rule, name.starts_with("REQUEST"), &sources));
            }
        }
    }
    Some(rules)
}

fn asked(rule: &Rule, is_request: bool, sources: &Folder) -> Option<Asked> {
    let Condition {
        operator,
        argument,
        is_negated,
        ..
    } = rule.condition.as_ref()?;
    let tags = rule
        .actions
        .iter()
        .filter_map(|action| match &action.value {
            Action::Tag(tag) => tag.as_literal(),
            _ => None,
        });
    let levels = tags.filter_map(|tag| tag.strip_prefix(b"paranoia-level/"));
    let paranoia = levels.map(|level| usize::from(level[0] - b'0')).next();
    Some(Asked {
        is_request,
        is_negated: *is_negated,
        paranoia: paranoia.unwrap_or(0),
        operator: Operator::parse(operator, argument, sources).unwrap(),
    })
}

#[test]
fn what_crs_matches_has_what_is_required() {
    let Some(rules) = rules() else { return };
    let mut sampler = Sampler::new(7);
    let (mut expressions, mut matching) = (0, 0);
    for rule in &rules {
        let Operator::Match(Matcher::Rx(rx)) = &rule.operator else {
            continue;
        };
        let expression = rx.hir().unwrap();
        let mut values = Vec::new();
        for _ in 0..60 {
            let sample = sampler.sample(&expression);
            values.push([b"a=1; ", sample.as_slice(), b" x"].concat());
            values.push(sample.to_ascii_uppercase());
            values.push(sample);
        }
        expressions += 1;
        matching += check_values(&rule.operator, &values);
    }
    println!("CRS: {expressions} expressions, {matching} matches, each with what is required");
    assert!(expressions > 300 && matching > 20_000);
}

/// What a requirement is made of.
fn kind(requirement: Option<&Requirement>) -> usize {
    let Some(Requirement { literals, class }) = requirement else {
        return 4;
    };
    match (
        literals.iter().map(|literal| literal.len()).min(),
        class.is_empty(),
    ) {
        (Some(3..), true) => 0,
        (Some(_), true) => 1,
        (Some(_), false) => 2,
        (None, _) => 3,
    }
}

#[test]
fn most_of_crs_requires_something() {
    let Some(rules) = rules() else { return };
    let mut counts = [[0; 5]; 5];
    for rule in rules.iter().filter(|rule| rule.paranoia > 0) {
        if let Operator::Match(Matcher::Rx(rx)) = &rule.operator {
            let requirement = Requirement::of(&rule.operator).filter(|_| !rule.is_negated);
            let kind = kind(requirement.as_ref());
            counts[kind][0] += 1;
            counts[kind][rule.paranoia] += 1;
            if kind == 4 && !rule.is_negated {
                println!(
                    "nothing: {}",
                    rx.translated().get(..90).unwrap_or(rx.translated())
                );
            }
        }
    }
    println!("@rx of detection rules             all  PL1  PL2  PL3  PL4");
    let kinds = [
        "literals of 3 bytes or more",
        "literals of 2 bytes",
        "literals and a class",
        "a class",
        "nothing",
    ];
    for (kind, counts) in kinds.iter().zip(&counts) {
        let [all, one, two, three, four] = counts;
        println!("{kind:<32} {all:>5}{one:>5}{two:>5}{three:>5}{four:>5}");
    }
    assert!(counts[4][0] < 40, "{counts:?}");
}

/// The requirements of rules that look at requests.
fn requirements(rules: &[Asked]) -> (Vec<(u32, Requirement)>, usize) {
    let asked = rules
        .iter()
        .filter(|rule| rule.is_request && rule.paranoia > 0);
    let asked: Vec<&Asked> = asked.filter(|rule| !rule.is_negated).collect();
    let numbered = (0..).zip(&asked);
    let requirements = numbered
        .filter_map(|(filter, rule)| Some((filter, Requirement::of(&rule.operator)?)))
        .collect();
    (requirements, asked.len())
}

#[test]
fn few_rules_are_left_for_harmless_values() {
    let (Some(rules), Some(values)) = (rules(), corpus::values()) else {
        return;
    };
    let (requirements, asked) = requirements(&rules);
    let classes = requirements
        .iter()
        .filter(|(_, requirement)| !requirement.class.is_empty());
    println!(
        "{asked} rules, {} with a requirement, {} with a class",
        requirements.len(),
        classes.count()
    );
    let begun = std::time::Instant::now();
    let (prefilter, _) = Prefilter::build(requirements.iter().cloned(), &[]);
    println!(
        "{} KiB, built in {} ms; at most {} literals compared at one place",
        prefilter.memory_usage() / 1024,
        begun.elapsed().as_millis(),
        prefilter.compared_max()
    );
    let (mut by_class, mut by_literal, mut all) = (0, 0, 0);
    let count = |found: &[u64]| found.iter().map(|word| word.count_ones()).sum::<u32>();
    for value in &values {
        let mut found = vec![0; prefilter.always().len()];
        prefilter.scan(value, &mut found);
        by_literal += count(&found);
        prefilter.add_of_classes(prefilter.classes_of(value), &mut found);
        all += count(&found);
        let mut found = vec![0; prefilter.always().len()];
        prefilter.add_of_classes(prefilter.classes_of(value), &mut found);
        by_class += count(&found);
    }
    let bytes: usize = values.iter().map(Vec::len).sum();
    let each = |count: u32| f64::from(count) / values.len() as f64;
    println!(
        "{} values of {} bytes: {:.3} rules left by literals, {:.3} by classes, {:.3} in all",
        values.len(),
        bytes / values.len(),
        each(by_literal),
        each(by_class),
        each(all)
    );
    assert!(each(all) < 0.1 * asked as f64);
}

#[inline(never)]
fn counted_scan(prefilter: &Prefilter, values: &[Vec<u8>], found: &mut [u64]) {
    for value in values {
        found.fill(0);
        prefilter.scan(std::hint::black_box(value), found);
    }
}

#[inline(never)]
fn counted_classes(prefilter: &Prefilter, values: &[Vec<u8>], found: &mut [u64]) {
    for value in values {
        found.fill(0);
        let classes = prefilter.classes_of(std::hint::black_box(value));
        prefilter.add_of_classes(classes, found);
    }
}

#[test]
#[ignore = "run by crates/seclang/benches/prefilter, which counts instructions"]
fn instructions() {
    let (Some(rules), Some(values)) = (rules(), corpus::values()) else {
        return;
    };
    let (requirements, _) = requirements(&rules);
    let (prefilter, _) = Prefilter::build(requirements, &[]);
    let mut found = vec![0; prefilter.always().len()];
    counted_scan(&prefilter, &values, &mut found);
    counted_classes(&prefilter, &values, &mut found);
    let bytes: usize = values.iter().map(Vec::len).sum();
    println!(
        "bytes {bytes} values {} table {} KiB",
        values.len(),
        prefilter.memory_usage() / 1024
    );
}
