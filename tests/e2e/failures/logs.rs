//! Logs whose file is rotated, deleted, on a full disk, in a folder that is gone, or a pipe that
//! nobody reads; and a standard error that nobody reads.

use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use super::{innocent_load, inside, replace, said, settings, wait_for_more_of, wait_until_said};
use crate::harness::{Backend, Load, Palisade, wait_for};

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).unwrap_or_default().lines().count()
}

/// Waits until a log grows.
#[track_caller]
fn wait_for_lines(path: &Path) {
    let before = lines(path);
    wait_for("lines in the log", || (lines(path) > before).then_some(()));
}

#[test]
fn a_rotation_costs_no_line() {
    let backend = Backend::start();
    let mut palisade = Palisade::start(&settings(&backend, ""));
    let path = palisade.directory().join("access.log");
    let load = innocent_load(&palisade).http2(1).start();
    for number in 1..=3 {
        wait_for_lines(&path);
        fs::rename(&path, path.with_extension(number.to_string())).unwrap();
        if number == 2 {
            // As logrotate's `create` does.
            File::create(&path).unwrap();
        }
        if number == 3 {
            palisade.signal("HUP");
        }
        wait_for_lines(&path);
    }
    let report = load.finish();
    report.assert_flawless();
    palisade.signal("TERM");
    assert_eq!(palisade.wait(), Some(0));
    let rotated = (1..=3).map(|number| lines(&path.with_extension(number.to_string())));
    assert_eq!(rotated.sum::<usize>() + lines(&path), report.answers());
}

#[test]
fn a_log_that_is_deleted_is_made_anew() {
    let backend = Backend::start();
    let palisade = Palisade::start(&settings(&backend, ""));
    let path = palisade.directory().join("access.log");
    let load = innocent_load(&palisade).start();
    wait_for_lines(&path);
    fs::remove_file(&path).unwrap();
    wait_for_lines(&path);
    load.finish().assert_flawless();
}

#[test]
fn a_log_whose_folder_is_gone_goes_on_where_it_was() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    let (here, away) = (folder.path().join("logs"), folder.path().join("away"));
    fs::create_dir(&here).unwrap();
    let logs = "logs: { access: { path: logs/access.log, format: combined } }";
    let mut palisade = Palisade::start_with_logs(folder, &settings(&backend, logs));
    let load = innocent_load(&palisade).start();
    wait_for_lines(&here.join("access.log"));
    fs::rename(&here, &away).unwrap();
    wait_until_said(&palisade, "still writing to the old file");
    wait_for_lines(&away.join("access.log"));
    let errors = format!(
        "palisade_log_write_errors_total{{sink=\"{}\"}}",
        here.join("access.log").display()
    );
    assert!(palisade.metric(&errors) > 0.0);
    fs::rename(&away, &here).unwrap();
    wait_for_lines(&here.join("access.log"));
    let report = load.finish();
    report.assert_flawless();
    palisade.signal("TERM");
    assert_eq!(palisade.wait(), Some(0));
    assert_eq!(lines(&here.join("access.log")), report.answers());
}

#[test]
fn a_full_disk_costs_no_request_and_lines_only_once_the_queue_is_full() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    let mounts = format!("mount -t tmpfs -o size=64k none {}", logs.display());
    let more = "logs: { access: { path: logs/access.log, format: combined }, decisions: { path: /dev/full } }
access: { rules: [{ id: blocks, match: { path: /blocked }, action: block }] }";
    let palisade = Palisade::start_with_mounts(&mounts, folder, &settings(&backend, more));
    let load = innocent_load(&palisade).start();
    let errors = |path: &str| format!("palisade_log_write_errors_total{{sink=\"{path}\"}}");
    let access = logs.join("access.log");
    // The load fills it by itself.
    wait_for_more_of(&palisade, &errors(access.to_str().unwrap()), 0.0);
    wait_until_said(&palisade, "can't write to the log");
    assert_eq!(palisade.get_from("192.0.2.1", "/blocked").status, 403);
    wait_for_more_of(&palisade, &errors("/dev/full"), 0.0);
    // The same lines are tried again and again.
    wait_for_more_of(&palisade, &errors(access.to_str().unwrap()), 3.0);
    load.wait_for_more(20);
    let dropped = format!(
        "palisade_log_lines_dropped_total{{sink=\"{}\"}}",
        access.display()
    );
    assert_eq!(palisade.metric(&dropped), 0.0, "a few lines wait");
    // Somebody makes room.
    fs::remove_file(inside(&palisade, &access)).unwrap();
    wait_until_said(&palisade, "the log is written again");
    load.finish().assert_flawless();
}

/// Reads lines from a pipe, or doesn't.
struct Reader {
    reads_on: Arc<AtomicBool>,
    whole: Arc<AtomicUsize>,
    broken: Arc<AtomicUsize>,
}

