//! A chunked body, judged while its bytes arrive.

use crate::field::is_token_byte;
use crate::{Refusal, RefusalReason};

/// The most bytes of one chunk's extensions; a signed chunk of AWS has 85.
const EXTENSION_BYTES_MAX: u16 = 1024;

/// The most bytes of the trailer section.
const TRAILER_BYTES_MAX: u16 = 8 * 1024;

/// The most digits of a size, leading zeros included.
const SIZE_DIGITS_MAX: u8 = 16;

/// The largest chunk, since many servers count in 63 bits.
const SIZE_MAX: u64 = i64::MAX.unsigned_abs();

/// Holds a chunked body to the letter of RFC 9112 section 7.1.
///
/// It stands beside whatever decodes the body, and is stricter than decoders are: each line ends
/// with CR LF, a size is hexadecimal digits and at least one, extensions and trailers hold no
/// control bytes, and a trailer is a field. Where two servers disagree about any of these, one of
/// them takes the end of a body for the middle of it.
///
/// One value serves one body. What extensions and trailers say is nobody's business: they end here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ChunkCheck {
    state: State,
    /// Of the size: its digits. Else the bytes of extensions or trailers.
    counted: u16,
    /// The size while it is read, then how much of the chunk's data is still to come.
    data_bytes: u64,
}

/// What comes next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Size,
    /// White space before the `;` of an extension (`BWS`).
    BeforeExtension,
    Extension,
    SizeLineFeed,
    Data,
    DataCarriageReturn,
    DataLineFeed,
    TrailerStart,
    TrailerName,
    TrailerValue,
    TrailerLineFeed,
    LastLineFeed,
    /// What follows is not this body's.
    Done,
}

impl ChunkCheck {
    /// Takes the next bytes in; whether the body is over. Bytes behind its end are not looked at.
    ///
    /// Hot path: runs per read of a chunked body, allocates nothing. Data is skipped, all else is
    /// looked at byte by byte.
    ///
    /// # Errors
    /// [`RefusalReason::BodyMalformed`], and again for whatever follows.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<bool, Refusal> {
        let mut rest = bytes;
        loop {
            if self.state == State::Data {
                rest = self.skip_data(rest);
            }
            let [byte, tail @ ..] = rest else {
                return Ok(self.state == State::Done);
            };
            if self.state == State::Done {
                return Ok(true);
            }
            self.state = self.next(*byte).ok_or(RefusalReason::BodyMalformed)?;
            rest = tail;
        }
    }

    /// What follows the data in `bytes`.
    fn skip_data<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let here = usize::try_from(self.data_bytes).map_or(bytes.len(), |all| all.min(bytes.len()));
        self.data_bytes -= here as u64;
        if self.data_bytes == 0 {
            self.state = State::DataCarriageReturn;
        }
        bytes.get(here..).unwrap_or_default()
    }

    fn next(&mut self, byte: u8) -> Option<State> {
        Some(match (self.state, byte) {
            (State::Size, _) if byte.is_ascii_hexdigit() => self.digit(byte)?,
            (State::Size, b'\r' | b';' | b' ' | b'\t') if self.counted > 0 => {
                self.counted = 0;
                after_size(byte)?
            }
            (State::BeforeExtension, b' ' | b'\t' | b';') => {
                self.count(EXTENSION_BYTES_MAX)?;
                after_size(byte)?
            }
            (State::Extension, b'\r') => State::SizeLineFeed,
            (State::Extension, _) if is_text(byte) => {
                self.count(EXTENSION_BYTES_MAX)?;
                State::Extension
            }
            (State::SizeLineFeed, b'\n') => self.begin_chunk(),
            (State::DataCarriageReturn, b'\r') => State::DataLineFeed,
            (State::DataLineFeed, b'\n') => State::Size,
            _ => return self.next_of_trailers(byte),
        })
    }

    fn next_of_trailers(&mut self, byte: u8) -> Option<State> {
        let state = match (self.state, byte) {
            (State::TrailerStart, b'\r') => State::LastLineFeed,
            (State::TrailerStart | State::TrailerName, _) if is_token_byte(byte) => {
                State::TrailerName
            }
            (State::TrailerName, b':') => State::TrailerValue,
            (State::TrailerValue, b'\r') => State::TrailerLineFeed,
            (State::TrailerValue, _) if is_text(byte) => State::TrailerValue,
            (State::TrailerLineFeed, b'\n') => State::TrailerStart,
            (State::LastLineFeed, b'\n') => State::Done,
            _ => return None,
        };
        self.count(TRAILER_BYTES_MAX)?;
        Some(state)
    }

    fn digit(&mut self, digit: u8) -> Option<State> {
        self.count(SIZE_DIGITS_MAX.into())?;
        let value = char::from(digit).to_digit(16)?;
        // Sixteen digits fit 64 bits, so nothing is shifted out.
        self.data_bytes = self.data_bytes << 4 | u64::from(value);
        (self.data_bytes <= SIZE_MAX).then_some(State::Size)
    }

    fn begin_chunk(&mut self) -> State {
        self.counted = 0;
        match self.data_bytes {
            0 => State::TrailerStart,
            _ => State::Data,
        }
    }

    fn count(&mut self, max: u16) -> Option<()> {
        self.counted += 1;
        (self.counted <= max).then_some(())
    }
}

