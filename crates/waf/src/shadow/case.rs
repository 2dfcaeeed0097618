//! What a second set judges: a request and its answer, kept as they were.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use palisade_body::Body;
use palisade_seclang::{Collections, Connection, RequestHead, ResponseHead};
use palisade_vocabulary::{HiddenNames, RequestId};

use super::Judgement;
use crate::{Finding, Inspection, RuleSet};

/// A request that is over, as rules saw it.
#[derive(Debug)]
pub struct ShadowCase {
    /// Who sent it.
    pub client: SocketAddr,
    /// What that connected to.
    pub server: SocketAddr,
    /// Its name.
    pub id: RequestId,
    /// Its head, as it was sent.
    pub head: OwnedHead,
    /// What was read of its body.
    pub body: RequestBody,
    /// The answer of a backend that rules looked at; `None` where there was none.
    pub answer: Option<SeenAnswer>,
}

/// A [`RequestHead`] that owns its bytes, all in one piece.
#[derive(Debug)]
pub struct OwnedHead {
    bytes: Vec<u8>,
    /// The lengths of line, method, target and protocol, and of names and values of fields in turn.
    lengths: Vec<usize>,
}

/// What was read of a request's body.
#[derive(Clone, Debug, Default)]
pub enum RequestBody {
    /// Nothing of a body that doesn't say its length.
    #[default]
    Unread,
    /// Nothing of a body that says its length.
    Declared(u64),
    /// All of it, which may be nothing.
    Whole(Bytes),
    /// Its beginning.
    Beginning(Bytes),
}

/// An answer that rules looked at.
#[derive(Debug)]
pub struct SeenAnswer {
    /// Such as 200.
    pub status: u16,
    /// Such as `OK`.
    pub reason: &'static str,
    /// Its fields; the line is empty.
    pub fields: OwnedHead,
    /// What was read of its body.
    pub body: AnswerBody,
}

/// What was read of an answer's body.
#[derive(Clone, Debug, Default)]
pub enum AnswerBody {
    /// Nothing, though there may be some.
    #[default]
    Unread,
    /// There is none.
    Absent,
    /// All of it.
    Whole(Bytes),
    /// Its beginning.
    Beginning(Bytes),
}

/// The rules look at more of the request's body than was read, so that nobody knows what they would make of
/// it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unread;

impl OwnedHead {
    /// A copy.
    #[must_use]
    pub fn copy(head: &RequestHead<'_>) -> Self {
        let start = [head.line, head.method, head.target, head.protocol];
        Self::of(start, head.headers)
    }

    /// A copy of these fields.
    #[must_use]
    pub fn of_fields(fields: &[(&[u8], &[u8])]) -> Self {
        Self::of([b""; 4], fields)
    }

    fn of(start: [&[u8]; 4], fields: &[(&[u8], &[u8])]) -> Self {
        let fields = fields.iter().flat_map(|(name, value)| [*name, *value]);
        let parts = start.into_iter().chain(fields);
        let mut copy = Self {
            bytes: Vec::with_capacity(parts.clone().map(<[u8]>::len).sum()),
            lengths: Vec::with_capacity(parts.size_hint().0),
        };
        for part in parts {
            copy.bytes.extend_from_slice(part);
            copy.lengths.push(part.len());
        }
        copy
    }

    /// How much memory it takes, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len() + self.lengths.len() * size_of::<usize>()
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The method.
    #[must_use]
    pub fn method(&self) -> &[u8] {
        self.parts().nth(1).unwrap_or_default()
    }

    /// The target, without its query.
    #[must_use]
    pub fn path(&self) -> &[u8] {
        let target = self.parts().nth(2).unwrap_or_default();
        let end = target.iter().position(|byte| *byte == b'?');
        end.and_then(|end| target.get(..end)).unwrap_or(target)
    }

    fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &*self.bytes;
        self.lengths.iter().map(move |length| {
            let (part, after) = rest.split_at_checked(*length).unwrap_or((rest, b""));
            rest = after;
            part
        })
    }

    /// Names and values.
    pub(super) fn fields(&self) -> Vec<(&[u8], &[u8])> {
        let mut parts = self.parts().skip(4);
        let pairs = std::iter::from_fn(|| Some((parts.next()?, parts.next()?)));
        pairs.collect()
    }

    pub(super) fn head<'h>(&'h self, fields: &'h [(&'h [u8], &'h [u8])]) -> RequestHead<'h> {
        let mut parts = self.parts();
        let mut next = || parts.next().unwrap_or_default();
        RequestHead {
            line: next(),
            method: next(),
            target: next(),
            protocol: next(),
            headers: fields,
        }
    }
}

