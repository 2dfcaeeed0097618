//! Requests made of others: what one of them sends somewhere is sent elsewhere, and changed.

use std::collections::BTreeSet;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::sent::{Fields, Sent};

/// Longer parts are cut.
const PAYLOAD_BYTES_MAX: usize = 2_048;

/// Where a payload goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Path,
    Query,
    ArgumentName,
    Header,
    HeaderName,
    Cookie,
    CookieName,
    Form,
    Json,
    Xml,
    XmlAttribute,
    Multipart,
    FileName,
    PartHeader,
    Body,
    Method,
    Answer,
    AnswerHeader,
}

const PLACES: &[Place] = &[
    Place::Path,
    Place::Query,
    Place::Query,
    Place::ArgumentName,
    Place::Header,
    Place::HeaderName,
    Place::Cookie,
    Place::CookieName,
    Place::Form,
    Place::Form,
    Place::Json,
    Place::Xml,
    Place::XmlAttribute,
    Place::Multipart,
    Place::FileName,
    Place::PartHeader,
    Place::Body,
    Place::Method,
    Place::Answer,
    Place::AnswerHeader,
];

/// Fields that rules ask for by name.
const HEADERS: &[&str] = &[
    "User-Agent",
    "Referer",
    "Accept",
    "Content-Type",
    "Host",
    "Range",
    "X-Forwarded-For",
    "Content-Length",
    "Accept-Encoding",
    "X-Other",
];

/// How a payload is changed.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    FlipCase(u64),
    Insert(Index, Vec<u8>),
    Remove(Index),
    UrlEncode(u64),
    HtmlEncode,
    Repeat(usize),
    Cut(Index),
    Join(Index),
    Spread(&'static [u8]),
}

/// A payload, by its number, changed and put in its place.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    payload: Index,
    changes: Vec<Change>,
    place: Place,
    header: &'static str,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        any::<u64>().prop_map(Change::FlipCase),
        (any::<Index>(), prop::collection::vec(any::<u8>(), 1..4))
            .prop_map(|(at, bytes)| Change::Insert(at, bytes)),
        any::<Index>().prop_map(Change::Remove),
        any::<u64>().prop_map(Change::UrlEncode),
        Just(Change::HtmlEncode),
        (2..20_usize).prop_map(Change::Repeat),
        any::<Index>().prop_map(Change::Cut),
        any::<Index>().prop_map(Change::Join),
        select(vec![&b" "[..], b"/**/", b"\\", b"'", b"\0", b"\xc2\xa0"]).prop_map(Change::Spread),
    ]
}

pub(crate) fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let edit = (
        any::<Index>(),
        prop::collection::vec(change(), 0..4),
        select(PLACES),
        select(HEADERS),
    );
    let edit = edit.prop_map(|(payload, changes, place, header)| Edit {
        payload,
        changes,
        place,
        header,
    });
    prop::collection::vec(edit, 1..4)
}

/// All that requests send anywhere, each once.
pub(crate) fn payloads(requests: &[Sent]) -> Vec<Vec<u8>> {
    let mut payloads = BTreeSet::new();
    let mut add = |bytes: &[u8]| {
        let bytes = bytes.get(..PAYLOAD_BYTES_MAX).unwrap_or(bytes);
        payloads.insert(bytes.to_vec());
    };
    for sent in requests {
        add(&sent.target);
        sent.target
            .split(|byte| b"?&=/".contains(byte))
            .for_each(&mut add);
        for (name, value) in &sent.headers {
            add(name);
            add(value);
            value.split(|byte| b";=".contains(byte)).for_each(&mut add);
        }
        add(&sent.body);
        sent.body
            .split(|byte| b"&=\n<>\"".contains(byte))
            .for_each(&mut add);
        add(&sent.answer);
    }
    payloads.into_iter().collect()
}

impl Edit {
    pub(crate) fn apply(&self, sent: &mut Sent, payloads: &[Vec<u8>]) {
        let mut payload = self.payload.get(payloads).clone();
        for change in &self.changes {
            change.apply(&mut payload, payloads);
            payload.truncate(16 * PAYLOAD_BYTES_MAX);
        }
        self.put(sent, &payload);
        sent.line = [&sent.method[..], &sent.target, &sent.protocol].join(&b' ');
    }

