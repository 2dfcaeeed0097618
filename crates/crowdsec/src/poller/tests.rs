use std::collections::VecDeque;
use std::sync::Mutex;

use palisade_vocabulary::Place;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::*;
use crate::credentials::{Credentials, Secret};
use crate::event::Severity;
use crate::settings::UpdateInterval;
use crate::test_lapi::{Answer, TestLapi};
use crate::wire::parse_answer;
use palisade_remote::ConnectStage;

const EMPTY: &str = r#"{"new":null,"deleted":null}"#;

/// Gives the answers of a script; then says that it is over, and never answers again.
struct Script {
    answers: Mutex<VecDeque<Result<String, PollError>>>,
    clock: Arc<dyn Clock>,
    pulls: Arc<Mutex<Vec<(Pull, u64)>>>,
    is_over: Arc<Notify>,
}

impl Source for Script {
    fn pull(&self, pull: Pull) -> Answering<'_> {
        let answer = self.answers.lock().unwrap().pop_front();
        let now = self.clock.now();
        Box::pin(async move {
            let Some(answer) = answer else {
                self.is_over.notify_one();
                return std::future::pending().await;
            };
            self.pulls.lock().unwrap().push((pull, now.as_millis()));
            answer.map(|document| parse_answer(document.as_bytes(), now).unwrap())
        })
    }
}

/// A poller's surroundings, in which only the answers are made up. Time is tokio's, paused: it runs
/// only while everybody waits.
struct Stage {
    table: Arc<DecisionTable>,
    clock: Arc<dyn Clock>,
    events: Arc<Mutex<Vec<(Severity, String)>>>,
    pulls: Arc<Mutex<Vec<(Pull, u64)>>>,
    /// Told with each event.
    happened: Arc<Notify>,
    state_directory: Option<tempfile::TempDir>,
}

impl Stage {
    fn new() -> Self {
        let start = Instant::now();
        let clock = move || Tick::from_millis(u64::try_from(start.elapsed().as_millis()).unwrap());
        Self {
            table: Arc::new(DecisionTable::new()),
            clock: Arc::new(clock),
            events: Arc::default(),
            pulls: Arc::default(),
            happened: Arc::default(),
            state_directory: None,
        }
    }

    fn poller(&self, settings: &Settings) -> Poller {
        let (events, happened) = (Arc::clone(&self.events), Arc::clone(&self.happened));
        let observer = move |event: &LapiEvent| {
            let line = (event.severity(), event.to_string());
            events.lock().unwrap().push(line);
            happened.notify_one();
        };
        let (table, clock) = (Arc::clone(&self.table), Arc::clone(&self.clock));
        let mut poller = Poller::new(settings, table, clock, Arc::new(observer)).unwrap();
        poller.pacing = Pacing::new(settings, Jitter::from_seed(1));
        match &self.state_directory {
            Some(directory) => poller.with_state_directory(directory.path()),
            None => poller,
        }
    }

    /// Polls until the script is over.
    async fn run(
        &self,
        answers: impl IntoIterator<Item = Result<String, PollError>>,
    ) -> Arc<LapiStatus> {
        let is_over = Arc::new(Notify::new());
        let mut poller = self.poller(&settings("http://127.0.0.1:8080/"));
        poller.source = Box::new(Script {
            answers: Mutex::new(answers.into_iter().collect()),
            clock: Arc::clone(&self.clock),
            pulls: Arc::clone(&self.pulls),
            is_over: Arc::clone(&is_over),
        });
        let status = poller.status();
        poller.run(async { is_over.notified().await }).await;
        status
    }

    fn pulls(&self) -> Vec<Pull> {
        self.pulls
            .lock()
            .unwrap()
            .iter()
            .map(|(pull, _)| *pull)
            .collect()
    }

    fn is_banned(&self, address: &str) -> bool {
        let now = self.clock.now();
        self.table
            .lookup(address.parse().unwrap(), &Place::UNAVAILABLE, now)
            .is_some()
    }

