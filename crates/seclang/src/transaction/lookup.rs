//! Values of variables.

use palisade_body::MultipartFlags;

use super::arena::Span;
use super::matched::{Member, Name, Text};
use super::state::{Entry, Kind, State, kinds};
use super::strings::{StringId, Strings};
use super::worker::Clock;
use crate::operators::OperatorCache;
use crate::program::{Exclusion, Pick, Program};
use crate::syntax::VariableName;

/// A value of a variable that changes while rules run.
#[derive(Clone, Copy, Debug)]
pub(super) struct MovingValue {
    pub(super) name: Name,
    pub(super) text: Text,
    /// Where it is known as a number.
    pub(super) integer: Option<i64>,
}

/// What time it is, in seconds since 1970, and how many microseconds the transaction has taken.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) unix_seconds: u64,
    pub(super) duration_micros: u64,
}

impl Moment {
    /// This moment of a transaction that began at `started_micros` since 1970.
    pub(super) fn now(clock: Clock, started_micros: u64) -> Self {
        let now = clock();
        let micros = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        Self {
            unix_seconds: now.as_secs(),
            duration_micros: micros.saturating_sub(started_micros),
        }
    }
}

/// By which name XML's text is left out.
pub(super) const XML_TEXT: &[u8] = b"/*";
/// By which name attributes of XML are left out.
pub(super) const XML_ATTRIBUTES: &[u8] = b"//@*";

/// Whether a member is among those that `pick` means.
pub(super) fn picks(pick: &Pick, name: &[u8], caches: &mut [OperatorCache]) -> bool {
    match pick {
        Pick::All => true,
        Pick::Name(lower) => name.eq_ignore_ascii_case(lower),
        Pick::Regex(rx, cache) => {
            let cache = caches.get_mut(*cache as usize);
            cache.is_some_and(|cache| rx.is_match(name, cache))
        }
        Pick::XmlText => name == XML_TEXT,
        Pick::XmlAttributes => name == XML_ATTRIBUTES,
        // Of `TX` it is asked by slot.
        Pick::Slot(_) => false,
    }
}

/// Whether any of `exclusions` is for a member.
pub(super) fn is_excluded(
    exclusions: &[Exclusion],
    variable: VariableName,
    member: &[u8],
    caches: &mut [OperatorCache],
) -> bool {
    let mut exclusions = exclusions.iter();
    exclusions.any(|exclusion| exclusion.name == variable && picks(&exclusion.pick, member, caches))
}

/// The first field of the answer of that name, which is in lower case.
pub(super) fn response_header(state: &State, lower: &[u8]) -> Option<Span> {
    let mut fields = state.entries(Kind::ResponseHeaders).iter();
    fields
        .find(|entry| state.arena.get(entry.name).eq_ignore_ascii_case(lower))
        .map(|entry| entry.value)
}

/// The collections that `XML` has, by path.
pub(super) fn xml_kind(pick: &Pick) -> Kind {
    match pick {
        Pick::XmlAttributes => Kind::XmlAttributes,
        _ => Kind::XmlText,
    }
}

/// The first member of a collection, or the first of a name in lower case.
pub(super) fn first_member<'s>(
    state: &'s State,
    name: VariableName,
    lower: Option<&[u8]>,
) -> Option<&'s [u8]> {
    let (kinds, is_name) = kinds(name)?;
    let mut entries = kinds.iter().flat_map(|kind| state.entries(*kind));
    let is_it = |entry: &&Entry| {
        lower.is_none_or(|lower| state.arena.get(entry.name).eq_ignore_ascii_case(lower))
    };
    let entry = entries.find(is_it)?;
    let span = if is_name { entry.name } else { entry.value };
    Some(state.arena.get(span))
}

/// The part of the arena that has the value already.
enum Stored {
    Here(Option<Span>),
    Computed,
}

