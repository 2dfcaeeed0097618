//! What bytes are to SQL, in one table.

/// Between tokens, and none itself: control characters, space, 0x7F and Latin-1's no-break space.
pub(super) const SKIPPED: u8 = 1;
/// White space to databases, where that matters: ASCII's, NUL and Latin-1's no-break space.
pub(super) const WHITE: u8 = 1 << 1;
/// Not in a word.
pub(super) const ENDS_WORD: u8 = 1 << 2;
/// In a word, but what is before it may be a keyword by itself.
pub(super) const DIVIDES_WORD: u8 = 1 << 3;
/// Not in the name of a variable.
pub(super) const ENDS_VARIABLE: u8 = 1 << 4;

/// Whether `byte` is one of `classes`.
pub(super) fn is(byte: u8, classes: u8) -> bool {
    let known = CLASSES.get(usize::from(byte));
    known.is_some_and(|known| known & classes != 0)
}

static CLASSES: [u8; 256] = classes();

#[expect(
    clippy::indexing_slicing,
    reason = "when compiled, where an index out of bounds is an error of the compiler"
)]
const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = classes_of(byte as u8);
        byte += 1;
    }
    classes
}

const fn classes_of(byte: u8) -> u8 {
    match byte {
        0 | b'\t'..=b'\r' | b' ' => SKIPPED | WHITE | ENDS_WORD | ENDS_VARIABLE,
        0xa0 => SKIPPED | WHITE | ENDS_WORD,
        1..=0x1f | 0x7f => SKIPPED,
        b'!'..=b'#' | b'%'..=b'-' | b'/' | b':'..=b'@' => ENDS_WORD | ENDS_VARIABLE,
        b'\\' | b'^' | b'|' | b'~' => ENDS_WORD | ENDS_VARIABLE,
        b'[' | b']' | b'{' | b'}' => ENDS_WORD,
        b'`' => DIVIDES_WORD | ENDS_VARIABLE,
        b'.' => DIVIDES_WORD,
        _ => 0,
    }
}
