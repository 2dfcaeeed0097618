//! Comma-separated values (RFC 4180), but for records of several lines.

use std::borrow::Cow;

use palisade_remote::excerpt;

use super::collector::Collector;
use super::{Column, CsvFormat, ListError, lines, text};

pub(super) fn parse(
    format: &CsvFormat,
    bytes: &[u8],
    list: &mut Collector,
) -> Result<(), ListError> {
    let mut records = lines(bytes).filter(|(_, line)| !text::is_comment(line));
    let index = match &format.column {
        Column::Number(number) => usize::from(*number).saturating_sub(1),
        Column::Name(name) => {
            let Some((_, names)) = records.next() else {
                return Ok(());
            };
            let is_it = |field: Cow<'_, [u8]>| field.eq_ignore_ascii_case(name.as_bytes());
            let mut names = fields(names, format.separator);
            names.position(is_it).ok_or_else(|| ListError::NoColumn {
                name: excerpt(name.as_bytes()),
            })?
        }
    };
    let may_name_columns = matches!(format.column, Column::Number(_));
    for (place, (number, line)) in records.enumerate() {
        match fields(line, format.separator).nth(index) {
            Some(field) if place == 0 && may_name_columns && !list.is_range(&field) => {
                // Names of columns, or an entry that can't be read: neither is anybody's address.
            }
            Some(field) => list.entry(number, &field)?,
            None => list.bad(number, "the column is missing"),
        }
    }
    Ok(())
}

/// The fields of a record, without quotes and surrounding white space.
fn fields(line: &[u8], separator: u8) -> impl Iterator<Item = Cow<'_, [u8]>> {
    let mut rest = Some(line);
    std::iter::from_fn(move || {
        let (field, after) = match quoted(rest?) {
            Some((field, after)) => (field, after),
            None => (Cow::Borrowed(&[][..]), rest?),
        };
        let end = after.iter().position(|byte| *byte == separator);
        let (unquoted, next) = match end {
            Some(end) => (after.get(..end), after.get(end + 1..)),
            None => (Some(after), None),
        };
        rest = next;
        if field.is_empty() {
            return Some(Cow::Borrowed(unquoted.unwrap_or_default().trim_ascii()));
        }
        Some(field)
    })
}

/// A field in quotes at the start of `text`, in which two quotes are one, and what follows it; none
/// where there is no such field.
fn quoted(text: &[u8]) -> Option<(Cow<'_, [u8]>, &[u8])> {
    let inside = text.trim_ascii_start().strip_prefix(b"\"")?;
    let mut field = Vec::new();
    let mut rest = inside;
    loop {
        let end = rest.iter().position(|byte| *byte == b'"')?;
        let (part, after) = rest.split_at_checked(end)?;
        field.extend_from_slice(part);
        let after = after.get(1..)?;
        match after.strip_prefix(b"\"") {
            Some(more) => {
                field.push(b'"');
                rest = more;
            }
            None => return Some((Cow::Owned(field.trim_ascii().to_vec()), after)),
        }
    }
}
