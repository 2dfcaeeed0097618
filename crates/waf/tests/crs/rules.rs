//! CRS as a program.

use std::path::Path;
use std::sync::Arc;

use palisade_seclang::{CompileOptions, Program, Rule, compile};

use palisade_waf::RuleFolder;

use crate::files::{crs, data};

/// How many gates of paranoia levels CRS 4.28 has.
const GATES: usize = 184;
/// How many rules of CRS 4.28 at least give variables their first values, whatever is set before.
const DEFAULTS: usize = 20;

/// CRS, with the settings of `files` between its set-up and its rules.
pub(crate) fn program(crs: &Path, files: &[&str], options: CompileOptions) -> Arc<Program> {
    let own: Vec<String> = files.iter().map(|name| data(name)).collect();
    let setup = crs.join("crs-setup.conf.example");
    let rules = crs.join("rules/*.conf");
    let engine = data("engine.conf");
    let mut roots = vec![engine.as_str(), setup.to_str().unwrap()];
    roots.extend(own.iter().map(String::as_str));
    roots.push(rules.to_str().unwrap());
    let compiled = compile(&roots, &RuleFolder::new("/"), options);
    for problem in compiled.problems.kept() {
        println!("{problem}");
    }
    Arc::new(compiled.program.unwrap())
}

#[test]
fn crs_compiles_without_a_problem() {
    let Some(crs) = crs("that CRS's rules compile") else {
        return;
    };
    let before = std::time::Instant::now();
    let program = program(&crs, &["suite-paranoia-4.conf"], CompileOptions::default());
    println!("{} rules in {:?}", program.rule_count(), before.elapsed());
    assert!(program.rule_count() > 600);
}

/// At each level, what belongs to higher ones is gone when a request comes.
#[test]
fn what_crs_has_for_higher_levels_is_folded() {
    let Some(crs) = crs("that rules of higher paranoia levels are folded") else {
        return;
    };
    let cases: [(&[&str], u8); 3] = [
        (&["paranoia-1.conf"], 1),
        (&["paranoia-1.conf", "exclusions.conf"], 1),
        (&["suite-paranoia-4.conf"], 4),
    ];
    for (settings, level) in cases {
        let program = program(&crs, settings, CompileOptions::default());
        let folded = program.summary().folded;
        println!("paranoia {level}, {settings:?}: {folded}");
        let is_higher = |rule: &Rule| {
            let tags = rule.tags();
            let levels = tags.filter_map(|tag| tag.strip_prefix(b"paranoia-level/"));
            levels
                .into_iter()
                .any(|of| of > level.to_string().as_bytes())
        };
        let higher = program.rules().filter(|rule| is_higher(rule));
        let left: Vec<u64> = higher
            .filter(|rule| !rule.is_folded())
            .map(Rule::id)
            .collect();
        assert_eq!(left, [] as [u64; 0], "paranoia {level}");
        assert!(folded.gates >= GATES, "paranoia {level}: {folded}");
        assert!(folded.presets >= DEFAULTS, "paranoia {level}: {folded}");
    }
}

/// The time.
pub(crate) fn clock() -> std::time::Duration {
    let now = std::time::SystemTime::now();
    now.duration_since(std::time::UNIX_EPOCH).unwrap()
}
