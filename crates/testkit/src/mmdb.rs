//! Writes MaxMind databases (<https://maxmind.github.io/MaxMind-DB/>, version 2) for tests.

use std::collections::HashMap;
use std::net::IpAddr;

use palisade_vocabulary::Cidr;

/// A value of a record.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum MmdbValue {
    /// Text.
    Text(String),
    /// An unsigned number of 16 bits.
    Uint16(u16),
    /// An unsigned number of 32 bits.
    Uint32(u32),
    /// An unsigned number of 64 bits.
    Uint64(u64),
    /// Named values, in this order.
    Map(Vec<(String, MmdbValue)>),
    /// Values.
    Array(Vec<MmdbValue>),
}

impl MmdbValue {
    /// A map with one entry.
    #[must_use]
    pub fn field(name: &str, value: impl Into<MmdbValue>) -> Self {
        Self::Map(vec![(name.to_owned(), value.into())])
    }
}

impl From<&str> for MmdbValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<u32> for MmdbValue {
    fn from(number: u32) -> Self {
        Self::Uint32(number)
    }
}

/// The bits of one of a node's two records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordSize {
    /// 24 bits.
    #[default]
    Bits24,
    /// 28 bits.
    Bits28,
    /// 32 bits.
    Bits32,
}

/// A database in the making. A longer range wins over a shorter one, whatever their order.
///
/// ```
/// use palisade_testkit::mmdb::{MmdbValue, MmdbWriter};
///
/// let record = MmdbValue::field("country_code", "DE");
/// let bytes = MmdbWriter::new("Test-Country")
///     .insert("192.0.2.0/24".parse().unwrap(), record)
///     .build();
/// assert!(bytes.len() > 100);
/// ```
#[derive(Clone, Debug)]
pub struct MmdbWriter {
    database_type: String,
    is_ipv4_only: bool,
    record_size: RecordSize,
    ranges: Vec<(Cidr, MmdbValue)>,
}

impl MmdbWriter {
    /// An empty database of IPv6 addresses with the IPv4 addresses at `::/96`, as all common ones
    /// are.
    #[must_use]
    pub fn new(database_type: &str) -> Self {
        Self {
            database_type: database_type.to_owned(),
            is_ipv4_only: false,
            record_size: RecordSize::default(),
            ranges: Vec::new(),
        }
    }

    /// For IPv4 addresses alone; IPv6 ranges are left out.
    #[must_use]
    pub fn ipv4_only(mut self) -> Self {
        self.is_ipv4_only = true;
        self
    }

    /// With nodes of this size.
    #[must_use]
    pub fn record_size(mut self, record_size: RecordSize) -> Self {
        self.record_size = record_size;
        self
    }

    /// With `record` for the addresses of `range`.
    #[must_use]
    pub fn insert(mut self, range: Cidr, record: MmdbValue) -> Self {
        self.ranges.push((range, record));
        self
    }

    /// The bytes of the file.
    #[must_use]
    pub fn build(mut self) -> Vec<u8> {
        self.ranges.sort_by_key(|(range, _)| range.prefix_len());
        let mut data = DataSection::default();
        let mut tree = SearchTree::default();
        for (range, record) in &self.ranges {
            if let Some(bits) = self.bits(*range) {
                tree.insert(&bits, data.record(record));
            }
        }
        let mut bytes = tree.encode(self.record_size);
        bytes.extend_from_slice(&[0; SEPARATOR_BYTES]);
        bytes.extend_from_slice(&data.bytes);
        bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com");
        bytes.extend_from_slice(&self.metadata(tree.nodes.len()));
        bytes
    }

    /// The leading bits that the addresses of `range` share in this database's tree.
    fn bits(&self, range: Cidr) -> Option<Vec<bool>> {
        let (address, leading_zeros, width) = match range.network().as_std() {
            IpAddr::V4(v4) if self.is_ipv4_only => (u128::from(u32::from(v4)), 0, 32),
            IpAddr::V4(v4) => (u128::from(u32::from(v4)), 96, 32),
            IpAddr::V6(_) if self.is_ipv4_only => return None,
            IpAddr::V6(v6) => (u128::from(v6), 0, 128),
        };
        let zeros = std::iter::repeat_n(false, leading_zeros);
        let bits = (0..range.prefix_len()).map(|bit| (address >> (width - 1 - bit)) & 1 == 1);
        Some(zeros.chain(bits).collect())
    }

