//! The file of saved decisions. Input: what the disk holds.

use std::path::Path;

use palisade_crowdsec::{Restored, SavedError, SavedFile};
use palisade_decisions::Decision;
use palisade_vocabulary::Tick;

use crate::{Outcome, check_message};

const NOW: Tick = Tick::from_millis(1_000_000);

/// A file is used whole or put aside whole, and what is saved is read again.
pub fn check(data: &[u8]) -> Outcome {
    let Ok(folder) = tempfile::tempdir() else {
        return Outcome::Refused;
    };
    let file = SavedFile::of_operator(folder.path());
    if std::fs::write(file.path(), data).is_err() {
        return Outcome::Refused;
    }
    match file.load(NOW) {
        Ok(restored) => {
            check_restored(&file, &restored.unwrap_or_default());
            Outcome::Accepted
        }
        Err(error) => {
            check_rejected(file.path(), &error, data);
            Outcome::Refused
        }
    }
}

/// Put aside as it was, for somebody to look at.
fn check_rejected(path: &Path, error: &SavedError, data: &[u8]) {
    check_message(&error.to_string());
    assert!(
        !path.exists(),
        "a file that can't be used is still in the way"
    );
    let mut rejected = path.to_owned().into_os_string();
    rejected.push(".rejected");
    assert_eq!(std::fs::read(rejected).ok().as_deref(), Some(data));
}

/// Saved and loaded again, the same decisions hold.
fn check_restored(file: &SavedFile, restored: &Restored) {
    let lasting = restored
        .decisions
        .iter()
        .map(|decision| (decision.clone(), decision.expires.since(NOW)));
    let lasting: Vec<_> = lasting.collect();
    assert_eq!(file.save(&lasting), Ok(()));
    let again = file.load(NOW).map(Option::unwrap_or_default);
    assert_eq!(again.map(|again| check_again(&again, restored)), Ok(()));
}

/// The wall clock goes on between saving and loading: what ended meanwhile may be missing, and the
/// rest has no more time than it had.
fn check_again(again: &Restored, before: &Restored) {
    let mut left = again.decisions.iter().peekable();
    let is_missing = |saved: &&Decision| left.next_if(|next| is_same(next, saved)).is_none();
    let missing = before.decisions.iter().filter(is_missing).count();
    assert_eq!(left.next(), None, "no decision that was saved");
    assert_eq!(missing, again.ended);
}

fn is_same(again: &Decision, before: &Decision) -> bool {
    let expires = again.expires.min(before.expires);
    let before = Decision {
        expires,
        ..before.clone()
    };
    *again == before
}
