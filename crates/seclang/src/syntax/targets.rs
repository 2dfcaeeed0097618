//! What a rule looks at: `ARGS|!ARGS:id|&TX:score|REQUEST_COOKIES:/^_ga/`.

use super::variable_name::{UNAVAILABLE, VariableName};

/// The most targets of one rule.
const TARGETS_MAX: usize = 256;

/// One target of a rule.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Target {
    /// The variable.
    pub name: VariableName,
    /// Which of its members; all of them without.
    pub selector: Option<Selector>,
    /// Whether it is looked at, counted, or left out.
    pub use_: TargetUse,
}

/// What a rule does with a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TargetUse {
    /// `ARGS`: looks at each member.
    Values,
    /// `&ARGS`: looks at how many there are.
    Count,
    /// `!ARGS:id`: leaves it out of what the other targets name.
    Exclude,
}

/// Which members of a collection.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Selector {
    /// The one of this name, whatever its case.
    Name(Vec<u8>),
    /// Those whose name this expression finds, whatever their case.
    Regex(Vec<u8>),
    /// `XML:/*`, `XML://@*`.
    Path(Vec<u8>),
}

/// What is wrong, and at which byte of the text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) at: usize,
    pub(super) message: String,
}

pub(super) fn wrong(at: usize, message: impl Into<String>) -> Wrong {
    Wrong {
        at,
        message: message.into(),
    }
}

/// Targets, separated by `|` or, as in `SecRuleUpdateTargetById`, by `,`.
pub(super) fn targets(text: &[u8]) -> Result<Vec<Target>, Wrong> {
    let mut targets = Vec::new();
    let mut at = 0;
    loop {
        if targets.len() == TARGETS_MAX {
            return Err(wrong(at, format!("more than {TARGETS_MAX} targets")));
        }
        let (target, end) = target(text, at)?;
        targets.push(target);
        match text.get(end) {
            None => return Ok(targets),
            Some(b'|' | b',') => at = end + 1,
            Some(_) => return Err(wrong(end, "expected `|` and another target, or the end")),
        }
    }
}

/// The target that begins there, and where it has ended.
fn target(text: &[u8], begins: usize) -> Result<(Target, usize), Wrong> {
    let begins = begins + spaces(text, begins);
    let use_ = match text.get(begins) {
        Some(b'!') => TargetUse::Exclude,
        Some(b'&') => TargetUse::Count,
        _ => TargetUse::Values,
    };
    let named_at = begins + usize::from(use_ != TargetUse::Values);
    let rest = text.get(named_at..).unwrap_or_default();
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
    let len = rest.iter().take_while(|byte| is_name(byte)).count();
    let name = variable(rest.get(..len).unwrap_or_default(), named_at)?;
    let end = named_at + len;
    let (selector, end) = match text.get(end) {
        Some(b':') => {
            if !name.is_collection() {
                let message = format!("{} has no members to choose from", name.as_str());
                return Err(wrong(end, message));
            }
            let (selector, end) = selector(text, end + 1, name)?;
            (Some(selector), end)
        }
        _ => (None, end),
    };
    let end = end + spaces(text, end);
    Ok((
        Target {
            name,
            selector,
            use_,
        },
        end,
    ))
}

fn variable(name: &[u8], at: usize) -> Result<VariableName, Wrong> {
    if name.is_empty() {
        return Err(wrong(at, "expected the name of a variable, like ARGS"));
    }
    VariableName::named(name).ok_or_else(|| {
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        let why = UNAVAILABLE
            .iter()
            .find(|(unavailable, _)| *unavailable == name);
        wrong(
            at,
            match why {
                Some((name, why)) => format!("{name} can't be had here: {why}"),
                None => format!("there is no variable {name}"),
            },
        )
    })
}

fn spaces(text: &[u8], at: usize) -> usize {
    let rest = text.get(at..).unwrap_or_default();
    rest.iter()
        .take_while(|byte| byte.is_ascii_whitespace())
        .count()
}

/// What follows the colon: a name up to the next `|` or `,`, something in `'`, or `/.../`.
fn selector(text: &[u8], begins: usize, name: VariableName) -> Result<(Selector, usize), Wrong> {
    let (written, end) = match text.get(begins) {
        Some(b'\'') => quoted(text, begins)?,
        // An XPath has slashes of its own.
        Some(b'/') if name != VariableName::Xml => slashed(text, begins)?,
        _ => {
            let rest = text.get(begins..).unwrap_or_default();
            let is_end = |byte: &u8| matches!(byte, b'|' | b',');
            let len = rest.iter().position(is_end).unwrap_or(rest.len());
            let plain = rest.get(..len).unwrap_or_default();
            (plain.trim_ascii_end().to_vec(), begins + len)
        }
    };
    if written.is_empty() {
        return Err(wrong(
            begins,
            "expected which member is meant, behind the colon",
        ));
    }
    if name == VariableName::Xml {
        return match &*written {
            b"/*" | b"//@*" => Ok((Selector::Path(written), end)),
            other => {
                let other = String::from_utf8_lossy(other);
                let message = format!(
                    "{other} can't be looked up in XML; expected /* (its text) or //@* (its attributes)"
                );
                Err(wrong(begins, message))
            }
        };
    }
    let regex = written
        .strip_prefix(b"/")
        .and_then(|rest| rest.strip_suffix(b"/"));
    match regex {
        Some(regex) if !regex.is_empty() => Ok((Selector::Regex(regex.to_vec()), end)),
        _ => Ok((Selector::Name(written), end)),
    }
}

