//! How large a request head may be.

use palisade_vocabulary::ByteSize;

/// How large a request head may be.
///
/// Scanning is linear in the bytes of the head, so these also bound the time of every check here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeadLimits {
    /// The whole head in bytes. HTTP/1: from the request line to the blank line, with both.
    /// HTTP/2: name and value of each field plus 32 bytes (RFC 9113 section 6.5.2).
    pub head_bytes: usize,
    /// The number of header fields; the request line and HTTP/2's pseudo-fields don't count.
    pub headers: usize,
    /// The request target in bytes, as sent.
    pub target_bytes: usize,
}

impl Default for HeadLimits {
    /// 32 KiB, 100 fields, 8 KiB of target.
    fn default() -> Self {
        Self {
            head_bytes: ByteSize::kib(32).as_usize(),
            headers: 100,
            target_bytes: ByteSize::kib(8).as_usize(),
        }
    }
}
