//! One list: fetched or read again and again, and made what the table says.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use palisade_remote::{Clock, Jitter};
use palisade_vocabulary::{ByteSize, Tick};
use reqwest::Client;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use crate::copy::{CopyFile, SavedCopy};
use crate::event::{ListEvent, Teller};
use crate::fetch::{Fetched, Validators, fetch};
use crate::fetch_error::FetchError;
use crate::parse::{ListError, ParsedList, parse};
use crate::settings::{ListSettings, ListSource, Purpose, UrlSettings};
use crate::status::{ListStatus, unix_seconds};
use crate::target::Target;

/// The wait after a first failure; doubles with each further one, up to the list's own interval.
const RETRY_FIRST: Duration = Duration::from_secs(1);
/// The longest wait after failures.
const RETRY_MAX: Duration = Duration::from_secs(600);
/// While the disk does not take a copy, it is fetched again, to be saved, as after so many failures:
/// about once a minute.
const RETRY_UNSAVED: u32 = 7;
/// How often it is looked whether a file changed.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// What is known of one list, and what is done with its copies. Its methods wait for the disk and
/// the table: call them where that holds nobody up.
pub(crate) struct Keeper {
    pub(crate) settings: ListSettings,
    pub(crate) target: Arc<Target>,
    pub(crate) copy: Option<CopyFile>,
    /// Whether new copies are saved.
    pub(crate) saves: bool,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) teller: Teller,
    pub(crate) status: Arc<ListStatus>,
}

/// What changes when a file does, or what may be done with it, without reading it.
type Stamp = Option<[i64; 6]>;

/// What is known of the source when a task begins.
#[derive(Default)]
pub(crate) struct Known {
    validators: Validators,
    stamp: Stamp,
}

impl Keeper {
    /// Puts in force what is there already: the file, or the last good copy.
    pub(crate) fn begin(&self) -> Known {
        let mut known = Known::default();
        if let ListSource::File(path) = &self.settings.source {
            let stamp = stamp(path);
            let read = self.read_file(path);
            known.stamp = stamp.filter(|_| is_settled(&read));
            match read {
                Ok(()) => return known,
                Err(error) => self.failed(error),
            };
        }
        known.validators = self.restore();
        known
    }

    /// The file as it is now is in force, or it can't be used.
    fn read_file(&self, path: &Path) -> Result<(), FetchError> {
        let bytes = read(path, self.settings.bytes_max)?;
        self.accept(bytes, Validators::default())
    }

    /// The last good copy is in force, if there is one.
    fn restore(&self) -> Validators {
        let Some(copy) = &self.copy else {
            return Validators::default();
        };
        let age = copy.age();
        let restored = match copy.load() {
            Ok(None) => return Validators::default(),
            Ok(Some(saved)) => self.parse(&saved.bytes).map(|list| (saved, list)).ok(),
            Err(error) => {
                self.teller.tell(&ListEvent::NotRestored(error.to_string()));
                return Validators::default();
            }
        };
        // What was good for other settings needn't be for these.
        let Some((saved, list)) = restored else {
            return Validators::default();
        };
        if self.apply(&list, age).is_some() {
            let entries = list.ranges.len();
            let good_at = unix_seconds().saturating_sub(age.as_secs());
            self.status.applied(entries, list.bad.count, good_at);
            self.teller.tell(&ListEvent::Restored { entries });
        }
        saved.validators
    }

    /// A new copy came: it is in force and saved, or it can't be used.
    fn accept(&self, bytes: Vec<u8>, validators: Validators) -> Result<(), FetchError> {
        let list = self.parse(&bytes)?;
        let changed = self.apply(&list, Duration::ZERO);
        let changed = changed.ok_or(FetchError::Stopped)?;
        let entries = list.ranges.len();
        self.status.applied(entries, list.bad.count, unix_seconds());
        if changed.refused > 0 {
            let refused = changed.refused;
            self.teller.tell(&ListEvent::Full { refused });
        }
        self.teller.tell(&ListEvent::Applied {
            entries,
            added: changed.added,
            removed: changed.removed,
            bad: list.bad,
        });
        let saved = SavedCopy { bytes, validators };
        self.save(&saved)?;
        self.good();
        Ok(())
    }

    /// # Errors
    /// When the disk says no to a list that is used from there.
    fn save(&self, saved: &SavedCopy) -> Result<(), FetchError> {
        let copy = self.copy.as_ref().filter(|_| self.saves);
        let result = copy.map_or(Ok(()), |copy| copy.save(saved));
        self.status.set_saved(result.is_ok());
        match result {
            Ok(()) => Ok(()),
            Err(error) if self.settings.purpose == Purpose::Named => {
                Err(FetchError::NotSaved(error.to_string()))
            }
            Err(error) => {
                self.teller.tell(&ListEvent::NotSaved(error));
                Ok(())
            }
        }
    }

