//! `Content-Disposition` of a part.

use memchr::memmem;

use super::{MultipartError, MultipartFlags};
use crate::percent::hex_pair;
use crate::syntax::trim_blanks_start;

/// What `Content-Disposition` says of a part; overwritten for the next one.
#[derive(Debug, Default)]
pub(super) struct Disposition {
    name: Parameter,
    file_name: Parameter,
    extended_name: Parameter,
}

#[derive(Debug, Default)]
struct Parameter {
    is_there: bool,
    value: Vec<u8>,
}

impl Parameter {
    fn get(&self) -> Option<&[u8]> {
        self.is_there.then_some(&*self.value)
    }

    /// Takes the value that is read next.
    fn begin(&mut self, flags: &mut MultipartFlags) -> Result<&mut Vec<u8>, &'static str> {
        if self.is_there {
            flags.insert(MultipartFlags::DUPLICATE_PART_HEADER);
            return Err("a parameter comes twice");
        }
        self.is_there = true;
        self.value.clear();
        Ok(&mut self.value)
    }
}

impl Disposition {
    /// The field's name.
    pub(super) fn name(&self) -> &[u8] {
        self.name.get().unwrap_or_default()
    }

    /// `filename`.
    pub(super) fn file_name(&self) -> Option<&[u8]> {
        self.file_name.get()
    }

    /// `filename*`, percent-decoded.
    pub(super) fn extended_name(&self) -> Option<&[u8]> {
        self.extended_name.get()
    }

    /// Whether the part has a file name.
    pub(super) const fn is_file(&self) -> bool {
        self.file_name.is_there || self.extended_name.is_there
    }

    pub(super) fn bytes(&self) -> usize {
        let parameters = [&self.name, &self.file_name, &self.extended_name];
        parameters
            .map(|parameter| parameter.value.capacity())
            .iter()
            .sum()
    }

    /// Reads the header's value; `at` is where the part's headers end.
    pub(super) fn read(
        &mut self,
        value: &[u8],
        at: usize,
        flags: &mut MultipartFlags,
    ) -> Result<(), MultipartError> {
        self.name.is_there = false;
        self.file_name.is_there = false;
        self.extended_name.is_there = false;
        self.read_parameters(value, flags)
            .and_then(|()| self.check(value))
            .map_err(|reason| MultipartError::Disposition { reason, at })
    }

    fn read_parameters(
        &mut self,
        value: &[u8],
        flags: &mut MultipartFlags,
    ) -> Result<(), &'static str> {
        let rest = value
            .strip_prefix(b"form-data")
            .ok_or("it is not form-data")?;
        let mut rest = match trim_blanks_start(rest) {
            [] => return Ok(()),
            [b';', rest @ ..] => rest,
            _ => return Err("something else than ';' behind form-data"),
        };
        while !rest.is_empty() {
            let behind = self.read_parameter(rest, flags)?;
            rest = match trim_blanks_start(behind) {
                [] => return Ok(()),
                [b';', rest @ ..] => rest,
                next => {
                    note_quote_before(rest, next, flags);
                    return Err("something else than ';' behind a parameter");
                }
            };
        }
        Ok(())
    }

    /// Reads one parameter; what follows it.
    fn read_parameter<'v>(
        &mut self,
        text: &'v [u8],
        flags: &mut MultipartFlags,
    ) -> Result<&'v [u8], &'static str> {
        let text = trim_blanks_start(text);
        let is_end = |byte: &u8| matches!(byte, b'=' | b'\t' | b' ');
        let name_len = text
            .iter()
            .position(is_end)
            .ok_or("a parameter without '='")?;
        let (name, behind) = text.split_at_checked(name_len).unwrap_or_default();
        let behind = match trim_blanks_start(behind) {
            [b'=', behind @ ..] => trim_blanks_start(behind),
            _ => return Err("something else than '=' behind a parameter's name"),
        };
        match name {
            b"name" => read_value(behind, &mut self.name, flags),
            b"filename" => read_value(behind, &mut self.file_name, flags),
            b"filename*" => read_extended(behind, &mut self.extended_name, flags),
            _ => Err("a parameter other than name, filename and filename*"),
        }
    }

    /// Others look for `filename=` and take what follows; they must find it where we do.
    fn check(&self, value: &[u8]) -> Result<(), &'static str> {
        if !self.name.is_there {
            return Err("it has no name");
        }
        let is_hidden = |parameter: &Parameter, text: &[u8]| {
            parameter.is_there && memmem::find(value, text).is_none()
        };
        if is_hidden(&self.file_name, b"filename=") || is_hidden(&self.extended_name, b"filename*=")
        {
            return Err("white space between filename and '='");
        }
        Ok(())
    }
}

