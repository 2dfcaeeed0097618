//! Directives in the order of loading, until what is left of them are rules and settings.

use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use super::choice::Choice;
use super::rule_files::{Beside, RuleFiles};
use super::settings::set;
use super::updates::{update, update_actions};
use crate::program::{RelevantStatus, Settings};
use crate::syntax::{
    self, Action, Condition, Directive, Phase, Place, Placed, Problem, Problems, Rule, RuleChoice,
    Severity, UpdatedTargets,
};
use crate::{UnicodeMap, UnicodeMapError};

/// How deep files may include files.
const INCLUDES_DEPTH_MAX: usize = 16;
/// The most files.
const FILES_MAX: usize = 2_000;
/// The most rules, links of chains included.
const RULES_MAX: usize = 50_000;

/// Rules and settings, before rules are lowered.
pub(super) struct Drafts {
    pub(super) items: Vec<Item>,
    pub(super) settings: Settings,
    pub(super) unicode: UnicodeMap,
}

impl Drafts {
    /// The rules that are left, in the order of loading: an index of one is its index in the program.
    pub(super) fn rules(&self) -> impl Iterator<Item = &Draft> {
        self.items.iter().filter_map(|item| match item {
            Item::Rule(draft) => Some(draft),
            Item::Marker(_) | Item::Removed(..) => None,
        })
    }
}

/// What a phase has to walk.
pub(super) enum Item {
    Rule(Draft),
    Marker(Vec<u8>),
    /// A rule that was taken away still marks its place for `skipAfter`.
    Removed(u64, Phase),
}

/// A rule, as it is written and was changed since.
pub(super) struct Draft {
    pub(super) id: u64,
    pub(super) phase: Phase,
    pub(super) place: Place,
    /// What `SecDefaultAction` said for its phase.
    pub(super) defaults: Rc<Vec<Placed<Action>>>,
    pub(super) links: Vec<DraftLink>,
}

pub(super) struct DraftLink {
    pub(super) condition: Option<Condition>,
    pub(super) actions: Vec<Placed<Action>>,
}

impl DraftLink {
    fn is_chained(&self) -> bool {
        let mut actions = self.actions.iter();
        actions.any(|action| action.value == Action::Chain)
    }
}

impl Draft {
    /// What a link says, the first with what `SecDefaultAction` said for it before.
    pub(super) fn actions<'d>(
        &'d self,
        link: &'d DraftLink,
        is_starter: bool,
    ) -> impl Iterator<Item = &'d Placed<Action>> {
        let defaults = self.defaults.iter().filter(move |_| is_starter);
        defaults.chain(&link.actions)
    }

    /// What the first link does by its own words.
    pub(super) fn starter_actions(&self) -> impl Iterator<Item = &Action> {
        let starter = self.links.first();
        let actions = starter.into_iter().flat_map(|link| &link.actions);
        actions.map(|placed| &placed.value)
    }
}

/// Takes directives, one after another.
pub(super) struct Assembly<'a> {
    files: &'a dyn RuleFiles,
    drafts: Drafts,
    problems: Problems,
    defaults: [Rc<Vec<Placed<Action>>>; 5],
    /// A chain whose next link is still to come.
    open: Option<Draft>,
    ids: std::collections::HashMap<u64, Place>,
    depth: usize,
    links: usize,
}

impl<'a> Assembly<'a> {
    pub(super) fn new(files: &'a dyn RuleFiles) -> Self {
        Self {
            files,
            drafts: Drafts {
                items: Vec::new(),
                settings: Settings::default(),
                unicode: UnicodeMap::default(),
            },
            problems: Problems::default(),
            defaults: Default::default(),
            open: None,
            ids: std::collections::HashMap::new(),
            depth: 0,
            links: 0,
        }
    }

    /// Takes the files that `pattern` means.
    pub(super) fn load(&mut self, pattern: &str) {
        let place = Place::whole(pattern.into());
        self.include(pattern, None, &place, Severity::Error);
    }

    pub(super) fn finish(mut self) -> (Drafts, Problems) {
        self.close_chain();
        (self.drafts, self.problems)
    }

    /// Takes the files that `pattern` means; `missing` is how bad it is where there is none.
    fn include(&mut self, pattern: &str, from: Option<&str>, place: &Place, missing: Severity) {
        if self.depth == INCLUDES_DEPTH_MAX {
            let message = format!("files include files more than {INCLUDES_DEPTH_MAX} deep");
            return self.error(place, None, message);
        }
        let names = match self.files.matching(pattern, from) {
            Ok(names) => names,
            Err(error) => {
                return self.add(place, missing, None, format!("{pattern}: {error}"));
            }
        };
        self.depth += 1;
        for name in names {
            self.file(&name, place, missing);
        }
        self.depth -= 1;
    }

    fn file(&mut self, name: &str, included_at: &Place, missing: Severity) {
        if self.drafts.settings.files.len() == FILES_MAX {
            let message = format!("more than {FILES_MAX} rule files");
            return self.error(included_at, None, message);
        }
        let text = match self.files.read(name) {
            Ok(text) => text,
            Err(error) => {
                return self.add(included_at, missing, None, format!("{name}: {error}"));
            }
        };
        self.drafts.settings.files.push(PathBuf::from(name));
        let file: Arc<str> = name.into();
        for directive in syntax::parse(&text, &file, &mut self.problems) {
            self.directive(directive, name);
        }
        self.close_chain();
    }