impl RequestBody {
    /// As much of it as rules look at.
    fn cut(&self, limit: Option<u64>, refuses_long: bool) -> Result<Body<'_>, Unread> {
        let Some(limit) = limit else {
            return Ok(Body::whole(b""));
        };
        match self {
            Self::Whole(bytes) => cut(bytes, limit).or_else(|Unread| Ok(Body::whole(bytes))),
            Self::Beginning(bytes) => cut(bytes, limit),
            // None of it need be read to be refused.
            Self::Declared(length) if *length > limit && refuses_long => Ok(Body::partial(b"")),
            Self::Declared(_) | Self::Unread => Err(Unread),
        }
    }
}

impl AnswerBody {
    /// As much of it as rules look at.
    fn cut(&self, limit: Option<u64>) -> Result<Body<'_>, Unread> {
        match (self, limit) {
            (Self::Absent, _) | (_, None) => Ok(Body::whole(b"")),
            (Self::Whole(bytes), Some(limit)) => {
                cut(bytes, limit).or_else(|Unread| Ok(Body::whole(bytes)))
            }
            (Self::Beginning(bytes), Some(limit)) => cut(bytes, limit),
            (Self::Unread, Some(_)) => Err(Unread),
        }
    }
}

/// The part of `bytes` that rules look at, where there is more.
fn cut(bytes: &[u8], limit: u64) -> Result<Body<'_>, Unread> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    match bytes.get(..limit) {
        Some(part) if part.len() < bytes.len() => Ok(Body::partial(part)),
        _ => Err(Unread),
    }
}

impl ShadowCase {
    /// What `rules` make of it, with records of their own.
    ///
    /// # Errors
    /// They look at more of its body than was read.
    pub fn judge(
        &self,
        rules: &Arc<RuleSet>,
        collections: &Arc<Collections>,
    ) -> Result<Judgement, Unread> {
        let connection = Connection {
            client: self.client,
            server: self.server,
            unique_id: self.id.as_str(),
        };
        let fields = self.head.fields();
        let head = self.head.head(&fields);
        let (mut inspection, finding) = Inspection::begin(rules, collections, &connection, &head);
        let judged = match finding {
            Finding::Pass => self.judge_rest(&mut inspection, &fields),
            Finding::Refuse(_) => Ok(Sight::Whole),
        };
        let judgement = judged.map(|sight| {
            inspection.log(&HiddenNames::NONE);
            Judgement {
                is_answer_unread: sight == Sight::WithoutAnswerBody,
                ..Judgement::of(&inspection)
            }
        });
        inspection.finish();
        judgement
    }

    fn judge_rest(
        &self,
        inspection: &mut Inspection,
        fields: &[(&[u8], &[u8])],
    ) -> Result<Sight, Unread> {
        let limit = inspection.request_body_limit();
        let body = self.body.cut(limit, inspection.refuses_long_bodies())?;
        let found = inspection.request_body(&codings(fields), body);
        let Some(answer) = self.answer.as_ref().filter(|_| found == Finding::Pass) else {
            return Ok(Sight::Whole);
        };
        let fields = answer.fields.fields();
        let found = inspection.response_head(&ResponseHead {
            protocol: b"HTTP/1.1",
            status: answer.status,
            reason: answer.reason.as_bytes(),
            headers: &fields,
        });
        if found != Finding::Pass {
            return Ok(Sight::Whole);
        }
        match answer.body.cut(inspection.response_body_limit()) {
            Ok(body) => {
                inspection.response_body(&codings(&fields), body);
                Ok(Sight::Whole)
            }
            Err(Unread) => Ok(Sight::WithoutAnswerBody),
        }
    }
}

/// How much of a request and its answer was there to be judged.
#[derive(PartialEq, Eq)]
enum Sight {
    Whole,
    WithoutAnswerBody,
}

/// The values of `Content-Encoding`, joined by commas.
fn codings(fields: &[(&[u8], &[u8])]) -> Vec<u8> {
    let is_coding = |name: &[u8]| name.eq_ignore_ascii_case(b"content-encoding");
    let values = fields.iter().filter(|(name, _)| is_coding(name));
    let values: Vec<&[u8]> = values.map(|(_, value)| *value).collect();
    values.join(&b',')
}
