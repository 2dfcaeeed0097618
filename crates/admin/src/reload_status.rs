//! How reading the settings went, for `/status`.

use std::fmt::Display;

use palisade_vocabulary::Tick;
use parking_lot::Mutex;

/// The longest error that is kept, in bytes.
const ERROR_BYTES_MAX: usize = 16 * 1024;

/// How reading the settings went. Whoever reads them writes it; share it by `Arc`.
#[derive(Debug, Default)]
pub struct ReloadStatus(Mutex<LastReload>);

/// How reading the settings went the last time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LastReload {
    /// The settings that are in use.
    pub(crate) loaded: Option<LoadedSettings>,
    /// What was wrong with the last ones; none where they are in use.
    pub(crate) refused: Option<RefusedSettings>,
}

/// Settings that are in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LoadedSettings {
    /// Their fingerprint.
    pub(crate) hash: String,
    pub(crate) at: Tick,
}

/// Settings that could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RefusedSettings {
    /// What was wrong.
    pub(crate) error: String,
    pub(crate) at: Tick,
}

impl ReloadStatus {
    /// Settings were read and are in use now; `hash` is their fingerprint. Also the first ones.
    pub fn loaded(&self, hash: &impl Display, now: Tick) {
        *self.0.lock() = LastReload {
            loaded: Some(LoadedSettings {
                hash: hash.to_string(),
                at: now,
            }),
            refused: None,
        };
    }

    /// Settings were read and can't be used: those before them stay. `error` is shown, so it must
    /// hold no secret; 16 KiB of it are kept.
    pub fn refused(&self, error: &impl Display, now: Tick) {
        let mut error = error.to_string();
        let ends = (0..=ERROR_BYTES_MAX.min(error.len())).rev();
        let end = ends.into_iter().find(|end| error.is_char_boundary(*end));
        error.truncate(end.unwrap_or(0));
        self.0.lock().refused = Some(RefusedSettings { error, at: now });
    }

    pub(crate) fn last(&self) -> LastReload {
        self.0.lock().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Tick = Tick::from_millis(2_000);

    #[test]
    fn a_refusal_keeps_what_is_loaded_and_a_load_forgets_the_refusal() {
        let status = ReloadStatus::default();
        status.loaded(&"abc", Tick::from_millis(1_000));
        status.refused(&"palisade.yaml:1:1: error", LATER);
        let last = status.last();
        assert_eq!(last.loaded.unwrap().hash, "abc");
        assert_eq!(last.refused.unwrap().error, "palisade.yaml:1:1: error");
        status.loaded(&"def", LATER);
        let last = status.last();
        assert_eq!(last.loaded.unwrap().hash, "def");
        assert_eq!(last.refused, None);
    }

    #[test]
    fn errors_are_bounded() {
        let status = ReloadStatus::default();
        status.refused(&"\u{20ac}".repeat(ERROR_BYTES_MAX), LATER);
        let kept = status.last().refused.unwrap().error;
        assert!(kept.len() <= ERROR_BYTES_MAX && kept.ends_with('\u{20ac}'));
    }
}