fn after_size(byte: u8) -> Option<State> {
    match byte {
        b'\r' => Some(State::SizeLineFeed),
        b';' => Some(State::Extension),
        b' ' | b'\t' => Some(State::BeforeExtension),
        _ => None,
    }
}

/// A byte of a field's value or an extension (RFC 9110 section 5.5): no control byte but tab.
const fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The length of the body at the start of `bytes`; `None` where it isn't over.
    fn judge(bytes: &[u8]) -> Result<Option<usize>, Refusal> {
        let mut check = ChunkCheck::default();
        for (at, byte) in bytes.iter().enumerate() {
            if check.feed(std::slice::from_ref(byte))? {
                return Ok(Some(at + 1));
            }
        }
        Ok(None)
    }

    #[track_caller]
    fn good(bytes: &str) {
        assert_eq!(judge(bytes.as_bytes()), Ok(Some(bytes.len())), "{bytes:?}");
    }

    #[track_caller]
    fn bad(bytes: impl AsRef<[u8]>) {
        let refusal = judge(bytes.as_ref()).unwrap_err();
        assert_eq!(refusal.reason, RefusalReason::BodyMalformed);
    }

    #[test]
    fn chunks() {
        good("0\r\n\r\n");
        good("3\r\nabc\r\n0\r\n\r\n");
        good("0003\r\nabc\r\na\r\n0123456789\r\nA\r\n0123456789\r\n000\r\n\r\n");
        good("2\r\n\r\n\r\n0\r\n\r\n");
        bad("\r\n\r\n");
        bad(" 3\r\n");
        bad("3 \r\n");
        bad("+3\r\n");
        bad("-3\r\n");
        bad("0x3\r\n");
        bad("g\r\n");
        bad("3\n");
        bad("3\r\r\n");
        bad("3\r\nabcd");
        bad("3\r\nabc\n");
        bad("3\r\nabc\r\r\n");
        bad("3\r\nabc0\r\n");
        bad("3\r\nabc\r\n\r\n");
        bad("0\r\n\n");
        assert_eq!(judge(b"7FFFFFFFFFFFFFFF\r\n"), Ok(None));
        bad("8000000000000000\r\n");
        assert_eq!(judge(b"0000000000000001\r\n"), Ok(None));
        bad("00000000000000001\r\n");
    }

    #[test]
    fn extensions() {
        good("3;x=y\r\nabc\r\n0;z\r\n\r\n");
        good("3 \t; x = \"y z\u{e4}\"; \t\r\nabc\r\n0\r\n\r\n");
        good("3;\r\nabc\r\n0\r\n\r\n");
        bad("3 x\r\n");
        bad("3;x\ny\r\n");
        bad("3;x\ry\r\n");
        bad("3;x\0\r\n");
        bad("3;x\x7f\r\n");
        bad(";x\r\n");
        let of = |bytes| format!("3;{}\r\nabc\r\n", "x".repeat(bytes));
        good(&format!("{}{}0\r\n\r\n", of(1024), of(1024)));
        bad(of(1025));
        bad(format!("3{};", " ".repeat(1030)));
    }

    #[test]
    fn trailers() {
        good("0\r\nX: y\r\nX-Y:\r\nz:\t\u{e4} \r\n\r\n");
        bad("0\r\nGET / HTTP/1.1\r\n\r\n");
        bad("0\r\nX\r\n");
        bad("0\r\nX : y\r\n");
        bad("0\r\n: y\r\n");
        bad("0\r\n X: y\r\n");
        bad("0\r\nX: y\r\n z\r\n");
        bad("0\r\nX: y\n");
        bad("0\r\nX: \0\r\n");
        bad("0\r\nX: y\rz\r\n");
        bad("0\r\nX: y\r\n\n");
        good(&format!("0\r\nX:{}\r\n\r\n", "y".repeat(8 * 1024 - 6)));
        bad(format!("0\r\nX:{}\r\n\r\n", "y".repeat(8 * 1024 - 5)));
    }

    #[test]
    fn what_follows_is_not_looked_at() {
        let mut check = ChunkCheck::default();
        assert_eq!(check.feed(b"1\r\na\r\n0\r\n\r\n\0\n\r"), Ok(true));
        assert_eq!(check.feed(b"\0\0"), Ok(true));
        assert_eq!(check.feed(b""), Ok(true));
        assert_eq!(ChunkCheck::default().feed(b""), Ok(false));
    }

    #[test]
    fn once_bad_is_always_bad() {
        let mut check = ChunkCheck::default();
        assert!(check.feed(b"3\r\nabcd").is_err());
        assert!(check.feed(b"0\r\n\r\n").is_err());
    }

    fn good_bodies() -> impl Strategy<Value = Vec<u8>> {
        let chunk = (
            prop::collection::vec(any::<u8>(), 1..40),
            "(;[a-z]{1,4}(=[a-z]{1,4})?)?",
        );
        let trailer = "([A-Za-z]{1,5}: [ -~]{0,9}\r\n){0,2}";
        (prop::collection::vec(chunk, 0..5), trailer).prop_map(|(chunks, trailer)| {
            let mut body = Vec::new();
            for (chunk, extension) in &chunks {
                body.extend(format!("{:x}{extension}\r\n", chunk.len()).bytes());
                body.extend(chunk);
                body.extend(b"\r\n");
            }
            body.extend(format!("0\r\n{trailer}\r\n").bytes());
            body
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]

        #[test]
        fn good_bodies_pass_however_they_are_cut(
            body in good_bodies(),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
        ) {
            prop_assert_eq!(judge(&body), Ok(Some(body.len())));
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(body.len())).collect();
            cuts.sort_unstable();
            let mut check = ChunkCheck::default();
            let mut from = 0;
            for cut in cuts {
                prop_assert_eq!(check.feed(&body[from..cut]), Ok(false));
                from = cut;
            }
            prop_assert_eq!(check.feed(&body[from..]), Ok(true));
        }

        /// Whatever passes, httparse's more lenient parser reads the same sizes from.
        #[test]
        fn what_passes_means_the_same_to_another_parser(
            bytes in prop::collection::vec(prop_oneof![
                Just(b"0\r\n".to_vec()), Just(b"3\r\n".to_vec()), Just(b"3;x\r\n".to_vec()),
                Just(b"abc\r\n".to_vec()), Just(b"\r\n".to_vec()), Just(b"X: y\r\n".to_vec()),
                prop::collection::vec(any::<u8>(), 0..3),
            ], 0..8),
        ) {
            let bytes = bytes.concat();
            let Ok(Some(length)) = judge(&bytes) else { return Ok(()) };
            let mut rest = &bytes[..length];
            loop {
                let parsed = httparse::parse_chunk_size(rest);
                let Ok(httparse::Status::Complete((start, size))) = parsed else {
                    panic!("{parsed:?} of {rest:?}");
                };
                let size = usize::try_from(size).unwrap();
                if size == 0 {
                    prop_assert!(rest.ends_with(b"\r\n\r\n") || rest[start..] == *b"\r\n");
                    break;
                }
                prop_assert_eq!(&rest[start + size..start + size + 2], b"\r\n");
                rest = &rest[start + size + 2..];
            }
        }

        #[test]
        fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..60)) {
            let _ = ChunkCheck::default().feed(&bytes);
        }
    }
}
