//! Finds the frames in what goes over a connection that speaks HTTP/2 (RFC 9113 section 4.1).

/// The head of a frame.
const HEAD_BYTES: usize = 9;

// The kinds of frames (RFC 9113 section 6) that are told apart here.
/// DATA.
pub const DATA: u8 = 0;
/// HEADERS.
pub const HEADERS: u8 = 1;
/// RST_STREAM.
pub const RST_STREAM: u8 = 3;

/// The payload of RST_STREAM.
const CODE_BYTES: usize = 4;

/// Set on the DATA or HEADERS that end a message.
const END_STREAM: u8 = 1;

/// What a client sends before its first frame (RFC 9113 section 3.4).
const PREFACE_BYTES: usize = 24;

/// A frame that went over the connection, without its payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// As [`DATA`], [`HEADERS`], [`RST_STREAM`] or another.
    pub kind: u8,
    /// What they mean depends on the kind.
    pub flags: u8,
    /// The stream's number; 0 for frames of the connection.
    pub stream: u32,
    /// The length of the payload, whether it has come yet or not.
    pub payload_bytes: u32,
    /// Why a stream was reset (RFC 9113 section 7); 0 for other frames.
    pub code: u32,
}

impl Frame {
    /// Whether a message ends with it.
    #[must_use]
    pub fn ends_message(self) -> bool {
        matches!(self.kind, DATA | HEADERS) && self.flags & END_STREAM != 0
    }
}

/// Finds the ends of frames in a stream of bytes.
#[derive(Debug, Default)]
pub struct Frames {
    /// The beginning of a frame: its head, and all of it if it is a reset.
    head: [u8; HEAD_BYTES + CODE_BYTES],
    head_bytes: usize,
    /// What is left of the payload of a frame of another kind.
    skip: usize,
}

impl Frames {
    /// Those of a client, which begins with its preface.
    #[must_use]
    pub fn of_client() -> Self {
        Self {
            skip: PREFACE_BYTES,
            ..Self::default()
        }
    }

    /// Takes the next bytes in, and tells of each frame that begins in them; of a reset, of each that
    /// ends in them.
    ///
    /// Hot path: runs per read and write, allocates nothing; payloads are skipped.
    pub fn read(&mut self, bytes: &[u8], mut told: impl FnMut(Frame)) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let skipped = self.skip.min(rest.len());
            self.skip -= skipped;
            rest = rest.get(skipped..).unwrap_or_default();
            let Some((byte, tail)) = rest.split_first() else {
                return;
            };
            rest = tail;
            if let Some(place) = self.head.get_mut(self.head_bytes) {
                *place = *byte;
            }
            self.head_bytes += 1;
            self.end_head(&mut told);
        }
    }

    fn end_head(&mut self, told: &mut impl FnMut(Frame)) {
        if self.head_bytes < HEAD_BYTES {
            return;
        }
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3, code @ ..] = self.head;
        let payload_bytes = u32::from_be_bytes([0, l0, l1, l2]);
        let length = usize::try_from(payload_bytes).unwrap_or(usize::MAX);
        let has_code = kind == RST_STREAM && length == CODE_BYTES;
        if has_code && self.head_bytes < HEAD_BYTES + CODE_BYTES {
            return;
        }
        self.head_bytes = 0;
        self.skip = if has_code { 0 } else { length };
        told(Frame {
            kind,
            flags,
            // The first bit is reserved.
            stream: u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]),
            payload_bytes,
            code: if has_code {
                u32::from_be_bytes(code)
            } else {
                0
            },
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, 0, 0, 0, 0, stream], payload].concat()
    }

    #[test]
    fn frames_are_found_however_they_are_cut() {
        let bytes = [
            frame(HEADERS, 1, b"\x88"),
            frame(RST_STREAM, 1, &[0, 0, 0, 8]),
            frame(DATA, 3, &frame(RST_STREAM, 9, &[0, 0, 0, 1])),
            frame(4, 0, b""),
            frame(RST_STREAM, 5, &[0, 0, 0, 1]),
            // Of a wrong length: an error of the connection, but no reason to lose our place.
            frame(RST_STREAM, 7, b"abc"),
            frame(RST_STREAM, 11, b""),
            frame(DATA, 13, b"abc"),
        ]
        .concat();
        for piece in 1..bytes.len() {
            let (mut frames, mut found) = (Frames::default(), Vec::new());
            for bytes in bytes.chunks(piece) {
                frames.read(bytes, |frame| {
                    found.push((frame.kind, frame.stream, frame.code));
                });
            }
            let expected = [
                (HEADERS, 1, 0),
                (RST_STREAM, 1, 8),
                (DATA, 3, 0),
                (4, 0, 0),
                (RST_STREAM, 5, 1),
                (RST_STREAM, 7, 0),
                (RST_STREAM, 11, 0),
                (DATA, 13, 0),
            ];
            assert_eq!(found, expected, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_clients_preface_is_no_frame() {
        let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
        bytes.extend(frame(6, 0, &[0; 8]));
        let mut found = Vec::new();
        Frames::of_client().read(&bytes, |frame| found.push(frame.kind));
        assert_eq!(found, [6]);
    }

    #[test]
    fn a_message_ends_with_its_last_frame() {
        let ends = |kind, flags| {
            let mut bytes = frame(kind, 1, b"");
            bytes[4] = flags;
            let mut ends = false;
            Frames::default().read(&bytes, |frame| ends = frame.ends_message());
            ends
        };
        assert!(ends(DATA, END_STREAM));
        assert!(ends(HEADERS, 4 | END_STREAM));
        assert!(!ends(HEADERS, 4));
        assert!(!ends(6, 1), "a PING's first flag is ACK");
    }
}
