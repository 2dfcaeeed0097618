//! `palisade crs`: OWASP CRS, found, and the settings that use it.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{self, Path, PathBuf};

use anyhow::{Context, Result};

use crate::arguments::Crs;
use crate::{Exit, complain, say};

/// Where distributions and people put it.
const PLACES: [&str; 7] = [
    "/usr/share/modsecurity-crs",
    "/etc/modsecurity/crs",
    "/etc/modsecurity-crs",
    "/usr/share/coreruleset",
    "/etc/coreruleset",
    "/opt/coreruleset",
    "/usr/local/share/coreruleset",
];

/// Where the set-up file and exclusions are that are not beside the rules, as Debian has it.
const SETUP_FOLDER: &str = "/etc/modsecurity/crs";

/// What goes before CRS, as it is shipped.
const RECOMMENDED: &str = include_str!("../../../rules/seclang/recommended.conf");
/// Where packages put that.
const RECOMMENDED_PLACE: &str = "/usr/share/palisade/rules/seclang/recommended.conf";

/// An installed CRS.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    /// The folder that has `rules`.
    folder: PathBuf,
    /// `crs-setup.conf`, or its example.
    setup: PathBuf,
    /// Such as 4.28.0; empty where no rule tells.
    version: String,
    /// The folders of exclusions, or of rules, of the operator's own.
    before: Option<PathBuf>,
    after: Option<PathBuf>,
}

pub(crate) fn crs(arguments: &Crs) -> Result<Exit> {
    let places: Vec<PathBuf> = match &arguments.folder {
        Some(folder) => vec![absolute(folder)?],
        None => PLACES.iter().map(PathBuf::from).collect(),
    };
    let Some(found) = places.iter().find_map(|place| find(place)) else {
        tell_nothing(&places);
        return Ok(Exit::Failed);
    };
    complain(&format!(
        "OWASP CRS {} in {}",
        found.version,
        found.folder.display()
    ));
    let Some(folder) = &arguments.output else {
        say(settings(&found, Path::new(RECOMMENDED_PLACE)).trim_end());
        return Ok(Exit::Done);
    };
    let recommended = folder.join("recommended.conf");
    write_new(&recommended, RECOMMENDED)?;
    let file = folder.join("waf.yaml");
    write_new(&file, &settings(&found, Path::new("recommended.conf")))?;
    say(&format!(
        "wrote {} and {}",
        file.display(),
        recommended.display()
    ));
    say("next: add `include: waf.yaml` to the settings, then `palisade check`");
    Ok(Exit::Done)
}

/// The same folder from wherever the settings are read. A link stays one: the next release of CRS may be
/// put behind it.
fn absolute(folder: &Path) -> Result<PathBuf> {
    path::absolute(folder).with_context(|| format!("can't tell where {} is", folder.display()))
}

fn tell_nothing(places: &[PathBuf]) {
    complain("palisade: found no OWASP CRS: no folder with rules/REQUEST-901-INITIALIZATION.conf");
    for place in places {
        complain(&format!("  {}", place.display()));
    }
    complain(
        "Install it (Debian: apt install modsecurity-crs; or unpack a release of \
         https://github.com/coreruleset/coreruleset), or name its folder with --folder.",
    );
}

/// The CRS in a folder; `None` where there is none.
fn find(folder: &Path) -> Option<Found> {
    let first = folder.join("rules/REQUEST-901-INITIALIZATION.conf");
    let text = fs::read_to_string(first).ok()?;
    let setups = [folder, Path::new(SETUP_FOLDER)];
    let setup = setups
        .iter()
        .map(|place| place.join("crs-setup.conf"))
        .find(|path| path.is_file());
    let example = folder.join("crs-setup.conf.example");
    let own = |name: &str| {
        let mut places = setups.iter().map(|place| place.join(name));
        let beside = folder.join("rules").join(name);
        places
            .find(|path| path.is_file())
            .or_else(|| Some(beside).filter(|path| path.is_file()))
    };
    Some(Found {
        setup: setup.or_else(|| Some(example).filter(|path| path.is_file()))?,
        version: version(&text).unwrap_or_default().to_owned(),
        before: own("REQUEST-900-EXCLUSION-RULES-BEFORE-CRS.conf"),
        after: own("RESPONSE-999-EXCLUSION-RULES-AFTER-CRS.conf"),
        folder: folder.to_owned(),
    })
}

/// What its rules say of themselves (`ver:'OWASP_CRS/4.28.0'`).
fn version(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("ver:'OWASP_CRS/")?;
    Some(rest.split_once('\'')?.0)
}

/// A settings file for `include`.
fn settings(found: &Found, recommended: &Path) -> String {
    let mut yaml = String::new();
    let quoted = |path: &Path| format!("{:?}", path.display().to_string());
    let rules = found.folder.join("rules");
    // Exclusions that stand among the rules are in the pattern already.
    let own = |path: &Option<PathBuf>| path.clone().filter(|path| !path.starts_with(&rules));
    let _ = writeln!(
        yaml,
        "# OWASP CRS {}, for `include` in palisade.yaml.\n\
         waf:\n\
         \x20 # Begin with `detect`: the audit log shows what would be refused. Then `block`.\n\
         \x20 mode: detect\n\
         \x20 rules:\n\
         \x20   # How bodies are read, and up to what size.\n\
         \x20   - {}\n\
         \x20   - {}",
        found.version,
        quoted(recommended),
        quoted(&found.setup)
    );
    if let Some(before) = own(&found.before) {
        let _ = writeln!(yaml, "    - {}", quoted(&before));
    }
    let _ = writeln!(yaml, "    - {}", quoted(&rules.join("*.conf")));
    if let Some(after) = own(&found.after) {
        let _ = writeln!(yaml, "    - {}", quoted(&after));
    }
    yaml.push_str(
        "  # 1 to 4: more attacks are found, and more that are none.\n\
         \x20 paranoia: 1\n\
         \x20 # Scores from which on requests and answers are refused.\n\
         \x20 thresholds: { inbound: 5, outbound: 4 }\n\
         logs:\n\
         \x20 # A line for each request that a rule had something to say of.\n\
         \x20 audit: { path: \"-\" }\n",
    );
    yaml
}

/// Writes a file that isn't there yet.
fn write_new(path: &Path, content: &str) -> Result<()> {
    let opened = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = opened.map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => {
            anyhow::anyhow!("{} is there already; move it away first", path.display())
        }
        _ => anyhow::Error::new(error).context(format!("can't write {}", path.display())),
    })?;
    file.write_all(content.as_bytes())
        .with_context(|| format!("can't write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_tell_their_version() {
        let check = |text, expected| assert_eq!(version(text), expected, "{text}");
        check(
            "# as of OWASP_CRS/3.1.0\n\\\nver:'OWASP_CRS/4.28.0',\\",
            Some("4.28.0"),
        );
        check("nothing", None);
    }
}
