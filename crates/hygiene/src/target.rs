//! The target of a request: what the client asks for, split but not decoded.

use palisade_vocabulary::PathView;

use crate::path::{PathPolicy, PathScratch, canonicalise, check_escapes};
use crate::{HeadLimits, Host, Refusal, RefusalReason};

/// The form in which a target was sent (RFC 9112 section 3.2). The authority-form is CONNECT's
/// alone and refused with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetForm {
    /// `/path?query`.
    Origin,
    /// `http://host/path?query`.
    Absolute,
    /// `*` of OPTIONS.
    Asterisk,
}

/// A target without ambiguous bytes: UTF-8 without control bytes, spaces, fragment, `"`, `<`, `>`.
///
/// Its escapes are not judged yet, since a site may allow some: [`Target::view`] does that, and is
/// the only way to the canonical path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    form: TargetForm,
    path: &'a [u8],
    query: Option<&'a [u8]>,
}

impl<'a> Target<'a> {
    /// The form it was sent in.
    #[must_use]
    pub fn form(&self) -> TargetForm {
        self.form
    }

    /// The path as sent, without the query: begins with `/`, or is `*`.
    #[must_use]
    pub fn path(&self) -> &'a [u8] {
        self.path
    }

    /// The query as sent, without `?`; `None` where there is no `?`.
    #[must_use]
    pub fn query(&self) -> Option<&'a [u8]> {
        self.query
    }

    /// The path in the forms that rules match. The query's escapes are checked with it, so that
    /// nothing of a target is used unjudged. The path of `*` is `/`.
    ///
    /// Hot path: runs per request, allocates nothing once `scratch` has grown, and copies nothing
    /// where the path is canonical as sent.
    ///
    /// # Errors
    /// The path forms that `policy` doesn't allow, and malformed escapes of the query likewise.
    pub fn view<'b>(
        &self,
        policy: &PathPolicy,
        scratch: &'b mut PathScratch,
    ) -> Result<PathView<'b>, Refusal>
    where
        'a: 'b,
    {
        if !policy.malformed_escapes {
            check_escapes(self.query.unwrap_or_default())?;
        }
        match self.form {
            TargetForm::Asterisk => Ok(PathView {
                raw: self.path,
                canonical: b"/",
                without_params: None,
            }),
            TargetForm::Origin | TargetForm::Absolute => canonicalise(self.path, policy, scratch),
        }
    }

    /// Appends the target as a server expects it (origin-form or `*`), byte for byte as sent but
    /// for the authority of an absolute target (RFC 9112 section 3.2.1).
    pub fn write_as_sent(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.path);
        if let Some(query) = self.query {
            out.push(b'?');
            out.extend_from_slice(query);
        }
    }

    /// Splits a target. The second value is the host of an absolute target and its scheme's
    /// default port.
    pub(crate) fn parse(
        sent: &'a [u8],
        method: &str,
        limits: &HeadLimits,
    ) -> Result<(Self, Option<(Host<'a>, u16)>), Refusal> {
        check_bytes(sent, limits)?;
        match sent {
            [b'/', ..] => Ok((Self::split(TargetForm::Origin, sent), None)),
            b"*" if method == "OPTIONS" => Ok((Self::ASTERISK, None)),
            _ => {
                let (rest, default_port) = strip_scheme(sent).ok_or(RefusalReason::TargetForm)?;
                let (target, host) = Self::parse_absolute(rest, method)?;
                Ok((target, Some((host, default_port))))
            }
        }
    }

    const ASTERISK: Target<'static> = Target {
        form: TargetForm::Asterisk,
        path: b"*",
        query: None,
    };

    /// `rest` follows `http://`.
    fn parse_absolute(rest: &'a [u8], method: &str) -> Result<(Self, Host<'a>), Refusal> {
        let host_len = memchr::memchr2(b'/', b'?', rest).unwrap_or(rest.len());
        let (host, rest) = rest.split_at_checked(host_len).unwrap_or((rest, b""));
        let host = Host::parse(host)?;
        let mut target = Self::split(TargetForm::Absolute, rest);
        if rest.is_empty() && method == "OPTIONS" {
            // RFC 9112 section 3.2.4: the last proxy sends `*`.
            target = Self::ASTERISK;
        } else if target.path.is_empty() {
            // RFC 9110 section 4.2.3: an empty path is `/`.
            target.path = b"/";
        }
        Ok((target, host))
    }

    fn split(form: TargetForm, sent: &'a [u8]) -> Self {
        match memchr::memchr(b'?', sent).and_then(|at| sent.split_at_checked(at)) {
            Some((path, query)) => Self {
                form,
                path,
                query: query.get(1..),
            },
            None => Self {
                form,
                path: sent,
                query: None,
            },
        }
    }
}