/// Reads a value, quoted or not; what follows it.
fn read_value<'v>(
    text: &'v [u8],
    parameter: &mut Parameter,
    flags: &mut MultipartFlags,
) -> Result<&'v [u8], &'static str> {
    let (quote, inner) = match text {
        [] => return Err("a parameter without a value"),
        [quote @ (b'"' | b'\''), inner @ ..] => (*quote, inner),
        _ => return read_token(text, parameter, flags),
    };
    if quote == b'\'' {
        flags.insert(MultipartFlags::INVALID_QUOTING);
    }
    let value = parameter.begin(flags)?;
    let mut rest = inner;
    loop {
        rest = match rest {
            [] => return Err("a quoted value without its end"),
            // Only the quote and the backslash are escaped: a path of Windows isn't.
            [b'\\', escaped, tail @ ..] if *escaped == quote || *escaped == b'\\' => {
                value.push(*escaped);
                tail
            }
            [byte, tail @ ..] if *byte == quote => {
                if quote == b'\'' && value.contains(&b'\'') {
                    flags.insert(MultipartFlags::INVALID_QUOTING);
                }
                return Ok(tail);
            }
            [byte, tail @ ..] => {
                value.push(*byte);
                tail
            }
        };
    }
}

/// Reads a value without quotes; what follows it.
fn read_token<'v>(
    text: &'v [u8],
    parameter: &mut Parameter,
    flags: &mut MultipartFlags,
) -> Result<&'v [u8], &'static str> {
    let len = text.iter().take_while(|byte| is_token(**byte)).count();
    let (token, tail) = text.split_at_checked(len).unwrap_or_default();
    if token.contains(&b'\'') {
        flags.insert(MultipartFlags::INVALID_QUOTING);
    }
    parameter.begin(flags)?.extend_from_slice(token);
    Ok(tail)
}

/// Reads `charset'language'value` (RFC 5987 section 3.2.1); what follows it.
fn read_extended<'v>(
    text: &'v [u8],
    parameter: &mut Parameter,
    flags: &mut MultipartFlags,
) -> Result<&'v [u8], &'static str> {
    let charset_len = text.iter().take_while(|byte| is_charset(**byte)).count();
    let behind = match text.get(charset_len..) {
        Some([b'\'', behind @ ..]) if charset_len > 0 => behind,
        _ => return Err("filename* without a charset and '\\''"),
    };
    let Some(language_len) = memchr::memchr(b'\'', behind) else {
        flags.insert(MultipartFlags::INVALID_QUOTING);
        return Err("filename* without '\\'' behind the language");
    };
    let value = parameter.begin(flags)?;
    let mut rest = behind.get(language_len + 1..).unwrap_or_default();
    loop {
        rest = match rest {
            [] | [b';', ..] => return Ok(rest),
            [b'%', tail @ ..] => {
                value.push(
                    hex_pair(tail).ok_or("filename* with '%' and no two hexadecimal digits")?,
                );
                tail.get(2..).unwrap_or_default()
            }
            [byte, tail @ ..] if is_attribute_character(*byte) => {
                value.push(*byte);
                tail
            }
            _ => return Err("filename* with a character that RFC 5987 doesn't allow"),
        };
    }
}

/// What follows a parameter isn't `;`: where a quote stands before it, the quoting is wrong.
fn note_quote_before(text: &[u8], next: &[u8], flags: &mut MultipartFlags) {
    let before = text.len().checked_sub(next.len() + 1);
    let before = before.and_then(|at| text.get(at));
    if matches!(before, Some(b'"' | b'\'')) {
        flags.insert(MultipartFlags::INVALID_QUOTING);
    }
}

/// `token` of RFC 2045, as far as ModSecurity 2 follows it.
const fn is_token(byte: u8) -> bool {
    byte.is_ascii_graphic()
        && !matches!(
            byte,
            b'(' | b')'
                | b'<'
                | b'>'
                | b'@'
                | b','
                | b';'
                | b':'
                | b'\\'
                | b'"'
                | b'/'
                | b'['
                | b']'
                | b'?'
                | b'='
        )
}

