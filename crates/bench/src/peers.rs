//! The servers that people would pick instead, and their settings, which are in `peers/`.

mod apache;
mod blocked;
mod caddy;
mod envoy;
mod haproxy;
mod modsecurity;
mod nginx;
#[cfg(test)]
mod tests;
mod traefik;

use std::collections::BTreeMap;
use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::place::{Duty, File, Launch, Opens, Place};

pub use self::blocked::List;

/// Names the folder with the programs that `./set-up bench` has fetched; without it, that is [`FOLDER`].
pub const FOLDER_VARIABLE: &str = "PALISADE_PEERS";
/// Where `./set-up bench` puts programs that aren't packages of the system.
pub const FOLDER: &str = "target/peers";

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
    /// The program, and how all of its kind are run.
    pub server: &'static Server,
    /// Files of the system that it needs beside the program: modules, libraries. Absolute paths.
    pub needs: &'static [&'static str],
    /// What is made of the listed addresses for its files.
    pub lists: &'static [List],
    /// Parts of its files, for servers that can't include a file: a placeholder's name and a template. Lists
    /// may be in them.
    pub parts: &'static [File],
    /// Its files, beside [`Server::files`].
    pub files: &'static [File],
}

/// A program that peers are made of.
#[derive(Clone, Copy, Debug)]
pub struct Server {
    /// Its name, as the shell finds it.
    pub program: &'static str,
    /// Arguments with which it says its version.
    pub version: &'static [&'static str],
    /// Files that all have.
    pub files: &'static [File],
    /// Arguments with which it serves in the foreground: templates.
    pub arguments: &'static [&'static str],
    /// What is added to its environment: names and templates.
    pub environment: &'static [(&'static str, &'static str)],
}

/// A peer's templates, filled.
struct Filled {
    /// Names and texts.
    files: Vec<(&'static str, String)>,
    arguments: Vec<String>,
    environment: Vec<(String, String)>,
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
    [
        nginx::PEERS,
        haproxy::PEERS,
        apache::PEERS,
        caddy::PEERS,
        envoy::PEERS,
        traefik::PEERS,
    ]
    .into_iter()
    .flatten()
    .collect()
}

impl Peer {
    /// Its version as it says itself, where everything that it needs is here.
    ///
    /// # Errors
    /// Where something is missing.
    pub fn find(&self) -> Result<String, NotHere> {
        let missing = |missing: &str| NotHere {
            name: self.name,
            missing: PathBuf::from(missing),
        };
        if let Some(file) = self.needs.iter().find(|file| !Path::new(file).exists()) {
            return Err(missing(file));
        }
        self.server
            .find()
            .and_then(|program| self.server.version_of(&program))
            .ok_or_else(|| missing(self.server.program))
    }

    /// Writes its files into the place, and says how it is run.
    ///
    /// # Errors
    /// Where the files can't be read or written, the program isn't here, or CRS is needed and the place has none.
    pub fn prepare(&self, place: &Place) -> io::Result<Launch> {
        let program = self
            .server
            .find()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, self.server.program))?;
        let filled = self.fill(place)?;
        for (name, text) in &filled.files {
            place.write(name, text)?;
        }
        Ok(Launch {
            program,
            arguments: filled.arguments,
            environment: filled.environment,
        })
    }

    /// All its templates, filled.
    fn fill(&self, place: &Place) -> io::Result<Filled> {
        let more = self.placeholders(place)?;
        let fill = |template: &str| place.fill(template, &more).map_err(io::Error::other);
        let files = self.server.files.iter().chain(self.files);
        let environment = self.server.environment.iter();
        Ok(Filled {
            files: files
                .map(|file| Ok((file.name, fill(file.template)?)))
                .collect::<io::Result<_>>()?,
            arguments: (self.server.arguments.iter())
                .map(|argument| fill(argument))
                .collect::<io::Result<_>>()?,
            environment: environment
                .map(|(name, value)| Ok(((*name).to_owned(), fill(value)?)))
                .collect::<io::Result<_>>()?,
        })
    }

    /// What templates may name beside what [`Place::fill`] knows: `{{certificate_text}}` and `{{key_text}}`, hosts and
    /// ports of all addresses (`{{plain_host}}`, `{{plain_port}}`), `{{paranoia}}` of a WAF, lists and parts.
    fn placeholders(&self, place: &Place) -> io::Result<BTreeMap<&'static str, String>> {
        let doors = place.doors;
        let mut more = BTreeMap::from([
            ("certificate_text", fs::read_to_string(&place.certificate)?),
            ("key_text", fs::read_to_string(&place.key)?),
            ("plain_host", doors.plain.ip().to_string()),
            ("plain_port", doors.plain.port().to_string()),
            ("tls_host", doors.tls.ip().to_string()),
            ("tls_port", doors.tls.port().to_string()),
            ("proxy_host", doors.proxy.ip().to_string()),
            ("proxy_port", doors.proxy.port().to_string()),
            ("backend_host", place.backend.ip().to_string()),
            ("backend_port", place.backend.port().to_string()),
        ]);
        if let Duty::Waf(paranoia) = self.duty {
            more.insert("paranoia", paranoia.to_string());
        }
        if !self.lists.is_empty() {
            let blocked = blocked::read(&place.blocked)?;
            more.extend(self.lists.iter().map(|list| (list.name, list.of(&blocked))));
        }
        for part in self.parts {
            let text = place.fill(part.template, &more).map_err(io::Error::other)?;
            more.insert(part.name, text);
        }
        Ok(more)
    }
}

impl Server {
    /// The program: one that was fetched, or one of the system.
    fn find(&self) -> Option<PathBuf> {
        let fetched = env::var_os(FOLDER_VARIABLE).unwrap_or_else(|| FOLDER.into());
        let path = env::var_os("PATH").unwrap_or_default();
        let folders = env::split_paths(&path);
        let system = ["/usr/sbin", "/sbin"].map(PathBuf::from);
        [PathBuf::from(fetched)]
            .into_iter()
            .chain(folders)
            .chain(system)
            .find_map(|folder| {
                let program = folder.join(self.program).canonicalize().ok()?;
                program.is_file().then_some(program)
            })
    }

    /// What it says on either stream.
    fn version_of(&self, program: &Path) -> Option<String> {
        let output = Command::new(program).args(self.version).output().ok()?;
        let said = [output.stdout, output.stderr].concat();
        version_in(&String::from_utf8_lossy(&said)).map(str::to_owned)
    }
}

/// The first word that starts with two numbers and a point between.
fn version_in(said: &str) -> Option<&str> {
    said.split(|letter: char| letter.is_whitespace() || letter == '/')
        .map(|word| word.trim_start_matches('v'))
        .find(|word| {
            word.split_once('.').is_some_and(|(major, rest)| {
                major.parse::<u32>().is_ok()
                    && rest.starts_with(|letter: char| letter.is_ascii_digit())
            })
        })
}
