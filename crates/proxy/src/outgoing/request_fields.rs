//! The fields of a request as a backend gets them, whatever it speaks.

use std::ops::Range;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use palisade_client_address::outbound::{
    unbelieved_headers, write_forwarded, write_x_forwarded_for, write_x_real_ip,
};
use palisade_gate::Site;
use palisade_gate::settings::HeaderEdits;
use palisade_hygiene::is_underscore_twin;
use palisade_vocabulary::Mode;
use smallvec::SmallVec;

use super::{Names, SET, forwarded_host, is_crowdsecs, nominated};
use crate::answer_head::{spelling, write_field};
use crate::downstream::Downstream;
use crate::request::Context;

static X_FORWARDED_FOR: HeaderName = super::X_FORWARDED_FOR;
static X_FORWARDED_PROTO: HeaderName = super::X_FORWARDED_PROTO;
static X_FORWARDED_HOST: HeaderName = super::X_FORWARDED_HOST;
static X_REAL_IP: HeaderName = super::X_REAL_IP;
static X_REQUEST_ID: HeaderName = crate::respond::X_REQUEST_ID;
static FORWARDED: HeaderName = header::FORWARDED;
static HOST: HeaderName = header::HOST;

/// Bytes of what is made for most requests.
const MADE_BYTES: usize = 256;

/// The fields of a request. They are looked at one after another, once, and never become a map: most only pass
/// through.
pub(super) struct RequestFields<'a> {
    fields: SmallVec<[(&'a HeaderName, Value<'a>); 32]>,
    /// What values were made of.
    made: Vec<u8>,
}

enum Value<'a> {
    Field(&'a HeaderValue),
    Text(&'a [u8]),
    Made(Range<usize>),
}

impl<'a> RequestFields<'a> {
    /// What a backend is told: what the client may say, what is known of it, and what the operator has
    /// changed. How long the body is only if it `keeps_length`.
    pub(super) fn new(
        context: &'a Context<'_>,
        downstream: &'a Downstream<'_>,
        keeps_length: bool,
    ) -> Self {
        static NO_EDITS: HeaderEdits = HeaderEdits {
            set: Vec::new(),
            remove: Vec::new(),
        };
        let sent = downstream.headers();
        let site = context.judged.site.as_deref();
        let edits = site.map_or(&NO_EDITS, |site| &site.settings.request_headers);
        let mut fields = Self {
            fields: SmallVec::new(),
            made: Vec::with_capacity(MADE_BYTES),
        };
        // First, as RFC 9112 section 3.2 has it.
        let host = context.incoming.host.as_ref();
        // HTTP/1.0 may do without; HTTP/1.1 may not: an empty one says that there is no authority.
        fields.add_text(&HOST, host.map_or(b"", |host| host.as_sent.as_bytes()));
        let judge = Judge::new(context, sent, site);
        for (name, value) in sent {
            if judge.lets_pass(name) && (keeps_length || *name != header::CONTENT_LENGTH) {
                fields.add(name, Value::Field(value));
            }
        }
        fields.add_client_fields(context, sent);
        if let Some(site) = site {
            fields.set_user_fields(context, site);
        }
        fields.edit(edits);
        fields
    }

    fn add(&mut self, name: &'a HeaderName, value: Value<'a>) {
        self.fields.push((name, value));
    }

    /// Adds a field; an empty one where the text can't be a value.
    fn add_text(&mut self, name: &'a HeaderName, text: &'a [u8]) {
        self.add(name, Value::Text(valid(text)));
    }

    fn add_made(&mut self, name: &'static HeaderName, make: impl FnOnce(&mut Vec<u8>)) {
        let begin = self.made.len();
        make(&mut self.made);
        let made = self.made.get(begin..).unwrap_or_default();
        if valid(made).len() < made.len() {
            self.made.truncate(begin);
        }
        self.add(name, Value::Made(begin..self.made.len()));
    }

    pub(super) fn remove(&mut self, name: &HeaderName) {
        self.fields.retain(|(other, _)| *other != name);
    }

    /// The first value of a field.
    pub(super) fn get(&self, name: &HeaderName) -> Option<&[u8]> {
        let mut fields = self.fields.iter();
        let (_, value) = fields.find(|(other, _)| *other == name)?;
        Some(self.bytes(value))
    }

    fn set(&mut self, name: &'a HeaderName, value: &'a HeaderValue) {
        self.remove(name);
        self.add(name, Value::Field(value));
    }

    fn bytes<'b>(&'b self, value: &'b Value<'a>) -> &'b [u8] {
        match value {
            Value::Field(value) => value.as_bytes(),
            Value::Text(text) => text,
            Value::Made(range) => self.made.get(range.clone()).unwrap_or_default(),
        }
    }

    fn add_client_fields(&mut self, context: &'a Context<'_>, sent: &'a HeaderMap) {
        let facts = context.facts;
        let client = &context.judged.client;
        let host = context.incoming.host.as_ref().map(|host| host.as_sent);
        self.add_made(&X_FORWARDED_FOR, |out| {
            write_x_forwarded_for(client, &facts.client, sent, out);
        });
        self.add_made(&X_REAL_IP, |out| write_x_real_ip(client, out));
        self.add_made(&FORWARDED, |out| {
            write_forwarded(client, host, context.scheme, out);
        });
        self.add_text(&X_FORWARDED_PROTO, context.scheme.as_str().as_bytes());
        self.add_text(&X_REQUEST_ID, context.begun.id.as_str().as_bytes());
        if let Some(host) = host {
            let told = forwarded_host(facts, sent).unwrap_or(host);
            self.add_text(&X_FORWARDED_HOST, told.as_bytes());
        }
    }

    /// Tells the backend which user it is, and no password, where protected paths have it so. In detect
    /// mode nobody has to be anybody, so that credentials may be the backend's own business: they stay.
    fn set_user_fields(&mut self, context: &'a Context<'_>, site: &'a Site) {
        let paths = site.protected.at(&context.judged.protected_by);
        for basic in paths.filter_map(|path| path.basic_authentication.as_ref()) {
            if !basic.forwards_credentials && site.settings.mode == Mode::Block {
                self.remove(&header::AUTHORIZATION);
            }
            let user = context.user().map(|user| user.as_bytes());
            if let (Some(name), Some(user)) = (&basic.user_header, user)
                && valid(user).len() == user.len()
            {
                self.remove(name);
                self.add_text(name, user);
            }
        }
    }

    fn edit(&mut self, edits: &'a HeaderEdits) {
        for name in &edits.remove {
            self.remove(name);
        }
        for (name, value) in &edits.set {
            self.set(name, value);
        }
    }

    /// Appends the fields as HTTP/1 writes them (RFC 9112 section 5).
    pub(super) fn write_http1(&self, wire: &mut Vec<u8>) {
        for (name, value) in &self.fields {
            write_field(spelling(name.as_str()).as_bytes(), self.bytes(value), wire);
        }
    }

    /// The fields as HTTP/2 has them.
    pub(super) fn to_map(&self) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(self.fields.len());
        for (name, value) in &self.fields {
            let value = match value {
                Value::Field(value) => HeaderValue::clone(value),
                // Only what can be a value was added.
                value => HeaderValue::from_bytes(self.bytes(value))
                    .unwrap_or(HeaderValue::from_static("")),
            };
            map.append(HeaderName::clone(name), value);
        }
        map
    }
}

