//! Raw HTTP/2 from the client's side (RFC 9113): what is sent is exactly what the test says, no
//! library finds it malformed first.

use std::collections::HashMap;

use super::http::Connection;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;

/// The largest frame that a server has to take (RFC 9113 section 4.2).
const FRAME_BYTES_MAX: usize = 16_384;

/// A connection that speaks HTTP/2.
pub(crate) struct Http2 {
    connection: Connection,
    streams: HashMap<u32, Stream>,
    /// The last stream that each GOAWAY without an error leaves.
    farewells: Vec<u32>,
}

#[derive(Default)]
struct Stream {
    status: Option<u16>,
    body: Vec<u8>,
    outcome: Option<Outcome>,
}

/// What became of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered {
        status: u16,
        body: String,
    },
    /// The stream was reset, with this error code (RFC 9113 section 7).
    Reset(u32),
    /// The whole connection was given up, with this error code.
    GoneAway(u32),
    Closed,
}

impl Outcome {
    pub(crate) fn status(&self) -> Option<u16> {
        match self {
            Self::Answered { status, .. } => Some(*status),
            _ => None,
        }
    }
}

impl Http2 {
    /// Begins to speak HTTP/2 on a connection.
    pub(crate) fn over(mut connection: Connection) -> Self {
        connection.send(PREFACE);
        let mut http2 = Self {
            connection,
            streams: HashMap::new(),
            farewells: Vec::new(),
        };
        // No dynamic table: each answer's head is read by itself.
        http2.frame(SETTINGS, 0, 0, &[0, 1, 0, 0, 0, 0]);
        http2
    }

    /// Sends a head; `ends` where no DATA follows.
    pub(crate) fn head(&mut self, stream: u32, fields: &[(&str, &str)], ends: bool) -> &mut Self {
        let mut block = Vec::new();
        for (name, value) in fields {
            // A literal field without indexing, new name (RFC 7541 section 6.2.2).
            block.push(0);
            push_string(name.as_bytes(), &mut block);
            push_string(value.as_bytes(), &mut block);
        }
        let ends = if ends { END_STREAM } else { 0 };
        let pieces: Vec<&[u8]> = block.chunks(FRAME_BYTES_MAX).collect();
        for (at, piece) in pieces.iter().enumerate() {
            let kind = if at == 0 { HEADERS } else { CONTINUATION };
            let last = if at + 1 == pieces.len() {
                END_HEADERS
            } else {
                0
            };
            let flags = if at == 0 { ends | last } else { last };
            self.frame(kind, flags, stream, piece);
        }
        self
    }

    /// Sends a part of a body.
    pub(crate) fn data(&mut self, stream: u32, part: impl AsRef<[u8]>, ends: bool) -> &mut Self {
        self.frame(DATA, u8::from(ends), stream, part.as_ref());
        self
    }

    pub(crate) fn frame(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let [_, length @ ..] = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = length.to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.connection.send(frame);
    }

    /// What became of the request on a stream.
    pub(crate) fn outcome(&mut self, stream: u32) -> Outcome {
        loop {
            if let Some(outcome) = self.streams.entry(stream).or_default().outcome.clone() {
                return outcome;
            }
            if let Some(ended) = self.read_frame() {
                return ended;
            }
        }
    }

    /// Whether the other end said that it takes no request after `stream` (RFC 9113 section 6.8): a
    /// later one was not looked at, and may be sent again elsewhere.
    pub(crate) fn is_leaving_before(&self, stream: u32) -> bool {
        self.farewells.last().is_some_and(|last| *last < stream)
    }

    /// The last stream that each GOAWAY so far leaves, errors aside. After the first, no stream may be
    /// opened (RFC 9113 section 6.8).
    pub(crate) fn farewells(&self) -> &[u32] {
        &self.farewells
    }

    /// Reads until there is one.
    #[track_caller]
    pub(crate) fn wait_for_farewell(&mut self) -> u32 {
        loop {
            if let Some(last) = self.farewells.last() {
                return *last;
            }
            assert_eq!(self.read_frame(), None, "the connection ended without one");
        }
    }

