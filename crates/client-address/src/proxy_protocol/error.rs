//! Why a PROXY header, or the connection that should have sent one, is refused.

use super::{TLVS_MAX, V1_BYTES_MAX, V2_PAYLOAD_BYTES_MAX};

/// How a PROXY header breaks the rules.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyError {
    /// `PROXY` without the space that has to follow.
    #[error("PROXY v1: expected a space after \"PROXY\", got byte {0:#04x}")]
    BadSignature(u8),
    /// No CRLF within the longest line there can be.
    #[error("PROXY v1: no CRLF within {V1_BYTES_MAX} bytes; the sender's line is too long")]
    LineTooLong,
    /// CR or LF alone.
    #[error("PROXY v1: the line must end with CRLF, got a CR or LF alone")]
    BadLineEnd,
    /// Neither TCP4, TCP6 nor UNKNOWN.
    #[error("PROXY v1: expected TCP4, TCP6 or UNKNOWN, got \"{0}\"")]
    BadProtocol(String),
    /// Not exactly two addresses and two ports with one space between.
    #[error(
        "PROXY v1: expected source address, destination address, source port and destination port \
         with one space between"
    )]
    BadFields,
    /// Not an address of the line's family.
    #[error("PROXY v1: \"{0}\" is not an address of the announced family")]
    BadAddress(String),
    /// Not a port.
    #[error("PROXY v1: \"{0}\" is not a port; expected 0 to 65535 without leading zeros")]
    BadPort(String),
    /// A version other than 2 behind the binary signature.
    #[error("PROXY v2: version is {0}, expected 2")]
    BadVersion(u8),
    /// Neither LOCAL nor PROXY.
    #[error("PROXY v2: command is {0}, expected 0 (LOCAL) or 1 (PROXY)")]
    BadCommand(u8),
    /// An unassigned address family.
    #[error("PROXY v2: address family is {0}, expected 0 to 3")]
    BadFamily(u8),
    /// An unassigned transport.
    #[error("PROXY v2: transport is {0}, expected 0 to 2")]
    BadTransport(u8),
    /// A client that came by datagrams, over which no HTTP connection can have come.
    #[error("PROXY v2: the client came by datagrams (UDP); only streams are served here")]
    Datagram,
    /// More behind the first 16 bytes than is read.
    #[error(
        "PROXY v2: announces {0} bytes of addresses and TLVs; at most {V2_PAYLOAD_BYTES_MAX} are read"
    )]
    PayloadTooLong(u16),
    /// Fewer bytes than the family's addresses need.
    #[error("PROXY v2: {got} bytes are too few for the addresses, which need {expected}")]
    TruncatedAddresses {
        /// The announced length.
        got: usize,
        /// What the family needs.
        expected: usize,
    },
    /// A TLV that does not fit into what holds it.
    #[error("PROXY v2: a TLV reaches behind the end of what holds it")]
    TruncatedTlv,
    /// More TLVs than are read.
    #[error("PROXY v2: more than {TLVS_MAX} TLVs")]
    TooManyTlvs,
    /// A TLV whose value is longer or shorter than its type allows.
    #[error("PROXY v2: a TLV of type {kind:#04x} can't have {got} bytes")]
    BadTlvLength {
        /// The type.
        kind: u8,
        /// The length of the value, in bytes.
        got: usize,
    },
    /// Two checksums, of which only one can be right.
    #[error("PROXY v2: more than one CRC32C")]
    RepeatedCrc,
    /// The checksum is not that of the header: it was damaged on the way.
    #[error("PROXY v2: CRC32C is {expected:#010x} over the header, but {got:#010x} in it")]
    CrcMismatch {
        /// What the header says.
        got: u32,
        /// What its bytes give.
        expected: u32,
    },
}

impl ProxyError {
    /// The kind of error as a label for metrics: one of a small, fixed set.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::BadSignature(_) => "bad_signature",
            Self::LineTooLong => "line_too_long",
            Self::BadLineEnd => "bad_line_end",
            Self::BadProtocol(_) => "bad_protocol",
            Self::BadFields => "bad_fields",
            Self::BadAddress(_) => "bad_address",
            Self::BadPort(_) => "bad_port",
            Self::BadVersion(_) => "bad_version",
            Self::BadCommand(_) => "bad_command",
            Self::BadFamily(_) => "bad_family",
            Self::BadTransport(_) => "bad_transport",
            Self::Datagram => "datagram",
            Self::PayloadTooLong(_) => "payload_too_long",
            Self::TruncatedAddresses { .. } => "truncated_addresses",
            Self::TruncatedTlv => "truncated_tlv",
            Self::TooManyTlvs => "too_many_tlvs",
            Self::BadTlvLength { .. } => "bad_tlv_length",
            Self::RepeatedCrc => "repeated_crc",
            Self::CrcMismatch { .. } => "crc_mismatch",
        }
    }
}

/// Why a connection is closed before its first request, for the sake of its PROXY header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProxyRefusal {
    /// The header breaks the rules.
    #[error(transparent)]
    Malformed(#[from] ProxyError),
    /// The peer is none of those that may send one, on a listener where one is required.
    #[error("the peer is not in proxy_protocol.from, and this listener requires a PROXY header")]
    NotTrusted,
    /// The peer may send a header and has to, but started with something else.
    #[error("the connection does not start with a PROXY header, which this listener requires")]
    Missing,
    /// The header was not complete in time.
    #[error("the PROXY header was not complete within deadlines.proxy_header")]
    Deadline,
    /// The peer closed the connection before its header was complete.
    #[error("the connection was closed before its PROXY header was complete")]
    Closed,
}

impl ProxyRefusal {
    /// All that [`Self::reason`] says.
    pub const REASONS: [&'static str; 23] = [
        "bad_address",
        "bad_command",
        "bad_family",
        "bad_fields",
        "bad_line_end",
        "bad_port",
        "bad_protocol",
        "bad_signature",
        "bad_tlv_length",
        "bad_transport",
        "bad_version",
        "closed",
        "crc_mismatch",
        "datagram",
        "deadline",
        "line_too_long",
        "missing",
        "not_trusted",
        "payload_too_long",
        "repeated_crc",
        "too_many_tlvs",
        "truncated_addresses",
        "truncated_tlv",
    ];

    /// The kind of refusal as a label for metrics: one of a small, fixed set.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Malformed(error) => error.reason(),
            Self::NotTrusted => "not_trusted",
            Self::Missing => "missing",
            Self::Deadline => "deadline",
            Self::Closed => "closed",
        }
    }
}
