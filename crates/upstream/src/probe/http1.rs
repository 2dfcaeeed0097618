//! A check's request over HTTP/1.1.

use palisade_transport::Connection;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{HEAD_BYTES_MAX, USER_AGENT};
use crate::settings::HttpProbe;

/// The status of the final answer; `None` when there is no such thing.
pub(super) async fn status(
    mut connection: Connection,
    probe: &HttpProbe,
    host: &str,
) -> std::io::Result<Option<u16>> {
    let request = format!(
        "{} {} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {USER_AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
        probe.method().as_str(),
        probe.path(),
    );
    connection.write_all(request.as_bytes()).await?;
    connection.flush().await?;
    let mut head = Vec::with_capacity(1024);
    let mut piece = [0; 1024];
    loop {
        match parse(&head) {
            Parsed::Final(status) => return Ok(Some(status)),
            Parsed::Nonsense => return Ok(None),
            Parsed::Informational(bytes) => drop(head.drain(..bytes)),
            Parsed::Partial => {
                let length = connection.read(&mut piece).await?;
                if length == 0 || head.len() >= usize::from(HEAD_BYTES_MAX) {
                    return Ok(None);
                }
                head.extend_from_slice(piece.get(..length).unwrap_or_default());
            }
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Parsed {
    Final(u16),
    /// An answer that another one follows (RFC 9110 section 15.2), of this many bytes.
    Informational(usize),
    Partial,
    Nonsense,
}

/// Looks at what came of an answer (RFC 9112 section 4).
fn parse(bytes: &[u8]) -> Parsed {
    const VERSION: &[u8] = b"HTTP/1.";
    let prefix = bytes.get(..VERSION.len()).unwrap_or(bytes);
    if !VERSION.starts_with(prefix) {
        return Parsed::Nonsense;
    }
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Parsed::Partial;
    };
    let mut words = bytes.split(|byte| matches!(byte, b' ' | b'\r'));
    let status = words.nth(1).and_then(|word| std::str::from_utf8(word).ok());
    let status = status.filter(|word| word.len() == 3);
    match status.and_then(|word| word.parse().ok()) {
        // Nobody asked for another protocol.
        Some(100..=199_u16) => Parsed::Informational(end.saturating_add(4)),
        Some(status @ 200..=599) => Parsed::Final(status),
        _ => Parsed::Nonsense,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(bytes: &str, expected: Parsed) {
        assert_eq!(parse(bytes.as_bytes()), expected, "{bytes:?}");
    }

    #[test]
    fn an_answer_has_a_status() {
        check("", Parsed::Partial);
        check("HTT", Parsed::Partial);
        check("HTTP/1.1 200 OK\r\nA: b\r\n", Parsed::Partial);
        check("HTTP/1.1 200 OK\r\n\r\nbody", Parsed::Final(200));
        check("HTTP/1.0 404\r\n\r\n", Parsed::Final(404));
        check(
            "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
            Parsed::Informational(28),
        );
        for nonsense in [
            "SSH-2.0",
            "HTTP/2",
            "HTTP/1.1\r\n\r\n",
            "HTTP/1.1 20 OK\r\n\r\n",
            "HTTP/1.1 +20 OK\r\n\r\n",
            "HTTP/1.1 999 OK\r\n\r\n",
        ] {
            check(nonsense, Parsed::Nonsense);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_at(bytes: Vec<u8>, begins in prop::sample::select(vec![&b""[..], b"HTTP/1.1 ", b"HTTP/1.1 103 x\r\n\r\n"])) {
            let bytes = [begins, &bytes].concat();
            match parse(&bytes) {
                Parsed::Final(status) => prop_assert!((200..=599).contains(&status)),
                // Otherwise a check would look at the same bytes for ever.
                Parsed::Informational(len) => prop_assert!(0 < len && len <= bytes.len()),
                Parsed::Partial | Parsed::Nonsense => {}
            }
        }

        #[test]
        fn an_answer_is_partial_until_its_head_ends(status in 200_u16..600, reason in "[ -~]{0,10}", field in "[A-Za-z]{1,8}: [ -~]{0,8}") {
            let head = format!("HTTP/1.1 {status} {reason}\r\n{field}\r\n\r\n");
            for end in 0..head.len() {
                prop_assert_eq!(parse(&head.as_bytes()[..end]), Parsed::Partial);
            }
            prop_assert_eq!(parse(head.as_bytes()), Parsed::Final(status));
        }
    }
}
