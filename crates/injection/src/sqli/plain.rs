//! Values that are no injection whatever they say: most that a site gets.

/// Whether `input` is letters, digits, underscores and bytes of UTF-8 alone. Such a value is numbers
/// and then at most one word, without anything between; no fingerprint is made of these but a number
/// and `UNION`, and that only where something was folded away.
pub(super) fn is_plain(input: &[u8]) -> bool {
    // The last block has bytes of the one before it where the length is no multiple of a block's.
    let Some(last) = input.last_chunk() else {
        return is_plain_block(&filled_up(input));
    };
    let (blocks, _) = input.as_chunks();
    blocks.iter().all(is_plain_block) && is_plain_block(last)
}

const BLOCK: usize = 16;

/// What is shorter than a block as one, with plain bytes behind it.
fn filled_up(input: &[u8]) -> [u8; BLOCK] {
    let mut block = [b'a'; BLOCK];
    if let Some(begin) = block.get_mut(..input.len()) {
        begin.copy_from_slice(input);
    }
    block
}

/// Without a branch and on bytes alone, so that all are compared at once.
fn is_plain_block(block: &[u8; BLOCK]) -> bool {
    let others = block.map(|byte| u8::from(!is_plain_byte(byte)));
    others.iter().fold(0, |all, other| all | other) == 0
}

const fn is_plain_byte(byte: u8) -> bool {
    let is_letter = (byte | 0x20).wrapping_sub(b'a') < 26;
    let is_digit = byte.wrapping_sub(b'0') < 10;
    let is_foreign = byte >= 0x80 && byte != 0xa0;
    is_letter | is_digit | is_foreign | (byte == b'_')
}
