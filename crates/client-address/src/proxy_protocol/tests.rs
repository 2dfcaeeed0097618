//! Each rule of the specification, and properties over any bytes.

use std::net::SocketAddr;

use palisade_vocabulary::{ClientAddr, Ip, Provenance};
use proptest::prelude::*;

use super::*;

/// Decodes `input`, also cut at every byte and with bytes behind it, and compares a summary.
#[track_caller]
fn check(input: impl AsRef<[u8]>, expected: &str) {
    let input = input.as_ref();
    let whole = decode(input);
    assert_eq!(summary(&whole), expected, "{}", input.escape_ascii());
    assert_cuts_agree(input);
    if matches!(whole, Ok(Decoded::Header { .. })) {
        let followed = [input, b"GET / HTTP/1.1\r\n"].concat();
        assert_eq!(decode(&followed), whole, "looks behind the header");
    }
}

/// A cut input must ask for more, never for more than the whole has, or answer as the whole does.
#[track_caller]
fn assert_cuts_agree(input: &[u8]) {
    let whole = decode(input);
    for cut in 0..input.len() {
        match decode(&input[..cut]) {
            Ok(Decoded::NeedMore { at_least }) => {
                assert!(at_least > cut, "asks for {at_least} at {cut}");
                if let Ok(Decoded::Header { len, .. }) = whole {
                    assert!(cut < len, "asks for more behind the end");
                    assert!(at_least <= len, "asks for {at_least} of {len}");
                }
            }
            answer => assert_eq!(answer, whole, "cut at {cut}: {}", input.escape_ascii()),
        }
    }
}

fn summary(decoded: &Result<Decoded, ProxyError>) -> String {
    match decoded {
        Ok(Decoded::NeedMore { at_least }) => format!("need {at_least}"),
        Ok(Decoded::NotProxy) => "not proxy".into(),
        Ok(Decoded::Header { header, len }) => format!("{} in {len}", header_summary(header)),
        Err(error) => format!("error {}", error.reason()),
    }
}

fn header_summary(header: &ProxyHeader) -> String {
    match header {
        ProxyHeader::Local => "local".into(),
        ProxyHeader::Unix { tlvs } => format!("unix{}", tlvs_summary(tlvs)),
        ProxyHeader::Proxied {
            source,
            destination,
            tlvs,
        } => format!(
            "{} {} to {} {}{}",
            source.ip,
            source.port,
            destination.ip,
            destination.port,
            tlvs_summary(tlvs)
        ),
    }
}

fn tlvs_summary(tlvs: &Tlvs) -> String {
    tlvs.iter().map(|tlv| format!(", {tlv:?}")).collect()
}

mod version_1 {
    use super::*;

    #[test]
    fn addresses_and_ports() {
        check(
            "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
            "192.168.0.1 56324 to 192.168.0.11 443 in 47",
        );
        check(
            "PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n",
            "255.255.255.255 65535 to 255.255.255.255 65535 in 56",
        );
        check(
            "PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n",
            "0.0.0.0 0 to 0.0.0.0 0 in 32",
        );
        check(
            "PROXY TCP6 2001:DB8::1 2001:db8:0:0:0:0:0:2 1 2\r\n",
            "2001:db8::1 1 to 2001:db8::2 2 in 49",
        );
        check(
            "PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            "ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe 65535 to ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 in 104",
        );
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        check(
            "PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c000:202 1 2\r\n",
            "192.0.2.1 1 to 192.0.2.2 2 in 49",
        );
    }

    #[test]
    fn unknown_keeps_the_peer() {
        check("PROXY UNKNOWN\r\n", "local in 15");
        check("PROXY UNKNOWN \r\n", "local in 16");
        check(b"PROXY UNKNOWN what ever\t\0\xff\r\n", "local in 28");
        check(
            "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
            "local in 107",
        );
    }

