//! The type-length-values behind the addresses of a version 2 header (section 2.2).

use super::ProxyError;

/// The most TLVs of a header that are read, those inside the SSL one included.
pub const TLVS_MAX: usize = 64;

/// The longest PP2_TYPE_UNIQUE_ID (section 2.2.5).
pub const UNIQUE_ID_BYTES_MAX: usize = 128;

/// "The following types have already been registered for the type field."
mod kind {
    pub(super) const ALPN: u8 = 0x01;
    pub(super) const AUTHORITY: u8 = 0x02;
    pub(super) const CRC32C: u8 = 0x03;
    pub(super) const NOOP: u8 = 0x04;
    pub(super) const UNIQUE_ID: u8 = 0x05;
    pub(super) const SSL: u8 = 0x20;
    pub(super) const SSL_VERSION: u8 = 0x21;
    pub(super) const SSL_CN: u8 = 0x22;
    pub(super) const SSL_CIPHER: u8 = 0x23;
    pub(super) const SSL_SIG_ALG: u8 = 0x24;
    pub(super) const SSL_KEY_ALG: u8 = 0x25;
    pub(super) const NETNS: u8 = 0x30;
}

/// The TLVs of one header: each in its bounds, lengths as their types demand, the checksum right.
///
/// Costs no allocation when empty, else one. Values are bytes as sent: what a client chose (server
/// name, certificate's name) need not be text, though the specification says so.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tlvs(Box<[u8]>);

/// One type-length-value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tlv<'a> {
    /// The protocol that the client and the proxy agreed on (section 2.2.1).
    Alpn(&'a [u8]),
    /// The host that the client asked for: the TLS server name (section 2.2.2).
    Authority(&'a [u8]),
    /// The checksum of the header, which is right (section 2.2.3).
    Crc32c(u32),
    /// Padding (section 2.2.4).
    Noop,
    /// The proxy's name for the connection, at most 128 bytes (section 2.2.5).
    UniqueId(&'a [u8]),
    /// How the client's connection is encrypted (section 2.2.6).
    Ssl(Ssl<'a>),
    /// The proxy's network namespace (section 2.2.7).
    Netns(&'a [u8]),
    /// A type that this version does not know, such as a cloud's own (section 2.2.8).
    Other {
        /// The type.
        kind: u8,
        /// The value.
        value: &'a [u8],
    },
}

/// What the proxy tells about TLS between the client and itself (section 2.2.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ssl<'a> {
    client: u8,
    verify: u32,
    sub_tlvs: &'a [u8],
}

impl Tlvs {
    /// Reads the TLVs of `header`, a whole header, from `start` to its end.
    pub(super) fn parse(header: &[u8], start: usize) -> Result<Self, ProxyError> {
        let block = header.get(start..).unwrap_or_default();
        let mut raw_tlvs = RawTlvs(block);
        let mut count = 0_usize;
        let mut checksum_seen = false;
        while let Some(raw) = raw_tlvs.next() {
            let (kind, value) = raw?;
            count += 1;
            match Tlv::parse(kind, value)? {
                Tlv::Crc32c(_) if checksum_seen => return Err(ProxyError::RepeatedCrc),
                Tlv::Crc32c(checksum) => {
                    checksum_seen = true;
                    verify_checksum(header, raw_tlvs.0.len(), checksum)?;
                }
                Tlv::Ssl(ssl) => count += RawTlvs(ssl.sub_tlvs).count(),
                _ => {}
            }
            if count > TLVS_MAX {
                return Err(ProxyError::TooManyTlvs);
            }
        }
        Ok(Self(block.into()))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every TLV in the order of the header.
    pub fn iter(&self) -> impl Iterator<Item = Tlv<'_>> {
        // What is in a `Tlvs` was parsed once, so nothing is left out here.
        RawTlvs(&self.0)
            .filter_map(|raw| raw.and_then(|(kind, value)| Tlv::parse(kind, value)).ok())
    }

    /// The first [`Tlv::Alpn`].
    #[must_use]
    pub fn alpn(&self) -> Option<&[u8]> {
        self.value_of(kind::ALPN)
    }

    /// The first [`Tlv::Authority`].
    #[must_use]
    pub fn authority(&self) -> Option<&[u8]> {
        self.value_of(kind::AUTHORITY)
    }

    /// The first [`Tlv::UniqueId`].
    #[must_use]
    pub fn unique_id(&self) -> Option<&[u8]> {
        self.value_of(kind::UNIQUE_ID)
    }

    /// The first [`Tlv::Netns`].
    #[must_use]
    pub fn netns(&self) -> Option<&[u8]> {
        self.value_of(kind::NETNS)
    }

    /// The first [`Tlv::Ssl`].
    #[must_use]
    pub fn ssl(&self) -> Option<Ssl<'_>> {
        self.value_of(kind::SSL)
            .and_then(|value| Ssl::parse(value).ok())
    }

    fn value_of(&self, kind: u8) -> Option<&[u8]> {
        first_value(&self.0, kind)
    }
}

impl<'a> Tlv<'a> {
    fn parse(kind: u8, value: &'a [u8]) -> Result<Self, ProxyError> {
        Ok(match kind {
            kind::ALPN => Self::Alpn(value),
            kind::AUTHORITY => Self::Authority(value),
            kind::CRC32C => match value.try_into() {
                Ok(checksum) => Self::Crc32c(u32::from_be_bytes(checksum)),
                Err(_) => return Err(bad_length(kind, value)),
            },
            kind::NOOP => Self::Noop,
            // "An opaque byte sequence of up to 128 bytes."
            kind::UNIQUE_ID if value.len() > UNIQUE_ID_BYTES_MAX => {
                return Err(bad_length(kind, value));
            }
            kind::UNIQUE_ID => Self::UniqueId(value),
            kind::SSL => Self::Ssl(Ssl::parse(value)?),
            kind::NETNS => Self::Netns(value),
            _ => Self::Other { kind, value },
        })
    }
}

impl<'a> Ssl<'a> {
    /// `struct pp2_tlv_ssl`: one byte of flags, four of the verification's result, then TLVs.
    fn parse(value: &'a [u8]) -> Result<Self, ProxyError> {
        let Some((&[client, verify @ ..], sub_tlvs)) = value.split_first_chunk::<5>() else {
            return Err(bad_length(kind::SSL, value));
        };
        for sub_tlv in RawTlvs(sub_tlvs) {
            sub_tlv?;
        }
        Ok(Self {
            client,
            verify: u32::from_be_bytes(verify),
            sub_tlvs,
        })
    }

    /// Whether the client speaks TLS to the proxy (PP2_CLIENT_SSL).
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.client & 0x01 != 0
    }

    /// Whether the client showed a certificate over this connection (PP2_CLIENT_CERT_CONN).
    #[must_use]
    pub fn certificate_in_connection(&self) -> bool {
        self.client & 0x02 != 0
    }

    /// Whether the client showed a certificate in this TLS session, which can span connections
    /// (PP2_CLIENT_CERT_SESS).
    #[must_use]
    pub fn certificate_in_session(&self) -> bool {
        self.client & 0x04 != 0
    }

    /// Whether the client showed a certificate and the proxy found it right.
    ///
    /// `verify` alone does not say so: haproxy sends 0 for a client without a certificate, too.
    #[must_use]
    pub fn certificate_verified(&self) -> bool {
        self.verify == 0 && (self.certificate_in_connection() || self.certificate_in_session())
    }

    /// The version of TLS, such as `TLSv1.3` (PP2_SUBTYPE_SSL_VERSION).
    #[must_use]
    pub fn version(&self) -> Option<&'a [u8]> {
        first_value(self.sub_tlvs, kind::SSL_VERSION)
    }

    /// The common name of the client's certificate (PP2_SUBTYPE_SSL_CN).
    #[must_use]
    pub fn common_name(&self) -> Option<&'a [u8]> {
        first_value(self.sub_tlvs, kind::SSL_CN)
    }

    /// The cipher, such as `ECDHE-RSA-AES128-GCM-SHA256` (PP2_SUBTYPE_SSL_CIPHER).
    #[must_use]
    pub fn cipher(&self) -> Option<&'a [u8]> {
        first_value(self.sub_tlvs, kind::SSL_CIPHER)
    }

    /// How the proxy's certificate is signed, such as `RSA-SHA256` (PP2_SUBTYPE_SSL_SIG_ALG).
    #[must_use]
    pub fn signature_algorithm(&self) -> Option<&'a [u8]> {
        first_value(self.sub_tlvs, kind::SSL_SIG_ALG)
    }

    /// The key of the proxy's certificate, such as `RSA2048` (PP2_SUBTYPE_SSL_KEY_ALG).
    #[must_use]
    pub fn key_algorithm(&self) -> Option<&'a [u8]> {
        first_value(self.sub_tlvs, kind::SSL_KEY_ALG)
    }
}

