//! Names of variables of the transaction collection (`TX`), which are the same in either case.

use ahash::RandomState;
use hashbrown::HashMap;

/// Where the value of a known name is.
pub(crate) type Slot = u16;

/// `TX:0` to `TX:9`, what operators captured, have the first slots.
pub(crate) const CAPTURE_SLOTS: u16 = 10;

/// The most names that rules may give.
const NAMES_MAX: usize = 1 << 15;

/// The names that rules give, each with a slot.
#[derive(Clone, Debug)]
pub(crate) struct TxNames {
    names: Vec<Box<[u8]>>,
    /// Only rules add to it, so that no request chooses what it has.
    slots: HashMap<Box<[u8]>, Slot, RandomState>,
}

impl TxNames {
    pub(crate) fn new() -> Self {
        let mut names = Self {
            names: Vec::new(),
            slots: HashMap::default(),
        };
        for digit in b'0'..=b'9' {
            names.add(&[digit]);
        }
        names
    }

    /// The slot of `name`, a new one if need be; `None` where there are too many.
    pub(crate) fn add(&mut self, name: &[u8]) -> Option<Slot> {
        let lower = name.to_ascii_lowercase().into_boxed_slice();
        if let Some(slot) = self.slots.get(&lower) {
            return Some(*slot);
        }
        let slot = Slot::try_from(self.names.len()).ok();
        let slot = slot.filter(|slot| usize::from(*slot) < NAMES_MAX)?;
        self.names.push(lower.clone());
        self.slots.insert(lower, slot);
        Some(slot)
    }

    /// The slot of a name in lower case.
    pub(crate) fn find(&self, lower: &[u8]) -> Option<Slot> {
        self.slots.get(lower).copied()
    }

    /// The name of a slot, in lower case.
    pub(crate) fn name(&self, slot: Slot) -> &[u8] {
        self.names.get(usize::from(slot)).map_or(b"", AsRef::as_ref)
    }

    pub(crate) fn len(&self) -> usize {
        self.names.len()
    }
}
