//! What the admin socket reads. Input: the body of a decision to add, if it begins with `{`; else the
//! query of a listing or a deletion.

use palisade_admin::api::AddRequest;
use palisade_admin::{DeleteTarget, ListRequest, NewDecision};
use palisade_decisions::Decision;

use crate::{Outcome, check_message};

/// What is understood keeps its bounds and can be said again; all else is an error that can be shown.
pub fn check(data: &[u8]) -> Outcome {
    if data.first() == Some(&b'{') {
        return said(NewDecision::from_json(data), check_new);
    }
    let Ok(query) = std::str::from_utf8(data) else {
        return Outcome::Refused;
    };
    let listed = said(ListRequest::parse(Some(query)), |_| {});
    match said(DeleteTarget::parse(Some(query)), check_target) {
        Outcome::Accepted => Outcome::Accepted,
        Outcome::Refused => listed,
    }
}

fn said<T>(understood: Result<T, String>, check: impl FnOnce(T)) -> Outcome {
    match understood {
        Ok(understood) => {
            check(understood);
            Outcome::Accepted
        }
        Err(message) => {
            check_message(&message);
            Outcome::Refused
        }
    }
}

fn check_new(new: NewDecision) {
    assert!((NewDecision::DURATION_MIN..=NewDecision::DURATION_MAX).contains(&new.duration()));
    let request = AddRequest::from(&new);
    assert!(request.reason.len() <= Decision::SCENARIO_BYTES_MAX);
    let again = serde_json::to_vec(&request).map(|body| NewDecision::from_json(&body));
    assert!(matches!(again, Ok(Ok(again)) if again == new));
}

fn check_target(target: DeleteTarget) {
    let query = match target {
        DeleteTarget::Id(id) => format!("id={id}"),
        DeleteTarget::Scope(scope) => format!("scope={}&value={scope}", scope.name()),
    };
    assert_eq!(DeleteTarget::parse(Some(&query)), Ok(target));
}