fn stored(state: &State, name: VariableName) -> Stored {
    use VariableName as V;
    let request = &state.request;
    Stored::Here(match name {
        V::RequestLine => Some(request.line),
        V::RequestMethod => Some(request.method),
        V::RequestProtocol => Some(request.protocol),
        V::RequestUriRaw => Some(request.target),
        V::RequestUri => Some(request.uri),
        V::RequestFilename => Some(request.path),
        V::RequestBasename => Some(request.basename),
        V::QueryString => request.query,
        V::RequestBody => request.body,
        V::ServerName => request.server_name,
        V::RemoteAddr | V::RemoteHost => Some(state.connection.client_address),
        V::RemotePort => Some(state.connection.client_port),
        V::ServerAddr => Some(state.connection.server_address),
        V::ServerPort => Some(state.connection.server_port),
        V::UniqueId => Some(state.connection.unique_id),
        V::ResponseBody => state.response.body,
        V::ResponseProtocol => state.response.status.map(|_| state.response.protocol),
        V::StatusLine => state.response.status.map(|_| state.response.line),
        V::ResponseContentType => response_header(state, b"content-type"),
        V::ResponseContentLength => response_header(state, b"content-length"),
        _ => return Stored::Computed,
    })
}

/// The value of a variable that is no collection; `None` where there is none.
pub(super) fn scalar(
    program: &Program,
    state: &mut State,
    strings: &Strings,
    moment: impl FnOnce() -> Moment,
    name: VariableName,
    out: &mut Vec<u8>,
) -> Option<Span> {
    match stored(state, name) {
        Stored::Here(span) => span,
        Stored::Computed => {
            out.clear();
            let is_there = append_computed(program, state, strings, moment, name, out);
            is_there.then(|| state.arena.push(out))
        }
    }
}

/// Appends the value of a variable that is no collection, at most `bytes_max` of it.
pub(super) fn append_scalar(
    program: &Program,
    state: &State,
    strings: &Strings,
    moment: impl FnOnce() -> Moment,
    name: VariableName,
    bytes_max: usize,
    out: &mut Vec<u8>,
) {
    match stored(state, name) {
        Stored::Here(Some(span)) => append(state.arena.get(span), bytes_max, out),
        Stored::Here(None) => {}
        Stored::Computed => {
            append_computed(program, state, strings, moment, name, out);
        }
    }
}

pub(super) fn append(text: &[u8], bytes_max: usize, out: &mut Vec<u8>) {
    out.extend_from_slice(text.get(..bytes_max).unwrap_or(text));
}

fn append_computed(
    program: &Program,
    state: &State,
    strings: &Strings,
    moment: impl FnOnce() -> Moment,
    name: VariableName,
    out: &mut Vec<u8>,
) -> bool {
    use VariableName as V;
    if let Some(number) = number(state, name) {
        let mut buffer = itoa::Buffer::new();
        out.extend_from_slice(buffer.format(number).as_bytes());
        return true;
    }
    match name {
        V::ReqbodyProcessor => {
            let processor = state.controls.processor;
            out.extend_from_slice(processor.map_or("", |one| one.name()).as_bytes());
        }
        V::ReqbodyErrorMsg | V::ReqbodyProcessorErrorMsg => {
            use std::io::Write;
            if let Some(error) = state.body_outcome.error {
                let _ = write!(out, "{error}");
            }
        }
        V::MatchedVar | V::MatchedVarName => {
            let Some(matched) = state.matched.last() else {
                return false;
            };
            match (name, matched.value) {
                (V::MatchedVarName, _) => matched.name.append_to(program, &state.arena, out),
                (_, Text::Arena(span)) => out.extend_from_slice(state.arena.get(span)),
                (_, Text::String(id)) => out.extend_from_slice(strings.get(id)),
            }
        }
        V::FullRequest => append_full_request(state, out),
        V::WebAppId => out.extend_from_slice(&program.settings.web_app_id),
        V::ModsecBuild => out.extend_from_slice(b"020907000"),
        V::PathInfo => return false,
        V::AuthType | V::RemoteUser => return super::credentials::append(state, name, out),
        V::UserId | V::SessionId => return super::records::append_key(state, name, out),
        _ => return super::time_of_day::append(name, moment(), out),
    }
    true
}

