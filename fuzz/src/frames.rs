//! The frames of an HTTP/2 connection, as they are counted against floods. Input: a byte that says in
//! pieces of how many bytes it comes (its upper half of values: with a client's preface), then what goes
//! over the connection.

use palisade_proxy::frames::{DATA, Frame, Frames, HEADERS, RST_STREAM};

use crate::Outcome;

/// What a client sends before its first frame (RFC 9113 section 3.4).
const PREFACE_BYTES: usize = 24;

/// Any split finds the frames that are found by reading from head to head. Accepted: there is one.
pub fn check(data: &[u8]) -> Outcome {
    let Some((how, bytes)) = data.split_first() else {
        return Outcome::Refused;
    };
    let is_client = how & 0x80 != 0;
    let expected = from_head_to_head(bytes, if is_client { PREFACE_BYTES } else { 0 });
    for piece in [bytes.len(), 1, usize::from(how & 0x7f)] {
        let found = in_pieces(bytes, piece.max(1), is_client);
        assert_eq!(found, expected, "in pieces of {piece}");
    }
    match expected.is_empty() {
        true => Outcome::Refused,
        false => Outcome::Accepted,
    }
}

fn in_pieces(bytes: &[u8], piece: usize, is_client: bool) -> Vec<Frame> {
    let mut frames = match is_client {
        true => Frames::of_client(),
        false => Frames::default(),
    };
    let mut found = Vec::new();
    for bytes in bytes.chunks(piece) {
        frames.read(bytes, |frame| found.push(frame));
    }
    for frame in &found {
        let may_end = frame.kind == DATA || frame.kind == HEADERS;
        assert_eq!(frame.ends_message(), may_end && frame.flags & 1 == 1);
    }
    found
}

/// The frames whose heads are whole, the payload of a reset among that, from `at` on.
fn from_head_to_head(bytes: &[u8], mut at: usize) -> Vec<Frame> {
    let mut frames = Vec::new();
    while let Some([l0, l1, l2, kind, flags, s0, s1, s2, s3]) = array(bytes, at) {
        let payload_bytes = number([0, l0, l1, l2]);
        at += 9;
        let mut code = 0;
        if kind == RST_STREAM && payload_bytes == 4 {
            let Some(payload) = array(bytes, at) else {
                break;
            };
            code = number(payload);
        }
        frames.push(Frame {
            kind,
            flags,
            stream: number([s0, s1, s2, s3]) % (1 << 31),
            payload_bytes,
            code,
        });
        at = at.saturating_add(usize::try_from(payload_bytes).unwrap_or(usize::MAX));
    }
    frames
}

fn array<const LEN: usize>(bytes: &[u8], at: usize) -> Option<[u8; LEN]> {
    bytes.get(at..)?.first_chunk().copied()
}

fn number(bytes: [u8; 4]) -> u32 {
    bytes
        .into_iter()
        .fold(0, |number, byte| number * 256 + u32::from(byte))
}
