use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const NOW: u64 = 1_000;

fn all(collections: &Collections, id: &str, now: u64) -> Option<String> {
    let mut told = Vec::new();
    let head = collections.load(id.as_bytes(), now, |name, value| {
        let name = name.escape_ascii();
        told.push(match value {
            Value::Integer(number) => format!("{name}={number}"),
            Value::Text(text) => format!("{name}='{}'", text.escape_ascii()),
        });
    });
    head.map(|_| told.join(" "))
}

fn change<'v>(name: &'v str, edit: Edit<'v>, expires: Option<u64>) -> Change<'v> {
    Change {
        name: name.as_bytes(),
        edit,
        expires,
    }
}

/// What a record has after changes, each written on its own.
#[track_caller]
fn check(changes: &[Change<'_>], now: u64, expected: Option<&str>) {
    let collections = Collections::default();
    for change in changes {
        collections.write(b"id", NOW, 100, [*change].into_iter());
    }
    assert_eq!(all(&collections, "id", now).as_deref(), expected);
}

#[test]
fn variables_are_set_added_to_and_unset() {
    let text = Edit::Set(Value::Text(b"7x"));
    check(&[], NOW, None);
    check(&[change("a", text, None)], NOW, Some("a='7x'"));
    check(
        &[change("a", text, None), change("a", Edit::Add(3), None)],
        NOW,
        Some("a=10"),
    );
    check(
        &[
            change("a", Edit::Add(2), None),
            change("b", Edit::Set(Value::Integer(-1)), None),
            change("a", Edit::Add(-5), None),
        ],
        NOW,
        Some("a=0 b=-1"),
    );
    check(
        &[change("a", text, None), change("a", Edit::Unset, None)],
        NOW,
        Some(""),
    );
    check(&[change("a", Edit::Unset, None)], NOW, Some(""));
}

#[test]
fn variables_and_records_expire() {
    let set = |expires| change("a", Edit::Set(Value::Integer(1)), expires);
    check(&[set(Some(NOW + 10))], NOW + 9, Some("a=1"));
    check(&[set(Some(NOW + 10))], NOW + 10, Some(""));
    let later = change("a", Edit::Keep, Some(NOW + 20));
    check(&[set(Some(NOW + 10)), later], NOW + 19, Some("a=1"));
    check(&[set(None), later], NOW + 20, Some(""));
    // What isn't there doesn't expire.
    check(&[later], NOW, Some(""));
    // Setting it anew doesn't change when it expires.
    check(&[set(Some(NOW + 10)), set(None)], NOW + 10, Some(""));
    check(&[set(None)], NOW + 99, Some("a=1"));
    check(&[set(None)], NOW + 100, None);
}

#[test]
fn what_has_expired_begins_anew() {
    let collections = Collections::default();
    let add = |now| {
        let add = change("a", Edit::Add(1), Some(now + 10));
        collections.write(b"id", now, 100, [add].into_iter());
        all(&collections, "id", now).unwrap()
    };
    assert_eq!(add(NOW), "a=1");
    assert_eq!(add(NOW + 5), "a=2");
    assert_eq!(add(NOW + 15), "a=1");
    assert_eq!(add(NOW + 200), "a=1");
    let head = collections.load(b"id", NOW + 200, |_, _| {}).unwrap();
    let expected = Head {
        created: NOW + 200,
        updated: NOW + 200,
        update_count: 1,
        timeout: 100,
    };
    assert_eq!(head, expected);
}

#[test]
fn records_are_bounded() {
    let limits = CollectionLimits {
        records: 160,
        bytes: 1 << 20,
    };
    let collections = Collections::new(limits);
    let add = |id: &str, now| {
        let add = change("a", Edit::Add(1), None);
        collections.write(id.as_bytes(), now, 1_000_000, [add].into_iter());
    };
    for number in 0..2_000 {
        add(&number.to_string(), NOW + number);
        // What is written to all the time stays.
        add("kept", NOW + number);
    }
    assert!(collections.record_count() <= 160);
    assert!(collections.evictions() > 1_500);
    assert_eq!(
        all(&collections, "kept", NOW + 2_000).as_deref(),
        Some("a=2000")
    );
    assert_eq!(all(&collections, "0", NOW + 2_000), None);
    assert_eq!(
        all(&collections, "1999", NOW + 2_000).as_deref(),
        Some("a=1")
    );
}

#[test]
fn bytes_are_bounded() {
    let limits = CollectionLimits {
        records: 100_000,
        bytes: 1 << 20,
    };
    let collections = Collections::new(limits);
    let text = vec![b'x'; 10_000];
    for number in 0..1_000 {
        let set = change("a", Edit::Set(Value::Text(&text)), None);
        let id = format!("{number}");
        collections.write(id.as_bytes(), NOW, 100, [set].into_iter());
        assert!(collections.bytes() <= 1 << 20);
    }
    assert!(collections.record_count() > 50);
    // A value that is too long is dropped, and so is a variable too many.
    let long = vec![b'x'; 65 * 1024];
    let set = change("b", Edit::Set(Value::Text(&long)), None);
    collections.write(b"999", NOW, 100, [set].into_iter());
    let told = all(&collections, "999", NOW).unwrap();
    assert!(told.starts_with("a='x") && !told.contains("b="));
    let set = change("a", Edit::Set(Value::Text(&long)), None);
    collections.write(b"999", NOW, 100, [set].into_iter());
    assert_eq!(all(&collections, "999", NOW).unwrap().len(), 10_004);
    for number in 0..1_000 {
        let name = format!("v{number}");
        let add = change(&name, Edit::Add(1), None);
        collections.write(b"many", NOW, 100, [add].into_iter());
    }
    let told = all(&collections, "many", NOW).unwrap();
    assert_eq!(told.split(' ').count(), 256);
    // Nothing is kept of a record with a longer name.
    let id = "x".repeat(1_025);
    let add = change("a", Edit::Add(1), None);
    collections.write(id.as_bytes(), NOW, 100, [add].into_iter());
    assert_eq!(all(&collections, &id, NOW), None);
}

#[test]
fn what_has_expired_is_swept_away() {
    let collections = Collections::default();
    let add = |id: u64, now| {
        let add = change("a", Edit::Add(1), None);
        let id = id.to_string();
        collections.write(id.as_bytes(), now, 100, [add].into_iter());
    };
    for id in 0..1_000 {
        add(id, NOW);
    }
    assert_eq!(collections.record_count(), 1_000);
    for id in 1_000..1_500 {
        add(id, NOW + 100);
    }
    assert_eq!(collections.record_count(), 500);
    assert_eq!(collections.evictions(), 0);
}

#[test]
fn no_addition_is_lost() {
    let collections = Collections::default();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for number in 0..5_000_u64 {
                    let add = change("a", Edit::Add(1), None);
                    let id = (number % 7).to_string();
                    collections.write(id.as_bytes(), NOW, 100, [add].into_iter());
                }
            });
        }
    });
    let counts = (0..7).map(|id| {
        let told = all(&collections, &id.to_string(), NOW).unwrap();
        told.trim_start_matches("a=").parse::<u64>().unwrap()
    });
    assert_eq!(counts.sum::<u64>(), 20_000);
}

