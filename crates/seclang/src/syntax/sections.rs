//! Sections of Apache's configuration, which rule files may stand in: `<IfModule security2_module>`.

use super::place::Place;

/// What modules `IfModule` may ask for: those that read rules, which is us.
const MODULES: [&str; 4] = [
    "security2_module",
    "mod_security2.c",
    "security3_module",
    "mod_security3.c",
];

/// Sections that make rules those of some requests only.
const OF_SOME_REQUESTS: [&str; 12] = [
    "directory",
    "directorymatch",
    "files",
    "filesmatch",
    "if",
    "limit",
    "limitexcept",
    "location",
    "locationmatch",
    "proxy",
    "proxymatch",
    "virtualhost",
];

/// Whether a line begins or ends a section.
pub(super) fn is_section(line: &[u8]) -> bool {
    line.trim_ascii_start().first() == Some(&b'<')
}

/// The sections of a file that are open.
#[derive(Debug, Default)]
pub(super) struct Sections {
    /// Their names, and where they begin.
    open: Vec<(String, Place)>,
}

impl Sections {
    /// Takes a line that begins or ends one.
    pub(super) fn take(&mut self, line: &[u8], place: Place) -> Result<(), String> {
        let inner = line
            .strip_prefix(b"<")
            .and_then(|line| line.strip_suffix(b">"));
        let Some(inner) = inner else {
            return Err("expected `>` at the end of the line".to_owned());
        };
        let inner = String::from_utf8_lossy(inner);
        match inner.strip_prefix('/') {
            Some(name) => self.close(name.trim()),
            None => self.open(&inner, place),
        }
    }

    fn open(&mut self, inner: &str, place: Place) -> Result<(), String> {
        let (name, condition) = inner.split_once(char::is_whitespace).unwrap_or((inner, ""));
        self.open.push((name.to_owned(), place));
        let condition = condition.trim().trim_matches('"');
        let lower = name.to_ascii_lowercase();
        if lower == "ifmodule" {
            return module(condition);
        }
        Err(match OF_SOME_REQUESTS.contains(&lower.as_str()) {
            true => format!(
                "<{name}> can't be had here: rules are for all requests; take the lines out of it, and let a rule \
                 ask first, like SecRule REQUEST_FILENAME \"@beginsWith /path/\" \
                 \"id:1,phase:1,pass,nolog,ctl:ruleRemoveById=942100\""
            ),
            false => format!(
                "<{name}> can't be had here: nothing is asked of the server; take the lines out of it, or away"
            ),
        })
    }

    fn close(&mut self, name: &str) -> Result<(), String> {
        match self.open.pop() {
            Some((open, _)) if open.eq_ignore_ascii_case(name) => Ok(()),
            Some((open, place)) => {
                let message = format!("</{name}> stands where </{open}> of {place} was expected");
                self.open.push((open, place));
                Err(message)
            }
            None => Err(format!("</{name}> ends what hasn't begun")),
        }
    }

    /// Those that a file ends in.
    pub(super) fn unclosed(self) -> impl Iterator<Item = (Place, String)> {
        let told =
            |(name, place): (String, Place)| (place, format!("<{name}> isn't closed by </{name}>"));
        self.open.into_iter().map(told)
    }
}

/// What `IfModule` asks for.
fn module(name: &str) -> Result<(), String> {
    let is_ours = |name: &str| MODULES.iter().any(|one| one.eq_ignore_ascii_case(name));
    if is_ours(name) {
        return Ok(());
    }
    Err(match name.strip_prefix('!') {
        Some(absent) if is_ours(absent) => {
            format!("<IfModule {name}> is for a server without ModSecurity; take its lines away")
        }
        _ => format!(
            "<IfModule {name}>: there is no such module here; expected {}, or take the lines out of it, or away",
            MODULES.join(", ")
        ),
    })
}
