//! What an audit log is not to show: `sanitiseArg` and its kin. Reports of matches don't show it either.

use memchr::memmem::Finder;
use palisade_vocabulary::HiddenNames;

use super::Transaction;
use super::arena::Span;
use super::evaluate::{LOGGED_VALUE_BYTES_MAX, Run};
use super::matched::{MatchedRule, Member, Name, Text};
use super::state::{Kind, State};
use crate::program::{CAPTURE_SLOTS, Program, Rule, Source};
use crate::syntax::{Sanitise, VariableName};
use crate::{MacroText, Transformation, UnicodeMap};

/// The most names, and the most texts, that are kept of a transaction; beyond them nothing is shown.
const KEPT_MAX: usize = 256;
/// The longest text that is kept by itself; beyond it nothing is shown.
const TEXT_BYTES_MAX: usize = 4_096;
/// The most texts that matches are searched for; beyond them, none that has macros is shown.
const SEARCHED_MAX: usize = 16;
/// By how much of its beginning a text is found.
const NEEDLE_BYTES_MAX: usize = 64;

/// What an audit log writes as `*`, each byte (ModSecurity 2, "sanitiseArg" and its kin).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sanitised<'t> {
    /// The values of all arguments of this name, of query and body; upper or lower case is the same.
    Argument(&'t [u8]),
    /// The values of the request's fields of this name.
    RequestHeader(&'t [u8]),
    /// The values of the answer's fields of this name.
    ResponseHeader(&'t [u8]),
    /// The values of the request's cookies of this name.
    RequestCookie(&'t [u8]),
    /// These bytes, wherever they stand, but for so many at their beginning and their end.
    Bytes {
        /// As they matched, transformed.
        text: &'t [u8],
        /// How many may be shown at the beginning.
        shown_first: usize,
        /// How many may be shown at the end.
        shown_last: usize,
    },
    /// There is more than is kept (256 names, 256 texts of 4 KiB): nothing that was sent is shown.
    Everything,
}

/// All of it, of one transaction.
#[derive(Debug, Default)]
pub(super) struct Secrets {
    names: Vec<(Holder, Span)>,
    texts: Vec<Secret>,
    is_everything: bool,
}

/// What has a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Holder {
    Argument,
    RequestHeader,
    ResponseHeader,
    RequestCookie,
}

/// Bytes, and how many of them may be shown.
#[derive(Clone, Copy, Debug)]
struct Secret {
    text: Span,
    shown_first: usize,
    shown_last: usize,
}

impl Secrets {
    pub(super) fn clear(&mut self) {
        self.names.clear();
        self.texts.clear();
        self.is_everything = false;
    }

    fn is_none(&self) -> bool {
        self.names.is_empty() && self.texts.is_empty() && !self.is_everything
    }
}

impl Transaction {
    /// What an audit log is not to show, as rules have said so far. [`Transaction::matches`] doesn't show
    /// it either, once [`Transaction::log`] is done.
    pub fn sanitised(&self) -> impl Iterator<Item = Sanitised<'_>> {
        let (secrets, arena) = (&self.state.secrets, &self.state.arena);
        let names = secrets.names.iter().map(|(holder, name)| {
            let name = arena.get(*name);
            match holder {
                Holder::Argument => Sanitised::Argument(name),
                Holder::RequestHeader => Sanitised::RequestHeader(name),
                Holder::ResponseHeader => Sanitised::ResponseHeader(name),
                Holder::RequestCookie => Sanitised::RequestCookie(name),
            }
        });
        let texts = secrets.texts.iter().map(|secret| Sanitised::Bytes {
            text: arena.get(secret.text),
            shown_first: secret.shown_first,
            shown_last: secret.shown_last,
        });
        let everything = secrets.is_everything.then_some(Sanitised::Everything);
        everything.into_iter().chain(names).chain(texts)
    }
}

impl Run<'_> {
    /// Rules that match seldom say so.
    #[cold]
    pub(super) fn sanitise(&mut self, what: &Sanitise) {
        match what {
            Sanitise::Argument(name) => self.keep_name(Holder::Argument, name),
            Sanitise::RequestHeader(name) => self.keep_name(Holder::RequestHeader, name),
            Sanitise::ResponseHeader(name) => self.keep_name(Holder::ResponseHeader, name),
            Sanitise::Matched => self.sanitise_matched(),
            Sanitise::MatchedBytes {
                shown_first,
                shown_last,
            } => {
                let found = self.state.tx.get(0);
                let mut text = Vec::new();
                found.append_to(&self.state.arena, TEXT_BYTES_MAX + 1, &mut text);
                match text.is_empty() {
                    // Nothing is captured.
                    true => self.sanitise_matched(),
                    false => self.keep_text(&text, *shown_first, *shown_last),
                }
            }
        }
    }

    fn sanitise_matched(&mut self) {
        let Some(matched) = self.state.matched.last().copied() else {
            return;
        };
        let named = match matched.name.member {
            Member::Named(member) => holder(matched.name.variable).zip(Some(member)),
            _ => None,
        };
        match named {
            Some((holder, member)) => {
                let name = self.state.arena.get(member).to_vec();
                self.keep_name(holder, &name);
            }
            None => {
                let value = match matched.value {
                    Text::Arena(span) => self.state.arena.get(span),
                    Text::String(id) => self.strings.get(id),
                };
                let value = value.get(..=TEXT_BYTES_MAX).unwrap_or(value).to_vec();
                self.keep_text(&value, 0, 0);
            }
        }
    }

    fn keep_name(&mut self, holder: Holder, name: &[u8]) {
        keep_name(self.state, holder, name);
    }

    fn keep_text(&mut self, text: &[u8], shown_first: u16, shown_last: u16) {
        let (secrets, arena) = (&mut self.state.secrets, &mut self.state.arena);
        let secret = |text| Secret {
            text,
            shown_first: shown_first.into(),
            shown_last: shown_last.into(),
        };
        let is_kept = secrets
            .texts
            .iter()
            .any(|known| arena.get(known.text) == text);
        if is_kept || text.is_empty() {
            return;
        }
        match secrets.texts.len() < KEPT_MAX && text.len() <= TEXT_BYTES_MAX {
            true => secrets.texts.push(secret(arena.push(text))),
            false => secrets.is_everything = true,
        }
    }
}

