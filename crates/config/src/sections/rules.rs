//! `access.rules` and rule files: what happens to which requests.

use palisade_access::{Action, BlockStatus, Rule, RuleSet};
use palisade_vocabulary::{Mode, RuleId, SkipSet, SkippableCheck};

use super::MODE_KIND;
use super::conditions::{MATCH, ReadCondition};
use crate::Location;
use crate::reader::{
    Choice, Defaulted, EachOf, Fields, FromText, Key, ListOf, Nested, OneOrList, Optional,
    Required, Status, Table, TableInfo, Text,
};

/// A list of rules: the global ones, a site's, a file's.
pub(super) const RULES: EachOf<Table<ReadRule>> = EachOf(ListOf {
    of: Table { info: &INFO, lower },
    min: 0,
    max: RuleSet::RULES_MAX,
});

/// A rule, with what the checks between rules need.
#[derive(Clone, Debug)]
pub(super) struct ReadRule {
    pub(super) rule: Rule,
    pub(super) location: Location,
    pub(super) uses_country: bool,
    pub(super) uses_asn: bool,
}

static INFO: TableInfo = TableInfo {
    name: "access.rules",
    about: "What happens to which requests. The first rule in order that blocks or allows ends the access rules.",
    keys: &[&ID, &MATCH_KEY, &ACTION, &STATUS, &SKIP, &MODE, &REASON],
    later: &[],
};

static ID: Key<FromText<RuleId>, Required> = Key::new(
    "id",
    FromText::new("a name of A-Z a-z 0-9 . _ -, at most 64"),
    Required,
    "Its name in logs; no other rule has it.",
);
static MATCH_KEY: Key<Nested<ReadCondition>, Required> = Key::new(
    "match",
    Nested(&MATCH),
    Required,
    "When it applies. All keys are required (and); a list under one key means any of them (or). `{}` is every request.",
);
static ACTION: Key<Choice<ActionWord>, Required> = Key::new(
    "action",
    Choice {
        words: &[
            ("block", ActionWord::Block),
            ("allow", ActionWord::Allow),
            ("log", ActionWord::Log),
        ],
        later: &["challenge", "throttle"],
    },
    Required,
    "`block` refuses. `allow` ends the access rules, and only these unless `skip` names more. `log` records and goes on.",
);
static STATUS: Key<Status, Optional> = Key::new(
    "status",
    Status { min: 400, max: 599 },
    Optional,
    "With `block`: the status of the answer. Absent: `blocking.status`.",
);
static SKIP: Key<OneOrList<Choice<SkippableCheck>>, Optional> = Key::new(
    "skip",
    OneOrList {
        of: Choice {
            words: &[
                ("decisions", SkippableCheck::Decisions),
                ("limits", SkippableCheck::Limits),
                ("waf", SkippableCheck::Waf),
                ("appsec", SkippableCheck::AppSec),
            ],
            later: &[],
        },
        max: 4,
    },
    Optional,
    "With `allow`: the other checks that are skipped too. Give such a rule an `address`: all else is the client's own word.",
);
static MODE: Key<Choice<Mode>, Defaulted> = Key::new(
    "mode",
    MODE_KIND,
    Defaulted("block"),
    "`detect`: only record what the rule would have done. `off`: the rule is not run.",
);
static REASON: Key<Text, Optional> = Key::new(
    "reason",
    Text {
        what: "a reason",
        len_max: 512,
    },
    Optional,
    "Why the rule exists, for your own logs; a client never sees it.",
);

#[derive(Clone, Copy, PartialEq, Eq)]
enum ActionWord {
    Block,
    Allow,
    Log,
}

fn lower(fields: &Fields<'_>) -> Option<ReadRule> {
    let (id, condition, action) = (fields.get(&ID), fields.get(&MATCH_KEY), read_action(fields));
    let (mode, reason) = (fields.get(&MODE), fields.get(&REASON));
    let condition = condition?;
    for fault in condition.unmatchable {
        fields.context().warning(&fault.location, fault.message);
    }
    let rule = Rule {
        id: id?,
        condition: condition.condition,
        action: action?,
        mode: mode?,
        reason: reason?.map(Into::into),
        place: fields.location().to_string().into(),
    };
    Some(ReadRule {
        rule,
        location: fields.location().clone(),
        uses_country: condition.uses_country,
        uses_asn: condition.uses_asn,
    })
}

fn read_action(fields: &Fields<'_>) -> Option<Action> {
    let (action, status, skip) = (fields.get(&ACTION), fields.get(&STATUS), fields.get(&SKIP));
    let (action, status, skip) = (action?, status?, skip?);
    let context = fields.context();
    if status.is_some() && action != ActionWord::Block {
        context.error(
            fields.location_of(&STATUS),
            "`status` goes with `action: block` only; remove it",
        );
        return None;
    }
    if skip.is_some() && action != ActionWord::Allow {
        context.error(
            fields.location_of(&SKIP),
            "`skip` goes with `action: allow` only; remove it",
        );
        return None;
    }
    Some(match action {
        ActionWord::Block => Action::Block {
            status: match status {
                Some(status) => Some(fields.accept(BlockStatus::try_from(status), &STATUS)?),
                None => None,
            },
        },
        ActionWord::Allow => Action::Allow {
            skip: skip
                .unwrap_or_default()
                .into_iter()
                .fold(SkipSet::NONE, SkipSet::with),
        },
        ActionWord::Log => Action::Log,
    })
}
