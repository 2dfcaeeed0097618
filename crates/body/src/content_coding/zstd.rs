//! Zstandard (RFC 8878).

use std::io::Read;

use ruzstd::decoding::errors::{FrameDecoderError, ReadFrameHeaderError};
use ruzstd::decoding::{BlockDecodingStrategy, FrameDecoder};

use super::{Coding, CodingError, Output};

/// The largest window of a content coding (RFC 9659).
const WINDOW_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The bytes of a block's header.
const BLOCK_HEADER_BYTES: usize = 3;

/// A block that is the last of its frame and empty.
const LAST_BLOCK: &[u8] = &[1, 0, 0];

const CODING: Coding = Coding::Zstd;

/// The decoder keeps one window, and one block of at most 128 KiB at a time.
pub(super) fn decode(bytes: &[u8], out: &mut Output<'_>) -> Result<(), CodingError> {
    let mut decoder = FrameDecoder::new();
    decoder.set_max_window_size(WINDOW_BYTES_MAX);
    let mut rest = bytes;
    decoder.init(&mut rest).map_err(|error| of_header(&error))?;
    let result = decode_frame(&mut decoder, &mut rest, out);
    if result.is_err() {
        // The decoder keeps a window back until it has seen the last block.
        let _ = decoder.decode_blocks(LAST_BLOCK, BlockDecodingStrategy::UptoBlocks(1));
        let _ = drain(&mut decoder, out);
    }
    result?;
    let checksum = decoder.get_checksum_from_data();
    if checksum.is_some_and(|checksum| decoder.get_calculated_checksum() != Some(checksum)) {
        return Err(malformed("its checksum is another's"));
    }
    match rest {
        [] => Ok(()),
        _ => Err(CodingError::TrailingBytes { coding: CODING }),
    }
}

fn decode_frame(
    decoder: &mut FrameDecoder,
    rest: &mut &[u8],
    out: &mut Output<'_>,
) -> Result<(), CodingError> {
    loop {
        let is_last = check_block(rest)?;
        decoder
            .decode_blocks(&mut *rest, BlockDecodingStrategy::UptoBlocks(1))
            .map_err(|error| of_block(&error))?;
        drain(decoder, out)?;
        if is_last {
            return Ok(());
        }
    }
}

/// Whether the block at the start of `rest`, which must be all there, is the last.
fn check_block(rest: &[u8]) -> Result<bool, CodingError> {
    let early_end = CodingError::EarlyEnd { coding: CODING };
    let (header, block) = rest
        .split_first_chunk::<BLOCK_HEADER_BYTES>()
        .ok_or(early_end)?;
    let [low, middle, high] = *header;
    let header = u32::from_le_bytes([low, middle, high, 0]);
    let size = match header >> 1 & 3 {
        // One byte, that many times.
        1 => 1,
        _ => usize::try_from(header >> 3).unwrap_or(usize::MAX),
    };
    match block.len() < size {
        true => Err(early_end),
        false => Ok(header & 1 == 1),
    }
}

/// Takes what the decoder has but for its window, or all of it at the end.
fn drain(decoder: &mut FrameDecoder, out: &mut Output<'_>) -> Result<(), CodingError> {
    while decoder.can_collect() > 0 {
        let (room, filled) = out.room();
        let room = room.get_mut(filled..).unwrap_or_default();
        let count = decoder.read(room).unwrap_or(0);
        out.fill(count)?;
        if count == 0 {
            break;
        }
    }
    Ok(())
}

fn of_header(error: &FrameDecoderError) -> CodingError {
    match error {
        FrameDecoderError::ReadFrameHeaderError(
            ReadFrameHeaderError::MagicNumberReadError(_)
            | ReadFrameHeaderError::FrameDescriptorReadError(_)
            | ReadFrameHeaderError::WindowDescriptorReadError(_)
            | ReadFrameHeaderError::DictionaryIdReadError(_)
            | ReadFrameHeaderError::FrameContentSizeReadError(_),
        ) => CodingError::EarlyEnd { coding: CODING },
        FrameDecoderError::WindowSizeTooBig { .. } => malformed("its window is over 8 MiB"),
        FrameDecoderError::DictNotProvided { .. } => malformed("it needs a dictionary"),
        _ => malformed("it doesn't begin as zstd does"),
    }
}

/// The block is all there, so only the checksum behind the last one can be cut.
fn of_block(error: &FrameDecoderError) -> CodingError {
    match error {
        FrameDecoderError::FailedToReadChecksum(_) => CodingError::EarlyEnd { coding: CODING },
        _ => malformed("a block of it is wrong"),
    }
}

const fn malformed(reason: &'static str) -> CodingError {
    CodingError::Malformed {
        coding: CODING,
        reason,
    }
}
