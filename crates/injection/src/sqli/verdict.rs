//! Fingerprints of injections that harmless values have too.

use super::fold::Folding;
use super::kind::Kind;
use super::kinds::Kinds;
use super::token::Token;
use crate::scan::find_sequence;

/// Whether a value whose tokens are a known fingerprint is harmless after all.
pub(super) fn is_harmless(input: &[u8], folded: &Folding<'_>) -> bool {
    let tokens = folded.tokens();
    let ends_with_comment = tokens.last().is_some_and(|last| last.kind == Kind::Comment);
    if tokens.len() > 1 && ends_with_comment && mentions_sp_password(input) {
        return false;
    }
    match tokens {
        [first, second] => is_harmless_pair(input, first, second, folded.tokens_read()),
        [first, second, third] => is_harmless_triple(first, second, third, folded.tokens_read()),
        _ => false,
    }
}

/// Microsoft's servers leave statements with this word out of their logs.
fn mentions_sp_password(input: &[u8]) -> bool {
    find_sequence(input, b"sp_password").is_some()
}

fn is_harmless_pair(input: &[u8], first: &Token<'_>, second: &Token<'_>, read: usize) -> bool {
    if second.kind == Kind::Union {
        // A number and `union`, nothing folded away.
        return read == 2;
    }
    let comment = second.text();
    match (first.kind, comment.first()) {
        // Too many values end with a number sign and some words.
        (_, Some(b'#')) => true,
        (Kind::Bareword, begin) if second.kind == Kind::Comment => begin != Some(&b'/'),
        (Kind::Number, begin) if second.kind == Kind::Comment => {
            begin != Some(&b'/') && read <= 2 && !is_number_by_itself(input, first)
        }
        // `1--` ends a statement, ` -- ` stands in many a text.
        (_, Some(b'-')) => comment.len() > 2,
        _ => false,
    }
}

/// Whether what comes behind the number is a comment or white space: in values that look like Base64,
/// `1234-ABCdef--`, it is not. As in libinjection, the number is looked for at the beginning.
fn is_number_by_itself(input: &[u8], number: &Token<'_>) -> bool {
    match input.get(number.text().len()..) {
        Some([b'/', b'*', ..] | [b'-', b'-', ..] | [] | [0..=b' ' | 0x80..=0xff, ..]) => true,
        Some(_) | None => false,
    }
}

fn is_harmless_triple(
    first: &Token<'_>,
    second: &Token<'_>,
    third: &Token<'_>,
    read: usize,
) -> bool {
    use Kind::{Bareword, Logic, Number, String, Variable};
    match (first.kind, second.kind, third.kind) {
        (String, operator, String) if operator == Logic || Kinds::OPERATORS.has(operator) => {
            !is_out_of_string(first, third)
        }
        // `sexy and 17`; but not `sexy and 17<18`.
        (String, Logic, Bareword)
        | (Bareword, Logic, Number)
        | (Number, Logic, Number | Variable | String) => read == 3,
        (_, Kind::Keyword | Kind::In, _) => !is_into(second),
        _ => false,
    }
}

/// `foo" + "bar`: the value begins and ends within strings.
fn is_out_of_string(first: &Token<'_>, last: &Token<'_>) -> bool {
    first.opened_by.is_none() && last.closed_by.is_none() && first.closed_by == last.opened_by
}

/// `INTO OUTFILE`, `INTO DUMPFILE`.
fn is_into(keyword: &Token<'_>) -> bool {
    let text = keyword.text();
    let begin = text.get(..4).unwrap_or_default();
    text.len() > 4 && begin.eq_ignore_ascii_case(b"INTO")
}