/// Text that can be a field's value; nothing where it can't.
fn valid(text: &[u8]) -> &[u8] {
    let is_valid = |byte: &u8| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7f);
    match text.iter().all(is_valid) {
        true => text,
        false => b"",
    }
}

/// Whether a field is for one hop only, or set here whatever the client says of it: the names of `HOP_BY_HOP`,
/// and those of `SET` but for the length of the body.
fn is_ours(name: &str) -> bool {
    // Hardly any name has a length that one of ours has, and is compared with more than one.
    match name.len() {
        2 => name == "te",
        4 => name == "host",
        6 => name == "expect",
        7 => matches!(name, "trailer" | "upgrade"),
        9 => matches!(name, "forwarded" | "x-real-ip"),
        10 => matches!(name, "connection" | "keep-alive"),
        12 => name == "x-request-id",
        15 => name == "x-forwarded-for",
        16 => matches!(name, "proxy-connection" | "x-forwarded-host"),
        17 => matches!(name, "transfer-encoding" | "x-forwarded-proto"),
        _ => false,
    }
}

/// Tells which of a client's fields reach the backend.
struct Judge<'a> {
    context: &'a Context<'a>,
    nominated: Names,
    unbelieved: SmallVec<[&'a HeaderName; 4]>,
    set_by_site: &'a [(HeaderName, HeaderValue)],
    user_headers: &'a [HeaderName],
}

impl<'a> Judge<'a> {
    fn new(context: &'a Context<'_>, sent: &HeaderMap, site: Option<&'a Site>) -> Self {
        let hops = &context.facts.listener.settings.client_address;
        Self {
            context,
            nominated: nominated(sent.get_all(header::CONNECTION).iter()),
            unbelieved: unbelieved_headers(&context.judged.client, hops).collect(),
            set_by_site: site.map_or(&[], |site| &site.settings.request_headers.set),
            user_headers: site.map_or(&[], |site| site.protected.user_headers()),
        }
    }

    /// Not what is for one hop only, what is set here, or what nobody believes.
    fn lets_pass(&self, name: &HeaderName) -> bool {
        let text = name.as_str();
        let ends_here = is_ours(text)
            || self.nominated.contains(name)
            || self.unbelieved.contains(&name)
            || self.user_headers.contains(name)
            || is_crowdsecs(text)
            || (self.context.incoming.has_odd_names && self.is_twin(text));
        !ends_here
    }

    fn is_twin(&self, name: &str) -> bool {
        let of = |other: &HeaderName| is_underscore_twin(name, other.as_str());
        let hops = &self.context.facts.listener.settings.client_address;
        SET.iter().any(of)
            || self.set_by_site.iter().any(|(name, _)| of(name))
            || self.user_headers.iter().any(of)
            || hops.iter().any(|rule| of(rule.header.name()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::HOP_BY_HOP;
    use super::*;

    #[test]
    fn what_is_ours_is_what_the_lists_say() {
        let names = HOP_BY_HOP.iter().chain(&SET).chain([&header::EXPECT]);
        for name in names {
            let expected = *name != header::CONTENT_LENGTH;
            assert_eq!(is_ours(name.as_str()), expected, "{name}");
        }
        for name in [
            "cookie",
            "x-request-i",
            "x-forwarded",
            "upgrade-insecure-requests",
            "",
        ] {
            assert!(!is_ours(name), "{name}");
        }
    }

    #[test]
    fn what_can_be_no_value_is_left_out() {
        assert_eq!(valid(b"a\tb \xff"), b"a\tb \xff");
        for bad in [&b"a\r\nb"[..], b"a\0", b"a\x7f"] {
            assert_eq!(valid(bad), b"");
        }
    }
}
