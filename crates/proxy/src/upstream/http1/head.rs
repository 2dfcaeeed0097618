//! The head of an answer over HTTP/1.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, HeaderValue, StatusCode, Version, header};
use httparse::{ParserConfig, Status};
use pingora_http::header_value_from_raw;
use smallvec::SmallVec;

use crate::answer_head::AnswerHead;
use crate::framing::{Body, Chunks, Malformed};

/// The most fields of a head.
const FIELDS_MAX: usize = 256;

/// The most bytes of a head.
pub(super) const HEAD_BYTES_MAX: usize = 1024 * 1024;

/// What of a request its answer depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) is_head: bool,
    pub(crate) wants_upgrade: bool,
}

/// Where the values of fields, and their names, are in the bytes of a head.
type Places = SmallVec<[(HeaderName, [usize; 4]); 32]>;

/// Takes a whole head off `received`; `None` as long as there isn't one.
///
/// Names keep their letter case. Of what RFC 9112 lets a proxy mend, white space before a colon (section
/// 5.1) and folded lines (section 5.2) are.
pub(crate) fn take_head(
    received: &mut BytesMut,
) -> Result<Option<(AnswerHead, Version)>, Malformed> {
    let mut fields = [const { MaybeUninit::uninit() }; FIELDS_MAX];
    let mut answer = httparse::Response::new(&mut []);
    let mut parser = ParserConfig::default();
    parser.allow_spaces_after_header_name_in_responses(true);
    parser.allow_obsolete_multiline_headers_in_responses(true);
    let parsed = parser.parse_response_with_uninit_headers(&mut answer, received, &mut fields);
    let length = match parsed {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) => return Ok(None),
        Err(_) => return Err(Malformed),
    };
    let status = answer.code.and_then(|code| StatusCode::from_u16(code).ok());
    // With room for what is added on the way.
    let mut head = AnswerHead::new(status.ok_or(Malformed)?, answer.headers.len() + 4);
    head.set_reason(answer.reason.unwrap_or_default().as_bytes());
    let version = match answer.version {
        Some(1) => Version::HTTP_11,
        _ => Version::HTTP_10,
    };
    let begin = received.as_ptr() as usize;
    let place = |text: &[u8]| (text.as_ptr() as usize).saturating_sub(begin);
    let mut places = Places::new();
    for field in answer.headers.iter() {
        let (text, value) = (field.name.as_bytes(), field.value);
        let name = HeaderName::from_bytes(text).map_err(|_| Malformed)?;
        places.push((name, [place(text), text.len(), place(value), value.len()]));
    }
    let bytes = received.split_to(length).freeze();
    for (name, [spelling, name_length, value, value_length]) in places.drain(..) {
        let value = header_value_from_raw(part(&bytes, value, value_length));
        head.append(name, spelling..spelling.saturating_add(name_length), value);
    }
    head.set_sent(bytes);
    Ok(Some((head, version)))
}

fn part(bytes: &Bytes, begin: usize, length: usize) -> Bytes {
    let end = begin.saturating_add(length).min(bytes.len());
    bytes.slice(begin.min(end)..end)
}

/// How the body is delimited that follows `head` (RFC 9112 section 6.3), which keeps no length that doesn't
/// count.
pub(crate) fn body_of(head: &mut AnswerHead, asked: Asked) -> Result<Body, Malformed> {
    let is_coded = head.contains(&header::TRANSFER_ENCODING);
    let length = match is_coded {
        true => {
            head.remove(&header::CONTENT_LENGTH);
            None
        }
        false => content_length(head)?,
    };
    Ok(match head.status {
        StatusCode::SWITCHING_PROTOCOLS => Body::UntilClose,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Body::Length(0),
        _ if asked.is_head => Body::Length(0),
        _ if is_coded && !is_chunked(head) => return Err(Malformed),
        _ if is_coded => Body::Chunked(Chunks::default()),
        _ => length.map_or(Body::UntilClose, Body::Length),
    })
}

