//! OWASP CRS, whose folder `PALISADE_CRS` names, at a paranoia level.

use std::path::Path;

use palisade_seclang::{CompileOptions, Program, RuleFiles, SourceError, compile};
use palisade_waf::RuleFolder;

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

/// The rules with which CRS inspects at this paranoia level.
pub(crate) fn program(level: u8) -> Program {
    let crs = std::env::var_os("PALISADE_CRS").expect("PALISADE_CRS names CRS's folder");
    let file = |name: &str| Path::new(&crs).join(name).to_string_lossy().into_owned();
    let (setup, rules) = (file("crs-setup.conf.example"), file("rules/*.conf"));
    let files = WithParanoia {
        folder: RuleFolder::new("/"),
        level,
    };
    let roots = [RECOMMENDED, &setup, LEVEL_FILE, &rules];
    let compiled = compile(&roots, &files, CompileOptions::default());
    compiled.program.expect("CRS")
}
