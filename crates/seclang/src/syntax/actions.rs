//! What a rule does: `id:1,phase:2,block,t:none,setvar:'tx.a=+1'`, split and given their meaning.

use super::action::{Action, AllowScope, Disruptive, Phase, Sanitise};
use super::action_values::{
    expire_var, in_value, init_collection, keyed, macro_text, named, number, set_env, set_var,
    severity, status, transformation, unknown,
};
use super::ctl::ctl;
use super::targets::{Wrong, wrong};

/// The most actions of one rule.
const ACTIONS_MAX: usize = 256;

/// An action as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Written {
    pub(super) name: Vec<u8>,
    /// Where the name stands.
    pub(super) at: usize,
    pub(super) value: Option<Vec<u8>>,
    /// Where the value stands.
    pub(super) value_at: usize,
}

/// An action, and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    pub(super) action: Action,
    pub(super) at: usize,
}

/// All actions of a text, and what is wrong with the others.
pub(super) fn actions(text: &[u8]) -> (Vec<Placed>, Vec<Wrong>) {
    let (mut placed, mut wrongs) = (Vec::new(), Vec::new());
    let written = match split(text) {
        Ok(written) => written,
        Err(wrong) => return (placed, vec![wrong]),
    };
    for written in &written {
        match meaning(written) {
            Ok(action) => placed.push(Placed {
                action,
                at: written.at,
            }),
            Err(wrong) => wrongs.push(wrong),
        }
    }
    (placed, wrongs)
}

/// Splits at commas: `name`, `name:value`, `name:'value'`, in which `\'` is a quote.
pub(super) fn split(text: &[u8]) -> Result<Vec<Written>, Wrong> {
    let mut written = Vec::new();
    let mut at = skip_blanks(text, 0);
    while at < text.len() {
        if written.len() == ACTIONS_MAX {
            return Err(wrong(at, format!("more than {ACTIONS_MAX} actions")));
        }
        let (one, end) = split_one(text, at)?;
        written.push(one);
        at = skip_blanks(text, end);
        match text.get(at) {
            None => break,
            Some(b',') => at = skip_blanks(text, at + 1),
            Some(_) => return Err(wrong(at, "expected `,` and another action, or the end")),
        }
    }
    Ok(written)
}

fn skip_blanks(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    at + rest
        .iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count()
}

fn split_one(text: &[u8], at: usize) -> Result<(Written, usize), Wrong> {
    let rest = text.get(at..).unwrap_or_default();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let len = rest.iter().take_while(|byte| is_name(byte)).count();
    if len == 0 {
        return Err(wrong(at, "expected the name of an action, like `pass`"));
    }
    let mut one = Written {
        name: rest.get(..len).unwrap_or_default().to_vec(),
        at,
        value: None,
        value_at: at + len,
    };
    let end = skip_blanks(text, at + len);
    if text.get(end) != Some(&b':') {
        return Ok((one, at + len));
    }
    let begins = skip_blanks(text, end + 1);
    let (value, value_at, end) = match text.get(begins) {
        Some(b'\'') => quoted(text, begins)?,
        _ => {
            let rest = text.get(begins..).unwrap_or_default();
            let len = memchr::memchr(b',', rest).unwrap_or(rest.len());
            let value = rest.get(..len).unwrap_or_default().trim_ascii_end();
            (value.to_vec(), begins, begins + len)
        }
    };
    (one.value, one.value_at) = (Some(value), value_at);
    Ok((one, end))
}

fn quoted(text: &[u8], begins: usize) -> Result<(Vec<u8>, usize, usize), Wrong> {
    let mut value = Vec::new();
    let mut at = begins + 1;
    loop {
        match (text.get(at), text.get(at + 1)) {
            (None, _) => return Err(wrong(begins, "the quote isn't closed")),
            (Some(b'\\'), Some(b'\'')) => {
                value.push(b'\'');
                at += 2;
            }
            (Some(b'\''), _) => return Ok((value, begins + 1, at + 1)),
            (Some(byte), _) => {
                value.push(*byte);
                at += 1;
            }
        }
    }
}

/// Actions of ModSecurity that can't be had here, and why.
const UNAVAILABLE: &[(&[u8], &str)] = &[
    (b"exec", "no program or script is started"),
    (
        b"proxy",
        "use `sites` of the settings to send requests elsewhere",
    ),
    (
        b"pause",
        "a request that waits costs us more than its client; use limits",
    ),
    (b"append", "answers are not rewritten"),
    (b"prepend", "answers are not rewritten"),
    (b"deprecatevar", "use expirevar"),
    (b"xmlns", "XML:/* and XML://@* need no name spaces"),
];

fn meaning(written: &Written) -> Result<Action, Wrong> {
    let name = written.name.to_ascii_lowercase();
    let unavailable = UNAVAILABLE
        .iter()
        .find(|(unavailable, _)| *unavailable == name);
    if let Some((_, why)) = unavailable {
        return Err(named(written, &format!("can't be had here: {why}")));
    }
    if let Some(action) = plain(&name) {
        return match &written.value {
            None => Ok(action),
            Some(_) => Err(named(written, "takes no value")),
        };
    }
    match name.as_slice() {
        b"allow" => return allow(written),
        b"sanitisematchedbytes" | b"sanitizematchedbytes" => return matched_bytes(written),
        _ => {}
    }
    let Some(value) = &written.value else {
        return Err(match is_known(&name) {
            true => named(written, "needs a value, behind a colon"),
            false => unknown(written),
        });
    };
    with_value(&name, value, written)
}

