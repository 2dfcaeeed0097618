//! `${NAME}` and `${NAME-default}` in values.
//!
//! Values are replaced after the file has been parsed, so that what a variable holds can't change
//! the file's shape. `$${` stands for `${` itself. A variable that is set but empty is empty: the
//! default is for a variable that is not set (as in POSIX shells, `${NAME-default}`).

use std::borrow::Cow;

/// The longest text after replacement, in bytes.
const EXPANDED_LEN_MAX: usize = 64 * 1024;

/// Why a text can't be replaced.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EnvironmentError {
    /// A variable that is neither set nor has a default.
    #[error("the environment variable {0} is not set; set it or give a default: ${{{0}-value}}")]
    Unset(String),
    /// `${` without `}`.
    #[error(
        "\"${{\" without \"}}\"; write ${{NAME}} or ${{NAME-default}}, or $${{ for the characters themselves"
    )]
    Unterminated,
    /// What stands in the braces is no name.
    #[error("{} is not the name of an environment variable; expected letters, digits and _, or $${{ for the characters themselves", crate::problem::quoted(.0))]
    Name(String),
    /// More text than a value may have.
    #[error("the value is longer than {EXPANDED_LEN_MAX} bytes once its variables are replaced")]
    TooLong,
}

/// `text` with its variables replaced; `lookup` gives what a variable holds.
///
/// # Errors
/// See [`EnvironmentError`].
pub(crate) fn expand<'t>(
    text: &'t str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Cow<'t, str>, EnvironmentError> {
    if !text.contains("${") {
        return Ok(Cow::Borrowed(text));
    }
    let mut expanded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(escaped) = before.strip_suffix('$') {
            expanded.push_str(escaped);
            expanded.push_str("${");
            rest = after;
        } else {
            let (variable, behind) = after
                .split_once('}')
                .ok_or(EnvironmentError::Unterminated)?;
            expanded.push_str(before);
            expanded.push_str(&value_of(variable, lookup)?);
            rest = behind;
        }
        if expanded.len() > EXPANDED_LEN_MAX {
            return Err(EnvironmentError::TooLong);
        }
    }
    expanded.push_str(rest);
    Ok(Cow::Owned(expanded))
}

fn value_of(
    variable: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<String, EnvironmentError> {
    let (name, default) = match variable.split_once('-') {
        Some((name, default)) => (name, Some(default)),
        None => (variable, None),
    };
    let valid = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.bytes().all(valid)
    {
        return Err(EnvironmentError::Name(name.to_owned()));
    }
    lookup(name)
        .or_else(|| default.map(str::to_owned))
        .ok_or_else(|| EnvironmentError::Unset(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lookup(name: &str) -> Option<String> {
        match name {
            "A" => Some("one".to_owned()),
            "EMPTY" => Some(String::new()),
            "TRICKY" => Some("${A}: [".to_owned()),
            "LONG" => Some("x".repeat(EXPANDED_LEN_MAX)),
            _ => None,
        }
    }

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let got = match expand(text, &lookup) {
            Ok(text) => text.into_owned(),
            Err(error) => format!("error: {error}"),
        };
        assert_eq!(got, expected, "{text}");
    }

    #[test]
    fn variables_are_replaced() {
        check("plain $ {x} $list foo$", "plain $ {x} $list foo$");
        check("${A}", "one");
        check("a${A}b${A}c", "aonebonec");
        check("${NONE-two}", "two");
        check("${NONE-}", "");
        check("${NONE-a-b}", "a-b");
        check("${EMPTY-two}", "");
    }

    #[test]
    fn what_a_variable_holds_is_not_read_again() {
        check("${TRICKY}", "${A}: [");
    }

    #[test]
    fn dollars_can_be_written() {
        check("$${A}", "${A}");
        check("$$${A}", "$${A}");
        check("x$${A}-${A}", "x${A}-one");
    }

    #[test]
    fn faults_say_how_to_mend() {
        check(
            "${NONE}",
            "error: the environment variable NONE is not set; set it or give a default: ${NONE-value}",
        );
        check(
            "a ${A",
            "error: \"${\" without \"}\"; write ${NAME} or ${NAME-default}, or $${ for the characters themselves",
        );
        for bad in ["${}", "${1A}", "${A B}", "${A:-x}"] {
            assert!(
                matches!(expand(bad, &lookup), Err(EnvironmentError::Name(_))),
                "{bad}"
            );
        }
        check(
            "${LONG}${A}${A}",
            "error: the value is longer than 65536 bytes once its variables are replaced",
        );
    }

    proptest! {
        #[test]
        fn texts_never_panic(text in "(\\$|\\{|\\}|-|A|é){0,30}") {
            let _ = expand(&text, &lookup);
        }
    }
}
