//! Targets as they are written, as sets that are looked up.

use std::collections::HashMap;

use super::rule_files::Beside;
use super::tx_sources::{TooManyNames, TxSources};
use crate::operators::{Matcher, Operator};
use crate::program::{Exclusion, Pick, Planned, PlannedUse, TargetSet, TargetSetId};
use crate::syntax::{Selector, Target, TargetUse, VariableName};

/// Sets of targets, each once.
#[derive(Debug, Default)]
pub(super) struct TargetSets {
    pub(super) sets: Vec<TargetSet>,
    known: HashMap<Vec<Target>, TargetSetId>,
}

impl TargetSets {
    /// # Errors
    /// What is wrong with a selector.
    pub(super) fn add(
        &mut self,
        targets: &[Target],
        tx: &mut TxSources,
        beside: &Beside<'_>,
    ) -> Result<TargetSetId, String> {
        if let Some(id) = self.known.get(targets) {
            return Ok(*id);
        }
        let mut set = TargetSet {
            targets: Box::default(),
            exclusions: exclusions(targets, beside)?,
            is_static: targets.iter().all(|target| is_static(target.name)),
        };
        let mut planned = Vec::new();
        for target in targets {
            let use_ = match target.use_ {
                TargetUse::Exclude => continue,
                TargetUse::Values => PlannedUse::Values,
                TargetUse::Count => PlannedUse::Count,
            };
            if let (VariableName::Tx, Some(Selector::Name(name))) = (target.name, &target.selector)
            {
                // So that there is a place for it.
                let TooManyNames = match tx.slot(name) {
                    Ok(_) => {
                        planned.push(plan(target, use_, beside)?);
                        continue;
                    }
                    Err(error) => error,
                };
                return Err("there are too many names of variables of TX".to_owned());
            }
            planned.push(plan(target, use_, beside)?);
        }
        set.targets = planned.into();
        let id = TargetSetId::try_from(self.sets.len()).map_err(|_| "too many targets")?;
        self.sets.push(set);
        self.known.insert(targets.to_vec(), id);
        Ok(id)
    }
}

fn plan(target: &Target, use_: PlannedUse, beside: &Beside<'_>) -> Result<Planned, String> {
    Ok(Planned {
        name: target.name,
        pick: pick(target.selector.as_ref(), beside)?,
        use_,
    })
}

/// What targets leave out.
pub(super) fn exclusions(
    targets: &[Target],
    beside: &Beside<'_>,
) -> Result<Box<[Exclusion]>, String> {
    let excluded = targets
        .iter()
        .filter(|target| target.use_ == TargetUse::Exclude);
    excluded.map(|target| exclusion(target, beside)).collect()
}

/// A target as what is left out.
pub(super) fn exclusion(target: &Target, beside: &Beside<'_>) -> Result<Exclusion, String> {
    Ok(Exclusion {
        name: target.name,
        pick: pick(target.selector.as_ref(), beside)?,
    })
}

fn pick(selector: Option<&Selector>, beside: &Beside<'_>) -> Result<Pick, String> {
    Ok(match selector {
        None => Pick::All,
        Some(Selector::Name(name)) => Pick::Name(name.to_ascii_lowercase().into()),
        Some(Selector::Path(path)) if path == b"//@*" => Pick::XmlAttributes,
        Some(Selector::Path(_)) => Pick::XmlText,
        Some(Selector::Regex(pattern)) => {
            // ModSecurity compiles it with PCRE_CASELESS.
            let pattern = [b"(?i:", pattern.as_slice(), b")"].concat();
            match Operator::parse(b"rx", &pattern, beside) {
                Ok(Operator::Match(Matcher::Rx(rx))) => Pick::Regex(rx),
                Ok(_) => return Err("expected an expression".to_owned()),
                Err(error) => return Err(format!("the selector {}", error.problem)),
            }
        }
    })
}

/// Whether the values stay the same while the rules of a phase run, whatever they do.
fn is_static(name: VariableName) -> bool {
    !matches!(
        name,
        VariableName::Tx
            | VariableName::MatchedVar
            | VariableName::MatchedVarName
            | VariableName::MatchedVars
            | VariableName::MatchedVarsNames
            | VariableName::Env
            | VariableName::Geo
            | VariableName::Ip
            | VariableName::Global
            | VariableName::Session
            | VariableName::SessionId
            | VariableName::User
            | VariableName::UserId
            | VariableName::Resource
            | VariableName::Rule
            | VariableName::Duration
            | VariableName::HighestSeverity
            | VariableName::ReqbodyProcessor
    )
}