    fn put(&self, sent: &mut Sent, payload: &[u8]) {
        match self.place {
            Place::Path => sent.target = [b"/", payload].concat(),
            Place::Query => add(&mut sent.target, &[b"&q=", payload], b"?"),
            Place::ArgumentName => add(&mut sent.target, &[b"&", payload, b"=1"], b"?"),
            Place::Header => set(&mut sent.headers, self.header.as_bytes(), payload),
            Place::HeaderName => sent.headers.push((payload.to_vec(), b"1".to_vec())),
            Place::Cookie => {
                set(
                    &mut sent.headers,
                    b"Cookie",
                    &[b"a=1; b=", payload].concat(),
                );
            }
            Place::CookieName => set(&mut sent.headers, b"Cookie", &[payload, b"=1"].concat()),
            Place::Answer => sent.answer.extend_from_slice(payload),
            Place::AnswerHeader => sent
                .answer_headers
                .push((b"X-Other".to_vec(), payload.to_vec())),
            Place::Method => sent.method = payload.to_vec(),
            Place::Form
            | Place::Json
            | Place::Xml
            | Place::XmlAttribute
            | Place::Multipart
            | Place::FileName
            | Place::PartHeader
            | Place::Body => self.put_body(sent, payload),
        }
    }

    fn put_body(&self, sent: &mut Sent, payload: &[u8]) {
        let (media_type, around): (&[u8], [&[u8]; 2]) = match self.place {
            Place::Json => (b"application/json", [b"{\"a\":[1,\"", b"\"],\"b\":null}"]),
            Place::Xml => (b"text/xml", [b"<a><b>", b"</b></a>"]),
            Place::XmlAttribute => (b"application/xml", [b"<a b=\"", b"\"/>"]),
            Place::Multipart => (
                b"multipart/form-data; boundary=again",
                [
                    b"--again\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n",
                    b"\r\n--again--\r\n",
                ],
            ),
            Place::FileName => (
                b"multipart/form-data; boundary=again",
                [
                    b"--again\r\nContent-Disposition: form-data; name=\"a\"; filename=\"",
                    b"\"\r\n\r\nx\r\n--again--\r\n",
                ],
            ),
            Place::PartHeader => (
                b"multipart/form-data; boundary=again",
                [
                    b"--again\r\nContent-Disposition: form-data; name=\"a\"\r\nContent-Type: ",
                    b"\r\n\r\nx\r\n--again--\r\n",
                ],
            ),
            Place::Body => {
                sent.body.extend_from_slice(payload);
                return;
            }
            _ => {
                set(
                    &mut sent.headers,
                    b"Content-Type",
                    b"application/x-www-form-urlencoded",
                );
                sent.body.extend_from_slice(&[b"&f=", payload].concat());
                return;
            }
        };
        let [before, behind] = around;
        set(&mut sent.headers, b"Content-Type", media_type);
        sent.body = [before, payload, behind].concat();
    }
}

fn add(target: &mut Vec<u8>, more: &[&[u8]], first: &[u8]) {
    if !target.contains(&b'?') {
        target.extend_from_slice(first);
    }
    target.extend_from_slice(&more.concat());
}

fn set(headers: &mut Fields, name: &[u8], value: &[u8]) {
    headers.retain(|(other, _)| !other.eq_ignore_ascii_case(name));
    headers.push((name.to_vec(), value.to_vec()));
}

/// The bits of `which`, again and again.
fn bits(which: u64) -> impl Iterator<Item = bool> {
    (0..64).cycle().map(move |bit| which >> bit & 1 == 1)
}

impl Change {
    fn apply(&self, payload: &mut Vec<u8>, payloads: &[Vec<u8>]) {
        match self {
            Self::FlipCase(which) => {
                for (byte, flips) in payload.iter_mut().zip(bits(*which)) {
                    if flips && byte.is_ascii_alphabetic() {
                        *byte ^= 0x20;
                    }
                }
            }
            Self::Insert(at, bytes) => {
                let at = at.index(payload.len() + 1);
                payload.splice(at..at, bytes.iter().copied());
            }
            Self::Remove(at) if !payload.is_empty() => {
                payload.remove(at.index(payload.len()));
            }
            Self::Remove(_) => {}
            Self::UrlEncode(which) => {
                let bytes = payload.iter().zip(bits(*which));
                *payload = bytes
                    .flat_map(|(byte, encodes)| encoded(*byte, encodes))
                    .collect();
            }
            Self::HtmlEncode => {
                let bytes = payload.iter();
                *payload = bytes
                    .flat_map(|byte| format!("&#{byte};").into_bytes())
                    .collect();
            }
            Self::Repeat(times) => *payload = payload.repeat(*times),
            Self::Cut(at) => payload.truncate(at.index(payload.len() + 1)),
            Self::Join(other) => payload.extend(other.get(payloads)),
            Self::Spread(between) => {
                let bytes = payload.iter();
                *payload = bytes
                    .flat_map(|byte| [&[*byte][..], between].concat())
                    .collect();
            }
        }
    }
}

fn encoded(byte: u8, encodes: bool) -> Vec<u8> {
    match encodes {
        true => format!("%{byte:02x}").into_bytes(),
        false => vec![byte],
    }
}
