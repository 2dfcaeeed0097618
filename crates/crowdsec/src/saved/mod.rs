//! Known decisions on disk, so that a restart while LAPI is down begins with what was known.
//!
//! The format is lines of JSON: a header that says whose decisions they are, one array for each
//! decision, and a last line that says how many there were. `encode` and `decode` know the format;
//! `file` knows the disk. Local decisions are kept in the same way.
//!
//! Ticks mean nothing to another process, so ends are written by the wall clock, which may jump:
//! forwards, decisions end early by the jump (LAPI's next snapshot brings them back); backwards to
//! before the file was written, they keep what was left of them then, never more.

mod file;
mod handed;

#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::io::{self, Write};
use std::time::Duration;

use palisade_decisions::{Decision, DecisionId, Remedy, Scope};
use palisade_vocabulary::Tick;
use serde::{Deserialize, Serialize};

use crate::interner::Interner;

pub use file::SavedFile;
pub use handed::{read_handed, write_handed};

/// What the first line calls itself.
const FORMAT: &str = "palisade-decisions";
/// The version of the format that is written, and the only one that is read.
const VERSION: u32 = 1;

/// Two clocks, read together.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    pub(crate) tick: Tick,
    /// Milliseconds since 1970-01-01T00:00:00Z by the machine's wall clock.
    pub(crate) unix_millis: u64,
}

/// What a file of saved decisions said.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Restored {
    /// What holds still, each until the tick at which it would have ended anyway.
    pub decisions: Vec<Decision>,
    /// How many had ended.
    pub ended: usize,
}

/// Why decisions can't be saved, or saved ones can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SavedError {
    /// The disk says no.
    #[error("{0}")]
    Io(String),
    /// The file is longer than any that Palisade writes.
    #[error("it has {got} bytes; at most {max} are read")]
    TooLarge {
        /// Its length.
        got: u64,
        /// The most.
        max: u64,
    },
    /// It is not a file of Palisade's.
    #[error("line 1: it is not a file of saved decisions")]
    Foreign,
    /// It is one of another version of Palisade.
    #[error("line 1: its format has version {got}; expected {VERSION}")]
    Version {
        /// Its version.
        got: u32,
    },
    /// Its decisions are those of another source (another LAPI), whose ids mean other decisions.
    #[error("line 1: its decisions are those of {got}; expected those of {expected}")]
    OtherSource {
        /// That source.
        got: String,
        /// Whose are expected: the URL of the LAPI in the settings, or `local`.
        expected: String,
    },
    /// A line is not as it was written.
    #[error("line {line}: {reason}")]
    Corrupt {
        /// Which, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<io::Error> for SavedError {
    fn from(error: io::Error) -> Self {
        Self::Io(error.to_string())
    }
}

#[derive(Deserialize, Serialize)]
struct Header {
    format: String,
    version: u32,
    source: String,
    saved_at_unix_millis: u64,
}

#[derive(Deserialize, Serialize)]
struct Footer {
    decisions: usize,
}

/// A decision's line: `[id, scope, value, type, origin, scenario, end by the wall clock in ms]`.
#[derive(Deserialize, Serialize)]
struct Row<'a>(
    u64,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    #[serde(borrow)] Cow<'a, str>,
    u64,
);

/// Writes the decisions of `source`, each with how long it still holds at `unix_millis`, to `out`.
///
/// # Errors
/// Those of `out`.
pub(crate) fn encode(
    decisions: &[(Decision, Duration)],
    source: &str,
    unix_millis: u64,
    out: &mut impl Write,
) -> io::Result<()> {
    let header = Header {
        format: FORMAT.to_owned(),
        version: VERSION,
        source: source.to_owned(),
        saved_at_unix_millis: unix_millis,
    };
    write_line(out, &header)?;
    for (decision, remaining) in decisions {
        let remaining_millis = u64::try_from(remaining.as_millis()).unwrap_or(u64::MAX);
        let row = Row(
            decision.id.map_or(0, DecisionId::get),
            decision.scope.name().into(),
            decision.scope.to_string().into(),
            decision.remedy.as_str().into(),
            (&*decision.origin).into(),
            (&*decision.scenario).into(),
            unix_millis.saturating_add(remaining_millis),
        );
        write_line(out, &row)?;
    }
    let footer = Footer {
        decisions: decisions.len(),
    };
    write_line(out, &footer)
}

