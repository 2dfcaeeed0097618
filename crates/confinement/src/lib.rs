//! What the process gives up once it has read its settings, so that whoever breaks into it finds
//! little to do: writing outside a few folders and starting most programs (Landlock), system calls of
//! administration and debugging (seccomp), core dumps with keys in them.
//!
//! All of it holds for the thread that calls [`confine`] and those that it starts later, so it is
//! called before there are others, and for programs that these start: a process that takes another's
//! place finds it done, and does no more than is left to do. Nothing takes it back.

mod filesystem;
mod syscalls;

use std::fmt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

pub use filesystem::WritablePlaces;
pub use syscalls::FilterNumber;

/// A part of the confinement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// Landlock: nothing is written outside [`WritablePlaces`], and no program is started but those in
    /// the folder of our own, which should have it alone, and, where that is dynamically linked, what
    /// the loader is told to load: the kernel has to start the loader for us too.
    Filesystem,
    /// seccomp: only system calls that a proxy has use for.
    SystemCalls,
    /// No core dump is written, and only root can look into the process's memory.
    Memory,
}

impl Layer {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Filesystem, Self::SystemCalls, Self::Memory];

    /// The name in metrics, `/status` and messages.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Filesystem => "landlock",
            Self::SystemCalls => "seccomp",
            Self::Memory => "no_core_dumps",
        }
    }
}

impl fmt::Display for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why a layer isn't there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LayerError {
    /// The kernel doesn't have it, or it was switched off when the kernel started.
    #[error("this kernel doesn't offer it")]
    NotOffered,
    /// The processor's system calls aren't known.
    #[error("the system calls of {0} are not known")]
    UnknownArchitecture(&'static str),
    /// The kernel has it and refused.
    #[error("{0}")]
    Refused(String),
}

/// What holds of a process's confinement for those that it starts: a child inherits all of it but the
/// privacy of its memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inherited {
    /// Where Landlock lets it write; `None` where Landlock keeps it from nothing.
    pub writable: Option<WritablePlaces>,
    /// The filter of its system calls; `None` where it has none.
    pub filter: Option<FilterNumber>,
}

/// Settings want to write where the process can't any more.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} can't be written to: when Palisade started, its settings named nothing there, or nothing was there, and it gave that up for good, whoever takes its place; restart it, or start it with `sandbox: false`",
    .0.display()
)]
pub struct OutOfReach(pub PathBuf);

/// What became of each layer.
#[derive(Clone, Debug)]
pub struct Confinement {
    held: Inherited,
    /// The places that may be written to, as they were when that was said.
    found: Vec<FoundPlace>,
    layers: Vec<(Layer, Result<(), LayerError>)>,
}

impl Confinement {
    /// The process of an operator who wants none.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            held: Inherited {
                writable: None,
                filter: None,
            },
            found: Vec::new(),
            layers: Vec::new(),
        }
    }

    /// The same, which wants to write to `places`: what it inherited holds whatever is wanted.
    ///
    /// # Errors
    /// That doesn't let it write there.
    pub fn none_but(inherited: Inherited, places: &WritablePlaces) -> Result<Self, OutOfReach> {
        within_reach(&places.existing(), &inherited)?;
        let writable = inherited.writable.is_some();
        let filter = inherited.filter.is_some();
        let layers = [(Layer::Filesystem, writable), (Layer::SystemCalls, filter)];
        let held = layers.into_iter().filter(|(_, holds)| *holds);
        Ok(Self {
            layers: held.map(|(layer, _)| (layer, Ok(()))).collect(),
            found: found(inherited.writable.as_ref()),
            held: inherited,
        })
    }

    /// Whether `layer` holds.
    #[must_use]
    pub fn has(&self, layer: Layer) -> bool {
        self.layers
            .iter()
            .any(|(of, result)| *of == layer && result.is_ok())
    }

    /// What was wanted and isn't there, with the reason.
    pub fn missing(&self) -> impl Iterator<Item = (Layer, &LayerError)> {
        self.layers
            .iter()
            .filter_map(|(layer, result)| Some((*layer, result.as_ref().err()?)))
    }

    /// What those inherit that this process starts.
    #[must_use]
    pub const fn inherited(&self) -> &Inherited {
        &self.held
    }

    /// The places where something else is by now: Landlock lets the process write to what was there, and
    /// not to what has taken its place under the same name. Asks the file system.
    pub fn replaced(&self) -> impl Iterator<Item = &Path> {
        let is_another =
            |place: &&FoundPlace| FoundPlace::at(&place.path).is_some_and(|now| now != **place);
        self.found
            .iter()
            .filter(is_another)
            .map(|place| &*place.path)
    }

    /// Whether `wanted`, of newer settings, can be written to.
    ///
    /// # Errors
    /// The first of them that can't, since it wasn't named at the start.
    pub fn permits(&self, wanted: &WritablePlaces) -> Result<(), OutOfReach> {
        within_reach(wanted, &self.held)
    }
}

