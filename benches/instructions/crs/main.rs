//! Requests inspected by OWASP CRS, whose folder `PALISADE_CRS` names: as the suite `hot`.

#![expect(
    missing_docs,
    clippy::expect_used,
    clippy::exit,
    reason = "gungraun's macros make what has no documentation and exits; a benchmark that can't be set up has no figures"
)]

#[path = "../inspected.rs"]
mod inspected;

use std::path::Path;

use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};
use palisade_seclang::{CompileOptions, RuleFiles, SourceError, compile};
use palisade_waf::RuleFolder;

use inspected::{Benign, Inspected, Values};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RECOMMENDED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../rules/seclang/recommended.conf"
);

/// CRS's files, and one that switches the engine on and says which paranoia level.
struct WithParanoia {
    folder: RuleFolder,
    level: u8,
}

const LEVEL_FILE: &str = "paranoia";

impl RuleFiles for WithParanoia {
    fn matching(&self, pattern: &str, from: Option<&str>) -> Result<Vec<String>, SourceError> {
        match pattern {
            LEVEL_FILE => Ok(vec![LEVEL_FILE.to_owned()]),
            _ => self.folder.matching(pattern, from),
        }
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, SourceError> {
        if file != LEVEL_FILE {
            return self.folder.read(file);
        }
        let level = self.level;
        let rules = format!(
            "SecRuleEngine On\n\
             SecAction \"id:900000,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level={level}\"\n"
        );
        Ok(rules.into_bytes())
    }

    fn data(&self, name: &str, from: &str) -> Result<Vec<u8>, SourceError> {
        self.folder.data(name, from)
    }
}

fn inspected(level: u8, request: fn() -> Benign, values: Values) -> Inspected {
    let crs = std::env::var_os("PALISADE_CRS").expect("PALISADE_CRS names CRS's folder");
    let file = |name: &str| Path::new(&crs).join(name).to_string_lossy().into_owned();
    let (setup, rules) = (file("crs-setup.conf.example"), file("rules/*.conf"));
    let files = WithParanoia {
        folder: RuleFolder::new("/"),
        level,
    };
    let roots = [RECOMMENDED, &setup, LEVEL_FILE, &rules];
    let compiled = compile(&roots, &files, CompileOptions::default());
    Inspected::new(compiled.program.expect("CRS"), request(), values)
}

#[library_benchmark(setup = inspected)]
#[bench::get_at_paranoia_1_new_values(1, Benign::get, Values::New)]
#[bench::get_at_paranoia_1_seen_values(1, Benign::get, Values::Seen)]
#[bench::get_at_paranoia_2_new_values(2, Benign::get, Values::New)]
#[bench::form_at_paranoia_1_new_values(1, Benign::form, Values::New)]
#[bench::json_of_389_new_values_at_paranoia_1(1, Benign::json, Values::New)]
fn inspect(mut inspected: Inspected) -> Inspected {
    inspected.judge();
    inspected
}

library_benchmark_group!(name = crs, benchmarks = [inspect]);

main!(
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::with_args(["--cache-sim=no"]))
        .pass_through_env("PALISADE_CRS"),
    library_benchmark_groups = [crs]
);
