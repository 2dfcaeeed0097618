//! The boundary of a multipart body: what `Content-Type` says of it, and where it may be.

use std::ops::Range;

use memchr::memmem;

use super::{MultipartError, MultipartFlags};
use crate::syntax::is_space;

/// The longest `Content-Type` that is read, in bytes.
const CONTENT_TYPE_BYTES_MAX: usize = 1024;

const MEDIA_TYPE: &[u8] = b"multipart/form-data";
const PARAMETER: &[u8] = b"boundary";

/// A boundary whose bytes RFC 2046 allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Boundary<'a>(&'a [u8]);

impl<'a> Boundary<'a> {
    /// What `content_type` says: `multipart/form-data; boundary=...`, and nothing else.
    pub(super) fn of(
        content_type: &'a [u8],
        flags: &mut MultipartFlags,
    ) -> Result<Self, MultipartError> {
        let is_of_type = content_type
            .get(..MEDIA_TYPE.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(MEDIA_TYPE));
        if content_type.len() > CONTENT_TYPE_BYTES_MAX {
            return wrong("Content-Type is longer than 1,024 bytes");
        }
        if !is_of_type {
            return wrong("Content-Type is not multipart/form-data");
        }
        let rest = content_type.get(MEDIA_TYPE.len()..).unwrap_or_default();
        if count_parameters(rest) > 1 {
            return wrong("more than one boundary");
        }
        let Some(at) = memmem::find(rest, PARAMETER) else {
            return wrong(match count_parameters(rest) {
                0 => "there is none",
                _ => "its name is not in lower case",
            });
        };
        check_before(rest.get(..at).unwrap_or_default(), flags)?;
        let behind = rest.get(at + PARAMETER.len()..).unwrap_or_default();
        Self::of_value(value(behind, flags)?, flags)
    }

    fn of_value(value: &'a [u8], flags: &mut MultipartFlags) -> Result<Self, MultipartError> {
        let boundary = match value {
            [b'"', quoted @ .., b'"'] => {
                flags.insert(MultipartFlags::BOUNDARY_QUOTED);
                quoted
            }
            [b'"', ..] | [_, .., b'"'] => return wrong("a quote at one end only"),
            unquoted => unquoted,
        };
        if count_parameters(boundary) > 0 {
            return wrong("it contains 'boundary'");
        }
        if !boundary.iter().all(|byte| is_allowed(*byte)) || boundary.ends_with(b" ") {
            return wrong("a character that RFC 2046 section 5.1.1 doesn't allow");
        }
        match boundary {
            [] => wrong("it is empty"),
            boundary => Ok(Self(boundary)),
        }
    }
}

fn wrong<T>(reason: &'static str) -> Result<T, MultipartError> {
    Err(MultipartError::ContentType(reason))
}

/// How often `boundary` stands there, in any case, with a `=` further on.
fn count_parameters(text: &[u8]) -> usize {
    let last_equals = memchr::memrchr(b'=', text).unwrap_or(0);
    let mut rest = text.get(..last_equals).unwrap_or_default();
    let mut count = 0;
    while let Some(window) = rest.get(..PARAMETER.len()) {
        let skip = match window.eq_ignore_ascii_case(PARAMETER) {
            true => PARAMETER.len(),
            false => 1,
        };
        count += usize::from(skip > 1);
        rest = rest.get(skip..).unwrap_or_default();
    }
    count
}

/// Between the media type and the parameter there is one semicolon, and white space.
fn check_before(before: &[u8], flags: &mut MultipartFlags) -> Result<(), MultipartError> {
    let mut others = before.iter().copied().filter(|byte| !is_space(*byte));
    match (others.next(), others.next()) {
        (Some(b';'), None) => Ok(()),
        (None, _) => {
            flags.insert(MultipartFlags::MISSING_SEMICOLON);
            Ok(())
        }
        _ => wrong("something stands between the media type and it (malformed)"),
    }
}

/// What follows the `=` behind the parameter's name.
fn value<'a>(behind: &'a [u8], flags: &mut MultipartFlags) -> Result<&'a [u8], MultipartError> {
    let Some(equals) = memchr::memchr(b'=', behind) else {
        return wrong("no '=' behind its name (malformed)");
    };
    let space = behind.get(..equals).unwrap_or_default();
    if !space.iter().all(|byte| is_space(*byte)) {
        return wrong("something stands between its name and '=' (parameter name)");
    }
    let value = behind.get(equals + 1..).unwrap_or_default();
    if !space.is_empty() || value.first().copied().is_some_and(is_space) {
        flags.insert(MultipartFlags::BOUNDARY_WHITESPACE);
    }
    Ok(value)
}

/// `bchars` of RFC 2046 section 5.1.1.
const fn is_allowed(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b' ' | b'\''
                | b'('
                | b')'
                | b'+'
                | b'_'
                | b','
                | b'-'
                | b'.'
                | b'/'
                | b':'
                | b'='
                | b'?'
        )
}

/// `--` and the boundary, and where the body has it.
pub(super) struct Delimiter<'a> {
    text: &'a [u8],
    finder: memmem::Finder<'a>,
    body: &'a [u8],
    /// Where it stands next, from where it was last looked for; `None`: nowhere further on.
    next: Option<usize>,
}

impl<'a> Delimiter<'a> {
    pub(super) fn new(boundary: Boundary<'_>, body: &'a [u8], buffer: &'a mut Vec<u8>) -> Self {
        buffer.clear();
        buffer.extend_from_slice(b"--");
        buffer.extend_from_slice(boundary.0);
        let finder = memmem::Finder::new(&*buffer);
        let next = finder.find(body);
        Self {
            text: buffer,
            finder,
            body,
            next,
        }
    }

