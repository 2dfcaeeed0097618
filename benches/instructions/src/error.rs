//! What can keep instructions from being counted.

use std::io;

/// What went wrong, for whoever ran `make instructions`.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("{0} can't be read or written: {1}")]
    File(String, io::Error),
    #[error(
        "{0} is no baseline: {1}; mend it, or take a new one with `make instructions-baseline`"
    )]
    Baseline(String, String),
    #[error("{0} can't be run: {1}; `make set-up` installs what is missing")]
    Program(String, io::Error),
    #[error("{0} failed ({1}); what it said is above")]
    Failed(String, std::process::ExitStatus),
    #[error("what gungraun-runner says isn't understood: {0}")]
    Summary(String),
    #[error("nothing was counted in {0}")]
    NothingCounted(String),
    #[error("a baseline needs the rows of OWASP CRS too; say where it is with PALISADE_CRS")]
    BaselineWithoutCrs,
    #[error("expected `check`, `check GROUP` or `baseline`")]
    Arguments,
}