/// A folder or file as it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
struct FoundPlace {
    path: PathBuf,
    device: u64,
    inode: u64,
    /// What takes a file's place may have its inode. Not every file system knows it.
    created: Option<SystemTime>,
}

impl FoundPlace {
    fn at(path: &Path) -> Option<Self> {
        let metadata = std::fs::metadata(path).ok()?;
        Some(Self {
            path: path.to_owned(),
            device: metadata.dev(),
            inode: metadata.ino(),
            created: metadata.created().ok(),
        })
    }
}

fn found(places: Option<&WritablePlaces>) -> Vec<FoundPlace> {
    let places = places.into_iter().flat_map(WritablePlaces::iter);
    places.filter_map(FoundPlace::at).collect()
}

fn within_reach(wanted: &WritablePlaces, held: &Inherited) -> Result<(), OutOfReach> {
    let beyond = held.writable.as_ref().map(|held| wanted.first_beyond(held));
    match beyond.flatten() {
        Some(place) => Err(OutOfReach(place.to_owned())),
        None => Ok(()),
    }
}

/// Gives up everything but writing to `places` and what a proxy needs; `program` is what may be
/// started, our own binary. A layer that isn't to be had is left out, and said; what was `inherited`
/// from a process that had done the same isn't added once more.
///
/// To be called while the process has one thread.
///
/// # Errors
/// What was inherited doesn't let the process write to `places`. Then nothing was given up.
pub fn confine(
    places: &WritablePlaces,
    program: Option<PathBuf>,
    inherited: &Inherited,
) -> Result<Confinement, OutOfReach> {
    let places = places.existing();
    within_reach(&places, inherited)?;
    let memory = keep_memory_private();
    let held = inherited.writable.as_ref();
    let writable = filesystem::keep_to(&places, program.as_deref(), held);
    // Last: setting up the others takes system calls that nothing later does.
    let filter = syscalls::restrict(inherited.filter);
    Ok(Confinement {
        found: found(writable.as_ref().ok()),
        held: Inherited {
            writable: writable.as_ref().ok().cloned(),
            filter: filter.as_ref().ok().copied().or(inherited.filter),
        },
        layers: vec![
            (Layer::Memory, memory),
            (Layer::Filesystem, writable.map(drop)),
            (Layer::SystemCalls, filter.map(drop)),
        ],
    })
}

/// Whether a core dump of this process may be written, and others of its user may look into its
/// memory. What is started anew may, until it says otherwise (prctl(2)): to be said before any secret
/// is read. A failure shows again in [`confine`].
pub fn allow_core_dumps(allowed: bool) {
    let behavior = match allowed {
        true => DumpableBehavior::Dumpable,
        false => DumpableBehavior::NotDumpable,
    };
    let _ = set_dumpable_behavior(behavior);
}

/// prctl(2), `PR_SET_DUMPABLE`. `RLIMIT_CORE` would not do: the kernel leaves it aside when core
/// dumps go to a program (core(5)).
fn keep_memory_private() -> Result<(), LayerError> {
    let set = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    set.map_err(|error| LayerError::Refused(error.to_string()))
}
