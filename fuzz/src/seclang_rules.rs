//! SecLang's rule files. Input: one. Files that it names hold what it holds, but for `other.conf`, which
//! has rules, and `none`, which isn't there.

use palisade_seclang::syntax::Problem;
use palisade_seclang::{CompileOptions, RuleFiles, SourceError, compile};

use crate::transaction::{Site, request};
use crate::{Outcome, check_message, prefix};

/// The file that the input is.
const MAIN: &str = "main.conf";
/// Longer ones take the fuzzer's time for what regex-automata does.
const BYTES_MAX: usize = 4 * 1024;

const REQUESTS: &[&[u8]] = &[
    b"GET /a/b.php?a=1&b=%27+or+1%3D1&c HTTP/1.1\r\nHost: a.example\r\nCookie: a=b; c=d\r\nUser-Agent: sqlmap\r\n\r\n",
    b"POST /a HTTP/1.1\r\nHost: a.example\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 17\r\n\r\na=<script>&b=%252",
    b"POST / HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 21\r\n\r\n{\"a\":[1,\"/etc/hosts\"]}",
    b"POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: 80\r\n\r\n--x\r\nContent-Disposition: form-data; name=\"a\"; filename=\"b.php\"\r\n\r\nc\r\n--x--\r\n",
];

/// What loads is run, with what spares work and without, which makes no difference; else there is an
/// error, with its place.
pub fn check(data: &[u8]) -> Outcome {
    let files = Files(prefix(data, BYTES_MAX));
    let [with, without] = [true, false].map(|is_sparing| {
        let options = CompileOptions {
            prefilter: is_sparing,
            fold: is_sparing,
            ..CompileOptions::default()
        };
        compile(&[MAIN], &files, options)
    });
    assert_eq!(with.problems.kept(), without.problems.kept());
    for problem in with.problems.kept() {
        check_problem(problem, &files);
    }
    assert!(with.program.is_some() != with.problems.has_errors());
    let (Some(with), Some(without)) = (with.program, without.program) else {
        return Outcome::Refused;
    };
    let (mut with, mut without) = (Site::new(with), Site::new(without));
    for bytes in REQUESTS {
        let request = request(bytes);
        assert_eq!(with.judge(&request), without.judge(&request));
    }
    Outcome::Accepted
}

fn check_problem(problem: &Problem, files: &Files<'_>) {
    check_message(&problem.to_string());
    let content = files.read(&problem.place.file).unwrap_or_default();
    let lines = content.iter().filter(|byte| **byte == b'\n').count() + 1;
    let line = usize::try_from(problem.place.line).unwrap_or(usize::MAX);
    assert!(line <= lines, "{problem}");
    let columns = content
        .split(|byte| *byte == b'\n')
        .nth(line.saturating_sub(1));
    let column = usize::try_from(problem.place.column).unwrap_or(usize::MAX);
    assert!(column <= columns.map_or(0, <[u8]>::len) + 1, "{problem}");
}

struct Files<'d>(&'d [u8]);

impl RuleFiles for Files<'_> {
    fn matching(&self, pattern: &str, _: Option<&str>) -> Result<Vec<String>, SourceError> {
        match pattern.contains('*') {
            true => Ok(vec!["other.conf".to_owned()]),
            false => Ok(vec![pattern.to_owned()]),
        }
    }

    fn read(&self, file: &str) -> Result<Vec<u8>, SourceError> {
        match file {
            MAIN => Ok(self.0.to_vec()),
            "other.conf" => Ok(b"SecRule ARGS other id:9999,phase:2,pass,tag:other\n".to_vec()),
            _ => Err(SourceError("there is no such file".to_owned())),
        }
    }

    fn data(&self, name: &str, _: &str) -> Result<Vec<u8>, SourceError> {
        match name {
            "none" => Err(SourceError("there is no such file".to_owned())),
            _ => Ok(self.0.to_vec()),
        }
    }
}
