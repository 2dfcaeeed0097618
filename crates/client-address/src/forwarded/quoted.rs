//! Quoted strings of HTTP fields (RFC 9110 section 5.6.4), read without copying.

use super::{NODE_BYTES_MAX, Node};

/// Where the last `separator` outside quoted strings is.
///
/// Read from the right, since there the nearest hop wrote: a quote that a client left open further
/// left can't swallow what a hop appended. On sound input the answer is that of a reading from the
/// left: the quote that is met first from the right closes a string, those with a backslash before
/// them are inside it, and the one that opens it has `=` before it.
pub(super) fn last_outside_quotes(text: &[u8], separator: u8) -> Option<usize> {
    let mut inside = false;
    let mut before = text;
    while let Some((&byte, rest)) = before.split_last() {
        if byte == b'"' {
            inside = !inside || rest.ends_with(b"\\");
        } else if byte == separator && !inside {
            return Some(rest.len());
        }
        before = rest;
    }
    None
}

/// The parts of a text between `separator`s outside quoted strings, from left to right.
pub(super) struct SplitOutsideQuotes<'a> {
    rest: Option<&'a [u8]>,
    separator: u8,
}

impl<'a> SplitOutsideQuotes<'a> {
    pub(super) fn new(text: &'a [u8], separator: u8) -> Self {
        Self {
            rest: Some(text),
            separator,
        }
    }
}

impl<'a> Iterator for SplitOutsideQuotes<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let text = self.rest.take()?;
        let (mut inside, mut escaped) = (false, false);
        let end = text.iter().position(|byte| {
            let ends = *byte == self.separator && !inside;
            inside ^= *byte == b'"' && !escaped;
            escaped = inside && *byte == b'\\' && !escaped;
            ends
        });
        match end.and_then(|end| text.split_at_checked(end)) {
            Some((part, [_separator, rest @ ..])) => {
                self.rest = Some(rest);
                Some(part)
            }
            _ => Some(text),
        }
    }
}

/// Whether `text` is one whole quoted string: opened, closed at its end and not before, without
/// control characters.
pub(super) fn is_quoted_string(text: &[u8]) -> bool {
    let Some(inner) = inner(text) else {
        return false;
    };
    let mut escaped = false;
    for byte in inner {
        if (*byte == b'"' && !escaped) || (byte.is_ascii_control() && *byte != b'\t') {
            return false;
        }
        escaped = *byte == b'\\' && !escaped;
    }
    !escaped
}

/// Hands the value of `text`, a token or a quoted string, to `read`; a value that is escaped *and*
/// longer than an address can be is [`Node::Malformed`].
pub(super) fn with_unquoted(text: &[u8], read: impl FnOnce(&[u8]) -> Node) -> Node {
    let Some(inner) = inner(text) else {
        return read(text);
    };
    if !inner.contains(&b'\\') {
        return read(inner);
    }
    // "Recipients that process the value of a quoted-string MUST handle a quoted-pair as if it were
    // replaced by the octet following the backslash."
    let mut value = [0; NODE_BYTES_MAX];
    let mut len = 0;
    let mut escaped = false;
    for byte in inner {
        escaped = *byte == b'\\' && !escaped;
        if escaped {
            continue;
        }
        let Some(slot) = value.get_mut(len) else {
            return Node::Malformed;
        };
        *slot = *byte;
        len += 1;
    }
    read(value.get(..len).unwrap_or_default())
}

fn inner(text: &[u8]) -> Option<&[u8]> {
    text.strip_prefix(b"\"")?.strip_suffix(b"\"")
}
