//! Bytes of a client as text that can't leave its field.

use std::net::IpAddr;
use std::time::Duration;

use palisade_vocabulary::Ip;

use crate::time::push_microseconds;

const HEX_DIGITS: [&[u8; 1]; 16] = [
    b"0", b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9", b"A", b"B", b"C", b"D", b"E", b"F",
];

/// Which bytes can stand for themselves: printable ASCII without `"`, `\` and one more.
#[derive(Clone, Copy)]
pub(super) struct Plain {
    without: u8,
}

impl Plain {
    /// In a quoted field. The bytes that nginx escapes with `escape=default` are the others.
    pub(super) const QUOTED: Plain = Plain { without: b'"' };
    /// In a word of a quoted field.
    pub(super) const WORD: Plain = Plain { without: b' ' };

    /// Without a branch, so that many bytes are looked at at once.
    fn holds(self, byte: u8) -> bool {
        let printable = byte.wrapping_sub(b' ') < 0x7f - b' ';
        printable & (byte != b'"') & (byte != b'\\') & (byte != self.without)
    }

    /// Appends the plain bytes that `bytes` starts with, and returns the rest.
    pub(super) fn push_prefix<'a>(self, out: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
        // Nearly every field is plain, and to see that is a tenth of the work of finding an end.
        if bytes
            .iter()
            .fold(true, |plain, byte| plain & self.holds(*byte))
        {
            out.extend_from_slice(bytes);
            return &[];
        }
        self.push_run(out, bytes)
    }

    /// The same, where there likely is a rest.
    fn push_run<'a>(self, out: &mut Vec<u8>, bytes: &'a [u8]) -> &'a [u8] {
        let end = bytes.iter().position(|byte| !self.holds(*byte));
        let (run, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        out.extend_from_slice(run);
        rest
    }

    /// Appends at most `bytes_max` of `bytes`; what isn't plain becomes `\xHH`, as nginx does.
    ///
    /// `\"` would not do for a quote: the agent's pattern for a field is `[^"]*`.
    pub(super) fn push(self, out: &mut Vec<u8>, bytes: &[u8], bytes_max: usize) {
        let (bytes, mark) = bounded(bytes, bytes_max);
        let mut rest = self.push_prefix(out, bytes);
        while let Some((byte, after)) = rest.split_first() {
            push_hex_escape(out, *byte);
            rest = self.push_run(out, after);
        }
        out.extend_from_slice(mark);
    }
}

/// The first `bytes_max` of `bytes`, and what marks that there were more.
pub(super) fn bounded(bytes: &[u8], bytes_max: usize) -> (&[u8], &'static [u8]) {
    match bytes.get(..bytes_max) {
        Some(start) if bytes.len() > bytes_max => (start, b"..."),
        _ => (bytes, b""),
    }
}

/// `\x1F`
pub(super) fn push_hex_escape(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(b"\\x");
    push_hex_digits(out, u32::from(byte), 2);
}

/// The `count` lowest hexadecimal digits of `value`.
pub(super) fn push_hex_digits(out: &mut Vec<u8>, value: u32, count: u32) {
    for place in (0..count).rev() {
        let digit = usize::try_from((value >> (4 * place)) & 0xf).unwrap_or(0);
        out.extend_from_slice(HEX_DIGITS.get(digit).map_or(b"0", |text| *text));
    }
}

pub(super) fn push_number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Seconds with microseconds: `0.002134`.
pub(super) fn push_seconds(out: &mut Vec<u8>, duration: Duration) {
    push_number(out, duration.as_secs());
    push_microseconds(out, duration.subsec_nanos());
}

/// The address in its canonical text (RFC 5952 for IPv6). An [`Ip`] is never IPv4-mapped.
pub(super) fn push_ip(out: &mut Vec<u8>, ip: Ip) {
    match ip.as_std() {
        IpAddr::V4(v4) => {
            let [first, rest @ ..] = v4.octets();
            push_number(out, first);
            for octet in rest {
                out.push(b'.');
                push_number(out, octet);
            }
        }
        IpAddr::V6(v6) => {
            use std::io::Write;
            // Writing to a Vec can't fail.
            write!(out, "{v6}").unwrap_or_default();
        }
    }
}

/// A host as a field of its own: of `A-Z a-z 0-9 . - :` only, `-` for every other byte, without
/// the brackets of IPv6; `-` where there is none.
///
/// The agent's pattern isn't anchored at the start of a line, and the host is what a line starts
/// with: with spaces and quotes in it, a client could write the whole line, another's address
/// included.
pub(super) fn push_host(out: &mut Vec<u8>, host: &str) {
    let (host, _) = bounded(host.as_bytes(), super::HOST_BYTES_MAX);
    let host = host.strip_prefix(b"[").unwrap_or(host);
    let host = host.strip_suffix(b"]").unwrap_or(host);
    if host.is_empty() {
        out.push(b'-');
        return;
    }
    out.extend(host.iter().map(|byte| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'-' | b':' => *byte,
        _ => b'-',
    }));
}