fn keep_name(state: &mut State, holder: Holder, name: &[u8]) {
    let (secrets, arena) = (&mut state.secrets, &mut state.arena);
    let is_kept = secrets
        .names
        .iter()
        .any(|(other, known)| *other == holder && arena.get(*known).eq_ignore_ascii_case(name));
    if is_kept {
        return;
    }
    match secrets.names.len() < KEPT_MAX {
        true => secrets.names.push((holder, arena.push(name))),
        false => secrets.is_everything = true,
    }
}

/// Keeps what was sent by a name that is hidden, as if a rule had said so.
pub(super) fn keep_names(state: &mut State, hidden: &HiddenNames) {
    let kinds = [
        (Kind::ArgsGet, Holder::Argument),
        (Kind::ArgsPost, Holder::Argument),
        (Kind::RequestHeaders, Holder::RequestHeader),
        (Kind::ResponseHeaders, Holder::ResponseHeader),
        (Kind::Cookies, Holder::RequestCookie),
    ];
    let mut found = Vec::new();
    for (kind, holder) in kinds {
        let is_hidden = |name: &[u8]| match holder {
            Holder::Argument => hidden.has_argument(name),
            Holder::RequestHeader | Holder::ResponseHeader => hidden.has_header(name),
            Holder::RequestCookie => hidden.has_cookie(name),
        };
        let names = state.entries(kind).iter().map(|entry| entry.name);
        let names = names.filter(|name| is_hidden(state.arena.get(*name)));
        // One more than are kept, after which everything is hidden.
        found.extend(names.take(KEPT_MAX + 1).map(|name| (holder, name)));
    }
    for (holder, name) in found {
        let name = state.arena.get(name).to_vec();
        keep_name(state, holder, &name);
    }
}

