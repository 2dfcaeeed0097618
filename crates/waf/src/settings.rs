//! What an operator chose for the rules that guard sites: valid by construction, plain data.

use std::fmt::Write;

use palisade_vocabulary::{FailurePolicy, Mode};

/// What an operator chose for a set of rules, beside the files that they stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RuleSetSettings {
    /// Whether rules refuse; `None` leaves that to `SecRuleEngine`.
    pub mode: Option<Mode>,
    /// How many of OWASP CRS's rules run and count; `None` leaves that to the files.
    pub paranoia: Option<Paranoia>,
    /// What CRS's scores are held against.
    pub thresholds: Thresholds,
    /// What becomes of a request that the engine couldn't judge to the end, since the budget was spent or it
    /// has a defect.
    pub on_failure: FailurePolicy,
    /// Whether of gRPC calls only the head is looked at, so that both sides can talk at the same time.
    pub streams_grpc: bool,
}

impl Default for RuleSetSettings {
    /// A client can provoke what makes the engine fail, so that refuses.
    fn default() -> Self {
        Self {
            mode: None,
            paranoia: None,
            thresholds: Thresholds::default(),
            on_failure: FailurePolicy::Closed,
            streams_grpc: false,
        }
    }
}

/// A paranoia level of OWASP CRS, 1 to 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Paranoia(u8);

impl Paranoia {
    /// The highest.
    pub const MAX: u8 = 4;

    /// The level; `None` where there is none such.
    #[must_use]
    pub const fn new(level: u8) -> Option<Self> {
        match level {
            1..=Self::MAX => Some(Self(level)),
            _ => None,
        }
    }

    /// 1 to 4.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

/// Scores of OWASP CRS from which on a request or its answer is refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Thresholds {
    /// Of requests; CRS has 5 where nothing is said.
    pub inbound: Option<u32>,
    /// Of answers; CRS has 4 where nothing is said.
    pub outbound: Option<u32>,
}

/// The id of the rule that sets what the settings say: beyond the ranges that ModSecurity's reference manual
/// gives to anybody.
const PREAMBLE_ID: u32 = 99_000_000;

impl RuleSetSettings {
    /// What the settings say in the rules' language, to stand before them; empty where they say nothing.
    ///
    /// CRS gives a variable its default only where it has no value yet, so what a set-up file of CRS sets
    /// itself wins over it. `paranoia_level` is for CRS 3.
    #[must_use]
    pub(crate) fn preamble(&self) -> String {
        let level = self.paranoia.map(|level| u32::from(level.get()));
        let variables = [
            ("blocking_paranoia_level", level),
            ("detection_paranoia_level", level),
            ("paranoia_level", level),
            ("inbound_anomaly_score_threshold", self.thresholds.inbound),
            ("outbound_anomaly_score_threshold", self.thresholds.outbound),
        ];
        let mut actions = String::new();
        for (name, value) in variables {
            if let Some(value) = value {
                let _ = write!(actions, ",setvar:tx.{name}={value}");
            }
        }
        match actions.is_empty() {
            true => String::new(),
            false => format!("SecAction \"id:{PREAMBLE_ID},phase:1,pass,nolog{actions}\"\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_stand_before_the_rules_in_their_language() {
        let check = |settings: RuleSetSettings, expected: &str| {
            assert_eq!(settings.preamble(), expected);
        };
        check(RuleSetSettings::default(), "");
        let thresholds = Thresholds {
            inbound: Some(7),
            outbound: None,
        };
        check(
            RuleSetSettings {
                thresholds,
                ..RuleSetSettings::default()
            },
            "SecAction \"id:99000000,phase:1,pass,nolog,setvar:tx.inbound_anomaly_score_threshold=7\"\n",
        );
        let paranoia = Paranoia::new(2);
        check(
            RuleSetSettings {
                paranoia,
                ..RuleSetSettings::default()
            },
            "SecAction \"id:99000000,phase:1,pass,nolog,setvar:tx.blocking_paranoia_level=2,\
             setvar:tx.detection_paranoia_level=2,setvar:tx.paranoia_level=2\"\n",
        );
        assert_eq!([Paranoia::new(0), Paranoia::new(5)], [None, None]);
    }
}