    fn directive(&mut self, placed: Placed<Directive>, file: &str) {
        let Placed { value, place } = placed;
        let value = match value {
            Directive::Rule(rule) => return self.rule(rule, place),
            other => other,
        };
        if self.open.is_some() {
            self.close_chain();
        }
        match value {
            Directive::Marker(name) => self.drafts.items.push(Item::Marker(name)),
            Directive::DefaultAction(actions) => self.default_action(actions, &place),
            Directive::Include(pattern) => {
                let pattern = String::from_utf8_lossy(&pattern);
                self.include(&pattern, Some(file), &place, Severity::Error);
            }
            Directive::IncludeOptional(pattern) => {
                let pattern = String::from_utf8_lossy(&pattern);
                self.include(&pattern, Some(file), &place, Severity::Warning);
            }
            Directive::RemoveById(ids) => self.remove(&RuleChoice::Ids(ids), &place),
            Directive::RemoveByTag(tag) => self.remove(&RuleChoice::Tag(tag), &place),
            Directive::RemoveByMessage(message) => {
                self.remove(&RuleChoice::Message(message), &place);
            }
            Directive::UpdateTargets(choice, updated) => {
                self.update_targets(&choice, &updated, &place);
            }
            Directive::UpdateActions { id, link, actions } => {
                self.update_actions(id, link, actions, &place);
            }
            Directive::UnicodeMap {
                file: map,
                code_page,
            } => {
                self.unicode_map(&map, code_page, file, &place);
            }
            Directive::Ignored { name, why } => {
                let message = format!("{name} means nothing here: {why}");
                self.add(&place, Severity::Warning, None, message);
            }
            Directive::AuditRelevantStatus(pattern) => self.relevant_status(&pattern, &place),
            setting => {
                if let Some(warning) = set(&mut self.drafts.settings, setting) {
                    self.add(&place, Severity::Warning, None, warning.to_owned());
                }
            }
        }
    }

    fn relevant_status(&mut self, pattern: &[u8], place: &Place) {
        match RelevantStatus::parse(pattern) {
            Ok(statuses) => self.drafts.settings.audit.relevant_status = Some(statuses),
            Err((offset, problem)) => {
                let message = format!(
                    "SecAuditLogRelevantStatus: {problem} (at byte {offset} of the expression)"
                );
                self.error(place, None, message);
            }
        }
    }

    fn rule(&mut self, rule: Rule, place: Place) {
        self.links += 1;
        if self.links > RULES_MAX {
            if self.links == RULES_MAX + 1 {
                self.error(&place, None, format!("more than {RULES_MAX} rules"));
            }
            return;
        }
        let link = DraftLink {
            condition: rule.condition,
            actions: rule.actions,
        };
        let is_chained = link.is_chained();
        let draft = match self.open.take() {
            Some(mut chain) => {
                self.check_link(&link.actions, chain.id);
                chain.links.push(link);
                Some(chain)
            }
            None => self.starter(link, place),
        };
        match draft {
            Some(draft) if is_chained => self.open = Some(draft),
            Some(draft) => self.drafts.items.push(Item::Rule(draft)),
            None => {}
        }
    }

    fn starter(&mut self, link: DraftLink, place: Place) -> Option<Draft> {
        let (mut id, mut phase) = (None, Phase::RequestBody);
        for action in &link.actions {
            match action.value {
                Action::Id(number) => id = Some(number),
                Action::Phase(of) => phase = of,
                _ => {}
            }
        }
        let Some(id) = id else {
            self.error(&place, None, "the rule has no id".to_owned());
            return None;
        };
        if let Some(other) = self.ids.insert(id, place.clone()) {
            self.error(
                &place,
                Some(id),
                format!("{other} has a rule of the same id"),
            );
        }
        Some(Draft {
            id,
            phase,
            place,
            defaults: Rc::clone(self.defaults_of(phase)),
            links: vec![link],
        })
    }

    /// What only the first rule of a chain may say (`msre_parse_targets` and
    /// `add_rule` of ModSecurity 2 refuse it of others).
    fn check_link(&mut self, actions: &[Placed<Action>], id: u64) {
        for action in actions {
            let what = match action.value {
                Action::Id(_) => "an id",
                Action::Phase(_) => "a phase",
                Action::Disruptive(_) => "a disruptive action",
                Action::Skip(_) | Action::SkipAfter(_) => "skip or skipAfter",
                Action::Message(_)
                | Action::LogData(_)
                | Action::Severity(_)
                | Action::Tag(_)
                | Action::Revision(_)
                | Action::Version(_)
                | Action::Maturity(_)
                | Action::Accuracy(_) => "msg, logdata, severity, tag, rev, ver and the like",
                _ => continue,
            };
            let message = format!("only the first rule of a chain may have {what}");
            self.error(&action.place.clone(), Some(id), message);
        }
    }

