//! Figures, and what disturbed them.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use palisade_bench::run::machine;

/// The value below which `share` (0 to 1) of `values` lie; sorts them.
pub fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let last = values.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    values.get(at).copied().unwrap_or(f64::NAN)
}

/// The middle one of `values`; sorts them.
pub fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}

/// Nanoseconds.
#[must_use]
pub fn nanos(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e9
}

/// How long the threads of a process were on a processor, in user mode and in the kernel, in
/// nanoseconds.
///
/// # Panics
/// When there is no such process.
#[must_use]
pub fn processor_nanos(process: u32) -> f64 {
    let threads = fs::read_dir(format!("/proc/{process}/task")).expect("a running process");
    let of_thread = |thread: fs::DirEntry| processor_nanos_of(&thread.path());
    threads.flatten().filter_map(of_thread).sum()
}

/// The same, of all threads of this process but the one that asks.
#[must_use]
pub fn processor_nanos_of_other_threads() -> f64 {
    let own = processor_nanos_of(Path::new("/proc/thread-self"));
    processor_nanos(std::process::id()) - own.unwrap_or_default()
}

/// Where the kernel tells of a thread of a process that has this name.
#[must_use]
pub fn thread_named(process: u32, name: &str) -> Option<PathBuf> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let mut folders = threads.flatten().map(|thread| thread.path());
    folders.find(|folder| {
        let comm = fs::read_to_string(folder.join("comm"));
        comm.is_ok_and(|comm| comm.trim_end() == name)
    })
}

/// The same, of the thread that asks.
#[must_use]
pub fn processor_nanos_of_this_thread() -> f64 {
    processor_nanos_of(Path::new("/proc/thread-self")).unwrap_or_default()
}

/// The same, of the thread that the kernel tells of there; nothing where there is none.
#[must_use]
pub fn processor_nanos_of(thread: &Path) -> Option<f64> {
    let text = fs::read_to_string(thread.join("schedstat")).ok()?;
    text.split(' ').next()?.parse().ok()
}
