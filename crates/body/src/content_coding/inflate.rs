//! DEFLATE (RFC 1951) in the formats of gzip (RFC 1952) and zlib (RFC 1950).

use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};

use super::{Coding, CodingError, Output};

/// The longest header of gzip, with its name, comment and extra field, in bytes.
const HEADER_BYTES_MAX: usize = 64 * 1024;

const HEADER_CRC: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// A decoder that is used again and again.
#[derive(Default)]
pub(super) struct Inflater(Option<Box<DecompressorOxide>>);

impl std::fmt::Debug for Inflater {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Inflater").finish_non_exhaustive()
    }
}

impl Inflater {
    pub(super) fn bytes(&self) -> usize {
        self.0.as_deref().map_or(0, size_of_val)
    }

    pub(super) fn zlib(&mut self, bytes: &[u8], out: &mut Output<'_>) -> Result<(), CodingError> {
        let flags = inflate_flags::TINFL_FLAG_PARSE_ZLIB_HEADER;
        let taken = self.inflate(Coding::Deflate, flags, bytes, out)?;
        match bytes.len() == taken {
            true => Ok(()),
            false => Err(CodingError::TrailingBytes {
                coding: Coding::Deflate,
            }),
        }
    }

    pub(super) fn gzip(&mut self, bytes: &[u8], out: &mut Output<'_>) -> Result<(), CodingError> {
        let coding = Coding::Gzip;
        let bytes = behind_header(bytes)?;
        let taken = self.inflate(coding, 0, bytes, out)?;
        let (crc, length) = match bytes.get(taken..).unwrap_or_default() {
            [a, b, c, d, e, f, g, h] => (
                u32::from_le_bytes([*a, *b, *c, *d]),
                u32::from_le_bytes([*e, *f, *g, *h]),
            ),
            trailer if trailer.len() < 8 => return Err(CodingError::EarlyEnd { coding }),
            _ => return Err(CodingError::TrailingBytes { coding }),
        };
        let decoded = out.decoded();
        if crc32fast::hash(decoded) != crc || u32::try_from(decoded.len()) != Ok(length) {
            return Err(malformed("its checksum or its length is another's"));
        }
        Ok(())
    }

    /// Decodes to the end of the deflated bytes; how many those were.
    fn inflate(
        &mut self,
        coding: Coding,
        format: u32,
        bytes: &[u8],
        out: &mut Output<'_>,
    ) -> Result<usize, CodingError> {
        let inflater = self.0.get_or_insert_default();
        inflater.init();
        let flags = format
            | inflate_flags::TINFL_FLAG_HAS_MORE_INPUT
            | inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF;
        let mut taken = 0;
        loop {
            let rest = bytes.get(taken..).unwrap_or_default();
            let (room, filled) = out.room();
            let (status, read, written) = decompress(inflater, rest, room, filled, flags);
            taken += read;
            out.fill(written)?;
            let reason = match status {
                TINFLStatus::Done => return Ok(taken),
                TINFLStatus::HasMoreOutput => continue,
                TINFLStatus::NeedsMoreInput | TINFLStatus::FailedCannotMakeProgress => {
                    return Err(CodingError::EarlyEnd { coding });
                }
                TINFLStatus::Adler32Mismatch => "its checksum is another's",
                _ => "it isn't deflated",
            };
            return Err(CodingError::Malformed { coding, reason });
        }
    }
}

/// What follows the header of gzip.
fn behind_header(bytes: &[u8]) -> Result<&[u8], CodingError> {
    let early_end = CodingError::EarlyEnd {
        coding: Coding::Gzip,
    };
    let magic = [0x1f, 0x8b, 8];
    let start = bytes.get(..magic.len()).unwrap_or(bytes);
    if !magic.starts_with(start) {
        return Err(malformed("it doesn't begin as gzip does"));
    }
    let header = bytes.get(..HEADER_BYTES_MAX).unwrap_or(bytes);
    let flags = *header.get(3).ok_or(early_end)?;
    if flags & RESERVED != 0 {
        return Err(malformed("a reserved flag is set"));
    }
    let length = header_len(header, flags).ok_or(match header.len() == HEADER_BYTES_MAX {
        true => malformed("its header is longer than 64 KiB"),
        false => early_end,
    })?;
    if flags & HEADER_CRC != 0 {
        let (header, crc) = header
            .get(..length)
            .and_then(|header| header.split_last_chunk::<2>())
            .ok_or(early_end)?;
        let low_half = crc32fast::hash(header) & 0xffff;
        if u32::from(u16::from_le_bytes(*crc)) != low_half {
            return Err(malformed("the checksum of its header is another's"));
        }
    }
    Ok(bytes.get(length..).unwrap_or_default())
}

/// How long the header is; `None`: it isn't all there.
fn header_len(header: &[u8], flags: u8) -> Option<usize> {
    let mut at = 10;
    if flags & EXTRA != 0 {
        let (length, _) = header.get(at..)?.split_first_chunk::<2>()?;
        at += 2 + usize::from(u16::from_le_bytes(*length));
    }
    for flag in [NAME, COMMENT] {
        if flags & flag != 0 {
            at += memchr::memchr(0, header.get(at..)?)? + 1;
        }
    }
    if flags & HEADER_CRC != 0 {
        at += 2;
    }
    (at <= header.len()).then_some(at)
}

const fn malformed(reason: &'static str) -> CodingError {
    CodingError::Malformed {
        coding: Coding::Gzip,
        reason,
    }
}
