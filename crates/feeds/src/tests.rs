use std::fs;
use std::path::Path;
use std::sync::Arc;

use palisade_decisions::{DecisionTable, Remedy, SourceId};
use palisade_vocabulary::{ByteSize, Ip, Place, Tick};
use parking_lot::Mutex;

use crate::parse::{Format, Limits};
use crate::*;

/// Lists of files in a folder of their own, at a time of their own.
struct Stage {
    folder: tempfile::TempDir,
    table: Arc<DecisionTable>,
    now: Arc<Mutex<Tick>>,
    lists: Lists,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let table = Arc::new(DecisionTable::new());
        let now = Arc::new(Mutex::new(Tick::from_millis(1_000)));
        let clock = Arc::clone(&now);
        let lists = Lists::offline(
            Arc::clone(&table),
            Some(folder.path().join("state")),
            Arc::new(move || *clock.lock()),
            |_, _| {},
        );
        Self {
            folder,
            table,
            now,
            lists,
        }
    }

    /// A block list of that name, in a file of that name.
    fn list(&self, name: &str) -> ListSettings {
        ListSettings {
            name: name.parse().unwrap(),
            purpose: Purpose::Block(BlockSettings {
                remedy: Remedy::Ban,
                hold: None,
            }),
            source: ListSource::File(self.folder.path().join(name)),
            format: Format::Text,
            bytes_max: ByteSize::kib(64),
            limits: Limits {
                entries_max: 100,
                wide_ranges: false,
            },
            may_be_empty: false,
        }
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
    }

    fn change(&self, wanted: &[ListSettings]) {
        let change = ListsChange::prepare(wanted.to_vec()).unwrap();
        self.lists.change(change);
    }

    fn origin(&self, client: &str) -> Option<String> {
        let client: Ip = client.parse().unwrap();
        let now = *self.now.lock();
        let found = self.table.lookup(client, &Place::UNAVAILABLE, now)?;
        Some(format!("{} {}", found.remedy(), found.origin_label()))
    }

    fn is_banned(&self, client: &str) -> bool {
        self.origin(client).is_some()
    }
}

fn hold(seconds: u64) -> Option<HoldTime> {
    Some(HoldTime::new(std::time::Duration::from_secs(seconds)).unwrap())
}

#[test]
fn a_change_touches_nothing_but_what_it_is_about() {
    let stage = Stage::new();
    stage.write("a", "192.0.2.1\n192.0.2.2\n");
    stage.write("b", "192.0.2.2\n");
    let (a, b) = (stage.list("a"), stage.list("b"));
    stage.change(&[a.clone(), b.clone()]);
    assert_eq!(stage.origin("192.0.2.1").unwrap(), "ban lists:a");
    assert_eq!(stage.table.len(), 3);
    let generation = stage.table.generation();
    stage.change(&[a.clone(), b.clone()]);
    assert_eq!(stage.table.generation(), generation, "nothing changed");

    // Another remedy is said again of all.
    let mut other = a.clone();
    other.purpose = Purpose::Block(BlockSettings {
        remedy: Remedy::Captcha,
        hold: None,
    });
    stage.change(&[other, b.clone()]);
    assert_eq!(stage.origin("192.0.2.1").unwrap(), "captcha lists:a");
    assert_eq!(stage.origin("192.0.2.2").unwrap(), "ban lists:b");
    assert_eq!(stage.table.len(), 3);

    stage.change(&[b]);
    assert!(!stage.is_banned("192.0.2.1"));
    assert_eq!(stage.table.len(), 1);
    let shown: Vec<_> = stage
        .lists
        .statuses()
        .iter()
        .map(|list| list.name.clone())
        .collect();
    assert_eq!(shown, ["b"]);
    assert!(
        !stage
            .folder
            .path()
            .join("state/lists/block-a.list")
            .exists()
    );
    stage.change(&[]);
    assert!(stage.table.is_empty());
}

#[test]
fn what_cannot_be_used_leaves_the_last_good_copy() {
    let stage = Stage::new();
    stage.write("a", "192.0.2.1\n");
    let mut list = stage.list("a");
    stage.change(std::slice::from_ref(&list));
    // Other settings make it read again.
    for (entries_max, text) in [(90, ""), (80, "<html>"), (70, "0.0.0.0/0\n")] {
        stage.write("a", text);
        list.limits.entries_max = entries_max;
        stage.change(std::slice::from_ref(&list));
        assert!(stage.is_banned("192.0.2.1"), "{text:?}");
        let status = &stage.lists.statuses()[0];
        assert_eq!(
            (status.entries(), status.consecutive_failures() > 0),
            (1, true)
        );
    }
    list.may_be_empty = true;
    stage.write("a", "# nobody\n");
    stage.change(&[list]);
    assert!(stage.table.is_empty());
    assert_eq!(stage.lists.statuses()[0].consecutive_failures(), 0);
}

