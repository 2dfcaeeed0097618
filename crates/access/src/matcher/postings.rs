//! Lists of numbers, one for each key, in one piece of memory.

/// For each of the keys `0..n` a list of numbers.
#[derive(Debug, Default)]
pub(crate) struct Postings {
    /// Where the list of each key ends; it starts where the one before ends.
    ends: Box<[u32]>,
    items: Box<[u32]>,
}

impl Postings {
    /// The lists of `keys` keys from `(key, item)` pairs. Pairs whose key is too large are left out.
    pub(crate) fn new(keys: usize, mut pairs: Vec<(u32, u32)>) -> Self {
        pairs.sort_unstable();
        pairs.dedup();
        let mut ends = Vec::with_capacity(keys);
        let mut end = 0;
        for key in 0..keys {
            let more = pairs.get(end..).unwrap_or_default();
            end += more
                .iter()
                .take_while(|pair| pair.0 as usize == key)
                .count();
            ends.push(u32::try_from(end).unwrap_or(u32::MAX));
        }
        Self {
            ends: ends.into(),
            items: pairs.iter().take(end).map(|pair| pair.1).collect(),
        }
    }

    /// Whether all lists are empty.
    pub(crate) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// The list of `key`, ascending.
    pub(crate) fn get(&self, key: u32) -> &[u32] {
        let key = key as usize;
        let Some(&end) = self.ends.get(key) else {
            return &[];
        };
        let start = key
            .checked_sub(1)
            .and_then(|before| self.ends.get(before))
            .copied();
        self.items
            .get(start.unwrap_or(0) as usize..end as usize)
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_by_key() {
        let postings = Postings::new(4, vec![(2, 9), (0, 3), (2, 1), (2, 9)]);
        assert_eq!(postings.get(0), [3]);
        assert_eq!(postings.get(1), []);
        assert_eq!(postings.get(2), [1, 9]);
        assert_eq!(postings.get(3), []);
        assert_eq!(postings.get(4), []);
        assert!(!postings.is_empty());
        assert!(Postings::new(3, Vec::new()).is_empty());
    }
}