/// `'...'`, in which `\'` is a quote.
fn quoted(text: &[u8], begins: usize) -> Result<(Vec<u8>, usize), Wrong> {
    let mut written = Vec::new();
    let mut at = begins + 1;
    loop {
        match (text.get(at), text.get(at + 1)) {
            (None, _) => return Err(wrong(begins, "the quote isn't closed")),
            (Some(b'\\'), Some(b'\'')) => {
                written.push(b'\'');
                at += 2;
            }
            (Some(b'\''), _) => return Ok((written, at + 1)),
            (Some(byte), _) => {
                written.push(*byte);
                at += 1;
            }
        }
    }
}

/// `/.../`, in which `\/` is a slash: it ends where another target may begin.
fn slashed(text: &[u8], begins: usize) -> Result<(Vec<u8>, usize), Wrong> {
    let mut at = begins + 1;
    loop {
        match (text.get(at), text.get(at + 1)) {
            (None, _) => return Err(wrong(begins, "the expression isn't closed by a slash")),
            (Some(b'\\'), Some(_)) => at += 2,
            (Some(b'/'), None | Some(b'|' | b',')) => {
                let written = text.get(begins..=at).unwrap_or_default();
                return Ok((written.to_vec(), at + 1));
            }
            (Some(_), _) => at += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TargetUse::{Count, Exclude, Values};

    fn target(name: VariableName, selector: Option<Selector>, use_: TargetUse) -> Target {
        Target {
            name,
            selector,
            use_,
        }
    }

    fn named(name: &str) -> Option<Selector> {
        Some(Selector::Name(name.into()))
    }

    fn regex(pattern: &str) -> Option<Selector> {
        Some(Selector::Regex(pattern.into()))
    }

    #[track_caller]
    fn check(text: &str, expected: &[Target]) {
        assert_eq!(targets(text.as_bytes()).as_deref(), Ok(expected), "{text}");
    }

    #[test]
    fn names_selectors_counts_and_exclusions() {
        use VariableName::{Args, ArgsNames, RequestCookies, RequestHeaders, Tx, Xml};
        check("ARGS", &[target(Args, None, Values)]);
        check(
            "ARGS|!ARGS:id|&tx:Score",
            &[
                target(Args, None, Values),
                target(Args, named("id"), Exclude),
                target(Tx, named("Score"), Count),
            ],
        );
        check(
            "REQUEST_HEADERS:User-Agent | REQUEST_COOKIES:/__utm/",
            &[
                target(RequestHeaders, named("User-Agent"), Values),
                target(RequestCookies, regex("__utm"), Values),
            ],
        );
        check(
            r"!ARGS_NAMES:/^[\w]+\[a|b\]\/$/|XML:/*|XML://@*",
            &[
                target(ArgsNames, regex(r"^[\w]+\[a|b\]\/$"), Exclude),
                target(Xml, Some(Selector::Path("/*".into())), Values),
                target(Xml, Some(Selector::Path("//@*".into())), Values),
            ],
        );
        check(
            r"ARGS:'a|b\'c',ARGS:'/x|y/'",
            &[
                target(Args, named("a|b'c"), Values),
                target(Args, regex("x|y"), Values),
            ],
        );
    }

    #[test]
    fn what_is_no_target() {
        #[track_caller]
        fn check(text: &str, at: usize, message: &str) {
            assert_eq!(targets(text.as_bytes()), Err(wrong(at, message)), "{text}");
        }
        check("", 0, "expected the name of a variable, like ARGS");
        check("ARGS|", 5, "expected the name of a variable, like ARGS");
        check("ARGS|argz", 5, "there is no variable ARGZ");
        check(
            "ARGS ARGS",
            5,
            "expected `|` and another target, or the end",
        );
        check(
            "ARGS:",
            5,
            "expected which member is meant, behind the colon",
        );
        check("ARGS:'a", 5, "the quote isn't closed");
        check("ARGS:/a", 5, "the expression isn't closed by a slash");
        check(
            "REMOTE_ADDR:x",
            11,
            "REMOTE_ADDR has no members to choose from",
        );
        check(
            "XML:/a/b",
            4,
            "/a/b can't be looked up in XML; expected /* (its text) or //@* (its attributes)",
        );
        check(
            "SCRIPT_UID",
            0,
            "SCRIPT_UID can't be had here: a proxy runs no scripts",
        );
        let many = ["ARGS"; 257].join("|");
        check(&many, 1280, "more than 256 targets");
    }
}
