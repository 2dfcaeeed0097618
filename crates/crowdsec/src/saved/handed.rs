//! Decisions on their way from one process to the one that takes its place.

use std::io::{self, BufWriter, Read, Write};
use std::time::Duration;

use palisade_decisions::{Decision, SourceId};
use palisade_vocabulary::Tick;

use super::file::{BYTES_MAX, unix_millis};
use super::{Now, Restored, SavedError, decode, encode};

/// Writes the decisions of `source`, each with how long it still holds, for [`read_handed`].
///
/// # Errors
/// Those of `out`.
pub fn write_handed(
    decisions: &[(Decision, Duration)],
    source: SourceId,
    out: impl Write,
) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, out);
    encode(decisions, source.as_str(), unix_millis(), &mut out)?;
    out.flush()
}

/// Reads what [`write_handed`] wrote for `source`: as many bytes as a file of saved decisions may have.
///
/// # Errors
/// When it can't be read, or isn't whole.
pub fn read_handed(source: SourceId, from: impl Read, now: Tick) -> Result<Restored, SavedError> {
    let mut bytes = Vec::new();
    from.take(BYTES_MAX + 1).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        got if got > BYTES_MAX => Err(SavedError::TooLarge {
            got,
            max: BYTES_MAX,
        }),
        _ => {
            let unix_millis = unix_millis();
            let now = Now {
                tick: now,
                unix_millis,
            };
            decode(&bytes, source.as_str(), now)
        }
    }
}

#[cfg(test)]
mod tests {
    use palisade_decisions::{Remedy, Scope};

    use super::*;

    #[test]
    fn what_was_handed_is_whole_or_nothing() {
        let now = Tick::from_millis(5_000);
        let hour = Duration::from_secs(3600);
        let decision = Decision {
            id: None,
            scope: Scope::parse("Ip", "192.0.2.1").unwrap(),
            remedy: Remedy::Ban,
            origin: "local".into(),
            scenario: "test".into(),
            expires: now + hour,
        };
        let mut bytes = Vec::new();
        write_handed(&[(decision.clone(), hour)], SourceId::Local, &mut bytes).unwrap();
        let read = read_handed(SourceId::Local, &*bytes, now).unwrap();
        assert_eq!(read.decisions.len(), 1);
        assert_eq!(read.decisions[0].scope, decision.scope);
        for length in 0..bytes.len() - 1 {
            assert!(read_handed(SourceId::Local, &bytes[..length], now).is_err());
        }
        assert!(read_handed(SourceId::CrowdSec, &*bytes, now).is_err());
    }
}
