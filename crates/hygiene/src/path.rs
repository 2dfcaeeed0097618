//! The canonical path: what rules and routes match.
//!
//! Percent-decoded once, without dot and empty segments (RFC 3986 sections 5.2.4 and 6.2.2), a
//! trailing slash kept. The backend gets the path as sent, so every form that two servers resolve
//! differently is refused unless the site allows it. What then stands in the canonical path:
//!
//! | sent | needs | canonical |
//! |---|---|---|
//! | `%2F` | `encoded_slash` | `%2F`: never becomes a separator |
//! | `\`, `%5C` | `backslash` | `\` |
//! | `%00` | `encoded_nul` | the byte 0 |
//! | `%zz`, `%4` | `malformed_escapes` | as sent |
//! | `%252F`, `%255C`, `%252E`, more `25`s | `double_encoding` | as sent |
//! | `/../x`, `/a/%2e%2e/x`, `/a/..;b` | `unresolved_dot_dot` | resolved, at most to the root; `..;b` stays |
//! | `/a//../x`, `/a/;b/../x`, `/a/.;b/../x` | `unresolved_dot_dot` | resolved: `a` goes, `;b` goes |
//!
//! The last row: `..` takes the segment before it, and servers that keep empty segments, or take
//! parameters off before they resolve, find another one there.
//!
//! Other decoded bytes, control bytes such as `%0A` among them, pass into the canonical path: they
//! separate nothing, and rules match them.

use palisade_vocabulary::PathView;

use crate::{Refusal, RefusalReason};

#[cfg(test)]
mod tests;

/// The ambiguous path forms that a site allows; none unless said otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PathPolicy {
    /// `%2F`. Some backends take it for a separator.
    pub encoded_slash: bool,
    /// `\` and `%5C`. Some backends take them for a separator.
    pub backslash: bool,
    /// `%00`. Some backends end the path there.
    pub encoded_nul: bool,
    /// `%` without two hexadecimal digits, in path and query.
    pub malformed_escapes: bool,
    /// A slash, backslash or dot that is encoded more than once. Some backends decode twice.
    pub double_encoding: bool,
    /// `..` over the root, `..` with an encoded dot, `..` next to `;`, backslash or `%2F`, and `..`
    /// behind a segment that is empty or holds parameters alone. Backends resolve these in
    /// different ways.
    pub unresolved_dot_dot: bool,
}

/// Buffers for paths that are not canonical as sent. Kept by the connection, so that its requests
/// allocate nothing; each of the two grows to the length of the longest path at most.
#[derive(Debug, Default)]
pub struct PathScratch {
    canonical: Vec<u8>,
    without_params: Vec<u8>,
}

/// The forms of a path that rules match.
///
/// Hot path: runs per request, allocates nothing once `scratch` has grown, and copies nothing
/// where the path is canonical as sent. Linear in the path.
///
/// # Errors
/// [`RefusalReason::TargetForm`] where `raw` doesn't begin with `/`, and one reason for each form
/// that `policy` doesn't allow.
pub fn canonicalise<'a>(
    raw: &'a [u8],
    policy: &PathPolicy,
    scratch: &'a mut PathScratch,
) -> Result<PathView<'a>, Refusal> {
    if is_plain(raw) {
        return Ok(PathView {
            raw,
            canonical: raw,
            without_params: None,
        });
    }
    let has_params = resolve(raw, policy, &mut scratch.canonical)?;
    if has_params {
        resolve_without_params(raw, policy, &mut scratch.without_params)?;
    }
    let differs = has_params && scratch.without_params != scratch.canonical;
    Ok(PathView {
        raw,
        canonical: &scratch.canonical,
        without_params: differs.then_some(&scratch.without_params),
    })
}

/// Appends a canonical path, encoded so that its canonical form is itself, and the query.
///
/// This is what a backend gets where the site says `forward_path: canonical`.
pub fn write_canonical_target(canonical: &[u8], query: Option<&[u8]>, out: &mut Vec<u8>) {
    let mut rest = canonical;
    while let [byte, tail @ ..] = rest {
        rest = tail;
        match byte {
            b'%' if !names_separator(tail.iter().copied()) => out.extend_from_slice(b"%25"),
            b'%' => out.push(b'%'),
            byte if is_path_byte(*byte) => out.push(*byte),
            byte => out.extend_from_slice(&[b'%', hex_digit(byte >> 4), hex_digit(byte & 15)]),
        }
    }
    if let Some(query) = query {
        out.push(b'?');
        out.extend_from_slice(query);
    }
}

