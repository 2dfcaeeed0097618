use std::fs;
use std::io::{BufRead, BufReader, PipeReader, Read};
use std::os::fd::OwnedFd;
use std::path::Path;

use prometheus::IntCounter;
use tempfile::TempDir;

use super::*;
use crate::report::{Fields, Level};

const PATIENCE: Duration = Duration::from_secs(30);

/// Keeps what it is told.
#[derive(Default)]
struct Told {
    messages: Mutex<Vec<(Level, String)>>,
    more: Condvar,
}

impl Told {
    /// Waits for a message of this level.
    fn wait_for(&self, level: Level) -> String {
        let mut messages = self.messages.lock();
        loop {
            if let Some((_, message)) = messages.iter().find(|(of, _)| *of == level) {
                return message.clone();
            }
            assert!(
                !self.more.wait_for(&mut messages, PATIENCE).timed_out(),
                "never told"
            );
        }
    }
}

impl Report for Told {
    fn report(&self, level: Level, topic: &'static str, message: &str, _: Fields<'_>) {
        assert_eq!(topic, "logs");
        self.messages.lock().push((level, message.to_owned()));
        self.more.notify_all();
    }
}

fn metrics() -> SinkMetrics {
    SinkMetrics {
        dropped_lines: IntCounter::new("dropped", "dropped").unwrap(),
        write_errors: IntCounter::new("errors", "errors").unwrap(),
    }
}

fn open(path: &Path) -> (LogWriter, Arc<Told>) {
    let told = Arc::new(Told::default());
    let sink = Sink::File(path.to_owned());
    let writer = LogWriter::open(&sink, metrics(), Arc::clone(&told) as Arc<dyn Report>);
    (writer.unwrap(), told)
}

fn line(number: usize) -> Vec<u8> {
    format!("line {number} {}\n", "x".repeat(1_000)).into_bytes()
}

/// The numbers of the lines of `text`, each of which must be whole.
fn numbers(text: &str) -> Vec<usize> {
    text.lines()
        .map(|text| {
            let number = text.split(' ').nth(1).unwrap().parse().unwrap();
            assert_eq!(format!("{text}\n").as_bytes(), line(number));
            number
        })
        .collect()
}

#[test]
fn lines_are_appended_whole_and_in_order() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("access.log");
    fs::write(&path, line(0)).unwrap();
    let (writer, _) = open(&path);
    for number in 1..3_000 {
        assert!(writer.submit(&line(number)));
        if number % 1_000 == 0 {
            writer.flush(PATIENCE).unwrap();
        }
    }
    writer.flush(PATIENCE).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(numbers(&text), (0..3_000).collect::<Vec<_>>());
}

#[test]
fn many_threads_keep_their_lines_whole() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("access.log");
    let (writer, _) = open(&path);
    thread::scope(|scope| {
        for first in 0..4 {
            let writer = &writer;
            scope.spawn(move || {
                for number in 0..500 {
                    writer.submit(&line(number * 4 + first));
                }
            });
        }
    });
    writer.flush(PATIENCE).unwrap();
    let mut got = numbers(&fs::read_to_string(&path).unwrap());
    got.sort_unstable();
    assert_eq!(got, (0..2_000).collect::<Vec<_>>());
}

#[test]
fn a_dropped_writer_writes_out_what_it_has() {
    let (reader, output) = pipe();
    let writer = start(output, &Arc::default());
    for number in 0..2_000 {
        assert!(writer.submit(&line(number)));
    }
    drop(writer);
    // The pipe ends when the thread does.
    let mut text = String::new();
    BufReader::new(reader).read_to_string(&mut text).unwrap();
    assert_eq!(numbers(&text), (0..2_000).collect::<Vec<_>>());
}

fn pipe() -> (PipeReader, Output) {
    let (reader, writer) = io::pipe().unwrap();
    (reader, Output::unnamed(OwnedFd::from(writer).into()))
}

fn start(output: Output, told: &Arc<Told>) -> LogWriter {
    let reporter = Arc::clone(told) as Arc<dyn Report>;
    LogWriter::start(Sink::Stdout, output, metrics(), reporter).unwrap()
}

