//! Full-width forms of ASCII (U+FF01 to U+FF5E), which some servers take for the ASCII characters.

/// The ASCII character of a full-width form; of any other code its lowest byte, as ModSecurity has it.
pub(super) const fn lowest_byte(code: u16) -> u8 {
    let [high, low] = code.to_be_bytes();
    if high == 0xff && 0x00 < low && low < 0x5f {
        low + 0x20
    } else {
        low
    }
}
