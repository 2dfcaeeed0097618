//! The head of an answer over HTTP/1.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use httparse::{ParserConfig, Status};
use pingora_http::{ResponseHeader, header_value_from_raw};
use smallvec::SmallVec;

use super::body::{Body, Chunks, Malformed};

/// The most fields of a head.
const FIELDS_MAX: usize = 256;

/// The most bytes of a head.
pub(super) const HEAD_BYTES_MAX: usize = 1024 * 1024;

/// What of a request its answer depends on.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    pub(super) is_head: bool,
    pub(super) wants_upgrade: bool,
}

/// Where fields are in the bytes of a head.
type Places = SmallVec<[(usize, usize, usize, usize); 32]>;

/// Takes a whole head off `received`; `None` as long as there isn't one.
///
/// Names keep their letter case. Of what RFC 9112 lets a proxy mend, white space before a colon (section
/// 5.1) and folded lines (section 5.2) are.
pub(super) fn take_head(received: &mut BytesMut) -> Result<Option<Box<ResponseHeader>>, Malformed> {
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
    let begin = received.as_ptr() as usize;
    let place = |text: &[u8]| (text.as_ptr() as usize).saturating_sub(begin);
    let places = answer.headers.iter().map(|field| {
        let (name, value) = (field.name.as_bytes(), field.value);
        (place(name), name.len(), place(value), value.len())
    });
    let places: Places = places.collect();
    let status = answer.code.ok_or(Malformed)?;
    let head = ResponseHeader::build(status, Some(places.len()));
    let mut head = Box::new(head.map_err(|_| Malformed)?);
    head.set_version(match answer.version {
        Some(1) => Version::HTTP_11,
        _ => Version::HTTP_10,
    });
    head.set_reason_phrase(answer.reason)
        .map_err(|_| Malformed)?;
    let bytes = received.split_to(length).freeze();
    for (name, name_length, value, value_length) in places {
        let name = slice(&bytes, name, name_length)?;
        let value = header_value_from_raw(slice(&bytes, value, value_length)?);
        head.append_header(name, value).map_err(|_| Malformed)?;
    }
    Ok(Some(head))
}

fn slice(bytes: &Bytes, begin: usize, length: usize) -> Result<Bytes, Malformed> {
    let end = begin.saturating_add(length);
    let is_there = begin <= end && end <= bytes.len();
    is_there.then(|| bytes.slice(begin..end)).ok_or(Malformed)
}

/// How the body is delimited that follows `head` (RFC 9112 section 6.3), which keeps no length that doesn't
/// count.
pub(super) fn body_of(head: &mut ResponseHeader, asked: Asked) -> Result<Body, Malformed> {
    let is_coded = head.headers.contains_key(header::TRANSFER_ENCODING);
    let length = match is_coded {
        true => {
            head.remove_header(&header::CONTENT_LENGTH);
            None
        }
        false => content_length(&head.headers)?,
    };
    Ok(match head.status {
        StatusCode::SWITCHING_PROTOCOLS => Body::UntilClose,
        StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Body::Length(0),
        _ if asked.is_head => Body::Length(0),
        _ if is_chunked(&head.headers) => Body::Chunked(Chunks::default()),
        _ => length.map_or(Body::UntilClose, Body::Length),
    })
}

