//! Whom a decision is about, as it is typed: `192.0.2.1`, `10.0.0.0/8`, `country:DE`, `as:64496`,
//! and `id:7` for one that there is.

use palisade_admin::DeleteTarget;
use palisade_decisions::{DecisionId, Scope};

/// Reads an address, a range, `country:XX` or `as:NUMBER`.
pub(crate) fn parse_scope(text: &str) -> Result<Scope, String> {
    let (scope, value) = match prefixed(text) {
        Some(("country", value)) => ("Country", value),
        Some(("as", value)) => ("AS", value),
        _ => ("Range", text),
    };
    Scope::parse(scope, value).map_err(|error| {
        format!("{error}; a target is an address, a range, country:DE or as:64496")
    })
}

/// Reads what [`parse_scope`] does, or `id:NUMBER`.
pub(crate) fn parse_delete_target(text: &str) -> Result<DeleteTarget, String> {
    match prefixed(text) {
        Some(("id", number)) => {
            let id = number.parse().ok().and_then(DecisionId::new);
            id.map(DeleteTarget::Id)
                .ok_or_else(|| "expected a number above 0 after id:, like id:7".to_owned())
        }
        _ => parse_scope(text).map(DeleteTarget::Scope),
    }
}

/// The word before a colon, in lower case, and what follows it. No IPv6 address begins with one of
/// these words.
fn prefixed(text: &str) -> Option<(&'static str, &str)> {
    let (word, value) = text.split_once(':')?;
    let words = ["country", "as", "id"];
    let word = words
        .into_iter()
        .find(|known| known.eq_ignore_ascii_case(word))?;
    Some((word, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let got = match parse_delete_target(text) {
            Ok(DeleteTarget::Id(id)) => format!("id {id}"),
            Ok(DeleteTarget::Scope(scope)) => format!("{} {scope}", scope.name()),
            Err(error) => error,
        };
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn targets_are_read() {
        check("192.0.2.1", "Ip 192.0.2.1");
        check("::ffff:192.0.2.1", "Ip 192.0.2.1");
        check("10.1.2.3/8", "Range 10.0.0.0/8");
        check("2001:db8::/32", "Range 2001:db8::/32");
        check("::1", "Ip ::1");
        check("country:de", "Country DE");
        check("COUNTRY:KP", "Country KP");
        check("as:64496", "AS AS64496");
        check("AS:AS64496", "AS AS64496");
        check("id:7", "id 7");
    }

    #[test]
    fn what_is_no_target_is_told() {
        let targets = "; a target is an address, a range, country:DE or as:64496";
        check(
            "AS64496",
            &format!(
                "\"AS64496\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1{targets}"
            ),
        );
        check(
            "country:Germany",
            &format!("\"Germany\" is not a country; expected two letters like DE{targets}"),
        );
        check("id:0", "expected a number above 0 after id:, like id:7");
        check("id:x", "expected a number above 0 after id:, like id:7");
        assert!(parse_scope("id:7").is_err(), "a new decision has no id yet");
    }
}
