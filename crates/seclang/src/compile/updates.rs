//! What `SecRuleUpdateTargetBy...` and `SecRuleUpdateActionById` make of a rule.

use crate::syntax::{Action, Placed, Target, TargetUse, UpdatedTargets};

/// Exclusions are for all links of a chain, what is to be looked at for its first.
pub(super) fn update(targets: &mut Vec<Target>, updated: &UpdatedTargets, is_starter: bool) {
    targets.retain(|target| !updated.replaced.contains(target));
    for target in &updated.added {
        let is_meant = is_starter || target.use_ == TargetUse::Exclude;
        if is_meant && !targets.contains(target) {
            targets.push(target.clone());
        }
    }
}

/// What there can be one of is replaced; the rest is added.
pub(super) fn update_actions(actions: &mut Vec<Placed<Action>>, new: Vec<Placed<Action>>) {
    for action in new {
        let kind = std::mem::discriminant(&action.value);
        let is_cumulative = matches!(
            action.value,
            Action::SetVar(_)
                | Action::Tag(_)
                | Action::Transform(_)
                | Action::NoTransformations
                | Action::Ctl(_)
                | Action::IgnoredCtl { .. }
                | Action::ExpireVar { .. }
                | Action::InitCollection { .. }
                | Action::SetEnv { .. }
                | Action::Sanitise(_)
        );
        if !is_cumulative {
            actions.retain(|old| std::mem::discriminant(&old.value) != kind);
        }
        actions.push(action);
    }
}
