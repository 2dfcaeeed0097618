//! A complete HTTP/1 head, read once from start to end.

use palisade_vocabulary::HttpVersion;

use crate::field::{
    check_expect, check_method, check_value, name_at, parse_content_length, plain_value_at,
    trim_ows,
};
use crate::{Framing, HeadLimits, Host, Refusal, RefusalReason, Target};

/// A clean head: nothing in it can be read in two ways.
#[derive(Clone, Debug)]
pub struct Head<'a> {
    /// The method: an upper-case token of 1 to 32 bytes, not CONNECT or TRACE.
    pub method: &'a str,
    /// The target.
    pub target: Target<'a>,
    /// HTTP/1.0 or HTTP/1.1.
    pub version: HttpVersion,
    /// The host, which an absolute target does not contradict. `None` only on HTTP/1.0 without a
    /// Host header: the default site's.
    pub host: Option<Host<'a>>,
    /// How the body is delimited.
    pub framing: Framing,
    /// Whether the client waits for 100 (Continue) before it sends the body.
    pub expects_continue: bool,
    /// What the client asks to switch to. An `Upgrade` that `Connection` doesn't name, or on
    /// HTTP/1.0, is none (RFC 9110 section 7.8).
    pub upgrade: Option<Upgrade>,
    /// Whether the client lets the connection live after the answer (RFC 9112 section 9.3).
    pub keep_alive: bool,
    /// Whether a field's name has a byte that is no letter, no digit and no `-`: only such a name can be
    /// another's twin ([`is_underscore_twin`](crate::is_underscore_twin)).
    pub has_odd_names: bool,
    /// The bytes of the head, blank line included.
    pub len: usize,
}

/// What a client asks to switch to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// A websocket (RFC 6455 section 4.1): GET, no body, `websocket` and nothing else.
    WebSocket,
    /// Anything else, which a server may ignore; a websocket with a body too.
    Other,
}

/// Reads a head from its request line to its blank line; [`super::HeadSearch`] finds both. Bytes
/// behind it are not looked at.
///
/// Hot path: runs per request, allocates nothing but where [`Host::parse`] says. Linear in the
/// head.
///
/// # Errors
/// The first thing found that is malformed, ambiguous or over a limit; each variant of
/// [`RefusalReason`] says what it stands for.
pub fn check_head<'a>(bytes: &'a [u8], limits: &HeadLimits) -> Result<Head<'a>, Refusal> {
    let mut lines = Lines { rest: bytes };
    let line = RequestLine::parse(lines.next_line()?)?;
    let method = check_method(line.method)?;
    let (target, target_host) = Target::parse(line.target, method, limits)?;
    let version = line.version;
    let mut fields = Fields::default();
    while let Some(line) = lines.next_field_line()? {
        fields.read(line, limits)?;
    }
    let len = bytes.len() - lines.rest.len();
    if len > limits.head_bytes {
        return Err(RefusalReason::HeadTooLarge.into());
    }
    let framing = fields.framing(version)?;
    Ok(Head {
        method,
        target,
        version,
        host: fields.host(version, target_host)?,
        framing,
        expects_continue: fields.expects_continue && version == HttpVersion::Http11,
        upgrade: fields.upgrade(version, method, framing),
        keep_alive: fields.keep_alive(version),
        has_odd_names: fields.has_odd_names,
        len,
    })
}

/// The lines of a head, each ended by CR LF.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    fn next_line(&mut self) -> Result<&'a [u8], Refusal> {
        let end = memchr::memchr(b'\n', self.rest).ok_or(RefusalReason::HeadIncomplete)?;
        let (line, rest) = self.rest.split_at_checked(end + 1).unwrap_or_default();
        self.rest = rest;
        line.strip_suffix(b"\r\n")
            .ok_or_else(|| RefusalReason::BareLineFeed.into())
    }

    /// The next line, unless it is the empty one.
    fn next_field_line(&mut self) -> Result<Option<FieldLine<'a>>, Refusal> {
        if let Some((field, rest)) = Field::plain(self.rest) {
            self.rest = rest;
            return Ok(Some(FieldLine::Plain(field)));
        }
        let line = self.next_line()?;
        Ok((!line.is_empty()).then_some(FieldLine::Unread(line)))
    }
}

/// A line with a header field.
enum FieldLine<'a> {
    /// There is nothing to find fault with.
    Plain(Field<'a>),
    /// It isn't known what is in it.
    Unread(&'a [u8]),
}

/// A header field.
struct Field<'a> {
    name: &'a [u8],
    value: &'a [u8],
    has_odd_name: bool,
}

