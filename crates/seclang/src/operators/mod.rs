//! Operators: what rules ask of a value.
//!
//! An operator is parsed once, when rules are loaded, into data that asking needs no more than; what
//! is wrong with its argument is told with its place. Negation (`!@rx`) is outside: an operator says
//! whether it matches. All take time linear in the value.

mod argument;
mod cache;
mod contains_word;
mod content;
mod error;
mod files;
mod integer;
mod ip_match;
mod phrases;
mod rx;
mod text;
mod validate_byte_range;
mod validate_url_encoding;
mod validate_utf8_encoding;
mod verify;

use std::ops::Range;

use crate::{ByteSet, MacroText, Sources};

pub use argument::Argument;
pub use cache::OperatorCache;
pub use error::{OperatorError, Problem};
pub use integer::{Comparison, Relation, integer};
pub use ip_match::AddressSet;
pub use phrases::Phrases;
pub use rx::{Groups, PatternProblem, Rx};
pub use text::{Text, TextTest};
pub use verify::{NumberKind, NumberSearch};

use error::Found;

/// An operator, ready to be asked.
#[derive(Clone, Debug)]
pub enum Operator {
    /// One that the value and the argument decide.
    Match(Matcher),
    /// `detectSQLi`, which whoever runs rules asks the injection detector.
    DetectSqli,
    /// `detectXSS`, likewise.
    DetectXss,
    /// `geoLookup`, which whoever runs rules asks its country database.
    GeoLookup,
}

/// An operator that the value and the argument decide.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// `unconditionalMatch`.
    Always,
    /// `noMatch`.
    Never,
    /// `rx`.
    Rx(Rx),
    /// `rxGlobal`: as `rx`, with the groups of all matches.
    RxGlobal(Rx),
    /// `pm`, `pmFromFile`.
    Phrases(Phrases),
    /// `beginsWith`, `contains`, `containsWord`, `endsWith`, `streq`, `strmatch`, `within`.
    Text(Text),
    /// `eq`, `ne`, `ge`, `gt`, `le`, `lt`.
    Comparison(Comparison),
    /// `ipMatch`, `ipMatchFromFile`.
    Address(AddressSet),
    /// `validateByteRange`: matches where one of these is in the value.
    Bytes(ByteSet),
    /// `validateUrlEncoding`: matches where the value isn't valid.
    UrlEncoding,
    /// `validateUtf8Encoding`: matches where the value isn't valid.
    Utf8Encoding,
    /// `verifyCC`, `verifyCPF`, `verifySSN`, `verifySVNR`.
    Number(NumberSearch),
}

/// That an operator matches, and what there is for TX:0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match<'o> {
    /// Nothing to capture.
    Plain,
    /// This phrase, as the rule has it.
    Phrase(&'o [u8]),
    /// This part of the value.
    Part(Range<usize>),
    /// What [`Matcher::captures`] gives for it.
    Groups,
}

/// Operators of ModSecurity that are refused, and why.
const REFUSED: [(&str, &str); 8] = [
    (
        "fuzzyHash",
        "similarity to hashes of known files is a matter for a scanner of files",
    ),
    (
        "gsbLookup",
        "the list that it looks values up in (Google Safe Browsing, version 1) is no longer published",
    ),
    (
        "inspectFile",
        "it would run a program while the request waits; scan uploads behind the proxy",
    ),
    (
        "rbl",
        "it would ask a name server while the request waits; use a list of addresses",
    ),
    ("rsub", "it would change the body that is passed on"),
    (
        "validateDTD",
        "document types are not read, since they can name other files",
    ),
    ("validateHash", "links are not signed here (SecHashEngine)"),
    (
        "validateSchema",
        "schemas of XML are not read, since they can name other files",
    ),
];

impl Operator {
    /// The operator that a rule calls `name` (without `@`, in any case), with its argument, whose files
    /// come from `sources`.
    ///
    /// # Errors
    /// When there is no such operator, it is refused, or something is wrong with the argument; with the
    /// place in the argument.
    pub fn parse(
        name: &[u8],
        argument: &[u8],
        sources: &dyn Sources,
    ) -> Result<Self, OperatorError> {
        let lower = name.to_ascii_lowercase();
        parse(&lower, argument, sources).map_err(|(offset, problem)| OperatorError {
            operator: error::excerpt(name),
            offset,
            problem,
        })
    }

    /// The macros of its argument, which are to be expanded before it is asked; `None` where there are
    /// none.
    #[must_use]
    pub fn macros(&self) -> Option<&MacroText> {
        match self {
            Self::Match(Matcher::Text(text)) => text.macros(),
            Self::Match(Matcher::Comparison(comparison)) => comparison.macros(),
            _ => None,
        }
    }

    /// The same operator where what its [macros](Self::macros) are expanded to is always `text`; `None`
    /// where it has none.
    #[must_use]
    pub fn with_argument(&self, text: &[u8]) -> Option<Self> {
        self.macros()?;
        Some(Self::Match(match self {
            Self::Match(Matcher::Text(one)) => Matcher::Text(one.with_argument(text)),
            Self::Match(Matcher::Comparison(one)) => Matcher::Comparison(one.with_argument(text)),
            _ => return None,
        }))
    }
}

