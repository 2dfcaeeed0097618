//! What spares work changes nothing: neither that rules are decided when they are loaded, nor that strings
//! are looked at for all rules at once, nor that what is known of them is kept.

use std::cell::RefCell;

use proptest::prelude::*;
use proptest::sample::Index;

use crate::engines::Ways;
use crate::files::crs;
use crate::mutation::{edits, payloads};
use crate::sent::{Sent, of_corpus, of_tests};

/// The settings of both ends: where most rules are folded, and where few are.
const SETTINGS: [&str; 2] = ["paranoia-1.conf", "suite-paranoia-4.conf"];

/// How many requests match something, and how many rules match.
fn check(ways: &mut Ways, requests: &[Sent]) -> (usize, u64) {
    let (mut matching, mut hits) = (0, 0);
    for sent in requests {
        let judged = ways.judge(sent).unwrap();
        matching += usize::from(!judged.matches.is_empty());
        hits += judged.hits.iter().map(|(_, hits)| hits).sum::<u64>();
    }
    (matching, hits)
}

#[test]
fn crs_tests_match_the_same_rules_whatever_spares_work() {
    let Some(crs) = crs("that nothing which spares work changes what CRS's tests match") else {
        return;
    };
    let (tests, requests) = of_tests(&crs);
    assert_eq!(tests, 5_003);
    for settings in SETTINGS {
        let (matching, hits) = check(&mut Ways::new(&crs, settings), &requests);
        println!(
            "{settings}: {} requests of {tests} tests, {matching} match, {hits} hits",
            requests.len()
        );
        assert!(matching > tests / 4, "{matching}");
    }
}

#[test]
fn benign_requests_match_the_same_rules_whatever_spares_work() {
    let Some(crs) = crs("that nothing which spares work changes what benign requests match") else {
        return;
    };
    let Some(requests) = of_corpus() else { return };
    assert_eq!(requests.len(), 200);
    for settings in SETTINGS {
        let mut ways = Ways::new(&crs, settings);
        let first = check(&mut ways, &requests);
        // The second time what is known of strings is known.
        assert_eq!(check(&mut ways, &requests), first);
        say!("{settings}: {} requests, {first:?}", requests.len());
    }
}

#[test]
fn any_request_matches_the_same_rules_whatever_spares_work() {
    let Some(crs) = crs("that nothing which spares work changes what made-up requests match")
    else {
        return;
    };
    let (_, mut requests) = of_tests(&crs);
    requests.extend(of_corpus().unwrap_or_default());
    let payloads = payloads(&requests);
    let ways = SETTINGS.map(|settings| RefCell::new(Ways::new(&crs, settings)));
    let one = (any::<Index>(), edits());
    let strategy = prop::collection::vec(one, 1..10);
    proptest!(|(all in strategy, at_least in any::<bool>())| {
        let ways = if at_least { &ways[0] } else { &ways[1] };
        for (index, edits) in all {
            let mut sent = index.get(&requests).clone();
            for edit in &edits {
                edit.apply(&mut sent, &payloads);
            }
            let judged = ways.borrow_mut().judge(&sent);
            prop_assert!(judged.is_ok(), "{}\n{sent:?}", judged.unwrap_err());
        }
    });
}
