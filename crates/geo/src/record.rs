//! Reads single fields of records, with a bound on the work for all of them.
//!
//! The `maxminddb` crate can decode records too, but bounds only each one: a file of a few
//! megabytes whose records overlap would keep it busy for hours.

use crate::GeoError;

#[cfg(test)]
mod tests;

/// The most values that are looked at for each byte of the data section. Real databases need
/// less than one.
const STEPS_PER_BYTE: u64 = 8;

/// What the format calls a type: a pointer, and the types that hold a place or a number.
mod kind {
    pub(super) const POINTER: u8 = 1;
    pub(super) const STRING: u8 = 2;
    pub(super) const UINT16: u8 = 5;
    pub(super) const UINT32: u8 = 6;
    pub(super) const MAP: u8 = 7;
    pub(super) const UINT64: u8 = 9;
    pub(super) const ARRAY: u8 = 11;
    pub(super) const BOOLEAN: u8 = 14;
    /// The types whose number is 7 and the byte after the control byte: int32, uint64, uint128,
    /// array; boolean, float. 12 and 13 are never in a data section.
    pub(super) const EXTENDED: &[u8] = &[8, UINT64, 10, ARRAY, BOOLEAN, 15];
}

/// The data section, and how much more of it may be looked at.
pub(crate) struct Records<'a> {
    data: &'a [u8],
    steps_left: u64,
}

/// The value of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field<'a> {
    Text(&'a str),
    Number(u32),
}

/// One encoded value.
#[derive(Clone, Copy)]
struct Item {
    kind: u8,
    /// Bytes of the payload; entries of a map or array; the value of a boolean; the target of a
    /// pointer.
    size: usize,
    /// Where the payload is; for a pointer, map or array what comes next.
    payload: usize,
}

impl<'a> Records<'a> {
    pub(crate) fn new(data: &'a [u8]) -> Self {
        let bytes = u64::try_from(data.len()).unwrap_or(u64::MAX);
        Self {
            data,
            steps_left: bytes.saturating_mul(STEPS_PER_BYTE),
        }
    }