/// What a record is, as naively as can be.
#[derive(Default)]
struct Model {
    expires: u64,
    variables: HashMap<String, (String, Option<u64>)>,
}

impl Model {
    fn apply(&mut self, change: &Change<'_>, now: u64) {
        self.variables
            .retain(|_, (_, expires)| expires.is_none_or(|expires| now < expires));
        let name = String::from_utf8(change.name.to_vec()).unwrap();
        let old = self.variables.get(&name).cloned();
        let (old, old_expires) =
            old.map_or((None, None), |(value, expires)| (Some(value), expires));
        let value = match change.edit {
            Edit::Keep => old,
            Edit::Add(by) => {
                let number = old.map_or(0, |old| crate::integer(old.trim_matches('\'').as_bytes()));
                Some((number + by).max(0).to_string())
            }
            Edit::Set(Value::Integer(number)) => Some(number.to_string()),
            Edit::Set(Value::Text(text)) => Some(format!("'{}'", text.escape_ascii())),
            Edit::Unset => None,
        };
        self.variables.remove(&name);
        if let Some(value) = value {
            let expires = change.expires.or(old_expires);
            self.variables.insert(name, (value, expires));
        }
    }

    fn told(&self, now: u64) -> Option<Vec<String>> {
        if now >= self.expires {
            return None;
        }
        let live = self.variables.iter();
        let live = live.filter(|(_, (_, expires))| expires.is_none_or(|expires| now < expires));
        let mut told: Vec<_> = live
            .map(|(name, (value, _))| format!("{name}={value}"))
            .collect();
        told.sort();
        Some(told)
    }
}

fn edit() -> impl Strategy<Value = Edit<'static>> {
    prop_oneof![
        Just(Edit::Keep),
        (-5..9_i64).prop_map(Edit::Add),
        (0..9_i64).prop_map(|number| Edit::Set(Value::Integer(number))),
        prop::sample::select(vec!["", "7x", "text"])
            .prop_map(|text| Edit::Set(Value::Text(text.as_bytes()))),
        Just(Edit::Unset),
    ]
}

proptest! {
    #[test]
    fn records_are_as_a_naive_model_has_them(
        steps in prop::collection::vec(
            (0..3_usize, 0..30_u64, prop::collection::vec((0..3_usize, edit(), prop::option::of(0..40_u64)), 0..4)),
            1..60,
        )
    ) {
        const NAMES: [&str; 3] = ["a", "b", "c"];
        let (collections, mut models) = (Collections::default(), [(); 3].map(|()| Model::default()));
        let mut now = NOW;
        for (record, passed, changes) in steps {
            now += passed;
            let changes: Vec<_> = changes
                .iter()
                .map(|(name, edit, seconds)| {
                    change(NAMES[*name], *edit, seconds.map(|seconds| now + seconds))
                })
                .collect();
            collections.write(NAMES[record].as_bytes(), now, 50, changes.iter().copied());
            let model = &mut models[record];
            if now >= model.expires {
                model.variables.clear();
            }
            for change in &changes {
                model.apply(change, now);
            }
            model.expires = now + 50;
            for (name, model) in NAMES.iter().zip(&models) {
                let told = all(&collections, name, now).map(|told| {
                    let mut told: Vec<_> = told.split(' ').filter(|one| !one.is_empty()).map(str::to_owned).collect();
                    told.sort();
                    told
                });
                prop_assert_eq!(told, model.told(now));
            }
        }
    }
}