/// No byte that ends a target for one parser and not for another, or that one can't hold.
///
/// RFC 3986 section 2 wants more bytes escaped than browsers do (WHATWG URL, percent-encode sets).
/// What browsers send raw passes and is the rules' matter: `{|}^[]`, a backtick in the query, and
/// UTF-8. `"`, `<`, `>`, a backtick in the path and bytes that are not UTF-8 are refused: no browser
/// sends them, and HTTP/2 and many HTTP/1 parsers can't hold them. A backslash in the path is the
/// path policy's matter.
fn check_bytes(sent: &[u8], limits: &HeadLimits) -> Result<(), Refusal> {
    if sent.len() > limits.target_bytes {
        return Err(RefusalReason::TargetTooLong.into());
    }
    // Without an early exit the compiler tests many bytes at once.
    let (bad, unusual) = sent.iter().fold((false, false), |(bad, unusual), &byte| {
        (
            bad | is_refused(byte),
            unusual | (byte >= 0x80) | (byte == b'`'),
        )
    });
    if bad {
        return Err(match sent.iter().find(|&&byte| is_refused(byte)) {
            Some(b'#') => RefusalReason::TargetFragment.into(),
            _ => RefusalReason::TargetByte.into(),
        });
    }
    if unusual {
        let path = sent.split(|&byte| byte == b'?').next().unwrap_or_default();
        if path.contains(&b'`') || std::str::from_utf8(sent).is_err() {
            return Err(RefusalReason::TargetByte.into());
        }
    }
    Ok(())
}

fn is_refused(byte: u8) -> bool {
    (byte <= b' ') | matches!(byte, 0x7f | b'#' | b'"' | b'<' | b'>')
}

/// What follows `http://` or `https://` in any case (RFC 3986 section 3.1), and the default port.
fn strip_scheme(sent: &[u8]) -> Option<(&[u8], u16)> {
    [(&b"http://"[..], 80), (&b"https://"[..], 443)]
        .into_iter()
        .find_map(|(scheme, port)| {
            let (start, rest) = sent.split_at_checked(scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some((rest, port))
        })
}

#[cfg(test)]
mod tests {
    use RefusalReason::*;
    use proptest::prelude::*;

    use super::*;

    #[track_caller]
    fn check(method: &str, sent: &str, expected: Result<&str, RefusalReason>) {
        let got = Target::parse(sent.as_bytes(), method, &HeadLimits::default());
        let got = got.map_err(|refusal| refusal.reason).map(|(target, host)| {
            let mut out = Vec::new();
            target.write_as_sent(&mut out);
            let host = host.map_or(String::new(), |(host, port)| {
                format!(" at {}:{}", host.name(), host.port().unwrap_or(port))
            });
            format!("{}{host}", String::from_utf8_lossy(&out))
        });
        assert_eq!(
            got.as_deref(),
            expected.as_ref().copied(),
            "{method} {sent:?}"
        );
    }

    #[test]
    fn forms() {
        check("GET", "/", Ok("/"));
        check("GET", "/a?b?c", Ok("/a?b?c"));
        check("GET", "/a?", Ok("/a?"));
        check("GET", "//a", Ok("//a"));
        check("GET", "http://a", Ok("/ at a:80"));
        check("GET", "HTTPS://A?q", Ok("/?q at a:443"));
        check("GET", "http://a:81/b?c", Ok("/b?c at a:81"));
        check("OPTIONS", "*", Ok("*"));
        check("OPTIONS", "http://a", Ok("* at a:80"));
        check("OPTIONS", "http://a/", Ok("/ at a:80"));
    }

    #[test]
    fn refused_forms() {
        check("GET", "*", Err(TargetForm));
        check("OPTIONS", "*?a", Err(TargetForm));
        check("GET", "", Err(TargetForm));
        check("GET", "a/b", Err(TargetForm));
        check("GET", "example.com:443", Err(TargetForm));
        check("GET", "ftp://a/", Err(TargetForm));
        check("GET", "http:/a", Err(TargetForm));
        check("GET", "http://", Err(HostEmpty));
        check("GET", "http:///a", Err(HostEmpty));
        check("GET", "http://u@a/", Err(HostInvalid));
        check("GET", "http://u:p@a/", Err(HostInvalid));
        check("GET", "http://a\\b/", Err(HostInvalid));
    }

    #[test]
    fn refused_bytes() {
        for bad in [
            "/a b",
            "/a\tb",
            "/a\0",
            "/a\x0b",
            "/a\x7f",
            "/a?b c",
            "/a\rb",
            "/<",
            "/?>",
            "/\"",
            "/`?",
            "http://a`/",
        ] {
            check("GET", bad, Err(TargetByte));
        }
        check("GET", "/a#b", Err(TargetFragment));
        check("GET", "/a?b#", Err(TargetFragment));
        check("GET", &format!("/{}", "a".repeat(8192)), Err(TargetTooLong));
        for fine in ["/ä", "/a|b", "/?a=\\^`{|}", "/[1]", "/'"] {
            check("GET", fine, Ok(fine));
        }
    }

    proptest! {
        #[test]
        fn an_accepted_target_is_one_to_another_parser(bytes in prop::collection::vec(any::<u8>(), 0..20), text in "[!-~ä]{0,20}") {
            for rest in [bytes.as_slice(), text.as_bytes()] {
                let sent = [b"/", rest].concat();
                let parsed = Target::parse(&sent, "GET", &HeadLimits::default()).is_ok();
                let theirs = http::uri::PathAndQuery::try_from(sent.as_slice());
                if parsed {
                    let theirs = theirs.unwrap();
                    prop_assert_eq!(theirs.as_str().as_bytes(), sent.as_slice());
                }
            }
        }
    }
}
