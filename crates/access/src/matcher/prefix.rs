//! Starts of values. Ends of values are the starts of values read backwards.

use std::collections::VecDeque;
use std::ops::Range;

use super::Atom;

/// An index from a value to every text that it starts with: a trie whose edges are as long as the
/// texts below share their bytes. A look-up walks down as far as the value goes along, so its cost
/// depends on the value alone.
#[derive(Debug, Default)]
pub(crate) struct PrefixIndex {
    /// All labels, one after the other.
    labels: Box<[u8]>,
    /// The children of a node are neighbours, sorted by the first byte of their labels.
    nodes: Box<[Node]>,
    /// By node: the first byte of its label.
    first_bytes: Box<[u8]>,
    roots: Range<u32>,
    len_max: usize,
}

#[derive(Debug)]
struct Node {
    /// The bytes between the parent and this node, in `labels`.
    label: Range<u32>,
    children: Range<u32>,
    /// The atom of the text that ends here, if one does.
    atom: Option<Atom>,
}

impl PrefixIndex {
    /// An index of distinct texts, none of them empty.
    pub(crate) fn new(mut texts: Vec<(Box<[u8]>, Atom)>) -> Self {
        texts.sort_unstable();
        let mut trie = TrieBuilder {
            texts: &texts,
            labels: Vec::new(),
            nodes: Vec::new(),
            first_bytes: Vec::new(),
            open: VecDeque::new(),
        };
        let roots = trie.add_children(0..texts.len(), 0);
        while let Some(open) = trie.open.pop_front() {
            let children = trie.add_children(open.texts, open.depth);
            if let Some(node) = trie.nodes.get_mut(open.node) {
                node.children = children;
            }
        }
        Self {
            labels: trie.labels.into(),
            nodes: trie.nodes.into(),
            first_bytes: trie.first_bytes.into(),
            roots,
            len_max: texts.iter().map(|(text, _)| text.len()).max().unwrap_or(0),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The longest text, in bytes: more of a value need not be looked at.
    pub(crate) fn len_max(&self) -> usize {
        self.len_max
    }

    /// Calls `hit` with the atoms of all texts that `value` starts with, shortest first.
    ///
    /// Hot path: runs per request, allocates nothing.
    pub(crate) fn find(&self, value: &[u8], hit: &mut impl FnMut(Atom)) {
        let (mut rest, mut nodes) = (value, &self.roots);
        while let Some((node, after)) = self.step(rest, nodes) {
            if let Some(atom) = node.atom {
                hit(atom);
            }
            (rest, nodes) = (after, &node.children);
        }
    }

    /// The one of `nodes` whose label `rest` starts with, and what follows the label.
    fn step<'v>(&self, rest: &'v [u8], nodes: &Range<u32>) -> Option<(&Node, &'v [u8])> {
        let (start, end) = (nodes.start as usize, nodes.end as usize);
        let at = self
            .first_bytes
            .get(start..end)?
            .binary_search(rest.first()?)
            .ok()?;
        let node = self.nodes.get(start + at)?;
        let label = self
            .labels
            .get(node.label.start as usize..node.label.end as usize)?;
        Some((node, rest.strip_prefix(label)?))
    }
}

/// Builds the nodes of a trie level by level, so that siblings become neighbours.
struct TrieBuilder<'t> {
    /// Sorted.
    texts: &'t [(Box<[u8]>, Atom)],
    labels: Vec<u8>,
    nodes: Vec<Node>,
    first_bytes: Vec<u8>,
    /// Nodes whose children are yet to be added.
    open: VecDeque<OpenNode>,
}

struct OpenNode {
    node: usize,
    /// The texts that start with the bytes from the root to the node.
    texts: Range<usize>,
    /// How many bytes those are.
    depth: usize,
}

impl<'t> TrieBuilder<'t> {
    /// Adds a node for each way in which the texts of a range, equal up to `depth`, go on.
    fn add_children(&mut self, texts: Range<usize>, depth: usize) -> Range<u32> {
        let start = self.nodes.len();
        let mut from = texts.start;
        while from < texts.end {
            let Some(first_byte) = self.text(from).get(depth).copied() else {
                from += 1; // This text ends where the parent does.
                continue;
            };
            let group = self.texts.get(from..texts.end).unwrap_or_default();
            let until =
                from + group.partition_point(|(text, _)| text.get(depth) == Some(&first_byte));
            self.add_node(from..until, depth, first_byte);
            from = until;
        }
        number(start)..number(self.nodes.len())
    }

    /// Adds the node of texts that share more than `depth` bytes.
    fn add_node(&mut self, texts: Range<usize>, depth: usize, first_byte: u8) {
        // They are sorted: what the first and the last share, all share.
        let (first, last) = (
            self.text(texts.start),
            self.text(texts.end.saturating_sub(1)),
        );
        let shared = first.iter().zip(last).take_while(|(a, b)| a == b).count();
        let label_start = self.labels.len();
        let ends_here = first.len() == shared;
        self.labels
            .extend_from_slice(first.get(depth..shared).unwrap_or_default());
        self.first_bytes.push(first_byte);
        self.open.push_back(OpenNode {
            node: self.nodes.len(),
            texts: texts.clone(),
            depth: shared,
        });
        self.nodes.push(Node {
            label: number(label_start)..number(self.labels.len()),
            children: 0..0,
            atom: self
                .texts
                .get(texts.start)
                .filter(|_| ends_here)
                .map(|(_, atom)| *atom),
        });
    }

    fn text(&self, at: usize) -> &'t [u8] {
        self.texts.get(at).map_or(&[], |(text, _)| text)
    }
}

/// Labels and nodes are fewer than the bytes of all texts, which are bounded far below 2^32.
fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn index(texts: &[&str]) -> PrefixIndex {
        PrefixIndex::new(
            texts
                .iter()
                .map(|text| text.as_bytes().into())
                .zip(0..)
                .collect(),
        )
    }

    fn found(texts: &[&str], value: &str) -> Vec<Atom> {
        let mut got = Vec::new();
        index(texts).find(value.as_bytes(), &mut |atom| got.push(atom));
        got
    }

    #[track_caller]
    fn check(texts: &[&str], value: &str, expected: &[Atom]) {
        assert_eq!(found(texts, value), expected, "{value}");
    }

    #[test]
    fn all_texts_that_start_a_value() {
        let texts = ["/a", "/", "/ab", "/b", "/abcd", "/ac"];
        check(&texts, "/abc", &[1, 0, 2]);
        check(&texts, "/abcd", &[1, 0, 2, 4]);
        check(&texts, "/abcdefghi", &[1, 0, 2, 4]);
        check(&texts, "/aa", &[1, 0]);
        check(&texts, "/az", &[1, 0]);
        check(&texts, "/", &[1]);
        check(&texts, "", &[]);
        check(&texts, "x", &[]);
        check(&[], "x", &[]);
    }

    proptest! {
        #[test]
        fn agrees_with_a_scan(texts in prop::collection::btree_set("[ab]{1,4}", 0..12), value in "[abc]{0,6}") {
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let mut got = found(&texts, &value);
            got.sort_unstable();
            let expected: Vec<Atom> = (0..).zip(&texts).filter(|(_, text)| value.starts_with(*text)).map(|(i, _)| i).collect();
            prop_assert_eq!(got, expected);
        }
    }
}
