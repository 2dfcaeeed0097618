//! What transformations share: copying up to what they look for.

/// White space of the C locale (`isspace`).
pub(super) const fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

/// White space of the C locale, and Latin-1's no-break space, which ModSecurity counts as such.
pub(super) const fn is_space_or_nbsp(byte: u8) -> bool {
    is_space(byte) || byte == NBSP
}

/// Latin-1's no-break space.
pub(super) const NBSP: u8 = 0xa0;

/// Appends what comes before the first byte that `stops`, and gives the rest from there.
pub(super) fn copy_until<'i>(
    input: &'i [u8],
    out: &mut Vec<u8>,
    stops: impl Fn(u8) -> bool,
) -> &'i [u8] {
    let end = input.iter().position(|byte| stops(*byte));
    let (plain, rest) = input.split_at(end.unwrap_or(input.len()));
    out.extend_from_slice(plain);
    rest
}

/// Begins `out` with the first `len` bytes of `input`, which stay as they are, and gives the rest.
pub(super) fn begin<'i>(input: &'i [u8], len: usize, out: &mut Vec<u8>) -> &'i [u8] {
    let (plain, rest) = input.split_at(len.min(input.len()));
    out.clear();
    out.reserve(input.len());
    out.extend_from_slice(plain);
    rest
}
