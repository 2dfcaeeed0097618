//! What a server takes: processor time and memory of all its processes, as Linux counts them.

use std::collections::BTreeMap;
use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// A process and those that it has started, and they.
#[must_use]
pub fn process_tree(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for process in processes() {
        if let Some(stat) = Stat::read(process) {
            children.entry(stat.parent).or_default().push(process);
        }
    }
    let mut tree = vec![root];
    let mut at = 0;
    while let Some(process) = tree.get(at).copied() {
        tree.extend(children.remove(&process).unwrap_or_default());
        at += 1;
    }
    tree
}

/// How long the threads of a process tree were on a processor so far, in user mode and in the kernel.
#[derive(Clone, Debug, Default)]
pub struct ProcessorTime {
    /// To the nanosecond, by process and thread.
    threads: BTreeMap<(u32, u32), Duration>,
    /// To a hundredth of a second, of all processes; with threads and processes that have ended.
    with_ended: Duration,
}

impl ProcessorTime {
    /// That of a process and all that it has started.
    #[must_use]
    pub fn of(root: u32) -> Self {
        let mut time = Self::default();
        for process in process_tree(root) {
            time.threads.extend(threads(process));
            let stat = Stat::read(process).unwrap_or_default();
            time.with_ended += stat.own + stat.of_children;
        }
        time
    }

    /// What came since `before`. Exact, unless threads have ended since: what they took last isn't told but in
    /// hundredths of a second.
    #[must_use]
    pub fn since(&self, before: &Self) -> Duration {
        let of_thread = |(thread, now): (&(u32, u32), &Duration)| {
            now.saturating_sub(before.threads.get(thread).copied().unwrap_or_default())
        };
        let exact = self.threads.iter().map(of_thread).sum();
        let has_ended = |thread| !self.threads.contains_key(thread);
        match before.threads.keys().any(has_ended) {
            true => self.with_ended.saturating_sub(before.with_ended).max(exact),
            false => exact,
        }
    }
}

fn threads(process: u32) -> impl Iterator<Item = ((u32, u32), Duration)> {
    let threads = fs::read_dir(format!("/proc/{process}/task"));
    let threads = threads.into_iter().flatten().flatten();
    threads.filter_map(move |thread| {
        let number = thread.file_name().to_str()?.parse().ok()?;
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let nanos = text.split(' ').next()?.parse().ok()?;
        Some(((process, number), Duration::from_nanos(nanos)))
    })
}

/// Resident memory of the processes of a tree in bytes; what they share counts once (proportional set size).
#[must_use]
pub fn memory(root: u32) -> u64 {
    let of_process = |process| {
        let text = fs::read_to_string(format!("/proc/{process}/smaps_rollup")).ok()?;
        let kib = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
        let kib: u64 = kib.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kib << 10)
    };
    process_tree(root).into_iter().filter_map(of_process).sum()
}

/// The process that listens at this address, where it is one that we may look into; of several, the one that has
/// started the others.
#[must_use]
pub fn listening_process(door: SocketAddr) -> Option<u32> {
    let inode = listening_inode(door)?;
    let wanted = format!("socket:[{inode}]");
    let has_socket = |process: &u32| {
        let files = fs::read_dir(format!("/proc/{process}/fd"));
        let mut files = files.into_iter().flatten().flatten();
        files.any(|file| fs::read_link(file.path()).is_ok_and(|to| to.as_os_str() == &*wanted))
    };
    processes().filter(has_socket).min()
}

/// From `/proc/net/tcp` and `tcp6`: address and port in hexadecimal, words in the machine's order; 0A is LISTEN.
fn listening_inode(door: SocketAddr) -> Option<String> {
    let words = |address: Ipv6Addr| {
        let octets = address.octets();
        let words = octets
            .chunks_exact(4)
            .filter_map(|word| word.try_into().ok());
        words
            .map(|word| format!("{:08X}", u32::from_ne_bytes(word)))
            .collect::<String>()
    };
    let v4 = |address: Ipv4Addr| format!("{:08X}", u32::from_ne_bytes(address.octets()));
    let any = words(Ipv6Addr::UNSPECIFIED);
    let addresses = match door.ip() {
        IpAddr::V4(address) => {
            vec![
                v4(address),
                v4(Ipv4Addr::UNSPECIFIED),
                words(address.to_ipv6_mapped()),
                any,
            ]
        }
        IpAddr::V6(address) => vec![words(address), any],
    };
    let doors: Vec<String> = addresses
        .into_iter()
        .map(|address| format!("{address}:{:04X}", door.port()))
        .collect();
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
    let lines = tables.iter().flatten().flat_map(|table| table.lines());
    lines.skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
        let is_door = *state == "0A" && doors.iter().any(|door| door == local);
        is_door.then(|| (*inode).to_owned())
    })
}

