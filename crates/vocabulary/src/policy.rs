//! What an operator may choose.

/// Whether a check refuses, only records, or is not run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Refuse.
    #[default]
    Block,
    /// Record what would have been refused, and go on.
    Detect,
    /// Don't run.
    Off,
}

impl Mode {
    /// As the settings name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::Detect => "detect",
            Self::Off => "off",
        }
    }
}

/// What happens to requests when something upstream of a decision fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum FailurePolicy {
    /// They pass.
    #[default]
    Open,
    /// They are refused.
    Closed,
}

/// A check that an `allow` rule may skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SkippableCheck {
    /// CrowdSec's and local decisions.
    Decisions,
    /// Rate limits and lockouts.
    Limits,
    /// SecLang rules.
    Waf,
    /// CrowdSec AppSec.
    AppSec,
}

/// The checks that an `allow` rule skips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SkipSet(u8);

impl SkipSet {
    /// Skips nothing.
    pub const NONE: SkipSet = SkipSet(0);

    /// This set and `check`.
    #[must_use]
    pub fn with(self, check: SkippableCheck) -> Self {
        Self(self.0 | Self::bit(check))
    }

    /// Whether `check` is skipped.
    #[must_use]
    pub fn contains(self, check: SkippableCheck) -> bool {
        self.0 & Self::bit(check) != 0
    }

    /// Whether nothing is skipped.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    fn bit(check: SkippableCheck) -> u8 {
        1 << check as u8
    }
}