#[test]
fn a_blocked_pipe_costs_lines_and_nobody_waits() {
    let (reader, output) = pipe();
    let told = Arc::new(Told::default());
    let writer = start(output, &told);
    // Far more than the queue, the batch and the pipe can hold together.
    let (mut taken, sent) = (0, 4 * QUEUE_BYTES_MAX / line(0).len());
    for number in 0..sent {
        taken += usize::from(writer.submit(&line(number)));
    }
    let dropped = writer.shared.metrics.dropped_lines.get();
    assert!(dropped > 0);
    assert_eq!(taken + usize::try_from(dropped).unwrap(), sent);
    let late = writer.flush(Duration::from_millis(1)).unwrap_err();
    assert!(late.bytes > 0, "{late}");

    // Somebody reads again: all that was taken comes, whole, and the loss is told.
    let reading = thread::spawn(move || {
        let lines = BufReader::new(reader).lines().map(Result::unwrap);
        lines.collect::<Vec<_>>().join("\n")
    });
    writer.flush(PATIENCE).unwrap();
    assert!(told.wait_for(Level::Warn).contains("too slow"));
    assert!(writer.submit(&line(sent)));
    drop(writer);
    let got = numbers(&reading.join().unwrap());
    assert_eq!(got.len(), taken + 1);
    assert!(got.is_sorted());
    assert_eq!(got.last(), Some(&sent));
}

#[test]
fn a_full_disk_costs_nothing_once_there_is_room() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("access.log");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let (writer, told) = open(&path);
    assert!(writer.submit(&line(0)));
    assert!(told.wait_for(Level::Error).contains("can't write"));
    assert!(writer.shared.metrics.write_errors.get() > 0);
    assert!(writer.flush(Duration::from_millis(1)).is_err());
    assert!(writer.submit(&line(1)));

    fs::remove_file(&path).unwrap();
    writer.reopen();
    writer.flush(PATIENCE).unwrap();
    assert!(told.wait_for(Level::Info).contains("written again"));
    assert_eq!(numbers(&fs::read_to_string(&path).unwrap()), [0, 1]);
    assert_eq!(writer.shared.metrics.dropped_lines.get(), 0);
}

#[test]
fn a_writer_dropped_over_a_full_disk_gives_up() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("access.log");
    std::os::unix::fs::symlink("/dev/full", &path).unwrap();
    let (writer, told) = open(&path);
    writer.submit(&line(0));
    told.wait_for(Level::Error);
    let shared = Arc::clone(&writer.shared);
    drop(writer);
    let mut queue = shared.queue.lock();
    while queue.settled < queue.accepted {
        assert!(!shared.progress.wait_for(&mut queue, PATIENCE).timed_out());
    }
    assert_eq!(shared.metrics.dropped_lines.get(), 1);
}

#[test]
fn a_rotated_file_and_a_deleted_one_are_made_anew() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("access.log");
    let (writer, _) = open(&path);
    writer.submit(&line(0));
    writer.flush(PATIENCE).unwrap();

    let rotated = folder.path().join("access.log.1");
    fs::rename(&path, &rotated).unwrap();
    writer.reopen();
    writer.submit(&line(1));
    writer.flush(PATIENCE).unwrap();
    assert_eq!(numbers(&fs::read_to_string(&rotated).unwrap()), [0]);
    assert_eq!(numbers(&fs::read_to_string(&path).unwrap()), [1]);

    fs::remove_file(&path).unwrap();
    writer.reopen();
    writer.submit(&line(2));
    writer.flush(PATIENCE).unwrap();
    assert_eq!(numbers(&fs::read_to_string(&path).unwrap()), [2]);

    // As logrotate's `create` does it.
    fs::rename(&path, &rotated).unwrap();
    fs::write(&path, line(10)).unwrap();
    writer.reopen();
    writer.submit(&line(11));
    writer.flush(PATIENCE).unwrap();
    assert_eq!(numbers(&fs::read_to_string(&path).unwrap()), [10, 11]);
}

