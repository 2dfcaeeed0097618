//! The text of rule files: lines, words, directives with their places.
//!
//! What a directive means for others is not known here: that is for `compile`.

mod absent;
mod action;
mod action_values;
mod actions;
mod ctl;
mod directive;
mod lines;
mod parse;
mod place;
mod sections;
mod settings;
mod targets;
mod variable_name;
mod words;

pub use action::{Action, AllowScope, Change, Disruptive, Phase, Sanitise, SetVar, VariablePath};
pub use ctl::{AuditMode, BodyProcessor, Ctl, EngineMode, XmlArguments};
pub use directive::{
    ArgumentPlace, Condition, Directive, Placed, Rule, RuleChoice, UpdatedTargets,
};
pub use parse::parse;
pub use place::{PROBLEMS_MAX, Place, Problem, Problems, Severity};
pub use targets::{Selector, Target, TargetUse};
pub use variable_name::VariableName;