/// `mime-charsetc` of RFC 5987.
const fn is_charset(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'+'
                | b'-'
                | b'^'
                | b'_'
                | b'`'
                | b'{'
                | b'}'
                | b'~'
        )
}

/// `attr-char` of RFC 5987, as far as ModSecurity 2 follows it.
const fn is_attribute_character(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(
            byte,
            b'!' | b'#' | b'$' | b'&' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'~'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_sink::shown;

    struct Read {
        name: String,
        file_name: Option<String>,
        extended_name: Option<String>,
        flags: MultipartFlags,
        result: Result<(), MultipartError>,
    }

    fn read(value: &str) -> Read {
        let mut disposition = Disposition::default();
        let mut flags = MultipartFlags::default();
        let result = disposition.read(value.as_bytes(), 7, &mut flags);
        Read {
            name: shown(disposition.name()),
            file_name: disposition.file_name().map(shown),
            extended_name: disposition.extended_name().map(shown),
            flags,
            result,
        }
    }

    #[track_caller]
    fn check(value: &str, name: &str, file_name: Option<&str>) {
        let read = read(value);
        assert_eq!(read.result, Ok(()), "{value}");
        assert_eq!(read.name, shown(name.as_bytes()), "{value}");
        let file_name = file_name.map(|name| shown(name.as_bytes()));
        assert_eq!(read.file_name, file_name, "{value}");
        assert!(read.flags.is_empty(), "{value}: {:?}", read.flags);
    }

    #[track_caller]
    fn check_error(value: &str, reason: &'static str) {
        let expected = MultipartError::Disposition { reason, at: 7 };
        assert_eq!(read(value).result, Err(expected), "{value}");
    }

    #[track_caller]
    fn check_quoting(value: &str, is_invalid: bool) {
        let flags = read(value).flags;
        let flag = MultipartFlags::INVALID_QUOTING;
        assert_eq!(flags.contains(flag), is_invalid, "{value}");
    }

    #[test]
    fn names() {
        check(r#"form-data; name="a""#, "a", None);
        check("form-data;name=a", "a", None);
        check("form-data \t; \t name \t= \t\"a\" \t", "a", None);
        check(r#"form-data; name="""#, "", None);
        check("form-data; name=a;", "a", None);
        check(r#"form-data; name="a;b=c""#, "a;b=c", None);
        check("form-data; name=\"\u{e4}\"", "\u{e4}", None);
    }

    #[test]
    fn file_names() {
        check(
            r#"form-data; name="a"; filename="b.jpg""#,
            "a",
            Some("b.jpg"),
        );
        check(
            r#"form-data; filename="b.jpg"; name="a""#,
            "a",
            Some("b.jpg"),
        );
        check(r#"form-data; name="a"; filename="""#, "a", Some(""));
        check("form-data; name=a; filename=b.jpg", "a", Some("b.jpg"));
    }

    #[test]
    fn only_quote_and_backslash_are_escaped() {
        check(r#"form-data; name="a\"b""#, r#"a"b"#, None);
        check(r#"form-data; name="a\\b""#, r"a\b", None);
        check(r#"form-data; name="c:\dir\x.txt""#, r"c:\dir\x.txt", None);
        check(r#"form-data; name="a\'b""#, r"a\'b", None);
    }

    #[test]
    fn apostrophes_are_no_quotes() {
        let read_name = |value: &str| read(value).name;
        assert_eq!(read_name("form-data; name='a b'"), "a b");
        assert_eq!(read_name(r"form-data; name='a\'b'"), "a\\'b");
        check_quoting("form-data; name='a'", true);
        check_quoting("form-data; name=a'b", true);
        check_quoting("form-data; name=\"a\"; filename='b'", true);
        check_quoting("form-data; name=\"a\"; filename=b'c", true);
        check_quoting("form-data; name=\"a'b\"", false);
        check_quoting("form-data; name=\"a\"; filename=\"d'ummy\"", false);
    }

    #[test]
    fn quotes_that_something_follows() {
        let follows = "something else than ';' behind a parameter";
        check_error(r#"form-data; name="a"b"#, follows);
        check_quoting(r#"form-data; name="a"b"#, true);
        check_error(r#"form-data; name="a" b"#, follows);
        check_quoting(r#"form-data; name="a" b"#, false);
        check_error("form-data; name=a b", follows);
        check_error("form-data; name=a,b", follows);
        check_quoting("form-data; name=a,b", false);
    }

    #[test]
    fn other_dispositions() {
        check_error("attachment; name=a", "it is not form-data");
        check_error("Form-Data; name=a", "it is not form-data");
        check_error(" form-data; name=a", "it is not form-data");
        check_error("", "it is not form-data");
        check_error("form-data", "it has no name");
        check_error("form-data;", "it has no name");
        check_error("form-data; filename=a", "it has no name");
        check_error(
            "form-data name=a",
            "something else than ';' behind form-data",
        );
        check_error(
            "form-datax; name=a",
            "something else than ';' behind form-data",
        );
    }

    #[test]
    fn other_parameters() {
        let other = "a parameter other than name, filename and filename*";
        check_error("form-data; name=a; size=46", other);
        check_error("form-data; Name=a", other);
        check_error("form-data; name*=utf-8''a", other);
        check_error("form-data; =a", other);
        check_error("form-data; name", "a parameter without '='");
        check_error("form-data; name=a; ", "a parameter without '='");
        let equals = "something else than '=' behind a parameter's name";
        check_error("form-data; name a", equals);
        check_error("form-data; name ", equals);
        check_error("form-data; name=", "a parameter without a value");
        check_error(r#"form-data; name="a"#, "a quoted value without its end");
        check_error(r#"form-data; name="a\""#, "a quoted value without its end");
        check_error(r#"form-data; name="a\"#, "a quoted value without its end");
    }

    #[test]
    fn parameters_that_come_twice() {
        let check = |value: &str| {
            check_error(value, "a parameter comes twice");
            let flag = MultipartFlags::DUPLICATE_PART_HEADER;
            assert!(read(value).flags.contains(flag), "{value}");
        };
        check("form-data; name=a; name=b");
        check("form-data; name=\"\"; name=b");
        check("form-data; name=a; filename=b; filename=c");
        check("form-data; name=a; filename*=utf-8''b; filename*=utf-8''c");
        check("form-data; name=';filename=\"dummy';name=b;\"");
    }

    #[test]
    fn a_hidden_filename() {
        let hidden = "white space between filename and '='";
        check_error("form-data; name=a; filename =b", hidden);
        check_error(
            "form-data; name=a; filename\t=b; filename*=utf-8''b",
            hidden,
        );
        check_error("form-data; name=a; filename=b; filename* =utf-8''b", hidden);
    }

    #[test]
    fn extended_file_names() {
        let check = |value: &str, file_name: Option<&str>, extended: &str| {
            let read = read(value);
            assert_eq!(read.result, Ok(()), "{value}");
            assert_eq!(read.file_name.as_deref(), file_name, "{value}");
            assert_eq!(read.extended_name.as_deref(), Some(extended), "{value}");
            assert!(read.flags.is_empty(), "{value}: {:?}", read.flags);
        };
        check(
            r#"form-data; name="a"; filename="b.txt"; filename*=utf-8''c%20d.txt"#,
            Some("b.txt"),
            "c d.txt",
        );
        check(
            r#"form-data; name=a; filename*= ISO-8859-1'en'%e4+.txt; filename="b""#,
            Some("b"),
            r"\xe4+.txt",
        );
        check("form-data; name=a; filename*=utf-7''+ADw-", None, "+ADw-");
    }

    #[test]
    fn extended_file_names_that_are_wrong() {
        let check = |value: &str, reason| {
            check_error(&format!("form-data; name=a; filename*={value}"), reason);
        };
        let charset = "filename* without a charset and '\\''";
        check("''b.txt", charset);
        check("\"utf-8''b.txt\"", charset);
        check("b.txt", charset);
        check("utf-8", charset);
        check("utf-8'b.txt", "filename* without '\\'' behind the language");
        let digits = "filename* with '%' and no two hexadecimal digits";
        check("utf-8''%61%4G.txt", digits);
        check("utf-8''%4", digits);
        let character = "filename* with a character that RFC 5987 doesn't allow";
        check("utf-8''a b", character);
        check("utf-8''a/b", character);
        check("utf-8''a\"", character);
        check_quoting("form-data; name=a; filename*=utf-8'b.txt", true);
    }
}
