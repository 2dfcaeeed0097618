//! Counting: the benchmarks are run by gungraun, one process each under callgrind.

use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::baseline::Counts;
use crate::error::Error;

/// Runs a suite, which is a bench target of this package, and gives what each benchmark took: all, or those of
/// one group.
pub(crate) fn count(suite: &str, group: Option<&str>, output: &Path) -> Result<Counts, Error> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(&cargo);
    command
        .args(["bench", "--quiet", "--profile", "instructions"])
        .args(["-p", env!("CARGO_PKG_NAME"), "--bench", suite, "--"])
        .args(["--output-format=json", "--parallel=auto", "--home"])
        .arg(output)
        .args(group.map(|group| format!("{suite}::{group}::*")))
        .stderr(Stdio::inherit());
    let run = command.output();
    let run = run.map_err(|error| Error::Program(cargo, error))?;
    let summaries = String::from_utf8_lossy(&run.stdout);
    if !run.status.success() {
        return Err(Error::Failed(format!("the suite {suite}"), run.status));
    }
    let counts: Counts = summaries.lines().map(counted).collect::<Result<_, _>>()?;
    if counts.is_empty() {
        return Err(Error::NothingCounted(format!("the suite {suite}")));
    }
    Ok(counts)
}

/// The name of a benchmark, `group::function.id`, and its instructions, from gungraun's summary of it.
fn counted(summary: &str) -> Result<(String, u64), Error> {
    let not_understood = || Error::Summary(summary.chars().take(200).collect());
    let value: Value = serde_json::from_str(summary).map_err(|_| not_understood())?;
    let path = value.get("module_path").and_then(Value::as_str);
    let (_suite, path) = path
        .and_then(|path| path.split_once("::"))
        .ok_or_else(not_understood)?;
    let name = match value.get("id").and_then(Value::as_str) {
        Some(id) => format!("{path}.{id}"),
        None => path.to_owned(),
    };
    let profiles = value.get("profiles").and_then(Value::as_array);
    let callgrind = profiles
        .into_iter()
        .flatten()
        .find(|profile| profile.get("tool").and_then(Value::as_str) == Some("Callgrind"));
    let instructions = callgrind
        .and_then(|profile| profile.pointer("/data/total/metrics/Ir/values/new"))
        .and_then(Value::as_u64)
        .ok_or_else(not_understood)?;
    match instructions {
        0 => Err(Error::NothingCounted(name)),
        _ => Ok((name, instructions)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(summary: &str, expected: Result<(&str, u64), &str>) {
        let counted = counted(summary).map_err(|error| error.to_string());
        let expected = expected.map(|(name, count)| (name.to_owned(), count));
        match (counted, expected) {
            (Err(message), Err(part)) => assert!(message.contains(part), "{message}"),
            (counted, expected) => assert_eq!(counted, expected.map_err(str::to_owned)),
        }
    }

    /// What gungraun 0.20 writes, in what is read of it.
    fn summary(id: &str, tool: &str, values: &str) -> String {
        format!(
            r#"{{"group":"access","module_path":"hot::access::evaluate"{id},"profiles":[{{"data":{{"parts":[],"total":{{"metrics":{{"Ir":{{"values":{values}}}}},"regressions":[]}}}},"tool":"{tool}"}}],"version":"7"}}"#
        )
    }

    #[test]
    fn a_benchmark_is_its_group_function_and_id() {
        let id = r#","id":"shipped""#;
        check(
            &summary(id, "Callgrind", r#"{"new":694176}"#),
            Ok(("access::evaluate.shipped", 694_176)),
        );
        check(
            &summary("", "Callgrind", r#"{"new":7,"old":9}"#),
            Ok(("access::evaluate", 7)),
        );
    }

    #[test]
    fn a_summary_without_a_count_is_an_error() {
        check("", Err("isn't understood"));
        check(
            &summary("", "DHAT", r#"{"new":7}"#),
            Err("isn't understood"),
        );
        check(
            &summary("", "Callgrind", r#"{"old":7}"#),
            Err("isn't understood"),
        );
        check(
            &summary("", "Callgrind", r#"{"new":0}"#),
            Err("nothing was counted"),
        );
    }
}
