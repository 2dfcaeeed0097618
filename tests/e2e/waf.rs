//! `palisade waf`: rules checked, explained and tested.

/// Says it where tests that pass are seen too: what is printed by them is not.
macro_rules! say {
    ($($said:tt)*) => {{
        use std::io::Write;
        let line = format!($($said)*) + "\n";
        std::io::stderr().write_all(line.as_bytes()).unwrap();
    }};
}
pub(crate) use say;

mod check;
pub(crate) mod crs;
mod explain;
mod recommended;
mod test;
mod wire;

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

use crate::harness::Palisade;

/// A folder with files, in which the binary runs.
struct Folder(TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let file = folder.path().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        Self(folder)
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Palisade::command();
        command
            .arg("waf")
            .args(arguments)
            .current_dir(self.0.path());
        command
    }

    /// `palisade waf` to its end.
    fn waf(&self, arguments: &[&str]) -> Ended {
        Ended::of(self.command(arguments).output().unwrap())
    }

    /// The same, with something on standard input.
    fn waf_with_input(&self, arguments: &[&str], input: &[u8]) -> Ended {
        let mut command = self.command(arguments);
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = piped.stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input).unwrap();
        Ended::of(child.wait_with_output().unwrap())
    }
}

/// How it ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    printed: String,
    said: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code().unwrap(),
            printed: text(output.stdout),
            said: text(output.stderr),
        }
    }

    /// Each of `expected` is a part of a printed line, whatever the white space between words.
    #[track_caller]
    fn prints(&self, expected: &[&str]) {
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        let lines: Vec<String> = self.printed.lines().map(words).collect();
        for expected in expected {
            let found = lines.iter().any(|line| line.contains(expected));
            assert!(
                found,
                "{expected:?} is not in:\n{}\n{}",
                self.printed, self.said
            );
        }
    }
}

#[test]
fn help_has_examples() {
    let folder = Folder::with(&[]);
    for command in [&[][..], &["check"], &["explain"], &["test"], &["exclude"]] {
        let ended = folder.waf(&[command, &["--help"]].concat());
        assert_eq!((ended.code, &*ended.said), (0, ""), "{command:?}");
        assert!(
            ended.printed.contains("\n  palisade waf "),
            "{}",
            ended.printed
        );
    }
}

#[test]
fn wrong_usage_is_told_and_ends_with_2() {
    let folder = Folder::with(&[]);
    for arguments in [
        &[][..],
        &["walk"],
        &["check"],
        &["explain", "http://a.example/"],
        &["explain", "--rules", "a.conf"],
        &["explain", "--rules", "a.conf", "--raw", "a", "--data", "b"],
        &[
            "explain", "--rules", "a.conf", "--raw", "a", "--method", "b",
        ],
        &[
            "explain",
            "http://a/",
            "--rules",
            "a.conf",
            "--client",
            "nobody",
        ],
        &["test", "--rules", "a.conf"],
        &["test", "tests"],
        &["test", "tests", "--rules", "a.conf", "--only", "x"],
        &["test", "tests", "--rules", "a.conf", "--only", "1-x"],
        &["test", "tests", "--rules", "a.conf", "--jobs", "0"],
    ] {
        let ended = folder.waf(arguments);
        assert_eq!(ended.code, 2, "{arguments:?}: {ended:?}");
        let told = ended.printed.is_empty() && ended.said.contains("--help");
        assert!(told, "{arguments:?}: {ended:?}");
    }
}
