//! Why a request is refused before any rule has seen it.

use std::fmt;

/// The methods that a 405 answer names in its `Allow` field, which RFC 9110 section 15.5.6 demands.
///
/// Other upper-case methods pass too: a backend may know more than this list.
pub const ALLOWED_METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// A request that is not forwarded, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub reason: RefusalReason,
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub fn status(self) -> u16 {
        self.reason.status()
    }
}

impl From<RefusalReason> for Refusal {
    fn from(reason: RefusalReason) -> Self {
        Self { reason }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl std::error::Error for Refusal {}

/// Declares each reason once: its variant, status, label and text.
macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $status:literal, $label:literal, $text:literal;)*) => {
        /// Why a request is refused: one vocabulary for the answer, the counter and the log.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RefusalReason {
            $($(#[$doc])* $variant,)*
        }

        impl RefusalReason {
            /// Every reason, so that counters can be made before the first refusal.
            pub const ALL: &'static [RefusalReason] = &[$(Self::$variant,)*];

            /// The status of the answer.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$variant => $status,)* }
            }

            /// The name in metrics and logs: `a-z`, `0-9` and `_`.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $label,)* }
            }

            /// What is wrong, for a person.
            #[must_use]
            pub const fn explanation(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

reasons! {
    // Lines of an HTTP/1 head.

    /// A line ends with LF alone. RFC 9112 section 2.2 lets a server accept that; a server that
    /// does and one that doesn't see different fields, so we don't.
    BareLineFeed = 400, "bare_line_feed", "a line of the head ends with LF alone; expected CR LF";
    /// A CR that is not part of CR LF (RFC 9112 section 2.2).
    BareCarriageReturn = 400, "bare_carriage_return", "a CR that no LF follows in the head";
    /// More than one empty line before the request line (RFC 9112 section 2.2 asks for one).
    LeadingEmptyLines = 400, "leading_empty_lines", "more than one empty line before the request line";
    /// The client ended the connection within the head.
    HeadIncomplete = 400, "head_incomplete", "the connection ended before the head did";
    /// The head did not arrive in time.
    HeadDeadline = 408, "head_deadline", "the head did not arrive in time";
    /// The head is over its limit.
    HeadTooLarge = 431, "head_too_large", "the head has more bytes than the limit";
    /// Too many header fields.
    TooManyHeaders = 431, "too_many_headers", "the head has more fields than the limit";

    /// Clean to us, and not to the parser behind us: what two read differently is not forwarded.
    SecondParser = 400, "second_parser", "the head is not understood the same way by two parsers";

    // The request line.

    /// Not `METHOD SP TARGET SP VERSION` (RFC 9112 section 3).
    RequestLine = 400, "request_line", "the request line is not: method, space, target, space, version";
    /// The method is no token (RFC 9110 section 9.1) or longer than 32 bytes.
    MethodInvalid = 400, "method_invalid", "the method is not a token of 1 to 32 characters";
    /// The method has a lower-case letter: methods are case-sensitive, and backends that forget it
    /// would run what rules did not recognise.
    MethodLowerCase = 400, "method_lower_case", "the method has a lower-case letter";
    /// CONNECT, extended CONNECT (RFC 8441) too: this is no forward proxy.
    MethodConnect = 405, "method_connect", "CONNECT is not allowed: this is not a forward proxy";
    /// TRACE: it would send the client's credentials back to it.
    MethodTrace = 405, "method_trace", "TRACE is not allowed";
    /// A version that is neither HTTP/1.0 nor HTTP/1.1.
    VersionUnsupported = 505, "version_unsupported", "the version is neither HTTP/1.0 nor HTTP/1.1";
    /// HTTP/2's preface where HTTP/1 was expected (RFC 9113 section 3.4).
    Http2Preface = 505, "http2_preface", "HTTP/2 where only HTTP/1 is spoken";

    // The target.

    /// The target is over its limit.
    TargetTooLong = 414, "target_too_long", "the target has more bytes than the limit";
    /// A byte in the target that has to be escaped (RFC 3986 section 2).
    TargetByte = 400, "target_byte", "a byte in the target that has to be escaped, such as a space, NUL, \" or <";
    /// A fragment: clients keep it for themselves (RFC 9110 section 7.1).
    TargetFragment = 400, "target_fragment", "a fragment (#) in the target";
    /// Not origin-form, absolute-form of `http` or `https`, or `*` of OPTIONS (RFC 9112 section 3.2).
    TargetForm = 400, "target_form", "the target neither begins with / nor is an http address nor the * of OPTIONS";
    /// `%` without two hexadecimal digits.
    MalformedEscape = 400, "malformed_escape", "a % without two hexadecimal digits in the target";
    /// `%2F` in the path.
    EncodedSlash = 400, "encoded_slash", "an encoded slash (%2F) in the path";
    /// `\` or `%5C` in the path.
    Backslash = 400, "backslash", "a backslash (\\ or %5C) in the path";
    /// `%00` in the path.
    EncodedNul = 400, "encoded_nul", "an encoded NUL (%00) in the path";
    /// `%252F` and the like in the path.
    DoubleEncoding = 400, "double_encoding", "a slash, backslash or dot that is encoded twice in the path";
    /// `..` that climbs over the root, hides behind an escape, or before `;`.
    UnresolvedDotDot = 400, "unresolved_dot_dot", "a .. in the path that climbs over the root or hides in its segment";

    // Header fields.

    /// A line that begins with space or tab (obs-fold, RFC 9112 section 5.2).
    HeaderFolded = 400, "header_folded", "a header line begins with a space or tab";
    /// A line without `:`.
    HeaderWithoutColon = 400, "header_without_colon", "a header line without a colon";
    /// A name that is empty or no token (RFC 9110 section 5.1); space before `:` included
    /// (RFC 9112 section 5.1).
    HeaderNameInvalid = 400, "header_name_invalid", "a header name is empty or has a byte that is not allowed, such as a space";
    /// A control byte in a value (RFC 9110 section 5.5).
    HeaderValueInvalid = 400, "header_value_invalid", "a NUL or other control byte in a header value";
    /// A field that HTTP/2 forbids (RFC 9113 section 8.2.2).
    ConnectionHeader = 400, "connection_header", "a connection-specific header in an HTTP/2 request";

    /// What breaks HTTP/2 itself, so that no request could be made of it: malformed fields
    /// (RFC 9113 section 8.1.1), frames that don't belong, a broken field block. There is no answer:
    /// the stream is reset, or the connection ends.
    Http2Malformed = 400, "http2_malformed", "a stream or connection that breaks the rules of HTTP/2";

    /// More requests reset than are answered, for longer than the limits let a client (RFC 9113
    /// section 10.5): the connection ends with ENHANCE_YOUR_CALM.
    Http2ResetFlood = 400, "http2_reset_flood", "more HTTP/2 requests reset than answered";
    /// More frames that carry nothing (RFC 9113 section 10.5) than the limits let a client send: the
    /// connection ends with ENHANCE_YOUR_CALM.
    Http2FrameFlood = 400, "http2_frame_flood", "too many HTTP/2 frames that carry nothing";

    // The host.

    /// No Host (RFC 9112 section 3.2), or no `:authority` and no host.
    HostMissing = 400, "host_missing", "no host";
    /// An empty Host.
    HostEmpty = 400, "host_empty", "the host is empty";
    /// More than one Host.
    HostRepeated = 400, "host_repeated", "more than one Host header";
    /// Not a name or address, with a port or not.
    HostInvalid = 400, "host_invalid", "the host is not a name or address with an optional port";
    /// The target or `:authority` names another host than Host.
    HostMismatch = 400, "host_mismatch", "the target and the Host header name different hosts";
    /// The host is no name of the certificate in use (RFC 9110 section 15.5.20).
    MisdirectedRequest = 421, "misdirected_request", "the host is not served on this connection";

    // Framing.

    /// Content-Length is not `1*DIGIT` (RFC 9110 section 8.6), a list, or over 63 bits.
    ContentLengthInvalid = 400, "content_length_invalid", "Content-Length is not one number of bytes";
    /// More than one Content-Length, equal or not.
    ContentLengthRepeated = 400, "content_length_repeated", "more than one Content-Length header";
    /// Content-Length beside Transfer-Encoding (RFC 9112 section 6.1).
    ContentLengthWithTransferEncoding = 400, "content_length_with_transfer_encoding",
        "both Content-Length and Transfer-Encoding";
    /// A Transfer-Encoding that is not `chunked` alone (RFC 9112 section 6.1 asks for 501).
    TransferEncodingUnsupported = 501, "transfer_encoding_unsupported", "a Transfer-Encoding other than exactly chunked";
    /// More than one Transfer-Encoding.
    TransferEncodingRepeated = 400, "transfer_encoding_repeated", "more than one Transfer-Encoding header";
    /// Transfer-Encoding on HTTP/1.0, which has none (RFC 9112 section 6.1).
    TransferEncodingOnHttp10 = 400, "transfer_encoding_on_http10", "Transfer-Encoding on HTTP/1.0";
    /// More than one Content-Type (RFC 9110 section 8.3): rules could read the body as one of them and the
    /// backend as the other.
    ContentTypeRepeated = 400, "content_type_repeated", "more than one Content-Type header";
    /// An `Expect` other than `100-continue` (RFC 9110 section 10.1.1).
    ExpectationFailed = 417, "expectation_failed", "an Expect header other than 100-continue";

    // The body.

    /// Bad chunk sizes and the like.
    BodyMalformed = 400, "body_malformed", "the body is malformed, such as a bad chunk size";
    /// The client ended the connection within the body.
    BodyIncomplete = 400, "body_incomplete", "the connection ended before the body did";
    /// HTTP/2: DATA frames do not add up to Content-Length (RFC 9113 section 8.1.1).
    BodyLengthMismatch = 400, "body_length_mismatch", "the body has another length than Content-Length";
    /// The body is over its limit.
    BodyTooLarge = 413, "body_too_large", "the body has more bytes than the limit";
    /// The body did not arrive in time, or slower than the least rate.
    BodyTooSlow = 408, "body_too_slow", "the body did not arrive in time";
}

impl fmt::Display for RefusalReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explanation())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_reason_has_a_client_or_server_status_and_its_own_label() {
        let mut labels = HashSet::new();
        for reason in RefusalReason::ALL {
            assert!(
                matches!(
                    reason.status(),
                    400 | 405 | 408 | 413 | 414 | 417 | 421 | 431 | 501 | 505
                ),
                "{reason:?}"
            );
            assert!(labels.insert(reason.as_str()), "{reason:?}");
            let snake = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            assert!(reason.as_str().bytes().all(snake), "{reason:?}");
            assert!(!reason.to_string().is_empty());
        }
    }
}
