//! Logical lines: what a backslash at the end of a line joins, without comments.

use memchr::memchr;

/// A logical line longer than this is an error of its author.
pub(super) const LINE_BYTES_MAX: usize = 1 << 20;

/// One logical line.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// Its bytes, without the backslashes and line breaks that joined it.
    pub(super) text: Vec<u8>,
    /// Where each part of `text` begins, and the number of the line in the file that it comes from.
    parts: Vec<(usize, u32)>,
}

impl Line {
    /// The line, from 1, and the column, in bytes from 1, of a byte of `text`; of its end, too.
    pub(super) fn line_and_column(&self, offset: usize) -> (u32, u32) {
        let behind = self.parts.partition_point(|(begins, _)| *begins <= offset);
        let part = behind.checked_sub(1).and_then(|last| self.parts.get(last));
        let (begins, line) = part.copied().unwrap_or((0, 1));
        let column = u32::try_from(offset - begins + 1).unwrap_or(u32::MAX);
        (line, column)
    }

    fn has_nothing_to_say(&self) -> bool {
        let first = self.text.iter().find(|byte| !byte.is_ascii_whitespace());
        first.is_none_or(|byte| *byte == b'#')
    }
}

/// The logical lines of a file that say something.
///
/// As Apache reads its configuration: lines are joined first, so a comment that ends with a backslash
/// goes on.
pub(super) struct Lines<'a> {
    rest: Option<&'a [u8]>,
    number: u32,
}

impl<'a> Lines<'a> {
    pub(super) fn of(text: &'a [u8]) -> Self {
        Self {
            rest: Some(text),
            number: 0,
        }
    }

    /// The next line of the file, without its end.
    fn physical(&mut self) -> Option<&'a [u8]> {
        let rest = self.rest?;
        self.number = self.number.saturating_add(1);
        let (line, behind) = match memchr(b'\n', rest) {
            Some(end) => (rest.get(..end), rest.get(end + 1..)),
            None => (Some(rest), None),
        };
        self.rest = behind;
        let line = line.unwrap_or_default();
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    fn logical(&mut self) -> Option<Line> {
        let mut line = Line::default();
        let mut physical = self.physical()?;
        loop {
            line.parts.push((line.text.len(), self.number));
            let Some(joined) = physical.strip_suffix(b"\\") else {
                line.text.extend_from_slice(physical);
                return Some(line);
            };
            line.text.extend_from_slice(joined);
            match self.physical() {
                Some(next) => physical = next,
                None => return Some(line),
            }
        }
    }
}

impl Iterator for Lines<'_> {
    type Item = Line;

    fn next(&mut self) -> Option<Line> {
        loop {
            let line = self.logical()?;
            if !line.has_nothing_to_say() {
                return Some(line);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let lines: Vec<String> = Lines::of(text.as_bytes())
            .map(|line| String::from_utf8(line.text).unwrap())
            .collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn lines_are_joined_and_comments_left_out() {
        check("", &[]);
        check("a\nb\r\n\n  c", &["a", "b", "  c"]);
        check("a \\\n  b\\\r\nc\nd", &["a   bc", "d"]);
        check("# a\n  # b\nc # d", &["c # d"]);
        check("# a \\\n goes on\nb", &["b"]);
        check("a\\", &["a"]);
        check("a\\\n", &["a"]);
    }

    #[test]
    fn each_byte_knows_where_it_stands() {
        let mut lines = Lines::of(b"\nab\\\n cd\ne");
        let line = lines.next().unwrap();
        assert_eq!(line.text, b"ab cd");
        let places: Vec<_> = (0..=5).map(|offset| line.line_and_column(offset)).collect();
        assert_eq!(places, [(2, 1), (2, 2), (3, 1), (3, 2), (3, 3), (3, 4)]);
        assert_eq!(lines.next().unwrap().line_and_column(0), (4, 1));
    }
}