fn write_line(out: &mut impl Write, line: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *out, line)?;
    out.write_all(b"\n")
}

/// Reads what [`encode`] wrote for `source`.
///
/// # Errors
/// When any line is not as it was written, or lines are missing: nothing of the file is used then.
pub(crate) fn decode(bytes: &[u8], source: &str, now: Now) -> Result<Restored, SavedError> {
    let mut lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let first = lines.next().map(|(_, line)| line).unwrap_or_default();
    let header = read_header(first, source)?;
    // A wall clock that is behind the file was wrong then or is wrong now.
    let now = Now {
        unix_millis: now.unix_millis.max(header.saved_at_unix_millis),
        ..now
    };
    let mut restored = Restored::default();
    let (mut origins, mut scenarios) = (Interner::default(), Interner::default());
    while let Some((index, line)) = lines.next() {
        let corrupt = |reason: String| SavedError::Corrupt {
            line: index + 1,
            reason,
        };
        if line.first() != Some(&b'[') {
            let expected = restored.decisions.len().saturating_add(restored.ended);
            read_footer(line, expected).map_err(corrupt)?;
            return match lines.next() {
                None | Some((_, [])) => Ok(restored),
                Some(_) => Err(corrupt("lines follow the last one".to_owned())),
            };
        }
        match read_row(line, now, &mut origins, &mut scenarios).map_err(corrupt)? {
            Some(decision) => restored.decisions.push(decision),
            None => restored.ended = restored.ended.saturating_add(1),
        }
    }
    Err(SavedError::Corrupt {
        line: 1,
        reason: "the last line is missing".to_owned(),
    })
}

fn read_header(line: &[u8], source: &str) -> Result<Header, SavedError> {
    let header: Header = serde_json::from_slice(line).map_err(|_| SavedError::Foreign)?;
    if header.format != FORMAT {
        return Err(SavedError::Foreign);
    }
    if header.version != VERSION {
        return Err(SavedError::Version {
            got: header.version,
        });
    }
    if header.source != source {
        let got = header.source.chars().take(200);
        return Err(SavedError::OtherSource {
            got: got.flat_map(char::escape_default).collect(),
            expected: source.to_owned(),
        });
    }
    Ok(header)
}

fn read_footer(line: &[u8], expected: usize) -> Result<(), String> {
    let footer: Footer = serde_json::from_slice(line).map_err(|_| "not a decision".to_owned())?;
    if footer.decisions == expected {
        Ok(())
    } else {
        Err(format!(
            "{} decisions were written, {expected} are there",
            footer.decisions
        ))
    }
}

/// A decision that holds still; none for one that has ended.
fn read_row(
    line: &[u8],
    now: Now,
    origins: &mut Interner,
    scenarios: &mut Interner,
) -> Result<Option<Decision>, String> {
    let row: Row<'_> = serde_json::from_slice(line).map_err(|_| "not a decision".to_owned())?;
    let Row(id, scope, value, remedy, origin, scenario, ends_unix_millis) = row;
    let scope = Scope::parse(&scope, &value).map_err(|error| error.to_string())?;
    let remaining = ends_unix_millis.saturating_sub(now.unix_millis);
    if remaining == 0 {
        return Ok(None);
    }
    Ok(Some(Decision {
        id: DecisionId::new(id),
        scope,
        remedy: Remedy::parse(&remedy),
        origin: origins.intern(&origin),
        scenario: scenarios.intern(&scenario),
        expires: now.tick + Duration::from_millis(remaining),
    }))
}
