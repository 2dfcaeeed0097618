//! What counts depend on besides the code: another of these is another baseline.

use std::fmt;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::program::output;

/// The argument with which this program tells what [`cpu_features`] are.
pub(crate) const TELL_FEATURES: &str = "cpu-features";

/// What counts were made with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MadeWith {
    /// The compiler, and what it compiles for.
    pub(crate) rustc: String,
    /// What counts.
    pub(crate) valgrind: String,
    /// The C library: the functions that copy and compare memory are its.
    pub(crate) libc: String,
    /// What programs are told that the processor can do. Libraries choose among implementations by it.
    /// It is valgrind that tells them, of a processor of its own making: without AVX-512, whatever the real one has.
    pub(crate) cpu: String,
    /// The version of OWASP CRS, where it is there: only rows of CRS depend on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) crs: Option<String>,
}

impl MadeWith {
    /// What is here; `crs` is CRS's folder, where it is known.
    pub(crate) fn here(crs: Option<&Path>) -> Result<Self, Error> {
        let rustc = std::env::var("RUSTC").unwrap_or_else(|_| "rustc".into());
        let verbose = output(&rustc, &["-vV"])?;
        let this =
            std::env::current_exe().map_err(|error| Error::Program("itself".into(), error))?;
        let this: &Path = &this;
        let features = [
            "--quiet",
            "--tool=none",
            &this.to_string_lossy(),
            TELL_FEATURES,
        ];
        Ok(Self {
            rustc: compiler(&verbose),
            valgrind: output("valgrind", &["--version"])?.trim().to_owned(),
            libc: output("getconf", &["GNU_LIBC_VERSION"])?.trim().to_owned(),
            cpu: output("valgrind", &features)?.trim().to_owned(),
            crs: crs.map(crs_version).transpose()?,
        })
    }

    /// In what another is not the same, CRS aside: what it is called, here, and there.
    pub(crate) fn differences<'a>(
        &'a self,
        other: &'a Self,
    ) -> impl Iterator<Item = (&'static str, &'a str, &'a str)> {
        let parts = [
            ("compiler", &self.rustc, &other.rustc),
            ("valgrind", &self.valgrind, &other.valgrind),
            ("C library", &self.libc, &other.libc),
            ("processor, as valgrind shows it,", &self.cpu, &other.cpu),
        ];
        parts
            .into_iter()
            .filter(|(_, here, there)| here != there)
            .map(|(name, here, there)| (name, here.as_str(), there.as_str()))
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        Self {
            rustc: "rustc 1.95.0 (59807616e 2026-04-14), x86_64-unknown-linux-gnu".to_owned(),
            valgrind: "valgrind-3.19.0".to_owned(),
            libc: "glibc 2.36".to_owned(),
            cpu: "avx avx2".to_owned(),
            crs: Some("OWASP CRS ver.4.28.0".to_owned()),
        }
    }
}

impl fmt::Display for MadeWith {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}, {}", self.rustc, self.valgrind, self.libc)
    }
}

/// The version and the target in what `rustc -vV` says.
fn compiler(verbose: &str) -> String {
    let version = verbose.lines().next().unwrap_or_default();
    let host = verbose.lines().find_map(|line| line.strip_prefix("host: "));
    format!("{version}, {}", host.unwrap_or("unknown host"))
}

/// The version that CRS's set-up file begins with.
fn crs_version(folder: &Path) -> Result<String, Error> {
    let path = folder.join("crs-setup.conf.example");
    let text = fs::read_to_string(&path)
        .map_err(|error| Error::File(path.display().to_string(), error))?;
    Ok(version_in(&text).unwrap_or("unknown version").to_owned())
}

fn version_in(set_up: &str) -> Option<&str> {
    let lines = set_up.lines().take(10);
    let mut texts = lines.filter_map(|line| line.strip_prefix("# "));
    texts.find(|text| text.starts_with("OWASP CRS ver"))
}

/// The names of the features by which libraries choose, of those that this processor has.
#[cfg(target_arch = "x86_64")]
pub(crate) fn cpu_features() -> String {
    macro_rules! detected {
        ($($name:tt)*) => {
            [$(($name, std::arch::is_x86_feature_detected!($name))),*]
        };
    }
    let features = detected!(
        "sse3" "ssse3" "sse4.1" "sse4.2" "popcnt" "aes" "pclmulqdq" "avx" "avx2" "fma" "f16c" "bmi1" "bmi2"
        "lzcnt" "movbe" "sha" "vaes" "gfni" "avx512f" "avx512bw" "avx512vl" "avx512vbmi"
    );
    let names = features.iter().filter(|(_, is_here)| *is_here);
    names.map(|(name, _)| *name).collect::<Vec<_>>().join(" ")
}

/// Unknown: the compiler's target is all that is told apart.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) fn cpu_features() -> String {
    std::env::consts::ARCH.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_compiler_is_its_version_and_its_target() {
        let verbose =
            "rustc 1.95.0 (59807616e 2026-04-14)\nbinary: rustc\nhost: x86_64-unknown-linux-gnu\n";
        assert_eq!(compiler(verbose), MadeWith::example().rustc);
    }

    #[test]
    fn crs_says_its_version() {
        let set_up = "# -----\n# OWASP CRS ver.4.28.0\n# Copyright (c) 2021-2026 CRS project.\n";
        assert_eq!(version_in(set_up), MadeWith::example().crs.as_deref());
        assert_eq!(version_in("SecRuleEngine On\n"), None);
    }

    #[test]
    fn what_differs_is_named() {
        let (here, mut there) = (MadeWith::example(), MadeWith::example());
        assert_eq!(here.differences(&there).count(), 0);
        there.libc = "glibc 2.41".to_owned();
        let differences: Vec<_> = here.differences(&there).collect();
        assert_eq!(differences, [("C library", "glibc 2.36", "glibc 2.41")]);
    }
}
