//! The memory of bodies that are held until rules have judged them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How much memory such bodies take, all together. What they hold of it they give back when they are
/// dropped.
#[derive(Debug, Default)]
pub struct BodyMemory {
    bytes: AtomicU64,
}

/// What one body takes.
#[derive(Debug)]
pub(crate) struct Held {
    memory: Arc<BodyMemory>,
    bytes: u64,
}

impl BodyMemory {
    /// The bytes that are held now.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// A body that takes nothing yet.
    pub(crate) fn hold_nothing(self: &Arc<Self>) -> Held {
        Held {
            memory: Arc::clone(self),
            bytes: 0,
        }
    }
}

impl Held {
    /// Takes up to `bytes` in all, unless that were more than `max` for all bodies; whether it was there.
    pub(crate) fn grow_to(&mut self, bytes: usize, max: u64) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        let more = bytes.saturating_sub(self.bytes);
        let grown = self
            .memory
            .bytes
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
                held.checked_add(more).filter(|sum| *sum <= max)
            });
        if grown.is_ok() {
            self.bytes += more;
        }
        grown.is_ok()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bodies_together_take_no_more_than_there_is() {
        let memory = Arc::<BodyMemory>::default();
        let (mut one, mut other) = (memory.hold_nothing(), memory.hold_nothing());
        assert!(one.grow_to(60, 100) && other.grow_to(40, 100));
        assert!(!other.grow_to(41, 100), "there are 100");
        assert!(one.grow_to(10, 100), "it has them already");
        assert_eq!(memory.bytes(), 100);
        drop(one);
        assert!(other.grow_to(100, 100));
        assert!(!other.grow_to(usize::MAX, u64::MAX) || memory.bytes() == u64::MAX);
        drop(other);
        assert_eq!(memory.bytes(), 0);
    }
}
