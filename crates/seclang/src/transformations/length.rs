//! `length`.

/// The number of bytes, in decimal.
pub(super) fn apply(input: &[u8], out: &mut Vec<u8>) -> bool {
    out.clear();
    out.extend_from_slice(itoa::Buffer::new().format(input.len()).as_bytes());
    out != input
}

#[cfg(test)]
mod tests {
    use super::super::Transformation::Length;
    use super::super::tests::check;

    #[test]
    fn bytes_are_counted() {
        check(Length, b"", b"0");
        check(Length, b"1", b"1");
        check(Length, "\u{e9}\0".as_bytes(), b"3");
    }
}
