//! What real LAPIs were seen to say, in order, and whom the table refuses after each document.
//!
//! Times are seconds. Each step is a document and what holds for an address afterwards.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::time::Duration;

use palisade_decisions::{
    Applied, Decision, DecisionId, DecisionTable, Deletion, Delta, Remedy, Scope, SourceId,
};
use palisade_vocabulary::{Place, Tick};

const HOUR: i64 = 3600;

/// A decision as LAPI writes it: id, type, value, duration in seconds.
type Row = (u64, &'static str, &'static str, i64);

/// A table that is told one document after the other.
struct Conversation {
    table: DecisionTable,
    now: Tick,
}

impl Conversation {
    fn new() -> Self {
        Self {
            table: DecisionTable::new(),
            now: Tick::from_millis(1_000_000),
        }
    }

    fn wait(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }

    fn delta(&mut self, deleted: &[Row], new: &[Row]) -> Applied {
        self.wait(10);
        self.table
            .apply(SourceId::CrowdSec, self.document(deleted, new), self.now)
    }

    fn snapshot(&mut self, deleted: &[Row], new: &[Row]) -> Applied {
        self.wait(10);
        let document = self.document(deleted, new);
        self.table
            .apply_snapshot(SourceId::CrowdSec, document, self.now)
    }

    fn document(&self, deleted: &[Row], new: &[Row]) -> Delta {
        let scope = |value: &str| Scope::parse("ip", value).unwrap();
        let deleted = deleted.iter().map(|(id, remedy, value, _)| Deletion {
            scope: scope(value),
            id: DecisionId::new(*id),
            remedy: Some(Remedy::parse(remedy)),
        });
        let added = new.iter().map(|(id, remedy, value, seconds)| Decision {
            id: DecisionId::new(*id),
            scope: scope(value),
            remedy: Remedy::parse(remedy),
            origin: "cscli".into(),
            scenario: "manual".into(),
            // Negative durations are what `deleted` has; in `new` they would be over.
            expires: self.now + Duration::from_secs(u64::try_from(*seconds).unwrap_or(0)),
        });
        Delta {
            deleted: deleted.collect(),
            added: added.collect(),
        }
    }

    #[track_caller]
    fn check(&self, address: &str, expected: &str) {
        let found = self
            .table
            .lookup(address.parse().unwrap(), &Place::UNAVAILABLE, self.now);
        let got = found.map_or("pass".to_owned(), |found| {
            format!(
                "{} {}",
                found.remedy(),
                found.id().map_or(0, DecisionId::get)
            )
        });
        assert_eq!(got, expected, "{address}");
    }
}

#[test]
fn of_two_bans_each_is_taken_back_by_itself() {
    let mut lapi = Conversation::new();
    let (long, short) = (
        (14, "ban", "9.9.9.9", 4 * HOUR),
        (15, "ban", "9.9.9.9", 2 * HOUR),
    );
    let applied = lapi.delta(&[], &[long, short]);
    assert_eq!((applied.added, applied.doubted), (2, 0));
    lapi.check("9.9.9.9", "ban 14");
    let applied = lapi.delta(&[long], &[]);
    assert_eq!(
        (applied.deleted, applied.doubted),
        (1, 0),
        "both were named at once: no doubt"
    );
    lapi.check("9.9.9.9", "ban 15");
    // LAPI's deletions overlap by two seconds, so that they come twice.
    let applied = lapi.delta(&[long], &[]);
    assert_eq!((applied.not_held, applied.doubted), (1, 0));
    lapi.check("9.9.9.9", "ban 15");
    lapi.delta(&[short], &[]);
    lapi.check("9.9.9.9", "pass");
}

#[test]
fn bans_named_one_after_the_other_are_exact_too() {
    let mut lapi = Conversation::new();
    let (long, short) = (
        (14, "ban", "9.9.9.9", 4 * HOUR),
        (15, "ban", "9.9.9.9", 2 * HOUR),
    );
    lapi.delta(&[], &[long]);
    lapi.delta(&[], &[short]);
    assert_eq!(
        lapi.delta(&[long], &[]).doubted,
        1,
        "only a snapshot can tell"
    );
    lapi.check("9.9.9.9", "ban 15");
    assert_eq!(lapi.snapshot(&[long], &[short]).doubted, 0);
    lapi.check("9.9.9.9", "ban 15");
    lapi.delta(&[short], &[]);
    lapi.check("9.9.9.9", "pass");
}

#[test]
fn a_hidden_ban_that_outlives_the_named_one_keeps_the_address_out() {
    let mut lapi = Conversation::new();
    let (long, short) = (
        (14, "ban", "9.9.9.9", 4 * HOUR),
        (15, "ban", "9.9.9.9", 2 * HOUR),
    );
    lapi.delta(&[], &[long]);
    // The long one is deleted; the short one, never named, still holds: nothing is said.
    lapi.delta(&[], &[]);
    lapi.check("9.9.9.9", "ban 14");
    lapi.snapshot(&[], &[short]);
    lapi.check("9.9.9.9", "ban 14");
    assert_eq!(lapi.delta(&[short], &[]).doubted, 1);
    lapi.check("9.9.9.9", "ban 14");
    assert_eq!(lapi.snapshot(&[short], &[]).dropped, 1);
    lapi.check("9.9.9.9", "pass");
}

