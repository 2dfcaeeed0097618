//! Requests that are made: again from a log, and with attacks where an exclusion holds.

use palisade_ftw::Request;
use palisade_seclang::syntax::VariableName;

use super::attack::{Attack, sent};
use super::proposal::told_target;
use super::record::AuditRecord;
use super::scope::{Host, SentPath, Spared};

const FORM: &str = "application/x-www-form-urlencoded";
/// What a browser sends without being asked: rules look for requests that have none of it.
const BROWSER: [(&str, &str); 2] = [
    ("User-Agent", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0)"),
    ("Accept", "*/*"),
];
/// How long a value is of which a log may have only the beginning.
const VALUE_BYTES_MAX: usize = 512;

/// Where an attack is put: what an exclusion spares, in a request that it is for.
#[derive(Clone, Copy, Debug)]
pub struct Place<'p> {
    /// The host; `None` where the log has none that can stand in a request.
    pub host: Option<&'p Host>,
    /// The path.
    pub path: &'p SentPath,
    /// What is spared.
    pub spared: &'p Spared,
    /// Whether an argument is one of the query; else it is one of the body.
    pub is_in_query: bool,
}

/// What came of putting an attack somewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Planted {
    /// The request that has it there.
    Request(Vec<u8>),
    /// The place has no room for a value but the one that it has: a name, the path itself.
    Fixed,
    /// The value can't stand there.
    Impossible,
}

/// A request that is put together.
#[derive(Debug)]
struct Draft {
    method: String,
    target: String,
    headers: Vec<(String, Vec<u8>)>,
    cookies: Vec<u8>,
    form: String,
}

impl Draft {
    fn new(method: &str, target: &str, host: Option<&Host>) -> Self {
        let host = host.map_or("localhost", Host::as_str);
        let mut draft = Self {
            method: method.to_owned(),
            target: target.to_owned(),
            headers: Vec::new(),
            cookies: Vec::new(),
            form: String::new(),
        };
        draft.header("Host", host.as_bytes());
        for (name, value) in BROWSER {
            draft.header(name, value.as_bytes());
        }
        draft
    }

    /// Sets a field; whether it can have that value.
    fn header(&mut self, name: &str, value: &[u8]) -> bool {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_field = !name.is_empty() && name.bytes().all(is_token);
        if !is_field || value.iter().any(|byte| *byte < b' ' || *byte == 0x7f) {
            return false;
        }
        self.headers
            .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
        self.headers.push((name.to_owned(), value.to_vec()));
        true
    }

    fn cookie(&mut self, name: &str, value: &[u8]) {
        if !self.cookies.is_empty() {
            self.cookies.extend_from_slice(b"; ");
        }
        for (part, sign) in [(name.as_bytes(), &b"="[..]), (value, b"")] {
            for byte in part {
                match byte {
                    b'!'..=b'~' if !b";,\"".contains(byte) => self.cookies.push(*byte),
                    b' ' => self.cookies.push(b' '),
                    _ => self.cookies.extend(format!("%{byte:02X}").into_bytes()),
                }
            }
            self.cookies.extend_from_slice(sign);
        }
    }

    fn query(&mut self, text: &str) {
        self.target.push(match self.target.contains('?') {
            true => '&',
            false => '?',
        });
        self.target.push_str(text);
    }

    fn field(&mut self, text: &str) {
        if !self.form.is_empty() {
            self.form.push('&');
        }
        self.form.push_str(text);
    }