    #[test]
    fn a_line_has_at_most_107_bytes() {
        let line = |len: usize| format!("PROXY UNKNOWN {}\r\n", "x".repeat(len - 16));
        check(line(107), "local in 107");
        check(line(108), "error line_too_long");
        check("PROXY UNKNOWN ".to_owned() + &"x".repeat(91), "need 107");
        check(
            "PROXY UNKNOWN ".to_owned() + &"x".repeat(92),
            "error line_too_long",
        );
        check(
            "PROXY UNKNOWN ".to_owned() + &"x".repeat(92) + "\n",
            "error line_too_long",
        );
    }

    #[test]
    fn the_line_ends_with_crlf_alone() {
        check("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n", "error bad_line_end");
        check(
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rx",
            "error bad_line_end",
        );
        check(
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n",
            "error bad_line_end",
        );
        check("PROXY UNKNOWN a\rb\r\n", "error bad_line_end");
        check("PROXY UNKNOWN a\nb\r\n", "error bad_line_end");
    }

    #[test]
    fn the_signature() {
        check("PROXY\r\n", "error bad_signature");
        check(
            "PROXYTCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "error bad_signature",
        );
        check("proxy TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "not proxy");
        check(" PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "not proxy");
    }

    #[test]
    fn the_protocol() {
        check("PROXY \r\n", "error bad_protocol");
        check(
            "PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "error bad_protocol",
        );
        check(
            "PROXY TCP5 192.0.2.1 192.0.2.2 1 2\r\n",
            "error bad_protocol",
        );
        check(
            "PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n",
            "error bad_protocol",
        );
        check("PROXY UNKNOWNX\r\n", "error bad_protocol");
        check(
            "PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            "error bad_protocol",
        );
        check(
            "PROXY TCP4\t192.0.2.1 192.0.2.2 1 2\r\n",
            "error bad_protocol",
        );
    }

    #[test]
    fn single_spaces_and_four_fields() {
        check("PROXY TCP4\r\n", "error bad_fields");
        check("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n", "error bad_fields");
        check(
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n",
            "error bad_fields",
        );
        check(
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n",
            "error bad_fields",
        );
        check(
            "PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n",
            "error bad_fields",
        );
        check("PROXY TCP4  192.0.2.1 192.0.2.2 1\r\n", "error bad_address");
    }

    #[test]
    fn addresses_of_the_announced_family() {
        check(
            "PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
            "error bad_address",
        );
        check(
            "PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n",
            "error bad_address",
        );
        check(
            "PROXY TCP4 192.0.2.1 2001:db8::2 1 2\r\n",
            "error bad_address",
        );
        check(
            "PROXY TCP4 192.0.2.01 192.0.2.2 1 2\r\n",
            "error bad_address",
        );
        check(
            "PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n",
            "error bad_address",
        );
        check("PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n", "error bad_address");
        check(
            "PROXY TCP4 0x7f.0.0.1 192.0.2.2 1 2\r\n",
            "error bad_address",
        );
        check(
            "PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n",
            "error bad_address",
        );
        check(
            "PROXY TCP6 [2001:db8::1] 2001:db8::2 1 2\r\n",
            "error bad_address",
        );
        check(
            "PROXY TCP6 1::2::3 2001:db8::2 1 2\r\n",
            "error bad_address",
        );
        check(
            b"PROXY TCP4 192.0.2.\xff 192.0.2.2 1 2\r\n",
            "error bad_address",
        );
    }

    #[test]
    fn ports() {
        let ports = |source: &str, destination: &str| {
            format!("PROXY TCP4 192.0.2.1 192.0.2.2 {source} {destination}\r\n")
        };
        check(ports("00", "1"), "error bad_port");
        check(ports("01", "1"), "error bad_port");
        check(ports("+1", "1"), "error bad_port");
        check(ports("-1", "1"), "error bad_port");
        check(ports("1", "65536"), "error bad_port");
        check(ports("1", "1x"), "error bad_port");
        check(ports("1", "99999999999999999999"), "error bad_port");
        check(ports("1", "\u{663}"), "error bad_port");
    }
}

const PROXY: u8 = 0x21;
const LOCAL: u8 = 0x20;
const TCP4: u8 = 0x11;
const TCP6: u8 = 0x21;

/// 192.0.2.1 port 258 to 192.0.2.2 port 443.
const IPV4_BLOCK: &[u8] = &[192, 0, 2, 1, 192, 0, 2, 2, 1, 2, 1, 187];
const IPV4_SUMMARY: &str = "192.0.2.1 258 to 192.0.2.2 443";

fn v2(version_and_command: u8, family_and_transport: u8, payload: &[u8]) -> Vec<u8> {
    let len = u16::try_from(payload.len()).unwrap().to_be_bytes();
    let prefix = [version_and_command, family_and_transport, len[0], len[1]];
    [b"\r\n\r\n\0\r\nQUIT\n", &prefix[..], payload].concat()
}

fn tlv(kind: u8, value: &[u8]) -> Vec<u8> {
    let len = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind, len[0], len[1]], value].concat()
}

