use std::fs;

use palisade_decisions::{Filter, Remedy};

use super::*;

const NOW: Tick = Tick::from_millis(10_000);
const HOUR: Duration = Duration::from_secs(3_600);

struct House {
    table: Arc<DecisionTable>,
    local: LocalDecisions,
    problem: Option<RestoreProblem>,
}

fn open(state_directory: Option<&Path>) -> House {
    let table = Arc::new(DecisionTable::new());
    let (local, problem) = LocalDecisions::open(Arc::clone(&table), state_directory, NOW);
    House {
        table,
        local,
        problem,
    }
}

fn new(value: &str, remedy: Remedy, reason: &str) -> NewDecision {
    let scope = Scope::parse("Range", value).unwrap();
    NewDecision::new(scope, remedy, HOUR, reason).unwrap()
}

impl House {
    fn add(&self, value: &str) -> Added {
        let new = new(value, Remedy::Ban, "by hand");
        self.local.add(new, NOW).unwrap()
    }

    /// `id value type reason seconds left`, of all sources.
    fn held_at(&self, now: Tick) -> Vec<String> {
        let listing = self.table.list(&Filter::default(), now);
        let rows = listing.decisions.iter().map(|listed| {
            let Decision {
                id,
                scope,
                remedy,
                scenario,
                ..
            } = &listed.decision;
            let id = id.map_or(0, DecisionId::get);
            let seconds = listed.remaining.as_secs();
            format!("{id} {scope} {remedy} {scenario} {seconds}")
        });
        rows.collect()
    }

    fn held(&self) -> Vec<String> {
        self.held_at(NOW)
    }
}

#[test]
fn decisions_have_ids_of_their_own_and_end() {
    let house = open(None);
    let first = house.add("192.0.2.1");
    assert_eq!(first.decision.id, DecisionId::new(1));
    assert_eq!(&*first.decision.origin, "local");
    assert_eq!(first.not_kept, Some(NotKept::NoStateDirectory));
    house.add("10.0.0.0/8");
    assert_eq!(
        house.held(),
        [
            "2 10.0.0.0/8 ban by hand 3600",
            "1 192.0.2.1 ban by hand 3600"
        ]
    );
    assert_eq!(house.held_at(NOW + HOUR), [""; 0]);
}

#[test]
fn the_last_word_on_a_scope_and_type_holds() {
    let house = open(None);
    house.add("192.0.2.1");
    let later = NOW + Duration::from_secs(60);
    let again = new("192.0.2.1/32", Remedy::Ban, "once more");
    let again = house.local.add(again, later).unwrap();
    assert!(again.replaced);
    let other = new("192.0.2.1", Remedy::Captcha, "prove it");
    assert!(!house.local.add(other, later).unwrap().replaced);
    assert_eq!(
        house.held_at(later),
        [
            "1 192.0.2.1 ban once more 3600",
            "2 192.0.2.1 captcha prove it 3600"
        ]
    );
}

#[test]
fn decisions_are_taken_back_by_id_and_by_scope() {
    let house = open(None);
    for value in ["192.0.2.1", "192.0.2.2", "192.0.2.0/24"] {
        house.add(value);
    }
    let captcha = new("192.0.2.2", Remedy::Captcha, "x");
    house.local.add(captcha, NOW).unwrap();
    let delete = |target| {
        let deleted = house.local.delete(target, NOW);
        deleted.map_or(0, |deleted| deleted.decisions.len())
    };
    let id = |number| DeleteTarget::Id(DecisionId::new(number).unwrap());
    let scope = |value| DeleteTarget::Scope(Scope::parse("Ip", value).unwrap());
    assert_eq!(delete(id(1)), 1);
    assert_eq!(delete(id(1)), 0);
    assert_eq!(delete(scope("192.0.2.2")), 2);
    assert_eq!(delete(scope("192.0.2.3")), 0);
    assert_eq!(house.held(), ["3 192.0.2.0/24 ban by hand 3600"]);
    assert_eq!(house.local.flush(NOW).decisions.len(), 1);
    assert_eq!(house.local.flush(NOW).decisions.len(), 0);
}

