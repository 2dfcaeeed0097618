//! The keyword table: `data/keywords`, hashed when this is compiled.

use super::kind::Kind;

/// A word or phrase that SQL knows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Keyword {
    /// In capitals; the words of a phrase have one space between them.
    pub(super) text: &'static [u8],
    /// `Kind::None` for what only begins phrases.
    pub(super) kind: Kind,
    /// Whether there is a phrase that goes on after this and a space.
    pub(super) begins_phrase: bool,
}

/// What `text` is, in any case of letters.
pub(super) fn look_up(text: &[u8]) -> Option<&'static Keyword> {
    let bucket = bucket_of(text)?;
    let start = usize::from(*TABLE.starts.get(bucket)?);
    let end = usize::from(*TABLE.starts.get(bucket + 1)?);
    let candidates = TABLE.keywords.get(start..end)?;
    candidates
        .iter()
        .find(|keyword| keyword.text.eq_ignore_ascii_case(text))
}

const DATA: &[u8] = include_bytes!("../../data/keywords");

/// Twice as many as keywords, so that most words are told from all keywords without a comparison.
const BUCKETS: usize = 2048;

/// Keywords by their bucket; those of bucket `n` are from `starts[n]` to `starts[n + 1]`.
struct Table {
    keywords: [Keyword; COUNT],
    starts: [u16; BUCKETS + 1],
}

static TABLE: Table = Table::build();

/// Of the length, the first two bytes and the last two, without the bit that tells small letters from
/// capitals. `None`: too short for a keyword.
const fn bucket_of(text: &[u8]) -> Option<usize> {
    let ([first, second, ..], [.., before, last]) = (text, text) else {
        return None;
    };
    let letters = u32::from_le_bytes([*first, *second, *before, *last]) & 0xdfdf_dfdf;
    #[expect(
        clippy::cast_possible_truncation,
        reason = "a length is mixed in, not kept"
    )]
    let mixed = (letters ^ (text.len() as u32) << 21).wrapping_mul(MULTIPLIER);
    Some((mixed >> (u32::BITS - BUCKETS.ilog2())) as usize)
}

/// 2^32 divided by the golden ratio, odd: it spreads over the upper bits.
const MULTIPLIER: u32 = 0x9e37_79b1;
const COUNT: usize = lines(DATA);

const fn lines(mut text: &'static [u8]) -> usize {
    let mut count = 0;
    while let Some((_, rest)) = next_line(text) {
        count += 1;
        text = rest;
    }
    count
}

/// The first line of `text` as a keyword, and what is behind it.
const fn next_line(text: &'static [u8]) -> Option<(Keyword, &'static [u8])> {
    let [letter, mark, rest @ ..] = text else {
        return None;
    };
    let mut end = 0;
    while let (_, [byte, ..]) = rest.split_at(end)
        && *byte != b'\n'
    {
        end += 1;
    }
    let (text, rest) = rest.split_at(end);
    let keyword = Keyword {
        text,
        kind: Kind::of_keyword(*letter, text),
        begins_phrase: *mark == b'+',
    };
    match rest {
        [_, rest @ ..] => Some((keyword, rest)),
        [] => Some((keyword, rest)),
    }
}

impl Table {
    #[expect(
        clippy::indexing_slicing,
        reason = "when compiled, where an index out of bounds is an error of the compiler"
    )]
    const fn build() -> Self {
        let mut table = Self {
            keywords: [NOTHING; COUNT],
            starts: [0; BUCKETS + 1],
        };
        let mut text = DATA;
        while let Some((keyword, rest)) = next_line(text) {
            table.starts[bucket_of_keyword(keyword.text) + 1] += 1;
            text = rest;
        }
        let mut bucket = 0;
        while bucket < BUCKETS {
            table.starts[bucket + 1] += table.starts[bucket];
            bucket += 1;
        }
        let mut next = table.starts;
        let mut text = DATA;
        while let Some((keyword, rest)) = next_line(text) {
            let bucket = bucket_of_keyword(keyword.text);
            table.keywords[next[bucket] as usize] = keyword;
            next[bucket] += 1;
            text = rest;
        }
        table
    }
}

/// As [`bucket_of`]; behind all buckets, which is an error of the compiler, for what is too short.
const fn bucket_of_keyword(keyword: &[u8]) -> usize {
    match bucket_of(keyword) {
        Some(bucket) => bucket,
        None => BUCKETS,
    }
}

const NOTHING: Keyword = Keyword {
    text: b"",
    kind: Kind::None,
    begins_phrase: false,
};
