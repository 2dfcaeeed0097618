//! What the kernel knows of a process under test.

use std::fs;
use std::io;
use std::time::Duration;

/// Bytes of memory that are resident (`VmRSS` of proc(5)).
///
/// # Errors
/// When the process isn't there any more.
pub fn resident_bytes(pid: u32) -> io::Result<u64> {
    status_bytes(pid, "VmRSS:")
}

/// The most bytes of memory that were resident at any time (`VmHWM`) since [`forget_peak`], or since
/// the process began where that could not be done.
///
/// # Errors
/// As [`resident_bytes`].
pub fn peak_resident_bytes(pid: u32) -> io::Result<u64> {
    status_bytes(pid, "VmHWM:")
}

/// Lets [`peak_resident_bytes`] begin anew (`clear_refs` of proc(5)).
///
/// # Errors
/// When the process isn't there any more, or isn't this user's to look into.
pub fn forget_peak(pid: u32) -> io::Result<()> {
    fs::write(format!("/proc/{pid}/clear_refs"), "5")
}

fn status_bytes(pid: u32, name: &str) -> io::Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.map(|kib| kib * 1024).ok_or_else(no_such_line)
}

/// Processor time of all its threads so far, in user mode and in the kernel.
///
/// # Errors
/// As [`resident_bytes`].
pub fn processor_time(pid: u32) -> io::Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is a name in parentheses, which may have anything in it. The fourteenth and
    // the fifteenth are ticks of a hundredth of a second.
    let (_, behind_name) = stat.rsplit_once(") ").ok_or_else(no_such_line)?;
    let mut fields = behind_name.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    let ticks = ticks().zip(ticks()).ok_or_else(no_such_line)?;
    Ok(Duration::from_millis((ticks.0 + ticks.1) * 10))
}

/// How many file descriptors it has open.
///
/// # Errors
/// As [`resident_bytes`].
pub fn open_files(pid: u32) -> io::Result<usize> {
    Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count())
}

/// Lets this process, and those that it starts from now on, have `wanted` file descriptors, or as
/// many as the system lets it; how many that are.
pub fn raise_open_files(wanted: u64) -> u64 {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let now = getrlimit(Resource::Nofile);
    let hard = now.maximum.unwrap_or(u64::MAX);
    let both = Rlimit {
        current: Some(wanted),
        maximum: Some(wanted.max(hard)),
    };
    let soft = Rlimit {
        current: Some(wanted.min(hard)),
        maximum: now.maximum,
    };
    // Only a privileged process may go over the hard limit.
    let _ = setrlimit(Resource::Nofile, both).or_else(|_| setrlimit(Resource::Nofile, soft));
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

fn no_such_line() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "not as proc(5) has it")
}
