//! What a regular expression can't match without.
//!
//! Ten thousand expressions can't all be run on every request. Most contain a piece of plain text
//! (`/wp-` in `^/wp-\w+\.php$`), and one automaton finds all such pieces of all expressions in one
//! pass; only an expression whose piece is there is run.

use regex_syntax::hir::{Class, Hir, HirKind};

/// The shortest literal worth looking for: one byte is in nearly every value.
const LITERAL_LEN_MIN: usize = 2;
/// A literal is cut off here; longer ones tell no more.
const LITERAL_LEN_MAX: usize = 32;
/// The most literals of one expression.
const LITERALS_MAX: usize = 64;
/// The largest class of characters that is spelled out (`[sS]` is one literal in lower case).
const CLASS_MAX: usize = 8;

type Literals = Vec<Vec<u8>>;

/// Strings in lower case, one of which is part of every match of `hir` once the match's ASCII
/// letters are made lower case. `None` where no such set is worth looking for.
pub(crate) fn required_literals(hir: &Hir) -> Option<Literals> {
    needs(hir).into_required()
}

/// What one node of an expression needs.
struct Needs {
    /// All strings that it can match, where they are few.
    exact: Option<Literals>,
    /// Strings one of which is in all that it can match.
    required: Option<Literals>,
}

impl Needs {
    fn exact(mut literals: Literals) -> Self {
        literals.sort_unstable();
        literals.dedup();
        Self {
            exact: Some(literals),
            required: None,
        }
    }

    fn required(required: Option<Literals>) -> Self {
        Self {
            exact: None,
            required,
        }
    }

    fn into_required(self) -> Option<Literals> {
        better(self.required, self.exact.and_then(useful))
    }
}

/// Recursion is bounded by the parser's nesting limit.
fn needs(hir: &Hir) -> Needs {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Needs::exact(vec![Vec::new()]),
        HirKind::Literal(literal) => Needs::exact(vec![literal.0.to_ascii_lowercase()]),
        HirKind::Class(class) => spelled_out(class).map_or(Needs::required(None), Needs::exact),
        HirKind::Capture(capture) => needs(&capture.sub),
        HirKind::Repetition(repetition) => match (repetition.min, repetition.max) {
            (0, Some(1)) => of_option(&repetition.sub),
            (0, _) => Needs::required(None),
            (1, Some(1)) => needs(&repetition.sub),
            _ => Needs::required(needs(&repetition.sub).into_required()),
        },
        HirKind::Concat(parts) => of_concatenation(parts),
        HirKind::Alternation(parts) => of_alternation(parts),
    }
}

/// Neighbours that are exact join to longer literals; the best literal of all wins.
fn of_concatenation(parts: &[Hir]) -> Needs {
    let mut best = None;
    let mut run: Literals = vec![Vec::new()];
    let mut exact = true;
    for part in parts {
        let part = needs(part);
        if let Some(joined) = part.exact.as_deref().and_then(|next| product(&run, next)) {
            run = joined;
            continue;
        }
        exact = false;
        best = better(best, useful(run));
        run = vec![Vec::new()];
        if let Some(literals) = part.exact {
            run = literals;
        } else {
            best = better(best, part.required);
        }
    }
    if exact {
        return Needs::exact(run);
    }
    Needs::required(better(best, useful(run)))
}

/// What may be left out: all that it can match, or nothing.
fn of_option(part: &Hir) -> Needs {
    match needs(part).exact {
        Some(mut literals) if literals.len() < LITERALS_MAX => {
            literals.push(Vec::new());
            Needs::exact(literals)
        }
        _ => Needs::required(None),
    }
}

fn of_alternation(parts: &[Hir]) -> Needs {
    let mut parts: Vec<Needs> = parts.iter().map(needs).collect();
    if parts.iter().all(|part| part.exact.is_some()) {
        let all: Literals = parts
            .iter_mut()
            .filter_map(|part| part.exact.take())
            .flatten()
            .collect();
        if all.len() <= LITERALS_MAX {
            return Needs::exact(all);
        }
        return Needs::required(None);
    }
    let each: Option<Vec<Literals>> = parts.into_iter().map(Needs::into_required).collect();
    Needs::required(each.map(|sets| sets.concat()).and_then(useful))
}

