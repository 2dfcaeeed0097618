//! `htmlEntityDecode`.

use memchr::memchr;

use super::hexadecimal::digit;
use super::scan::{NBSP, begin, copy_until};

/// The named entities that are decoded, in any case.
const NAMED: [(&[u8], u8); 5] = [
    (b"quot", b'"'),
    (b"amp", b'&'),
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"nbsp", NBSP),
];

/// Decodes `&#DDD;`, `&#xHH;` (of any length, to its lowest byte) and the entities `quot`, `amp`,
/// `lt`, `gt` and `nbsp` (0xA0), each with or without its semicolon; all else stays.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    let Some(first) = memchr(b'&', input) else {
        return false;
    };
    let mut rest = begin(input, first, out);
    loop {
        rest = match copy_until(rest, out, |byte| byte == b'&') {
            [] => break,
            entity => decode(entity, out),
        };
    }
    // What is decoded is shorter.
    out.len() != input.len()
}

/// Decodes what begins with an ampersand, or copies what isn't an entity, and gives the rest.
fn decode<'i>(entity: &'i [u8], out: &mut Vec<u8>) -> &'i [u8] {
    let (decoded, rest) = match entity {
        [_, b'#', b'x' | b'X', digits @ ..] => number::<16>(digits),
        [_, b'#', digits @ ..] => number::<10>(digits),
        [_, name @ ..] => named(name),
        [] => return entity,
    };
    if let Some(byte) = decoded {
        out.push(byte);
        return rest.strip_prefix(b";").unwrap_or(rest);
    }
    let (seen, rest) = entity.split_at(entity.len() - rest.len());
    out.extend_from_slice(seen);
    rest
}

/// A number as `strtol` reads it: one that is too large is the largest, whose lowest byte is 0xFF.
fn number<const BASE: u8>(text: &[u8]) -> (Option<u8>, &[u8]) {
    let (mut value, mut rest) = (None, text);
    while let [byte, tail @ ..] = rest
        && let Some(digit) = digit(*byte).filter(|digit| *digit < BASE)
    {
        let before: i64 = value.unwrap_or(0);
        let shifted = before.saturating_mul(i64::from(BASE));
        value = Some(shifted.saturating_add(i64::from(digit)));
        rest = tail;
    }
    let byte = value.map(|value| {
        let [.., low] = value.to_be_bytes();
        low
    });
    (byte, rest)
}

fn named(text: &[u8]) -> (Option<u8>, &[u8]) {
    let end = text.iter().position(|byte| !byte.is_ascii_alphanumeric());
    let (name, rest) = text.split_at(end.unwrap_or(text.len()));
    let known = NAMED
        .iter()
        .find(|(known, _)| known.eq_ignore_ascii_case(name));
    (known.map(|(_, byte)| *byte), rest)
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::HtmlEntityDecode;
    use super::super::tests::check;

    #[test]
    fn numbers() {
        check(HtmlEntityDecode, b"&#65;&#x42;&#X43&#068", b"ABCD");
        check(HtmlEntityDecode, b"&#321;&#x141;", b"AA");
        check(HtmlEntityDecode, b"&#99999999999999999999;", b"\xff");
        check(HtmlEntityDecode, b"&#x7fffffffffffffff00;", b"\xff");
        check(HtmlEntityDecode, b"&#;&#x;&#xg;&#", b"&#;&#x;&#xg;&#");
        check(HtmlEntityDecode, b"&#3a;&#x3g;", b"\x03a;\x03g;");
    }

    #[test]
    fn names() {
        check(HtmlEntityDecode, b"&lt;b&GT&quot&aMp;&nbsp;", b"<b>\"&\xa0");
        check(HtmlEntityDecode, b"&lt&ltx&euro;&", b"<&ltx&euro;&");
        check(HtmlEntityDecode, b"&&amp;&a&lt;", b"&&&a<");
    }
}
