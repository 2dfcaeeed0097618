//! The machine's system, by `os-release(5)`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::document::bounded;

/// Where it is said, in the order of `os-release(5)`.
const FILES: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];
/// How much is read of it.
const BYTES_MAX: u64 = 64 * 1024;

/// Name and version of the machine's system; neither is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatingSystem {
    name: String,
    version: String,
}

impl OperatingSystem {
    /// That of this machine; none where it can't be known. Reads a file.
    #[must_use]
    pub fn of_this_machine() -> Option<Self> {
        FILES.iter().find_map(|path| {
            let text = read(Path::new(path)).ok()?;
            Self::parse(&text)
        })
    }

    /// The `ID` and `VERSION_ID` of an os-release file. A system without versions (a rolling one)
    /// has `unknown`, since LAPI wants one.
    fn parse(text: &str) -> Option<Self> {
        let value = |wanted: &str| {
            let mut fields = text.lines().filter_map(|line| line.trim().split_once('='));
            let (_, value) = fields.find(|(key, _)| *key == wanted)?;
            let value = bounded(value.trim().trim_matches(['"', '\'']));
            let shown = !value.is_empty() && !value.contains(char::is_control);
            shown.then(|| value.to_owned())
        };
        Some(Self {
            name: value("ID")?,
            version: value("VERSION_ID").unwrap_or_else(|| "unknown".to_owned()),
        })
    }

    /// `debian`, `alpine`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// `12`, `3.20.1`.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<(&str, &str)>) {
        let got = OperatingSystem::parse(text);
        let got = got.as_ref().map(|os| (os.name(), os.version()));
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn name_and_version_are_read() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\nVERSION_ID=\"12\"\n";
        check(debian, Some(("debian", "12")));
        check("VERSION_ID='3.20'\n ID=alpine", Some(("alpine", "3.20")));
        check("ID=arch\n", Some(("arch", "unknown")));
        check("ID=\n", None);
        check("", None);
        check(
            &format!("ID={}", "x".repeat(300)),
            Some((&"x".repeat(255), "unknown")),
        );
    }
}
