//! Targets as they are written, as sets that are looked up.

use std::collections::HashMap;

use super::rule_files::Beside;
use super::tx_sources::{TooManyNames, TxSources};
use crate::operators::{Matcher, Operator, OperatorCache};
use crate::program::{
    Exclusion, PartId, Pick, Planned, PlannedUse, TargetSet, TargetSetId, TxNames,
};
use crate::syntax::{Selector, Target, TargetUse, VariableName};

/// Sets of targets, each once.
#[derive(Debug, Default)]
pub(super) struct TargetSets {
    pub(super) sets: Vec<TargetSet>,
    /// How many selectors are expressions.
    pub(super) selectors: usize,
    known: HashMap<Vec<Target>, TargetSetId>,
    /// What targets name, each once.
    pub(super) parts: Vec<Planned>,
    known_parts: HashMap<Target, PartId>,
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
        let (mut parts, mut exclusions) = (Vec::new(), Vec::new());
        for target in targets {
            let use_ = match target.use_ {
                TargetUse::Exclude => {
                    exclusions.push(self.exclusion(target, tx, beside)?);
                    continue;
                }
                TargetUse::Values => PlannedUse::Values,
                TargetUse::Count => PlannedUse::Count,
            };
            parts.push(self.part(target, use_, tx, beside)?);
        }
        let id = TargetSetId::try_from(self.sets.len()).map_err(|_| "too many targets")?;
        self.sets.push(TargetSet {
            parts: parts.into(),
            exclusions: exclusions.into(),
            is_static: targets.iter().all(|target| is_static(target.name)),
        });
        self.known.insert(targets.to_vec(), id);
        Ok(id)
    }

    /// Finds which slots expressions mean, once all names are known.
    pub(super) fn find_slots(&mut self, names: &TxNames) {
        let mut cache = OperatorCache::default();
        let slots = || (0..).take(names.len());
        for part in &mut self.parts {
            part.slots = match &part.pick {
                Pick::All if part.name == VariableName::Tx => slots().collect(),
                Pick::Regex(rx, _) if part.name == VariableName::Tx => slots()
                    .filter(|slot| rx.is_match(names.name(*slot), &mut cache))
                    .collect(),
                _ => Box::default(),
            };
        }
    }

    fn part(
        &mut self,
        target: &Target,
        use_: PlannedUse,
        tx: &mut TxSources,
        beside: &Beside<'_>,
    ) -> Result<PartId, String> {
        if let Some(id) = self.known_parts.get(target) {
            return Ok(*id);
        }
        let planned = Planned {
            name: target.name,
            pick: self.pick(target, tx, beside)?,
            use_,
            is_of_head: is_of_head(target.name),
            slots: Box::default(),
        };
        let id = PartId::try_from(self.parts.len()).map_err(|_| "too many targets")?;
        self.parts.push(planned);
        self.known_parts.insert(target.clone(), id);
        Ok(id)
    }

    /// A target as what is left out.
    ///
    /// # Errors
    /// What is wrong with its selector.
    pub(super) fn exclusion(
        &mut self,
        target: &Target,
        tx: &mut TxSources,
        beside: &Beside<'_>,
    ) -> Result<Exclusion, String> {
        let pick = match &target.selector {
            // Members without a slot are left out too.
            Some(Selector::Name(name)) => Pick::Name(name.to_ascii_lowercase().into()),
            _ => self.pick(target, tx, beside)?,
        };
        Ok(Exclusion {
            name: target.name,
            pick,
        })
    }

    fn pick(
        &mut self,
        target: &Target,
        tx: &mut TxSources,
        beside: &Beside<'_>,
    ) -> Result<Pick, String> {
        Ok(match &target.selector {
            None => Pick::All,
            Some(Selector::Name(name)) if target.name == VariableName::Tx => {
                let slot = tx.slot(name);
                Pick::Slot(
                    slot.map_err(|TooManyNames| "there are too many names of variables of TX")?,
                )
            }
            Some(Selector::Name(name)) => Pick::Name(name.to_ascii_lowercase().into()),
            Some(Selector::Path(path)) if path == b"//@*" => Pick::XmlAttributes,
            Some(Selector::Path(_)) => Pick::XmlText,
            Some(Selector::Regex(pattern)) => self.expression(pattern, beside)?,
        })
    }

    fn expression(&mut self, pattern: &[u8], beside: &Beside<'_>) -> Result<Pick, String> {
        // ModSecurity compiles it with PCRE_CASELESS.
        let caseless = [b"(?i:", pattern, b")"].concat();
        match Operator::parse(b"rx", &caseless, beside) {
            Ok(Operator::Match(Matcher::Rx(rx))) => {
                let cache = u32::try_from(self.selectors).map_err(|_| "too many selectors")?;
                self.selectors += 1;
                Ok(Pick::Regex(rx, cache))
            }
            Ok(_) => Err("expected an expression".to_owned()),
            Err(error) => Err(format!("the selector {}", error.problem)),
        }
    }
}

/// Whether a variable is of the request's head, and the same before and after its body.
fn is_of_head(name: VariableName) -> bool {
    matches!(
        name,
        VariableName::ArgsGet
            | VariableName::ArgsGetNames
            | VariableName::RequestCookies
            | VariableName::RequestCookiesNames
            | VariableName::RequestHeaders
            | VariableName::RequestHeadersNames
            | VariableName::RequestLine
            | VariableName::RequestMethod
            | VariableName::RequestProtocol
            | VariableName::RequestUri
            | VariableName::RequestUriRaw
            | VariableName::QueryString
            | VariableName::RemoteAddr
            | VariableName::UniqueId
    )
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