    fn parse(&self, bytes: &[u8]) -> Result<ParsedList, ListError> {
        let settings = &self.settings;
        let list = parse(&settings.format, bytes, settings.limits)?;
        let last = self.status.entries();
        if list.ranges.is_empty() && last > 0 && !settings.may_be_empty {
            return Err(ListError::Empty { last });
        }
        Ok(list)
    }

    /// `age`: how old the list is.
    fn apply(&self, list: &ParsedList, age: Duration) -> Option<crate::target::Changed> {
        let now = self.clock.now();
        let ends = self.ends(age, now);
        let purpose = &self.settings.purpose;
        self.target.replace(purpose, &list.ranges, ends, now)
    }

    fn ends(&self, age: Duration, now: Tick) -> Option<Tick> {
        let Purpose::Block(block) = &self.settings.purpose else {
            return None;
        };
        block.hold.map(|hold| now + hold.get().saturating_sub(age))
    }

    /// The copy in force is what the source has. Whether that is all in the table.
    fn still_good(&self) -> bool {
        let now = self.clock.now();
        if let Some(ends) = self.ends(Duration::ZERO, now) {
            let ranges = self.target.ranges(now);
            if ranges.len() < self.status.entries() {
                return false;
            }
            let purpose = &self.settings.purpose;
            self.target.replace(purpose, &ranges, Some(ends), now);
        }
        // Who watches the file would take that for another list.
        if let (Some(copy), false) = (&self.copy, self.settings.purpose == Purpose::Named) {
            copy.touch();
        }
        self.good();
        true
    }

    fn good(&self) {
        let failures = self.status.good();
        if failures > 0 {
            self.teller.tell(&ListEvent::Recovered { failures });
        }
    }

    /// Returns how many failures in a row that makes. Those that go on are told when their number
    /// doubles.
    fn failed(&self, error: FetchError) -> u32 {
        let failures = self.status.failed(error.to_string());
        if failures.is_power_of_two() {
            self.teller.tell(&ListEvent::Failed { error, failures });
        }
        failures
    }
}

/// Keeps a list current until it is dropped.
pub(crate) async fn run(keeper: Arc<Keeper>, client: Option<Client>, known: Known) {
    match (&keeper.settings.source, client) {
        (ListSource::File(path), _) => watch(&keeper, path, known.stamp).await,
        (ListSource::Url(settings), Some(client)) => {
            refresh(&keeper, settings, &client, known.validators).await;
        }
        // A list with a URL comes with a client.
        (ListSource::Url(_), None) => {}
    }
}

/// Whether a file needs no other look until it changes: not one that couldn't be read, for lack of
/// descriptors, say.
fn is_settled(read: &Result<(), FetchError>) -> bool {
    !matches!(read, Err(FetchError::File(_)))
}

/// Reads a file again when it changes.
async fn watch(keeper: &Arc<Keeper>, path: &Path, mut known: Stamp) {
    let mut renewal = Renewal::new(keeper);
    loop {
        sleep(WATCH_INTERVAL).await;
        let (keeper, path, is_due) = (Arc::clone(keeper), path.to_owned(), renewal.is_due());
        let looked = spawn_blocking(move || keeper.look(&path, known, is_due));
        match looked.await {
            Ok(stamp) => known = stamp,
            // The runtime ends.
            Err(_) => return,
        }
    }
}

/// When entries that end by their time are said again, as long as the file is there with them.
struct Renewal {
    period: Option<Duration>,
    last: Instant,
}

impl Renewal {
    fn new(keeper: &Keeper) -> Self {
        let hold = match &keeper.settings.purpose {
            Purpose::Block(block) => block.hold,
            _ => None,
        };
        Self {
            period: hold.map(|hold| hold.get() / 4),
            last: Instant::now(),
        }
    }

    fn is_due(&mut self) -> bool {
        let is_due = self
            .period
            .is_some_and(|period| self.last.elapsed() >= period);
        if is_due {
            self.last = Instant::now();
        }
        is_due
    }
}

/// Asks a server again and again.
async fn refresh(
    keeper: &Arc<Keeper>,
    settings: &UrlSettings,
    client: &Client,
    mut known: Validators,
) {
    let mut jitter = Jitter::from_entropy();
    loop {
        let fetched = fetch(client, settings, keeper.settings.bytes_max, &known).await;
        let was_asked_for_all = known == Validators::default();
        let (keeper, validators) = (Arc::clone(keeper), known.clone());
        let taken = spawn_blocking(move || keeper.take(fetched, validators)).await;
        let Ok(taken) = taken else {
            return;
        };
        known = taken.validators;
        if taken.is_incomplete && !was_asked_for_all {
            continue;
        }
        sleep(wait(&mut jitter, settings.refresh.get(), taken.failures)).await;
    }
}

/// What became of an answer.
struct Taken {
    validators: Validators,
    /// Whether the copy in force has ended in part, so that all of it is needed again.
    is_incomplete: bool,
    /// How many failures in a row there were.
    failures: u32,
}