impl Reader {
    fn of(pipe: &Path) -> Self {
        let reader = Self {
            reads_on: Arc::new(AtomicBool::new(true)),
            whole: Arc::default(),
            broken: Arc::default(),
        };
        let (reads_on, whole) = (Arc::clone(&reader.reads_on), Arc::clone(&reader.whole));
        let (broken, pipe) = (Arc::clone(&reader.broken), pipe.to_owned());
        let (opened, is_open) = mpsc::sync_channel(1);
        std::thread::spawn(move || {
            // For both, so that it opens without the other end, and never ends.
            let pipe = OpenOptions::new()
                .read(true)
                .write(true)
                .open(pipe)
                .unwrap();
            opened.send(()).unwrap();
            for line in BufReader::new(pipe).lines().map_while(Result::ok) {
                let is_whole = line.starts_with("test.example ") && line.contains(" outcome=");
                if is_whole { &whole } else { &broken }.fetch_add(1, Ordering::Relaxed);
                while !reads_on.load(Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(10));
                }
            }
        });
        is_open.recv().unwrap();
        reader
    }
}

#[test]
fn a_pipe_that_nobody_reads_costs_lines_and_no_request() {
    let backend = Backend::start();
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let reader = Reader::of(&pipe);
    let logs = "logs: { access: { path: pipe, format: combined } }";
    let palisade = Palisade::start_with_logs(folder, &settings(&backend, logs));
    // Long lines, so that some thousands fill what there is to fill.
    let target = "x".repeat(7_000);
    let load = Load::on(palisade.address())
        .of_client("198.51.100.250")
        .request(format!(
            "GET /{target} HTTP/1.1\r\nHost: test.example\r\n\r\n"
        ))
        .pause(Duration::ZERO)
        .keep_alive(2)
        .start();
    let read = || reader.whole.load(Ordering::Relaxed);
    wait_for("lines", || (read() > 10).then_some(()));
    reader.reads_on.store(false, Ordering::Relaxed);
    let dropped = format!(
        "palisade_log_lines_dropped_total{{sink=\"{}\"}}",
        pipe.display()
    );
    wait_for_more_of(&palisade, &dropped, 0.0);
    wait_until_said(&palisade, "log lines were lost");
    let paused = read();
    load.wait_for_more(50);
    reader.reads_on.store(true, Ordering::Relaxed);
    wait_for("lines again", || (read() > paused + 50).then_some(()));
    assert_eq!(reader.broken.load(Ordering::Relaxed), 0);
    load.finish().assert_flawless();
}

#[test]
fn a_standard_error_that_nobody_reads_blocks_nothing() {
    let backend = Backend::start();
    let mut palisade = Palisade::start(&settings(&backend, ""));
    let load = innocent_load(&palisade).start();
    let error = format!("/proc/{}/fd/2", palisade.pid());
    let mut pipe = OpenOptions::new()
        .write(true)
        .custom_flags(O_NONBLOCK)
        .open(error)
        .unwrap();
    fill(&palisade, &mut pipe);

    // Each of these tells the operator something.
    let text = fs::read_to_string(palisade.settings()).unwrap();
    for number in 1..=3_u8 {
        replace(&palisade.settings(), "nonsense: 1\n");
        palisade.signal("HUP");
        wait_for("the failure", || {
            let failed = palisade.metric("palisade_reloads_total{result=\"failed\"}");
            (failed >= f64::from(number)).then_some(())
        });
        replace(&palisade.settings(), &text);
        palisade.signal("HUP");
        wait_for("the generation", || {
            let generation = palisade.metric("palisade_snapshot_generation");
            (generation >= f64::from(number) + 1.0).then_some(())
        });
    }
    assert!(!said(&palisade, "the new settings are in use"));
    load.wait_for_more(20);
    palisade.read_stderr(true);
    wait_until_said(&palisade, "the new settings are in use");
    load.finish().assert_flawless();
    fill(&palisade, &mut pipe);
    palisade.signal("TERM");
    assert_eq!(palisade.wait(), Some(0));
}

/// Sees to it that nobody reads standard error, and that its pipe takes nothing more.
#[track_caller]
fn fill(palisade: &Palisade, pipe: &mut File) {
    palisade.read_stderr(false);
    // Who reads stops with the next line. Whatever it took later would be room in the pipe.
    let read = palisade.stderr().len();
    pipe.write_all(b"\n").unwrap();
    wait_for("the last line to be read", || {
        (palisade.stderr().len() > read).then_some(())
    });
    while pipe.write(&[b'\n'; 4096]).is_ok() {}
    while pipe.write(b"\n").is_ok() {}
}

/// Of `fcntl.h` of Linux, on every machine that Rust runs on but MIPS and SPARC.
const O_NONBLOCK: i32 = 0o4000;