fn with_tlvs(tlvs: &[u8]) -> Vec<u8> {
    v2(PROXY, TCP4, &[IPV4_BLOCK, tlvs].concat())
}

mod version_2 {
    use super::*;

    #[test]
    fn addresses_and_ports() {
        check(
            v2(PROXY, TCP4, IPV4_BLOCK),
            &format!("{IPV4_SUMMARY} in 28"),
        );
        let block: Vec<u8> = (0..36).collect();
        check(
            v2(PROXY, TCP6, &block),
            "1:203:405:607:809:a0b:c0d:e0f 8225 to 1011:1213:1415:1617:1819:1a1b:1c1d:1e1f 8739 in 52",
        );
    }

    #[test]
    fn mapped_addresses_are_ipv4() {
        let mapped = |last: u8| [&[0; 10][..], &[0xff, 0xff, 192, 0, 2, last]].concat();
        let block = [mapped(1), mapped(2), vec![1, 2, 1, 187]].concat();
        check(v2(PROXY, TCP6, &block), &format!("{IPV4_SUMMARY} in 52"));
    }

    #[test]
    fn local_keeps_the_peer_whatever_else_it_says() {
        check(v2(LOCAL, 0x00, b""), "local in 16");
        check(v2(LOCAL, TCP4, IPV4_BLOCK), "local in 28");
        check(v2(LOCAL, 0xff, b"not addresses, not TLVs"), "local in 39");
    }

    #[test]
    fn unspecified_keeps_the_peer() {
        for family_and_transport in [0x00, 0x01, 0x02, 0x10, 0x20, 0x30] {
            check(v2(PROXY, family_and_transport, b""), "local in 16");
            check(v2(PROXY, family_and_transport, b"whatever"), "local in 24");
        }
    }

    #[test]
    fn unix_keeps_the_peer() {
        let block = [b'/'; 216];
        check(v2(PROXY, 0x31, &block), "unix in 232");
        let block = [&block[..], &tlv(0x04, b"")].concat();
        check(v2(PROXY, 0x31, &block), "unix, Noop in 235");
        check(v2(PROXY, 0x31, &block[..215]), "error truncated_addresses");
    }

    #[test]
    fn datagrams_are_refused() {
        check(v2(PROXY, 0x12, IPV4_BLOCK), "error datagram");
        check(v2(PROXY, 0x22, &[0; 36]), "error datagram");
        check(v2(PROXY, 0x32, &[0; 216]), "error datagram");
    }

    #[test]
    fn the_signature() {
        check(b"\r\n\r\n\0\r\nQUIT\r", "not proxy");
        check(b"\r\n\r\nGET / HTTP/1.1\r\n", "not proxy");
        check(b"\r\n\r\n\0\r\nQUIT\n", "need 16");
        check(b"\r\n\r\n\0\r\nQUIT\n!!!", "need 16");
    }

    #[test]
    fn version_and_command() {
        check(v2(0x11, TCP4, IPV4_BLOCK), "error bad_version");
        check(v2(0x31, TCP4, IPV4_BLOCK), "error bad_version");
        check(v2(0x01, TCP4, IPV4_BLOCK), "error bad_version");
        check(v2(0x22, TCP4, IPV4_BLOCK), "error bad_command");
        check(v2(0x2f, TCP4, IPV4_BLOCK), "error bad_command");
    }

