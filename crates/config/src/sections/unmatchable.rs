//! Patterns that only look as if they could match: a path without its slash, or as a client may send
//! it but rules never see it; a method in lower case.

use palisade_access::{Field, Pattern, PatternKind};
use palisade_hygiene::path::{PathPolicy, PathScratch, canonicalise};

use super::matchers::PatternGroups;
use crate::Location;
use crate::problem::quoted;
use crate::reader::Located;

/// A pattern that doesn't match what it seems to, and why.
#[derive(Clone, Debug)]
pub(super) struct Unmatchable {
    pub(super) location: Location,
    pub(super) message: String,
}

/// Those of what is compared with `field`.
pub(super) fn unmatchable<'a>(
    field: &'a Field,
    groups: &'a PatternGroups,
) -> impl Iterator<Item = Unmatchable> + 'a {
    let patterns = groups.iter().flatten();
    patterns.filter_map(move |Located { value, location }| {
        let message = match fault(field, value) {
            Some(fault) => format!("{} never matches: {fault}", quoted(value.text())),
            None if *field == Field::Path => not_canonical(value)?,
            None => return None,
        };
        Some(Unmatchable {
            location: location.clone(),
            message,
        })
    })
}

fn fault(field: &Field, pattern: &Pattern) -> Option<&'static str> {
    let text = pattern.text();
    let anchored = matches!(pattern.kind(), PatternKind::Equals | PatternKind::Prefix);
    let is_literal = pattern.kind() != PatternKind::Regex;
    let has_lower_case = || text.bytes().any(|b| b.is_ascii_lowercase());
    match field {
        Field::Path | Field::RawPath if anchored && !text.starts_with('/') => {
            Some("paths start with /")
        }
        Field::Path | Field::RawPath if is_literal && text.contains('?') => {
            Some("a path ends before the ?; use `query` for what follows")
        }
        Field::Query if anchored && text.starts_with('?') => {
            Some("the query is matched without its ?")
        }
        Field::Method if is_literal && !pattern.ignores_case() && has_lower_case() => {
            Some("methods are upper case")
        }
        _ => None,
    }
}

/// Of a text that no canonical path has where clients send it: it has escapes, or empty or dot
/// segments. `None` for regular expressions, of which that can't be told.
///
/// The text is made a whole path, with a segment begun or ended by a letter wherever the pattern
/// leaves that open, and must then be its own canonical form, whatever a site allows.
fn not_canonical(pattern: &Pattern) -> Option<String> {
    let (before, after) = match pattern.kind() {
        PatternKind::Equals => ("", ""),
        PatternKind::Prefix => ("", "x"),
        PatternKind::Suffix => ("/x", ""),
        PatternKind::Contains => ("/x", "x"),
        PatternKind::Regex => return None,
    };
    let path = format!("{before}{}{after}", pattern.text());
    let mut scratch = PathScratch::default();
    let view = canonicalise(path.as_bytes(), &ANY_FORM, &mut scratch).ok()?;
    // Escapes that stay are written in upper case.
    let is_same = match pattern.ignores_case() {
        true => view.canonical.eq_ignore_ascii_case(path.as_bytes()),
        false => view.canonical == path.as_bytes(),
    };
    if is_same {
        return None;
    }
    let canonical = String::from_utf8_lossy(view.canonical);
    let rest = canonical.strip_prefix(before);
    let rest = rest.and_then(|rest| rest.strip_suffix(after));
    let instead = match rest.filter(|rest| !rest.is_empty() && !rest.contains('\u{fffd}')) {
        Some(rest) => format!("write {}", quoted(rest)),
        None => "expected no escapes, no empty and no dot segments".to_owned(),
    };
    Some(format!(
        "{} doesn't match a path that is sent so: the canonical path is compared; {instead}",
        quoted(pattern.text())
    ))
}

/// Every form that a site can allow.
const ANY_FORM: PathPolicy = PathPolicy {
    encoded_slash: true,
    backslash: true,
    encoded_nul: true,
    malformed_escapes: true,
    double_encoding: true,
    unresolved_dot_dot: true,
};
