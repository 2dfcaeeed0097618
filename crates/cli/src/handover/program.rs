//! How this process was started, to be started again.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result};
use tokio::process::{Child, Command};

use super::PREDECESSOR;

/// What the service manager said to this process alone (sd_listen_fds(3), sd_watchdog_enabled(3)).
const NOT_INHERITED: [&str; 4] = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID"];

/// The program of this process and its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Program {
    /// Where the file is that the process was started from; another may be there by now.
    path: PathBuf,
    name: OsString,
    arguments: Vec<OsString>,
}

impl Program {
    /// This process's own. To be called at its start: later the kernel knows only the file, not
    /// where another was put in its place.
    ///
    /// # Errors
    /// When the system doesn't say where the file is.
    pub(crate) fn of_this_process() -> Result<Self> {
        let mut arguments = std::env::args_os();
        let name = arguments.next().unwrap_or_default();
        let file = std::env::current_exe().context("can't find this program's file")?;
        Ok(Self {
            path: path_of(&name, &file),
            name,
            arguments: arguments.collect(),
        })
    }

    /// Where the file is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Starts it with `stdin`; it is told that it takes this process's place.
    pub(super) fn start(&self, stdin: Stdio) -> Result<Child> {
        let mut command = Command::new(&self.path);
        command
            .arg0(&self.name)
            .args(&self.arguments)
            .stdin(stdin)
            .env(PREDECESSOR, std::process::id().to_string());
        for variable in NOT_INHERITED {
            command.env_remove(variable);
        }
        let child = command.spawn();
        child.with_context(|| format!("can't start {}", self.path.display()))
    }
}

/// The path by which `file` was started as `name`: what it leads to may change. The file's own path
/// where that can't be told.
fn path_of(name: &OsString, file: &Path) -> PathBuf {
    let found = match name.as_bytes().contains(&b'/') {
        true => std::path::absolute(name).ok(),
        false => std::env::var_os("PATH").and_then(|path| {
            let mut folders = std::env::split_paths(&path);
            folders.find_map(|folder| {
                let candidate = folder.join(name);
                candidate.is_file().then_some(candidate)
            })
        }),
    };
    let leads_here = |path: &PathBuf| path.canonicalize().is_ok_and(|real| real == file);
    found.filter(leads_here).unwrap_or_else(|| file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_followed_anew() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap().join("palisade-1");
        std::fs::write(&real, "").unwrap();
        let link = folder.path().join("palisade");
        std::os::unix::fs::symlink(&real, &link).unwrap();
        assert_eq!(path_of(&link.clone().into(), &real), link);
        assert_eq!(path_of(&real.clone().into(), &real), real);
        assert_eq!(path_of(&"no/such".into(), &real), real);
        assert_eq!(path_of(&"no-such-command".into(), &real), real);
    }
}
