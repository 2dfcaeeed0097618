//! The fingerprints of known injections: `data/fingerprints`, hashed when this is compiled.

use super::kind::Kind;

/// The most tokens that a fingerprint is made of.
pub(super) const TOKENS_MAX: usize = 5;

/// Whether tokens of these kinds, of which there are at most [`TOKENS_MAX`], are a known injection.
pub(super) fn is_known(kinds: impl Iterator<Item = Kind>) -> bool {
    let key = kinds.fold(0, |key, kind| with_symbol(key, symbol(kind)));
    let mut slot = first_slot(key);
    loop {
        match TABLE.slots.get(slot) {
            None | Some(0) => return false,
            Some(known) if *known == key => return true,
            Some(_) => slot = (slot + 1) % SLOTS,
        }
    }
}

/// Whether there is a fingerprint that begins with this kind.
pub(super) fn begins_one(kind: Kind) -> bool {
    TABLE.first_symbols >> symbol(kind) & 1 != 0
}

const DATA: &[u8] = include_bytes!("../../data/fingerprints");

/// What fingerprints are written with, in capitals: libinjection looks them up in any case.
const LETTERS: &[u8] = b"&(),1:;ABCEFKNOSTUVX";

/// A symbol is a letter's number in [`LETTERS`], from 1; a key is the symbols of a fingerprint.
const SYMBOL_BITS: u32 = 5;

/// The symbol of what is in no fingerprint.
const FOREIGN: u8 = 31;

const fn with_symbol(key: u32, symbol: u8) -> u32 {
    key << SYMBOL_BITS | symbol as u32
}

fn symbol(kind: Kind) -> u8 {
    let symbol = SYMBOLS.get(usize::from(kind.letter()));
    symbol.copied().unwrap_or(FOREIGN)
}

/// The symbol of each ASCII letter, small ones too.
static SYMBOLS: [u8; 128] = symbols();

#[expect(
    clippy::indexing_slicing,
    reason = "when compiled, where an index out of bounds is an error of the compiler"
)]
const fn symbols() -> [u8; 128] {
    let mut symbols = [FOREIGN; 128];
    let mut symbol = 1;
    let mut rest = LETTERS;
    while let [letter, others @ ..] = rest {
        symbols[*letter as usize] = symbol;
        symbols[letter.to_ascii_lowercase() as usize] = symbol;
        symbol += 1;
        rest = others;
    }
    symbols
}

/// Twice as many as fingerprints, so that a search is short.
const SLOTS: usize = 16_384;

struct Table {
    /// Open addressing: a key is in the first free slot from [`first_slot`] on; 0 is free.
    slots: [u32; SLOTS],
    /// Bit `n`: a fingerprint begins with symbol `n`.
    first_symbols: u32,
}

static TABLE: Table = Table::build();

const fn first_slot(key: u32) -> usize {
    (key.wrapping_mul(MULTIPLIER) >> (u32::BITS - SLOTS.ilog2())) as usize
}

/// 2^32 divided by the golden ratio, odd: it spreads over the upper bits.
const MULTIPLIER: u32 = 0x9e37_79b1;

#[expect(
    clippy::indexing_slicing,
    reason = "when compiled, where an index out of bounds is an error of the compiler"
)]
impl Table {
    /// A line has all letters of fingerprints but the last, a space, and every last letter.
    const fn build() -> Self {
        let mut table = Self {
            slots: [0; SLOTS],
            first_symbols: 0,
        };
        let mut beginning = 0;
        let mut is_last = false;
        let mut rest = DATA;
        while let [letter, others @ ..] = rest {
            match *letter {
                b'\n' => (beginning, is_last) = (0, false),
                b' ' => is_last = true,
                letter => {
                    let symbol = SYMBOLS[letter as usize];
                    let key = with_symbol(beginning, symbol);
                    if beginning == 0 {
                        table.first_symbols |= 1 << symbol;
                    }
                    if is_last {
                        table.insert(key);
                    } else {
                        beginning = key;
                    }
                }
            }
            rest = others;
        }
        table
    }

    const fn insert(&mut self, key: u32) {
        let mut slot = first_slot(key);
        while self.slots[slot] != 0 {
            slot = (slot + 1) % SLOTS;
        }
        self.slots[slot] = key;
    }
}