    fn metadata(&self, node_count: usize) -> Vec<u8> {
        let node_count = u32::try_from(node_count).unwrap_or(u32::MAX);
        let ip_version = if self.is_ipv4_only { 4 } else { 6 };
        let fields = [
            ("binary_format_major_version", MmdbValue::Uint16(2)),
            ("binary_format_minor_version", MmdbValue::Uint16(0)),
            ("build_epoch", MmdbValue::Uint64(1_700_000_000)),
            ("database_type", self.database_type.as_str().into()),
            ("description", MmdbValue::field("en", "written by a test")),
            ("ip_version", MmdbValue::Uint16(ip_version)),
            ("languages", MmdbValue::Array(vec!["en".into()])),
            ("node_count", MmdbValue::Uint32(node_count)),
            ("record_size", MmdbValue::Uint16(self.record_size.bits())),
        ];
        let fields = fields.map(|(name, value)| (name.to_owned(), value));
        let mut section = DataSection::default();
        section.encode(&MmdbValue::Map(fields.into()));
        section.bytes
    }
}

impl RecordSize {
    fn bits(self) -> u16 {
        match self {
            Self::Bits24 => 24,
            Self::Bits28 => 28,
            Self::Bits32 => 32,
        }
    }
}

/// A database of countries in MaxMind's layout, from `(range, code)`.
///
/// # Panics
/// When a range can't be parsed.
#[must_use]
pub fn country_database(countries: &[(&str, &str)]) -> Vec<u8> {
    let record = |code: &str| MmdbValue::field("country", MmdbValue::field("iso_code", code));
    let records = countries.iter().map(|(range, code)| (*range, record(code)));
    database("Test-Country", records)
}

/// A database of autonomous systems in MaxMind's layout, from `(range, number)`.
///
/// # Panics
/// When a range can't be parsed.
#[must_use]
pub fn asn_database(systems: &[(&str, u32)]) -> Vec<u8> {
    let record = |number: u32| MmdbValue::field("autonomous_system_number", number);
    let records = systems
        .iter()
        .map(|(range, number)| (*range, record(*number)));
    database("Test-ASN", records)
}

#[expect(clippy::expect_used, reason = "a test that gives no range is wrong")]
fn database<'a>(
    database_type: &str,
    records: impl Iterator<Item = (&'a str, MmdbValue)>,
) -> Vec<u8> {
    records
        .fold(MmdbWriter::new(database_type), |writer, (range, record)| {
            writer.insert(range.parse().expect("a range of addresses"), record)
        })
        .build()
}

const SEPARATOR_BYTES: usize = 16;

/// The search tree: one bit of the address for each step.
#[derive(Debug)]
struct SearchTree {
    nodes: Vec<[Branch; 2]>,
}

/// Where a bit leads.
#[derive(Clone, Copy, Debug)]
enum Branch {
    Nothing,
    Node(usize),
    /// A record, by its offset in the data section.
    Record(usize),
}

impl Default for SearchTree {
    fn default() -> Self {
        Self {
            nodes: vec![[Branch::Nothing; 2]],
        }
    }
}

impl SearchTree {
    /// Shorter ranges come first, so that a longer one splits what they left.
    fn insert(&mut self, bits: &[bool], record: usize) {
        let Some((last, steps)) = bits.split_last() else {
            self.nodes = vec![[Branch::Record(record); 2]];
            return;
        };
        let mut node = 0;
        for bit in steps {
            node = self.step(node, *bit);
        }
        self.set(node, *last, Branch::Record(record));
    }

    /// The node to which `bit` leads; made where there is none.
    fn step(&mut self, node: usize, bit: bool) -> usize {
        let here = self.nodes.get(node).and_then(|n| n.get(usize::from(bit)));
        match here.copied().unwrap_or(Branch::Nothing) {
            Branch::Node(next) => next,
            leaf => {
                let next = self.nodes.len();
                self.nodes.push([leaf; 2]);
                self.set(node, bit, Branch::Node(next));
                next
            }
        }
    }

    fn set(&mut self, node: usize, bit: bool, branch: Branch) {
        let slot = self
            .nodes
            .get_mut(node)
            .and_then(|n| n.get_mut(usize::from(bit)));
        if let Some(slot) = slot {
            *slot = branch;
        }
    }