/// Every string of `left` followed by every one of `right`, if those are few and short.
fn product(left: &[Vec<u8>], right: &[Vec<u8>]) -> Option<Literals> {
    let longest = |set: &[Vec<u8>]| set.iter().map(Vec::len).max().unwrap_or(0);
    let fits = left.len().saturating_mul(right.len()) <= LITERALS_MAX
        && longest(left).saturating_add(longest(right)) <= LITERAL_LEN_MAX;
    fits.then(|| {
        left.iter()
            .flat_map(|head| {
                right
                    .iter()
                    .map(move |tail| [head.as_slice(), tail].concat())
            })
            .collect()
    })
}

/// The members of a small class, in lower case.
fn spelled_out(class: &Class) -> Option<Literals> {
    let members: Literals = match class {
        Class::Bytes(class) => class
            .iter()
            .flat_map(|range| range.start()..=range.end())
            .take(CLASS_MAX + 1)
            .map(|byte| vec![byte.to_ascii_lowercase()])
            .collect(),
        Class::Unicode(class) => class
            .iter()
            .flat_map(|range| range.start()..=range.end())
            .take(CLASS_MAX + 1)
            .map(|c| c.to_ascii_lowercase().to_string().into_bytes())
            .collect(),
    };
    (members.len() <= CLASS_MAX).then_some(members)
}

/// A set whose every string is worth looking for, cut to the longest length, as small as can be.
fn useful(mut literals: Literals) -> Option<Literals> {
    let long_enough = literals
        .iter()
        .all(|literal| literal.len() >= LITERAL_LEN_MIN);
    if literals.is_empty() || literals.len() > LITERALS_MAX || !long_enough {
        return None;
    }
    for literal in &mut literals {
        literal.truncate(LITERAL_LEN_MAX);
    }
    // A literal within which another one is found needs no search of its own.
    literals.sort_unstable_by_key(Vec::len);
    let mut kept: Literals = Vec::with_capacity(literals.len());
    for literal in literals {
        let within = |part: &Vec<u8>| literal.windows(part.len()).any(|window| window == part);
        if !kept.iter().any(within) {
            kept.push(literal);
        }
    }
    kept.sort_unstable();
    Some(kept)
}

/// The set that a request hits less often: its shortest string is longer, or it has fewer.
fn better(left: Option<Literals>, right: Option<Literals>) -> Option<Literals> {
    let shortest = |set: &Literals| set.iter().map(Vec::len).min().unwrap_or(0);
    match (left, right) {
        (Some(left), Some(right)) => {
            let (left_len, right_len) = (shortest(&left), shortest(&right));
            let left_wins =
                left_len > right_len || (left_len == right_len && left.len() <= right.len());
            Some(if left_wins { left } else { right })
        }
        (left, right) => left.or(right),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use regex_syntax::ParserBuilder;

    #[track_caller]
    fn check(regex: &str, expected: Option<&[&str]>) {
        let hir = ParserBuilder::new()
            .utf8(false)
            .unicode(false)
            .build()
            .parse(regex)
            .unwrap();
        let got = required_literals(&hir);
        let got: Option<Vec<&str>> = got.as_ref().map(|set| {
            set.iter()
                .map(|s| std::str::from_utf8(s).unwrap())
                .collect()
        });
        assert_eq!(got.as_deref(), expected, "{regex}");
    }

    #[test]
    fn literals_that_every_match_has() {
        check("abc", Some(&["abc"]));
        check("(?i)SQLmap", Some(&["sqlmap"]));
        check(r"^/wp-\w+\.php$", Some(&["/wp-"]));
        check(r"^/\w+\.php$", Some(&[".php"]));
        check(r"^/(foo|bar)/x\d+", Some(&["/bar/x", "/foo/x"]));
        check(r"(foo\d|barbaz\w)$", Some(&["barbaz", "foo"]));
        check(r"\.(bak|old|orig)~?$", Some(&[".bak", ".old", ".orig"]));
        check(r"(abc)+x*", Some(&["abc"]));
        check(r"(abc){2,}", Some(&["abc"]));
        check(r"a[0-9]b", None);
        check(r"(abc)?", None);
        check(r"(abc)*", None);
        check(r"/x(abc){0,3}", Some(&["/x"]));
        check(r"/x(abc)?y", Some(&["/xabcy", "/xy"]));
        check(r"\.(php[3-5]?|ya?ml)$", Some(&[".php", ".yaml", ".yml"]));
        check(r"abc|\d", None);
        check(r"abc|", None);
        check(r"^/[a-z]{32}$", None);
        check(r"[a&&b]", None);
        check(&"x".repeat(40), Some(&[&"x".repeat(32)]));
    }
}