impl<'a> Field<'a> {
    /// The field of a line without a fault, as most are, and what follows the line; each byte is looked at once.
    fn plain(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (name_length, has_odd_name) = name_at(bytes);
        let (name, rest) = bytes.split_at_checked(name_length)?;
        let rest = rest.strip_prefix(b":").filter(|_| name_length > 0)?;
        let (value, rest) = rest.split_at_checked(plain_value_at(rest))?;
        let field = Self {
            name,
            value,
            has_odd_name,
        };
        Some((field, rest.strip_prefix(b"\r\n")?))
    }

    /// # Errors
    /// What is wrong with the line.
    fn parse(line: &'a [u8]) -> Result<Self, Refusal> {
        let (name_length, has_odd_name) = name_at(line);
        let (name, rest) = line.split_at_checked(name_length).unwrap_or_default();
        let Some(value) = rest.strip_prefix(b":").filter(|_| name_length > 0) else {
            return Err(field_fault(line).into());
        };
        check_value(value)?;
        Ok(Self {
            name,
            value,
            has_odd_name,
        })
    }
}

/// `METHOD SP TARGET SP VERSION`, with single spaces (RFC 9112 section 3).
struct RequestLine<'a> {
    method: &'a [u8],
    target: &'a [u8],
    version: HttpVersion,
}

impl<'a> RequestLine<'a> {
    /// The first and the last space separate, so that a space within the target is seen as such.
    fn parse(line: &'a [u8]) -> Result<Self, Refusal> {
        if line == b"PRI * HTTP/2.0" {
            return Err(RefusalReason::Http2Preface.into());
        }
        let (method, rest) = memchr::memchr(b' ', line)
            .and_then(|at| split_around(line, at))
            .ok_or(RefusalReason::RequestLine)?;
        let (target, version) = memchr::memrchr(b' ', rest)
            .and_then(|at| split_around(rest, at))
            .ok_or(RefusalReason::RequestLine)?;
        let version = match version {
            b"HTTP/1.1" => HttpVersion::Http11,
            b"HTTP/1.0" => HttpVersion::Http10,
            // RFC 9112 section 2.3: one digit each.
            [b'H', b'T', b'T', b'P', b'/', b'0'..=b'9', b'.', b'0'..=b'9'] => {
                return Err(RefusalReason::VersionUnsupported.into());
            }
            _ => return Err(RefusalReason::RequestLine.into()),
        };
        Ok(Self {
            method,
            target,
            version,
        })
    }
}

/// What is before and after the byte at `at`.
fn split_around(text: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// What the header fields say, as far as this crate judges it.
#[derive(Default)]
struct Fields<'a> {
    count: usize,
    host: Option<Host<'a>>,
    content_length: Option<u64>,
    has_content_type: bool,
    is_chunked: bool,
    expects_continue: bool,
    upgrade: Option<Upgrade>,
    connection: Connection,
    has_odd_names: bool,
}

/// The options of Connection that matter here (RFC 9110 section 7.6.1).
#[derive(Clone, Copy, Default)]
struct Connection {
    close: bool,
    keep_alive: bool,
    upgrade: bool,
}

impl<'a> Fields<'a> {
    fn read(&mut self, line: FieldLine<'a>, limits: &HeadLimits) -> Result<(), Refusal> {
        self.count += 1;
        if self.count > limits.headers {
            return Err(RefusalReason::TooManyHeaders.into());
        }
        let field = match line {
            FieldLine::Plain(field) => field,
            FieldLine::Unread(line) => Field::parse(line)?,
        };
        self.has_odd_names |= field.has_odd_name;
        let Field { name, value, .. } = field;
        match name.len() {
            4 if name.eq_ignore_ascii_case(b"host") => self.read_host(value),
            6 if name.eq_ignore_ascii_case(b"expect") => {
                self.expects_continue = true;
                check_expect(trim_ows(value))
            }
            7 if name.eq_ignore_ascii_case(b"upgrade") => {
                self.read_upgrade(value);
                Ok(())
            }
            10 if name.eq_ignore_ascii_case(b"connection") => {
                self.connection.read(value);
                Ok(())
            }
            12 if name.eq_ignore_ascii_case(b"content-type") => self.read_content_type(),
            14 if name.eq_ignore_ascii_case(b"content-length") => self.read_content_length(value),
            17 if name.eq_ignore_ascii_case(b"transfer-encoding") => {
                self.read_transfer_encoding(value)
            }
            _ => Ok(()),
        }
    }