    pub(super) const fn text(&self) -> &'a [u8] {
        self.text
    }

    pub(super) fn boundary(&self) -> &'a [u8] {
        self.text.get(2..).unwrap_or_default()
    }

    /// Whether it stands anywhere in `line`. Lines are asked for in order, so that the body is
    /// searched once.
    pub(super) fn is_within(&mut self, line: &Range<usize>) -> bool {
        if self.next.is_some_and(|next| next < line.start) {
            let rest = self.body.get(line.start..).unwrap_or_default();
            self.next = self.finder.find(rest).map(|found| line.start + found);
        }
        self.next.is_some_and(|next| next < line.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(content_type: &str, expected: &str, flags: &[MultipartFlags]) {
        let mut found = MultipartFlags::default();
        let boundary = Boundary::of(content_type.as_bytes(), &mut found);
        assert_eq!(
            boundary,
            Ok(Boundary(expected.as_bytes())),
            "{content_type}"
        );
        let mut expected = MultipartFlags::default();
        flags.iter().for_each(|flag| expected.insert(*flag));
        assert_eq!(found, expected, "{content_type}");
    }

    #[track_caller]
    fn check_error(content_type: &str, expected: &'static str) {
        let found = Boundary::of(content_type.as_bytes(), &mut MultipartFlags::default());
        let expected = Err(MultipartError::ContentType(expected));
        assert_eq!(found, expected, "{content_type}");
    }

    #[test]
    fn boundaries() {
        check("multipart/form-data; boundary=0000", "0000", &[]);
        check(
            "Multipart/Form-Data;boundary=aZ09'()+_,-./:=?",
            "aZ09'()+_,-./:=?",
            &[],
        );
        check("multipart/form-data; boundary=0000 1111", "0000 1111", &[]);
        check(
            "multipart/form-data; boundary=-----boundary",
            "-----boundary",
            &[],
        );
    }

    #[test]
    fn quoted_boundaries() {
        let quoted = &[MultipartFlags::BOUNDARY_QUOTED];
        check(r#"multipart/form-data; boundary="0000""#, "0000", quoted);
        check(r#"multipart/form-data; boundary=" 0000""#, " 0000", quoted);
        check(
            r#"multipart/form-data; boundary="0000 1111""#,
            "0000 1111",
            quoted,
        );
        let character = "a character that RFC 2046 section 5.1.1 doesn't allow";
        check_error(r#"multipart/form-data; boundary="0000 ""#, character);
        check_error(r#"multipart/form-data; boundary="00\"00""#, character);
        check_error(r#"multipart/form-data; boundary="00""00""#, character);
        let one_end = "a quote at one end only";
        check_error(r#"multipart/form-data; boundary="0000"#, one_end);
        check_error(r#"multipart/form-data; boundary=0000""#, one_end);
        check_error(r#"multipart/form-data; boundary=""#, one_end);
        check_error(r#"multipart/form-data; boundary="""#, "it is empty");
    }

    #[test]
    fn white_space_at_the_equals_sign() {
        let space = &[MultipartFlags::BOUNDARY_WHITESPACE];
        check("multipart/form-data; boundary =0000", "0000", space);
        check("multipart/form-data; boundary= 0000", " 0000", space);
        check("multipart/form-data; boundary\t= 0000", " 0000", space);
    }

    #[test]
    fn a_missing_semicolon() {
        let missing = &[MultipartFlags::MISSING_SEMICOLON];
        check("multipart/form-data boundary=0000", "0000", missing);
        check("multipart/form-databoundary=0000", "0000", missing);
    }

    #[test]
    fn what_stands_around_the_boundary() {
        let between = "something stands between the media type and it (malformed)";
        check_error("multipart/form-data, boundary=0000", between);
        check_error("multipart/form-data;; boundary=0000", between);
        check_error("multipart/form-data; charset=utf-8; boundary=0000", between);
        check_error("multipart/form-datax; boundary=0000", between);
        let name = "something stands between its name and '=' (parameter name)";
        check_error("multipart/form-data; boundary123=0000", name);
        check_error("multipart/form-data; boundary*0=0000", name);
        check_error(
            "multipart/form-data; boundary",
            "no '=' behind its name (malformed)",
        );
        let character = "a character that RFC 2046 section 5.1.1 doesn't allow";
        check_error(
            "multipart/form-data; boundary=0000; charset=utf-8",
            character,
        );
        check_error("multipart/form-data; boundary=0000 ", character);
        check_error("multipart/form-data; boundary=00\u{e4}00", character);
        check_error("multipart/form-data; boundary=", "it is empty");
    }

    #[test]
    fn more_than_one_boundary_or_none() {
        let more = "more than one boundary";
        check_error("multipart/form-data; boundary=0000; boundary=1111", more);
        check_error("multipart/form-data; boundary=0000, Boundary=1111", more);
        check_error("multipart/form-data; boundary=boundary=", more);
        let case = "its name is not in lower case";
        check_error("multipart/form-data; bOundAry=0000", case);
        check_error("multipart/form-data", "there is none");
        check_error(
            "multipart/mixed; boundary=0000",
            "Content-Type is not multipart/form-data",
        );
        check_error("", "Content-Type is not multipart/form-data");
    }

    #[test]
    fn content_type_is_bounded() {
        let start = "multipart/form-data; boundary=";
        let longest = "x".repeat(CONTENT_TYPE_BYTES_MAX - start.len());
        check(&format!("{start}{longest}"), &longest, &[]);
        let error = "Content-Type is longer than 1,024 bytes";
        check_error(&format!("{start}{longest}x"), error);
    }
}
