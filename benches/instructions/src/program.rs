//! Other programs, and what they print.

use std::process::{Command, Stdio};

use crate::error::Error;

/// What a program prints; its error output goes to ours.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Result<String, Error> {
    let command = Command::new(program)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output();
    let output = command.map_err(|error| Error::Program(program.to_owned(), error))?;
    if !output.status.success() {
        return Err(Error::Failed(program.to_owned(), output.status));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
