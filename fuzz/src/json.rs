//! JSON bodies. Input: one.

use palisade_body::{Error, JsonError, Limits, Scratch, json};

use crate::Outcome;
use crate::told::{Told, check_parser};

/// Another parser agrees on what is JSON; all that is told is UTF-8; a beginning tells the beginning.
pub fn check(data: &[u8]) -> Outcome {
    let limits = Limits::default();
    let (told, outcome) = check_parser(data, |body, sink| {
        json::parse(body, &limits, &mut Scratch::new(), sink)
    });
    for told in &told {
        let Told::Argument(name, value) = told else {
            unreachable!("JSON holds {told:?}");
        };
        assert!(std::str::from_utf8(name).is_ok() && std::str::from_utf8(value).is_ok());
    }
    let other = serde_json::from_slice::<serde_json::Value>(data);
    match (&outcome.error, other) {
        (None, Ok(_)) => Outcome::Accepted,
        (None, Err(_)) if data.is_empty() => Outcome::Refused,
        (None, Err(error)) => {
            assert!(is_its_own_limit(&error), "another parser says: {error}");
            Outcome::Accepted
        }
        (Some(error), Ok(_)) => {
            assert!(is_limit(error), "another parser has no {error}");
            Outcome::Refused
        }
        (Some(_), Err(_)) => Outcome::Refused,
    }
}

/// What the other parser refuses though it is JSON: it makes numbers and UTF-8 of it, and recurses.
fn is_its_own_limit(error: &serde_json::Error) -> bool {
    let message = error.to_string();
    [
        "number out of range",
        "recursion limit",
        "surrogate",
        "hex escape",
    ]
    .iter()
    .any(|reason| message.contains(reason))
}

fn is_limit(error: &Error) -> bool {
    matches!(
        error,
        Error::TooManyArguments { .. }
            | Error::Json(JsonError::TooDeep { .. } | JsonError::NamesTooLong { .. })
    )
}
