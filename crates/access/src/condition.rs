//! The syntax tree of a rule's `match`.

use std::fmt;
use std::sync::Arc;

use http::HeaderName;
use palisade_vocabulary::{Asn, Cidr, Country};

use crate::Pattern;

/// When a rule applies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Every part holds. With no part it always holds.
    All(Vec<Condition>),
    /// At least one part holds. With no part it never holds.
    Any(Vec<Condition>),
    /// The part doesn't hold. What can't be known stays unknown.
    Not(Box<Condition>),
    /// The client's address is in one of the ranges.
    Address(AddressCondition),
    /// The client's country is one of these.
    Country(CountryCondition),
    /// The client's autonomous system is one of these.
    Asn(AsnCondition),
    /// A part of the request matches one of the patterns.
    Text(TextCondition),
}

impl Condition {
    /// The deepest nesting of `all`, `any` and `not`: far beyond what a person can read, and shallow
    /// enough that walking a tree can't exhaust a stack.
    pub const DEPTH_MAX: usize = 32;

    /// How many conditions are in one another, this one counted.
    pub(crate) fn depth(&self) -> usize {
        let deepest = |parts: &[Self]| parts.iter().map(Self::depth).max().unwrap_or(0);
        match self {
            Self::All(parts) | Self::Any(parts) => deepest(parts) + 1,
            Self::Not(part) => part.depth() + 1,
            Self::Address(_) | Self::Country(_) | Self::Asn(_) | Self::Text(_) => 1,
        }
    }
}

/// The client's address is in one of the ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressCondition {
    ranges: Arc<[Cidr]>,
    label: Arc<str>,
}

impl AddressCondition {
    /// An address in one of `ranges`. `label` is how the operator wrote it (`$office`). Conditions
    /// that share one `Arc` share one compiled index. No range at all is allowed, since a list may
    /// be empty; the condition then never holds.
    #[must_use]
    pub fn new(ranges: Arc<[Cidr]>, label: Arc<str>) -> Self {
        Self { ranges, label }
    }

    /// The ranges.
    #[must_use]
    pub fn ranges(&self) -> &Arc<[Cidr]> {
        &self.ranges
    }

    /// How the operator wrote it.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }
}

/// The client's country is one of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CountryCondition {
    countries: Box<[Country]>,
    unknown: bool,
}

impl CountryCondition {
    /// One of `countries`. Where the country can't be known the condition is unknown, or true if
    /// `unknown` is set (the rule names `unknown`).
    ///
    /// # Errors
    /// When it could never hold: no country, and `unknown` is not set.
    pub fn new(
        countries: impl IntoIterator<Item = Country>,
        unknown: bool,
    ) -> Result<Self, ConditionError> {
        let countries = sorted_set(countries);
        if countries.is_empty() && !unknown {
            return Err(ConditionError::NoCountry);
        }
        Ok(Self { countries, unknown })
    }

    /// The countries, sorted, each once.
    #[must_use]
    pub fn countries(&self) -> &[Country] {
        &self.countries
    }

    /// Whether the condition holds where the country can't be known.
    #[must_use]
    pub fn holds_if_unknown(&self) -> bool {
        self.unknown
    }
}

/// The client's autonomous system is one of a set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsnCondition {
    numbers: Box<[Asn]>,
    unknown: bool,
}

impl AsnCondition {
    /// One of `numbers`. Where the system can't be known the condition is unknown, or true if
    /// `unknown` is set (the rule names `unknown`).
    ///
    /// # Errors
    /// When it could never hold: no number, and `unknown` is not set.
    pub fn new(
        numbers: impl IntoIterator<Item = Asn>,
        unknown: bool,
    ) -> Result<Self, ConditionError> {
        let numbers = sorted_set(numbers);
        if numbers.is_empty() && !unknown {
            return Err(ConditionError::NoAsn);
        }
        Ok(Self { numbers, unknown })
    }

    /// The numbers, sorted, each once.
    #[must_use]
    pub fn numbers(&self) -> &[Asn] {
        &self.numbers
    }

    /// Whether the condition holds where the autonomous system can't be known.
    #[must_use]
    pub fn holds_if_unknown(&self) -> bool {
        self.unknown
    }
}

/// A part of the request matches one of some patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TextCondition {
    field: Field,
    patterns: Box<[Pattern]>,
}

impl TextCondition {
    /// `field` matches at least one of `patterns`.
    ///
    /// # Errors
    /// When there is no pattern: it could never hold.
    pub fn new(
        field: Field,
        patterns: impl IntoIterator<Item = Pattern>,
    ) -> Result<Self, ConditionError> {
        let patterns: Box<[Pattern]> = patterns.into_iter().collect();
        if patterns.is_empty() {
            return Err(ConditionError::NoPattern(field.to_string()));
        }
        Ok(Self { field, patterns })
    }

