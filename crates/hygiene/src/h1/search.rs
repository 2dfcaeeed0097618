//! Where a head ends, while its bytes arrive.

use std::ops::Range;

use crate::field::METHOD_LEN_MAX;
use crate::{HeadLimits, Refusal, RefusalReason};

/// The bytes of a request line beside its target: method, two spaces, version, CR LF.
const REQUEST_LINE_REST_MAX: usize = METHOD_LEN_MAX + 2 + "HTTP/1.1\r\n".len();

/// Looks for the end of a head in a buffer that grows, each byte once.
///
/// One value serves one head; a new head needs a new value.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadSearch {
    /// Where the head begins: 2 if an empty line came first.
    start: usize,
    /// Where the line that is not complete yet begins.
    line_start: usize,
    /// All before this has been searched.
    searched: usize,
}

impl HeadSearch {
    /// Where in `buf` the head is, blank line included, once it is complete. `buf` is what arrived
    /// so far, from the first byte on. Bytes behind the head are the body's.
    ///
    /// One empty line before the head is skipped (RFC 9112 section 2.2). Hot path: runs per read,
    /// allocates nothing.
    ///
    /// # Errors
    /// As soon as it is certain: a line that ends with LF alone, a second empty line, a request line
    /// too long for its target (414) or method, a head over its limit (431).
    pub fn find(
        &mut self,
        buf: &[u8],
        limits: &HeadLimits,
    ) -> Result<Option<Range<usize>>, Refusal> {
        let unsearched = buf.get(self.searched..).unwrap_or_default();
        for at in memchr::memchr_iter(b'\n', unsearched) {
            let line_feed = self.searched + at;
            if self.end_line(buf, line_feed, limits)? {
                return Ok(Some(self.start..line_feed + 1));
            }
        }
        self.searched = buf.len();
        self.check_incomplete(buf, limits)?;
        Ok(None)
    }

    /// Takes a complete line in; whether it ends the head.
    fn end_line(
        &mut self,
        buf: &[u8],
        line_feed: usize,
        limits: &HeadLimits,
    ) -> Result<bool, Refusal> {
        // What was certain without this line's end, so that it doesn't matter how the bytes came.
        self.check_incomplete(buf.get(..line_feed).unwrap_or_default(), limits)?;
        let line = buf.get(self.line_start..line_feed).unwrap_or_default();
        let Some(line) = line.strip_suffix(b"\r") else {
            return Err(RefusalReason::BareLineFeed.into());
        };
        let is_request_line = self.line_start == self.start;
        self.line_start = line_feed + 1;
        if is_request_line && line.is_empty() {
            if self.start > 0 {
                return Err(RefusalReason::LeadingEmptyLines.into());
            }
            self.start = self.line_start;
            return Ok(false);
        }
        if self.line_start - self.start > limits.head_bytes {
            return Err(RefusalReason::HeadTooLarge.into());
        }
        Ok(line.is_empty())
    }

    /// What is certain though the end is still to come: of two limits, the one that was met first.
    fn check_incomplete(&self, buf: &[u8], limits: &HeadLimits) -> Result<(), Refusal> {
        let head = buf.get(self.start..).unwrap_or_default();
        let request_line_max = limits.target_bytes.saturating_add(REQUEST_LINE_REST_MAX);
        if self.line_start == self.start
            && head.len() > request_line_max
            && request_line_max <= limits.head_bytes
        {
            return Err(request_line_too_long(head));
        }
        if head.len() > limits.head_bytes {
            return Err(RefusalReason::HeadTooLarge.into());
        }
        Ok(())
    }
}

/// Why a request line is longer than any with a target within its limit. A method without an end is
/// no target's fault.
fn request_line_too_long(line: &[u8]) -> Refusal {
    let method = line.get(..=METHOD_LEN_MAX).unwrap_or_default();
    match method.contains(&b' ') {
        true => RefusalReason::TargetTooLong.into(),
        false => RefusalReason::MethodInvalid.into(),
    }
}
