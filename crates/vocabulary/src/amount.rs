//! Amounts with a unit: bytes and monotonic time.

use std::fmt;
use std::ops::Add;
use std::time::Duration;

/// A number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteSize(u64);

impl ByteSize {
    /// `bytes` bytes.
    #[must_use]
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// `kib` times 1,024 bytes.
    #[must_use]
    pub const fn kib(kib: u32) -> Self {
        Self(kib as u64 * 1024)
    }

    /// `mib` times 1,048,576 bytes.
    #[must_use]
    pub const fn mib(mib: u32) -> Self {
        Self(mib as u64 * 1024 * 1024)
    }

    /// The number of bytes.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The number of bytes; `usize::MAX` where this machine's `usize` is too small.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const KIB: u64 = 1024;
        const MIB: u64 = 1024 * KIB;
        const GIB: u64 = 1024 * MIB;
        match self.0 {
            n if n >= GIB && n.is_multiple_of(GIB) => write!(f, "{}GiB", n / GIB),
            n if n >= MIB && n.is_multiple_of(MIB) => write!(f, "{}MiB", n / MIB),
            n if n >= KIB && n.is_multiple_of(KIB) => write!(f, "{}KiB", n / KIB),
            n => write!(f, "{n}B"),
        }
    }
}

/// A point in monotonic time: milliseconds since the process chose its zero.
///
/// Layers 0 to 2 read no clock; whoever calls them says what time it is. Ticks of two processes
/// can't be compared, and none is ever written to disk.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tick(u64);

impl Tick {
    /// The tick `millis` milliseconds after zero.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// Milliseconds since zero.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this is; zero if it is not after it.
    #[must_use]
    pub fn since(self, earlier: Tick) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Tick {
    type Output = Tick;

    /// Saturates: a duration without end gives the last tick there is.
    fn add(self, duration: Duration) -> Tick {
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Tick(self.0.saturating_add(millis))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_shown_in_the_largest_whole_unit() {
        assert_eq!(ByteSize::bytes(1500).to_string(), "1500B");
        assert_eq!(ByteSize::kib(32).to_string(), "32KiB");
        assert_eq!(ByteSize::mib(128).to_string(), "128MiB");
        assert_eq!(ByteSize::mib(2048).to_string(), "2GiB");
    }

    #[test]
    fn ticks_saturate() {
        let late = Tick::from_millis(10) + Duration::MAX;
        assert_eq!(late, Tick::from_millis(u64::MAX));
        assert_eq!(Tick::from_millis(5).since(late), Duration::ZERO);
    }
}
