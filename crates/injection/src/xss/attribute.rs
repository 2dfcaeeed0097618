//! Attributes whose values run scripts.

use std::cmp::Ordering;

use super::{is_without_nuls, url};

/// What an attribute does with its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Runs it, or what it leads to.
    Runs,
    /// Follows it as a URL.
    Url,
    /// Takes it for the name of another attribute.
    Names,
}

/// Whether an attribute with this value is dangerous.
pub(super) fn runs_scripts(name: &[u8], value: &[u8]) -> bool {
    match role(name) {
        None => false,
        Some(Role::Runs) => true,
        Some(Role::Url) => url::runs_scripts(value),
        Some(Role::Names) => role(value).is_some(),
    }
}

/// `None`: nothing dangerous.
fn role(name: &[u8]) -> Option<Role> {
    if name.len() < 2 {
        return None;
    }
    if let [b'o' | b'O', b'n' | b'N', event @ ..] = name
        && begins_with_event(event)
    {
        return Some(Role::Runs);
    }
    let begin = name.get(..5).unwrap_or_default();
    if begin.eq_ignore_ascii_case(b"XMLNS") || begin.eq_ignore_ascii_case(b"XLINK") {
        return Some(Role::Runs);
    }
    let initial = name.iter().find(|byte| **byte != 0)?.to_ascii_uppercase();
    let mut known = ROLES
        .iter()
        .filter(|(known, _)| known.first() == Some(&initial));
    let (_, role) = known.find(|(known, _)| is_without_nuls(name, known))?;
    Some(*role)
}

const ROLES: [(&[u8], Role); 20] = [
    (b"ACTION", Role::Url),
    (b"ATTRIBUTENAME", Role::Names),
    (b"BACKGROUND", Role::Url),
    (b"BY", Role::Url),
    (b"DATAFORMATAS", Role::Runs),
    (b"DATASRC", Role::Runs),
    (b"DYNSRC", Role::Url),
    (b"FILTER", Role::Runs),
    (b"FOLDER", Role::Url),
    (b"FORMACTION", Role::Url),
    (b"FROM", Role::Url),
    (b"HANDLER", Role::Url),
    (b"HREF", Role::Url),
    (b"LOWSRC", Role::Url),
    (b"POSTER", Role::Url),
    (b"SRC", Role::Url),
    (b"STYLE", Role::Runs),
    (b"TO", Role::Url),
    (b"VALUES", Role::Url),
    (b"XLINK:HREF", Role::Url),
];

/// Whether `name` begins with that of an event.
fn begins_with_event(name: &[u8]) -> bool {
    let behind = EVENTS.partition_point(|event| compare(event, name) != Ordering::Greater);
    let event = behind.checked_sub(1).and_then(|at| EVENTS.get(at));
    event.is_some_and(|event| {
        let begin = name.get(..event.len()).unwrap_or_default();
        begin.eq_ignore_ascii_case(event)
    })
}

/// Compares an event with a name in any case.
fn compare(event: &[u8], name: &[u8]) -> Ordering {
    let letters = name.iter().map(u8::to_ascii_uppercase);
    event.iter().copied().cmp(letters)
}

const DATA: &[u8] = include_bytes!("../../data/events");

/// In order; those that begin with another are left out, so that what a name begins with is the last
/// one that is not behind it.
static EVENTS: [&[u8]; COUNT] = events();

const COUNT: usize = {
    let mut count = 0;
    let mut previous: &[u8] = b"";
    let mut rest = DATA;
    while let Some((event, behind)) = next_event(rest, previous) {
        count += 1;
        previous = event;
        rest = behind;
    }
    count
};

#[expect(
    clippy::indexing_slicing,
    reason = "when compiled, where an index out of bounds is an error of the compiler"
)]
const fn events() -> [&'static [u8]; COUNT] {
    let mut events = [DATA; COUNT];
    let mut at = 0;
    let mut previous: &[u8] = b"";
    let mut rest = DATA;
    while let Some((event, behind)) = next_event(rest, previous) {
        events[at] = event;
        at += 1;
        previous = event;
        rest = behind;
    }
    events
}

/// The first line of `rest` that doesn't begin with `previous`, and what is behind it.
const fn next_event<'a>(mut rest: &'a [u8], previous: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    loop {
        let mut len = 0;
        while let (_, [byte, ..]) = rest.split_at(len)
            && *byte != b'\n'
        {
            len += 1;
        }
        let (event, behind) = rest.split_at(len);
        let [_, behind @ ..] = behind else {
            return None;
        };
        if previous.is_empty() || !begins_with(event, previous) {
            return Some((event, behind));
        }
        rest = behind;
    }
}

const fn begins_with(mut text: &[u8], mut begin: &[u8]) -> bool {
    while let ([letter, others @ ..], [expected, rest @ ..]) = (text, begin)
        && *letter == *expected
    {
        (text, begin) = (others, rest);
    }
    begin.is_empty()
}
