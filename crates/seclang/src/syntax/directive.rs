//! What directives mean.

use std::ops::RangeInclusive;

use super::action::Action;
use super::ctl::{AuditMode, EngineMode, XmlArguments};
use super::place::Place;
use super::targets::Target;

/// A directive, and where it stands.
#[derive(Clone, Debug)]
pub struct Placed<T> {
    /// What.
    pub value: T,
    /// Where.
    pub place: Place,
}

/// A directive of ModSecurity's reference manual.
#[derive(Clone, Debug)]
pub enum Directive {
    /// `SecRule`, or `SecAction`, which has no condition.
    Rule(Rule),
    /// `SecMarker`
    Marker(Vec<u8>),
    /// `SecDefaultAction`
    DefaultAction(Vec<Placed<Action>>),
    /// `Include`: other files, by a pattern.
    Include(Vec<u8>),
    /// `IncludeOptional`: those of them that are there.
    IncludeOptional(Vec<u8>),
    /// `SecRuleRemoveById`
    RemoveById(Vec<RangeInclusive<u64>>),
    /// `SecRuleRemoveByTag`: an expression.
    RemoveByTag(Vec<u8>),
    /// `SecRuleRemoveByMsg`: an expression.
    RemoveByMessage(Vec<u8>),
    /// `SecRuleUpdateTargetById`, `...ByTag`, `...ByMsg`
    UpdateTargets(RuleChoice, UpdatedTargets),
    /// `SecRuleUpdateActionById`: of a rule, or of the n-th link of its chain.
    UpdateActions {
        /// The rule.
        id: u64,
        /// Which link of its chain, from 0.
        link: usize,
        /// What is added, or replaces what there can be one of.
        actions: Vec<Placed<Action>>,
    },
    /// `SecRuleEngine`
    RuleEngine(EngineMode),
    /// `SecRequestBodyAccess`
    RequestBodyAccess(bool),
    /// `SecResponseBodyAccess`
    ResponseBodyAccess(bool),
    /// `SecRequestBodyLimit`, in bytes.
    RequestBodyLimit(u64),
    /// `SecRequestBodyNoFilesLimit`, in bytes.
    RequestBodyNoFilesLimit(u64),
    /// `SecRequestBodyLimitAction`: whether the part within the limit is looked at and the rest passes.
    RequestBodyProcessPartial(bool),
    /// `SecParseXmlIntoArgs`
    XmlArguments(XmlArguments),
    /// `SecRequestBodyJsonDepthLimit`
    JsonDepthLimit(u64),
    /// `SecResponseBodyLimit`, in bytes.
    ResponseBodyLimit(u64),
    /// `SecResponseBodyLimitAction`
    ResponseBodyProcessPartial(bool),
    /// `SecResponseBodyMimeType`: added to those that are looked at.
    ResponseBodyMimeTypes(Vec<Vec<u8>>),
    /// `SecResponseBodyMimeTypesClear`
    ResponseBodyMimeTypesClear,
    /// `SecArgumentsLimit`
    ArgumentsLimit(u64),
    /// `SecArgumentSeparator`
    ArgumentSeparator(u8),
    /// `SecUploadFileLimit`
    UploadFileLimit(u64),
    /// `SecUnicodeMapFile`: the file, and the code page in it.
    UnicodeMap {
        /// As it is written.
        file: Vec<u8>,
        /// Such as 20127.
        code_page: u32,
    },
    /// `SecComponentSignature`
    ComponentSignature(Vec<u8>),
    /// `SecWebAppId`
    WebAppId(Vec<u8>),
    /// `SecCollectionTimeout`, in seconds.
    CollectionTimeout(u64),
    /// `SecAuditEngine`
    AuditEngine(AuditMode),
    /// `SecAuditLogParts`
    AuditLogParts(Vec<u8>),
    /// `SecAuditLogRelevantStatus`: an expression.
    AuditRelevantStatus(Vec<u8>),
    /// A directive that means nothing here, such as where ModSecurity keeps its files.
    Ignored {
        /// Its name.
        name: &'static str,
        /// Why it means nothing.
        why: &'static str,
    },
}

/// Which rules an update is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RuleChoice {
    /// Those with these ids.
    Ids(Vec<RangeInclusive<u64>>),
    /// Those with a tag that this expression finds.
    Tag(Vec<u8>),
    /// Those with a message that this expression finds.
    Message(Vec<u8>),
}

/// What an update does to the targets of rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpdatedTargets {
    /// Added to them, exclusions too.
    pub added: Vec<Target>,
    /// Taken away first: those that `added` stand in for.
    pub replaced: Vec<Target>,
}

/// A rule, or a link of a chain.
#[derive(Clone, Debug)]
pub struct Rule {
    /// What is looked at, and how; nothing for `SecAction`.
    pub condition: Option<Condition>,
    /// What it does, in the order of writing.
    pub actions: Vec<Placed<Action>>,
}

/// What has to hold of a target.
#[derive(Clone, Debug)]
pub struct Condition {
    /// What is looked at.
    pub targets: Vec<Target>,
    /// Where they stand.
    pub targets_place: Place,
    /// `!@rx`
    pub is_negated: bool,
    /// `rx`, where none is written.
    pub operator: Vec<u8>,
    /// What the operator is given.
    pub argument: Vec<u8>,
    /// Where the operator stands.
    pub operator_place: Place,
    /// Where the argument stands.
    pub argument_place: ArgumentPlace,
}

/// Where an argument stands, each byte of it: escapes are taken away from it, and lines joined.
#[derive(Clone, Debug)]
pub struct ArgumentPlace {
    /// Bytes from which on the ones that follow stand side by side, ascending, and where each stands.
    runs: Vec<(usize, Place)>,
}

impl ArgumentPlace {
    /// From the place of each byte, and of the end.
    pub(super) fn new(places: impl Iterator<Item = Place>) -> Self {
        let mut runs: Vec<(usize, Place)> = Vec::new();
        for (at, place) in places.enumerate() {
            let is_next = runs.last().is_some_and(|(begins, run)| {
                let column = u32::try_from(at - begins).ok();
                let column = column.and_then(|behind| run.column.checked_add(behind));
                run.line == place.line && column == Some(place.column)
            });
            if !is_next {
                runs.push((at, place));
            }
        }
        Self { runs }
    }

    /// Where a byte of it stands; none where there is no argument at all.
    #[must_use]
    pub fn of(&self, at: usize) -> Option<Place> {
        let behind = self.runs.partition_point(|(begins, _)| *begins <= at);
        let (begins, place) = self.runs.get(behind.checked_sub(1)?)?;
        let mut place = place.clone();
        let behind = u32::try_from(at - begins).unwrap_or(u32::MAX);
        place.column = place.column.saturating_add(behind);
        Some(place)
    }
}
