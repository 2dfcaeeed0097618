//! What the process gives up once it has read its settings, so that whoever breaks into it finds
//! little to do: writing outside a few folders and starting most programs (Landlock), system calls of
//! administration and debugging (seccomp), core dumps with keys in them.
//!
//! All of it holds for the thread that calls [`confine`] and those that it starts later, so it is
//! called before there are others, and for programs that these start. Nothing takes it back.

mod filesystem;
mod syscalls;

use std::fmt;
use std::path::{Path, PathBuf};

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

pub use filesystem::WritablePlaces;

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

/// What became of each layer.
#[derive(Clone, Debug)]
pub struct Confinement {
    places: Option<WritablePlaces>,
    layers: Vec<(Layer, Result<(), LayerError>)>,
}

impl Confinement {
    /// The process of an operator who wants none.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            places: None,
            layers: Vec::new(),
        }
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

    /// The first of `wanted` that can't be written to any more, since it wasn't named at the start.
    #[must_use]
    pub fn first_out_of_reach<'a>(&self, wanted: &'a WritablePlaces) -> Option<&'a Path> {
        let held = self.places.as_ref()?;
        wanted.iter().find(|place| !held.covers(place))
    }
}

/// Gives up everything but writing to `places` and what a proxy needs; `program` is what may be
/// started, our own binary. A layer that isn't to be had is left out, and said.
///
/// To be called while the process has one thread.
#[must_use]
pub fn confine(places: WritablePlaces, program: Option<PathBuf>) -> Confinement {
    let filesystem = filesystem::restrict(&places, program.as_deref());
    let layers = vec![
        (Layer::Memory, keep_memory_private()),
        (Layer::Filesystem, filesystem.clone()),
        // Last: setting up the others takes system calls that nothing later does.
        (Layer::SystemCalls, syscalls::restrict()),
    ];
    Confinement {
        places: filesystem.is_ok().then_some(places),
        layers,
    }
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
