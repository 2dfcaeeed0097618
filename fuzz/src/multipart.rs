//! Multipart bodies. Input: the value of `Content-Type`, a line feed, then the body.

use palisade_body::{Limits, MultipartFlags, Scratch, multipart};

use crate::Outcome;
use crate::told::{Told, check_parser};

const CONTENT_TYPE: &[u8] = b"multipart/form-data; boundary=----------------------------again";

const HEADER_LINE_BYTES_MAX: usize = 4095;

/// Contents are as the body has them; what is read without a doubt can be written and read again; a
/// beginning tells the beginning.
pub fn check(data: &[u8]) -> Outcome {
    let mut lines = data.splitn(2, |byte| *byte == b'\n');
    let content_type = lines.next().unwrap_or_default();
    let body = lines.next().unwrap_or_default();
    let (told, outcome) = read(content_type, body);
    let is_strict = outcome.multipart.contains(MultipartFlags::ERROR);
    assert!(!is_strict || outcome.error.is_some());
    for told in &told {
        let (Told::Argument(_, content) | Told::File(_, _, _, content)) = told else {
            unreachable!("multipart holds {told:?}");
        };
        let is_there =
            content.is_empty() || body.windows(content.len()).any(|part| part == content);
        assert!(is_there, "{} isn't in the body", content.escape_ascii());
    }
    if outcome.error.is_some() || outcome.multipart.is_strict_error() {
        return Outcome::Refused;
    }
    let written = write(&told);
    if written
        .split(|byte| *byte == b'\n')
        .any(|line| line.len() >= HEADER_LINE_BYTES_MAX)
    {
        // Escapes can make a header line longer than one may be.
        return Outcome::Accepted;
    }
    let (again, outcome) = read(CONTENT_TYPE, &written);
    assert_eq!(outcome.error, None);
    assert!(!outcome.multipart.is_strict_error());
    assert_eq!(again, told);
    Outcome::Accepted
}

fn read(content_type: &[u8], body: &[u8]) -> (Vec<Told>, palisade_body::Outcome) {
    let limits = Limits::default();
    check_parser(body, |body, sink| {
        multipart::parse(body, content_type, &limits, &mut Scratch::new(), sink)
    })
}

fn write(parts: &[Told]) -> Vec<u8> {
    let mut body = Vec::new();
    let mut parts = parts.iter().peekable();
    while let Some(part) = parts.next() {
        let (name, file_name, extended_name, content) = match part {
            Told::File(field, name, extended, content) => {
                if name.is_none() {
                    // Told as an argument too.
                    parts.next();
                }
                (field, name.as_ref(), extended.as_ref(), content)
            }
            Told::Argument(name, content) => (name, None, None, content),
            Told::Text(_) | Told::Attribute(_) => continue,
        };
        body.extend(
            b"------------------------------again\r\nContent-Disposition: form-data; name=",
        );
        quote(name, &mut body);
        if let Some(name) = file_name {
            body.extend(b"; filename=");
            quote(name, &mut body);
        }
        if let Some(name) = extended_name {
            body.extend(b"; filename*=utf-8''");
            body.extend(
                name.iter()
                    .flat_map(|byte| format!("%{byte:02x}").into_bytes()),
            );
        }
        body.extend(b"\r\n\r\n");
        body.extend(content);
        body.extend(b"\r\n");
    }
    body.extend(b"------------------------------again--\r\n");
    body
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