#[test]
fn a_saved_copy_is_used_where_the_source_is_away_and_is_its_own() {
    let stage = Stage::new();
    stage.write("a", "192.0.2.1\n");
    let list = stage.list("a");
    stage.change(std::slice::from_ref(&list));
    let copy = CopyFile::of(&list, &stage.folder.path().join("state"));
    let saved = copy.load().unwrap().unwrap();
    assert_eq!(saved.bytes, b"192.0.2.1\n");

    fs::remove_file(stage.folder.path().join("a")).unwrap();
    let table = Arc::new(DecisionTable::new());
    let directory = Some(stage.folder.path().join("state"));
    let clock = Arc::new(|| Tick::from_millis(5));
    let lists = Lists::offline(Arc::clone(&table), directory, clock, |_, _| {});
    lists.restore(vec![list.clone()]);
    assert_eq!(table.len(), 1);
    assert_eq!(
        table.counts()[0].source,
        SourceId::List(palisade_decisions::ListId(0))
    );

    // Another source of the same name has another copy.
    let mut moved = list.clone();
    moved.source = ListSource::File(Path::new("/nowhere/b").to_owned());
    let moved = CopyFile::of(&moved, &stage.folder.path().join("state"));
    assert_eq!(moved.load(), Ok(None));

    let mut bytes = fs::read(copy.path()).unwrap();
    *bytes.last_mut().unwrap() = b'x';
    fs::write(copy.path(), &bytes).unwrap();
    assert_eq!(copy.load(), Err(CopyError::Corrupt));
    assert_eq!(copy.load(), Ok(None), "it is put aside");
    for foreign in [&b""[..], b"\n", b"{}\n192.0.2.1", b"192.0.2.1\n"] {
        fs::write(copy.path(), foreign).unwrap();
        assert_eq!(copy.load(), Err(CopyError::Foreign), "{foreign:?}");
    }
}

#[test]
fn an_entry_ends_by_its_time_where_it_has_one() {
    let stage = Stage::new();
    stage.write("a", "192.0.2.1\n");
    stage.write("b", "192.0.2.2\n");
    let mut a = stage.list("a");
    a.purpose = Purpose::Block(BlockSettings {
        remedy: Remedy::Ban,
        hold: hold(60),
    });
    stage.change(&[a, stage.list("b")]);
    *stage.now.lock() = Tick::from_millis(60_999);
    assert!(stage.is_banned("192.0.2.1"));
    *stage.now.lock() = Tick::from_millis(61_001);
    assert!(!stage.is_banned("192.0.2.1"));
    *stage.now.lock() = Tick::from_millis(u64::from(u32::MAX) * 1_000);
    assert!(stage.is_banned("192.0.2.2"));
}

#[test]
fn an_allow_list_is_asked_for_by_whoever_decides() {
    let stage = Stage::new();
    stage.write("a", "192.0.2.0/24\n");
    let mut list = stage.list("a");
    list.purpose = Purpose::Allow;
    stage.change(&[list]);
    let client: Ip = "192.0.2.7".parse().unwrap();
    assert!(stage.table.version().is_allowed(client));
    assert!(
        !stage
            .table
            .version()
            .is_allowed("198.51.100.1".parse().unwrap())
    );
    assert!(stage.table.is_empty(), "nobody is decided about");
    stage.change(&[]);
    assert!(!stage.table.version().is_allowed(client));
}

#[test]
fn who_asks_how_lists_are_does_not_wait_for_one_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a"), "192.0.2.1\n").unwrap();
    let (reading, read) = std::sync::mpsc::sync_channel(0);
    let (go_on, gone_on) = std::sync::mpsc::sync_channel(0);
    let gone_on = Mutex::new(gone_on);
    // The time is asked for when the entries of the file are there.
    let clock = move || {
        reading.send(()).unwrap();
        gone_on.lock().recv().unwrap();
        Tick::from_millis(1)
    };
    let table = Arc::new(DecisionTable::new());
    let lists = Arc::new(Lists::offline(table, None, Arc::new(clock), |_, _| {}));
    let stage = Stage::new();
    let mut list = stage.list("a");
    list.source = ListSource::File(folder.path().join("a"));
    let changing = Arc::clone(&lists);
    let change = ListsChange::prepare(vec![list]).unwrap();
    let changes = std::thread::spawn(move || changing.change(change));
    read.recv().unwrap();
    let (asked, answer) = (Arc::clone(&lists), std::sync::mpsc::sync_channel(1));
    std::thread::spawn(move || answer.0.send(asked.statuses().len()));
    let patience = std::time::Duration::from_secs(20);
    assert_eq!(answer.1.recv_timeout(patience), Ok(0), "none yet, at once");
    go_on.send(()).unwrap();
    changes.join().unwrap();
    assert_eq!(lists.statuses().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_file_that_stays_as_it_is_keeps_its_entries_from_ending() {
    let stage = Stage::new();
    stage.write("a", "192.0.2.1\n");
    let mut list = stage.list("a");
    list.purpose = Purpose::Block(BlockSettings {
        remedy: Remedy::Ban,
        hold: hold(60),
    });
    let begun = tokio::time::Instant::now();
    let now = move || Tick::from_millis(1 + begun.elapsed().as_millis() as u64);
    let table = Arc::new(DecisionTable::new());
    let runtime = tokio::runtime::Handle::current();
    let lists = Lists::new(Arc::clone(&table), None, Arc::new(now), runtime, |_, _| {});
    lists.change(ListsChange::prepare(vec![list]).unwrap());
    let client: Ip = "192.0.2.1".parse().unwrap();
    let is_banned = || table.lookup(client, &Place::UNAVAILABLE, now()).is_some();
    for _ in 0..10 {
        tokio::time::sleep(std::time::Duration::from_secs(50)).await;
        assert!(is_banned(), "after {:?}", begun.elapsed());
    }
    fs::remove_file(stage.folder.path().join("a")).unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(70)).await;
    assert!(!is_banned(), "its source names it no longer");
}