#[test]
fn a_deletion_of_a_ban_never_named_frees_the_value_with_the_next_snapshot() {
    let mut lapi = Conversation::new();
    let (long, short) = ((16, "ban", "9.9.8.8", 4 * HOUR), (17, "ban", "9.9.8.8", -1));
    lapi.delta(&[], &[long]);
    lapi.delta(&[], &[]);
    let applied = lapi.delta(&[short], &[]);
    assert_eq!((applied.not_held, applied.doubted), (1, 1));
    lapi.check("9.9.8.8", "ban 16");
    let applied = lapi.snapshot(&[short], &[]);
    assert_eq!((applied.dropped, applied.doubted), (1, 0));
    lapi.check("9.9.8.8", "pass");
}

#[test]
fn a_deletion_of_a_ban_never_named_does_not_free_who_is_still_banned() {
    // LAPI names all; the second ban came and went between two polls.
    let mut lapi = Conversation::new();
    let (long, brief) = ((16, "ban", "9.9.8.8", 4 * HOUR), (17, "ban", "9.9.8.8", -1));
    lapi.delta(&[], &[long]);
    assert_eq!(lapi.delta(&[brief], &[]).doubted, 1);
    lapi.check("9.9.8.8", "ban 16");
    let applied = lapi.snapshot(&[brief], &[long]);
    assert_eq!(
        (applied.updated, applied.dropped, applied.doubted),
        (1, 0, 0)
    );
    lapi.check("9.9.8.8", "ban 16");
    // The doubt is gone: one snapshot without it only raises a new one.
    assert_eq!(lapi.snapshot(&[], &[]).doubted, 1);
    lapi.check("9.9.8.8", "ban 16");
}

#[test]
fn nothing_outlives_its_own_time() {
    let mut lapi = Conversation::new();
    lapi.delta(&[], &[(16, "ban", "9.9.8.8", 4 * HOUR)]);
    lapi.delta(&[(17, "ban", "9.9.8.8", -1)], &[]);
    lapi.wait(4 * 3600);
    lapi.check("9.9.8.8", "pass");
}

#[test]
fn a_captcha_and_a_ban_do_not_touch_each_other() {
    let mut lapi = Conversation::new();
    let captcha = (13, "captcha", "6.6.6.6", 2 * HOUR);
    let (ban, short) = ((11, "ban", "6.6.6.6", 4 * HOUR), (12, "ban", "6.6.6.6", 6));
    lapi.delta(&[], &[captcha, ban, short]);
    lapi.check("6.6.6.6", "ban 11");
    let applied = lapi.delta(&[captcha], &[]);
    assert_eq!((applied.deleted, applied.doubted), (1, 0));
    lapi.check("6.6.6.6", "ban 11");
    lapi.delta(&[ban], &[captcha]);
    lapi.check("6.6.6.6", "captcha 13");
}

#[test]
fn a_softer_decision_on_the_address_does_not_hide_a_ban_on_its_range() {
    let mut lapi = Conversation::new();
    let rows = [
        (1, "captcha", "10.20.1.1", HOUR),
        (2, "ban", "10.20.0.0/16", HOUR),
        (3, "throttle", "10.20.1.0/24", HOUR),
    ];
    lapi.delta(&[], &rows);
    lapi.check("10.20.1.1", "ban 2");
    lapi.delta(&[rows[1]], &[]);
    lapi.check("10.20.1.1", "captcha 1");
    lapi.check("10.20.1.2", "throttle 3");
}

#[test]
fn a_deletion_does_not_take_what_its_document_brings() {
    let mut lapi = Conversation::new();
    lapi.snapshot(
        &[(1, "ban", "1.2.3.4", -7), (2, "ban", "1.2.3.4", -3)],
        &[(2, "ban", "1.2.3.4", HOUR)],
    );
    lapi.check("1.2.3.4", "ban 2");
    // Without ids, by value.
    lapi.delta(&[(0, "ban", "5.6.7.8", -7)], &[(0, "ban", "5.6.7.8", HOUR)]);
    lapi.check("5.6.7.8", "ban 0");
    lapi.delta(&[(0, "ban", "5.6.7.8", -7)], &[]);
    lapi.check("5.6.7.8", "pass");
}

