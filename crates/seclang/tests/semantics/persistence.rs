//! Collections that outlive their transactions.

use std::cell::Cell;
use std::sync::Arc;
use std::time::Duration;

use palisade_seclang::{CollectionLimits, Collections, Worker, WorkerOptions};

use crate::site::{Ran, Request, Site};

thread_local! {
    /// What time it is, in seconds.
    static NOW: Cell<u64> = const { Cell::new(1_000) };
}

fn clock() -> Duration {
    Duration::from_secs(NOW.get())
}

fn at(now: u64) {
    NOW.set(now);
}

/// Rules whose records are kept.
fn site(rules: &str, collections: &Arc<Collections>) -> Site {
    Site::new(rules).with(WorkerOptions {
        collections: Some(Arc::clone(collections)),
        ..WorkerOptions::new(clock)
    })
}

/// One request after another, each by a worker of its own: `TX:a` of each.
#[track_caller]
fn check(rules: &str, requests: &[(u64, &str)], expected: &[&str]) {
    let collections = Arc::new(Collections::default());
    let site = site(rules, &collections);
    let values = requests.iter().map(|(now, target)| {
        at(*now);
        let mut worker = site.worker();
        let ran = site.run_by(&mut worker, &Request::get(target));
        let value = ran.tx("a").unwrap_or_else(|| "-".to_owned());
        ran.finish(&mut worker);
        value
    });
    assert_eq!(values.collect::<Vec<_>>(), expected, "{rules}");
}

/// Counts requests of a client, and says how many there were.
const COUNT: &str = "SecAction \"id:1,phase:1,nolog,pass,initcol:ip=%{ARGS.who},setvar:ip.n=+1,setvar:'tx.a=%{ip.n}'\"";

#[test]
fn records_outlive_transactions() {
    check(
        COUNT,
        &[
            (1, "/?who=x"),
            (1, "/?who=x"),
            (1, "/?who=y"),
            (1, "/?who=x"),
        ],
        &["1", "2", "1", "3"],
    );
    // As text, unset again, and of several collections with the same key.
    check(
        "SecAction \"id:1,phase:1,nolog,pass,initcol:ip=k,initcol:global=k,setsid:k,setuid:k,setrsc:k\"
         SecAction \"id:2,phase:1,nolog,pass,setvar:'tx.a=%{ip.v}/%{global.v}/%{session.v}/%{user.v}/%{resource.v}'\"
         SecRule ARGS:set ^ \"id:3,phase:1,nolog,pass,setvar:ip.v=%{MATCHED_VAR},setvar:session.v=s,setvar:global.v=+4\"
         SecRule ARGS:unset ^ \"id:4,phase:1,nolog,pass,setvar:!ip.v\"",
        &[(1, "/?set=x"), (1, "/?unset"), (1, "/")],
        &["////", "x/4/s//", "/4/s//"],
    );
    // Logging rules count, too, and rules behind a refusal's phase.
    check(
        "SecAction \"id:1,phase:1,nolog,deny,initcol:ip=k,setvar:'tx.a=%{ip.n}'\"
         SecAction id:2,phase:5,nolog,pass,setvar:ip.n=+1",
        &[(1, "/"), (1, "/"), (1, "/")],
        &["", "1", "2"],
    );
}

#[test]
fn records_expire() {
    let rules = format!("SecCollectionTimeout 100\n{COUNT}");
    check(
        &rules,
        &[
            (1_000, "/?who=x"),
            (1_099, "/?who=x"),
            // Each change gives it as much time again.
            (1_198, "/?who=x"),
            (1_298, "/?who=x"),
        ],
        &["1", "2", "3", "1"],
    );
    // What nobody changes is not written.
    check(
        "SecCollectionTimeout 100
         SecAction \"id:1,phase:1,nolog,pass,initcol:ip=k,setvar:'tx.a=%{ip.n}'\"
         SecRule ARGS:set ^ id:2,phase:1,nolog,pass,setvar:ip.n=1",
        &[(1_000, "/?set"), (1_050, "/"), (1_099, "/"), (1_100, "/")],
        &["", "1", "1", ""],
    );
    check(
        &format!("{COUNT}\nSecAction id:2,phase:1,nolog,pass,setvar:ip.timeout=10"),
        &[(1_000, "/?who=x"), (1_009, "/?who=x"), (1_019, "/?who=x")],
        &["1", "2", "1"],
    );
}