    /// The part of the request.
    #[must_use]
    pub fn field(&self) -> &Field {
        &self.field
    }

    /// The patterns, in the order of the file.
    #[must_use]
    pub fn patterns(&self) -> &[Pattern] {
        &self.patterns
    }
}

/// A part of a request that is text.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Field {
    /// The canonical path. Rules that block or log also try it without `;params`.
    Path,
    /// The path as sent, without the query.
    RawPath,
    /// The query as sent, without `?`; empty where there is none.
    Query,
    /// The host: lower case, without port.
    Host,
    /// The method, as sent.
    Method,
    /// Every `User-Agent` line; where there is none, one empty value.
    UserAgent,
    /// Every line of this header. Where there is none the condition doesn't hold.
    Header(HeaderName),
    /// The value of every cookie of this name (names are case-sensitive, RFC 6265 section 4.1.1).
    /// Where there is none the condition doesn't hold.
    Cookie(Box<str>),
}

impl Field {
    /// Whether a request has exactly one value of the field, so that two conditions on it speak of
    /// the same bytes.
    pub(crate) fn has_one_value(&self) -> bool {
        match self {
            Self::Path | Self::RawPath | Self::Query | Self::Host | Self::Method => true,
            Self::UserAgent | Self::Header(_) | Self::Cookie(_) => false,
        }
    }
}

/// A condition that could never hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConditionError {
    /// A country condition without a country.
    #[error("`country` names no country; expected at least one, like DE, or `unknown`")]
    NoCountry,
    /// An ASN condition without a number.
    #[error("`asn` names no autonomous system; expected at least one, like 64496, or `unknown`")]
    NoAsn,
    /// A text condition without a pattern.
    #[error("`{0}` has no pattern; expected at least one string")]
    NoPattern(String),
}

fn sorted_set<T: Ord>(items: impl IntoIterator<Item = T>) -> Box<[T]> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort_unstable();
    items.dedup();
    items.into()
}

impl fmt::Display for Field {
    /// As the settings name it: `path`, `header user-agent`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path => f.write_str("path"),
            Self::RawPath => f.write_str("raw_path"),
            Self::Query => f.write_str("query"),
            Self::Host => f.write_str("host"),
            Self::Method => f.write_str("method"),
            Self::UserAgent => f.write_str("user_agent"),
            Self::Header(name) => write!(f, "header {name}"),
            Self::Cookie(name) => write!(f, "cookie {name}"),
        }
    }
}

impl fmt::Display for Condition {
    /// On one line, in the words of the settings: `path prefix "/admin" and not (country DE or AT)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) if parts.is_empty() => f.write_str("always"),
            Self::Any(parts) if parts.is_empty() => f.write_str("never"),
            Self::All(parts) => write_joined(f, parts, " and ", write_part),
            Self::Any(parts) => write_joined(f, parts, " or ", write_part),
            Self::Not(part) => write!(f, "not ({part})"),
            Self::Address(address) => write!(f, "address {}", address.label),
            Self::Country(country) => write_set(f, "country", &country.countries, country.unknown),
            Self::Asn(asn) => write_set(f, "asn", &asn.numbers, asn.unknown),
            Self::Text(text) => {
                write!(f, "{} ", text.field)?;
                write_joined(f, &text.patterns, " or ", |f, pattern| {
                    write!(f, "{pattern}")
                })
            }
        }
    }
}

/// The most items of a list that a message shows.
const SHOWN_MAX: usize = 8;

fn write_part(f: &mut fmt::Formatter<'_>, part: &Condition) -> fmt::Result {
    match part {
        Condition::All(parts) | Condition::Any(parts) if parts.len() > 1 => write!(f, "({part})"),
        _ => write!(f, "{part}"),
    }
}

fn write_set<T: fmt::Display>(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    items: &[T],
    unknown: bool,
) -> fmt::Result {
    write!(f, "{name} ")?;
    write_joined(f, items, " or ", |f, item| write!(f, "{item}"))?;
    match (unknown, items.is_empty()) {
        (true, true) => f.write_str("unknown"),
        (true, false) => f.write_str(" or unknown"),
        (false, _) => Ok(()),
    }
}

fn write_joined<T>(
    f: &mut fmt::Formatter<'_>,
    items: &[T],
    separator: &str,
    write_item: impl Fn(&mut fmt::Formatter<'_>, &T) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.iter().take(SHOWN_MAX).enumerate() {
        if index > 0 {
            f.write_str(separator)?;
        }
        write_item(f, item)?;
    }
    match items.len().saturating_sub(SHOWN_MAX) {
        0 => Ok(()),
        more => write!(f, "{separator}{more} more"),
    }
}
