//! Numbers that look random and are the same each time.

use std::net::Ipv4Addr;

/// Knuth's MMIX generator.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A generator; each seed has a sequence of its own.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Self(seed);
        random.next();
        random
    }

    /// A number below `end`, which is at most 2^32 and not 0.
    pub fn below(&mut self, end: u64) -> u64 {
        (self.next() >> 32) % end
    }

    /// An address that could be a client's, in the same nets as those of
    /// [`decisions`](crate::decisions).
    pub fn address(&mut self) -> Ipv4Addr {
        /// Private, loopback, link-local and documentation nets begin so.
        const UNUSED: [u8; 4] = [127, 169, 172, 192];
        loop {
            let [a, b, c, d] = Ipv4Addr::from_bits(self.word()).octets();
            if (11..224).contains(&a) && !UNUSED.contains(&a) && d != 0 {
                return [a, b, c, d].into();
            }
        }
    }

    /// A word of five to eight lower-case letters.
    pub fn letters(&mut self) -> String {
        let count = 5 + self.below(4);
        let mut letter = || char::from(b'a' + u8::try_from(self.below(26)).unwrap_or(0));
        (0..count).map(|_| letter()).collect()
    }

    fn word(&mut self) -> u32 {
        u32::try_from(self.next() >> 32).unwrap_or(0)
    }

    fn next(&mut self) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        self.0 ^ self.0 >> 29
    }
}
