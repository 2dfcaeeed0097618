//! What is decoded, held to its caps.

use super::CodingError;
use crate::Limits;

/// How many bytes a body may have whatever its ratio.
const FREE_BYTES: usize = 64 * 1024;

/// How many bytes are decoded between two looks at the caps.
const STEP_BYTES: usize = 64 * 1024;

/// What is decoded, held to its caps.
pub(super) struct Output<'a> {
    bytes: &'a mut Vec<u8>,
    /// How many bytes are decoded; `bytes` has room behind them.
    filled: usize,
    bytes_max: usize,
    too_long: CodingError,
}

impl<'a> Output<'a> {
    /// For a body of `sent` bytes.
    pub(super) fn new(bytes: &'a mut Vec<u8>, sent: usize, limits: &Limits) -> Self {
        let by_ratio = sent.saturating_mul(limits.decoded_ratio).max(FREE_BYTES);
        let (bytes_max, too_long) = if by_ratio < limits.decoded_bytes {
            let limit = limits.decoded_ratio;
            (by_ratio, CodingError::RatioTooHigh { limit })
        } else {
            let limit = limits.decoded_bytes;
            (limit, CodingError::TooLong { limit })
        };
        Self {
            bytes,
            filled: 0,
            bytes_max,
            too_long,
        }
    }

    /// What was decoded and then room for more, and where that begins. There is some, until one byte
    /// more than is allowed was decoded.
    pub(super) fn room(&mut self) -> (&mut [u8], usize) {
        if self.filled == self.bytes.len() {
            let most = self.bytes_max.saturating_add(1);
            self.bytes.resize((self.filled + STEP_BYTES).min(most), 0);
        }
        (self.bytes, self.filled)
    }

    /// So many bytes of the room were filled.
    pub(super) fn fill(&mut self, count: usize) -> Result<(), CodingError> {
        self.filled += count;
        if self.filled > self.bytes_max {
            self.filled = self.bytes_max;
            return Err(self.too_long);
        }
        Ok(())
    }

    /// What was decoded.
    pub(super) fn decoded(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

impl Drop for Output<'_> {
    /// Takes the room back.
    fn drop(&mut self) {
        self.bytes.truncate(self.filled);
    }
}
