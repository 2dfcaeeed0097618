//! What an operator chose for LAPI: valid by construction, plain data.

use palisade_vocabulary::ByteSize;

use crate::credentials::{CertificateAuthorities, Credentials};
use crate::lapi_url::LapiUrl;
use crate::usage::UsageInterval;
use palisade_remote::BoundedDuration;

/// How often LAPI is asked for what changed: 1 second to 1 hour.
pub type UpdateInterval = BoundedDuration<1_000, 3_600_000>;

/// How long an answer may take, from the connection to its last byte: 100 milliseconds to 1 hour.
pub type PollTimeout = BoundedDuration<100, 3_600_000>;

/// How often LAPI is asked for everything: 1 minute to 1 day.
pub type ResyncInterval = BoundedDuration<60_000, 86_400_000>;

/// The scopes that are asked for. LAPI's default leaves out country and AS.
pub const SCOPES: &str = "ip,range,country,as";

/// How LAPI is polled. What is done with its decisions is the gate's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    lapi_url: LapiUrl,
    credentials: Credentials,
    /// Who may vouch for LAPI's certificate; none = the machine's own store. Unused over plain
    /// HTTP.
    pub certificate_authorities: Option<CertificateAuthorities>,
    /// How often LAPI is asked for what changed.
    pub update_interval: UpdateInterval,
    /// How long a full snapshot may take. Long: a LAPI with many decisions needs seconds to minutes.
    pub startup_timeout: PollTimeout,
    /// How long an answer with what changed may take.
    pub request_timeout: PollTimeout,
    /// How often everything is asked for again; each time moved by up to a tenth either way.
    pub resync_interval: ResyncInterval,
    /// Which decisions are asked for.
    pub filters: Filters,
    /// The longest answer that is read.
    pub answer_bytes_max: AnswerBytesMax,
    /// How often LAPI is told of usage; none = never.
    pub usage_interval: Option<UsageInterval>,
}

impl Settings {
    /// The defaults of everything but where LAPI is and how Palisade proves who it is.
    ///
    /// # Errors
    /// When a client certificate shall be shown over plain HTTP.
    pub fn new(lapi_url: LapiUrl, credentials: Credentials) -> Result<Self, SettingsError> {
        if matches!(credentials, Credentials::ClientCertificate(_)) && !lapi_url.is_https() {
            return Err(SettingsError::CertificateOverHttp);
        }
        Ok(Self {
            lapi_url,
            credentials,
            certificate_authorities: None,
            update_interval: UpdateInterval::clamped_from_secs(10),
            startup_timeout: PollTimeout::clamped_from_secs(120),
            request_timeout: PollTimeout::clamped_from_secs(10),
            resync_interval: ResyncInterval::clamped_from_secs(3_600),
            filters: Filters::default(),
            answer_bytes_max: AnswerBytesMax::default(),
            usage_interval: Some(UsageInterval::clamped_from_secs(900)),
        })
    }

    /// Where LAPI is.
    #[must_use]
    pub fn lapi_url(&self) -> &LapiUrl {
        &self.lapi_url
    }

    /// How Palisade proves who it is.
    #[must_use]
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }
}

/// Which decisions LAPI is asked for; empty lists ask for all.
///
/// `dedup=false` is sent with or without a filter: LAPI removes duplicates *before* it filters, so
/// that a decision that passes the filter could hide behind one that doesn't.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// Only these origins (exact): `cscli`, `crowdsec`, `CAPI`, `lists`, ...
    pub origins: Vec<FilterTerm>,
    /// Only scenarios with one of these in their name (in either case).
    pub scenarios_containing: Vec<FilterTerm>,
    /// No scenarios with one of these in their name (in either case).
    pub scenarios_not_containing: Vec<FilterTerm>,
}

/// One term of a filter: 1 to 255 bytes without comma or control characters, since LAPI reads
/// terms as a comma-separated list without an escape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilterTerm(Box<str>);

impl FilterTerm {
    /// The longest, in bytes.
    pub const LEN_MAX: usize = 255;

    /// The term.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for FilterTerm {
    type Err = SettingsError;

    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let valid = |c: char| c != ',' && !c.is_control();
        if text.is_empty() || text.len() > Self::LEN_MAX || !text.chars().all(valid) {
            let got = text.chars().take(64).flat_map(char::escape_default);
            return Err(SettingsError::FilterTerm(got.collect()));
        }
        Ok(Self(text.into()))
    }
}

/// The longest answer of LAPI that is read: 64 KiB to 4 GiB. Answers are parsed as they arrive, so
/// this bounds time and the number of decisions; no more than one text of an answer is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnswerBytesMax(ByteSize);

impl AnswerBytesMax {
    /// The smallest.
    pub const MIN: ByteSize = ByteSize::kib(64);
    /// The largest.
    pub const MAX: ByteSize = ByteSize::mib(4_096);

    /// `size`, if it is within the bounds.
    ///
    /// # Errors
    /// When it is smaller than [`Self::MIN`] or larger than [`Self::MAX`].
    pub fn new(size: ByteSize) -> Result<Self, SettingsError> {
        if size < Self::MIN || size > Self::MAX {
            return Err(SettingsError::AnswerBytesMax { got: size });
        }
        Ok(Self(size))
    }

    /// The size.
    #[must_use]
    pub fn get(self) -> ByteSize {
        self.0
    }
}

impl Default for AnswerBytesMax {
    /// 512 MiB: some three million decisions.
    fn default() -> Self {
        Self(ByteSize::mib(512))
    }
}

/// What is wrong with a setting.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// A client certificate is part of TLS.
    #[error("a client certificate can't be shown over plain HTTP; give an https URL, or a key")]
    CertificateOverHttp,
    /// Not a filter term.
    #[error(
        "\"{0}\" is no filter; expected 1 to 255 bytes without a comma, one list element for each term"
    )]
    FilterTerm(String),
    /// Too small or too large.
    #[error(
        "{got} is out of bounds; expected {} to {}",
        AnswerBytesMax::MIN,
        AnswerBytesMax::MAX
    )]
    AnswerBytesMax {
        /// What was got.
        got: ByteSize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_term(input: &str, valid: bool) {
        assert_eq!(input.parse::<FilterTerm>().is_ok(), valid, "{input:?}");
    }

    #[test]
    fn filter_terms_are_elements_of_a_comma_separated_list() {
        check_term("CAPI", true);
        check_term("crowdsecurity/http probing", true);
        check_term(&"x".repeat(255), true);
        check_term("", false);
        check_term("cscli,crowdsec", false);
        check_term("a\nb", false);
        check_term(&"x".repeat(256), false);
    }

    #[test]
    fn answers_are_bounded() {
        assert!(AnswerBytesMax::new(ByteSize::kib(64)).is_ok());
        assert!(AnswerBytesMax::new(ByteSize::mib(4_096)).is_ok());
        let error = AnswerBytesMax::new(ByteSize::bytes(1)).unwrap_err();
        assert_eq!(
            error.to_string(),
            "1B is out of bounds; expected 64KiB to 4GiB"
        );
    }
}
