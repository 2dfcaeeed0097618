//! The values of actions.

use crate::macro_text::MacroText;
use crate::transformations::Transformation;

use super::action::{Action, Change, SetVar, VariablePath};
use super::actions::Written;
use super::targets::{Wrong, wrong};

/// Severities, severest first (reference manual, "severity").
const SEVERITIES: [&str; 8] = [
    "EMERGENCY",
    "ALERT",
    "CRITICAL",
    "ERROR",
    "WARNING",
    "NOTICE",
    "INFO",
    "DEBUG",
];

/// Collections that rules can write to.
const WRITABLE: [&[u8]; 6] = [b"tx", b"ip", b"global", b"session", b"user", b"resource"];

/// What is wrong with the action as such.
pub(super) fn named(written: &Written, what: &str) -> Wrong {
    let name = String::from_utf8_lossy(&written.name);
    wrong(written.at, format!("`{name}` {what}"))
}

/// What is wrong with its value.
pub(super) fn in_value(written: &Written, message: impl Into<String>) -> Wrong {
    wrong(written.value_at, message)
}

pub(super) fn unknown(written: &Written) -> Wrong {
    let name = String::from_utf8_lossy(&written.name);
    wrong(written.at, format!("there is no action `{name}`"))
}

/// A number of at most `max`.
pub(super) fn number<N: TryFrom<u64>>(
    value: &[u8],
    max: u64,
    written: &Written,
) -> Result<N, Wrong> {
    let digits = std::str::from_utf8(value).ok();
    let number = digits.and_then(|digits| digits.parse::<u64>().ok());
    let number = number.filter(|number| *number <= max);
    number
        .and_then(|number| N::try_from(number).ok())
        .ok_or_else(|| {
            let got = String::from_utf8_lossy(value);
            in_value(
                written,
                format!("got \"{got}\"; expected a number of at most {max}"),
            )
        })
}

pub(super) fn macro_text(value: &[u8], written: &Written) -> Result<MacroText, Wrong> {
    MacroText::parse(value).map_err(|error| in_value(written, error.to_string()))
}

pub(super) fn severity(value: &[u8], written: &Written) -> Result<u8, Wrong> {
    let is_it = |name: &str| name.as_bytes().eq_ignore_ascii_case(value);
    let named = SEVERITIES.iter().position(|name| is_it(name));
    match named.and_then(|position| u8::try_from(position).ok()) {
        Some(severity) => Ok(severity),
        None => number(value, 7, written).map_err(|_| {
            let names = SEVERITIES.join(", ");
            in_value(written, format!("expected 0 to 7, or one of {names}"))
        }),
    }
}

pub(super) fn status(value: &[u8], written: &Written) -> Result<u16, Wrong> {
    let status: u16 = number(value, 599, written)?;
    match status {
        100..=599 => Ok(status),
        _ => Err(in_value(
            written,
            "expected a status of HTTP, from 100 to 599",
        )),
    }
}

pub(super) fn transformation(value: &[u8], written: &Written) -> Result<Action, Wrong> {
    if value.eq_ignore_ascii_case(b"none") {
        return Ok(Action::NoTransformations);
    }
    Transformation::named(value)
        .map(Action::Transform)
        .ok_or_else(|| {
            let name = String::from_utf8_lossy(value);
            in_value(written, format!("there is no transformation `{name}`"))
        })
}

/// `tx.a`, `!tx.a`, `tx.a=b`, `tx.a=+1`, `tx.a=-%{tx.b}`.
pub(super) fn set_var(value: &[u8], written: &Written) -> Result<SetVar, Wrong> {
    let (path, assigned) = match value.iter().position(|byte| *byte == b'=') {
        Some(at) => (value.get(..at).unwrap_or_default(), value.get(at + 1..)),
        None => (value, None),
    };
    let (path, unset) = match path.strip_prefix(b"!") {
        Some(path) => (path, true),
        None => (path, false),
    };
    let variable = variable_path(path, written)?;
    let change = match (unset, assigned) {
        (true, None) => Change::Unset,
        (true, Some(_)) => return Err(in_value(written, "what is unset has no value")),
        (false, None) => Change::Set(macro_text(b"1", written)?),
        (false, Some([b'+', by @ ..])) => Change::Add(macro_text(by, written)?),
        (false, Some([b'-', by @ ..])) => Change::Subtract(macro_text(by, written)?),
        (false, Some(to)) => Change::Set(macro_text(to, written)?),
    };
    Ok(SetVar { variable, change })
}

fn variable_path(path: &[u8], written: &Written) -> Result<VariablePath, Wrong> {
    let dot = path.iter().position(|byte| *byte == b'.');
    let (collection, name) = match dot {
        Some(dot) => (
            path.get(..dot).unwrap_or_default(),
            path.get(dot + 1..).unwrap_or_default(),
        ),
        None => (path, &b""[..]),
    };
    let collection = collection.trim_ascii().to_ascii_lowercase();
    if name.is_empty() {
        return Err(in_value(
            written,
            "expected a collection, a dot and a name, like tx.score",
        ));
    }
    if !WRITABLE.contains(&collection.as_slice()) {
        let got = String::from_utf8_lossy(&collection);
        return Err(in_value(
            written,
            format!(
                "rules can't write to `{got}`; expected tx, ip, global, session, user or resource"
            ),
        ));
    }
    let name = macro_text(name.trim_ascii_end(), written)?;
    Ok(VariablePath { collection, name })
}

/// `expirevar:ip.blocked=60`
pub(super) fn expire_var(value: &[u8], written: &Written) -> Result<Action, Wrong> {
    let equals = value.iter().position(|byte| *byte == b'=');
    let (path, seconds) = match equals {
        Some(at) => (
            value.get(..at).unwrap_or_default(),
            value.get(at + 1..).unwrap_or_default(),
        ),
        None => return Err(in_value(written, "expected a variable, `=` and seconds")),
    };
    Ok(Action::ExpireVar {
        variable: variable_path(path, written)?,
        seconds: macro_text(seconds, written)?,
    })
}

/// `initcol:ip=%{REMOTE_ADDR}`
pub(super) fn init_collection(value: &[u8], written: &Written) -> Result<Action, Wrong> {
    let Some(at) = value.iter().position(|byte| *byte == b'=') else {
        return Err(in_value(written, "expected a collection, `=` and its key"));
    };
    let collection = value.get(..at).unwrap_or_default().to_ascii_lowercase();
    if !WRITABLE[1..].contains(&collection.as_slice()) {
        let message = "expected one of the collections ip, global, session, user, resource";
        return Err(in_value(written, message));
    }
    keyed(
        &collection,
        value.get(at + 1..).unwrap_or_default(),
        written,
    )
}

pub(super) fn keyed(collection: &[u8], key: &[u8], written: &Written) -> Result<Action, Wrong> {
    Ok(Action::InitCollection {
        collection: collection.to_vec(),
        key: macro_text(key, written)?,
    })
}

/// `setenv:name=value`, `setenv:!name`
pub(super) fn set_env(value: &[u8], written: &Written) -> Result<Action, Wrong> {
    if let Some(name) = value.strip_prefix(b"!") {
        let name = macro_text(name, written)?;
        return Ok(Action::SetEnv { name, value: None });
    }
    let (name, set) = match value.iter().position(|byte| *byte == b'=') {
        Some(at) => (
            value.get(..at).unwrap_or_default(),
            value.get(at + 1..).unwrap_or_default(),
        ),
        None => (value, &b"1"[..]),
    };
    Ok(Action::SetEnv {
        name: macro_text(name, written)?,
        value: Some(macro_text(set, written)?),
    })
}
