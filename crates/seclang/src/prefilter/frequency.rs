//! How often bytes come up in harmless values.
//!
//! Estimates only: what is required, and by which bytes it is looked for, is chosen by them.

use super::literals::{WINDOW_MAX, rarest_window};
use crate::ByteSet;

/// The bytes of a value, on average.
const VALUE_BYTES: f64 = 35.0;

/// How many times as likely a letter is behind another letter than anywhere.
const LETTERS_IN_WORDS: f64 = 3.0;

/// How often a literal, in lower case, comes up in a value: its rarest part, of which the rest is one
/// half each byte, since what stands next to each other in words comes up together.
pub(super) fn of_literal(literal: &[u8]) -> f64 {
    let window = rarest_window(literal, WINDOW_MAX);
    let others = literal.len() - window.len();
    let others = i32::try_from(others).unwrap_or(i32::MAX);
    of_text(literal.get(window).unwrap_or(literal)) * 0.5_f64.powi(others)
}

/// How often all of `text`, in lower case, comes up in a value.
pub(super) fn of_text(text: &[u8]) -> f64 {
    let shares = text.iter().map(|byte| share(*byte));
    let pairs = text
        .windows(2)
        .filter(|pair| pair.iter().all(u8::is_ascii_lowercase));
    let words = pairs.map(|_| LETTERS_IN_WORDS);
    shares.chain(words).product::<f64>() * VALUE_BYTES
}

/// The share of values that have a byte of `class`.
pub(super) fn of_class(class: &ByteSet) -> f64 {
    // Most clauses have literals alone.
    if class.is_empty() {
        return 0.0;
    }
    let members = (0..=u8::MAX).filter(|byte| class.contains(*byte));
    let without: f64 = members.map(|byte| 1.0 - presence(byte)).product();
    1.0 - without
}

/// The share of bytes that are `byte`, in whichever case.
fn share(byte: u8) -> f64 {
    let cases = match byte.is_ascii_lowercase() {
        true => occurrences(byte) + occurrences(byte.to_ascii_uppercase()),
        false => occurrences(byte),
    };
    f64::from(cases) / 100_000.0
}

fn occurrences(byte: u8) -> u32 {
    counted(byte).map_or(RARE_OCCURRENCES, |(bytes, _)| {
        u32::from(bytes).max(RARE_OCCURRENCES)
    })
}

/// The share of values that have `byte`.
pub(super) fn presence(byte: u8) -> f64 {
    let values = match counted(byte) {
        Some((_, values)) => values.max(1),
        None if byte.is_ascii() => 1,
        // There are sites that aren't in English.
        None => 3,
    };
    f64::from(values) / 1_000.0
}

fn counted(byte: u8) -> Option<(u16, u16)> {
    let index = byte.checked_sub(b' ')?;
    COUNTED.get(usize::from(index)).copied()
}

/// Of 100,000 bytes, those of a value that is hardly ever there.
const RARE_OCCURRENCES: u32 = 2;

/// For each byte from the space on, how many of 100,000 bytes are it, and how many of 1,000 values have
/// it: counted in the paths, headers, cookies and arguments of 200 harmless requests, by the test below.
#[rustfmt::skip]
const COUNTED: [(u16, u16); 95] = [
    (4759, 163), (93, 9), (429, 24), (5, 2), (6, 1), (1436, 28), (18, 6), (71, 9), (200, 39), (229, 49),
    (222, 39), (81, 29), (1003, 163), (906, 198), (2531, 311), (1549, 176), (2339, 290), (2534, 244), (3176, 238), (1350, 181),
    (1189, 186), (1382, 184), (1308, 188), (1666, 214), (1342, 220), (1224, 218), (122, 40), (814, 139), (0, 0), (803, 115),
    (0, 0), (117, 25), (7, 3), (963, 172), (429, 89), (614, 105), (414, 92), (363, 78), (345, 76), (721, 157),
    (372, 83), (475, 74), (373, 59), (456, 86), (381, 90), (567, 97), (346, 72), (367, 73), (394, 73), (315, 58),
    (355, 71), (531, 115), (398, 80), (388, 89), (352, 67), (424, 92), (368, 75), (271, 51), (256, 54), (36, 8),
    (0, 0), (36, 8), (0, 0), (665, 142), (0, 0), (4102, 498), (1108, 196), (2384, 370), (1882, 301), (6056, 601),
    (1203, 271), (1603, 263), (1463, 232), (3805, 454), (401, 86), (1096, 184), (2955, 399), (1912, 268), (2955, 384), (3633, 411),
    (2615, 391), (685, 142), (3079, 347), (2940, 374), (3890, 435), (1256, 199), (947, 189), (663, 113), (958, 198), (711, 116),
    (550, 135), (14, 1), (0, 0), (14, 1), (0, 0),
];

#[cfg(test)]
mod tests {
    use super::super::tests::corpus;
    use super::*;

    /// Prints the table that should be there if another is.
    #[test]
    fn the_table_is_what_the_corpus_has() {
        let Some(values) = corpus::values() else {
            return;
        };
        let bytes: usize = values.iter().map(Vec::len).sum();
        let counted = |byte: u8| {
            let occurrences = values
                .iter()
                .flatten()
                .filter(|known| **known == byte)
                .count();
            let having = values.iter().filter(|value| value.contains(&byte)).count();
            let rounded = |count: usize, of: usize, all: usize| (count * of + all / 2) / all;
            (
                u16::try_from(rounded(occurrences, 100_000, bytes)).unwrap(),
                u16::try_from(rounded(having, 1_000, values.len())).unwrap(),
            )
        };
        let expected: Vec<(u16, u16)> = (b' '..=b'~').map(counted).collect();
        let rows = expected
            .chunks(10)
            .map(|row| format!("    {row:?},\n").replace(['[', ']'], ""));
        let table: String = rows.collect();
        assert_eq!(
            COUNTED,
            expected.as_slice(),
            "of {} bytes each:\n{table}",
            bytes / values.len()
        );
    }

    #[track_caller]
    fn check_rarer(rarer: &[u8], other: &[u8]) {
        assert!(of_literal(rarer) < of_literal(other));
    }

    #[test]
    fn what_is_rare_is_known() {
        check_rarer(b"xp_cmdshell", b"content");
        check_rarer(b"../../", b"/");
        check_rarer(b"longer", b"er");
        check_rarer(b"\0", b"e");
        let rate = |bytes: &[u8]| of_class(&ByteSet::of(bytes));
        assert!(rate(b";") < rate(b";=") && rate(b"`") < rate(b"/"));
        assert!(rate(b"") == 0.0 && of_class(&ByteSet::ALL) > 0.99);
    }
}
