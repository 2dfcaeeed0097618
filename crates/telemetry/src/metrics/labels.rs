//! The words that metrics are told apart by. All sets are fixed: no client, and no list that
//! CrowdSec subscribes to, can make a new time series.

use super::family::{Label, label};
use crate::{Check, Outcome};

label!(Check {
    Proxy => "proxy",
    Hygiene => "hygiene",
    Decisions => "decisions",
    Access => "access",
    Protected => "protected",
    Limits => "limits",
    Body => "body",
    Waf => "waf",
});

/// [`Outcome`] without the check.
#[derive(Clone, Copy)]
pub(super) enum OutcomeLabel {
    Forwarded,
    Answered,
    Redirected,
    Refused,
    UpstreamFailed,
    ClientAborted,
    CutOff,
}

label!(OutcomeLabel {
    Forwarded => "forwarded",
    Answered => "answered",
    Redirected => "redirected",
    Refused => "refused",
    UpstreamFailed => "upstream_failed",
    ClientAborted => "client_aborted",
    CutOff => "cut_off",
});

impl From<Outcome> for OutcomeLabel {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Forwarded => Self::Forwarded,
            Outcome::Answered => Self::Answered,
            Outcome::Redirected => Self::Redirected,
            Outcome::Refused(_) => Self::Refused,
            Outcome::UpstreamFailed => Self::UpstreamFailed,
            Outcome::ClientAborted => Self::ClientAborted,
            Outcome::CutOff => Self::CutOff,
        }
    }
}

/// The first digit of a status.
#[derive(Clone, Copy)]
pub(super) enum StatusClass {
    None,
    Informational,
    Successful,
    Redirection,
    ClientError,
    ServerError,
}

label!(StatusClass {
    None => "none",
    Informational => "1xx",
    Successful => "2xx",
    Redirection => "3xx",
    ClientError => "4xx",
    ServerError => "5xx",
});

impl StatusClass {
    pub(super) fn of(status: u16) -> Self {
        match status {
            100..=199 => Self::Informational,
            200..=299 => Self::Successful,
            300..=399 => Self::Redirection,
            400..=499 => Self::ClientError,
            500..=599 => Self::ServerError,
            _ => Self::None,
        }
    }
}

/// Who made a decision.
#[derive(Clone, Copy)]
pub(super) enum Origin {
    Crowdsec,
    Cscli,
    CscliImport,
    Console,
    Appsec,
    Capi,
    Lists,
    Local,
    Other,
}

label!(Origin {
    Crowdsec => "crowdsec",
    Cscli => "cscli",
    CscliImport => "cscli-import",
    Console => "console",
    Appsec => "appsec",
    Capi => "CAPI",
    Lists => "lists",
    Local => "local",
    Other => "other",
});

impl Origin {
    /// `lists:firehol` and all other lists are `lists`; what isn't known is `other`.
    pub(super) fn of(origin: &str) -> Self {
        let family = origin.split(':').next().unwrap_or_default();
        find(family).unwrap_or(Self::Other)
    }
}

/// The remedy of a decision.
#[derive(Clone, Copy)]
pub(super) enum Remedy {
    Ban,
    Captcha,
    Throttle,
    Other,
}

label!(Remedy { Ban => "ban", Captcha => "captcha", Throttle => "throttle", Other => "other" });

impl Remedy {
    /// CrowdSec lets operators make up their own types; those are `other`.
    pub(super) fn of(kind: &str) -> Self {
        find(kind).unwrap_or(Self::Other)
    }
}

fn find<L: Label>(text: &str) -> Option<L> {
    let is_named = |label: &L| label.text().eq_ignore_ascii_case(text);
    L::ALL.iter().copied().find(is_named)
}

/// Why a connection got no slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SlotRefusal {
    /// All slots of the listener are taken.
    Total,
    /// All slots that one address may have are taken.
    Address,
}

label!(SlotRefusal { Total => "total", Address => "address" });

/// Why a request over HTTP/2 was not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StreamRefusal {
    /// Its connection has as many as it may that aren't over.
    Connection,
    /// All connections of its address have.
    Address,
}

label!(StreamRefusal { Connection => "connection", Address => "address" });

/// How a TLS handshake failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// Not done by its deadline.
    Timeout,
    /// The client went away in the middle of it.
    Closed,
    /// Not TLS, no version or cipher in common, or a client certificate missing or wrong.
    Rejected,
}

label!(HandshakeFailure { Timeout => "timeout", Closed => "closed", Rejected => "rejected" });

/// A geo database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeoDatabase {
    /// Address to country.
    Country,
    /// Address to AS.
    Asn,
}

label!(GeoDatabase { Country => "country", Asn => "asn" });

/// How a reload ended.
#[derive(Clone, Copy)]
pub(super) enum ReloadResult {
    Ok,
    Failed,
}

label!(ReloadResult { Ok => "ok", Failed => "failed" });
