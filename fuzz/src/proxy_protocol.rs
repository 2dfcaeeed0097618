//! The PROXY protocol codec. Input: the first bytes of a connection.

use palisade_client_address::proxy_protocol::{
    Decoded, HEADER_BYTES_MAX, ProxyHeader, TLVS_MAX, Tlvs, UNIQUE_ID_BYTES_MAX, decode, encode_v1,
    encode_v2,
};

use crate::{Outcome, check_message, prefix};

/// Any split gives the same answer, no byte behind the header is asked for or looked at, and what
/// was read can be written and read again.
pub fn check(data: &[u8]) -> Outcome {
    let whole = decode(data);
    for len in 0..=data.len().min(HEADER_BYTES_MAX) {
        match decode(prefix(data, len)) {
            Ok(Decoded::NeedMore { at_least }) => check_need(len, at_least, &whole),
            answer => assert_eq!(answer, whole, "the first {len} bytes say something else"),
        }
    }
    match whole {
        Ok(Decoded::Header { header, len }) => {
            assert!(len <= data.len().min(HEADER_BYTES_MAX));
            check_header(&header);
            Outcome::Accepted
        }
        Ok(_) => Outcome::Refused,
        Err(error) => {
            check_message(&error.to_string());
            assert!(!error.reason().is_empty());
            Outcome::Refused
        }
    }
}

/// A reader that fills its buffer to `at_least` gets on, and never beyond the header.
fn check_need<E>(len: usize, at_least: usize, whole: &Result<Decoded, E>) {
    assert!(
        at_least > len && at_least <= HEADER_BYTES_MAX,
        "{len} bytes need {at_least}"
    );
    match whole {
        Ok(Decoded::Header { len: header, .. }) => {
            assert!(
                at_least <= *header,
                "{len} bytes of a header of {header} need {at_least}"
            );
        }
        Ok(Decoded::NeedMore { at_least: more }) => assert!(at_least <= *more),
        _ => {}
    }
}

fn check_header(header: &ProxyHeader) {
    if let Some(tlvs) = header.tlvs() {
        check_tlvs(tlvs);
    }
    let ProxyHeader::Proxied {
        source,
        destination,
        ..
    } = header
    else {
        return;
    };
    let expected = ProxyHeader::Proxied {
        source: *source,
        destination: *destination,
        tlvs: Tlvs::default(),
    };
    for encode in [encode_v1, encode_v2] {
        let mut written = Vec::new();
        encode(*source, *destination, &mut written);
        let again = decode(&written);
        let expected = Decoded::Header {
            header: expected.clone(),
            len: written.len(),
        };
        assert_eq!(again, Ok(expected), "written as {}", written.escape_ascii());
    }
}

fn check_tlvs(tlvs: &Tlvs) {
    assert!(tlvs.iter().count() <= TLVS_MAX);
    assert_eq!(tlvs.is_empty(), tlvs.iter().next().is_none());
    assert!(
        tlvs.unique_id()
            .is_none_or(|id| id.len() <= UNIQUE_ID_BYTES_MAX)
    );
    let texts = [tlvs.alpn(), tlvs.authority(), tlvs.netns()];
    assert!(
        texts
            .iter()
            .flatten()
            .all(|text| text.len() < HEADER_BYTES_MAX)
    );
    if let Some(ssl) = tlvs.ssl() {
        let texts = [
            ssl.version(),
            ssl.common_name(),
            ssl.cipher(),
            ssl.signature_algorithm(),
            ssl.key_algorithm(),
        ];
        assert!(
            texts
                .iter()
                .flatten()
                .all(|text| text.len() < HEADER_BYTES_MAX)
        );
    }
}
