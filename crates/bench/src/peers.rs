//! The servers that people would pick instead, and their settings, which are in `peers/`.

use std::path::PathBuf;

use crate::subject::{Duty, Launch, Opens, Place};

/// A server that isn't Palisade, with one duty.
#[derive(Clone, Copy, Debug)]
pub struct Peer {
    /// What `--with` calls it, `nginx-lua` for example.
    pub name: &'static str,
    /// How the table calls it, `nginx with a Lua bouncer` for example.
    pub title: &'static str,
    /// What it does.
    pub duty: Duty,
    /// Which doors it opens.
    pub opens: Opens,
}

/// Why a peer can't be started here, and how to mend that.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{name}: {missing} isn't here: ./set-up bench {name}")]
pub struct NotHere {
    /// The peer.
    pub name: &'static str,
    /// The program or module.
    pub missing: PathBuf,
}

/// All peers.
#[must_use]
pub fn all() -> Vec<&'static Peer> {
    Vec::new()
}

impl Peer {
    /// Its version as it says itself, where everything that it needs is here.
    ///
    /// # Errors
    /// Where something is missing.
    pub fn find(&self) -> Result<String, NotHere> {
        Err(NotHere {
            name: self.name,
            missing: PathBuf::new(),
        })
    }

    /// Writes its files into the place, and says how it is run.
    ///
    /// # Errors
    /// Where the files can't be written.
    pub fn prepare(&self, _place: &Place) -> std::io::Result<Launch> {
        Err(std::io::Error::from(std::io::ErrorKind::Unsupported))
    }
}