/// All values, in as many fields and lists as they come, must be one (RFC 9112 section 6.3), which is told once
/// from then on (RFC 9110 section 8.6).
fn content_length(head: &mut AnswerHead) -> Result<Option<u64>, Malformed> {
    let (mut length, mut count) = (None, 0_usize);
    for value in head.get_all(&header::CONTENT_LENGTH) {
        for value in value.as_bytes().split(|byte| *byte == b',') {
            let value = digits(value.trim_ascii()).ok_or(Malformed)?;
            if length.is_some_and(|length| length != value) {
                return Err(Malformed);
            }
            length = Some(value);
            count += 1;
        }
    }
    if let Some(length) = length.filter(|_| count > 1) {
        head.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    Ok(length)
}

fn digits(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0_u64, |number, byte| {
        let digit = char::from(*byte).to_digit(10)?;
        number.checked_mul(10)?.checked_add(digit.into())
    })
}

/// Whether `chunked` is the only coding. Another would have to be told to the client, or undone (RFC 9112 section
/// 6.1), which nobody asked for: no request that is passed on has `TE`.
fn is_chunked(head: &AnswerHead) -> bool {
    let fields = head.get_all(&header::TRANSFER_ENCODING);
    let mut codings = fields.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let is_chunked = |coding: &[u8]| coding.trim_ascii().eq_ignore_ascii_case(b"chunked");
    codings.next().is_some_and(is_chunked) && codings.next().is_none()
}