#[test]
fn what_another_source_says_is_left_alone() {
    let house = open(None);
    let mut lapis = house.add("192.0.2.1").decision;
    lapis.scenario = "LAPI's".into();
    let delta = Delta {
        added: vec![lapis],
        ..Delta::default()
    };
    house.table.apply(SourceId::CrowdSec, delta, NOW);
    let id = DecisionId::new(1).unwrap();
    house.local.delete(DeleteTarget::Id(id), NOW).unwrap();
    house.local.flush(NOW);
    assert_eq!(house.held(), ["1 192.0.2.1 ban LAPI's 3600"]);
}

#[test]
fn there_are_so_many_and_no_more() {
    let directory = tempfile::tempdir().unwrap();
    let max = LocalDecisions::DECISIONS_MAX;
    let decision = |number: usize| {
        let address = u32::try_from(number).unwrap();
        let address = palisade_vocabulary::Ip::from(std::net::Ipv4Addr::from(address));
        let new = NewDecision::new(address.into(), Remedy::Ban, HOUR, "x").unwrap();
        let id = DecisionId::new(u64::try_from(number).unwrap()).unwrap();
        (new.into_decision(id, NOW), HOUR)
    };
    let file = SavedFile::of_operator(directory.path());
    let all: Held = (1..=max + 1).map(decision).collect();
    file.save(&all).unwrap();
    let house = open(Some(directory.path()));
    let path = file.path().to_owned();
    let got = max + 1;
    assert_eq!(
        house.problem,
        Some(RestoreProblem::TooMany { path, got, max })
    );

    let one_more = new("2001:db8::1", Remedy::Ban, "x");
    assert_eq!(
        house.local.add(one_more.clone(), NOW),
        Err(AddError::Full { max })
    );
    assert!(
        house.add("0.0.0.1").replaced,
        "what takes another's place finds room"
    );
    let id = DecisionId::new(7).unwrap();
    house.local.delete(DeleteTarget::Id(id), NOW).unwrap();
    assert!(house.local.add(one_more, NOW).is_ok());
    let full = house.local.add(new("2001:db8::2", Remedy::Ban, "x"), NOW);
    assert_eq!(full, Err(AddError::Full { max }));
    assert!(
        house
            .local
            .add(new("2001:db8::2", Remedy::Ban, "x"), NOW + HOUR)
            .is_ok(),
        "what has ended takes no room"
    );
}

#[test]
fn a_restart_knows_what_was_added_and_taken_back() {
    let directory = tempfile::tempdir().unwrap();
    let house = open(Some(directory.path()));
    assert_eq!(house.problem, None);
    for value in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        assert_eq!(house.add(value).not_kept, None);
    }
    let id = DecisionId::new(2).unwrap();
    let deleted = house.local.delete(DeleteTarget::Id(id), NOW).unwrap();
    assert_eq!(deleted.not_kept, None);

    let restarted = open(Some(directory.path()));
    assert_eq!(restarted.problem, None);
    let ids: Vec<_> = restarted
        .table
        .export(SourceId::Local, NOW)
        .into_iter()
        .map(|(decision, remaining)| {
            assert!(remaining <= HOUR && remaining > HOUR / 2);
            assert_eq!(
                (&*decision.origin, &*decision.scenario),
                ("local", "by hand")
            );
            decision.id.map(DecisionId::get)
        })
        .collect();
    assert_eq!(ids, [Some(1), Some(3)]);
    assert_eq!(restarted.add("192.0.2.4").decision.id, DecisionId::new(4));
    restarted.local.flush(NOW);
    assert_eq!(open(Some(directory.path())).held(), [""; 0]);
}

