//! The same rules in three ways, which must make no difference: with everything that spares work, with
//! strings that are forgotten after each transaction, and with nothing that spares any.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use palisade_body::Body;
use palisade_seclang::{
    Budget, CompileOptions, Connection, Interruption, Outcome, Program, RequestHead, ResponseHead,
    Rule, Transaction, Worker, WorkerOptions,
};

use crate::rules::program;
use crate::sent::{Fields, Sent};

/// What scores and captures are in.
const VARIABLES: &[&str] = &[
    "anomaly_score",
    "blocking_anomaly_score",
    "blocking_inbound_anomaly_score",
    "blocking_outbound_anomaly_score",
    "detection_inbound_anomaly_score",
    "detection_outbound_anomaly_score",
    "detection_anomaly_score",
    "inbound_anomaly_score_pl1",
    "inbound_anomaly_score_pl2",
    "inbound_anomaly_score_pl3",
    "inbound_anomaly_score_pl4",
    "outbound_anomaly_score_pl1",
    "outbound_anomaly_score_pl2",
    "outbound_anomaly_score_pl3",
    "outbound_anomaly_score_pl4",
    "sql_injection_score",
    "xss_score",
    "rfi_score",
    "lfi_score",
    "rce_score",
    "php_injection_score",
    "http_violation_score",
    "session_fixation_score",
    "0",
    "1",
    "2",
];

/// All that comes of a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Judged {
    /// Rule, variable, value, message, data of each match.
    pub(crate) matches: Vec<String>,
    /// How often each rule matched that is asked in every way, those included that nobody logs.
    pub(crate) hits: Vec<(u64, u64)>,
    variables: Vec<(&'static str, Option<Vec<u8>>)>,
    end: (Option<Interruption>, Option<Interruption>),
    outcome: Outcome,
}

/// One way.
struct Way {
    name: &'static str,
    program: Arc<Program>,
    worker: Worker,
    /// Rules that are not asked in every way, and not counted then.
    folded: Arc<BTreeSet<u64>>,
}

/// All three.
pub(crate) struct Ways {
    plain: Way,
    others: [Way; 2],
}

impl Ways {
    /// CRS with the settings of a file, by which nothing is refused, so that all rules run that are not
    /// of a higher level.
    pub(crate) fn new(crs: &Path, settings: &str) -> Self {
        let plain = CompileOptions {
            prefilter: false,
            fold: false,
            ..CompileOptions::default()
        };
        let with = program(crs, &[settings], CompileOptions::default());
        let without = program(crs, &[settings], plain);
        let folded = with.rules().filter(|rule| rule.is_folded());
        let folded: Arc<BTreeSet<u64>> = Arc::new(folded.map(Rule::id).collect());
        let way = |name, program: &Arc<Program>, strings_max| {
            let mut options = WorkerOptions::new(|| Duration::from_secs(1_800_000_000));
            // Ways may differ in what they cost.
            options.budget = Budget {
                bytes: u64::MAX,
                time: Duration::MAX,
            };
            if let Some(max) = strings_max {
                options.strings_max = max;
            }
            Way {
                name,
                program: Arc::clone(program),
                worker: Worker::new(Arc::clone(program), options),
                folded: Arc::clone(&folded),
            }
        };
        Self {
            plain: way("nothing spared", &without, Some(0)),
            others: [
                way("work spared, strings kept", &with, None),
                way("work spared, strings forgotten", &with, Some(0)),
            ],
        }
    }

    /// What came of a request; a message where that is not the same in all ways.
    pub(crate) fn judge(&mut self, sent: &Sent) -> Result<Judged, String> {
        let expected = self.plain.judge(sent);
        for way in &mut self.others {
            let judged = way.judge(sent);
            if judged != expected {
                return Err(format!(
                    "{}: {} has {}",
                    sent.name,
                    way.name,
                    difference(&judged, &expected)
                ));
            }
        }
        Ok(expected)
    }
}

fn difference(judged: &Judged, expected: &Judged) -> String {
    fn only<T: PartialEq + std::fmt::Debug>(of: &[T], other: &[T]) -> String {
        let only: Vec<&T> = of.iter().filter(|one| !other.contains(one)).collect();
        format!("{only:?}")
    }
    format!(
        "matches {}, not {}; hits {}, not {}; variables {}, not {}; {:?}, not {:?}",
        only(&judged.matches, &expected.matches),
        only(&expected.matches, &judged.matches),
        only(&judged.hits, &expected.hits),
        only(&expected.hits, &judged.hits),
        only(&judged.variables, &expected.variables),
        only(&expected.variables, &judged.variables),
        (&judged.end, judged.outcome),
        (&expected.end, expected.outcome),
    )
}

impl Way {
    fn judge(&mut self, sent: &Sent) -> Judged {
        let before: Vec<u64> = self.worker.counters().iter().map(|one| one.hits).collect();
        let transaction = self.drive(sent);
        let matches = transaction.matches(&self.program).map(|one| {
            format!(
                "{} {}={} {} {} {}{}",
                one.rule.id(),
                one.name.escape_ascii(),
                one.value.escape_ascii(),
                one.message.escape_ascii(),
                one.data.escape_ascii(),
                one.is_logged,
                one.is_disruptive,
            )
        });
        let variables = VARIABLES.iter();
        let judged = Judged {
            matches: matches.collect(),
            hits: self.hits_since(&before),
            variables: variables
                .map(|name| (*name, transaction.tx(&self.program, name)))
                .collect(),
            end: (
                transaction.interruption().cloned(),
                transaction.would_be_interruption().cloned(),
            ),
            outcome: transaction.outcome(),
        };
        transaction.finish(&mut self.worker);
        judged
    }

    fn hits_since(&self, before: &[u64]) -> Vec<(u64, u64)> {
        let counters = self.worker.counters().iter().zip(before);
        let hits = self.program.rules().zip(counters);
        hits.map(|(rule, (now, before))| (rule.id(), now.hits - before))
            .filter(|(id, hits)| *hits > 0 && !self.folded.contains(id))
            .collect()
    }

    fn drive(&mut self, sent: &Sent) -> Transaction {
        let connection = Connection {
            client: ([192, 0, 2, 1], 50_000).into(),
            server: ([192, 0, 2, 2], 443).into(),
            unique_id: "0123456789abcdef",
        };
        let worker = &mut self.worker;
        let mut transaction = Transaction::begin(worker, &connection);
        let head = RequestHead {
            line: &sent.line,
            method: &sent.method,
            target: &sent.target,
            protocol: &sent.protocol,
            headers: &borrowed(&sent.headers),
        };
        transaction.request_head(worker, &head);
        transaction.request_body(worker, Body::whole(&sent.body));
        let head = ResponseHead {
            protocol: b"HTTP/1.1",
            status: sent.status,
            reason: b"OK",
            headers: &borrowed(&sent.answer_headers),
        };
        transaction.response_head(worker, &head);
        transaction.response_body(worker, Body::whole(&sent.answer));
        transaction.log(worker);
        transaction
    }
}

fn borrowed(fields: &Fields) -> Vec<(&[u8], &[u8])> {
    let fields = fields.iter();
    fields
        .map(|(name, value)| (name.as_slice(), value.as_slice()))
        .collect()
}