/// Whether the backend lets its connection live after an answer (RFC 9112 sections 6.1 and 9.3).
pub(crate) fn keeps_connection(head: &AnswerHead, version: Version) -> bool {
    let (mut close, mut keep_alive) = (false, false);
    for value in head.get_all(&header::CONNECTION) {
        for option in value.as_bytes().split(|byte| *byte == b',') {
            close |= option.trim_ascii().eq_ignore_ascii_case(b"close");
            keep_alive |= option.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
        }
    }
    let is_old = version != Version::HTTP_11;
    let is_odd = is_old && head.contains(&header::TRANSFER_ENCODING);
    !close && !is_odd && (keep_alive || !is_old)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Asked = Asked {
        is_head: false,
        wants_upgrade: false,
    };

    fn parse(sent: impl AsRef<[u8]>) -> Result<Option<(AnswerHead, Version)>, Malformed> {
        take_head(&mut BytesMut::from(sent.as_ref()))
    }

    fn wire(head: &AnswerHead) -> String {
        let mut wire = Vec::new();
        head.write_http1(&mut wire);
        String::from_utf8_lossy(&wire).into_owned()
    }

    #[test]
    fn a_head_keeps_what_it_says() {
        let sent =
            "HTTP/1.1 200 Fine\r\nX-CamelCase: a \r\nset-cookie: 1\r\nSet-Cookie: 2\r\n\r\nbody";
        let mut received = BytesMut::from(sent);
        let (head, version) = take_head(&mut received).unwrap().unwrap();
        assert_eq!((head.status.as_u16(), version), (200, Version::HTTP_11));
        let expected = "HTTP/1.1 200 Fine\r\nX-CamelCase: a\r\nset-cookie: 1\r\nSet-Cookie: 2\r\n";
        assert_eq!(wire(&head), expected);
        assert_eq!(&received[..], b"body");
    }

    #[test]
    fn a_head_is_whole_at_its_empty_line() {
        let sent = "HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n";
        for end in 0..sent.len() {
            let begun = parse(&sent.as_bytes()[..end]);
            assert!(matches!(begun, Ok(None)), "{end}");
        }
        let (head, version) = parse(sent).unwrap().unwrap();
        assert_eq!((head.status.as_u16(), version), (404, Version::HTTP_10));
    }

    #[test]
    fn what_is_no_head() {
        for bad in [
            "SSH-2.0-OpenSSH_9.2\r\n",
            "HTTP/2 200 OK\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
            "HTTP/1.1 200 OK\r\na\0: b\r\n\r\n",
            "HTTP/1.1 200 OK\r\n: b\r\n\r\n",
        ] {
            assert!(matches!(parse(bad), Err(Malformed)), "{bad:?}");
        }
        let many = format!(
            "HTTP/1.1 200 OK\r\n{}\r\n",
            "a: b\r\n".repeat(FIELDS_MAX + 1)
        );
        assert!(matches!(parse(&many), Err(Malformed)));
    }

    #[test]
    fn what_may_be_mended_is() {
        let sent = "HTTP/1.1 200 OK\r\nfolded: a\r\n b\r\nspaced : c\r\n\r\n";
        let (head, _) = parse(sent).unwrap().unwrap();
        assert_eq!(
            wire(&head),
            "HTTP/1.1 200 OK\r\nfolded: a b\r\nspaced: c\r\n"
        );
    }

    /// What follows a head with these fields, and whether its connection lives on.
    #[track_caller]
    fn check(
        asked: Asked,
        status: &str,
        fields: &str,
        expected: Result<Body, Malformed>,
        keeps: bool,
    ) {
        let sent = format!("{status}\r\n{fields}\r\n\r\n").replace("\r\n\r\n\r\n", "\r\n\r\n");
        let (mut head, version) = parse(&sent).unwrap().unwrap();
        assert_eq!(body_of(&mut head, asked), expected, "{sent}");
        assert_eq!(keeps_connection(&head, version), keeps, "{sent}");
        let is_coded = head.contains(&header::TRANSFER_ENCODING);
        let lengths = head.get_all(&header::CONTENT_LENGTH);
        let lengths: Vec<_> = lengths.map(HeaderValue::as_bytes).collect();
        match expected {
            Ok(Body::Length(5)) => assert_eq!(lengths, [b"5"], "{sent}"),
            _ => assert!(!is_coded || lengths.is_empty(), "{sent}"),
        }
    }

    #[test]
    fn a_body_has_one_length() {
        let check = |fields: &str, expected| check(GET, "HTTP/1.1 200 OK", fields, expected, true);
        check("Content-Length: 5", Ok(Body::Length(5)));
        let told_often = "Content-Length: 5, 5\r\nContent-Length: 5";
        check(told_often, Ok(Body::Length(5)));
        check("A: b", Ok(Body::UntilClose));
        for bad in [
            "",
            "+5",
            "-5",
            "5 6",
            "0x5",
            "5,6",
            "5\r\nContent-Length: 6",
            "18446744073709551616",
        ] {
            check(&format!("Content-Length: {bad}"), Err(Malformed));
        }
    }

    #[test]
    fn a_body_is_chunked_if_that_is_the_last_coding() {
        let check = |codings: &str, expected| {
            let fields = format!("Transfer-Encoding: {codings}");
            check(GET, "HTTP/1.1 200 OK", &fields, expected, true);
        };
        let chunked = Ok(Body::Chunked(Chunks::Size));
        check("chunked", chunked);
        check("Chunked ", chunked);
        check("chunked\r\nContent-Length: x", chunked);
        // What else there is would reach clients coded, and without a word of it.
        for coded in [
            "",
            "gzip",
            "identity",
            "gzip, chunked",
            "gzip\r\nTransfer-Encoding: chunked",
            "chunked, gzip",
            "chunked, chunked",
        ] {
            check(coded, Err(Malformed));
        }
    }

    #[test]
    fn some_answers_have_no_body() {
        let none = Ok(Body::Length(0));
        let head = Asked {
            is_head: true,
            ..GET
        };
        for fields in ["Content-Length: 5", "Transfer-Encoding: chunked"] {
            check(head, "HTTP/1.1 200 OK", fields, none, true);
            check(GET, "HTTP/1.1 204 No Content", fields, none, true);
            check(GET, "HTTP/1.1 304 Not Modified", fields, none, true);
        }
    }

    #[test]
    fn how_long_a_connection_lives() {
        let five = Ok(Body::Length(5));
        let check = |version: &str, connection: &str, keeps| {
            let fields = format!("Content-Length: 5\r\n{connection}");
            check(GET, &format!("HTTP/{version} 200 OK"), &fields, five, keeps);
        };
        check("1.1", "", true);
        check("1.1", "Connection: Close", false);
        check("1.1", "Connection: x, close", false);
        check("1.1", "Connection: x\r\nConnection: close", false);
        check("1.0", "", false);
        check("1.0", "Connection: Keep-Alive", true);
        check("1.0", "Connection: keep-alive, close", false);
        // RFC 9112 section 6.1: no server of HTTP/1.0 knows what it says there.
        let fields = "Transfer-Encoding: chunked\r\nConnection: keep-alive";
        let chunked = Ok(Body::Chunked(Chunks::Size));
        super::tests::check(GET, "HTTP/1.0 200 OK", fields, chunked, false);
    }
}
