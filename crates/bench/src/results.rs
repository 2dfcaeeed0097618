//! What was measured.

use serde::{Deserialize, Serialize};

use crate::place::Duty;

/// All figures of a run.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Results {
    /// The machine: processor, cores, how busy they were at the start.
    pub machine: String,
    /// The day, like 2026-11-30 (UTC).
    pub day: String,
    /// Of each figure.
    pub rounds: u32,
    /// Whether requests had the same values again and again.
    pub values_come_again: bool,
    /// Clients at a time.
    pub clients: usize,
    /// Serving threads, or processes, of each server.
    pub workers: u16,
    /// Who was measured.
    pub subjects: Vec<SubjectInfo>,
    /// Processor time.
    pub costs: Vec<Cost>,
    /// Latency at a fixed rate.
    pub latencies: Vec<Latency>,
    /// Memory.
    pub memory: Vec<Memory>,
    /// What went otherwise than it was to go.
    pub notes: Vec<String>,
}

/// Who was measured.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SubjectInfo {
    /// Its name in files.
    pub name: String,
    /// Its name in tables.
    pub title: String,
    /// Its version, as it says.
    pub version: String,
    /// What it does with a request.
    pub duty: Duty,
    /// Whether it is Palisade.
    pub is_palisade: bool,
}

/// What requests of one kind, carried in one way, have cost a server. A figure a round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Cost {
    /// The server.
    pub subject: String,
    /// The kind of request.
    pub request: String,
    /// How it was carried.
    pub transport: String,
    /// Microseconds of processor time of the server's process tree for a request.
    pub cpu_us: Vec<f64>,
    /// Answers a second, as fast as server, clients and backend together can.
    pub per_second: Vec<f64>,
    /// Answers, in all rounds.
    pub answered: u64,
    /// Whether some were other than they should be: what a note tells of.
    pub is_wrong: bool,
}

/// Of what server, clients and backend together can, so much is asked of them where latency is measured.
const SHARE_OF_CAPACITY: f64 = 0.7;

/// Latency of a GET at a fixed rate. A figure a round.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Latency {
    /// The server.
    pub subject: String,
    /// What went on meanwhile.
    pub meanwhile: String,
    /// GETs a second that server, clients and backend together can at a fixed rate.
    pub capacity: f64,
    /// Requests a second: seven tenths of that.
    pub rate: f64,
    /// In how many rounds requests were waiting at the end: the rate was more than they could then.
    pub behind: u32,
    /// Milliseconds from when a request was to be sent to the end of its answer.
    pub p50_ms: Vec<f64>,
    /// The same.
    pub p99_ms: Vec<f64>,
    /// The same.
    pub p999_ms: Vec<f64>,
    /// Microseconds of processor time of the server's process tree for a request, with what went on meanwhile.
    pub cpu_us: Vec<f64>,
    /// Whether answers were other than they should be, or what was to go on didn't: a note tells of it.
    pub is_wrong: bool,
}

impl Latency {
    /// One without figures, for a server that can so much.
    #[must_use]
    pub fn new(subject: &str, meanwhile: &str, capacity: f64) -> Self {
        Self {
            subject: subject.to_owned(),
            meanwhile: meanwhile.to_owned(),
            capacity,
            rate: capacity * SHARE_OF_CAPACITY,
            behind: 0,
            p50_ms: Vec::new(),
            p99_ms: Vec::new(),
            p999_ms: Vec::new(),
            cpu_us: Vec::new(),
            is_wrong: false,
        }
    }

    /// Whether the server kept up in most rounds, so that the median is of one that did.
    #[must_use]
    pub fn has_kept_up(&self) -> bool {
        (self.behind as usize) * 2 < self.p999_ms.len()
    }
}

/// Resident memory.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Memory {
    /// The server.
    pub subject: String,
    /// Once it has started, in MiB.
    pub started_mib: f64,
    /// After the load.
    pub loaded_mib: Option<f64>,
    /// For each idle connection, after one request, in KiB.
    pub idle_kib: Option<f64>,
    /// The same over TLS, where it speaks that.
    pub idle_tls_kib: Option<f64>,
}

/// The middle one; not a number where there is none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// The value below which `share` (0 to 1) of `values` lie.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let last = sorted.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

/// How many times `other` is in `one`: the median of the rounds' own ratios, so that what disturbs the machine for
/// a round disturbs both.
#[must_use]
pub fn ratio(one: &[f64], other: &[f64]) -> f64 {
    let of_rounds: Vec<f64> = one
        .iter()
        .zip(other)
        .map(|(one, other)| one / other)
        .collect();
    median(&of_rounds)
}

impl Results {
    /// What such requests have cost this server, where that was measured and all answers were as they should be.
    #[must_use]
    pub fn cost(&self, subject: &str, request: &str, transport: &str) -> Option<&Cost> {
        self.costs.iter().find(|cost| {
            cost.subject == subject
                && cost.request == request
                && cost.transport == transport
                && !cost.is_wrong
        })
    }

    /// Whether such requests, on connections that stay open, were sent to this server, whatever came of it.
    #[must_use]
    pub fn has_cost(&self, subject: &str, request: &str) -> bool {
        let mut costs = self.costs.iter();
        costs.any(|cost| cost.subject == subject && cost.request == request)
    }

    /// How many times dearer these requests are for `one` than for `other`.
    #[must_use]
    pub fn cost_ratio(
        &self,
        one: &str,
        other: &str,
        request: &str,
        transport: &str,
    ) -> Option<f64> {
        let one = self.cost(one, request, transport)?;
        let other = self.cost(other, request, transport)?;
        Some(ratio(&one.cpu_us, &other.cpu_us))
    }

    /// The latency of this server's answers, with this going on meanwhile.
    #[must_use]
    pub fn latency(&self, subject: &str, meanwhile: &str) -> Option<&Latency> {
        self.latencies
            .iter()
            .filter(|latency| !latency.is_wrong)
            .find(|latency| latency.subject == subject && latency.meanwhile == meanwhile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert!(median(&[]).is_nan());
        let hundred: Vec<f64> = (0..=100).map(f64::from).collect();
        assert_eq!(quantile(&hundred, 0.99), 99.0);
    }

    #[test]
    fn a_slow_round_disturbs_both() {
        let (one, other) = ([20.0, 60.0, 20.0], [10.0, 30.0, 10.0]);
        assert_eq!(ratio(&one, &other), 2.0);
    }
}
