//! Requests before rules, to see what an exclusion does.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use palisade_ftw::Request;
use palisade_hygiene::HeadLimits;
use palisade_hygiene::h1::check_head;
use palisade_seclang::{Connection, Transaction, Verdict, Worker, WorkerOptions};

use crate::clock::system_clock;
use crate::{RuleSet, drive};

/// Rules that requests are tried on.
#[derive(Debug)]
pub struct Trials {
    worker: Worker,
    client: IpAddr,
    tried: u64,
}

/// What became of a request. Nobody answers it, so rules see no answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// Whether Palisade refuses it before any rule.
    pub is_malformed: bool,
    /// The rule that refuses it, or would if rules were not only to detect.
    pub refused_by: Option<u64>,
    /// What rules that are logged have matched, in order.
    pub matches: Vec<TriedMatch>,
    /// The paranoia level up to which OWASP CRS's rules count, where they say.
    pub paranoia: Option<u8>,
}

/// A rule that matched a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedMatch {
    /// The rule.
    pub rule: u64,
    /// The value's name, such as `ARGS:q`.
    pub name: String,
    /// The value in the form in which it matched; its first 512 bytes.
    pub value: Vec<u8>,
    /// What the rule says of it.
    pub data: String,
}

impl Trials {
    /// On these rules, with requests from `client`.
    #[must_use]
    pub fn new(rules: &RuleSet, client: IpAddr) -> Self {
        let options = WorkerOptions {
            countries: rules.countries().cloned(),
            ..WorkerOptions::new(system_clock)
        };
        Self {
            worker: Worker::new(Arc::clone(rules.program()), options),
            client,
            tried: 0,
        }
    }

    /// What becomes of the request with these bytes.
    pub fn judge(&mut self, bytes: &[u8]) -> Trial {
        let request = Request::read(bytes);
        self.tried += 1;
        // It varies: CRS samples by it.
        let id = format!("{:016x}", self.tried.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let connection = Connection {
            client: SocketAddr::new(self.client, 40_000),
            server: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 80),
            unique_id: &id,
        };
        let worker = &mut self.worker;
        let mut transaction = Transaction::begin(worker, &connection);
        if drive::request_head(worker, &mut transaction, &request) == Verdict::Pass {
            let _ = drive::request_body(worker, &mut transaction, &request.body);
        }
        let trial = Trial {
            is_malformed: check_head(request.head, &HeadLimits::default()).is_err(),
            ..seen(worker, &transaction)
        };
        transaction.finish(worker);
        trial
    }
}

fn seen(worker: &Worker, transaction: &Transaction) -> Trial {
    let program = worker.program();
    let end = transaction.interruption();
    let end = end.or_else(|| transaction.would_be_interruption());
    let matches = transaction.matches(program).filter(|one| one.is_logged);
    let level = transaction.tx(program, "blocking_paranoia_level");
    Trial {
        is_malformed: false,
        refused_by: end.map(|end| end.rule),
        matches: matches
            .map(|one| TriedMatch {
                rule: one.rule.id(),
                name: String::from_utf8_lossy(one.name).into_owned(),
                value: one.value.to_vec(),
                data: String::from_utf8_lossy(one.data).into_owned(),
            })
            .collect(),
        paranoia: level.and_then(|level| std::str::from_utf8(&level).ok()?.parse().ok()),
    }
}

impl Trial {
    /// Whether a rule matched.
    #[must_use]
    pub fn has(&self, rule: u64) -> bool {
        self.matches.iter().any(|one| one.rule == rule)
    }

    /// Whether a backend hears nothing of it.
    #[must_use]
    pub fn is_refused(&self) -> bool {
        self.is_malformed || self.refused_by.is_some()
    }
}