    fn close_chain(&mut self) {
        if let Some(chain) = self.open.take() {
            let place = chain.place.clone();
            let message = "the rule is chained, and no rule follows it".to_owned();
            self.error(&place, Some(chain.id), message);
        }
    }

    fn default_action(&mut self, actions: Vec<Placed<Action>>, place: &Place) {
        let phase = actions.iter().find_map(|action| match action.value {
            Action::Phase(phase) => Some(phase),
            _ => None,
        });
        let Some(phase) = phase else {
            let message = "SecDefaultAction needs a phase".to_owned();
            return self.error(place, None, message);
        };
        for action in &actions {
            if matches!(
                action.value,
                Action::Id(_) | Action::Chain | Action::Skip(_) | Action::SkipAfter(_)
            ) {
                let message = "SecDefaultAction can't have id, chain, skip or skipAfter".to_owned();
                self.error(&action.place.clone(), None, message);
            }
        }
        *self.defaults_of_mut(phase) = Rc::new(actions);
    }

    fn defaults_of(&self, phase: Phase) -> &Rc<Vec<Placed<Action>>> {
        let [one, two, three, four, five] = &self.defaults;
        match phase {
            Phase::RequestHeaders => one,
            Phase::RequestBody => two,
            Phase::ResponseHeaders => three,
            Phase::ResponseBody => four,
            Phase::Logging => five,
        }
    }

    fn defaults_of_mut(&mut self, phase: Phase) -> &mut Rc<Vec<Placed<Action>>> {
        let [one, two, three, four, five] = &mut self.defaults;
        match phase {
            Phase::RequestHeaders => one,
            Phase::RequestBody => two,
            Phase::ResponseHeaders => three,
            Phase::ResponseBody => four,
            Phase::Logging => five,
        }
    }

    /// Changes the rules so far that `choice` is for, and takes away those of which `change` says no;
    /// that there are none is a warning.
    fn choose(
        &mut self,
        choice: &RuleChoice,
        place: &Place,
        mut change: impl FnMut(&mut Draft) -> bool,
    ) {
        let beside = Beside {
            files: self.files,
            from: &place.file,
        };
        let choice = match Choice::new(choice, &beside) {
            Ok(choice) => choice,
            Err(message) => return self.error(place, None, message),
        };
        let mut chosen = 0;
        for item in &mut self.drafts.items {
            if let Item::Rule(draft) = item
                && choice.is_for(draft)
            {
                chosen += 1;
                if !change(draft) {
                    *item = Item::Removed(draft.id, draft.phase);
                }
            }
        }
        if chosen == 0 {
            let message = "no rule that was loaded before is meant by this".to_owned();
            self.add(place, Severity::Warning, None, message);
        }
    }

    fn remove(&mut self, choice: &RuleChoice, place: &Place) {
        self.choose(choice, place, |_| false);
    }

    fn update_targets(&mut self, choice: &RuleChoice, updated: &UpdatedTargets, place: &Place) {
        self.choose(choice, place, |draft| {
            for (number, link) in draft.links.iter_mut().enumerate() {
                if let Some(condition) = &mut link.condition {
                    update(&mut condition.targets, updated, number == 0);
                }
            }
            true
        });
    }

    fn update_actions(
        &mut self,
        id: u64,
        link: usize,
        actions: Vec<Placed<Action>>,
        place: &Place,
    ) {
        if link > 0 {
            self.check_link(&actions, id);
        }
        for action in &actions {
            if let Action::Id(_) | Action::Phase(_) | Action::Chain = action.value {
                let message = "SecRuleUpdateActionById can't change id, phase or chain".to_owned();
                self.error(&action.place, Some(id), message);
            }
        }
        let (mut is_known, mut is_there) = (false, false);
        self.choose(&RuleChoice::Ids(vec![id..=id]), place, |draft| {
            is_known = true;
            if let Some(link) = draft.links.get_mut(link) {
                is_there = true;
                update_actions(&mut link.actions, actions.clone());
            }
            true
        });
        if is_known && !is_there {
            let message = format!("rule {id} has no link {link}");
            self.add(place, Severity::Warning, Some(id), message);
        }
    }

    fn unicode_map(&mut self, map: &[u8], code_page: u32, file: &str, place: &Place) {
        let name = String::from_utf8_lossy(map);
        let text = match self.files.data(&name, file) {
            Ok(text) => text,
            Err(error) => return self.error(place, None, format!("{name}: {error}")),
        };
        match UnicodeMap::parse(&text, code_page) {
            Ok(map) => self.drafts.unicode = map,
            Err(error) => {
                let error: UnicodeMapError = error;
                self.error(place, None, format!("{name}: {error}"));
            }
        }
    }

    fn error(&mut self, place: &Place, rule: Option<u64>, message: String) {
        self.add(place, Severity::Error, rule, message);
    }

    fn add(&mut self, place: &Place, severity: Severity, rule: Option<u64>, message: String) {
        self.problems.add(Problem {
            place: place.clone(),
            severity,
            rule,
            message,
        });
    }
}