    /// Lines for the log of that severity.
    fn lines(&self, severity: Severity) -> Vec<String> {
        let events = self.events.lock().unwrap();
        let lines = events.iter().filter(|(of, _)| *of == severity);
        lines.map(|(_, line)| line.clone()).collect()
    }
}

fn settings(url: &str) -> Settings {
    let key = Credentials::ApiKey(Secret::new("key").unwrap());
    Settings::new(url.parse().unwrap(), key).unwrap()
}

/// A document with bans of four hours, and deleted ones.
fn document(new: &[(u64, &str)], deleted: &[(u64, &str)]) -> String {
    let list = |decisions: &[(u64, &str)]| {
        let decisions = decisions.iter().map(|(id, value)| {
            format!(r#"{{"duration":"4h0m0s","id":{id},"origin":"cscli","scenario":"x","scope":"Ip","type":"ban","value":"{value}"}}"#)
        });
        decisions.collect::<Vec<_>>().join(",")
    };
    format!(
        "{{\"new\":[{}],\"deleted\":[{}]}}",
        list(new),
        list(deleted)
    )
}

fn unreachable() -> PollError {
    PollError::Unreachable {
        stage: ConnectStage::Connect,
        reason: "Connection refused".to_owned(),
    }
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_then_what_changed_every_interval() {
    let stage = Stage::new();
    let status = stage
        .run([
            Ok(document(&[(1, "192.0.2.1"), (2, "192.0.2.2")], &[])),
            Ok(EMPTY.to_owned()),
            Ok(document(&[(3, "192.0.2.3")], &[(1, "192.0.2.1")])),
        ])
        .await;
    let expected = [
        (Pull::Snapshot, 0),
        (Pull::Delta, 10_000),
        (Pull::Delta, 20_000),
    ];
    assert_eq!(*stage.pulls.lock().unwrap(), expected);
    assert!(!stage.is_banned("192.0.2.1"));
    assert!(stage.is_banned("192.0.2.2") && stage.is_banned("192.0.2.3"));
    let totals = status.totals();
    assert_eq!((totals.added, totals.deleted), (3, 1));
    assert_eq!(status.last_good_poll(), Some(Tick::from_millis(20_000)));
    assert_eq!(
        stage.lines(Severity::Info).len(),
        2,
        "an empty answer is no news"
    );
}

#[tokio::test(start_paused = true)]
async fn failed_polls_keep_everything() {
    let stage = Stage::new();
    let failures = (0..5).map(|_| Err(unreachable()));
    let answers = [Ok(document(&[(1, "192.0.2.1")], &[]))]
        .into_iter()
        .chain(failures);
    let status = stage.run(answers).await;
    assert!(stage.is_banned("192.0.2.1"));
    assert_eq!(status.consecutive_failures(), 5);
    let line = "LAPI can't be reached (its address): Connection refused; poll 1 in a row that failed; the last good one was 10 s ago";
    assert_eq!(stage.lines(Severity::Warning), [line]);
}

#[tokio::test(start_paused = true)]
async fn the_log_hears_of_a_failure_at_first_and_every_five_minutes() {
    let stage = Stage::new();
    stage.run((0..30).map(|_| Err(unreachable()))).await;
    let minutes = stage.clock.now().as_millis() / 60_000;
    let told = stage.lines(Severity::Warning).len() as u64;
    assert!(
        minutes > 10 && told > 1 && told <= minutes / 5 + 1,
        "{told} lines in {minutes} minutes"
    );
}

#[tokio::test(start_paused = true)]
async fn a_wrong_key_is_an_error_of_its_own_and_ends_with_a_snapshot() {
    let stage = Stage::new();
    let refused = || Err(PollError::KeyRefused { status: 403 });
    let status = stage
        .run([
            Ok(document(&[(1, "192.0.2.1")], &[])),
            Err(unreachable()),
            refused(),
            refused(),
        ])
        .await;
    assert!(status.is_key_refused() && stage.is_banned("192.0.2.1"));
    let errors = stage.lines(Severity::Error);
    assert!(
        errors.len() == 1 && errors[0].contains("refuses the key"),
        "{errors:?}"
    );

    let stage = Stage::new();
    let status = stage
        .run([
            Ok(EMPTY.to_owned()),
            refused(),
            Ok(EMPTY.to_owned()),
            Ok(EMPTY.to_owned()),
        ])
        .await;
    let expected = [Pull::Snapshot, Pull::Delta, Pull::Snapshot, Pull::Delta];
    assert_eq!(stage.pulls(), expected);
    assert!(!status.is_key_refused());
    assert!(
        stage
            .lines(Severity::Info)
            .contains(&"LAPI answers again, after 1 polls that failed".to_owned())
    );
}

#[tokio::test(start_paused = true)]
async fn a_short_snapshot_wipes_nothing_until_a_second_one_agrees() {
    let stage = Stage::new();
    let both = document(&[(1, "192.0.2.1"), (2, "192.0.2.2")], &[]);
    let one = || document(&[(1, "192.0.2.1")], &[]);
    let malformed = || {
        Err(PollError::TimedOut {
            after: Duration::from_secs(10),
        })
    };
    stage.run([Ok(both), malformed(), Ok(one())]).await;
    assert!(stage.is_banned("192.0.2.2"));

    let deltas = (0..10).map(|_| Ok(EMPTY.to_owned()));
    let stage = Stage::new();
    let both = document(&[(1, "192.0.2.1"), (2, "192.0.2.2")], &[]);
    stage
        .run([Ok(both), malformed(), Ok(one())].into_iter().chain(deltas))
        .await;
    let second = stage
        .pulls()
        .iter()
        .rposition(|pull| *pull == Pull::Snapshot);
    assert!(
        second > Some(2),
        "the doubt is settled soon: {:?}",
        stage.pulls()
    );
}

#[tokio::test(start_paused = true)]
async fn a_second_short_snapshot_settles_it() {
    let stage = Stage::new();
    let both = document(&[(1, "192.0.2.1"), (2, "192.0.2.2")], &[]);
    let one = || Ok(document(&[(1, "192.0.2.1")], &[]));
    let lost = || {
        Err(PollError::Truncated {
            reason: String::new(),
        })
    };
    stage.run([Ok(both), lost(), one(), lost(), one()]).await;
    assert!(stage.is_banned("192.0.2.1") && !stage.is_banned("192.0.2.2"));
}

/// It tells of the longer of two bans alone, and of the end of the other one: that is all it says of
/// either when both are over.
#[tokio::test(start_paused = true)]
async fn an_lapi_that_ignores_dedup_false_frees_a_client_soon() {
    let stage = Stage::new();
    let told = Ok(document(&[(10, "192.0.2.5"), (11, "192.0.2.6")], &[]));
    let ended = Ok(document(&[], &[(9, "192.0.2.5")]));
    // As good as nothing for a delta, and all that there is for a snapshot.
    let still = (0..8).map(|_| Ok(document(&[(11, "192.0.2.6")], &[])));
    stage.run([told, ended].into_iter().chain(still)).await;
    let snapshots = stage
        .pulls()
        .iter()
        .filter(|pull| **pull == Pull::Snapshot)
        .count();
    assert_eq!(snapshots, 2);
    assert!(!stage.is_banned("192.0.2.5") && stage.is_banned("192.0.2.6"));
}

#[tokio::test(start_paused = true)]
async fn a_restart_without_lapi_begins_with_what_was_known() {
    let mut stage = Stage::new();
    stage.state_directory = Some(tempfile::tempdir().unwrap());
    stage
        .run([Ok(document(&[(1, "192.0.2.1"), (2, "192.0.2.2")], &[]))])
        .await;

    stage.table = Arc::new(DecisionTable::new());
    let status = stage.run([Err(unreachable())]).await;
    assert!(stage.is_banned("192.0.2.1") && stage.is_banned("192.0.2.2"));
    assert!(!status.is_synced(), "what was saved is no answer of LAPI");

    stage.table = Arc::new(DecisionTable::new());
    let one = || Ok(document(&[(1, "192.0.2.1")], &[]));
    let lost = || {
        Err(PollError::Truncated {
            reason: String::new(),
        })
    };
    stage.run([one()]).await;
    assert_eq!(stage.table.len(), 2, "known ones are updated, not doubled");
    assert!(
        stage.is_banned("192.0.2.2"),
        "one snapshot without it may be a short one"
    );

    stage.run([one(), lost(), one()]).await;
    assert!(stage.is_banned("192.0.2.1") && !stage.is_banned("192.0.2.2"));
}

#[tokio::test(start_paused = true)]
async fn changes_are_saved_while_it_runs_and_a_lost_disk_is_told() {
    let mut stage = Stage::new();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("crowdsec-decisions.jsonl");
    stage.state_directory = Some(directory);
    let deltas = (2..9).map(|id| Ok(document(&[(id, "192.0.2.9")], &[])));
    stage
        .run(
            [Ok(document(&[(1, "192.0.2.1")], &[]))]
                .into_iter()
                .chain(deltas),
        )
        .await;
    assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 10);

    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    stage.run([Ok(document(&[(1, "192.0.2.1")], &[]))]).await;
    let warnings = stage.lines(Severity::Warning);
    assert!(
        warnings.iter().any(|line| line.contains("can't be saved")),
        "{warnings:?}"
    );
}

#[test]
fn saving_is_tried_again_soon_and_told_seldom() {
    let seconds = |seconds: u64| Tick::from_millis(seconds * 1_000);
    let mut saving = Saving {
        file: SavedFile::of_operator(Path::new("/nowhere")),
        not_before: seconds(0),
        is_due: true,
        failures: 0,
        told: None,
    };
    let mut told = Vec::new();
    let mut waits = Vec::new();
    let mut now = seconds(0);
    for _ in 0..14 {
        if saving.failed(now) {
            told.push(now.as_millis() / 1_000);
        }
        waits.push(saving.not_before.since(now).as_secs());
        now = saving.not_before;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60, 60, 60]);
    assert_eq!(told, [0, 303]);
    assert!(saving.is_due, "it is still to be saved");
    assert!(saving.succeeded(now), "told that it works again");
    assert!(!saving.is_due && !saving.succeeded(now));
}