/// Refuses a `%` without two hexadecimal digits (RFC 3986 section 2.1).
pub(crate) fn check_escapes(text: &[u8]) -> Result<(), Refusal> {
    let mut rest = text;
    while let Some(at) = memchr::memchr(b'%', rest) {
        let (_, escaped, tail) = first_decoded(rest.get(at..).unwrap_or_default());
        allowed(escaped, RefusalReason::MalformedEscape)?;
        rest = tail;
    }
    Ok(())
}

/// Whether `raw` begins with `/` and holds nothing that could make it other than canonical: no
/// escape, backslash, parameter, empty segment, or segment that begins with a dot.
fn is_plain(raw: &[u8]) -> bool {
    let mut previous = 0;
    for &byte in raw {
        let plain = match byte {
            b'%' | b'\\' | b';' => false,
            b'/' | b'.' => previous != b'/',
            _ => true,
        };
        if !plain {
            return false;
        }
        previous = byte;
    }
    raw.first() == Some(&b'/')
}

/// Writes the canonical form of `raw` to `out`. Whether any of its segments has parameters.
fn resolve(raw: &[u8], policy: &PathPolicy, out: &mut Vec<u8>) -> Result<bool, Refusal> {
    out.clear();
    let Some(segments) = raw.strip_prefix(b"/") else {
        return Err(RefusalReason::TargetForm.into());
    };
    let (mut has_params, mut saw_hollow, mut ends_in_slash) = (false, false, true);
    for segment in segments.split(|&b| b == b'/') {
        let start = out.len();
        out.push(b'/');
        decode_segment(segment, policy, out)?;
        let decoded = out.get(start + 1..).unwrap_or_default();
        check_dot_dot(segment, decoded, start == 0 || saw_hollow, policy)?;
        has_params |= decoded.contains(&b';');
        saw_hollow |= is_hollow(decoded);
        ends_in_slash = settle_segment(out, start);
    }
    if ends_in_slash {
        out.push(b'/');
    }
    Ok(has_params)
}

/// Writes the canonical form that `raw` has for servers that take parameters off first: each
/// segment ends at its first `;`, then empty and dot segments go (`/a/.;x/b` is `/a/b`). A `;` that
/// was sent as `%3B` counts too: only blocks match this form, so it may hold more than one server's
/// reading.
fn resolve_without_params(
    raw: &[u8],
    policy: &PathPolicy,
    out: &mut Vec<u8>,
) -> Result<(), Refusal> {
    out.clear();
    let mut ends_in_slash = true;
    for segment in raw.split(|&b| b == b'/').skip(1) {
        let start = out.len();
        out.push(b'/');
        decode_segment(segment, policy, out)?;
        let decoded = out.get(start + 1..).unwrap_or_default();
        if let Some(params) = memchr::memchr(b';', decoded) {
            out.truncate(start + 1 + params);
        }
        ends_in_slash = settle_segment(out, start);
    }
    if ends_in_slash {
        out.push(b'/');
    }
    Ok(())
}

/// Whether there are servers to which this is no segment: it is empty, or is once its parameters
/// are taken off.
fn is_hollow(decoded: &[u8]) -> bool {
    matches!(decoded, [] | [b';', ..] | [b'.', b';', ..])
}

/// Takes the segment that begins at `start` off again if it is empty or dots, with the one before
/// it if it is `..`. Whether the path would now end in a slash.
fn settle_segment(out: &mut Vec<u8>, start: usize) -> bool {
    let keep = match out.get(start + 1..).unwrap_or_default() {
        b"" | b"." => start,
        b".." => {
            let before = out.get(..start).unwrap_or_default();
            memchr::memrchr(b'/', before).unwrap_or(0)
        }
        _ => return false,
    };
    out.truncate(keep);
    true
}

/// Refuses `..` where servers resolve it differently; anywhere if nothing certain is before it.
fn check_dot_dot(
    sent: &[u8],
    decoded: &[u8],
    takes_uncertain: bool,
    policy: &PathPolicy,
) -> Result<(), Refusal> {
    if policy.unresolved_dot_dot {
        return Ok(());
    }
    let refused = match decoded {
        b".." => takes_uncertain || sent != b"..",
        _ => hides_dot_dot(decoded),
    };
    match refused {
        true => Err(RefusalReason::UnresolvedDotDot.into()),
        false => Ok(()),
    }
}

