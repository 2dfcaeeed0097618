//! The records that a search tree leads to.
//!
//! A hostile tree may go in circles, or lead to one part by very many ways, so it is walked level
//! by level, each node at most once a level, with a bound on the steps.

use maxminddb::Metadata;

use crate::GeoError;

/// What begins the metadata; its last occurrence counts.
const METADATA_MARKER: &[u8] = b"\xab\xcd\xefMaxMind.com";

/// What lies between the search tree and the data section, in bytes.
const SEPARATOR_BYTES: u32 = 16;

/// How often a node is visited on average, at most. Common databases lead to the IPv4 addresses in
/// four ways: `::/96`, `::ffff:0:0/96`, `2001::/32` (Teredo) and `2002::/16` (6to4).
const VISITS_PER_NODE_MAX: u64 = 8;

/// The parts of a database.
pub(crate) struct Sections<'a> {
    tree: &'a [u8],
    node_bytes: usize,
    node_count: u32,
    address_bits: u8,
    /// The records, one behind the other.
    pub(crate) data: &'a [u8],
}

/// Splits a database whose metadata has been read.
pub(crate) fn sections<'a>(bytes: &'a [u8], metadata: &Metadata) -> Result<Sections<'a>, GeoError> {
    let truncated = || GeoError::NotADatabase("the search tree goes over its end".to_owned());
    // A node is two records of `record_size` bits.
    let node_bytes = usize::from(metadata.record_size / 4);
    let tree_bytes = usize::try_from(metadata.node_count)
        .ok()
        .and_then(|nodes| nodes.checked_mul(node_bytes))
        .ok_or_else(truncated)?;
    let data_end = memchr::memmem::rfind(bytes, METADATA_MARKER).ok_or_else(truncated)?;
    let (tree, rest) = bytes
        .get(..data_end)
        .and_then(|bytes| bytes.split_at_checked(tree_bytes))
        .ok_or_else(truncated)?;
    let data = usize::try_from(SEPARATOR_BYTES)
        .ok()
        .and_then(|separator| rest.get(separator..))
        .ok_or_else(truncated)?;
    Ok(Sections {
        tree,
        node_bytes,
        node_count: metadata.node_count,
        address_bits: if metadata.ip_version == 4 { 32 } else { 128 },
        data,
    })
}

impl Sections<'_> {
    /// Where in the data section the records are to which the tree leads, sorted, each once.
    pub(crate) fn record_offsets(&self) -> Result<Vec<u32>, GeoError> {
        let mut offsets = Vec::new();
        let mut level = vec![0];
        let mut met_at = vec![0_u8; self.node_count.try_into().unwrap_or_default()];
        let mut visits_left = u64::from(self.node_count) * VISITS_PER_NODE_MAX;
        for depth in 1..=self.address_bits {
            let mut next_level = Vec::new();
            for node in level {
                visits_left = visits_left.checked_sub(1).ok_or(GeoError::TreeInCircles)?;
                for target in self.targets(node) {
                    match met_at.get_mut(usize::try_from(target).unwrap_or(usize::MAX)) {
                        Some(met) if *met == depth => {}
                        Some(met) => {
                            *met = depth;
                            next_level.push(target);
                        }
                        // Nothing is listed there.
                        None if target == self.node_count => {}
                        None => offsets.push(self.record_offset(node, target)?),
                    }
                }
            }
            level = next_level;
        }
        if !level.is_empty() {
            return Err(GeoError::TreeInCircles);
        }
        offsets.sort_unstable();
        offsets.dedup();
        Ok(offsets)
    }

    fn targets(&self, node: u32) -> [u32; 2] {
        let start = usize::try_from(node).map(|node| node.saturating_mul(self.node_bytes));
        let bytes = start
            .ok()
            .and_then(|start| self.tree.get(start..)?.get(..self.node_bytes));
        targets(bytes.unwrap_or_default())
    }

    fn record_offset(&self, node: u32, target: u32) -> Result<u32, GeoError> {
        target
            .checked_sub(self.node_count)
            .and_then(|target| target.checked_sub(SEPARATOR_BYTES))
            .filter(|offset| usize::try_from(*offset).is_ok_and(|at| at < self.data.len()))
            .ok_or(GeoError::CorruptTree { node, target })
    }
}

/// Where a node leads to, for the three sizes that a node may have.
fn targets(node: &[u8]) -> [u32; 2] {
    match *node {
        [a, b, c, d, e, f] => [
            u32::from_be_bytes([0, a, b, c]),
            u32::from_be_bytes([0, d, e, f]),
        ],
        // The middle byte holds the highest four bits of both.
        [a, b, c, middle, d, e, f] => [
            u32::from_be_bytes([middle >> 4, a, b, c]),
            u32::from_be_bytes([middle & 15, d, e, f]),
        ],
        [a, b, c, d, e, f, g, h] => [
            u32::from_be_bytes([a, b, c, d]),
            u32::from_be_bytes([e, f, g, h]),
        ],
        // No other size passes the check of the metadata.
        _ => [0; 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_each_size() {
        assert_eq!(targets(&[1, 2, 3, 4, 5, 6]), [0x01_0203, 0x04_0506]);
        assert_eq!(
            targets(&[1, 2, 3, 0xab, 4, 5, 6]),
            [0x0a01_0203, 0x0b04_0506]
        );
        assert_eq!(
            targets(&[1, 2, 3, 4, 5, 6, 7, 8]),
            [0x0102_0304, 0x0506_0708]
        );
    }
}