/// Types and values of a block of TLVs; ends after the first error.
struct RawTlvs<'a>(&'a [u8]);

impl<'a> Iterator for RawTlvs<'a> {
    type Item = Result<(u8, &'a [u8]), ProxyError>;

    /// `struct pp2_tlv`: a byte of type, two of the value's length, the value.
    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let split = self
            .0
            .split_first_chunk()
            .and_then(|(&[kind, high, low], rest)| {
                let value_len = usize::from(u16::from_be_bytes([high, low]));
                Some((kind, rest.split_at_checked(value_len)?))
            });
        let Some((kind, (value, rest))) = split else {
            self.0 = &[];
            return Some(Err(ProxyError::TruncatedTlv));
        };
        self.0 = rest;
        Some(Ok((kind, value)))
    }
}

fn first_value(block: &[u8], kind: u8) -> Option<&[u8]> {
    RawTlvs(block)
        .filter_map(Result::ok)
        .find_map(|(found, value)| (found == kind).then_some(value))
}

/// "Replace the 32 bits of the checksum field in the received PROXY header with all '0's and
/// calculate a CRC32c checksum value of the whole PROXY header" (section 2.2.3).
///
/// The field is followed by `bytes_behind` bytes of the header.
fn verify_checksum(header: &[u8], bytes_behind: usize, got: u32) -> Result<(), ProxyError> {
    let (up_to_field, behind) = header
        .split_at_checked(header.len().saturating_sub(bytes_behind))
        .unwrap_or_default();
    let before = up_to_field
        .split_last_chunk::<CHECKSUM_BYTES>()
        .map_or([].as_slice(), |(before, _)| before);
    let expected = [before, &[0; CHECKSUM_BYTES], behind]
        .into_iter()
        .fold(0, crc32c::crc32c_append);
    if got == expected {
        Ok(())
    } else {
        Err(ProxyError::CrcMismatch { got, expected })
    }
}

fn bad_length(kind: u8, value: &[u8]) -> ProxyError {
    ProxyError::BadTlvLength {
        kind,
        got: value.len(),
    }
}

const CHECKSUM_BYTES: usize = 4;