    #[test]
    fn family_and_transport() {
        check(v2(PROXY, 0x41, IPV4_BLOCK), "error bad_family");
        check(v2(PROXY, 0xf0, IPV4_BLOCK), "error bad_family");
        check(v2(PROXY, 0x13, IPV4_BLOCK), "error bad_transport");
        check(v2(PROXY, 0x0f, IPV4_BLOCK), "error bad_transport");
    }

    #[test]
    fn addresses_must_be_whole() {
        check(v2(PROXY, TCP4, b""), "error truncated_addresses");
        check(
            v2(PROXY, TCP4, &IPV4_BLOCK[..11]),
            "error truncated_addresses",
        );
        check(v2(PROXY, TCP6, &[0; 35]), "error truncated_addresses");
    }

    #[test]
    fn the_payload_has_a_bound() {
        let padding = |len: usize| with_tlvs(&tlv(0x04, &vec![0; len - IPV4_BLOCK.len() - 3]));
        check(
            padding(V2_PAYLOAD_BYTES_MAX),
            &format!("{IPV4_SUMMARY}, Noop in {HEADER_BYTES_MAX}"),
        );
        check(padding(V2_PAYLOAD_BYTES_MAX + 1), "error payload_too_long");
        // Known from the first 16 bytes: nobody has to take in 64 KiB to refuse them.
        check(&v2(LOCAL, 0, &[0; 65535])[..16], "error payload_too_long");
        check(&v2(LOCAL, 0, &[0; 4096])[..16], "need 4112");
    }
}

mod tlvs {
    use super::*;

    #[track_caller]
    fn check_tlvs(block: impl AsRef<[u8]>, expected: &str) {
        let header = with_tlvs(block.as_ref());
        let expected = match expected.strip_prefix("error") {
            Some(_) => expected.to_owned(),
            None => format!("{IPV4_SUMMARY}{expected} in {}", header.len()),
        };
        check(header, &expected);
    }

