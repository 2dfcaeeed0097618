//! Brotli (RFC 7932).

use brotli_decompressor::{BrotliDecompressStream, BrotliResult, BrotliState, StandardAlloc};

use super::{Coding, CodingError, Output};

/// The decoder's ring buffer has the size of the window, which its header says: at most 16 MiB, as
/// large windows, which are no part of RFC 7932, are refused.
pub(super) fn decode(bytes: &[u8], out: &mut Output<'_>) -> Result<(), CodingError> {
    let coding = Coding::Brotli;
    let allocator = StandardAlloc::default;
    let mut state = BrotliState::new_strict(allocator(), allocator(), allocator());
    let (mut left, mut taken, mut total) = (bytes.len(), 0, 0);
    loop {
        let (room, filled) = out.room();
        let (mut free, mut at) = (room.len() - filled, filled);
        let result = BrotliDecompressStream(
            &mut left, &mut taken, bytes, &mut free, &mut at, room, &mut total, &mut state,
        );
        out.fill(at - filled)?;
        return match result {
            BrotliResult::NeedsMoreOutput => continue,
            BrotliResult::NeedsMoreInput => Err(CodingError::EarlyEnd { coding }),
            BrotliResult::ResultSuccess if left > 0 => Err(CodingError::TrailingBytes { coding }),
            BrotliResult::ResultSuccess => Ok(()),
            BrotliResult::ResultFailure => {
                let reason = "it isn't what brotli makes, or has a large window";
                Err(CodingError::Malformed { coding, reason })
            }
        };
    }
}
