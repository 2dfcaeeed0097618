//! A share of something, as settings have it in percent.

/// A share, in millionths: from none to all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Share(u32);

impl Share {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// Everything.
    pub const ALL: Self = Self(Self::WHOLE);
    /// How many parts there are.
    const WHOLE: u32 = 1_000_000;

    /// So many millionths; `None` where that is more than all.
    #[must_use]
    pub const fn from_millionths(millionths: u32) -> Option<Self> {
        match millionths <= Self::WHOLE {
            true => Some(Self(millionths)),
            false => None,
        }
    }

    /// 0 to 1,000,000.
    #[must_use]
    pub const fn millionths(self) -> u32 {
        self.0
    }

    /// Whether a number drawn from all of `u64` is in the share: this part of them is.
    #[must_use]
    pub const fn has(self, drawn: u64) -> bool {
        let part = (drawn as u128 * Self::WHOLE as u128) >> u64::BITS;
        part < self.0 as u128
    }

    /// How much there must be of a whole of which `nanos` are this share; `u64::MAX` where that is more, as
    /// it is of none.
    #[must_use]
    pub fn whole_of(self, nanos: u64) -> u64 {
        let whole = u128::from(nanos) * u128::from(Self::WHOLE);
        let whole = whole.checked_div(u128::from(self.0));
        whole
            .and_then(|whole| u64::try_from(whole).ok())
            .unwrap_or(u64::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_what_is_drawn_is_in_it() {
        #[track_caller]
        fn check(millionths: u32, expected: usize) {
            let share = Share::from_millionths(millionths).unwrap();
            // A thousand numbers, evenly from all.
            let drawn = (0..1_000_u64).map(|number| number * (u64::MAX / 999));
            assert_eq!(
                drawn.filter(|drawn| share.has(*drawn)).count(),
                expected,
                "{millionths}"
            );
        }
        check(0, 0);
        check(1, 1);
        check(100_000, 100);
        check(500_000, 500);
        check(999_999, 999);
        check(1_000_000, 1_000);
        assert_eq!(Share::from_millionths(1_000_001), None);
    }

    #[test]
    fn a_whole_is_so_many_times_its_share() {
        #[track_caller]
        fn check(millionths: u32, nanos: u64, expected: u64) {
            let share = Share::from_millionths(millionths).unwrap();
            assert_eq!(share.whole_of(nanos), expected);
        }
        check(1_000_000, 7, 7);
        check(50_000, 5, 100);
        check(0, 1, u64::MAX);
        check(1, u64::MAX, u64::MAX);
    }
}
