//! Exclusions that hold no more.

use palisade_seclang::syntax::{
    Action, Condition, Directive, Place, Placed, Problems, Rule, VariableName, parse,
};

use super::date::Date;
use super::text::EXCLUSION_IDS;

/// An exclusion that holds no more, so that it can be removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExpiredExclusion {
    /// The id of its rule.
    pub id: u64,
    /// Where that stands.
    pub place: Place,
    /// Since when.
    pub since: Date,
}

/// Those of a rule file of that name that hold no more at a time since 1970, in seconds: rules with ids of
/// [`EXCLUSION_IDS`] that are chained to `TIME_EPOCH "@lt ..."`.
#[must_use]
pub fn expired(file: &str, text: &[u8], unix_seconds: u64) -> Vec<ExpiredExclusion> {
    let mut found = Vec::new();
    let mut exclusion: Option<(u64, Place)> = None;
    for Placed { value, place } in parse(text, &file.into(), &mut Problems::default()) {
        let Directive::Rule(rule) = value else {
            exclusion = None;
            continue;
        };
        let id = rule.actions.iter().find_map(|action| match action.value {
            Action::Id(id) => Some(id),
            _ => None,
        });
        if let Some(id) = id {
            exclusion = EXCLUSION_IDS.contains(&id).then_some((id, place));
        }
        if let (Some((id, place)), Some(end)) = (&exclusion, end_of(&rule))
            && end <= unix_seconds
        {
            found.push(ExpiredExclusion {
                id: *id,
                place: place.clone(),
                since: Date::of(end),
            });
        }
    }
    found
}

/// Until when a link holds, if it asks for the time.
fn end_of(rule: &Rule) -> Option<u64> {
    let Condition {
        targets,
        is_negated: false,
        operator,
        argument,
        ..
    } = rule.condition.as_ref()?
    else {
        return None;
    };
    let asks_for_time = matches!(&**targets, [target] if target.name == VariableName::TimeEpoch);
    if !asks_for_time || !operator.eq_ignore_ascii_case(b"lt") {
        return None;
    }
    std::str::from_utf8(argument).ok()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(rules: &str, expected: &[(u64, u32, &str)]) {
        let found = expired("a.conf", rules.as_bytes(), 86_400);
        let found: Vec<(u64, u32, String)> = found
            .iter()
            .map(|one| (one.id, one.place.line, one.since.to_string()))
            .collect();
        let expected: Vec<(u64, u32, String)> = expected
            .iter()
            .map(|(id, line, since)| (*id, *line, (*since).to_owned()))
            .collect();
        assert_eq!(found, expected, "{rules}");
    }

    #[test]
    fn rules_whose_time_is_over() {
        let rule = |id: u64, end: u64| {
            format!(
                "# a\nSecRule REQUEST_FILENAME \"@streq /\" \"id:{id},phase:1,pass,nolog,chain\"\n\
                 SecRule TIME_EPOCH \"@lt {end}\" \"t:none\"\n"
            )
        };
        check(&rule(98_000_001, 86_400), &[(98_000_001, 2, "1970-01-02")]);
        check(&rule(98_000_001, 86_401), &[]);
        // Whose it is, is not known.
        check(&rule(1, 0), &[]);
        let two = rule(98_000_001, 86_401) + &rule(98_000_002, 5);
        check(&two, &[(98_000_002, 5, "1970-01-01")]);
    }

    #[test]
    fn what_is_no_end() {
        let rule = |condition: &str| {
            format!("SecRule {condition} \"id:98000000,phase:1,pass,nolog\"\n\"\nSecRule")
        };
        check(
            &rule("TIME_EPOCH \"@lt 1\""),
            &[(98_000_000, 1, "1970-01-01")],
        );
        check(&rule("TIME_EPOCH \"!@lt 1\""), &[]);
        check(&rule("TIME_EPOCH \"@gt 1\""), &[]);
        check(&rule("TIME_HOUR \"@lt 1\""), &[]);
        check(&rule("TIME_EPOCH \"@lt %{tx.a}\""), &[]);
    }
}