#[tokio::test(start_paused = true)]
async fn what_was_left_out_is_counted_and_told() {
    let stage = Stage::new();
    let status = stage
        .run([Ok(document(&[(1, "192.0.2.1"), (2, "nobody")], &[]))])
        .await;
    assert!(stage.is_banned("192.0.2.1"));
    assert_eq!(status.totals().skipped, 1);
    let line = "1 decisions of LAPI were left out; decision 2: \"nobody\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1";
    assert_eq!(stage.lines(Severity::Warning), [line]);
}

/// Real time and sockets.
#[tokio::test]
async fn over_a_socket_it_survives_what_an_lapi_may_do() {
    let bans = document(&[(1, "192.0.2.1")], &[]);
    let lapi = TestLapi::start(vec![
        Answer::Status(500, "{\"message\":\"database is locked\"}".to_owned()),
        Answer::cut(&bans, 20),
        Answer::document(&bans),
        Answer::document(&document(&[(2, "192.0.2.2")], &[(1, "192.0.2.1")])),
        Answer::document(EMPTY),
    ]);
    let mut settings = settings(&lapi.url());
    settings.update_interval = UpdateInterval::new(Duration::from_secs(1)).unwrap();
    let stage = Stage::new();
    let poller = stage.poller(&settings);
    let status = poller.status();
    let second_change = async {
        while status.totals().deleted == 0 {
            stage.happened.notified().await;
        }
    };
    poller.run(second_change).await;
    assert!(!stage.is_banned("192.0.2.1") && stage.is_banned("192.0.2.2"));
    assert_eq!(stage.lines(Severity::Warning).len(), 2);
    let startups: Vec<bool> = lapi
        .heads()
        .iter()
        .map(|head| head.contains("startup=true"))
        .collect();
    assert_eq!(startups, [true, true, true, false]);
}

#[tokio::test]
async fn it_may_run_on_any_thread() {
    fn needs_send(_: impl Send) {}
    let poller = Stage::new().poller(&settings("http://127.0.0.1:8080/"));
    needs_send(poller.run(std::future::ready(())));
}