    fn encode(&self, record_size: RecordSize) -> Vec<u8> {
        let number = |branch: &Branch| match branch {
            Branch::Nothing => self.nodes.len(),
            Branch::Node(node) => *node,
            Branch::Record(offset) => self.nodes.len() + SEPARATOR_BYTES + offset,
        };
        let number = |branch| {
            u32::try_from(number(branch))
                .unwrap_or(u32::MAX)
                .to_be_bytes()
        };
        let mut bytes = Vec::new();
        for [left, right] in &self.nodes {
            let ([l0, l1, l2, l3], [r0, r1, r2, r3]) = (number(left), number(right));
            match record_size {
                RecordSize::Bits24 => bytes.extend_from_slice(&[l1, l2, l3, r1, r2, r3]),
                RecordSize::Bits28 => {
                    bytes.extend_from_slice(&[l1, l2, l3, (l0 << 4) | (r0 & 15), r1, r2, r3]);
                }
                RecordSize::Bits32 => bytes.extend_from_slice(&[l0, l1, l2, l3, r0, r1, r2, r3]),
            }
        }
        bytes
    }
}

/// The data section: equal records are one, and a map key that was written before is a pointer, as
/// in real databases.
#[derive(Debug, Default)]
struct DataSection {
    bytes: Vec<u8>,
    records: HashMap<MmdbValue, usize>,
    keys: HashMap<String, usize>,
}

impl DataSection {
    /// The offset of `record`, written where it is new.
    fn record(&mut self, record: &MmdbValue) -> usize {
        if let Some(offset) = self.records.get(record) {
            return *offset;
        }
        let offset = self.bytes.len();
        self.encode(record);
        self.records.insert(record.clone(), offset);
        offset
    }

    fn encode(&mut self, value: &MmdbValue) {
        match value {
            MmdbValue::Text(text) => {
                self.control(2, text.len());
                self.bytes.extend_from_slice(text.as_bytes());
            }
            MmdbValue::Uint16(number) => self.unsigned(5, &number.to_be_bytes()),
            MmdbValue::Uint32(number) => self.unsigned(6, &number.to_be_bytes()),
            MmdbValue::Uint64(number) => self.unsigned(9, &number.to_be_bytes()),
            MmdbValue::Map(entries) => {
                self.control(7, entries.len());
                for (key, value) in entries {
                    self.key(key);
                    self.encode(value);
                }
            }
            MmdbValue::Array(values) => {
                self.control(11, values.len());
                for value in values {
                    self.encode(value);
                }
            }
        }
    }

    /// A number without its leading zero bytes.
    fn unsigned(&mut self, kind: u8, bytes: &[u8]) {
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        self.control(kind, bytes.len() - zeros);
        self.bytes.extend(bytes.iter().skip(zeros));
    }

    fn key(&mut self, key: &str) {
        match self.keys.get(key) {
            Some(offset) => self.pointer(*offset),
            None => {
                self.keys.insert(key.to_owned(), self.bytes.len());
                self.encode(&key.into());
            }
        }
    }

    /// The control byte (types over 7 need another one) and the bytes of a size over 28.
    fn control(&mut self, kind: u8, size: usize) {
        let (low, more) = match size {
            0..29 => (size, [0; 8]),
            29..285 => (29, (size - 29).to_be_bytes()),
            285..65_821 => (30, (size - 285).to_be_bytes()),
            _ => (31, (size - 65_821).to_be_bytes()),
        };
        let low = u8::try_from(low).unwrap_or(31);
        match kind {
            0..8 => self.bytes.push((kind << 5) | low),
            _ => self.bytes.extend_from_slice(&[low, kind - 7]),
        }
        self.bytes
            .extend_from_slice(last(&more, usize::from(low.saturating_sub(28))));
    }

    /// The shortest of the four pointer forms.
    fn pointer(&mut self, offset: usize) {
        let (form, base) = match offset {
            0..2_048 => (0, 0),
            2_048..526_336 => (1, 2_048),
            526_336..134_744_064 => (2, 526_336),
            _ => (3, 0),
        };
        let number = (offset - base).to_be_bytes();
        let high = if form == 3 {
            0
        } else {
            last(&number, form + 2).first().copied().unwrap_or(0)
        };
        let form_bits = u8::try_from(form).unwrap_or(3) << 3;
        self.bytes.push((1 << 5) | form_bits | high);
        self.bytes.extend_from_slice(last(&number, form + 1));
    }
}

/// The last `count` bytes of a number.
fn last(bytes: &[u8; 8], count: usize) -> &[u8] {
    bytes
        .get(bytes.len().saturating_sub(count)..)
        .unwrap_or_default()
}
