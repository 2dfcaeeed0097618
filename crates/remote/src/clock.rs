//! What time it is.

use palisade_vocabulary::Tick;

/// Tells the time on a clock that never goes backwards. The process has one zero, so that all its
/// ticks can be compared. Any closure that gives ticks is a clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Tick;
}

impl<F: Fn() -> Tick + Send + Sync> Clock for F {
    fn now(&self) -> Tick {
        self()
    }
}
