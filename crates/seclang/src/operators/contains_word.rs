//! `containsWord`.

/// Whether `word` is somewhere in `value`, from `first` on, where it is for the first time, with no
/// letter, digit or underscore before and behind it. Linear in both: Knuth, Morris and Pratt's search,
/// since one place that overlaps another can be the right one.
pub(super) fn contains_word(
    value: &[u8],
    word: &[u8],
    first: usize,
    borders: &mut Vec<usize>,
) -> bool {
    if word.is_empty() || is_word(value, first, first + word.len()) {
        return true;
    }
    find_borders(word, borders);
    let mut matched = 0;
    for (index, byte) in value.iter().enumerate().skip(first) {
        matched = advance(word, borders, matched, *byte);
        if matched == word.len() {
            let end = index + 1;
            if is_word(value, end - word.len(), end) {
                return true;
            }
            matched = border(borders, matched);
        }
    }
    false
}

fn is_word(value: &[u8], start: usize, end: usize) -> bool {
    let is_apart = |byte: Option<&u8>| byte.is_none_or(|byte| !is_of_word(*byte));
    is_apart(start.checked_sub(1).and_then(|before| value.get(before))) && is_apart(value.get(end))
}

const fn is_of_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// For each beginning of `word`, the length of the longest shorter one that it ends with.
fn find_borders(word: &[u8], borders: &mut Vec<usize>) {
    borders.clear();
    let mut matched = 0;
    for (index, byte) in word.iter().enumerate() {
        if index > 0 {
            matched = advance(word, borders, matched, *byte);
        }
        borders.push(matched);
    }
}

/// How much of `word` is matched once `byte` has come.
fn advance(word: &[u8], borders: &[usize], mut matched: usize, byte: u8) -> usize {
    while matched > 0 && word.get(matched) != Some(&byte) {
        matched = border(borders, matched);
    }
    matched + usize::from(word.get(matched) == Some(&byte))
}

fn border(borders: &[usize], matched: usize) -> usize {
    let index = matched.checked_sub(1);
    index
        .and_then(|index| borders.get(index))
        .copied()
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check, check_expanded};
    use proptest::prelude::*;

    #[test]
    fn words() {
        check("containsWord", b"def", b"abc def ghi", true);
        check("containsWord", b"def", b"abcdef def", true);
        check("containsWord", b"def", b"_def defx 9def", false);
        check("containsWord", b"def", b"a\0def\xff", true);
        check("containsWord", b"a-a", b"a-a-a_", true);
        check("containsWord", b"a-a", b"xa-a-a", true);
        check("containsWord", b"", b"", true);
        check_expanded("containsWord", b"%{tx.w}", b"b", b"a b c", true);
        check_expanded("containsWord", b"%{tx.w}", b"b", b"abc", false);
    }

    /// As it is said: at each place.
    fn by_hand(value: &[u8], word: &[u8]) -> bool {
        let is_of_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
        word.is_empty()
            || (0..value.len()).any(|start| {
                let end = start + word.len();
                value[start..].starts_with(word)
                    && !value[..start].last().is_some_and(is_of_word)
                    && !value.get(end).is_some_and(is_of_word)
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        #[test]
        fn agrees_with_a_scan(word in "[ab -]{0,5}", value in "[ab -]{0,16}") {
            let expected = by_hand(value.as_bytes(), word.as_bytes());
            check("containsWord", word.as_bytes(), value.as_bytes(), expected);
        }
    }
}
