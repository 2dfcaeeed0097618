//! From rule files to a [`Program`].
//!
//! Directives take effect in the order of loading, as in ModSecurity: what removes or changes rules is
//! for those that were loaded before it. All that can be decided without a request is decided here.

mod assembly;
mod choice;
mod filters;
mod fold;
mod lower;
mod needs;
mod operators;
mod rule_files;
mod settings;
mod skips;
mod target_sets;
mod tx_sources;
mod updates;

pub use rule_files::RuleFiles;

use crate::Program;
use crate::syntax::{EngineMode, Problems};

use assembly::Assembly;
use lower::Lowering;

/// How rules are compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CompileOptions {
    /// Whether strings are looked at for all rules at once, and rules then only at those that may match.
    /// Without it the same rules match, at many times the cost: that is how it is proven.
    pub prefilter: bool,
    /// Whether rules that the operator's own settings decide are decided here, such as those of higher
    /// paranoia levels. Without it the same rules match, each asked anew by every request: that is how it is
    /// proven.
    pub fold: bool,
    /// Whether workers will have [`Countries`](crate::Countries): a rule that asks for countries without
    /// them is warned of.
    pub has_countries: bool,
    /// Whether rules refuse or only detect, whatever `SecRuleEngine` says; `None` leaves it the last word.
    pub engine: Option<EngineMode>,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self {
            prefilter: true,
            fold: true,
            has_countries: false,
            engine: None,
        }
    }
}

/// Compiled rules, if nothing is wrong with them, and what there is to say of them.
#[derive(Debug)]
pub struct Compiled {
    /// None where there are errors.
    pub program: Option<Program>,
    /// Errors and warnings.
    pub problems: Problems,
    /// What the files say of `SecRuleEngine`, the last of them; `Off` where none says anything.
    pub engine_in_files: EngineMode,
}

/// Compiles the files that `roots` name, patterns allowed, in order, and what they include.
pub fn compile(roots: &[&str], files: &dyn RuleFiles, options: CompileOptions) -> Compiled {
    let mut assembly = Assembly::new(files);
    for root in roots {
        assembly.load(root);
    }
    let (mut draft, problems) = assembly.finish();
    let engine_in_files = draft.settings.engine;
    draft.settings.engine = options.engine.unwrap_or(engine_in_files);
    let mut lowering = Lowering::new(files, options, problems);
    let program = lowering.program(draft);
    let problems = lowering.into_problems();
    let is_usable = !problems.has_errors();
    Compiled {
        program: program.filter(|_| is_usable),
        problems,
        engine_in_files,
    }
}