    fn read_host(&mut self, value: &'a [u8]) -> Result<(), Refusal> {
        if self.host.is_some() {
            return Err(RefusalReason::HostRepeated.into());
        }
        self.host = Some(Host::parse(trim_ows(value))?);
        Ok(())
    }

    fn read_upgrade(&mut self, value: &[u8]) {
        let is_websocket = trim_ows(value).eq_ignore_ascii_case(b"websocket");
        self.upgrade = Some(match self.upgrade {
            None if is_websocket => Upgrade::WebSocket,
            _ => Upgrade::Other,
        });
    }

    fn read_content_type(&mut self) -> Result<(), Refusal> {
        match std::mem::replace(&mut self.has_content_type, true) {
            true => Err(RefusalReason::ContentTypeRepeated.into()),
            false => Ok(()),
        }
    }

    fn read_content_length(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.content_length.is_some() {
            return Err(RefusalReason::ContentLengthRepeated.into());
        }
        self.content_length = Some(parse_content_length(trim_ows(value))?);
        Ok(())
    }

    /// Exactly `chunked`, in any case (RFC 9112 section 7), with spaces around it but no tab: a tab
    /// is legal, but no client sends it and smugglers do.
    fn read_transfer_encoding(&mut self, value: &[u8]) -> Result<(), Refusal> {
        if self.is_chunked {
            return Err(RefusalReason::TransferEncodingRepeated.into());
        }
        if !trim_ows(value).eq_ignore_ascii_case(b"chunked") || value.contains(&b'\t') {
            return Err(RefusalReason::TransferEncodingUnsupported.into());
        }
        self.is_chunked = true;
        Ok(())
    }

    /// RFC 9112 section 6.3, without its repairs.
    fn framing(&self, version: HttpVersion) -> Result<Framing, Refusal> {
        match (self.is_chunked, self.content_length) {
            (true, _) if version == HttpVersion::Http10 => {
                Err(RefusalReason::TransferEncodingOnHttp10.into())
            }
            (true, Some(_)) => Err(RefusalReason::ContentLengthWithTransferEncoding.into()),
            (true, None) => Ok(Framing::Chunked),
            (false, Some(bytes)) => Ok(Framing::Length(bytes)),
            (false, None) => Ok(Framing::None),
        }
    }

    /// RFC 9112 section 3.2: HTTP/1.1 needs a Host, whatever the target. Where section 3.2.2 lets
    /// an absolute target win over another Host, both must agree here.
    fn host(
        &mut self,
        version: HttpVersion,
        target_host: Option<(Host<'a>, u16)>,
    ) -> Result<Option<Host<'a>>, Refusal> {
        match (self.host.take(), target_host) {
            (None, _) if version == HttpVersion::Http11 => Err(RefusalReason::HostMissing.into()),
            (Some(host), Some((target_host, default_port)))
                if !host.is_same_as(&target_host, default_port) =>
            {
                Err(RefusalReason::HostMismatch.into())
            }
            (Some(host), _) => Ok(Some(host)),
            (None, target_host) => Ok(target_host.map(|(host, _)| host)),
        }
    }

    fn upgrade(&self, version: HttpVersion, method: &str, framing: Framing) -> Option<Upgrade> {
        if version != HttpVersion::Http11 || !self.connection.upgrade {
            return None;
        }
        match self.upgrade? {
            Upgrade::WebSocket if method == "GET" && framing == Framing::None => {
                Some(Upgrade::WebSocket)
            }
            _ => Some(Upgrade::Other),
        }
    }

    fn keep_alive(&self, version: HttpVersion) -> bool {
        !self.connection.close && (version == HttpVersion::Http11 || self.connection.keep_alive)
    }
}

impl Connection {
    /// Adds the options of one Connection field; several fields are one list.
    fn read(&mut self, value: &[u8]) {
        for option in value.split(|&b| b == b',').map(trim_ows) {
            self.close |= option.eq_ignore_ascii_case(b"close");
            self.keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
            self.upgrade |= option.eq_ignore_ascii_case(b"upgrade");
        }
    }
}

/// What is wrong with a line whose name is not followed by a colon.
#[cold]
fn field_fault(line: &[u8]) -> RefusalReason {
    match line {
        // RFC 9112 section 5.2: obs-fold, before the first field (section 2.2) too.
        [b' ' | b'\t', ..] => RefusalReason::HeaderFolded,
        _ if line.contains(&b'\r') => RefusalReason::BareCarriageReturn,
        _ if !line.contains(&b':') => RefusalReason::HeaderWithoutColon,
        _ => RefusalReason::HeaderNameInvalid,
    }
}