    /// The field at `path` in the record at `offset`; `None` where there is no such field, or one
    /// that is neither text nor a whole number of at most 32 bits.
    pub(crate) fn field(
        &mut self,
        offset: usize,
        path: &[&str],
    ) -> Result<Option<Field<'a>>, GeoError> {
        let Some(item) = self.follow(offset, path)? else {
            return Ok(None);
        };
        Ok(match item.kind {
            kind::STRING => std::str::from_utf8(self.payload(item)?)
                .ok()
                .map(Field::Text),
            kind::UINT16 | kind::UINT32 | kind::UINT64 => {
                number(self.payload(item)?).map(Field::Number)
            }
            _ => None,
        })
    }

    fn follow(&mut self, offset: usize, path: &[&str]) -> Result<Option<Item>, GeoError> {
        let mut item = self.item_behind_pointer(offset)?;
        for key in path {
            if item.kind != kind::MAP {
                return Ok(None);
            }
            let Some(value) = self.find(item, key)? else {
                return Ok(None);
            };
            item = self.item_behind_pointer(value)?;
        }
        Ok(Some(item))
    }

    /// Where the value of `key` is in a map.
    fn find(&mut self, map: Item, key: &str) -> Result<Option<usize>, GeoError> {
        let mut offset = map.payload;
        for _ in 0..map.size {
            let name = self.item_behind_pointer(offset)?;
            if name.kind != kind::STRING {
                return Err(corrupt(offset, "a map has a key that is not text"));
            }
            let value = self.skip(offset)?;
            if self.payload(name)? == key.as_bytes() {
                return Ok(Some(value));
            }
            offset = self.skip(value)?;
        }
        Ok(None)
    }

    /// What comes after the value at `offset`. Pointers are not followed.
    fn skip(&mut self, mut offset: usize) -> Result<usize, GeoError> {
        let mut values_left = 1_u64;
        while values_left > 0 {
            let item = self.item(offset)?;
            let entries = u64::try_from(item.size).unwrap_or(u64::MAX);
            values_left -= 1;
            offset = item.payload;
            match item.kind {
                kind::MAP => values_left = values_left.saturating_add(entries.saturating_mul(2)),
                kind::ARRAY => values_left = values_left.saturating_add(entries),
                kind::POINTER | kind::BOOLEAN => {}
                _ => offset = self.payload_end(item)?,
            }
        }
        Ok(offset)
    }

    /// The value at `offset`, or what it points to. A pointer never points to a pointer.
    fn item_behind_pointer(&mut self, offset: usize) -> Result<Item, GeoError> {
        let item = self.item(offset)?;
        if item.kind != kind::POINTER {
            return Ok(item);
        }
        let target = self.item(item.size)?;
        match target.kind {
            kind::POINTER => Err(corrupt(offset, "a pointer to a pointer")),
            _ => Ok(target),
        }
    }

    fn item(&mut self, offset: usize) -> Result<Item, GeoError> {
        self.steps_left = self
            .steps_left
            .checked_sub(1)
            .ok_or_else(|| corrupt(offset, "too many values for so few bytes"))?;
        let control = self.byte(offset)?;
        let low = usize::from(control & 0b1_1111);
        match control >> 5 {
            kind::POINTER => self.pointer(offset, low),
            0 => {
                let kind = self.byte(offset + 1)?.saturating_add(kind::MAP);
                if !kind::EXTENDED.contains(&kind) {
                    return Err(corrupt(offset, "a value of unknown type"));
                }
                self.sized(kind, low, offset + 2)
            }
            kind => self.sized(kind, low, offset + 1),
        }
    }

    /// A value whose size begins with the low five bits of its control byte.
    fn sized(&self, kind: u8, low: usize, offset: usize) -> Result<Item, GeoError> {
        let (base, size_bytes) = match low {
            29 => (29, 1),
            30 => (285, 2),
            31 => (65_821, 3),
            size => (size, 0),
        };
        Ok(Item {
            kind,
            size: base + self.unsigned(offset, size_bytes)?,
            payload: offset + size_bytes,
        })
    }

    /// A pointer, whose `low` bits are the size of its target's number and the number's highest
    /// three bits.
    fn pointer(&self, offset: usize, low: usize) -> Result<Item, GeoError> {
        let (size_bytes, high, base) = match low >> 3 {
            0 => (1, low & 0b111, 0),
            1 => (2, low & 0b111, 2_048),
            2 => (3, low & 0b111, 526_336),
            _ => (4, 0, 0),
        };
        let number = self.unsigned(offset + 1, size_bytes)?;
        Ok(Item {
            kind: kind::POINTER,
            size: (high << (8 * size_bytes)) + number + base,
            payload: offset + 1 + size_bytes,
        })
    }

    /// Up to four bytes as a number, the highest first.
    fn unsigned(&self, offset: usize, bytes: usize) -> Result<usize, GeoError> {
        self.bytes(offset, bytes).map(|bytes| {
            bytes
                .iter()
                .fold(0, |sum, byte| (sum << 8) | usize::from(*byte))
        })
    }

    fn payload(&self, item: Item) -> Result<&'a [u8], GeoError> {
        self.bytes(item.payload, item.size)
    }

    fn payload_end(&self, item: Item) -> Result<usize, GeoError> {
        self.payload(item)
            .map(|payload| item.payload + payload.len())
    }

    fn bytes(&self, offset: usize, len: usize) -> Result<&'a [u8], GeoError> {
        offset
            .checked_add(len)
            .and_then(|end| self.data.get(offset..end))
            .ok_or_else(|| corrupt(offset, "a value that goes over the end"))
    }

    fn byte(&self, offset: usize) -> Result<u8, GeoError> {
        self.data
            .get(offset)
            .copied()
            .ok_or_else(|| corrupt(offset, "a value that goes over the end"))
    }
}

/// A number of any length, the highest byte first.
fn number(bytes: &[u8]) -> Option<u32> {
    bytes.iter().try_fold(0_u32, |sum, byte| {
        Some(sum.checked_mul(256)? | u32::from(*byte))
    })
}

#[cold]
fn corrupt(offset: usize, problem: &'static str) -> GeoError {
    GeoError::CorruptRecord { offset, problem }
}
