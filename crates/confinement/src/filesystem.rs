//! Landlock (landlock(7)): where may be written, and what may be started.

use std::path::{Path, PathBuf};

use landlock::{
    ABI, AccessFs, BitFlags, LandlockStatus, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus,
};

use crate::LayerError;

/// The newest rights that we know of; an older kernel gives what it has.
const RIGHTS: ABI = ABI::V5;

/// What starts dynamically linked programs, ours too (ld.so(8)).
const LOADER_FOLDERS: [&str; 2] = ["/lib64", "/lib"];
const LOADER_PREFIX: &str = "ld-";

/// Where the process may write: folders with all that is in them, and files such as pipes and
/// devices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WritablePlaces {
    places: Vec<PathBuf>,
}

impl WritablePlaces {
    /// Adds `folder` and all that is in it.
    pub fn add_folder(&mut self, folder: &Path) {
        self.add(folder);
    }

    /// Adds a file that is appended to, made where it isn't there, and renamed when logs are
    /// rotated: that takes its folder. What is there and no regular file, like `/dev/stderr`, is
    /// added alone.
    pub fn add_file(&mut self, file: &Path) {
        let is_special = std::fs::metadata(file).is_ok_and(|found| !found.is_file());
        match file.parent() {
            Some(folder) if !is_special => self.add(folder),
            _ => self.add(file),
        }
    }

    fn add(&mut self, place: &Path) {
        // The parent of `x.log` is the empty path.
        let place = match place.as_os_str().is_empty() {
            true => Path::new("."),
            false => place,
        };
        let place = std::path::absolute(place).unwrap_or_else(|_| place.to_owned());
        let place = place.canonicalize().unwrap_or(place);
        if !self.covers(&place) {
            self.places.push(place);
        }
    }

    /// The places, as they are called without links.
    pub fn iter(&self) -> impl Iterator<Item = &Path> {
        self.places.iter().map(PathBuf::as_path)
    }

    pub(crate) fn covers(&self, place: &Path) -> bool {
        self.places.iter().any(|held| place.starts_with(held))
    }

    /// The first place where what may write to `held` may not.
    pub(crate) fn first_beyond(&self, held: &Self) -> Option<&Path> {
        self.iter().find(|place| !held.covers(place))
    }

    /// Those that are there: the others can't be written to, whatever is allowed.
    pub(crate) fn existing(&self) -> Self {
        let there = self.places.iter().filter(|place| place.exists());
        Self {
            places: there.cloned().collect(),
        }
    }
}

impl FromIterator<PathBuf> for WritablePlaces {
    /// The places of another process's [`Self::iter`].
    fn from_iter<I: IntoIterator<Item = PathBuf>>(places: I) -> Self {
        Self {
            places: places.into_iter().collect(),
        }
    }
}

/// Keeps the process to `places`, as far as what it inherited doesn't; the places that it may write to
/// then. The kernel takes 16 layers, and a process inherits them all (landlock(7)): one that is to be
/// kept to what the one before it was kept to adds none.
pub(crate) fn keep_to(
    places: &WritablePlaces,
    program: Option<&Path>,
    inherited: Option<&WritablePlaces>,
) -> Result<WritablePlaces, LayerError> {
    let Some(held) = inherited else {
        return restrict(places, program).map(|()| places.clone());
    };
    let is_narrower = held.first_beyond(places).is_some();
    // Where the kernel takes no more, what was inherited holds.
    match is_narrower && restrict(places, program).is_ok() {
        true => Ok(places.clone()),
        false => Ok(held.clone()),
    }
}

fn restrict(places: &WritablePlaces, program: Option<&Path>) -> Result<(), LayerError> {
    let status = rules(places, program)
        .and_then(RulesetCreated::restrict_self)
        .map_err(|error| LayerError::Refused(error.to_string()))?;
    match (status.landlock, status.ruleset) {
        (LandlockStatus::Available { .. }, RulesetStatus::NotEnforced) => Err(LayerError::Refused(
            "the kernel took none of the rules".to_owned(),
        )),
        (LandlockStatus::Available { .. }, _) => Ok(()),
        _ => Err(LayerError::NotOffered),
    }
}

fn rules(places: &WritablePlaces, program: Option<&Path>) -> Result<RulesetCreated, RulesetError> {
    // Reading stays as the file system has it: settings may name other files at each reload, and a
    // user of its own can read little.
    let writing = AccessFs::from_write(RIGHTS);
    let mut rules = Ruleset::default()
        .handle_access(writing | AccessFs::Execute)?
        .create()?;
    for place in places.iter() {
        rules = allow(rules, place, writing)?;
    }
    // Where standard streams of a child go.
    rules = allow(rules, Path::new("/dev/null"), writing)?;
    if let Some(program) = program {
        // Its folder: an upgrade puts another file in its place.
        let folder = program.parent().unwrap_or(program);
        rules = allow(rules, folder, AccessFs::Execute.into())?;
        for loader in loaders() {
            rules = allow(rules, &loader, AccessFs::Execute.into())?;
        }
    }
    Ok(rules)
}

/// A place that isn't there can't be opened either, which is told by whoever tries.
fn allow(
    rules: RulesetCreated,
    place: &Path,
    rights: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesetError> {
    let Ok(opened) = PathFd::new(place) else {
        return Ok(rules);
    };
    let rights = match place.is_dir() {
        true => rights,
        false => rights & AccessFs::from_file(RIGHTS),
    };
    rules.add_rule(PathBeneath::new(opened, rights))
}

fn loaders() -> Vec<PathBuf> {
    let folders = LOADER_FOLDERS
        .iter()
        .filter_map(|folder| std::fs::read_dir(folder).ok());
    let files = folders.flatten().flatten().map(|entry| entry.path());
    files.filter(|path| is_loader(path)).collect()
}

fn is_loader(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with(LOADER_PREFIX) && name.contains(".so"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(places: &[&str], wanted: &str, expected: bool) {
        let mut held = WritablePlaces::default();
        for place in places {
            held.add_folder(Path::new(place));
        }
        assert_eq!(held.covers(Path::new(wanted)), expected, "{wanted}");
    }

    #[test]
    fn a_folder_covers_what_is_in_it() {
        check(&["/no/such"], "/no/such", true);
        check(&["/no/such"], "/no/such/deep/file", true);
        check(&["/no/such"], "/no", false);
        check(&["/no/such"], "/no/suchlike", false);
        check(&["/no/such", "/or/this"], "/or/this/one", true);
        check(&[], "/", false);
    }

    #[test]
    fn a_file_is_its_folder_and_a_device_is_itself() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap();
        let mut places = WritablePlaces::default();
        places.add_file(&folder.path().join("access.log"));
        places.add_file(&folder.path().join("decisions.log"));
        places.add_file(Path::new("/dev/full"));
        let places: Vec<&Path> = places.iter().collect();
        assert_eq!(places, [&*real, Path::new("/dev/full")]);
    }
}