    /// Reads until the connection ends.
    pub(crate) fn end(&mut self) -> Outcome {
        loop {
            if let Some(ended) = self.read_frame() {
                return ended;
            }
        }
    }

    /// Reads a frame; how the connection ended, if it did.
    fn read_frame(&mut self) -> Option<Outcome> {
        let head = self.connection.read_exactly(9);
        let Ok([l0, l1, l2, kind, flags, stream @ ..]) = <[u8; 9]>::try_from(head) else {
            return Some(Outcome::Closed);
        };
        let length = u32::from_be_bytes([0, l0, l1, l2]);
        let payload = self.connection.read_exactly(length as usize);
        let stream = self.streams.entry(u32::from_be_bytes(stream)).or_default();
        match kind {
            SETTINGS | PING if flags & ACK == 0 => {
                let echo = if kind == PING {
                    payload.as_slice()
                } else {
                    &[]
                };
                self.frame(kind, ACK, 0, echo);
                return None;
            }
            HEADERS => stream.status = Some(status_of(&payload)),
            DATA => stream.body.extend(payload),
            RST_STREAM => {
                stream
                    .outcome
                    .get_or_insert(Outcome::Reset(code_of(&payload)));
                return None;
            }
            // A server that ends the connection in peace still answers what it took.
            GOAWAY if code_of(&payload[4..]) != 0 => {
                return Some(Outcome::GoneAway(code_of(&payload[4..])));
            }
            GOAWAY => {
                self.farewells.push(code_of(&payload) & (u32::MAX >> 1));
                return None;
            }
            _ => return None,
        }
        if flags & END_STREAM != 0 && matches!(kind, HEADERS | DATA) {
            stream.outcome = Some(Outcome::Answered {
                status: stream.status.unwrap(),
                body: String::from_utf8_lossy(&stream.body).into_owned(),
            });
        }
        None
    }
}

fn code_of(payload: &[u8]) -> u32 {
    u32::from_be_bytes(payload[..4].try_into().unwrap())
}

/// RFC 7541 section 5.2, without Huffman's code.
fn push_string(text: &[u8], block: &mut Vec<u8>) {
    if text.len() < 127 {
        block.push(u8::try_from(text.len()).unwrap());
    } else {
        block.push(127);
        let mut rest = text.len() - 127;
        while rest >= 128 {
            block.push(u8::try_from(rest % 128).unwrap() | 128);
            rest /= 128;
        }
        block.push(u8::try_from(rest).unwrap());
    }
    block.extend(text);
}

/// The status, which is an answer's first field (RFC 9113 section 8.3).
fn status_of(block: &[u8]) -> u16 {
    // The table's size may change first (RFC 7541 section 6.3).
    let start = block.iter().position(|byte| byte & 0xe0 != 0x20).unwrap();
    match block[start..] {
        // Whole fields of the static table (RFC 7541 appendix A).
        [indexed @ 0x88..=0x8e, ..] => {
            [200, 204, 206, 304, 400, 404, 500][usize::from(indexed - 0x88)]
        }
        // The name `:status` alone.
        [0x08 | 0x18 | 0x48, length, ref text @ ..] if length & 0x80 == 0 => {
            std::str::from_utf8(&text[..3]).unwrap().parse().unwrap()
        }
        [0x08 | 0x18 | 0x48, _, ref text @ ..] => huffman_digits(text),
        _ => panic!("no status first: {block:x?}"),
    }
}

/// Three digits in Huffman's code (RFC 7541 appendix B): 0 to 2 have five bits, the others six.
fn huffman_digits(text: &[u8]) -> u16 {
    let bits: Vec<u8> = text
        .iter()
        .flat_map(|byte| (0..8).rev().map(move |at| byte >> at & 1))
        .collect();
    let number = |bits: &[u8]| {
        bits.iter()
            .fold(0_u16, |number, bit| number * 2 + u16::from(*bit))
    };
    let mut at = 0;
    (0..3).fold(0, |status, _| {
        let short = number(&bits[at..at + 5]);
        let digit = if short < 3 {
            short
        } else {
            number(&bits[at..at + 6]) - 0b01_1001 + 3
        };
        at += if short < 3 { 5 } else { 6 };
        status * 10 + digit
    })
}
