//! Where a body ends over HTTP/1 (RFC 9112 sections 6 and 7).

use httparse::{Status, parse_chunk_size};

/// The most bytes of one chunk's size and extensions.
const CHUNK_HEAD_BYTES_MAX: usize = 8 * 1024;

/// The most bytes of the trailer section, which is dropped.
const TRAILER_BYTES_MAX: usize = 64 * 1024;

/// Not a message, or not a body, as HTTP/1 has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// What is to come of a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Body {
    /// So many bytes; none is the end.
    Length(u64),
    Chunked(Chunks),
    /// Everything, until the connection ends.
    UntilClose,
}

/// What comes next of a chunked body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Chunks {
    /// The size of a chunk.
    #[default]
    Size,
    /// So many bytes of data.
    Data(u64),
    /// The line end behind the data.
    DataEnd,
    /// The trailer section, of which so many bytes came.
    Trailers(usize),
    Done,
}

/// What is next in bytes of a body that were received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Data: so many bytes, behind so many that only frame it.
    Part { skip: usize, length: usize },
    /// Nothing behind so many bytes until more are received.
    More { skip: usize },
    /// The end, behind so many bytes.
    End { skip: usize },
}

impl Body {
    /// Takes what is next in `received`, which begins with what wasn't taken before.
    pub(crate) fn next(&mut self, received: &[u8]) -> Result<Step, Malformed> {
        let length = match self {
            Self::Length(0) => return Ok(Step::End { skip: 0 }),
            Self::Chunked(chunks) => return chunks.next(received),
            _ if received.is_empty() => return Ok(Step::More { skip: 0 }),
            Self::Length(left) => take(left, received.len()),
            Self::UntilClose => received.len(),
        };
        Ok(Step::Part { skip: 0, length })
    }

    /// Takes the end of the connection; whether the body may end so.
    pub(crate) fn end_of_connection(&mut self) -> bool {
        let may_end = *self == Self::UntilClose;
        if may_end {
            *self = Self::Length(0);
        }
        may_end
    }

    /// Whether nothing is to come.
    pub(crate) fn is_over(&self) -> bool {
        matches!(self, Self::Length(0) | Self::Chunked(Chunks::Done))
    }

    /// How many bytes are to come at most.
    pub(crate) fn bytes_left_max(&self) -> u64 {
        match self {
            Self::Length(left) => *left,
            Self::Chunked(_) | Self::UntilClose => u64::MAX,
        }
    }
}

impl Chunks {
    fn next(&mut self, received: &[u8]) -> Result<Step, Malformed> {
        let mut skip = 0;
        loop {
            let rest = received.get(skip..).unwrap_or_default();
            let framing = match self {
                Self::Size => self.size(rest)?,
                Self::Data(_) if rest.is_empty() => None,
                Self::Data(left) => {
                    let length = take(left, rest.len());
                    if *left == 0 {
                        *self = Self::DataEnd;
                    }
                    return Ok(Step::Part { skip, length });
                }
                Self::DataEnd => self.data_end(rest)?,
                Self::Trailers(_) => self.trailer(rest)?,
                Self::Done => return Ok(Step::End { skip }),
            };
            match framing {
                Some(length) => skip += length,
                None => return Ok(Step::More { skip }),
            }
        }
    }

    /// How long the line of the size is, once it is whole.
    fn size(&mut self, rest: &[u8]) -> Result<Option<usize>, Malformed> {
        // To `httparse` an empty line is the size 0.
        if rest.first().is_some_and(|byte| !byte.is_ascii_hexdigit()) {
            return Err(Malformed);
        }
        match parse_chunk_size(rest) {
            Ok(Status::Complete((length, 0))) => {
                *self = Self::Trailers(0);
                Ok(Some(length))
            }
            Ok(Status::Complete((length, size))) => {
                *self = Self::Data(size);
                Ok(Some(length))
            }
            Ok(Status::Partial) if rest.len() <= CHUNK_HEAD_BYTES_MAX => Ok(None),
            Ok(Status::Partial) | Err(_) => Err(Malformed),
        }
    }

    fn data_end(&mut self, rest: &[u8]) -> Result<Option<usize>, Malformed> {
        match rest {
            [b'\r', b'\n', ..] => {
                *self = Self::Size;
                Ok(Some(2))
            }
            [] | [b'\r'] => Ok(None),
            _ => Err(Malformed),
        }
    }

    /// How long a line of the trailers is, once it is whole; the empty one is the last.
    fn trailer(&mut self, rest: &[u8]) -> Result<Option<usize>, Malformed> {
        let Self::Trailers(before) = *self else {
            return Err(Malformed);
        };
        let length = memchr::memchr(b'\n', rest).map(|at| at + 1);
        let so_far = before.saturating_add(length.unwrap_or(rest.len()));
        if so_far > TRAILER_BYTES_MAX {
            return Err(Malformed);
        }
        let Some(length) = length else {
            return Ok(None);
        };
        *self = match rest.get(..length) {
            Some(b"\r\n") => Self::Done,
            Some([.., b'\r', b'\n']) => Self::Trailers(so_far),
            _ => return Err(Malformed),
        };
        Ok(Some(length))
    }
}

/// The line before a chunk of data: its size in hexadecimal (RFC 9112 section 7.1), without allocating.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ChunkHead {
    bytes: [u8; 18],
    begin: usize,
}

impl ChunkHead {
    /// That of a chunk of so many bytes.
    pub(crate) fn of(length: usize) -> Self {
        let mut bytes = [0; 18];
        let (mut begin, mut left) = (bytes.len(), length);
        let mut push = |byte| {
            begin -= 1;
            if let Some(place) = bytes.get_mut(begin) {
                *place = byte;
            }
        };
        push(b'\n');
        push(b'\r');
        loop {
            let digit = char::from_digit((left % 16) as u32, 16).unwrap_or('0');
            push(digit as u8);
            left /= 16;
            if left == 0 {
                break;
            }
        }
        Self { bytes, begin }
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.begin..).unwrap_or_default()
    }
}

