//! SQL injection, told as libinjection tells it.

mod bytes;
mod fingerprint;
mod fingerprints;
mod fold;
mod keywords;
mod kind;
mod kinds;
mod lexer;
mod plain;
mod token;
mod verdict;

#[cfg(test)]
pub(crate) mod tests;

pub use fingerprint::Fingerprint;

use fold::Folding;
use kind::Kind;
use lexer::Dialect;

use crate::scan::{find, find_either};

/// The fingerprint of the injection that `input` is; `None` where it is none.
///
/// It is read as it is; then, where it has a single quote in it, as if that had been open before it;
/// then the same with a double quote. What comments mean is tried in both ways where it matters. The
/// first reading that is a known injection counts. Linear in the input's length, in at most five
/// readings; nothing is allocated.
#[must_use]
pub fn detect(input: &[u8]) -> Option<Fingerprint> {
    if plain::is_plain(input) {
        return None;
    }
    detect_behind(None, input).or_else(|| {
        find_either(input, b'\'', b'"')?;
        detect_in_quotes(input)
    })
}

fn detect_in_quotes(input: &[u8]) -> Option<Fingerprint> {
    let has = |quote| find(input, quote).is_some();
    let in_single = has(b'\'').then(|| detect_behind(Some(b'\''), input));
    in_single.flatten().or_else(|| {
        // Only MySQL has strings in double quotes.
        let in_double = has(b'"').then(|| detect_in(Dialect::Mysql, Some(b'"'), input));
        in_double?.ok()
    })
}

/// Reads `input` behind `quote`, in both dialects if they differ.
fn detect_behind(quote: Option<u8>, input: &[u8]) -> Option<Fingerprint> {
    match detect_in(Dialect::Ansi, quote, input) {
        Ok(fingerprint) => Some(fingerprint),
        Err(Harmless::InEachDialect) => None,
        Err(Harmless::InThisDialect) => detect_in(Dialect::Mysql, quote, input).ok(),
    }
}

/// Why a reading is no injection.
enum Harmless {
    InEachDialect,
    InThisDialect,
}

fn detect_in(dialect: Dialect, quote: Option<u8>, input: &[u8]) -> Result<Fingerprint, Harmless> {
    let mut folding = Folding::new(input, dialect);
    folding.fold(quote);
    let harmless = if folding.depends_on_dialect() {
        Harmless::InThisDialect
    } else {
        Harmless::InEachDialect
    };
    injection(input, folding).ok_or(harmless)
}

/// The fingerprint of `input`, if what it was folded to is a known injection and nothing shows that it
/// is harmless.
fn injection(input: &[u8], mut folding: Folding<'_>) -> Option<Fingerprint> {
    folding.end_with_backquote_comment();
    let kinds = folding.tokens().iter().map(|token| token.kind);
    if kinds.clone().any(|kind| kind == Kind::Evil) {
        return Some(Fingerprint::EVIL);
    }
    if !fingerprints::is_known(kinds.clone()) || verdict::is_harmless(input, &folding) {
        return None;
    }
    Some(Fingerprint::of(kinds))
}