/// All values, in as many fields and lists as they come, must be one (RFC 9112 section 6.3).
fn content_length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut length = None;
    for value in headers.get_all(header::CONTENT_LENGTH) {
        for value in value.as_bytes().split(|byte| *byte == b',') {
            let value = digits(value.trim_ascii()).ok_or(Malformed)?;
            if length.is_some_and(|length| length != value) {
                return Err(Malformed);
            }
            length = Some(value);
        }
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

/// Whether `chunked` is the last of the codings.
fn is_chunked(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let last = codings.last().map_or(&[][..], HeaderValue::as_bytes);
    let last = last.rsplit(|byte| *byte == b',').next();
    last.is_some_and(|last| last.trim_ascii().eq_ignore_ascii_case(b"chunked"))
}

/// Whether the backend lets its connection live after an answer (RFC 9112 sections 6.1 and 9.3).
pub(super) fn keeps_connection(head: &ResponseHeader) -> bool {
    let (mut close, mut keep_alive) = (false, false);
    for value in head.headers.get_all(header::CONNECTION) {
        for option in value.as_bytes().split(|byte| *byte == b',') {
            close |= option.trim_ascii().eq_ignore_ascii_case(b"close");
            keep_alive |= option.trim_ascii().eq_ignore_ascii_case(b"keep-alive");
        }
    }
    let is_old = head.version != Version::HTTP_11;
    let is_odd = is_old && head.headers.contains_key(header::TRANSFER_ENCODING);
    !close && !is_odd && (keep_alive || !is_old)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Asked = Asked {
        is_head: false,
        wants_upgrade: false,
    };

    fn parse(sent: &str) -> Result<Option<Box<ResponseHeader>>, Malformed> {
        take_head(&mut BytesMut::from(sent))
    }

    fn wire(head: &ResponseHeader) -> String {
        let mut wire = Vec::new();
        head.header_to_h1_wire(&mut wire);
        String::from_utf8_lossy(&wire).into_owned()
    }

    #[test]
    fn a_head_keeps_what_it_says() {
        let sent =
            "HTTP/1.1 200 Fine\r\nX-CamelCase: a \r\nset-cookie: 1\r\nSet-Cookie: 2\r\n\r\nbody";
        let mut received = BytesMut::from(sent);
        let head = take_head(&mut received).unwrap().unwrap();
        assert_eq!(
            (head.status.as_u16(), head.version),
            (200, Version::HTTP_11)
        );
        assert_eq!(head.get_reason_phrase(), Some("Fine"));
        assert_eq!(
            wire(&head),
            "X-CamelCase: a\r\nset-cookie: 1\r\nSet-Cookie: 2\r\n"
        );
        assert_eq!(&received[..], b"body");
    }

    #[test]
    fn a_head_is_whole_at_its_empty_line() {
        let sent = "HTTP/1.0 404 Not Found\r\nA: b\r\n\r\n";
        for end in 0..sent.len() {
            assert!(
                matches!(parse(&sent[..end]), Ok(None)),
                "{:?}",
                &sent[..end]
            );
        }
        let head = parse(sent).unwrap().unwrap();
        assert_eq!(
            (head.status.as_u16(), head.version),
            (404, Version::HTTP_10)
        );
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
        let head = parse(sent).unwrap().unwrap();
        assert_eq!(wire(&head), "folded: a b\r\nspaced: c\r\n");
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
        let mut head = parse(&sent).unwrap().unwrap();
        assert_eq!(body_of(&mut head, asked), expected, "{sent}");
        assert_eq!(keeps_connection(&head), keeps, "{sent}");
        let codes = head.headers.contains_key("transfer-encoding");
        assert!(!codes || !head.headers.contains_key("content-length"));
    }

    #[test]
    fn how_a_body_is_delimited() {
        const OK: &str = "HTTP/1.1 200 OK";
        let head = Asked {
            is_head: true,
            ..GET
        };
        let (none, chunked) = (Ok(Body::Length(0)), Ok(Body::Chunked(Chunks::Size)));
        let until_close = Ok(Body::UntilClose);
        check(GET, OK, "Content-Length: 5", Ok(Body::Length(5)), true);
        check(
            GET,
            OK,
            "Content-Length: 5, 5\r\nContent-Length: 5",
            Ok(Body::Length(5)),
            true,
        );
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
            check(
                GET,
                OK,
                &format!("Content-Length: {bad}"),
                Err(Malformed),
                true,
            );
        }
        check(GET, OK, "Transfer-Encoding: chunked", chunked, true);
        check(GET, OK, "Transfer-Encoding: gzip, Chunked", chunked, true);
        check(
            GET,
            OK,
            "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
            chunked,
            true,
        );
        check(
            GET,
            OK,
            "Transfer-Encoding: chunked\r\nContent-Length: x",
            chunked,
            true,
        );
        check(
            GET,
            OK,
            "Transfer-Encoding: chunked, gzip",
            until_close,
            true,
        );
        check(GET, OK, "A: b", until_close, true);
        check(head, OK, "Content-Length: 5", none, true);
        check(head, OK, "Transfer-Encoding: chunked", none, true);
        check(
            GET,
            "HTTP/1.1 204 No Content",
            "Content-Length: 5",
            none,
            true,
        );
        check(
            GET,
            "HTTP/1.1 304 Not Modified",
            "Transfer-Encoding: chunked",
            none,
            true,
        );
        check(
            GET,
            "HTTP/1.0 200 OK",
            "Transfer-Encoding: chunked\r\nConnection: keep-alive",
            chunked,
            false,
        );
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
    }
}
