//! LAPI's decisions stream. Input: the body of an answer.

use std::io::{self, Read};
use std::net::Ipv4Addr;

use palisade_crowdsec::{SkippedDecisions, StreamAnswer, parse_answer};
use palisade_decisions::{Decision, DecisionTable, SourceId};
use palisade_vocabulary::{Known, Place, Tick};

use crate::{Outcome, check_message, prefix};

/// When answers come.
const NOW: Tick = Tick::from_millis(1_000_000);

const NOWHERE: Place = Place {
    country: Known::Unavailable,
    asn: Known::Unavailable,
};

/// Of a longer answer not every beginning is tried.
const PREFIXES_MAX: usize = 512;

/// How long, and how many, of the words between quotes are tried as durations.
const WORD_BYTES_MAX: usize = 64;
const WORDS_MAX: usize = 16;

/// An answer says the same however its bytes arrive, its beginning alone is none, its decisions keep
/// their bounds and can be applied, and each of its words can stand where a duration is expected.
pub fn check(data: &[u8]) -> Outcome {
    let words = data.split(|byte| *byte == b'"');
    for word in words
        .filter(|word| word.len() <= WORD_BYTES_MAX)
        .take(WORDS_MAX)
    {
        check_duration(word);
    }
    let answer = parse_answer(data, NOW);
    match (&answer, parse_answer(ByteByByte(data), NOW)) {
        (Ok(answer), Ok(piecewise)) => {
            assert_eq!(answer.delta.added, piecewise.delta.added);
            assert_eq!(answer.delta.deleted, piecewise.delta.deleted);
            assert_eq!(answer.skipped, piecewise.skipped);
        }
        (Err(error), Err(_)) => check_message(&error.to_string()),
        (answer, piecewise) => assert_eq!(answer.is_ok(), piecewise.is_ok()),
    }
    let Ok(answer) = answer else {
        return Outcome::Refused;
    };
    for len in 0..data.trim_ascii_end().len().min(PREFIXES_MAX) {
        assert!(
            parse_answer(prefix(data, len), NOW).is_err(),
            "{len} bytes are an answer"
        );
    }
    check_skipped(&answer.skipped);
    let outcome = match answer.delta.added.is_empty() && answer.delta.deleted.is_empty() {
        true => Outcome::Refused,
        false => Outcome::Accepted,
    };
    check_answer(answer);
    outcome
}

/// Gives one byte a read.
struct ByteByByte<'a>(&'a [u8]);

impl Read for ByteByByte<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let (Some((byte, rest)), Some(slot)) = (self.0.split_first(), out.first_mut()) else {
            return Ok(0);
        };
        *slot = *byte;
        self.0 = rest;
        Ok(1)
    }
}

fn check_skipped(skipped: &SkippedDecisions) {
    assert!(skipped.samples.len() <= SkippedDecisions::SAMPLES_MAX);
    assert!(skipped.samples.len() as u64 <= skipped.count);
    for sample in &skipped.samples {
        check_message(&sample.to_string());
    }
}

fn check_answer(answer: StreamAnswer) {
    let added = answer.delta.added.len();
    for decision in &answer.delta.added {
        assert!(decision.expires >= NOW);
    }
    let table = DecisionTable::with_limit(100);
    let applied = table.apply_snapshot(SourceId::CrowdSec, answer.delta, NOW);
    assert!(
        table.len() <= added.min(100),
        "{} of {added}: {applied:?}",
        table.len()
    );
    for (held, _) in table.export(SourceId::CrowdSec, NOW) {
        assert!(held.origin.len() <= Decision::ORIGIN_BYTES_MAX);
        assert!(held.scenario.len() <= Decision::SCENARIO_BYTES_MAX);
    }
    let _ = table.lookup(Ipv4Addr::new(192, 0, 2, 1).into(), &NOWHERE, NOW);
    table.flush(SourceId::CrowdSec, NOW);
    assert!(table.is_empty());
}

/// Any text as the duration of an otherwise sound decision: it is added or skipped, and never lost.
fn check_duration(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let document = serde_json::json!({ "new": [{
        "duration": text, "id": 1, "origin": "cscli", "scenario": "s",
        "scope": "Ip", "type": "ban", "value": "192.0.2.1",
    }], "deleted": null });
    let answer = parse_answer(document.to_string().as_bytes(), NOW);
    let Ok(answer) = answer else {
        assert!(answer.is_ok(), "{answer:?}");
        return;
    };
    assert_eq!(answer.delta.added.len() as u64 + answer.skipped.count, 1);
    check_skipped(&answer.skipped);
    if let [decision] = answer.delta.added.as_slice() {
        let begins_with = |sign| text.starts_with(sign);
        assert!(
            decision.expires == NOW || !begins_with('-'),
            "{text:?} lasts"
        );
    }
}
