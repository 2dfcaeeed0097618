//! The machine's system, by `os-release(5)`.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::document::bounded;

/// Where it is said, in the order of `os-release(5)`.
const FILES: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];
/// How much is read of it.
const BYTES_MAX: u64 = 64 * 1024;

/// Name, family and version of the machine's system; none is empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatingSystem {
    name: String,
    family: String,
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

    /// The `ID`, `ID_LIKE` and `VERSION_ID` of an os-release file. A system that is like no other is
    /// a family of its own. One without versions (a rolling one) has `unknown`, since LAPI wants one.
    fn parse(text: &str) -> Option<Self> {
        let value = |wanted: &str| {
            let mut fields = text.lines().filter_map(|line| line.trim().split_once('='));
            let (_, value) = fields.find(|(key, _)| *key == wanted)?;
            let value = bounded(value.trim().trim_matches(['"', '\'']));
            let shown = !value.is_empty() && !value.contains(char::is_control);
            shown.then(|| value.to_owned())
        };
        let name = value("ID")?;
        // Several are in order, the closest one first.
        let like = value("ID_LIKE");
        let closest = like
            .as_deref()
            .and_then(|like| like.split_whitespace().next());
        Some(Self {
            family: closest.unwrap_or(&name).to_owned(),
            name,
            version: value("VERSION_ID").unwrap_or_else(|| "unknown".to_owned()),
        })
    }

    /// `debian`, `alpine`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is like: `debian` of Ubuntu, `rhel` of Rocky Linux, `debian` of Debian itself.
    #[must_use]
    pub fn family(&self) -> &str {
        &self.family
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
    fn check(text: &str, expected: Option<[&str; 3]>) {
        let got = OperatingSystem::parse(text);
        let got = got
            .as_ref()
            .map(|os| [os.name(), os.family(), os.version()]);
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn name_family_and_version_are_read() {
        let debian = "PRETTY_NAME=\"Debian GNU/Linux 12\"\nID=debian\nVERSION_ID=\"12\"\n";
        check(debian, Some(["debian", "debian", "12"]));
        check(
            "VERSION_ID='3.20'\n ID=alpine",
            Some(["alpine", "alpine", "3.20"]),
        );
        check("ID=arch\n", Some(["arch", "arch", "unknown"]));
        check("ID=\n", None);
        check("ID_LIKE=debian\n", None);
        check("", None);
        let long = "x".repeat(255);
        check(
            &format!("ID={}", "x".repeat(300)),
            Some([&long, &long, "unknown"]),
        );
    }

    #[test]
    fn the_family_is_the_closest_system() {
        let ubuntu = "ID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\n";
        check(ubuntu, Some(["ubuntu", "debian", "24.04"]));
        let rocky = "ID=\"rocky\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.4\"\n";
        check(rocky, Some(["rocky", "rhel", "9.4"]));
        let empty = "ID=void\nID_LIKE=\"\"\n";
        check(empty, Some(["void", "void", "unknown"]));
        let spaces = "ID=suse\nID_LIKE=\" opensuse  suse\"\n";
        check(spaces, Some(["suse", "opensuse", "unknown"]));
    }
}
