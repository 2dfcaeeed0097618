//! The part of Go's templates that tests use: `{{ "x" }}`, `{{ "x" | repeat 3 }}`, `{{ repeat 3 "x" }}`.

/// The most bytes that a template gives.
pub const TEMPLATE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What can't be expanded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum TemplateError {
    #[error("`{{{{` has no `}}}}`")]
    Unclosed,
    #[error("a text in a template has no end, or an escape that is not known")]
    BadText,
    #[error("the template {} is not known; expected a text, or `repeat` with a number and a text", palisade_yaml::quoted(.0))]
    Unknown(String),
    #[error("the template gives more than {TEMPLATE_BYTES_MAX} bytes")]
    TooLong,
}

/// `text` with its templates replaced.
pub(super) fn expand(text: &str) -> Result<Vec<u8>, TemplateError> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let (action, after) = split_action(after)?;
        out.extend_from_slice(before.as_bytes());
        let (action, trims_before) = strip_trim_start(action);
        let (action, trims_after) = strip_trim_end(action);
        if trims_before {
            out.truncate(out.trim_ascii_end().len());
        }
        evaluate(action.trim_ascii(), &mut out)?;
        rest = if trims_after {
            after.trim_ascii_start()
        } else {
            after
        };
    }
    push(rest.as_bytes(), &mut out)?;
    Ok(out)
}

/// What is between `{{` and the `}}` that ends it, which one within a text doesn't.
fn split_action(text: &str) -> Result<(&str, &str), TemplateError> {
    let (mut in_text, mut is_escaped) = (false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if in_text => is_escaped = true,
            b'"' => in_text = !in_text,
            b'}' if !in_text => {
                let (action, after) = text.split_at_checked(index).unwrap_or((text, ""));
                if let Some(after) = after.strip_prefix("}}") {
                    return Ok((action, after));
                }
            }
            _ => {}
        }
    }
    Err(TemplateError::Unclosed)
}

/// `{{- ` takes the white space before it away.
fn strip_trim_start(action: &str) -> (&str, bool) {
    match action.strip_prefix('-') {
        Some(inner) if inner.starts_with(|c: char| c.is_ascii_whitespace()) => (inner, true),
        _ => (action, false),
    }
}

/// ` -}}` takes the white space behind it away.
fn strip_trim_end(action: &str) -> (&str, bool) {
    match action.strip_suffix('-') {
        Some(inner) if inner.ends_with(|c: char| c.is_ascii_whitespace()) => (inner, true),
        _ => (action, false),
    }
}

fn evaluate(action: &str, out: &mut Vec<u8>) -> Result<(), TemplateError> {
    let unknown = || TemplateError::Unknown(action.to_owned());
    if let Some(argument) = action.strip_prefix("repeat ") {
        let (times, text) = argument
            .trim_ascii_start()
            .split_once(|c: char| c.is_ascii_whitespace())
            .ok_or_else(unknown)?;
        let (text, rest) = read_text(text.trim_ascii_start(), &unknown)?;
        if !rest.is_empty() {
            return Err(unknown());
        }
        return repeat(&text, times.parse().map_err(|_| unknown())?, out);
    }
    let (text, rest) = read_text(action, &unknown)?;
    let rest = rest.trim_ascii_start();
    if rest.is_empty() {
        return push(&text, out);
    }
    let times = rest
        .strip_prefix('|')
        .and_then(|call| call.trim_ascii_start().strip_prefix("repeat "))
        .and_then(|times| times.trim_ascii().parse().ok())
        .ok_or_else(unknown)?;
    repeat(&text, times, out)
}

/// The text in quotes at the beginning of `source`, and what is behind it.
fn read_text<'s>(
    source: &'s str,
    unknown: &dyn Fn() -> TemplateError,
) -> Result<(Vec<u8>, &'s str), TemplateError> {
    let inner = source.strip_prefix('"').ok_or_else(unknown)?;
    let mut text = Vec::new();
    let mut characters = inner.chars();
    loop {
        match characters.next().ok_or(TemplateError::BadText)? {
            '"' => return Ok((text, characters.as_str())),
            '\\' => text.push(read_escape(&mut characters).ok_or(TemplateError::BadText)?),
            character => text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

fn read_escape(characters: &mut std::str::Chars<'_>) -> Option<u8> {
    Some(match characters.next()? {
        'n' => b'\n',
        'r' => b'\r',
        't' => b'\t',
        '\\' => b'\\',
        '"' => b'"',
        'x' => {
            let high = characters.next()?.to_digit(16)?;
            let low = characters.next()?.to_digit(16)?;
            u8::try_from(high * 16 + low).ok()?
        }
        _ => return None,
    })
}

fn repeat(text: &[u8], times: usize, out: &mut Vec<u8>) -> Result<(), TemplateError> {
    let len = text.len().checked_mul(times);
    if len.is_none_or(|len| len > TEMPLATE_BYTES_MAX) {
        return Err(TemplateError::TooLong);
    }
    push(&text.repeat(times), out)
}

fn push(text: &[u8], out: &mut Vec<u8>) -> Result<(), TemplateError> {
    if out.len().saturating_add(text.len()) > TEMPLATE_BYTES_MAX {
        return Err(TemplateError::TooLong);
    }
    out.extend_from_slice(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(text: &str, expected: Result<&str, TemplateError>) {
        let expected = expected.map(|text| text.as_bytes().to_vec());
        assert_eq!(expand(text), expected, "{text}");
    }

    #[test]
    fn texts_and_repetitions() {
        check("a=b", Ok("a=b"));
        check("a={{ \"+\" | repeat 3 }}&b", Ok("a=+++&b"));
        check("{{repeat 2 \"ab\"}}{{ \"}}\" }}", Ok("abab}}"));
        check(r#"{{ "\x41\"\n" }}"#, Ok("A\"\n"));
        check("a {{- \"b\" -}} c", Ok("abc"));
        check("{{ \"a\" | repeat 0 }}", Ok(""));
        check("a } } { {b", Ok("a } } { {b"));
    }

    #[test]
    fn what_is_not_known_is_an_error() {
        let unknown = |action: &str| Err(TemplateError::Unknown(action.to_owned()));
        check("{{ env \"HOME\" }}", unknown("env \"HOME\""));
        check("{{ \"a\" | upper }}", unknown("\"a\" | upper"));
        check("{{ \"a\" | repeat -1 }}", unknown("\"a\" | repeat -1"));
        check("{{ 7*7 }}", unknown("7*7"));
        check("{{", Err(TemplateError::Unclosed));
        check("{{ \"a }}", Err(TemplateError::Unclosed));
        check(r#"{{ "\q" }}"#, Err(TemplateError::BadText));
        check("{{ \"ab\" | repeat 4000000 }}", Err(TemplateError::TooLong));
        let twice = "{{ \"a\" | repeat 4000000 }}".repeat(2);
        check(&twice, Err(TemplateError::TooLong));
    }

    proptest! {
        #[test]
        fn any_text_is_answered(text in "(\\{\\{|\\}\\}|[a-c\"\\\\| 0-9-]|repeat |é){0,30}") {
            let _ = expand(&text);
        }
    }
}