#[test]
fn a_rotation_is_noticed_without_being_told() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("access.log");
    let (mut worker, shared) = worker(&path);
    fs::remove_file(&path).unwrap();
    // Not a second ago, however slow this test is.
    worker.rotation_checked = Instant::now() + PATIENCE;
    submit_and_write(&mut worker, &shared, &line(0));
    assert!(!path.exists());
    worker.rotation_checked = Instant::now().checked_sub(ROTATION_CHECK).unwrap();
    submit_and_write(&mut worker, &shared, &line(1));
    assert_eq!(numbers(&fs::read_to_string(&path).unwrap()), [1]);
}

#[test]
fn a_new_file_does_not_start_with_half_a_line() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("access.log");
    let (mut worker, shared) = worker(&path);
    worker.batch = [line(0), line(1), line(2)].concat();
    for (written, go_on, dropped) in [
        (0, 0, 0),
        (line(0).len(), line(0).len(), 0),
        (line(0).len() + 1, 2 * line(0).len(), 1),
        (line(0).len() - 1, line(0).len(), 2),
        (3 * line(0).len() - 1, 3 * line(0).len(), 3),
    ] {
        fs::remove_file(&path).unwrap();
        shared.queue.lock().reopen = true;
        assert_eq!(worker.follow_rotation(written), go_on);
        assert_eq!(shared.metrics.dropped_lines.get(), dropped);
    }
}

#[test]
fn a_folder_that_is_gone_does_not_stop_the_log() {
    let folder = TempDir::new().unwrap();
    let inner = folder.path().join("logs");
    fs::create_dir(&inner).unwrap();
    let (writer, told) = open(&inner.join("access.log"));
    fs::remove_dir_all(&inner).unwrap();
    writer.reopen();
    writer.submit(&line(0));
    writer.flush(PATIENCE).unwrap();
    assert!(told.wait_for(Level::Error).contains("rotation"));

    fs::create_dir(&inner).unwrap();
    writer.reopen();
    writer.submit(&line(1));
    writer.flush(PATIENCE).unwrap();
    assert_eq!(
        numbers(&fs::read_to_string(inner.join("access.log")).unwrap()),
        [1]
    );
}

#[test]
fn what_cannot_be_opened_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("nowhere/access.log");
    let result = LogWriter::open(&Sink::File(path.clone()), metrics(), Arc::<Told>::default());
    let error = result.unwrap_err().to_string();
    assert!(error.contains(&path.display().to_string()), "{error}");
    assert!(error.contains("No such file"), "{error}");
}

/// Opening it to write would wait for its reader.
#[test]
fn a_named_pipe_without_a_reader_is_an_error() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("pipe");
    assert!(
        std::process::Command::new("mkfifo")
            .arg(&path)
            .status()
            .unwrap()
            .success()
    );
    let open = || LogWriter::open(&Sink::File(path.clone()), metrics(), Arc::<Told>::default());
    assert!(open().unwrap_err().to_string().contains("named pipe"));

    // O_RDWR: opens without a writer, and reads what the writer sends.
    let reader = fs::OpenOptions::new()
        .read(true)
        .write(true)
        .open(&path)
        .unwrap();
    let writer = open().unwrap();
    let sent = 200;
    for number in 0..sent {
        assert!(writer.submit(&line(number)));
    }
    let lines = BufReader::new(reader)
        .lines()
        .map(Result::unwrap)
        .take(sent);
    let text = lines.collect::<Vec<_>>().join("\n");
    assert_eq!(numbers(&text), (0..sent).collect::<Vec<_>>());
}

fn worker(path: &Path) -> (Worker, Arc<Shared>) {
    let shared = Arc::new(Shared {
        queue: Mutex::new(Queue {
            bytes: Vec::new(),
            accepted: 0,
            settled: 0,
            hurry: false,
            reopen: false,
            stop: false,
        }),
        work: Condvar::new(),
        progress: Condvar::new(),
        metrics: metrics(),
    });
    let sink = Sink::File(path.to_owned());
    let worker = Worker {
        shared: Arc::clone(&shared),
        output: Output::open(&sink).unwrap(),
        batch: Vec::new(),
        rotation_checked: Instant::now(),
        troubles: Troubles::new(sink, Arc::<Told>::default()),
    };
    (worker, shared)
}

fn submit_and_write(worker: &mut Worker, shared: &Shared, line: &[u8]) {
    shared.queue.lock().bytes.extend_from_slice(line);
    assert!(worker.run_once());
}