#[test]
fn what_ended_while_nobody_ran_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let file = SavedFile::of_operator(directory.path());
    let lines = [
        r#"{"format":"palisade-decisions","version":1,"source":"local","saved_at_unix_millis":1000}"#,
        r#"[1,"Ip","192.0.2.1","ban","local","long ago",2000]"#,
        r#"[2,"Ip","192.0.2.2","ban","local","for long",99999999999999]"#,
        r#"{"decisions":2}"#,
    ];
    fs::write(file.path(), lines.join("\n")).unwrap();
    let house = open(Some(directory.path()));
    assert_eq!(house.problem, None);
    let held: Vec<_> = house.table.export(SourceId::Local, NOW);
    assert_eq!(held.len(), 1);
    assert_eq!(&*held[0].0.scenario, "for long");
}

#[test]
fn the_last_word_also_replaces_what_a_file_has_twice() {
    let directory = tempfile::tempdir().unwrap();
    let rows = [(0, Remedy::Ban), (5, Remedy::Ban), (0, Remedy::Captcha)];
    let rows = rows.map(|(id, remedy)| {
        let some_id = DecisionId::new(9).unwrap();
        let decision = new("192.0.2.1", remedy, "old").into_decision(some_id, NOW);
        let id = DecisionId::new(id);
        (Decision { id, ..decision }, HOUR)
    });
    SavedFile::of_operator(directory.path())
        .save(&rows)
        .unwrap();
    let house = open(Some(directory.path()));
    assert_eq!(house.held().len(), 3);
    assert!(house.add("192.0.2.1").replaced);
    assert_eq!(open(Some(directory.path())).held().len(), 2);
    house
        .local
        .delete(DeleteTarget::Id(DecisionId::new(5).unwrap()), NOW)
        .unwrap();
    let [held] = &house.held()[..] else {
        panic!("{:?}", house.held());
    };
    assert!(held.starts_with("0 192.0.2.1 captcha old "), "{held}");
}

#[test]
fn a_file_that_cannot_be_used_is_put_aside_and_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = SavedFile::of_operator(directory.path()).path().to_owned();
    fs::write(&path, "{}\n").unwrap();
    let house = open(Some(directory.path()));
    let expected = format!(
        "can't use the local decisions in {0}: line 1: it is not a file of saved decisions; \
         started without them, and renamed the file to {0}.rejected",
        path.display()
    );
    assert_eq!(house.problem.as_ref().unwrap().to_string(), expected);
    assert_eq!(house.add("192.0.2.1").not_kept, None);
    assert_eq!(open(Some(directory.path())).held().len(), 1);
    let aside = directory.path().join("local-decisions.jsonl.rejected");
    assert_eq!(fs::read_to_string(aside).unwrap(), "{}\n");
}

#[test]
fn a_disk_that_says_no_is_told_and_the_decision_holds() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing");
    let house = open(Some(&missing));
    assert_eq!(house.problem, None);
    let not_kept = house.add("192.0.2.1").not_kept.unwrap();
    assert!(matches!(not_kept, NotKept::NotSaved { .. }), "{not_kept}");
    assert_eq!(house.held().len(), 1);
    assert!(!house.local.catch_up(NOW), "the disk says no still");
    fs::create_dir(&missing).unwrap();
    assert!(house.local.catch_up(NOW));
    assert!(!house.local.catch_up(NOW), "nothing is missing any more");
    assert_eq!(open(Some(&missing)).held().len(), 1);

    fs::remove_file(missing.join("local-decisions.jsonl")).unwrap();
    fs::create_dir_all(missing.join("local-decisions.jsonl")).unwrap();
    let problem = open(Some(&missing)).problem.unwrap();
    assert!(
        matches!(problem, RestoreProblem::Unreadable { .. }),
        "{problem}"
    );
}

#[test]
fn ids_that_are_in_use_are_not_given_again() {
    let mut writer = Writer {
        file: None,
        last_id: u64::MAX - 1,
        is_behind: false,
    };
    let held = |id| {
        let new = new("192.0.2.1", Remedy::Ban, "x");
        (new.into_decision(DecisionId::new(id).unwrap(), NOW), HOUR)
    };
    let held = [held(1), held(u64::MAX)];
    assert_eq!(writer.next_id(&held).get(), 2);
    assert_eq!(writer.next_id(&held).get(), 3);
}