    #[track_caller]
    fn parsed(block: &[u8]) -> Tlvs {
        match decode(&with_tlvs(block)) {
            Ok(Decoded::Header { header, .. }) => header.tlvs().cloned().unwrap_or_default(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn known_types() {
        check_tlvs(tlv(0x01, b"h2"), ", Alpn([104, 50])");
        check_tlvs(tlv(0x02, b"a.b"), ", Authority([97, 46, 98])");
        check_tlvs(tlv(0x04, b""), ", Noop");
        check_tlvs(tlv(0x04, b"any"), ", Noop");
        check_tlvs(tlv(0x05, b"id"), ", UniqueId([105, 100])");
        check_tlvs(tlv(0x30, b"ns"), ", Netns([110, 115])");
    }

    #[test]
    fn values_by_name() {
        let block = [
            tlv(0x01, b"h2"),
            tlv(0x02, b"example.com"),
            tlv(0x02, b"second.example"),
            tlv(0x05, b"0123"),
            tlv(0x30, b"blue"),
        ]
        .concat();
        let tlvs = parsed(&block);
        assert!(!tlvs.is_empty());
        assert_eq!(tlvs.alpn(), Some(&b"h2"[..]));
        assert_eq!(tlvs.authority(), Some(&b"example.com"[..]));
        assert_eq!(tlvs.unique_id(), Some(&b"0123"[..]));
        assert_eq!(tlvs.netns(), Some(&b"blue"[..]));
        assert_eq!(tlvs.ssl(), None);
        assert!(parsed(b"").is_empty());
        assert_eq!(parsed(b"").alpn(), None);
    }

    #[test]
    fn unknown_types_are_kept() {
        check_tlvs(tlv(0xea, &[1, 2]), ", Other { kind: 234, value: [1, 2] }");
        check_tlvs(
            [tlv(0x00, b""), tlv(0xff, b"")].concat(),
            ", Other { kind: 0, value: [] }, Other { kind: 255, value: [] }",
        );
    }

    #[test]
    fn a_tlv_ends_within_the_header() {
        check_tlvs([0x04], "error truncated_tlv");
        check_tlvs([0x04, 0], "error truncated_tlv");
        check_tlvs([0x04, 0, 1], "error truncated_tlv");
        check_tlvs([0x04, 0xff, 0xff, 0], "error truncated_tlv");
        check_tlvs(
            [&tlv(0x01, b"h2")[..], &[0]].concat(),
            "error truncated_tlv",
        );
    }

    #[test]
    fn the_number_of_tlvs_has_a_bound() {
        check_tlvs(tlv(0x04, b"").repeat(TLVS_MAX), &", Noop".repeat(TLVS_MAX));
        check_tlvs(tlv(0x04, b"").repeat(TLVS_MAX + 1), "error too_many_tlvs");
        let ssl = |inner: usize| tlv(0x20, &[vec![0; 5], tlv(0x21, b"").repeat(inner)].concat());
        assert!(parsed(&ssl(TLVS_MAX - 1)).ssl().is_some());
        check_tlvs(ssl(TLVS_MAX), "error too_many_tlvs");
    }

    #[test]
    fn a_unique_id_has_at_most_128_bytes() {
        assert_eq!(
            parsed(&tlv(0x05, &[7; 128])).unique_id(),
            Some(&[7; 128][..])
        );
        check_tlvs(tlv(0x05, &[7; 129]), "error bad_tlv_length");
    }

    /// A header with a checksum between two TLVs, as a sender makes it.
    fn with_checksum() -> Vec<u8> {
        let mut header =
            with_tlvs(&[tlv(0x01, b"h2"), tlv(0x03, &[0; 4]), tlv(0x05, b"id")].concat());
        let checksum = crc32c::crc32c(&header).to_be_bytes();
        let field = 28 + 5 + 3;
        header[field..field + 4].copy_from_slice(&checksum);
        header
    }

    #[test]
    fn the_checksum_covers_every_byte() {
        let header = with_checksum();
        assert!(matches!(decode(&header), Ok(Decoded::Header { .. })));
        assert_cuts_agree(&header);
        for index in 0..header.len() {
            for bit in 0..8 {
                let mut damaged = header.clone();
                damaged[index] ^= 1 << bit;
                if let Ok(Decoded::Header { header, .. }) = decode(&damaged) {
                    // LOCAL and UNSPEC are not read any further, and a damaged type or length
                    // can make the checksum another TLV.
                    let checked = header
                        .tlvs()
                        .is_some_and(|tlvs| tlvs.iter().any(|tlv| matches!(tlv, Tlv::Crc32c(_))));
                    assert!(!checked, "bit {bit} of byte {index}");
                }
            }
        }
    }

    /// From HAProxy 2.6 with `send-proxy-v2-ssl-cn` and every one of its `proxy-v2-options`.
    const FROM_HAPROXY: &[u8] =
        b"\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x89\x7f\0\0\x37\x7f\0\0\x01\xd2\x32\x48\x0b\
        \x03\0\x04\xa1\x9f\x28\xb7\x01\0\x02h2\x02\0\x0bapp.example\x05\0\x0d7F000037:D232\
        \x20\0\x50\x07\0\0\0\0\x21\0\x07TLSv1.3\x22\0\x0eclient.example\x25\0\x07RSA2048\
        \x24\0\x0aRSA-SHA256\x23\0\x16TLS_AES_256_GCM_SHA384";

    #[test]
    fn a_header_as_haproxy_sends_it() {
        assert_cuts_agree(FROM_HAPROXY);
        let followed = [FROM_HAPROXY, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"].concat();
        let Ok(Decoded::Header { header, len: 153 }) = decode(&followed) else {
            panic!("{:?}", decode(&followed));
        };
        let peer = ClientAddr::peer("10.0.0.1".parse().unwrap(), 1);
        assert_eq!(header.client(peer).ip.to_string(), "127.0.0.55");
        let tlvs = header.tlvs().unwrap();
        assert_eq!(tlvs.iter().next(), Some(Tlv::Crc32c(0xa19f_28b7)));
        assert_eq!(tlvs.alpn(), Some(&b"h2"[..]));
        assert_eq!(tlvs.authority(), Some(&b"app.example"[..]));
        assert_eq!(tlvs.unique_id(), Some(&b"7F000037:D232"[..]));
        let ssl = tlvs.ssl().unwrap();
        assert!(ssl.certificate_verified());
        assert_eq!(ssl.common_name(), Some(&b"client.example"[..]));
        assert_eq!(ssl.cipher(), Some(&b"TLS_AES_256_GCM_SHA384"[..]));
    }

    #[test]
    fn a_wrong_checksum_is_refused() {
        let mut header = with_tlvs(&tlv(0x03, &[0; 4]));
        let checksum = crc32c::crc32c(&header);
        header[31..].copy_from_slice(&checksum.to_be_bytes());
        check(
            &header,
            &format!("{IPV4_SUMMARY}, Crc32c({checksum}) in 35"),
        );
        header[31] ^= 1;
        check(&header, "error crc_mismatch");
    }

    #[test]
    fn the_checksum_has_four_bytes_and_comes_once() {
        check_tlvs(tlv(0x03, &[0; 3]), "error bad_tlv_length");
        check_tlvs(tlv(0x03, &[0; 5]), "error bad_tlv_length");
        let twice = tlv(0x03, &[0; 4]).repeat(2);
        let mut header = with_tlvs(&twice);
        // Whichever field is zeroed, one of the two is right.
        let checksum = crc32c::crc32c(&header).to_be_bytes();
        header[31..35].copy_from_slice(&checksum);
        check(&header, "error repeated_crc");
    }

    #[test]
    fn ssl_with_everything() {
        let value = [
            vec![0x07, 0, 0, 0, 0],
            tlv(0x21, b"TLSv1.3"),
            tlv(0x22, b"client.example"),
            tlv(0x23, b"TLS_AES_256_GCM_SHA384"),
            tlv(0x24, b"RSA-SHA256"),
            tlv(0x25, b"RSA2048"),
            tlv(0x2f, b"?"),
        ]
        .concat();
        let tlvs = parsed(&tlv(0x20, &value));
        let ssl = tlvs.ssl().unwrap();
        assert!(ssl.is_tls() && ssl.certificate_in_connection() && ssl.certificate_in_session());
        assert!(ssl.certificate_verified());
        assert_eq!(ssl.version(), Some(&b"TLSv1.3"[..]));
        assert_eq!(ssl.common_name(), Some(&b"client.example"[..]));
        assert_eq!(ssl.cipher(), Some(&b"TLS_AES_256_GCM_SHA384"[..]));
        assert_eq!(ssl.signature_algorithm(), Some(&b"RSA-SHA256"[..]));
        assert_eq!(ssl.key_algorithm(), Some(&b"RSA2048"[..]));
    }

    #[test]
    fn ssl_flags() {
        #[track_caller]
        fn check_flags(client: u8, verify: u8, expected: (bool, bool, bool, bool)) {
            let tlvs = parsed(&tlv(0x20, &[client, 0, 0, 0, verify]));
            let ssl = tlvs.ssl().unwrap();
            let got = (
                ssl.is_tls(),
                ssl.certificate_in_connection(),
                ssl.certificate_in_session(),
                ssl.certificate_verified(),
            );
            assert_eq!(got, expected, "{client:#x} {verify}");
        }
        check_flags(0x00, 0, (false, false, false, false));
        check_flags(0x01, 0, (true, false, false, false));
        check_flags(0x03, 0, (true, true, false, true));
        check_flags(0x05, 0, (true, false, true, true));
        check_flags(0x07, 1, (true, true, true, false));
    }

    #[test]
    fn ssl_must_be_whole() {
        check_tlvs(tlv(0x20, &[1, 0, 0, 0]), "error bad_tlv_length");
        check_tlvs(tlv(0x20, &[1, 0, 0, 0, 0, 0x21]), "error truncated_tlv");
        check_tlvs(
            tlv(0x20, &[1, 0, 0, 0, 0, 0x21, 0, 2, b'T']),
            "error truncated_tlv",
        );
    }
}

#[test]
fn other_protocols_are_not_proxy() {
    check("GET / HTTP/1.1\r\n", "not proxy");
    check("POST / HTTP/1.1\r\n", "not proxy");
    check("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "not proxy");
    check(b"\x16\x03\x01\x02\x00\x01", "not proxy");
    check("", "need 15");
    check("P", "need 15");
    check("\r", "need 16");
}

#[test]
fn only_a_proxied_header_changes_the_client() {
    let peer = ClientAddr::peer("10.0.0.1".parse().unwrap(), 1234);
    let client = |input: &[u8]| match decode(input) {
        Ok(Decoded::Header { header, .. }) => header.client(peer.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(client(&v2(LOCAL, 0, b"")), peer);
    assert_eq!(client(&v2(PROXY, 0x31, &[0; 216])), peer);
    assert_eq!(client(b"PROXY UNKNOWN\r\n"), peer);
    let expected = ClientAddr {
        ip: "192.0.2.1".parse().unwrap(),
        port: Some(258),
        provenance: Provenance::Proxy,
    };
    assert_eq!(client(&v2(PROXY, TCP4, IPV4_BLOCK)), expected);
}

#[test]
fn each_refusal_has_a_reason_of_its_own() {
    let text = String::new;
    let errors = [
        ProxyError::BadSignature(0),
        ProxyError::LineTooLong,
        ProxyError::BadLineEnd,
        ProxyError::BadProtocol(text()),
        ProxyError::BadFields,
        ProxyError::BadAddress(text()),
        ProxyError::BadPort(text()),
        ProxyError::BadVersion(0),
        ProxyError::BadCommand(2),
        ProxyError::BadFamily(4),
        ProxyError::BadTransport(3),
        ProxyError::Datagram,
        ProxyError::PayloadTooLong(0),
        ProxyError::TruncatedAddresses {
            got: 0,
            expected: 12,
        },
        ProxyError::TruncatedTlv,
        ProxyError::TooManyTlvs,
        ProxyError::BadTlvLength { kind: 0, got: 0 },
        ProxyError::RepeatedCrc,
        ProxyError::CrcMismatch {
            got: 0,
            expected: 1,
        },
    ];
    let refusals = errors.into_iter().map(ProxyRefusal::from).chain([
        ProxyRefusal::NotTrusted,
        ProxyRefusal::Missing,
        ProxyRefusal::Deadline,
        ProxyRefusal::Closed,
    ]);
    let mut reasons: Vec<&str> = refusals.map(|refusal| refusal.reason()).collect();
    reasons.sort_unstable();
    assert_eq!(reasons, ProxyRefusal::REASONS);
}

mod encoding {
    use super::*;

    #[track_caller]
    fn check_v1(source: &str, destination: &str, expected: &str) {
        let endpoint = |text: &str| Endpoint::from(text.parse::<SocketAddr>().unwrap());
        let mut out = Vec::new();
        encode_v1(endpoint(source), endpoint(destination), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn version_1_lines() {
        check_v1(
            "192.0.2.1:1",
            "192.0.2.2:65535",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 65535\r\n",
        );
        check_v1(
            "[2001:db8::1]:1",
            "[::]:0",
            "PROXY TCP6 2001:db8::1 :: 1 0\r\n",
        );
        check_v1(
            "192.0.2.1:1",
            "[2001:db8::1]:2",
            "PROXY TCP6 ::ffff:c000:201 2001:db8::1 1 2\r\n",
        );
        check_v1(
            "[::ffff:192.0.2.1]:1",
            "192.0.2.2:2",
            "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
        );
    }

    #[test]
    fn version_2_local_is_accepted() {
        let mut out = b"before".to_vec();
        encode_v2_local(&mut out);
        assert_eq!(&out[6..], v2(LOCAL, 0, b""));
    }

    #[test]
    fn an_unknown_port_is_zero() {
        let client = ClientAddr {
            port: None,
            ..ClientAddr::peer("192.0.2.1".parse().unwrap(), 1)
        };
        assert_eq!(Endpoint::from(&client).port, 0);
    }
}

fn any_endpoint() -> impl Strategy<Value = Endpoint> {
    any::<SocketAddr>().prop_map(Endpoint::from)
}

/// Bytes that come near a header: sound ones, damaged ones, any payload behind a sound prefix.
fn near_header() -> impl Strategy<Value = Vec<u8>> {
    let sound =
        (any_endpoint(), any_endpoint(), any::<bool>()).prop_map(|(source, destination, text)| {
            let mut out = Vec::new();
            if text {
                encode_v1(source, destination, &mut out);
            } else {
                encode_v2(source, destination, &mut out);
            }
            out
        });
    let any_line = "PROXY (TCP4|TCP6|UNKNOWN)( [0-9a-f.:]{1,12}){0,5}[ \r]?\r\n.{0,4}"
        .prop_map(String::into_bytes);
    let any_tlvs = prop::collection::vec(
        (any::<u8>(), prop::collection::vec(any::<u8>(), 0..9)),
        0..6,
    )
    .prop_map(|tlvs| {
        with_tlvs(
            &tlvs
                .iter()
                .flat_map(|(kind, value)| tlv(kind % 0x32, value))
                .collect::<Vec<u8>>(),
        )
    });
    let any_payload = (
        prop::sample::select(vec![PROXY, LOCAL]),
        prop::sample::select(vec![TCP4, TCP6, 0x31, 0x00]),
        prop::collection::vec(any::<u8>(), 0..300),
    )
        .prop_map(|(command, family, payload)| v2(command, family, &payload));
    let start = prop_oneof![sound, any_line, any_tlvs, any_payload];
    let damage = prop::option::of((any::<prop::sample::Index>(), any::<u8>()));
    (start, damage, prop::collection::vec(any::<u8>(), 0..20)).prop_map(
        |(mut bytes, damage, behind)| {
            if let Some((index, byte)) = damage {
                let index = index.index(bytes.len());
                bytes[index] = byte;
            }
            bytes.extend(behind);
            bytes
        },
    )
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        assert_cuts_agree(&bytes);
    }

    #[test]
    fn any_split_gives_the_same_answer(bytes in near_header()) {
        assert_cuts_agree(&bytes);
    }

    #[test]
    fn bytes_behind_the_header_are_never_looked_at(bytes in near_header(), behind in prop::collection::vec(any::<u8>(), 0..20)) {
        let answer = decode(&bytes);
        if let Ok(Decoded::Header { len, .. }) = answer {
            prop_assert!(len <= bytes.len() && len <= HEADER_BYTES_MAX);
            let other = [&bytes[..len], &behind].concat();
            prop_assert_eq!(decode(&other), answer);
        }
    }

    #[test]
    fn what_was_encoded_is_decoded(source in any_endpoint(), destination in any_endpoint(), behind in prop::collection::vec(any::<u8>(), 0..20)) {
        for encode in [encode_v1, encode_v2] {
            let mut bytes = Vec::new();
            encode(source, destination, &mut bytes);
            let len = bytes.len();
            bytes.extend(&behind);
            let header = ProxyHeader::Proxied { source, destination, tlvs: Tlvs::default() };
            prop_assert_eq!(decode(&bytes), Ok(Decoded::Header { header, len }));
        }
    }

    #[test]
    fn addresses_are_always_canonical(bytes in near_header()) {
        if let Ok(Decoded::Header { header: ProxyHeader::Proxied { source, destination, .. }, .. }) = decode(&bytes) {
            for ip in [source.ip, destination.ip] {
                prop_assert_eq!(Ip::new(ip.as_std()), ip);
            }
        }
    }
}