impl Keeper {
    /// Reads the file if it has changed, or what it said has ended; what is known of it then.
    fn look(&self, path: &Path, known: Stamp, renews: bool) -> Stamp {
        let stamp = stamp(path);
        // Of a file that isn't there nothing is to be renewed.
        if stamp == known && (!renews || stamp.is_none() || self.still_good()) {
            return stamp;
        }
        let read = self.read_file(path);
        let settled = stamp.filter(|_| is_settled(&read));
        if let Err(error) = read {
            self.failed(error);
        }
        settled
    }

    fn take(&self, fetched: Result<Fetched, FetchError>, known: Validators) -> Taken {
        let taken = match fetched {
            Ok(Fetched::NotModified) => {
                let is_complete = self.still_good();
                return Taken {
                    validators: if is_complete {
                        known
                    } else {
                        Validators::default()
                    },
                    is_incomplete: !is_complete,
                    failures: 0,
                };
            }
            Ok(Fetched::New { bytes, validators }) => {
                let accepted = self.accept(bytes, validators.clone());
                accepted.map(|()| match self.status.is_saved() {
                    true => validators,
                    // All of it is asked for again, to be saved: `304` would have the older copy on
                    // the disk outlive it.
                    false => Validators::default(),
                })
            }
            Err(error) => Err(error),
        };
        let (validators, failures) = match taken {
            Ok(validators) if self.status.is_saved() => (validators, 0),
            Ok(validators) => (validators, RETRY_UNSAVED),
            Err(error @ FetchError::NotSaved(_)) => (Validators::default(), self.failed(error)),
            Err(error) => (known, self.failed(error)),
        };
        Taken {
            validators,
            is_incomplete: false,
            failures,
        }
    }
}

/// The interval, moved by up to a tenth either way; after failures half to all of a time that
/// doubles with each.
fn wait(jitter: &mut Jitter, interval: Duration, failures: u32) -> Duration {
    if failures == 0 {
        let tenth = interval / 10;
        let (low, high) = (
            interval.saturating_sub(tenth),
            interval.saturating_add(tenth),
        );
        return jitter.between(low, high);
    }
    let doublings = failures.saturating_sub(1).min(16);
    let whole = RETRY_FIRST.saturating_mul(1 << doublings);
    let whole = whole.min(RETRY_MAX).min(interval);
    jitter.between(whole / 2, whole)
}

fn stamp(path: &Path) -> Stamp {
    let file = fs::metadata(path).ok()?;
    let number = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    Some([
        file.mtime(),
        file.mtime_nsec(),
        file.ctime(),
        file.ctime_nsec(),
        number(file.len()),
        number(file.ino()),
    ])
}

/// A regular file of at most `bytes_max`.
fn read(path: &Path, bytes_max: ByteSize) -> Result<Vec<u8>, FetchError> {
    let error = |error: std::io::Error| FetchError::File(error.to_string());
    // Asked before opening: opening a pipe waits for its writer.
    if !fs::metadata(path).map_err(error)?.is_file() {
        return Err(FetchError::File("not a regular file".to_owned()));
    }
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(error)?;
    let most = bytes_max.as_u64().saturating_add(1);
    let read = file.take(most).read_to_end(&mut bytes).map_err(error)?;
    if read > bytes_max.as_usize() {
        return Err(FetchError::TooLarge { limit: bytes_max });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_read_is_looked_at_again_though_it_stays_as_it_is() {
        let unreadable = || Err(FetchError::File("too many open files".to_owned()));
        assert!(!is_settled(&unreadable()));
        // Another look would find the same.
        let too_large = FetchError::TooLarge {
            limit: ByteSize::kib(1),
        };
        assert!(is_settled(&Err(too_large)) && is_settled(&Ok(())));
    }

    #[test]
    fn a_stamp_tells_of_another_mode() {
        use std::os::unix::fs::PermissionsExt;
        let file = tempfile::NamedTempFile::new().unwrap();
        let before = stamp(file.path());
        fs::set_permissions(file.path(), fs::Permissions::from_mode(0o640)).unwrap();
        assert_ne!(stamp(file.path()), before);
    }

    #[test]
    fn retries_are_quick_at_first_and_never_slower_than_the_list_itself() {
        let mut jitter = Jitter::from_seed(1);
        let hour = Duration::from_secs(3_600);
        let mut whole = RETRY_FIRST;
        for failures in 1..40 {
            let waited = wait(&mut jitter, hour, failures);
            assert!(
                waited >= whole / 2 && waited <= whole,
                "{failures}: {waited:?}"
            );
            whole = (whole * 2).min(RETRY_MAX);
        }
        assert!(wait(&mut jitter, Duration::from_secs(5), 30) <= Duration::from_secs(5));
        let good = wait(&mut jitter, hour, 0);
        assert!(good >= hour * 9 / 10 && good <= hour * 11 / 10, "{good:?}");
    }
}
