//! Lists of lists, in one piece of memory.

/// Lists by their numbers.
#[derive(Clone, Debug)]
pub(super) struct Grouped<T> {
    items: Box<[T]>,
    /// Where in `items` each list begins, and where the last one ends.
    bounds: Box<[u32]>,
}

impl<T> Grouped<T> {
    /// The list of this number; an empty one where there is none. Hot path.
    #[inline]
    pub(super) fn get(&self, number: u32) -> &[T] {
        let bounds = self.bounds.get(number as usize..);
        match bounds.unwrap_or_default() {
            [start, end, ..] => self.items.get(*start as usize..*end as usize),
            _ => None,
        }
        .unwrap_or_default()
    }

    /// The memory that it takes, in bytes.
    pub(super) fn memory_usage(&self) -> usize {
        size_of_val(&*self.items) + size_of_val(&*self.bounds)
    }
}

impl<T, L: IntoIterator<Item = T>> FromIterator<L> for Grouped<T> {
    fn from_iter<I: IntoIterator<Item = L>>(lists: I) -> Self {
        let (mut items, mut bounds) = (Vec::new(), vec![0]);
        for list in lists {
            items.extend(list);
            bounds.push(u32::try_from(items.len()).unwrap_or(u32::MAX));
        }
        Self {
            items: items.into(),
            bounds: bounds.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(lists: &[&[u8]]) {
        let grouped: Grouped<u8> = lists.iter().map(|list| list.iter().copied()).collect();
        for (number, list) in (0..).zip(lists) {
            assert_eq!(grouped.get(number), *list);
        }
        assert_eq!(grouped.get(u32::try_from(lists.len()).unwrap()), b"");
        assert_eq!(grouped.get(u32::MAX), b"");
    }

    #[test]
    fn lists_come_back() {
        check(&[]);
        check(&[b"ab", b"", b"c"]);
        check(&[b"", b"a"]);
    }
}
