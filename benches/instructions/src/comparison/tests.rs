use super::*;

const CRS_HERE: &str = "OWASP CRS ver.4.28.0";

fn counts(rows: &[(&str, u64)]) -> Counts {
    let rows = rows.iter();
    rows.map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

fn compare(before: &[(&str, u64)], now: &[(&str, u64)], crs: Option<&str>) -> Comparison {
    let baseline = Baseline {
        made_with: MadeWith::example(),
        instructions: counts(before),
    };
    let with = MadeWith {
        crs: crs.map(str::to_owned),
        ..MadeWith::example()
    };
    Comparison::new(&baseline, &with, &counts(now))
}

#[track_caller]
fn check(before: &[(&str, u64)], now: &[(&str, u64)], expected: &[(&str, Change)], fails: bool) {
    let comparison = compare(before, now, Some(CRS_HERE));
    let expected = expected.iter();
    let expected = expected.map(|(name, change)| ((*name).to_owned(), *change));
    assert_eq!(comparison, Comparison::Compared(expected.collect()));
    assert_eq!(comparison.is_failure(), fails);
}

#[test]
fn more_than_three_percent_more_is_a_failure() {
    let (before, now) = (10_000, 10_310);
    check(
        &[("a", before)],
        &[("a", now)],
        &[("a", Change::More { before, now })],
        true,
    );
    let now = 10_301;
    check(
        &[("a", before)],
        &[("a", now)],
        &[("a", Change::More { before, now })],
        true,
    );
}

#[test]
fn three_percent_more_is_none() {
    let before = 10_000;
    for now in [10_290, 10_300] {
        check(
            &[("a", before)],
            &[("a", now)],
            &[("a", Change::Same { before, now })],
            false,
        );
    }
}

#[test]
fn one_benchmark_of_many_fails_them_all() {
    let expected = [
        (
            "a",
            Change::Same {
                before: 100,
                now: 100,
            },
        ),
        (
            "b",
            Change::More {
                before: 100,
                now: 104,
            },
        ),
        (
            "c",
            Change::Fewer {
                before: 100,
                now: 50,
            },
        ),
    ];
    check(
        &[("a", 100), ("b", 100), ("c", 100)],
        &[("a", 100), ("b", 104), ("c", 50)],
        &expected,
        true,
    );
}

#[test]
fn fewer_is_told_and_no_failure() {
    let (before, now) = (10_000, 9_690);
    check(
        &[("a", before)],
        &[("a", now)],
        &[("a", Change::Fewer { before, now })],
        false,
    );
    let now = 9_700;
    check(
        &[("a", before)],
        &[("a", now)],
        &[("a", Change::Same { before, now })],
        false,
    );
}

#[test]
fn one_that_the_baseline_does_not_have_is_a_failure() {
    check(&[], &[("a", 7)], &[("a", Change::New { now: 7 })], true);
}

#[test]
fn one_that_is_gone_is_a_failure() {
    check(&[("a", 7)], &[], &[("a", Change::Gone { before: 7 })], true);
}

#[test]
fn counts_of_any_size_are_compared() {
    let (before, now) = (u64::MAX - 1, u64::MAX);
    check(
        &[("a", before)],
        &[("a", now)],
        &[("a", Change::Same { before, now })],
        false,
    );
    check(
        &[("a", 0)],
        &[("a", 1)],
        &[("a", Change::More { before: 0, now: 1 })],
        true,
    );
}

#[test]
fn rows_of_crs_are_compared_only_where_it_is_in_the_same_version() {
    let same = Change::Same { before: 1, now: 1 };
    let expected = Comparison::Compared(vec![("b".to_owned(), same)]);
    let before = [("crs::a", 7), ("b", 1)];
    assert_eq!(compare(&before, &[("b", 1)], None), expected);
    let other = Some("OWASP CRS ver.4.29.0");
    assert_eq!(
        compare(&before, &[("crs::a", 70), ("b", 1)], other),
        expected
    );
    assert!(compare(&before, &[("b", 1)], Some(CRS_HERE)).is_failure());
}

#[test]
fn another_compiler_is_another_baseline_and_no_failure() {
    let baseline = Baseline {
        made_with: MadeWith::example(),
        instructions: counts(&[("a", 100), ("gone", 1)]),
    };
    let mut with = MadeWith::example();
    with.rustc = "rustc 1.96.0".to_owned();
    let comparison = Comparison::new(&baseline, &with, &counts(&[("a", 200)]));
    assert!(!comparison.is_failure());
    let told = "compiler is rustc 1.96.0, the baseline's was rustc 1.95.0 (59807616e 2026-04-14), \
                x86_64-unknown-linux-gnu";
    assert_eq!(comparison, Comparison::OtherBaseline(vec![told.to_owned()]));
}

#[test]
fn both_figures_and_the_difference_are_told() {
    let told = Change::between(10_000, 10_500).to_string();
    assert_eq!(
        told,
        "takes 10500 instructions, +5.00 % of the baseline's 10000"
    );
}