    fn into_bytes(mut self) -> Vec<u8> {
        let cookies = std::mem::take(&mut self.cookies);
        if !cookies.is_empty() {
            self.header("Cookie", &cookies);
        }
        if !self.form.is_empty() {
            self.header("Content-Type", FORM.as_bytes());
            let length = self.form.len().to_string();
            self.header("Content-Length", length.as_bytes());
        }
        let mut bytes = format!("{} {} HTTP/1.1\r\n", self.method, self.target).into_bytes();
        for (name, value) in &self.headers {
            bytes.extend_from_slice(name.as_bytes());
            bytes.extend_from_slice(b": ");
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(self.form.as_bytes());
        bytes
    }
}

/// An attack where an exclusion holds.
#[must_use]
pub fn plant(place: &Place<'_>, attack: &Attack) -> Planted {
    use VariableName as V;
    let (variable, member) = match place.spared {
        Spared::Everything => return moved(place, attack),
        Spared::Variable(variable) => (*variable, ""),
        Spared::Member(variable, member) => (*variable, member.as_str()),
    };
    let payload = &*attack.payload;
    let pair = || format!("{}={}", encoded(member.as_bytes()), encoded(payload));
    let mut draft = Draft::new("GET", place.path.as_str(), place.host);
    match variable {
        V::Args if !place.is_in_query => {
            draft.method = "POST".to_owned();
            draft.field(&pair());
        }
        V::Args | V::ArgsGet => draft.query(&pair()),
        V::ArgsPost => {
            draft.method = "POST".to_owned();
            draft.field(&pair());
        }
        V::RequestCookies => draft.cookie(member, payload),
        V::RequestHeaders if member.eq_ignore_ascii_case("host") => return Planted::Fixed,
        V::RequestHeaders => {
            if !draft.header(member, payload) {
                return Planted::Impossible;
            }
        }
        V::QueryString | V::RequestUri | V::RequestUriRaw | V::RequestLine => {
            draft.query(&encoded(payload));
        }
        V::RequestBody => {
            draft.method = "POST".to_owned();
            draft.field(&encoded(payload));
        }
        V::ArgsNames
        | V::ArgsGetNames
        | V::ArgsPostNames
        | V::RequestCookiesNames
        | V::RequestHeadersNames
        | V::RequestFilename
        | V::RequestBasename
        | V::RequestMethod
        | V::RequestProtocol => return Planted::Fixed,
        _ => return Planted::Impossible,
    }
    Planted::Request(draft.into_bytes())
}

/// The attack's own request, for the host and the path of the place.
fn moved(place: &Place<'_>, attack: &Attack) -> Planted {
    let request = Request::read(&attack.request);
    let mut bytes = request.method.to_vec();
    bytes.push(b' ');
    bytes.extend_from_slice(place.path.as_str().as_bytes());
    if let Some(at) = memchr::memchr(b'?', request.target) {
        bytes.extend_from_slice(request.target.get(at..).unwrap_or_default());
    }
    bytes.extend_from_slice(b" HTTP/1.1\r\nHost: ");
    bytes.extend_from_slice(place.host.map_or("localhost", Host::as_str).as_bytes());
    bytes.extend_from_slice(b"\r\n");
    for field in &request.headers {
        let is_other = ["host", "content-length", "transfer-encoding"];
        if is_other
            .iter()
            .any(|name| field.name.eq_ignore_ascii_case(name.as_bytes()))
        {
            continue;
        }
        bytes.extend_from_slice(field.name);
        bytes.extend_from_slice(b": ");
        bytes.extend_from_slice(&field.value);
        bytes.extend_from_slice(b"\r\n");
    }
    if !request.body.is_empty() {
        bytes.extend(format!("Content-Length: {}\r\n", request.body.len()).into_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(&request.body);
    Planted::Request(bytes)
}

/// The request of an audit line, as far as the log has it, and what it hasn't; nothing where it has no
/// method or target. Header fields are those of a browser but for what rules matched, bodies a form.
#[must_use]
pub fn replay(record: &AuditRecord, host: Option<&Host>) -> Option<(Vec<u8>, Vec<String>)> {
    let (method, target) = (
        record.request.method.as_deref()?,
        record.request.target.as_deref()?,
    );
    let is_clean = |text: &str| text.bytes().all(|byte| byte > b' ' && byte != 0x7f);
    if method.is_empty() || !is_clean(method) || !is_clean(target) {
        return None;
    }
    let mut draft = Draft::new(method, target, host);
    let mut missing = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for matched in record.messages.iter().filter(|one| !one.is_evaluation()) {
        // What a chain has kept, it says where it was.
        let told = match Spared::of_match(&matched.name) {
            Ok(Spared::Everything) => told_target(matched),
            _ => None,
        };
        let name = told.map_or(&*matched.name, |(name, _)| name);
        if seen.contains(&name) || is_in_query(target, name) {
            continue;
        }
        seen.push(name);
        add(&mut draft, name, &matched.value, &mut missing);
    }
    Some((draft.into_bytes(), missing))
}

/// Whether the query of a target has the argument that rules know by that name.
pub(crate) fn is_in_query(target: &str, name: &str) -> bool {
    let line = format!("GET {target} HTTP/1.1\r\n\r\n");
    !sent(&Request::read(line.as_bytes()), name).is_empty()
}

fn add(draft: &mut Draft, name: &str, value: &str, missing: &mut Vec<String>) {
    use VariableName as V;
    let Some((variable, member)) = name.split_once(':') else {
        return;
    };
    let value = value.as_bytes();
    let pair = |value: &[u8]| format!("{}={}", encoded(member.as_bytes()), encoded(value));
    let is_there = match V::named(variable.as_bytes()) {
        Some(V::Args | V::ArgsPost) => {
            draft.field(&pair(value));
            missing.push(format!(
                "{}: as a field of a form, with the value in the form in which it matched",
                name
            ));
            true
        }
        Some(V::ArgsNames | V::ArgsPostNames) => {
            draft.field(&pair(b"1"));
            true
        }
        Some(V::RequestCookies) => {
            draft.cookie(member, value);
            true
        }
        Some(V::RequestHeaders) => {
            member.eq_ignore_ascii_case("host") || draft.header(member, value)
        }
        _ => false,
    };
    if !is_there {
        missing.push(format!("{}: the log hasn't what it was in", name));
    } else if value.len() >= VALUE_BYTES_MAX {
        missing.push(format!(
            "{}: the log has the beginning of the value alone",
            name
        ));
    }
}

/// A name or value of a form, all but letters, digits and `-_.` escaped.
fn encoded(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for byte in bytes {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                out.push(char::from(*byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests;
