//! `ctl`, with the rules that it is for looked up.

use palisade_body::Processor;

use super::Lowering;
use crate::compile::assembly::Drafts;
use crate::compile::choice::Choice;
use crate::compile::rule_files::Beside;
use crate::compile::settings::ONLY_ARGUMENTS;
use crate::program::{CtlEffect, RuleSet, TargetRemoval};
use crate::syntax::{BodyProcessor, Ctl, Place, RuleChoice, Severity, Target, XmlArguments};

impl Lowering<'_> {
    /// What it changes; `None` is a problem.
    pub(super) fn ctl(&mut self, ctl: &Ctl, place: &Place, drafts: &Drafts) -> Option<CtlEffect> {
        Some(match ctl {
            Ctl::RuleEngine(mode) => CtlEffect::RuleEngine(*mode),
            Ctl::AuditEngine(mode) => CtlEffect::AuditEngine(*mode),
            Ctl::AuditLogParts(parts) => CtlEffect::AuditLogParts(parts.as_slice().into()),
            Ctl::RequestBodyAccess(is_on) => CtlEffect::RequestBodyAccess(*is_on),
            Ctl::ResponseBodyAccess(is_on) => CtlEffect::ResponseBodyAccess(*is_on),
            Ctl::RequestBodyLimit(limit) => CtlEffect::RequestBodyLimit(*limit),
            Ctl::ResponseBodyLimit(limit) => CtlEffect::ResponseBodyLimit(*limit),
            Ctl::RequestBodyProcessor(processor) => CtlEffect::Processor(match processor {
                BodyProcessor::UrlEncoded => Processor::Urlencoded,
                BodyProcessor::Multipart => Processor::Multipart,
                BodyProcessor::Xml => Processor::Xml,
                BodyProcessor::Json => Processor::Json,
            }),
            Ctl::XmlArguments(mode) => {
                if *mode == XmlArguments::Only {
                    self.add(place, Severity::Warning, ONLY_ARGUMENTS.to_owned());
                }
                CtlEffect::XmlArguments(*mode)
            }
            Ctl::ForceRequestBodyVariable(is_on) => CtlEffect::ForceRequestBody(*is_on),
            Ctl::ForceResponseBodyVariable(is_on) => CtlEffect::ForceResponseBody(*is_on),
            Ctl::RemoveById(ids) => self.remove(&RuleChoice::Ids(ids.clone()), place, drafts)?,
            Ctl::RemoveByTag(tag) => self.remove(&RuleChoice::Tag(tag.clone()), place, drafts)?,
            Ctl::RemoveByMessage(message) => {
                self.remove(&RuleChoice::Message(message.clone()), place, drafts)?
            }
            Ctl::RemoveTargetById(ids, targets) => {
                self.remove_targets(&RuleChoice::Ids(ids.clone()), targets, place, drafts)?
            }
            Ctl::RemoveTargetByTag(tag, targets) => {
                self.remove_targets(&RuleChoice::Tag(tag.clone()), targets, place, drafts)?
            }
            Ctl::RemoveTargetByMessage(message, targets) => {
                let choice = RuleChoice::Message(message.clone());
                self.remove_targets(&choice, targets, place, drafts)?
            }
        })
    }

    fn remove(&mut self, choice: &RuleChoice, place: &Place, drafts: &Drafts) -> Option<CtlEffect> {
        self.chosen(choice, place, drafts)
            .map(CtlEffect::RemoveRules)
    }

    fn remove_targets(
        &mut self,
        choice: &RuleChoice,
        targets: &[Target],
        place: &Place,
        drafts: &Drafts,
    ) -> Option<CtlEffect> {
        let rules = self.chosen(choice, place, drafts)?;
        let beside = Beside {
            files: self.files,
            from: &place.file,
        };
        let exclusions: Result<_, String> = targets
            .iter()
            .map(|target| self.target_sets.exclusion(target, &mut self.tx, &beside))
            .collect();
        match exclusions {
            Ok(exclusions) => {
                self.removals.push(TargetRemoval { rules, exclusions });
                Some(CtlEffect::RemoveTargets(self.removals.len() - 1))
            }
            Err(message) => {
                self.error(place, message);
                None
            }
        }
    }

    /// The rules of the whole program that are meant: what runs later may have been loaded before.
    fn chosen(&mut self, choice: &RuleChoice, place: &Place, drafts: &Drafts) -> Option<RuleSet> {
        let beside = Beside {
            files: self.files,
            from: &place.file,
        };
        let choice = match Choice::new(choice, &beside) {
            Ok(choice) => choice,
            Err(message) => {
                self.error(place, message);
                return None;
            }
        };
        let chosen: Vec<bool> = drafts.rules().map(|draft| choice.is_for(draft)).collect();
        Some(RuleSet::new(chosen.len(), |rule| {
            chosen.get(rule).copied().unwrap_or(false)
        }))
    }
}
