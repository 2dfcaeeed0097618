//! `ctl`: what a rule changes for the rest of its transaction.

use std::ops::RangeInclusive;

use super::absent;
use super::action::Action;
use super::targets::{Target, Wrong, targets, wrong};

/// What a rule changes for the rest of its transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ctl {
    /// `ruleEngine`
    RuleEngine(EngineMode),
    /// `auditEngine`
    AuditEngine(AuditMode),
    /// `auditLogParts`: those that are added (`+E`), taken away (`-E`), or all that there are.
    AuditLogParts(Vec<u8>),
    /// `requestBodyAccess`
    RequestBodyAccess(bool),
    /// `responseBodyAccess`
    ResponseBodyAccess(bool),
    /// `requestBodyLimit`, in bytes.
    RequestBodyLimit(u64),
    /// `responseBodyLimit`, in bytes.
    ResponseBodyLimit(u64),
    /// `requestBodyProcessor`
    RequestBodyProcessor(BodyProcessor),
    /// `parseXmlIntoArgs`
    XmlArguments(XmlArguments),
    /// `forceRequestBodyVariable`
    ForceRequestBodyVariable(bool),
    /// `forceResponseBodyVariable`
    ForceResponseBodyVariable(bool),
    /// `ruleRemoveById`
    RemoveById(Vec<RangeInclusive<u64>>),
    /// `ruleRemoveByTag`: an expression.
    RemoveByTag(Vec<u8>),
    /// `ruleRemoveByMsg`: an expression.
    RemoveByMessage(Vec<u8>),
    /// `ruleRemoveTargetById`
    RemoveTargetById(Vec<RangeInclusive<u64>>, Vec<Target>),
    /// `ruleRemoveTargetByTag`: an expression.
    RemoveTargetByTag(Vec<u8>, Vec<Target>),
    /// `ruleRemoveTargetByMsg`: an expression.
    RemoveTargetByMessage(Vec<u8>, Vec<Target>),
}

/// `SecRuleEngine`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EngineMode {
    /// Rules run and refuse.
    On,
    /// No rules run.
    Off,
    /// Rules run and refuse nothing.
    DetectionOnly,
}

/// `SecAuditEngine`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuditMode {
    /// Every transaction.
    On,
    /// None.
    Off,
    /// Those that a rule has matched, or whose status is relevant.
    RelevantOnly,
}

/// `SecParseXmlIntoArgs`: what rules see of an XML body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum XmlArguments {
    /// `XML`
    Off,
    /// `XML`, and elements that hold no others as arguments.
    On,
    /// Such elements alone.
    Only,
}

/// What parses a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyProcessor {
    /// `application/x-www-form-urlencoded`
    UrlEncoded,
    /// `multipart/form-data`
    Multipart,
    /// XML.
    Xml,
    /// JSON.
    Json,
}

impl BodyProcessor {
    /// The name in `REQBODY_PROCESSOR`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::UrlEncoded => "URLENCODED",
            Self::Multipart => "MULTIPART",
            Self::Xml => "XML",
            Self::Json => "JSON",
        }
    }

    /// The one of that name; upper or lower case is the same.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let all = [Self::UrlEncoded, Self::Multipart, Self::Xml, Self::Json];
        let is_it = |one: &Self| one.as_str().as_bytes().eq_ignore_ascii_case(name);
        all.into_iter().find(is_it)
    }
}

/// `On` or `Off`.
pub(super) fn on_or_off(value: &[u8], at: usize) -> Result<bool, Wrong> {
    match value.to_ascii_lowercase().as_slice() {
        b"on" => Ok(true),
        b"off" => Ok(false),
        _ => Err(wrong(at, "expected On or Off")),
    }
}

pub(super) fn engine_mode(value: &[u8], at: usize) -> Result<EngineMode, Wrong> {
    match value.to_ascii_lowercase().as_slice() {
        b"on" => Ok(EngineMode::On),
        b"off" => Ok(EngineMode::Off),
        b"detectiononly" => Ok(EngineMode::DetectionOnly),
        _ => Err(wrong(at, "expected On, Off or DetectionOnly")),
    }
}

pub(super) fn xml_arguments(value: &[u8], at: usize) -> Result<XmlArguments, Wrong> {
    match value.to_ascii_lowercase().as_slice() {
        b"on" => Ok(XmlArguments::On),
        b"off" => Ok(XmlArguments::Off),
        b"onlyargs" => Ok(XmlArguments::Only),
        _ => Err(wrong(at, "expected On, Off or OnlyArgs")),
    }
}

pub(super) fn audit_mode(value: &[u8], at: usize) -> Result<AuditMode, Wrong> {
    match value.to_ascii_lowercase().as_slice() {
        b"on" => Ok(AuditMode::On),
        b"off" => Ok(AuditMode::Off),
        b"relevantonly" => Ok(AuditMode::RelevantOnly),
        _ => Err(wrong(at, "expected On, Off or RelevantOnly")),
    }
}

/// Bytes, or whatever else is counted.
pub(super) fn count(value: &[u8], at: usize) -> Result<u64, Wrong> {
    let digits = std::str::from_utf8(value).ok();
    let number = digits.and_then(|digits| digits.parse().ok());
    number.ok_or_else(|| wrong(at, "expected a number"))
}