fn processes() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// Of `/proc/PID/stat`.
#[derive(Clone, Copy, Debug, Default)]
struct Stat {
    parent: u32,
    own: Duration,
    of_children: Duration,
}

impl Stat {
    fn read(process: u32) -> Option<Self> {
        Self::parse(&fs::read_to_string(format!("/proc/{process}/stat")).ok()?)
    }

    /// The name of the program, in parentheses, may have anything in it.
    fn parse(text: &str) -> Option<Self> {
        let (_, rest) = text.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let time = |ticks: u64| Duration::from_secs(ticks) / TICKS_PER_SECOND;
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: time(ticks(11)? + ticks(12)?),
            of_children: time(ticks(13)? + ticks(14)?),
        })
    }
}

/// Linux counts in these towards programs, on all machines that Palisade runs on (`getconf CLK_TCK`).
const TICKS_PER_SECOND: u32 = 100;

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_name_of_a_program_is_not_taken_for_fields() {
        let stat = "12 (a) b (c) S 7 12 12 0 -1 4194304 1 0 0 0 150 50 25 75 20 0 1 0 100 1 1";
        let stat = Stat::parse(stat).expect("a line of the kernel");
        assert_eq!(stat.parent, 7);
        assert_eq!(stat.own, Duration::from_secs(2));
        assert_eq!(stat.of_children, Duration::from_secs(1));
    }

    /// What a grandchild does counts, while it runs and when it has ended.
    #[test]
    fn time_of_children_and_of_theirs_counts() {
        let work = "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; echo worked; read line <&3";
        let mut child = Command::new("sh")
            .args([
                "-c",
                &format!("exec 3<&0; sh -c '{work}' & wait; echo over; read line <&3"),
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let stdout = child.stdout.take().expect("its standard output");
        let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
        assert_eq!(lines.next().as_deref(), Some("worked"));
        assert!(process_tree(child.id()).len() > 1);
        let before = ProcessorTime::default();
        let at_work = ProcessorTime::of(child.id());
        assert!(at_work.since(&before) > Duration::from_millis(20));
        drop(child.stdin.take());
        assert_eq!(lines.next().as_deref(), Some("over"));
        let at_end = ProcessorTime::of(child.id());
        // Its process is gone, and what it took isn't.
        assert!(at_end.with_ended > Duration::from_millis(10), "{at_end:?}");
        assert!(at_end.since(&at_work) < Duration::from_secs(1));
        child.wait().expect("its end");
    }

    /// As servers do when they have started: that a thread has ended long ago makes no figure coarser.
    #[test]
    fn what_little_is_done_after_a_thread_has_ended_is_told() {
        std::thread::spawn(|| burn(Duration::from_millis(60)))
            .join()
            .expect("its end");
        let before = ProcessorTime::of(std::process::id());
        burn(Duration::from_millis(3));
        // The kernel counts for a thread that runs when its slice is over.
        std::thread::sleep(Duration::from_millis(1));
        let after = ProcessorTime::of(std::process::id());
        let took = after.since(&before);
        assert!(took > Duration::from_millis(1), "{took:?}");
    }

    fn burn(time: Duration) {
        let begun = std::time::Instant::now();
        while begun.elapsed() < time {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn memory_of_this_process_is_more_than_a_mebibyte() {
        assert!(memory(std::process::id()) > 1 << 20);
    }

    #[test]
    fn who_listens_is_found() {
        for (listens, asked) in [
            ("127.0.0.1:0", "127.0.0.1"),
            ("0.0.0.0:0", "127.0.0.1"),
            ("[::1]:0", "::1"),
            ("[::]:0", "127.0.0.1"),
            ("[::]:0", "::1"),
        ] {
            let listener = TcpListener::bind(listens).expect("a port");
            let port = listener.local_addr().expect("its address").port();
            let door = SocketAddr::new(asked.parse().expect("an address"), port);
            assert_eq!(
                listening_process(door),
                Some(std::process::id()),
                "{listens}"
            );
            drop(listener);
            assert_eq!(listening_process(door), None, "{listens}");
        }
    }
}