fn parse(name: &[u8], argument: &[u8], sources: &dyn Sources) -> Result<Operator, Found> {
    let simple = match name {
        b"detectsqli" => Operator::DetectSqli,
        b"detectxss" => Operator::DetectXss,
        b"geolookup" => Operator::GeoLookup,
        b"unconditionalmatch" => Operator::Match(Matcher::Always),
        b"nomatch" => Operator::Match(Matcher::Never),
        b"validateurlencoding" => Operator::Match(Matcher::UrlEncoding),
        b"validateutf8encoding" => Operator::Match(Matcher::Utf8Encoding),
        _ => return parse_with_argument(name, argument, sources).map(Operator::Match),
    };
    Ok(simple)
}

fn parse_with_argument(
    name: &[u8],
    argument: &[u8],
    sources: &dyn Sources,
) -> Result<Matcher, Found> {
    if let Some(test) = text_test(name) {
        return Text::parse(test, argument).map(Matcher::Text);
    }
    if let Some(relation) = relation(name) {
        return Comparison::parse(relation, argument).map(Matcher::Comparison);
    }
    if let Some(kind) = number_kind(name) {
        return NumberSearch::parse(kind, argument).map(Matcher::Number);
    }
    match name {
        b"rx" => Rx::parse(argument).map(Matcher::Rx),
        b"rxglobal" => Rx::parse(argument).map(Matcher::RxGlobal),
        b"pm" => Phrases::parse(argument).map(Matcher::Phrases),
        b"pmf" | b"pmfromfile" => Phrases::from_files(argument, sources).map(Matcher::Phrases),
        b"strmatch" => Text::parse_str_match(argument).map(Matcher::Text),
        b"ipmatch" => AddressSet::parse(argument).map(Matcher::Address),
        b"ipmatchf" | b"ipmatchfromfile" => {
            AddressSet::from_files(argument, sources).map(Matcher::Address)
        }
        b"validatebyterange" => validate_byte_range::parse(argument).map(Matcher::Bytes),
        _ => Err((0, unknown(name))),
    }
}

fn text_test(name: &[u8]) -> Option<TextTest> {
    Some(match name {
        b"beginswith" => TextTest::BeginsWith,
        b"contains" => TextTest::Contains,
        b"containsword" => TextTest::ContainsWord,
        b"endswith" => TextTest::EndsWith,
        b"streq" => TextTest::StrEq,
        b"within" => TextTest::Within,
        _ => return None,
    })
}

fn relation(name: &[u8]) -> Option<Relation> {
    Some(match name {
        b"eq" => Relation::Eq,
        b"ne" => Relation::Ne,
        b"ge" => Relation::Ge,
        b"gt" => Relation::Gt,
        b"le" => Relation::Le,
        b"lt" => Relation::Lt,
        _ => return None,
    })
}

fn number_kind(name: &[u8]) -> Option<NumberKind> {
    Some(match name {
        b"verifycc" => NumberKind::Card,
        b"verifycpf" => NumberKind::Cpf,
        b"verifyssn" => NumberKind::Ssn,
        b"verifysvnr" => NumberKind::Svnr,
        _ => return None,
    })
}

fn unknown(name: &[u8]) -> Problem {
    let refused = REFUSED
        .iter()
        .find(|(refused, _)| refused.as_bytes().eq_ignore_ascii_case(name));
    refused.map_or(Problem::Unknown, |(_, why)| Problem::Refused(why))
}

impl Matcher {
    /// Whether it matches `value`. `expanded` is what [`Operator::macros`] were expanded to, and counts
    /// only where there are any; `cache` is this operator's own. Hot path: allocates nothing once the
    /// cache has grown.
    pub fn matches(
        &self,
        value: &[u8],
        expanded: &[u8],
        cache: &mut OperatorCache,
    ) -> Option<Match<'_>> {
        match self {
            Self::Always => Some(Match::Plain),
            Self::Never => None,
            Self::Rx(rx) | Self::RxGlobal(rx) => rx.is_match(value, cache).then_some(Match::Groups),
            Self::Phrases(phrases) => phrases.find(value).map(Match::Phrase),
            Self::Text(text) => plain(text.holds(value, expanded, &mut cache.borders)),
            Self::Comparison(comparison) => plain(comparison.holds(value, expanded)),
            Self::Address(addresses) => plain(addresses.holds(value)),
            Self::Bytes(refused) => plain(refused.find_in(value).is_some()),
            Self::UrlEncoding => plain(validate_url_encoding::is_invalid(value)),
            Self::Utf8Encoding => plain(validate_utf8_encoding::is_invalid(value)),
            Self::Number(search) => search.find(value, cache).map(Match::Part),
        }
    }

    /// The groups of `rx` and `rxGlobal` in a value that matches; none of any other operator. Asked only
    /// where a rule captures: finding groups costs several times what matching does.
    pub fn captures(&self, value: &[u8], cache: &mut OperatorCache, groups: &mut Groups) {
        match self {
            Self::Rx(rx) => rx.captures(value, cache, groups),
            Self::RxGlobal(rx) => rx.captures_all(value, cache, groups),
            _ => *groups = Groups::default(),
        }
    }
}

fn plain<'o>(matches: bool) -> Option<Match<'o>> {
    matches.then_some(Match::Plain)
}

#[cfg(test)]
mod tests;