/// What a name of a collection, or of its names, is the name of.
fn holder(variable: VariableName) -> Option<Holder> {
    use VariableName as V;
    Some(match variable {
        V::Args | V::ArgsGet | V::ArgsPost => Holder::Argument,
        V::ArgsNames | V::ArgsGetNames | V::ArgsPostNames => Holder::Argument,
        V::RequestHeaders | V::RequestHeadersNames => Holder::RequestHeader,
        V::ResponseHeaders | V::ResponseHeadersNames => Holder::ResponseHeader,
        _ => return None,
    })
}

/// Whether a variable may have what was sent in another spelling, or the value of another variable.
fn may_have_others(variable: VariableName) -> bool {
    use VariableName as V;
    matches!(
        variable,
        V::FullRequest
            | V::MatchedVar
            | V::MatchedVars
            | V::QueryString
            | V::RequestBody
            | V::RequestLine
            | V::RequestUri
            | V::RequestUriRaw
    )
}

/// Hides in the matches that are kept what is not to be shown.
pub(super) fn hide(state: &mut State, program: &Program) {
    if state.secrets.is_none() {
        return;
    }
    let hidden = Hidden::of(state, &program.unicode);
    let mut events = std::mem::take(&mut state.events);
    for event in &mut events {
        hidden.hide(state, program, event);
    }
    state.events = events;
}

/// What is hidden in texts.
struct Hidden {
    texts: Vec<HiddenText>,
    /// Whether there are more than are searched for.
    is_all: bool,
}

struct HiddenText {
    /// Finds its beginning, in small letters: a rule may have copied it with `t:lowercase`.
    finder: Finder<'static>,
    len: usize,
    shown_first: usize,
    shown_last: usize,
}

impl Hidden {
    fn of(state: &State, unicode: &UnicodeMap) -> Self {
        let mut hidden = Self {
            texts: Vec::new(),
            is_all: state.secrets.is_everything,
        };
        for (holder, name) in &state.secrets.names {
            let (kinds, name) = (values_of(*holder), state.arena.get(*name));
            for entry in kinds.iter().flat_map(|kind| state.entries(*kind)) {
                if state.arena.get(entry.name).eq_ignore_ascii_case(name) {
                    hidden.add(state.arena.get(entry.value), (0, 0), unicode);
                }
            }
        }
        for secret in &state.secrets.texts {
            let text = state.arena.get(secret.text);
            hidden.add(text, (secret.shown_first, secret.shown_last), unicode);
        }
        hidden
    }

    /// Adds a text, and what a rule that decodes it makes of it.
    fn add(&mut self, text: &[u8], shown: (usize, usize), unicode: &UnicodeMap) {
        self.search(text, shown);
        let mut decoded = Vec::new();
        if Transformation::UrlDecodeUni.apply(text, &mut decoded, unicode) {
            self.search(&decoded, shown);
        }
    }

    fn search(&mut self, text: &[u8], (shown_first, shown_last): (usize, usize)) {
        if self.texts.len() == SEARCHED_MAX {
            self.is_all = true;
        } else if !text.is_empty() {
            let needle = text.get(..NEEDLE_BYTES_MAX).unwrap_or(text);
            self.texts.push(HiddenText {
                finder: Finder::new(&needle.to_ascii_lowercase()).into_owned(),
                len: text.len(),
                shown_first,
                shown_last,
            });
        }
    }

    fn hide(&self, state: &mut State, program: &Program, event: &mut MatchedRule) {
        let Some(rule) = program.rules.get(event.rule as usize) else {
            return;
        };
        let is_hidden = self.is_all || event.matched.is_some_and(|name| is_hidden(state, name));
        event.value = self.hidden(state, event.value, is_hidden);
        let texts = [
            (rule.message.as_ref(), &mut event.message),
            (rule.log_data.as_ref(), &mut event.data),
        ];
        for (text, expanded) in texts {
            // What the rule says by itself is no secret.
            if let Some(text) = text.filter(|text| text.as_literal().is_none()) {
                let is_whole = self.is_all || may_tell(text, rule, program, is_hidden);
                *expanded = self.hidden(state, *expanded, is_whole);
            }
        }
    }