#[test]
fn variables_expire() {
    let rules = format!(
        "{COUNT}
         SecAction \"id:2,phase:1,nolog,pass,setvar:'tx.a=%{{ip.n}} %{{ip.blocked}}'\"
         SecRule ARGS:block ^ \"id:3,phase:1,nolog,pass,setvar:ip.blocked=1,expirevar:ip.blocked=60\""
    );
    check(
        &rules,
        &[
            (1_000, "/?who=x&block"),
            (1_059, "/?who=x"),
            (1_060, "/?who=x"),
        ],
        &["1 ", "2 1", "3 "],
    );
    // The time may be a macro, and a record's key stands for all of it.
    check(
        &format!(
            "{COUNT}\nSecAction \"id:2,phase:1,nolog,pass,setvar:tx.s=30,expirevar:'ip.n=%{{tx.s}}'\""
        ),
        &[(1_000, "/?who=x"), (1_029, "/?who=x"), (1_059, "/?who=x")],
        &["1", "2", "1"],
    );
    check(
        &format!("{COUNT}\nSecAction id:2,phase:1,nolog,pass,expirevar:ip.KEY=30"),
        &[(1_000, "/?who=x"), (1_029, "/?who=x"), (1_059, "/?who=x")],
        &["1", "2", "1"],
    );
}

#[test]
fn what_a_record_says_of_itself() {
    check(
        "SecCollectionTimeout 600
         SecAction \"id:1,phase:1,nolog,pass,initcol:ip=k,setvar:'tx.a=%{ip.key} %{ip.is_new} %{ip.timeout} %{ip.create_time} %{ip.last_update_time} %{ip.update_counter} %{ip.update_rate}'\"
         SecAction id:2,phase:1,nolog,pass,setvar:ip.n=+1,setvar:ip.is_new=9,setvar:ip.create_time=9",
        &[(1_000, "/"), (1_060, "/"), (1_120, "/")],
        &[
            "k 1 600 1000 1000 0 0",
            "k 0 600 1000 1000 1 1",
            "k 0 600 1000 1060 2 1",
        ],
    );
    check(
        "SecRule IP:n ^ id:9,phase:1,nolog,pass
         SecAction id:1,phase:1,nolog,pass,initcol:ip=k
         SecRule &IP \"@eq 7\" id:2,phase:1,nolog,pass,setvar:tx.a=yes",
        &[(1, "/")],
        &["yes"],
    );
}

#[test]
fn applications_have_sessions_of_their_own() {
    let collections = Arc::new(Collections::default());
    let counted = |application: &str| -> Ran {
        let site = site(
            &format!(
                "SecWebAppId {application}
                 SecAction \"id:1,phase:1,nolog,pass,setsid:k,initcol:ip=k,setvar:session.n=+1,setvar:ip.n=+1,setvar:'tx.a=%{{session.n}} %{{ip.n}}'\""
            ),
            &collections,
        );
        let mut worker = site.worker();
        let ran = site.run_by(&mut worker, &Request::get("/"));
        let again = site.run_by(&mut worker, &Request::get("/"));
        again.finish(&mut worker);
        ran
    };
    assert_eq!(counted("one").tx("a").as_deref(), Some("1 1"));
    assert_eq!(counted("two").tx("a").as_deref(), Some("1 2"));
    assert_eq!(counted("one").tx("a").as_deref(), Some("2 3"));
}

#[test]
fn transactions_at_once_undo_nothing() {
    let collections = Arc::new(Collections::default());
    let site = site(COUNT, &collections);
    let mut workers = [site.worker(), site.worker()];
    let [one, two] = &mut workers;
    at(1);
    let request = Request::get("/?who=x");
    let first = site.run_by(one, &request);
    let second = site.run_by(two, &request);
    // Neither has seen the other.
    assert_eq!(
        (first.tx("a").as_deref(), second.tx("a").as_deref()),
        (Some("1"), Some("1"))
    );
    first.finish(one);
    second.finish(two);
    let third = site.run_by(one, &request);
    assert_eq!(third.tx("a").as_deref(), Some("3"));
}

#[test]
fn workers_of_many_threads_count_together() {
    let collections = Arc::new(Collections::default());
    let site = site(COUNT, &collections);
    let request = Request::get("/?who=x");
    let run = |worker: &mut Worker| {
        let ran = site.run_by(worker, &request);
        let value = ran.tx("a");
        ran.finish(worker);
        value
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                at(1);
                let mut worker = site.worker();
                for _ in 0..500 {
                    run(&mut worker);
                }
            });
        }
    });
    at(1);
    assert_eq!(run(&mut site.worker()).as_deref(), Some("2001"));
}

#[test]
fn there_are_so_many_records() {
    let limits = CollectionLimits {
        records: 64,
        ..CollectionLimits::default()
    };
    let collections = Arc::new(Collections::new(limits));
    let site = site(COUNT, &collections);
    let mut worker = site.worker();
    for client in 0..1_000 {
        at(client);
        let ran = site.run_by(&mut worker, &Request::get(&format!("/?who={client}")));
        ran.finish(&mut worker);
    }
    assert!(collections.record_count() <= 64);
    assert!(collections.bytes() < 64 * 512);
    assert!(collections.evictions() > 900);
}

#[test]
fn without_a_store_records_end_with_their_transaction() {
    let site = Site::new(COUNT);
    let mut worker = site.worker();
    for _ in 0..2 {
        let ran = site.run_by(&mut worker, &Request::get("/?who=x"));
        assert_eq!(ran.tx("a").as_deref(), Some("1"));
        ran.finish(&mut worker);
    }
}
