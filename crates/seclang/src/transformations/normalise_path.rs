//! `normalisePath` and `normalisePathWin`.

use memchr::memchr3_iter;

use super::scan::begin;
use crate::ByteSet;

pub(super) const TRIGGERS: ByteSet = ByteSet::of(b"/.");
pub(super) const TRIGGERS_WIN: ByteSet = TRIGGERS.with(b'\\');

/// Removes empty segments, `.` and `..` with what it undoes; keeps `..` at the beginning of a path
/// that isn't absolute, and a slash at the end where there was one.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    normalise(input, out, |byte| byte == b'/')
}

/// The same, where a backslash is a slash.
///
/// ModSecurity leaves the last backslash of a run as it is, and what follows it unresolved
/// (`/\\.\etc`); here each is a slash.
pub(super) fn apply_win(input: &[u8], out: &mut Vec<u8>) -> bool {
    normalise(input, out, |byte| matches!(byte, b'/' | b'\\'))
}

fn normalise(input: &[u8], out: &mut Vec<u8>, is_slash: impl Fn(u8) -> bool + Copy) -> bool {
    if is_normal(input, is_slash) {
        return false;
    }
    resolve(input, out, is_slash);
    out != input
}

fn resolve(input: &[u8], out: &mut Vec<u8>, is_slash: impl Fn(u8) -> bool + Copy) {
    let is_absolute = input.first().is_some_and(|byte| is_slash(*byte));
    let mut rest = begin(input, 0, out);
    let mut path = Path {
        written: out,
        is_absolute,
        at_root: false,
    };
    loop {
        let end = rest.iter().position(|byte| is_slash(*byte));
        let (segment, tail) = rest.split_at(end.unwrap_or(rest.len()));
        if let [body @ .., last] = segment {
            path.add(body, *last, tail.is_empty());
        }
        if tail.is_empty() {
            break;
        }
        path.end_segment();
        let slashes = tail.iter().position(|byte| !is_slash(*byte));
        rest = tail.split_at(slashes.unwrap_or(tail.len())).1;
    }
    let ends_in_slash = input.last().is_some_and(|byte| is_slash(*byte));
    if !ends_in_slash && out.last() == Some(&b'/') {
        out.pop();
    }
}

/// Whether nothing is to be done: no two slashes in a row, no segment that ends in a dot, and every
/// slash a `/`.
fn is_normal(input: &[u8], is_slash: impl Fn(u8) -> bool) -> bool {
    memchr3_iter(b'/', b'.', b'\\', input).all(|place| {
        let next = input.get(place + 1).copied();
        match input.get(place) {
            Some(b'/') => next.is_none_or(|next| !is_slash(next)),
            Some(b'.') => next.is_some_and(|next| !is_slash(next)),
            _ => !is_slash(b'\\'),
        }
    })
}

/// A path that is being written.
///
/// ModSecurity looks only at the last two bytes of a segment, so one that ends in two dots and isn't
/// `..` goes away alone. Rules are written on that, so it is kept.
struct Path<'o> {
    written: &'o mut Vec<u8>,
    is_absolute: bool,
    /// `..` went above the beginning: further ones stay, until something else has come.
    at_root: bool,
}

impl Path<'_> {
    /// A segment without its slash, as all but its last byte and this.
    fn add(&mut self, body: &[u8], last: u8, is_end: bool) {
        self.written.extend_from_slice(body);
        match (last, self.written.last()) {
            (b'.', Some(b'.')) => self.go_up(is_end),
            // "." alone: at the beginning, or behind a slash that is there already.
            (b'.', None | Some(b'/')) => {}
            (_, before) => {
                if before.is_some() && last != b'.' {
                    self.at_root = false;
                }
                self.written.push(last);
            }
        }
    }

    /// Of "..", the first dot is written.
    fn go_up(&mut self, is_end: bool) {
        if !self.is_absolute && (self.at_root || self.written.len() <= 2) {
            self.at_root = true;
            self.written.push(b'.');
            return;
        }
        let before = self.written.len().saturating_sub(3);
        let through = self.written.get(..=before).unwrap_or_default();
        let slash = through.iter().rposition(|byte| *byte == b'/').unwrap_or(0);
        self.written.truncate(slash);
        if slash == 0 {
            self.at_root = true;
            if self.is_absolute && is_end {
                self.written.push(b'/');
            }
        }
    }

    /// One slash; none at the beginning of what isn't absolute.
    fn end_segment(&mut self) {
        let is_needed = match self.written.last() {
            None => self.is_absolute,
            Some(last) => *last != b'/',
        };
        if is_needed {
            self.written.push(b'/');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::{NormalisePath, NormalisePathWin};
    use super::super::tests::check;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn absolute() {
        check(NormalisePath, b"/a/./b//c/../d", b"/a/b/d");
        check(NormalisePath, b"/../../etc", b"/etc");
        check(NormalisePath, b"/a/..", b"");
        check(NormalisePath, b"/a/../", b"/");
        check(NormalisePath, b"/..", b"");
        check(NormalisePath, b"//", b"/");
        check(NormalisePath, b"/.", b"");
        check(NormalisePath, b"/a\0b/../c", b"/c");
    }

    #[test]
    fn relative() {
        check(NormalisePath, b"a/../../b", b"../b");
        check(NormalisePath, b"../../b/..", b"../..");
        check(NormalisePath, b"a/b/../..", b"");
        check(NormalisePath, b"./a", b"a");
        check(NormalisePath, b"", b"");
    }

    #[test]
    fn segments_that_end_in_dots_are_as_modsecurity_has_them() {
        check(NormalisePath, b"/a/x../b", b"/a/b");
        check(NormalisePath, b"/a/...", b"/a");
        check(NormalisePath, b"a./b", b"a./b");
        check(NormalisePath, b"x..", b"x..");
        check(NormalisePath, b"xy../z", b"z");
        check(NormalisePath, b"../a/../..", b"");
    }

    #[test]
    fn backslashes() {
        check(NormalisePathWin, b"\\a\\.\\b/..\\c\\", b"/a/c/");
        check(NormalisePathWin, b"a/b", b"a/b");
        check(NormalisePathWin, b"a\\b", b"a/b");
        check(NormalisePath, b"a\\..\\b", b"a\\..\\b");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(5_000))]

        /// The short cut for what is normal agrees with going the whole way.
        #[test]
        fn what_is_normal_stays(path in "[ab./]{0,10}") {
            let mut out = Vec::new();
            resolve(path.as_bytes(), &mut out, |byte| byte == b'/');
            if is_normal(path.as_bytes(), |byte| byte == b'/') {
                prop_assert_eq!(out, path.as_bytes());
            }
        }

        #[test]
        fn a_backslash_is_a_slash(path in r"[ab./\\]{0,16}") {
            let slashes = path.replace('\\', "/");
            let (mut out, mut expected) = (Vec::new(), Vec::new());
            let changed = apply_win(path.as_bytes(), &mut out);
            let is_normal = !apply(slashes.as_bytes(), &mut expected);
            prop_assert_eq!(
                if changed { &out[..] } else { path.as_bytes() },
                if is_normal { slashes.as_bytes() } else { &expected[..] }
            );
        }
    }
}
