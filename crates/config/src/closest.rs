//! "Did you mean": the known word that a mistyped one is nearest to.

use crate::problem::quoted;

/// The word of `known` that `got` is probably meant to be.
///
/// Nearest by the number of inserted, removed, changed and swapped characters (optimal string
/// alignment), at most a third of the word. Letter case and `-` for `_` count as nothing.
pub(crate) fn closest<'k>(got: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    const LEN_MAX: usize = 64;
    if got.len() > LEN_MAX {
        return None;
    }
    let got = plain(got);
    let near = |word: &&'k str| {
        let distance = distance(&got, &plain(word));
        (distance <= (got.len().max(word.len()) / 3).max(1)).then_some(distance)
    };
    let candidates = known
        .into_iter()
        .filter_map(|word| near(&word).map(|distance| (distance, word)));
    candidates
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// `; did you mean "word"?`, or nothing. Words of the file are not all names: they are made safe to
/// print.
pub(crate) fn did_you_mean<'k>(got: &str, known: impl IntoIterator<Item = &'k str>) -> String {
    closest(got, known).map_or_else(String::new, |word| {
        format!("; did you mean {}?", quoted(word))
    })
}

fn plain(word: &str) -> Vec<char> {
    word.chars()
        .map(|c| {
            if c == '-' {
                '_'
            } else {
                c.to_ascii_lowercase()
            }
        })
        .collect()
}

fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_previous: Vec<usize> = Vec::new();
    let mut previous: Vec<usize> = (0..=b.len()).collect();
    let mut left_a = None;
    for (row, &char_a) in a.iter().enumerate() {
        let mut current = vec![row + 1];
        let mut left_b = None;
        for (column, &char_b) in b.iter().enumerate() {
            let at =
                |cells: &[usize], index: usize| cells.get(index).copied().unwrap_or(usize::MAX - 1);
            let changed = at(&previous, column) + usize::from(char_a != char_b);
            let mut best = changed
                .min(at(&previous, column + 1) + 1)
                .min(at(&current, column) + 1);
            if left_a == Some(char_b) && left_b == Some(char_a) && char_a != char_b {
                best = best.min(at(&before_previous, column.saturating_sub(1)) + 1);
            }
            current.push(best);
            left_b = Some(char_b);
        }
        before_previous = std::mem::replace(&mut previous, current);
        left_a = Some(char_a);
    }
    previous.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 5] = ["upstreams", "listeners", "trusted_clients", "mode", "id"];

    #[track_caller]
    fn check(got: &str, expected: Option<&str>) {
        assert_eq!(closest(got, KNOWN), expected, "{got}");
    }

    #[test]
    fn typos_find_their_word() {
        check("upstream", Some("upstreams"));
        check("listners", Some("listeners"));
        check("lisetners", Some("listeners"));
        check("Trusted-Clients", Some("trusted_clients"));
        check("mdoe", Some("mode"));
        check("ids", Some("id"));
        check("banana", None);
        check("", None);
        check(&"x".repeat(100), None);
    }

    #[test]
    fn a_word_of_the_file_is_shown_safe_to_print() {
        assert_eq!(
            did_you_mean("app", ["ap\u{1b}"]),
            "; did you mean \"ap\\u{1b}\"?"
        );
        assert_eq!(did_you_mean("mdoe", KNOWN), "; did you mean \"mode\"?");
        assert_eq!(did_you_mean("banana", KNOWN), "");
    }

    #[test]
    fn distances() {
        let of = |a: &str, b: &str| distance(&plain(a), &plain(b));
        assert_eq!(of("", ""), 0);
        assert_eq!(of("abc", ""), 3);
        assert_eq!(of("abc", "acb"), 1);
        assert_eq!(of("kitten", "sitting"), 3);
    }
}