/// `1`, `1-5`, and several of these, separated by commas or spaces.
pub(super) fn id_ranges(value: &[u8], at: usize) -> Result<Vec<RangeInclusive<u64>>, Wrong> {
    let is_separator = |byte: &u8| *byte == b',' || byte.is_ascii_whitespace();
    let words = value.split(is_separator).filter(|word| !word.is_empty());
    let ranges = words.map(|word| id_range(word, at));
    let ranges = ranges.collect::<Result<Vec<_>, _>>()?;
    match ranges.is_empty() {
        true => Err(wrong(at, "expected ids, like 942100 or 941100-941999")),
        false => Ok(ranges),
    }
}

fn id_range(word: &[u8], at: usize) -> Result<RangeInclusive<u64>, Wrong> {
    let id = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse::<u64>().ok();
    let mut ends = word.splitn(2, |byte| *byte == b'-');
    let first = ends.next().and_then(id);
    let last = match ends.next() {
        Some(last) => id(last),
        None => first,
    };
    match (first, last) {
        (Some(first), Some(last)) if first <= last => Ok(first..=last),
        _ => {
            let word = String::from_utf8_lossy(word);
            Err(wrong(
                at,
                format!("\"{word}\" is no id, and no range of ids like 941100-941999"),
            ))
        }
    }
}

/// `OPTION=VALUE`; `at` is where it stands in the text of actions.
pub(super) fn ctl(text: &[u8], at: usize) -> Result<Action, Wrong> {
    let Some(equals) = memchr::memchr(b'=', text) else {
        return Err(wrong(at, "expected an option, `=` and its value"));
    };
    let name = text.get(..equals).unwrap_or_default().trim_ascii();
    let value = text.get(equals + 1..).unwrap_or_default().trim_ascii();
    if let Some(absent) = absent::ctl(name) {
        absent.judge(value).map_err(|message| wrong(at, message))?;
        let (name, why) = (absent.name, absent.why);
        return Ok(Action::IgnoredCtl { name, why });
    }
    option(name, at, value, at + equals + 1).map(Action::Ctl)
}

fn option(name: &[u8], at: usize, value: &[u8], value_at: usize) -> Result<Ctl, Wrong> {
    Ok(match name.to_ascii_lowercase().as_slice() {
        b"ruleengine" => Ctl::RuleEngine(engine_mode(value, value_at)?),
        b"auditengine" => Ctl::AuditEngine(audit_mode(value, value_at)?),
        b"auditlogparts" => Ctl::AuditLogParts(value.to_vec()),
        b"requestbodyaccess" => Ctl::RequestBodyAccess(on_or_off(value, value_at)?),
        b"responsebodyaccess" => Ctl::ResponseBodyAccess(on_or_off(value, value_at)?),
        b"requestbodylimit" => Ctl::RequestBodyLimit(count(value, value_at)?),
        b"responsebodylimit" => Ctl::ResponseBodyLimit(count(value, value_at)?),
        b"requestbodyprocessor" => Ctl::RequestBodyProcessor(processor(value, value_at)?),
        b"parsexmlintoargs" => Ctl::XmlArguments(xml_arguments(value, value_at)?),
        b"forcerequestbodyvariable" => Ctl::ForceRequestBodyVariable(on_or_off(value, value_at)?),
        b"forceresponsebodyvariable" => Ctl::ForceResponseBodyVariable(on_or_off(value, value_at)?),
        b"ruleremovebyid" => Ctl::RemoveById(id_ranges(value, value_at)?),
        b"ruleremovebytag" => Ctl::RemoveByTag(not_empty(value, value_at)?),
        b"ruleremovebymsg" => Ctl::RemoveByMessage(not_empty(value, value_at)?),
        b"ruleremovetargetbyid" => {
            let (ids, targets) = with_targets(value, value_at)?;
            Ctl::RemoveTargetById(id_ranges(ids, value_at)?, targets)
        }
        b"ruleremovetargetbytag" => {
            let (tag, targets) = with_targets(value, value_at)?;
            Ctl::RemoveTargetByTag(not_empty(tag, value_at)?, targets)
        }
        b"ruleremovetargetbymsg" => {
            let (message, targets) = with_targets(value, value_at)?;
            Ctl::RemoveTargetByMessage(not_empty(message, value_at)?, targets)
        }
        other => {
            let other = String::from_utf8_lossy(other);
            return Err(wrong(at, format!("`ctl` has no option `{other}` here")));
        }
    })
}

fn not_empty(value: &[u8], at: usize) -> Result<Vec<u8>, Wrong> {
    match value.is_empty() {
        true => Err(wrong(
            at,
            "expected a tag or message, or an expression that finds it",
        )),
        false => Ok(value.to_vec()),
    }
}

fn processor(value: &[u8], at: usize) -> Result<BodyProcessor, Wrong> {
    let message = "expected URLENCODED, MULTIPART, XML or JSON";
    BodyProcessor::named(value).ok_or_else(|| wrong(at, message))
}

/// `942100;ARGS:password`
fn with_targets(value: &[u8], at: usize) -> Result<(&[u8], Vec<Target>), Wrong> {
    let Some(semicolon) = memchr::memchr(b';', value) else {
        return Err(wrong(
            at,
            "expected which rules, `;` and the targets to leave out",
        ));
    };
    let (rules, behind) = value.split_at(semicolon);
    let written = behind.get(1..).unwrap_or_default();
    let targets = targets(written).map_err(|mut inner| {
        inner.at += at + semicolon + 1;
        inner
    })?;
    Ok((rules.trim_ascii(), targets))
}
