//! What is measured: a server, its duty, and where it stands.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// What a server does with a request beside forwarding it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Duty {
    /// Nothing.
    Bare,
    /// Refuses clients whose address is listed.
    Gate,
    /// Judges by OWASP CRS at this paranoia level.
    Waf(u8),
}

/// Where a server listens. All are on loopback, and nobody else has them.
#[derive(Clone, Copy, Debug)]
pub struct Doors {
    /// HTTP/1.1 without TLS. A hop in 127.0.0.0/8 that says in X-Forwarded-For who the client is.
    pub plain: SocketAddr,
    /// TLS 1.3, HTTP/2 and HTTP/1.1 by ALPN. The same hop.
    pub tls: SocketAddr,
    /// HTTP/1.1 without TLS, behind PROXY protocol v2, which says who the client is.
    pub proxy: SocketAddr,
}

/// Which doors a server can open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Opens {
    /// [`Doors::tls`] with HTTP/1.1.
    pub tls: bool,
    /// [`Doors::tls`] with HTTP/2.
    pub http2: bool,
    /// [`Doors::proxy`].
    pub proxy: bool,
}

/// Where a server stands, and the files that it is given. All paths are absolute.
#[derive(Clone, Debug)]
pub struct Place {
    /// A folder of its own, there and empty.
    pub folder: PathBuf,
    /// Where it is to listen.
    pub doors: Doors,
    /// The backend: HTTP/1.1, keep-alive.
    pub backend: SocketAddr,
    /// A service that answers `GET /auth` with 200, or with 403 where X-Forwarded-For names a listed address.
    pub auth: SocketAddr,
    /// A certificate chain for `shop.example.com`, in PEM.
    pub certificate: PathBuf,
    /// Its key, in PEM.
    pub key: PathBuf,
    /// The listed addresses: IPv4, an address or a range a line.
    pub blocked: PathBuf,
    /// The folder of OWASP CRS, where there is one.
    pub crs: Option<PathBuf>,
    /// Threads, or processes, that serve requests.
    pub workers: u16,
}

/// A file that a server is given: its name in the server's folder, and its template.
#[derive(Clone, Copy, Debug)]
pub struct File {
    /// Its path below [`Place::folder`].
    pub name: &'static str,
    /// Its text, with placeholders: see [`Place::fill`].
    pub template: &'static str,
}

/// A template that names what no [`Place`] has.
#[derive(Debug, thiserror::Error)]
#[error("{{{{{0}}}}} is no placeholder")]
pub struct UnknownPlaceholder(String);

impl Place {
    /// The text with its placeholders filled: `{{folder}}`, `{{plain}}`, `{{tls}}`, `{{proxy}}`, `{{backend}}`,
    /// `{{auth}}` (addresses with ports), `{{certificate}}`, `{{key}}`, `{{blocked}}`, `{{crs}}` (paths),
    /// `{{workers}}`, and those of `more`.
    ///
    /// # Errors
    /// Where a placeholder has another name, or `{{crs}}` is asked for and isn't there.
    pub fn fill(
        &self,
        template: &str,
        more: &BTreeMap<&str, String>,
    ) -> Result<String, UnknownPlaceholder> {
        let mut filled = String::with_capacity(template.len());
        let mut rest = template;
        while let Some((before, after)) = rest.split_once("{{") {
            filled.push_str(before);
            let (name, after) = after.split_once("}}").unwrap_or((after, ""));
            let value = self.value_of(name).or_else(|| more.get(name).cloned());
            filled.push_str(&value.ok_or_else(|| UnknownPlaceholder(name.to_owned()))?);
            rest = after;
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn value_of(&self, name: &str) -> Option<String> {
        let path = |path: &Path| path.display().to_string();
        Some(match name {
            "folder" => path(&self.folder),
            "plain" => self.doors.plain.to_string(),
            "tls" => self.doors.tls.to_string(),
            "proxy" => self.doors.proxy.to_string(),
            "backend" => self.backend.to_string(),
            "auth" => self.auth.to_string(),
            "certificate" => path(&self.certificate),
            "key" => path(&self.key),
            "blocked" => path(&self.blocked),
            "crs" => path(self.crs.as_deref()?),
            "workers" => self.workers.to_string(),
            _ => return None,
        })
    }

    /// Writes a file into the folder.
    ///
    /// # Errors
    /// As the file system has them.
    pub fn write(&self, name: &str, text: &str) -> io::Result<()> {
        let path = self.folder.join(name);
        path.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::write(path, text)
    }
}

/// What is run: a program, found, with its arguments.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The program, absolute.
    pub program: PathBuf,
    /// Its arguments. It stays in the foreground; its working directory is [`Place::folder`].
    pub arguments: Vec<String>,
    /// What is added to its environment.
    pub environment: Vec<(String, String)>,
}