/// Whether some server sees a `..` segment in this one: `..;x` (parameters taken off), `..\x`,
/// `..%2Fx`.
fn hides_dot_dot(decoded: &[u8]) -> bool {
    memchr::memmem::find_iter(decoded, b"..").any(|at| {
        let (before, found) = decoded.split_at_checked(at).unwrap_or_default();
        let after = found.get(2..).unwrap_or_default();
        matches!(before, [] | [.., b';' | b'\\'] | [.., b'%', b'2', b'F'])
            && matches!(after, [] | [b';' | b'\\', ..] | [b'%', b'2', b'F', ..])
    })
}

/// Appends the decoded form of one segment, as the table of this module says.
fn decode_segment(segment: &[u8], policy: &PathPolicy, out: &mut Vec<u8>) -> Result<(), Refusal> {
    let mut rest = segment;
    while let Some(at) = memchr::memchr2(b'%', b'\\', rest) {
        let (plain, special) = rest.split_at_checked(at).unwrap_or_default();
        out.extend_from_slice(plain);
        let (byte, escaped, tail) = first_decoded(special);
        rest = tail;
        match (byte, escaped) {
            (b'/', true) => {
                allowed(policy.encoded_slash, RefusalReason::EncodedSlash)?;
                out.extend_from_slice(b"%2F");
                continue;
            }
            (b'\\', _) => allowed(policy.backslash, RefusalReason::Backslash)?,
            (0, _) => allowed(policy.encoded_nul, RefusalReason::EncodedNul)?,
            (b'%', _) => {
                allowed(
                    escaped || policy.malformed_escapes,
                    RefusalReason::MalformedEscape,
                )?;
                if names_separator(Decoded(tail)) {
                    allowed(policy.double_encoding, RefusalReason::DoubleEncoding)?;
                    out.extend_from_slice(b"%25");
                    continue;
                }
            }
            _ => {}
        }
        out.push(byte);
    }
    out.extend_from_slice(rest);
    Ok(())
}

fn allowed(by_policy: bool, otherwise: RefusalReason) -> Result<(), Refusal> {
    match by_policy {
        true => Ok(()),
        false => Err(otherwise.into()),
    }
}

/// The first byte of `text` decoded, whether it was an escape, and what follows. A `%` that begins
/// no escape is itself.
fn first_decoded(text: &[u8]) -> (u8, bool, &[u8]) {
    match text {
        [b'%', a, b, tail @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => {
            (hex_value(*a) << 4 | hex_value(*b), true, tail)
        }
        [byte, tail @ ..] => (*byte, false, tail),
        [] => (0, false, b""),
    }
}

/// Text decoded once, byte by byte.
struct Decoded<'a>(&'a [u8]);

impl Iterator for Decoded<'_> {
    type Item = u8;

    fn next(&mut self) -> Option<u8> {
        if self.0.is_empty() {
            return None;
        }
        let (byte, _, tail) = first_decoded(self.0);
        self.0 = tail;
        Some(byte)
    }
}

/// Whether `%` and what follows it would become a slash, backslash or dot when decoded again, once
/// or more often: any number of `25`, then `2F`, `5C` or `2E`.
fn names_separator(mut after_percent: impl Iterator<Item = u8>) -> bool {
    loop {
        match (after_percent.next(), after_percent.next()) {
            (Some(b'2'), Some(b'5')) => {}
            (Some(b'2'), Some(b'F' | b'f' | b'E' | b'e')) | (Some(b'5'), Some(b'C' | b'c')) => {
                return true;
            }
            _ => return false,
        }
    }
}

/// A byte that stands for itself in a path (RFC 3986 section 3.3: `pchar`, and `/`).
const fn is_path_byte(byte: u8) -> bool {
    matches!(byte,
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'!' | b'$' | b'&'
        | b'\'' | b'(' | b')' | b'*' | b'+' | b',' | b';' | b'=' | b':' | b'@' | b'/')
}

/// The value of a hexadecimal digit; 0 of any other byte.
const fn hex_value(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        b'A'..=b'F' => digit - b'A' + 10,
        _ => 0,
    }
}

/// The upper-case hexadecimal digit of a value below 16 (RFC 3986 section 2.1).
const fn hex_digit(value: u8) -> u8 {
    if value < 10 {
        b'0' + value
    } else {
        b'A' + value - 10
    }
}
