//! What a worker keeps from one transaction to the next, and what bounds one.

use std::cell::Cell;
use std::time::Duration;

use palisade_body::Body;
use palisade_seclang::{
    Budget, CompileOptions, Outcome, RuleCounter, Verdict, WorkerOptions, syntax::Phase,
};

use crate::memory::Memory;
use crate::site::{Request, Site, head};

fn options() -> WorkerOptions {
    WorkerOptions::new(|| Duration::from_secs(1))
}

/// Rules that look at the same argument in each phase.
const EACH_PHASE: &str = "SecRule ARGS:a ^first$ id:1,phase:1,pass
    SecRule ARGS:a ^first$ id:2,phase:2,pass
    SecRule ARGS:a ^first$ id:3,phase:3,pass
    SecRule ARGS:a ^first$ id:4,phase:4,pass
    SecRule ARGS:a ^first$ id:5,phase:5,pass
    SecRule RESPONSE_BODY|RESPONSE_HEADERS:X leak id:6,phase:5,pass";

#[test]
fn what_was_sent_is_there_in_all_phases() {
    let request = Request::get("/?a=first").answered(200, "text/html", "leak");
    let ran = Site::new(EACH_PHASE).run(&request);
    assert_eq!(ran.ids(), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_worker_remembers_nothing_of_a_request() {
    let site = Site::new(
        "SecRule ARGS x \"id:1,phase:1,pass,capture,setvar:tx.a=+1,setenv:e=1,initcol:ip=k,ctl:ruleRemoveById=2\"
         SecRule ARGS y id:2,phase:1,pass
         SecRule ARGS d id:3,phase:1,deny
         SecRule &ENV|&IP|&TX:0 \"@gt 0\" id:4,phase:2,pass",
    );
    let mut worker = site.worker();
    for _ in 0..3 {
        let ran = site.run_by(&mut worker, &Request::get("/?a=x&b=y"));
        assert_eq!(ran.ids(), [1, 4, 4, 4]);
        assert_eq!(ran.tx("a").as_deref(), Some("1"));
        ran.finish(&mut worker);
        let ran = site.run_by(&mut worker, &Request::get("/?b=y"));
        assert_eq!((ran.ids(), ran.tx("a")), (vec![2], None));
        ran.finish(&mut worker);
        let ran = site.run_by(&mut worker, &Request::get("/?b=d"));
        assert_eq!(ran.end(), "deny 403 by 3 in phase 1");
        ran.finish(&mut worker);
    }
}

#[test]
fn a_transaction_moves_from_worker_to_worker() {
    let site = Site::new(EACH_PHASE);
    let mut workers = [site.worker(), site.worker(), site.worker()];
    // Other strings have the same numbers there.
    let [_, second, third] = &mut workers;
    for (worker, query) in [(second, "/?x=1&y=2&a=3"), (third, "/?a=4&b=5&c=6")] {
        site.run_by(worker, &Request::get(query)).finish(worker);
    }
    let ran = site.run_by_each(&mut workers, &Request::get("/?a=first"));
    assert_eq!(ran.ids(), [1, 2, 5]);
}

#[test]
fn transactions_take_turns() {
    for strings_max in [0, 8_192] {
        let site = Site::new(EACH_PHASE).with(WorkerOptions {
            strings_max,
            ..options()
        });
        let mut worker = site.worker();
        let requests = [Request::get("/?a=first"), Request::get("/?b=1&a=other")];
        let mut transactions = requests.each_ref().map(|_| site.begin(&mut worker));
        for (transaction, request) in transactions.iter_mut().zip(&requests) {
            assert_eq!(head(&mut worker, transaction, request), Verdict::Pass);
        }
        // One that ends in between may make the worker forget what it knows of strings.
        site.run_by(&mut worker, &Request::get("/?c=2&d=3&a=4"))
            .finish(&mut worker);
        for transaction in &mut transactions {
            transaction.request_body(&mut worker, Body::whole(b""));
            worker.forget_strings();
            transaction.log(&mut worker);
        }
        let [first, other] = transactions.map(|transaction| site.ran(transaction).ids());
        assert_eq!((first, other), (vec![1, 2, 5], vec![]));
    }
}

#[test]
fn what_rules_cost_is_counted() {
    let site = Site::new(
        "SecRule ARGS:a x id:1,phase:1,nolog,pass,chain
         SecRule ARGS:b y
         SecRule ARGS:c z id:2,phase:1,nolog,pass
         SecAction id:4,phase:1,nolog,pass,setvar:tx.a=1
         SecAction id:3,phase:1,nolog,pass,setvar:tx.a=%{REQUEST_METHOD}",
    );
    let mut worker = site.worker();
    for target in ["/?a=x&b=y", "/?a=x", "/"] {
        site.run_by(&mut worker, &Request::get(target))
            .finish(&mut worker);
    }
    let hits: Vec<u64> = worker.counters().iter().map(|one| one.hits).collect();
    // What is decided at load is nothing for a request.
    assert_eq!(hits, [1, 0, 0, 3]);
    let all = RuleCounter {
        evaluations: 3,
        hits: 3,
        samples: 1,
        sampled_nanos: 0,
    };
    assert_eq!(worker.counters().last(), Some(&all));
}

thread_local! {
    /// How often a clock that goes on by 10 ns was looked at.
    static LOOKED_AT: Cell<u64> = const { Cell::new(0) };
}

#[test]
fn one_evaluation_in_64_is_timed() {
    let rules = Memory::new(
        "SecRuleEngine On
         SecRule TX:a \"@lt 9\" id:1,phase:1,nolog,pass,skipAfter:END
         SecAction id:2,phase:1,nolog,pass
         SecMarker END
         SecRule ARGS:a \"!@contains x\" id:3,phase:1,nolog,pass,chain
         SecRule ARGS:a y
         SecAction id:4,phase:5,nolog,pass,setvar:tx.a=1",
    );
    // Of what is decided at load nothing is timed.
    let options_of_program = CompileOptions {
        fold: false,
        ..CompileOptions::default()
    };
    let site = Site::of(&rules, options_of_program).with(WorkerOptions {
        stopwatch: || {
            let count = LOOKED_AT.get() + 1;
            LOOKED_AT.set(count);
            Duration::from_nanos(10 * count)
        },
        ..options()
    });
    let mut worker = site.worker();
    for _ in 0..65 {
        site.run_by(&mut worker, &Request::get("/?a=y"))
            .finish(&mut worker);
    }
    let counters = worker.counters().iter();
    let counted: Vec<_> = counters
        .map(|one| (one.evaluations, one.samples, one.sampled_nanos))
        .collect();
    assert_eq!(
        counted,
        [(65, 2, 20), (65, 2, 20), (65, 2, 20), (65, 2, 20)]
    );
    // Twice for each that is timed, and for no other.
    assert_eq!(LOOKED_AT.get(), 16);
}

#[test]
fn so_many_matches_are_kept() {
    let site =
        Site::new("SecArgumentsLimit 2000\nSecRule ARGS_NAMES a id:1,phase:1,pass,setvar:tx.n=+1");
    let query = format!("/?{}", "a&".repeat(1_200));
    let ran = site.run(&Request::get(&query));
    assert_eq!(ran.ids().len(), 1_000);
    assert_eq!(ran.transaction().matches_left_out(), 200);
    assert_eq!(ran.tx("n").as_deref(), Some("1200"));
}

#[test]
fn what_is_told_of_a_match_is_cut() {
    let ran = Site::new(
        "SecRule ARGS:a x \"id:1,phase:1,pass,msg:'%{MATCHED_VAR}',logdata:'%{ARGS.a}%{ARGS.a}'\"",
    )
    .run(&Request::get(&format!("/?a={}", "x".repeat(3_000))));
    let told = ran.messages().join("");
    let (message, data) = told.split_once('|').unwrap();
    assert_eq!((message.len(), data.len()), (1_024, 1_024));
    assert_eq!(ran.matches().join("").len(), "1 ARGS:a=".len() + 512);
}

#[test]
fn a_transaction_has_a_budget() {
    let budget = |bytes, request: &Request| {
        let site = Site::new(
            "SecRule ARGS \"@contains %{request_headers.nothing}y\" id:1,phase:1,pass
             SecRule ARGS \"@contains %{request_headers.nothing}y\" id:2,phase:2,pass
             SecAction id:3,phase:2,deny",
        )
        .with(WorkerOptions {
            budget: Budget {
                bytes,
                time: Duration::from_secs(10),
            },
            ..options()
        });
        let ran = site.run(request);
        (ran.transaction().outcome(), ran.end())
    };
    let long = Request::get(&format!("/?a={}", "x".repeat(5_000)));
    let refused = "deny 403 by 3 in phase 2".to_owned();
    assert_eq!(budget(1 << 20, &long), (Outcome::Complete, refused));
    // What isn't known is for whoever drives it to decide.
    let spent = Outcome::BudgetSpent(Phase::RequestBody);
    assert_eq!(budget(6_000, &long), (spent, String::new()));
    let spent = Outcome::BudgetSpent(Phase::RequestHeaders);
    assert_eq!(budget(100, &long), (spent, String::new()));
}

#[test]
fn where_the_budget_was_spent_is_known() {
    let asked = |bytes: u64| {
        let site = Site::new(
            "SecRule ARGS \"@contains %{request_headers.nothing}y\" id:1,phase:2,pass
             SecRule ARGS \"@contains %{request_headers.nothing}z\" id:2,phase:2,pass,t:none,t:lowercase
             SecRule ARGS \"@contains nowhere\" id:3,phase:2,pass,t:removeWhitespace",
        );
        let site = site.with(WorkerOptions {
            budget: Budget {
                bytes,
                time: Duration::from_secs(10),
            },
            ..options()
        });
        let request = Request::get(&format!("/?a={}", "W ".repeat(2_500)));
        let mut worker = site.worker();
        let mut transaction = site.begin(&mut worker);
        head(&mut worker, &mut transaction, &request);
        let _ = transaction.request_body(&mut worker, Body::whole(b""));
        (transaction.outcome(), worker.asked_rule())
    };
    let spent = Outcome::BudgetSpent(Phase::RequestBody);
    assert_eq!(asked(4_000), (spent, Some(1)));
    assert_eq!(asked(8_000), (spent, Some(2)));
    // Values are searched for all rules at once that look for fixed words.
    assert_eq!(asked(22_000), (spent, None));
}

#[test]
fn the_time_of_phases_is_in_the_budget_and_not_the_time_between_them() {
    // A second passes each time that anybody looks at the stopwatch.
    thread_local!(static SECONDS: Cell<u64> = const { Cell::new(0) });
    let outcome = |between: u64, time: u64| {
        let site = Site::new(
            "SecRule ARGS \"@contains %{request_headers.nothing}y\" id:1,phase:1,pass
             SecRule ARGS \"@contains %{request_headers.nothing}y\" id:2,phase:2,pass",
        );
        let site = site.with(WorkerOptions {
            budget: Budget {
                bytes: 1 << 30,
                time: Duration::from_secs(time),
            },
            stopwatch: || {
                SECONDS.set(SECONDS.get() + 1);
                Duration::from_secs(SECONDS.get())
            },
            ..options()
        });
        let request = Request::get(&format!(
            "/?{}",
            format!("a={}&", "x".repeat(70_000)).repeat(4)
        ));
        let mut worker = site.worker();
        let mut transaction = site.begin(&mut worker);
        head(&mut worker, &mut transaction, &request);
        SECONDS.set(SECONDS.get() + between);
        let _ = transaction.request_body(&mut worker, Body::whole(b""));
        transaction.outcome()
    };
    assert_eq!(outcome(0, 60), Outcome::Complete);
    assert_eq!(outcome(3_600, 60), Outcome::Complete);
    assert_eq!(outcome(0, 5), Outcome::BudgetSpent(Phase::RequestBody));
    assert_eq!(outcome(0, 1), Outcome::BudgetSpent(Phase::RequestHeaders));
}

#[test]
fn what_is_transformed_and_searched_counts_though_no_operator_is_asked() {
    let ended = |value: &str, bytes| {
        let site = Site::new(
            "SecRule ARGS \"@contains nowhere\" id:1,phase:1,pass,t:removeWhitespace
             SecAction id:2,phase:1,deny",
        )
        .with(WorkerOptions {
            budget: Budget {
                bytes,
                time: Duration::from_secs(10),
            },
            ..options()
        });
        let ran = site.run(&Request::get(&format!("/?a={}", value.repeat(2_500))));
        (ran.transaction().outcome(), ran.end())
    };
    assert_eq!(ended("w+", 1 << 20).0, Outcome::Complete);
    let spent = Outcome::BudgetSpent(Phase::RequestHeaders);
    assert_eq!(ended("w+", 6_000), (spent, String::new()));
    // Without a `w` the form isn't made.
    assert_eq!(ended("x+", 6_000).0, Outcome::Complete);
}

/// What a rule finds in values of a form, each time that a worker sees them.
#[track_caller]
fn check_forms(rules: &str, query: &str, expected: &[&str]) {
    let site = Site::new(rules);
    let mut worker = site.worker();
    for time in 0..3 {
        let ran = site.run_by(&mut worker, &Request::get(query));
        assert_eq!(ran.matches(), expected, "{rules}, time {time}");
        ran.finish(&mut worker);
    }
}

#[test]
fn values_are_searched_in_every_form_that_rules_look_at() {
    // No shorter value can match; and there is no byte that says that one might.
    let decoded = "SecRule ARGS \"@contains foo\" id:1,phase:1,pass,t:base64Decode
        SecRule ARGS \"@contains foo\" id:2,phase:1,pass,t:hexDecode
        SecRule ARGS \"@contains foo\" id:3,phase:1,pass,t:removeWhitespace";
    check_forms(decoded, "/?a=Zm9v", &["1 ARGS:a=foo"]);
    check_forms(decoded, "/?a=666f6f", &["2 ARGS:a=foo"]);
    check_forms(decoded, "/?a=f+o+o", &["3 ARGS:a=foo"]);
    check_forms(decoded, "/?a=foo", &["3 ARGS:a=foo"]);
    // One form is another's beginning.
    let nested = "SecRule ARGS \"@contains <b\" id:1,phase:1,pass,t:base64Decode,t:htmlEntityDecode,t:removeWhitespace
        SecRule ARGS \"@contains <b\" id:2,phase:1,pass,t:base64Decode
        SecRule ARGS \"@contains y\" id:3,phase:1,pass";
    check_forms(
        nested,
        "/?a=Jmx0OyBi",
        &["1 ARGS:a=<b", "3 ARGS:a=Jmx0OyBi"],
    );
    check_forms(nested, "/?a=PGI=&b=c", &["1 ARGS:a=<b", "2 ARGS:a=<b"]);
}

#[test]
fn what_differs_in_one_form_may_match_in_another() {
    // The same operator, of values that come twice, in two forms and in lower case.
    let rules = "SecRule ARGS \"@rx ^a.*b$\" id:1,phase:1,pass,t:lowercase
        SecRule ARGS \"@rx ^a.*b$\" id:2,phase:1,pass
        SecRule ARGS|REQUEST_COOKIES \"@rx ^a.*b$\" id:3,phase:2,pass,t:removeWhitespace";
    check_forms(rules, "/?a=Acb&b=Acb", &["1 ARGS:a=acb", "1 ARGS:b=acb"]);
    check_forms(rules, "/?a=+acb&b=+acb", &["3 ARGS:a=acb", "3 ARGS:b=acb"]);
    check_forms(rules, "/?a=acb+c", &[]);
    // Strings are searched in either case; what is said of one in one case says nothing of another.
    let cases = "SecRule ARGS \"@rx a\" id:1,phase:2,pass,t:cmdLine
        SecRule ARGS \"@rx a\" id:2,phase:2,pass";
    check_forms(cases, "/?a=AB", &["1 ARGS:a=ab"]);
    let lists = "SecRule ARGS \"@rx ^AB\" id:1,phase:1,pass,t:uppercase,t:lowercase
        SecRule ARGS \"@rx ^AB\" id:2,phase:1,pass,t:uppercase";
    check_forms(lists, "/?a=ab", &["2 ARGS:a=AB"]);
    let multi =
        "SecRule ARGS \"@rx ^x y$\" id:1,phase:1,pass,multiMatch,t:compressWhitespace,t:trim
        SecRule ARGS \"@rx ^x y$\" id:2,phase:1,pass,t:compressWhitespace";
    check_forms(multi, "/?a=+x++y", &["1 ARGS:a=x y"]);
    check_forms(multi, "/?a=x++y", &["1 ARGS:a=x y", "2 ARGS:a=x y"]);
}

#[test]
fn what_a_form_is_found_to_be_says_nothing_of_the_value_that_looks_like_it() {
    let site = Site::new("SecRule ARGS \"@rx ^ab\" id:1,phase:1,pass,t:lowercase,t:urlDecodeUni");
    let mut worker = site.worker();
    for (query, expected) in [("/?a=%2541b", &[][..]), ("/?a=Ab", &["1 ARGS:a=ab"])] {
        let ran = site.run_by(&mut worker, &Request::get(query));
        assert_eq!(ran.matches(), expected, "{query}");
        ran.finish(&mut worker);
    }
}

#[test]
fn what_is_searched_anew_is_searched_for_all_that_look_at_it() {
    // The cookie and the argument are one string, in two lists of forms; what the first two rules find of
    // it differs in one of two forms.
    let site = Site::new(
        "SecRule REQUEST_COOKIES \"@rx bar$\" id:1,phase:1,pass,t:trim
         SecRule REQUEST_COOKIES \"@rx bar$\" id:2,phase:1,pass,t:removeWhitespace
         SecRule ARGS \"@contains foobar\" id:3,phase:1,pass,t:compressWhitespace,t:removeWhitespace
         SecRule REQUEST_COOKIES \"@contains oobarx\" id:4,phase:1,pass,t:removeWhitespace",
    );
    let mut worker = site.worker();
    let request = Request::get("/?a=f+oo+bar+x").header("Cookie", "c=f oo bar x");
    for _ in 0..4 {
        let ran = site.run_by(&mut worker, &request);
        let expected = ["3 ARGS:a=foobarx", "4 REQUEST_COOKIES:c=foobarx"];
        assert_eq!(ran.matches(), expected);
        ran.finish(&mut worker);
    }
}

#[test]
fn what_a_spent_budget_cut_short_is_not_remembered() {
    let rules = "SecRule ARGS \"@contains foo\" id:1,phase:1,pass,t:urlDecodeUni,t:base64Decode";
    let mut spent = 0;
    for filler in 0..200 {
        let site = Site::new(rules).with(WorkerOptions {
            budget: Budget {
                bytes: 200,
                ..options().budget
            },
            ..options()
        });
        let mut worker = site.worker();
        let before = Request::get(&format!("/?f={}&a=Zm9v", ".".repeat(filler)));
        let ran = site.run_by(&mut worker, &before);
        spent += usize::from(ran.transaction().outcome() != Outcome::Complete);
        ran.finish(&mut worker);
        let ran = site.run_by(&mut worker, &Request::get("/?a=Zm9v"));
        assert_eq!(ran.matches(), ["1 ARGS:a=foo"], "behind {filler} bytes");
        ran.finish(&mut worker);
    }
    assert!((1..200).contains(&spent), "{spent}");
}
