//! JSON (RFC 8259), written straight into a buffer.

use std::time::Duration;

use palisade_vocabulary::{Ip, Provenance};

use super::escape::{self, Plain, bounded};
use crate::WallTime;

/// An object that is being written. Whoever opens one ends it with [`Object::end`].
pub(super) struct Object<'o> {
    out: &'o mut Vec<u8>,
    empty: bool,
}

impl<'o> Object<'o> {
    pub(super) fn open(out: &'o mut Vec<u8>) -> Self {
        out.push(b'{');
        Self { out, empty: true }
    }

    pub(super) fn end(self) {
        self.out.push(b'}');
    }

    /// Writes a member's name, which must be plain ASCII, and returns where its value goes.
    pub(super) fn value(&mut self, name: &'static str) -> &mut Vec<u8> {
        self.out
            .extend_from_slice(if self.empty { b"\"" } else { b",\"" });
        self.empty = false;
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self.out
    }

    /// A string of at most `bytes_max` bytes of `bytes`: see [`push_string`].
    pub(super) fn bytes(&mut self, name: &'static str, bytes: &[u8], bytes_max: usize) {
        push_string(self.value(name), bytes, bytes_max);
    }

    /// As [`Self::bytes`]; no member where there are none.
    pub(super) fn bytes_if_any(&mut self, name: &'static str, bytes: &[u8], bytes_max: usize) {
        if !bytes.is_empty() {
            self.bytes(name, bytes, bytes_max);
        }
    }

    /// A string that needs no escaping: a label, an id, a version.
    pub(super) fn plain(&mut self, name: &'static str, text: &str) {
        self.bytes(name, text.as_bytes(), super::SHORT_BYTES_MAX);
    }

    pub(super) fn number(&mut self, name: &'static str, number: impl itoa::Integer) {
        escape::push_number(self.value(name), number);
    }

    /// A number as a string, as some formats have it.
    pub(super) fn text_of(&mut self, name: &'static str, number: impl itoa::Integer) {
        self.quoted(name, |out| escape::push_number(out, number));
    }

    pub(super) fn seconds(&mut self, name: &'static str, duration: Duration) {
        escape::push_seconds(self.value(name), duration);
    }

    pub(super) fn ip(&mut self, name: &'static str, ip: Ip) {
        self.quoted(name, |out| escape::push_ip(out, ip));
    }

    pub(super) fn time(&mut self, name: &'static str, time: WallTime) {
        self.quoted(name, |out| time.write_rfc3339(out));
    }

    /// `peer`, `proxy` or `header x-forwarded-for hop 2`.
    pub(super) fn provenance(&mut self, name: &'static str, from: &Provenance) {
        self.quoted(name, |out| match from {
            Provenance::Peer => out.extend_from_slice(b"peer"),
            Provenance::Proxy => out.extend_from_slice(b"proxy"),
            Provenance::Header { name: header, hop } => {
                out.extend_from_slice(b"header ");
                push_text(out, header.as_bytes(), super::SHORT_BYTES_MAX);
                out.extend_from_slice(b" hop ");
                escape::push_number(out, *hop);
            }
        });
    }

    /// A string whose text `push` appends; it must append nothing that needs escaping.
    pub(super) fn quoted(&mut self, name: &'static str, push: impl FnOnce(&mut Vec<u8>)) {
        let out = self.value(name);
        out.push(b'"');
        push(out);
        out.push(b'"');
    }

    pub(super) fn object(&mut self, name: &'static str, fill: impl FnOnce(&mut Object<'_>)) {
        let mut inner = Object::open(self.value(name));
        fill(&mut inner);
        inner.end();
    }
}

/// Appends a list of as many items as there is room for until `out` has more than `len_max` bytes; how many
/// these are.
pub(super) fn push_list<T>(
    out: &mut Vec<u8>,
    items: impl IntoIterator<Item = T>,
    len_max: usize,
    push: impl Fn(T, &mut Vec<u8>),
) -> usize {
    let mut told = 0;
    out.push(b'[');
    for item in items {
        if out.len() > len_max {
            break;
        }
        if told > 0 {
            out.push(b',');
        }
        push(item, out);
        told += 1;
    }
    out.push(b']');
    told
}

/// Appends a list of strings, of each at most `bytes_max` bytes.
pub(super) fn push_strings<'a>(
    out: &mut Vec<u8>,
    texts: impl IntoIterator<Item = &'a [u8]>,
    bytes_max: usize,
) {
    push_list(out, texts, usize::MAX, |text, out| {
        push_string(out, text, bytes_max);
    });
}

/// Appends at most `bytes_max` of `bytes` as a JSON string: see [`push_text`].
pub(super) fn push_string(out: &mut Vec<u8>, bytes: &[u8], bytes_max: usize) {
    out.push(b'"');
    push_text(out, bytes, bytes_max);
    out.push(b'"');
}

/// The inside of a string, in ASCII: what isn't printable ASCII as `\u` and UTF-16, what isn't
/// UTF-8 as the four characters `\xHH`.
fn push_text(out: &mut Vec<u8>, bytes: &[u8], bytes_max: usize) {
    let (bytes, mark) = bounded(bytes, bytes_max);
    let rest = Plain::QUOTED.push_prefix(out, bytes);
    for chunk in rest.utf8_chunks() {
        push_escaped(out, chunk.valid());
        for byte in chunk.invalid() {
            out.push(b'\\');
            escape::push_hex_escape(out, *byte);
        }
    }
    out.extend_from_slice(mark);
}

fn push_escaped(out: &mut Vec<u8>, text: &str) {
    for character in text.chars() {
        match character {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            ' '..='~' => out.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
            _ => {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    out.extend_from_slice(b"\\u");
                    escape::push_hex_digits(out, u32::from(*unit), 4);
                }
            }
        }
    }
}