/// The value of a variable that is a number.
fn number(state: &State, name: VariableName) -> Option<u64> {
    use VariableName as V;
    let flags = state.body_outcome.multipart;
    let flag = |flag: MultipartFlags| Some(u64::from(flags.contains(flag)));
    match name {
        V::ArgsCombinedSize => Some(arguments_len(state)),
        V::FilesCombinedSize => u64::try_from(state.request.files_len).ok(),
        V::RequestBodyLength => u64::try_from(state.request.body_len).ok(),
        V::FullRequestLength => Some(full_request_len(state)),
        V::ResponseStatus => state.response.status.map(u64::from),
        V::HighestSeverity => Some(u64::from(state.highest_severity)),
        V::InboundDataError => Some(u64::from(state.request.is_body_over_limit)),
        V::OutboundDataError => Some(u64::from(state.response.is_body_over_limit)),
        V::ReqbodyError | V::ReqbodyProcessorError => {
            Some(u64::from(state.body_outcome.error.is_some()))
        }
        V::UrlencodedError => Some(u64::from(state.body_outcome.has_invalid_encoding)),
        V::MultipartStrictError => Some(u64::from(flags.is_strict_error())),
        V::MultipartCrlfLfLines => Some(u64::from(flags.has_mixed_lines())),
        V::MultipartBoundaryQuoted => flag(MultipartFlags::BOUNDARY_QUOTED),
        V::MultipartBoundaryWhitespace => flag(MultipartFlags::BOUNDARY_WHITESPACE),
        V::MultipartDataAfter => flag(MultipartFlags::DATA_AFTER),
        V::MultipartDataBefore => flag(MultipartFlags::DATA_BEFORE),
        V::MultipartFileLimitExceeded => flag(MultipartFlags::FILE_LIMIT_EXCEEDED),
        V::MultipartHeaderFolding => flag(MultipartFlags::HEADER_FOLDING),
        V::MultipartInvalidHeaderFolding => flag(MultipartFlags::INVALID_HEADER_FOLDING),
        V::MultipartInvalidPart => flag(MultipartFlags::INVALID_PART),
        V::MultipartInvalidQuoting => flag(MultipartFlags::INVALID_QUOTING),
        V::MultipartLfLine => flag(MultipartFlags::LF_LINE),
        V::MultipartMissingSemicolon | V::MultipartSemicolonMissing => {
            flag(MultipartFlags::MISSING_SEMICOLON)
        }
        V::MultipartUnmatchedBoundary => flag(MultipartFlags::UNMATCHED_BOUNDARY),
        _ => None,
    }
}

/// Names count too.
fn arguments_len(state: &State) -> u64 {
    let all = [Kind::ArgsGet, Kind::ArgsPost];
    let entries = all.iter().flat_map(|kind| state.entries(*kind));
    let len: usize = entries
        .map(|entry| entry.name.len() + entry.value.len())
        .sum();
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn full_request_len(state: &State) -> u64 {
    let headers = state.entries(Kind::RequestHeaders).iter();
    let headers: usize = headers
        .map(|entry| entry.name.len() + entry.value.len() + 4)
        .sum();
    let len = state.request.line.len() + 2 + headers + 2 + state.request.body_len;
    u64::try_from(len).unwrap_or(u64::MAX)
}

fn append_full_request(state: &State, out: &mut Vec<u8>) {
    out.extend_from_slice(state.arena.get(state.request.line));
    out.extend_from_slice(b"\r\n");
    for entry in state.entries(Kind::RequestHeaders) {
        out.extend_from_slice(state.arena.get(entry.name));
        out.extend_from_slice(b": ");
        out.extend_from_slice(state.arena.get(entry.value));
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(b"\r\n");
    if let Some(body) = state.request.body {
        out.extend_from_slice(state.arena.get(body));
    }
}

/// The id of an entry's name or value, which is kept with it.
pub(super) fn entry_string(
    state: &mut State,
    strings: &mut Strings,
    side: &crate::program::Side,
    kind: Kind,
    index: usize,
    is_name: bool,
) -> StringId {
    let Some(entry) = state.entries(kind).get(index).copied() else {
        return StringId::UNSET;
    };
    let (known, span) = match is_name {
        true => (entry.name_id, entry.name),
        false => (entry.value_id, entry.value),
    };
    if known != StringId::UNSET {
        return known;
    }
    let id = strings.intern(side, state.arena.get(span));
    if let Some(entry) = state.entry_mut(kind, index) {
        match is_name {
            true => entry.name_id = id,
            false => entry.value_id = id,
        }
    }
    id
}

/// The name of a member.
pub(super) fn named(variable: VariableName, member: Member) -> Name {
    Name {
        variable,
        member,
        is_count: false,
    }
}
