//! URLs that are scripts.

use crate::scan::{behind, span};

/// Whether browsers run `url`, or show it as a page of its own making. Character references are
/// decoded; what browsers skip is skipped.
pub(super) fn runs_scripts(url: &[u8]) -> bool {
    // Some browsers take bytes that are not ASCII for white space.
    let url = behind(url, span(url, |byte| !matches!(byte, b'!'..=b'~')));
    SCHEMES.iter().any(|scheme| begins_with(url, scheme))
}

/// `JAVA` for `javascript:` and what is like it.
const SCHEMES: [&[u8]; 4] = [b"DATA", b"VIEW-SOURCE", b"JAVA", b"VBSCRIPT"];

fn begins_with(mut url: &[u8], scheme: &[u8]) -> bool {
    let mut expected = scheme.iter();
    let mut is_at_begin = true;
    let mut next = expected.next();
    while let Some(letter) = next {
        let Some((character, behind)) = first_character(url) else {
            return false;
        };
        url = behind;
        if is_at_begin && character <= 0x20 {
            continue;
        }
        is_at_begin = false;
        if matches!(character, 0 | 0x0a) {
            continue;
        }
        if low_byte_in_capitals(character) != *letter {
            return false;
        }
        next = expected.next();
    }
    true
}

/// As libinjection, where a character is compared as C's `char`.
fn low_byte_in_capitals(character: u32) -> u8 {
    let [low, higher @ ..] = character.to_le_bytes();
    if higher == [0; 3] {
        low.to_ascii_uppercase()
    } else {
        low
    }
}

/// The first character of `text`, and what is behind it. Numeric references are decoded, `&#106;` and
/// `&#x6a;`, with or without their semicolon; named ones are left as they are.
fn first_character(text: &[u8]) -> Option<(u32, &[u8])> {
    let (first, behind) = text.split_first()?;
    let reference = match behind {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16),
        [b'#', digits @ ..] => number(digits, 10),
        _ => None,
    };
    match reference {
        Some(reference) if *first == b'&' => Some(reference),
        _ => Some((u32::from(*first), behind)),
    }
}

/// The number that `text` begins with, and what is behind it and its semicolon. `None`: there is none,
/// or it is above [`CHARACTER_MAX`].
fn number(text: &[u8], base: u32) -> Option<(u32, &[u8])> {
    let digit = |byte: &u8| char::from(*byte).to_digit(base);
    let (mut value, mut rest) = match text.split_first() {
        Some((first, rest)) => (digit(first)?, rest),
        None => return None,
    };
    while let Some((byte, behind)) = rest.split_first() {
        if *byte == b';' {
            return Some((value, behind));
        }
        let Some(digit) = digit(byte) else {
            break;
        };
        value = value * base + digit;
        if value > CHARACTER_MAX {
            return None;
        }
        rest = behind;
    }
    Some((value, rest))
}

/// What libinjection decodes at most: 0xFF more than Unicode's last plane begins with.
const CHARACTER_MAX: u32 = 0x10_00ff;
