//! Cross-site scripting, told as libinjection tells it.

mod attribute;
mod tag;
mod url;

#[cfg(test)]
mod tests;

use crate::html::{Kind, Start, Tokeniser};
use crate::scan::{behind, find, find_either};

/// Whether `input` would run a script where a page has it in text, in a tag, or in an attribute's
/// value between quotes of any kind. Linear in the input's length, in at most five readings; nothing
/// is allocated.
#[must_use]
pub fn detect(input: &[u8]) -> bool {
    // Scripts run from tags and comments, for which there is a `<`, and from values of attributes,
    // for which there is a `=`.
    if find_either(input, b'<', b'=').is_none() {
        return false;
    }
    (find(input, b'<').is_some() && runs_scripts(input, Start::Data))
        || runs_scripts(input, Start::Tag)
        || b"'\"`".iter().any(|quote| runs_behind(input, *quote))
}

/// Whether `input` runs scripts in a value that `quote` ends. Up to that quote it is the value.
fn runs_behind(input: &[u8], quote: u8) -> bool {
    let end = find(input, quote).map(|end| behind(input, end));
    end.is_some_and(|behind| find_either(behind, b'<', b'=').is_some())
        && runs_scripts(input, Start::Value(quote))
}

fn runs_scripts(input: &[u8], start: Start) -> bool {
    let mut attribute: Option<&[u8]> = None;
    for token in Tokeniser::new(input, start) {
        let name = attribute.take();
        let runs = match token.kind {
            Kind::Doctype => true,
            Kind::TagName => tag::runs_scripts(token.text),
            Kind::Comment => is_read_by_old_browsers(token.text),
            Kind::AttributeName => {
                attribute = Some(token.text);
                false
            }
            Kind::AttributeValue => {
                name.is_some_and(|name| attribute::runs_scripts(name, token.text))
            }
            Kind::Text | Kind::TagEnd | Kind::SelfClose | Kind::CloseTag => false,
        };
        if runs {
            return true;
        }
    }
    false
}

/// Whether Internet Explorer sees more in a comment: a backquote ends tags there, and there are
/// conditional comments, `<?xml`, `<?import` and `<!entity`.
fn is_read_by_old_browsers(comment: &[u8]) -> bool {
    let begins_with = |word: &[u8]| {
        let begin = comment.get(..word.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(word))
    };
    find(comment, b'`').is_some()
        || (comment.len() > 3 && (begins_with(b"[IF") || begins_with(b"XML")))
        || begins_with(b"IMPORT")
        || begins_with(b"ENTITY")
}

/// Whether `text` is `word`, which is in capitals, in any case and with any NULs, which old browsers
/// skip.
fn is_without_nuls(text: &[u8], word: &[u8]) -> bool {
    let letters = text.iter().filter(|byte| **byte != 0);
    letters.map(u8::to_ascii_uppercase).eq(word.iter().copied())
}