/// Actions without a value.
fn plain(name: &[u8]) -> Option<Action> {
    Some(match name {
        b"pass" => Action::Disruptive(Disruptive::Pass),
        b"block" => Action::Disruptive(Disruptive::Block),
        b"deny" => Action::Disruptive(Disruptive::Deny),
        b"drop" => Action::Disruptive(Disruptive::Drop),
        b"chain" => Action::Chain,
        b"log" => Action::Log(true),
        b"nolog" => Action::Log(false),
        b"auditlog" => Action::AuditLog(true),
        b"noauditlog" => Action::AuditLog(false),
        b"capture" => Action::Capture,
        b"multimatch" => Action::MultiMatch,
        b"sanitisematched" | b"sanitizematched" => Action::Sanitise(Sanitise::Matched),
        _ => return None,
    })
}

const WITH_VALUE: &[&[u8]] = &[
    b"id",
    b"phase",
    b"msg",
    b"logdata",
    b"severity",
    b"tag",
    b"rev",
    b"ver",
    b"maturity",
    b"accuracy",
    b"redirect",
    b"status",
    b"skip",
    b"skipafter",
    b"t",
    b"setvar",
    b"expirevar",
    b"initcol",
    b"setsid",
    b"setuid",
    b"setrsc",
    b"setenv",
    b"ctl",
    b"sanitisearg",
    b"sanitizearg",
    b"sanitiserequestheader",
    b"sanitizerequestheader",
    b"sanitiseresponseheader",
    b"sanitizeresponseheader",
];

fn is_known(name: &[u8]) -> bool {
    WITH_VALUE.contains(&name)
}

fn with_value(name: &[u8], value: &[u8], written: &Written) -> Result<Action, Wrong> {
    let text = || macro_text(value, written);
    Ok(match name {
        b"id" => Action::Id(number(value, u64::MAX, written)?),
        b"phase" => Action::Phase(Phase::named(value).ok_or_else(|| {
            in_value(
                written,
                "expected a phase: 1 to 5, request, response or logging",
            )
        })?),
        b"msg" => Action::Message(text()?),
        b"logdata" => Action::LogData(text()?),
        b"severity" => Action::Severity(severity(value, written)?),
        b"tag" => Action::Tag(text()?),
        b"rev" => Action::Revision(value.to_vec()),
        b"ver" => Action::Version(value.to_vec()),
        b"maturity" => Action::Maturity(number(value, 9, written)?),
        b"accuracy" => Action::Accuracy(number(value, 9, written)?),
        b"redirect" => Action::Disruptive(Disruptive::Redirect(text()?)),
        b"status" => Action::Status(status(value, written)?),
        b"skip" => Action::Skip(number(value, 1_000_000, written)?),
        b"skipafter" => Action::SkipAfter(value.to_vec()),
        b"t" => transformation(value, written)?,
        b"setvar" => Action::SetVar(set_var(value, written)?),
        b"expirevar" => expire_var(value, written)?,
        b"initcol" => init_collection(value, written)?,
        b"setsid" => keyed(b"session", value, written)?,
        b"setuid" => keyed(b"user", value, written)?,
        b"setrsc" => keyed(b"resource", value, written)?,
        b"setenv" => set_env(value, written)?,
        b"ctl" => ctl(value, written.value_at)?,
        b"sanitisearg" | b"sanitizearg" => Action::Sanitise(Sanitise::Argument(value.to_vec())),
        b"sanitiserequestheader" | b"sanitizerequestheader" => {
            Action::Sanitise(Sanitise::RequestHeader(value.to_vec()))
        }
        b"sanitiseresponseheader" | b"sanitizeresponseheader" => {
            Action::Sanitise(Sanitise::ResponseHeader(value.to_vec()))
        }
        _ => return Err(unknown(written)),
    })
}

fn allow(written: &Written) -> Result<Action, Wrong> {
    let scope = match written.value.as_deref() {
        None => AllowScope::Transaction,
        Some(b"phase") => AllowScope::Phase,
        Some(b"request") => AllowScope::Request,
        Some(_) => return Err(in_value(written, "expected `phase`, `request` or nothing")),
    };
    Ok(Action::Disruptive(Disruptive::Allow(scope)))
}

/// `sanitiseMatchedBytes`, `sanitiseMatchedBytes:1/4`.
fn matched_bytes(written: &Written) -> Result<Action, Wrong> {
    let mut shown = (0, 0);
    if let Some(value) = &written.value {
        let mut parts = value.splitn(2, |byte| *byte == b'/');
        let mut part = || {
            let text = std::str::from_utf8(parts.next()?).ok()?;
            text.parse().ok()
        };
        shown = part().zip(part()).ok_or_else(|| {
            let expected =
                "expected how many bytes may be shown at the beginning and the end, like 1/4";
            in_value(written, expected)
        })?;
    }
    let (shown_first, shown_last) = shown;
    Ok(Action::Sanitise(Sanitise::MatchedBytes {
        shown_first,
        shown_last,
    }))
}

#[cfg(test)]
mod tests;
