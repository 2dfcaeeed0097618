//! Counting what is allocated, in a program whose `#[global_allocator]` is [`CountingAllocator`].

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    /// What this thread has allocated and not freed, and the most that it was; less than nothing where it
    /// frees what others allocated.
    static HELD: Cell<(isize, isize)> = const { Cell::new((0, 0)) };
}

static LIVE_BYTES: AtomicUsize = AtomicUsize::new(0);

/// The system's allocator, counted: allocations for each thread, bytes for the whole process.
#[derive(Clone, Copy, Debug)]
pub struct CountingAllocator;

#[expect(
    unsafe_code,
    reason = "an allocator can't be written without; it only counts and passes on"
)]
// SAFETY: every call goes to `System` with the caller's own arguments. Growing is left to the
// default method, which allocates anew, and so counts.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        LIVE_BYTES.fetch_add(layout.size(), Ordering::Relaxed);
        hold(layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE_BYTES.fetch_sub(layout.size(), Ordering::Relaxed);
        hold(-layout.size().cast_signed());
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn hold(bytes: isize) {
    let (held, most) = HELD.get();
    HELD.set((held + bytes, most.max(held + bytes)));
}

/// The most bytes that this thread has at once during `work` beyond what it had before. Always 0 unless
/// [`CountingAllocator`] is the program's.
pub fn peak_bytes_of<R>(work: impl FnOnce() -> R) -> (R, usize) {
    let (before, _) = HELD.get();
    HELD.set((before, before));
    let result = work();
    let (_, most) = HELD.get();
    (result, (most - before).unsigned_abs())
}

/// How often this thread has allocated so far. Always 0 unless [`CountingAllocator`] is the program's.
#[must_use]
pub fn allocations() -> u64 {
    ALLOCATIONS.get()
}

/// How often this thread allocates during `work`. Always 0 unless [`CountingAllocator`] is the
/// program's.
pub fn allocations_of(work: impl FnOnce()) -> u64 {
    let before = allocations();
    work();
    allocations() - before
}

/// The bytes that all threads have allocated and not yet freed. Always 0 unless
/// [`CountingAllocator`] is the program's.
#[must_use]
pub fn live_bytes() -> usize {
    LIVE_BYTES.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use std::hint::black_box;

    use super::*;

    #[global_allocator]
    static ALLOCATOR: CountingAllocator = CountingAllocator;

    #[test]
    fn allocations_and_growth_count_and_freeing_does_not() {
        let mut kept = Vec::new();
        assert_eq!(allocations_of(|| kept.push(black_box([0_u8; 64]))), 1);
        assert_eq!(allocations_of(|| kept.reserve_exact(1_000)), 1);
        assert!(live_bytes() >= 64 * 1_001);
        assert_eq!(allocations_of(|| drop(black_box(kept))), 0);
    }

    #[test]
    fn the_peak_is_what_was_had_at_once() {
        let check = |work: fn(), expected| assert_eq!(peak_bytes_of(work).1, expected);
        check(|| (), 0);
        check(|| drop(black_box(vec![0_u8; 100])), 100);
        check(
            || {
                drop(black_box(vec![0_u8; 100]));
                drop(black_box(vec![0_u8; 70]));
            },
            100,
        );
        let kept = black_box(vec![0_u8; 50]);
        check(|| drop(black_box([vec![0_u8; 30], vec![0_u8; 40]])), 70);
        drop(kept);
    }
}
