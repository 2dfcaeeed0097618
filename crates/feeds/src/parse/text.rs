//! An address or range a line.

use super::collector::Collector;
use super::{ListError, lines};

pub(super) fn parse(bytes: &[u8], list: &mut Collector) -> Result<(), ListError> {
    for (number, line) in lines(bytes) {
        if !is_comment(line) {
            entry(number, line, list)?;
        }
    }
    Ok(())
}

/// One line with an address or range, and perhaps a comment behind it.
pub(super) fn entry(number: u64, line: &[u8], list: &mut Collector) -> Result<(), ListError> {
    let ends = |byte: &u8| byte.is_ascii_whitespace() || matches!(byte, b'#' | b';');
    list.entry(number, line.split(ends).next().unwrap_or_default())
}

pub(super) fn is_comment(line: &[u8]) -> bool {
    line.starts_with(b"#") || line.starts_with(b";") || line.starts_with(b"//")
}
