//! Messages to be explained: from a URL and what is said of it, or from files.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use palisade_ftw::{Framing, Request};
use palisade_vocabulary::{ByteSize, Scheme};

use crate::arguments::WafExplain;
use crate::url::Url;

/// The most of a file that is read.
const BYTES_MAX: ByteSize = ByteSize::mib(64);

/// A request, byte for byte.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) bytes: Vec<u8>,
    /// How the server is spoken to.
    pub(super) scheme: Scheme,
}

/// The request of `url`, else of the file of `--raw`; `None` where neither is named.
pub(super) fn sent(arguments: &WafExplain, url: Option<&str>) -> Result<Option<Sent>> {
    match (url, &arguments.raw) {
        (Some(url), _) => from_url(arguments, url).map(Some),
        (None, Some(path)) => Ok(Some(Sent {
            bytes: read(path)?,
            scheme: Scheme::Http,
        })),
        (None, None) => Ok(None),
    }
}

fn from_url(arguments: &WafExplain, url: &str) -> Result<Sent> {
    let parsed = Url::parse(url)?;
    if let Some(at) = url.find(|character: char| character == ' ' || character.is_control()) {
        bail!(
            "the address has white space or a control character at byte {}; write it as %20 or the like",
            at + 1
        );
    }
    let data = match (&arguments.data, &arguments.data_file) {
        (Some(data), _) => Some(data.clone().into_bytes()),
        (None, Some(path)) => Some(read(path)?),
        (None, None) => None,
    };
    let method = match (&arguments.method, &data) {
        (Some(method), _) => method,
        (None, Some(_)) => "POST",
        (None, None) => "GET",
    };
    if method.is_empty() || method.contains(|one: char| one.is_whitespace() || one.is_control()) {
        bail!(
            "\"{}\" is not a method; expected one like GET",
            method.escape_debug()
        );
    }
    let mut head = format!("{method} {} HTTP/1.1\r\n", parsed.target);
    for (name, value) in headers(arguments, parsed.host, data.as_ref().map(Vec::len))? {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend(data.unwrap_or_default());
    Ok(Sent {
        bytes,
        scheme: parsed.scheme,
    })
}

/// The fields that are named, after those that a request needs.
fn headers(
    arguments: &WafExplain,
    host: &str,
    data_len: Option<usize>,
) -> Result<Vec<(String, String)>> {
    let mut named = Vec::new();
    for header in &arguments.headers {
        let parts = header
            .split_once(':')
            .filter(|_| !header.contains(['\r', '\n']));
        let (name, value) = parts.with_context(|| {
            format!(
                "\"{}\" is not a header; expected 'Name: value'",
                header.escape_debug()
            )
        })?;
        named.push((name.trim().to_owned(), value.trim().to_owned()));
    }
    let has = |wanted: &str| {
        let mut names = named.iter().map(|(name, _)| name);
        names.any(|name| name.eq_ignore_ascii_case(wanted))
    };
    let mut needed = Vec::new();
    let mut need = |name: &str, value: String| {
        if !has(name) {
            needed.push((name.to_owned(), value));
        }
    };
    need("Host", host.to_owned());
    if let Some(len) = data_len {
        need(
            "Content-Type",
            "application/x-www-form-urlencoded".to_owned(),
        );
        if !has("Transfer-Encoding") {
            need("Content-Length", len.to_string());
        }
    }
    needed.extend(named);
    Ok(needed)
}

/// A file, or standard input for `-`.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let source: Box<dyn Read> = match path.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(File::open(path).with_context(|| format!("can't open {}", path.display()))?),
    };
    let mut bytes = Vec::new();
    let max = BYTES_MAX.as_u64();
    let read = source.take(max + 1).read_to_end(&mut bytes);
    read.with_context(|| format!("can't read {}", path.display()))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len > max) {
        bail!("{} is larger than {BYTES_MAX}", path.display());
    }
    Ok(bytes)
}

/// What is odd about a request as it was written to a file.
pub(super) fn oddities(request: &Request<'_>, bytes: &[u8]) -> Vec<String> {
    let mut odd = Vec::new();
    if !request.head.contains(&b'\r') {
        odd.push(
            "the lines of its head end with LF alone, and not with CRLF as a client sends them; \
             `unix2dos` mends a file"
                .to_owned(),
        );
    }
    if !request.is_whole {
        odd.push(match request.framing {
            Framing::None => "its head has no end: an empty line must follow it".to_owned(),
            Framing::Length => format!(
                "its body has {} bytes, which is less than Content-Length says",
                request.body.len()
            ),
            Framing::Chunked => "its last chunk, of size 0, is missing".to_owned(),
        });
    }
    let behind = bytes.len().saturating_sub(request.head.len());
    match request.framing {
        Framing::None if behind > 0 => odd.push(format!(
            "{behind} bytes behind its head are no body without Content-Length: {behind}"
        )),
        Framing::Length if behind > request.body.len() => odd.push(format!(
            "{} bytes behind its body are left out; Content-Length: {behind} would include them",
            behind.saturating_sub(request.body.len())
        )),
        _ => {}
    }
    odd
}