#[test]
fn a_refreshed_block_list_has_new_ids_and_longer_times() {
    // CAPI's refresh deletes rows without a word and writes them anew.
    let mut lapi = Conversation::new();
    lapi.snapshot(&[], &[(100, "ban", "7.7.7.7", 30)]);
    lapi.delta(&[], &[(200, "ban", "7.7.7.7", HOUR)]);
    lapi.check("7.7.7.7", "ban 200");
    lapi.wait(30);
    lapi.check("7.7.7.7", "ban 200");
    assert_eq!(
        lapi.snapshot(&[], &[(200, "ban", "7.7.7.7", HOUR)]).doubted,
        0
    );
    assert_eq!(lapi.table.len(), 1);
}

#[test]
fn a_snapshot_cut_short_frees_nobody() {
    let mut lapi = Conversation::new();
    let rows = [
        (1, "ban", "1.1.1.1", HOUR),
        (2, "ban", "2.2.2.2", HOUR),
        (3, "ban", "3.3.3.3", HOUR),
    ];
    lapi.snapshot(&[], &rows);
    let applied = lapi.snapshot(&[], &rows[..1]);
    assert_eq!((applied.dropped, applied.doubted), (0, 2));
    for (id, _, address, _) in rows {
        lapi.check(address, &format!("ban {id}"));
    }
    assert_eq!(lapi.snapshot(&[], &rows).doubted, 0);
    lapi.snapshot(&[], &rows[1..]);
    lapi.check("1.1.1.1", "ban 1");
}

#[test]
fn what_two_snapshots_do_not_name_is_gone() {
    // LAPI's database was wiped: there will be no deletions.
    let mut lapi = Conversation::new();
    lapi.snapshot(
        &[],
        &[(1, "ban", "1.1.1.1", HOUR), (2, "ban", "2.2.2.2", HOUR)],
    );
    // Ids start again: the same number on another value is another decision.
    let new = [(1, "ban", "2.2.2.2", 2 * HOUR)];
    lapi.snapshot(&[], &new);
    lapi.check("1.1.1.1", "ban 1");
    let applied = lapi.snapshot(&[], &new);
    assert_eq!(applied.dropped, 2);
    lapi.check("1.1.1.1", "pass");
    lapi.check("2.2.2.2", "ban 1");
}

#[test]
fn a_lapi_that_is_replaced_must_prove_again_that_it_names_all() {
    let mut lapi = Conversation::new();
    let (long, short) = (
        (1, "ban", "1.1.1.1", 4 * HOUR),
        (2, "ban", "1.1.1.1", 2 * HOUR),
    );
    lapi.snapshot(&[], &[long, short]);
    assert_eq!(lapi.delta(&[(3, "ban", "1.1.1.1", -1)], &[]).doubted, 0);
    lapi.snapshot(&[], &[long]);
    assert_eq!(lapi.delta(&[(3, "ban", "1.1.1.1", -1)], &[]).doubted, 2);
    // Equal ends prove nothing: a LAPI that hides names both. Nor do ends that rounding moved.
    lapi.snapshot(
        &[],
        &[(4, "ban", "1.1.1.1", HOUR), (5, "ban", "1.1.1.1", HOUR + 1)],
    );
    assert!(lapi.delta(&[(6, "ban", "1.1.1.1", -1)], &[]).doubted > 0);
}

#[test]
fn what_is_over_when_it_comes_is_left_out() {
    let mut lapi = Conversation::new();
    let applied = lapi.delta(&[], &[(1, "ban", "1.1.1.1", 0), (2, "ban", "1.1.1.1", -5)]);
    assert_eq!((applied.stale, applied.added), (2, 0));
    lapi.check("1.1.1.1", "pass");
    assert!(lapi.table.is_empty());
}

#[test]
fn values_are_one_however_they_are_written() {
    let mut lapi = Conversation::new();
    lapi.delta(
        &[],
        &[
            (1, "ban", "::ffff:9.9.9.9", HOUR),
            (2, "ban", "10.20.30.40/16", HOUR),
        ],
    );
    lapi.check("9.9.9.9", "ban 1");
    lapi.check("::ffff:10.20.0.1", "ban 2");
    lapi.delta(
        &[(1, "ban", "9.9.9.9/32", -1), (2, "ban", "10.20.0.0/16", -1)],
        &[],
    );
    lapi.check("9.9.9.9", "pass");
    lapi.check("10.20.0.1", "pass");
}

#[test]
fn a_decision_said_again_has_the_new_time() {
    let mut lapi = Conversation::new();
    lapi.delta(
        &[],
        &[(1, "ban", "1.1.1.1", HOUR), (0, "ban", "2.2.2.2", HOUR)],
    );
    let applied = lapi.delta(&[], &[(1, "ban", "1.1.1.1", 60), (0, "ban", "2.2.2.2", 60)]);
    assert_eq!(applied.updated, 2);
    lapi.wait(60);
    lapi.check("1.1.1.1", "pass");
    lapi.check("2.2.2.2", "ban 0");
    lapi.delta(&[], &[(0, "ban", "2.2.2.2", 2 * HOUR)]);
    lapi.wait(3600);
    lapi.check("2.2.2.2", "ban 0");
}