    /// The text without what is hidden of it.
    fn hidden(&self, state: &mut State, text: Span, is_whole: bool) -> Span {
        let mut shown = state.arena.get(text).to_vec();
        match is_whole {
            true => shown.fill(b'*'),
            false => {
                let lower = shown.to_ascii_lowercase();
                for hidden in &self.texts {
                    hidden.hide(&lower, &mut shown);
                }
            }
        }
        state.arena.push(&shown)
    }
}

impl HiddenText {
    /// Hides it in `text`, which is `lower` in small letters.
    fn hide(&self, lower: &[u8], text: &mut [u8]) {
        let needle = self.finder.needle();
        let mut at = 0;
        while let Some(found) = lower.get(at..).and_then(|lower| self.finder.find(lower)) {
            let start = at + found;
            self.fill(text, start);
            at = start + needle.len();
        }
        if text.len() < LOGGED_VALUE_BYTES_MAX {
            return;
        }
        // Where the text is cut off, so may be what is hidden.
        let behind = text.len().saturating_sub(needle.len()).max(at);
        let cut = (behind..text.len()).find(|start| {
            let rest = lower.get(*start..).unwrap_or_default();
            needle.starts_with(rest)
        });
        if let Some(start) = cut {
            self.fill(text, start);
        }
    }

    fn fill(&self, text: &mut [u8], start: usize) {
        let end = (start + self.len.saturating_sub(self.shown_last)).min(text.len());
        let begin = (start + self.shown_first).min(end);
        if let Some(part) = text.get_mut(begin..end) {
            part.fill(b'*');
        }
    }
}

fn values_of(holder: Holder) -> &'static [Kind] {
    match holder {
        Holder::Argument => &[Kind::ArgsGet, Kind::ArgsPost],
        Holder::RequestHeader => &[Kind::RequestHeaders],
        Holder::ResponseHeader => &[Kind::ResponseHeaders],
        Holder::RequestCookie => &[Kind::Cookies],
    }
}

/// Whether a value of that name is not to be shown.
fn is_hidden(state: &State, name: Name) -> bool {
    use VariableName as V;
    let is_named = |holder: Holder, name: &[u8]| {
        let mut names = state.secrets.names.iter();
        names.any(|(other, known)| {
            *other == holder && state.arena.get(*known).eq_ignore_ascii_case(name)
        })
    };
    let holder = match name.variable {
        _ if name.is_count => return false,
        V::ArgsNames | V::ArgsGetNames | V::ArgsPostNames => return false,
        V::RequestHeadersNames | V::ResponseHeadersNames => return false,
        V::RequestCookies if is_named(Holder::RequestHeader, b"cookie") => return true,
        V::RequestCookies => Some(Holder::RequestCookie),
        // Some of it may be in another spelling.
        V::RequestHeaders if has_cookies(state) && is_cookie_field(state, name) => return true,
        variable if may_have_others(variable) => return true,
        variable => holder(variable),
    };
    match (holder, name.member) {
        (Some(holder), Member::Named(member)) => is_named(holder, state.arena.get(member)),
        _ => false,
    }
}

fn has_cookies(state: &State) -> bool {
    let mut names = state.secrets.names.iter();
    names.any(|(holder, _)| *holder == Holder::RequestCookie)
}

fn is_cookie_field(state: &State, name: Name) -> bool {
    match name.member {
        Member::Named(member) => state.arena.get(member).eq_ignore_ascii_case(b"cookie"),
        _ => false,
    }
}

/// Whether a text's macros may stand for what is not to be shown in another spelling or in part: for the
/// value that matched, where `is_hidden`, or for another.
fn may_tell(text: &MacroText<Source>, rule: &Rule, program: &Program, is_hidden: bool) -> bool {
    let links = program.links_of(rule);
    // What is captured is of the value that matched.
    let is_own = matches!(links, [link] if link.captures);
    text.variables().any(|source| match source {
        Source::Tx(slot) => is_hidden || (*slot < CAPTURE_SLOTS && !is_own),
        Source::Variable(VariableName::MatchedVar) => is_hidden,
        Source::Variable(name) | Source::Member(name, _) => may_have_others(*name),
        Source::Rule(_) | Source::Nothing => false,
    })
}
