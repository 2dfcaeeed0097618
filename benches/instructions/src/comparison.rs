//! What is compared: counts with those of the baseline.

use std::fmt;

use crate::baseline::{Baseline, Counts};
use crate::made_with::MadeWith;

/// So many more instructions, in thousandths, are a failure; so many fewer are told.
const TOLERANCE_PER_MILLE: u64 = 30;

/// The group of the benchmarks that need OWASP CRS: the first part of their names.
pub(crate) const CRS_GROUP: &str = "crs";

fn group(name: &str) -> &str {
    name.split_once("::").map_or(name, |(group, _)| group)
}

/// What became of one benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// Within the tolerance.
    Same { before: u64, now: u64 },
    /// More than the tolerance: a failure.
    More { before: u64, now: u64 },
    /// Fewer by more than the tolerance: the baseline is out of date.
    Fewer { before: u64, now: u64 },
    /// Not in the baseline: a failure.
    New { now: u64 },
    /// In the baseline alone: a failure.
    Gone { before: u64 },
}

impl Change {
    fn between(before: u64, now: u64) -> Self {
        let (before_thousands, now_thousands) = (u128::from(before) * 1000, u128::from(now) * 1000);
        let tolerance = u128::from(before) * u128::from(TOLERANCE_PER_MILLE);
        if now_thousands > before_thousands + tolerance {
            Self::More { before, now }
        } else if now_thousands + tolerance < before_thousands {
            Self::Fewer { before, now }
        } else {
            Self::Same { before, now }
        }
    }

    /// Whether the check fails for it.
    pub(crate) fn is_failure(self) -> bool {
        matches!(
            self,
            Self::More { .. } | Self::New { .. } | Self::Gone { .. }
        )
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Same { before, now } => write!(f, "{now}, {:+.2} %", percent(before, now)),
            Self::More { before, now } => write!(
                f,
                "takes {now} instructions, {:+.2} % of the baseline's {before}",
                percent(before, now)
            ),
            Self::Fewer { before, now } => write!(
                f,
                "takes {now} instructions, {:+.2} % of the baseline's {before}: take a new baseline, that it stays so",
                percent(before, now)
            ),
            Self::New { now } => write!(f, "takes {now} instructions and isn't in the baseline"),
            Self::Gone { before } => write!(
                f,
                "is in the baseline with {before} instructions and was not counted"
            ),
        }
    }
}

fn percent(before: u64, now: u64) -> f64 {
    (now as f64 / before as f64 - 1.0) * 100.0
}

/// What the check says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Each benchmark, by name.
    Compared(Vec<(String, Change)>),
    /// The baseline was made with something else: what differs, each as a line.
    OtherBaseline(Vec<String>),
}

impl Comparison {
    /// Compares `counts`, made `with` what is here. Rows of OWASP CRS count only where it is here, in the
    /// version of the baseline.
    pub(crate) fn new(baseline: &Baseline, with: &MadeWith, counts: &Counts) -> Self {
        let differences = with.differences(&baseline.made_with);
        let differences: Vec<String> = differences
            .map(|(name, here, there)| format!("{name} is {here}, the baseline's was {there}"))
            .collect();
        if !differences.is_empty() {
            return Self::OtherBaseline(differences);
        }
        let same_crs = with.crs.is_some() && with.crs == baseline.made_with.crs;
        let mut names: Vec<&String> = baseline.instructions.keys().chain(counts.keys()).collect();
        names.sort_unstable();
        names.dedup();
        let compared = names
            .into_iter()
            .filter(|name| same_crs || group(name) != CRS_GROUP)
            .filter_map(|name| {
                let pair = (baseline.instructions.get(name), counts.get(name));
                let change = match pair {
                    (Some(&before), Some(&now)) => Change::between(before, now),
                    (None, Some(&now)) => Change::New { now },
                    (Some(&before), None) => Change::Gone { before },
                    (None, None) => return None,
                };
                Some((name.clone(), change))
            });
        Self::Compared(compared.collect())
    }

    /// Whether `make test` is to fail.
    pub(crate) fn is_failure(&self) -> bool {
        match self {
            Self::Compared(rows) => rows.iter().any(|(_, change)| change.is_failure()),
            Self::OtherBaseline(_) => false,
        }
    }
}

#[cfg(test)]
mod tests;
