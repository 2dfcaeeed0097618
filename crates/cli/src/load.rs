//! Settings from a file, with what is wrong told on standard error.

use std::path::Path;

use palisade_config::files::Disk;
use palisade_config::{LoadError, Loaded, Settings};

use crate::arguments::{Config, DEFAULT_CONFIG};
use crate::{Exit, complain};

/// The settings of a file, or how the process ends. Problems and warnings are told.
pub(crate) fn load(config: &Config) -> Result<Loaded, Exit> {
    let path = config.path();
    if path == Path::new(DEFAULT_CONFIG) && !path.exists() {
        complain(&format!(
            "palisade: there is no {DEFAULT_CONFIG}; name a settings file with --config FILE, or try: palisade run --demo"
        ));
        return Err(Exit::WrongUsage);
    }
    match read(path) {
        Ok(loaded) => {
            for warning in loaded.warnings.iter() {
                complain(&warning.to_string());
            }
            Ok(loaded)
        }
        Err(error) => {
            complain(&error.to_string());
            Err(Exit::Failed)
        }
    }
}

/// The settings of a file.
pub(crate) fn read(path: &Path) -> Result<Loaded, Box<LoadError>> {
    Settings::load(&Disk, &|name| std::env::var(name).ok(), path)
}