/// Takes up to `there` of what is `left`; how much that was.
fn take(left: &mut u64, there: usize) -> usize {
    let taken = usize::try_from(*left).map_or(there, |left| left.min(there));
    *left -= taken as u64;
    taken
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a body says that comes in pieces of `step` bytes, and what is left behind its end.
    fn read(
        mut body: Body,
        sent: &[u8],
        step: usize,
    ) -> Result<Option<(Vec<u8>, usize)>, Malformed> {
        let (mut said, mut from) = (Vec::new(), 0);
        let mut to = 0;
        loop {
            match body.next(&sent[from..to])? {
                Step::Part { skip, length } => {
                    assert!(length > 0, "no part is empty");
                    said.extend_from_slice(&sent[from + skip..from + skip + length]);
                    from += skip + length;
                }
                Step::End { skip } => {
                    assert!(body.is_over());
                    return Ok(Some((said, sent.len() - from - skip)));
                }
                Step::More { skip } if to == sent.len() => {
                    from += skip;
                    return Ok(body.end_of_connection().then_some((said, to - from)));
                }
                Step::More { skip } => {
                    from += skip;
                    to = sent.len().min(to + step);
                }
            }
        }
    }

    /// However it is cut into pieces.
    #[track_caller]
    fn check(body: Body, sent: &str, expected: Result<Option<(&str, usize)>, Malformed>) {
        let expected = expected.map(|end| end.map(|(said, left)| (said.as_bytes().to_vec(), left)));
        for step in [1, 2, 3, 7, sent.len().max(1)] {
            let got = read(body, sent.as_bytes(), step);
            assert_eq!(got, expected, "{sent:?} in pieces of {step}");
        }
    }

    #[test]
    fn lengths() {
        check(Body::Length(0), "", Ok(Some(("", 0))));
        check(Body::Length(3), "abc", Ok(Some(("abc", 0))));
        check(Body::Length(3), "ab", Ok(None));
        check(Body::UntilClose, "abc", Ok(Some(("abc", 0))));
        check(Body::UntilClose, "", Ok(Some(("", 0))));
        assert_eq!(
            read(Body::Length(2), b"abcd", 4),
            Ok(Some((b"ab".to_vec(), 2)))
        );
    }

    #[test]
    fn chunks() {
        let chunked = Body::Chunked(Chunks::default());
        check(chunked, "0\r\n\r\n", Ok(Some(("", 0))));
        check(chunked, "3\r\nabc\r\n0\r\n\r\n", Ok(Some(("abc", 0))));
        let all = "03;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: v\r\n U\r\n\r\n";
        check(chunked, all, Ok(Some(("abc0123456789", 0))));
        for cut in [
            "",
            "3",
            "3\r\nab",
            "3\r\nabc",
            "3\r\nabc\r\n",
            "0\r\n",
            "0\r\nT: v\r\n",
        ] {
            check(chunked, cut, Ok(None));
        }
        for bad in [
            "g\r\n",
            "\r\n",
            "-1\r\n",
            "0x3\r\nabc\r\n",
            "3\nabc\r\n",
            "3\r\nabcd\r\n",
            "3\r\nabc\n0\r\n\r\n",
            "3\r\nabc\r0\r\n\r\n",
            "0\r\n\n",
            "0\r\nT: v\n\r\n",
            "fffffffffffffffff\r\n",
        ] {
            check(chunked, bad, Err(Malformed));
        }
        assert_eq!(
            read(chunked, b"1\r\na\r\n0\r\n\r\nHTTP", 99),
            Ok(Some((b"a".to_vec(), 4))),
            "what follows isn't the body's"
        );
    }

    #[test]
    fn what_frames_chunks_has_bounds() {
        let chunked = Body::Chunked(Chunks::default());
        let long = |length| format!("0\r\n{}: v\r\n\r\n", "t".repeat(length));
        check(chunked, &long(TRAILER_BYTES_MAX - 8), Ok(Some(("", 0))));
        check(chunked, &long(TRAILER_BYTES_MAX), Err(Malformed));
        let endless = format!("1;{}", "e".repeat(CHUNK_HEAD_BYTES_MAX));
        check(chunked, &endless, Err(Malformed));
    }

    #[test]
    fn sizes_of_chunks() {
        for (length, expected) in [
            (0, "0\r\n"),
            (9, "9\r\n"),
            (0x1a2b, "1a2b\r\n"),
            (usize::MAX, "ffffffffffffffff\r\n"),
        ] {
            assert_eq!(ChunkHead::of(length).as_bytes(), expected.as_bytes());
        }
    }

    proptest! {
        #[test]
        fn what_is_chunked_comes_out(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8), step in 1_usize..50) {
            let mut sent = Vec::new();
            for part in &parts {
                sent.extend_from_slice(ChunkHead::of(part.len()).as_bytes());
                sent.extend_from_slice(part);
                sent.extend_from_slice(b"\r\n");
            }
            sent.extend_from_slice(b"0\r\n\r\n");
            let got = read(Body::Chunked(Chunks::default()), &sent, step);
            prop_assert_eq!(got, Ok(Some((parts.concat(), 0))));
        }

        #[test]
        fn nothing_panics(sent in prop::collection::vec(prop::sample::select(b"019af;\r\n Zx".to_vec()), 0..60), step in 1_usize..9) {
            let _ = read(Body::Chunked(Chunks::default()), &sent, step);
        }
    }
}
