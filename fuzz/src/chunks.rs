//! Chunked bodies. Input: what follows a head with `Transfer-Encoding: chunked`.

use palisade_hygiene::h1::ChunkCheck;

use crate::Outcome;

/// Any split gives the same answer, and a body that is accepted ends where another decoder says.
pub fn check(data: &[u8]) -> Outcome {
    let whole = ChunkCheck::default().feed(data);
    let (piecewise, end) = feed_byte_by_byte(data);
    assert_eq!(piecewise, whole);
    match whole {
        Ok(true) => {
            assert_eq!(end_by_httparse(data), Some(end));
            Outcome::Accepted
        }
        Ok(false) => {
            assert_eq!(
                end_by_httparse(data),
                None,
                "a whole body is not seen to be one"
            );
            Outcome::Refused
        }
        Err(refusal) => {
            assert_eq!(refusal.status(), 400);
            Outcome::Refused
        }
    }
}

/// The answer, and how many bytes it took.
fn feed_byte_by_byte(data: &[u8]) -> (Result<bool, palisade_hygiene::Refusal>, usize) {
    let mut check = ChunkCheck::default();
    for (at, byte) in data.iter().enumerate() {
        match check.feed(&[*byte]) {
            Ok(false) => {}
            answer => return (answer, at + 1),
        }
    }
    (Ok(false), data.len())
}

/// Where the body ends; `None` where it doesn't or can't be read.
fn end_by_httparse(data: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = data.get(at..)?;
        let Ok(httparse::Status::Complete((line_len, size))) = httparse::parse_chunk_size(rest)
        else {
            return None;
        };
        at += line_len;
        if size == 0 {
            break;
        }
        at = at.checked_add(usize::try_from(size).ok()?)?;
        at = data.get(at..)?.starts_with(b"\r\n").then_some(at + 2)?;
    }
    let mut fields = [httparse::EMPTY_HEADER; 1024];
    match httparse::parse_headers(data.get(at..)?, &mut fields) {
        Ok(httparse::Status::Complete((trailers_len, _))) => Some(at + trailers_len),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_decoder_finds_the_end() {
        assert_eq!(
            end_by_httparse(b"3;a\r\nabc\r\n0\r\nA: b\r\n\r\nX"),
            Some(21)
        );
        assert_eq!(end_by_httparse(b"3\r\nabc\r\n"), None);
        assert_eq!(end_by_httparse(b"0\r\n\r"), None);
    }
}
