//! Attacks of a suite, taken out of the requests that they are in.

use std::ops::ControlFlow;

use palisade_body::xml::Elements;
use palisade_body::{Body, Limits, Processor, Scratch, Sink, Source, cookies, form};
use palisade_ftw::{Request, Stage, Test, TestId};
use palisade_seclang::syntax::VariableName;

use super::record::told_names;
use super::trial::{Trials, TriedMatch};

/// An attack that a rule finds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attack {
    /// The test that it is of.
    pub test: TestId,
    /// The request that it is in, byte for byte.
    pub request: Vec<u8>,
    /// The value that the rule matched: as it was sent, but for the encoding of its place; in the form in
    /// which it matched where that can't be told.
    pub payload: Vec<u8>,
}

/// The attacks of `tests` that rules find, for each of the rules: in requests of which a test says that a rule
/// finds something, whichever rule that is.
#[must_use]
pub fn attacks(trials: &mut Trials, tests: &[Test], rules: &[u64]) -> Vec<Vec<Attack>> {
    let mut found: Vec<Vec<Attack>> = vec![Vec::new(); rules.len()];
    for test in tests {
        for stage in test.stages.iter().filter(|stage| is_attack(stage)) {
            let request = stage.input.message.to_bytes();
            let trial = trials.judge(&request);
            for (rule, found) in rules.iter().zip(&mut found) {
                let matches = trial.matches.iter().filter(|one| one.rule == *rule);
                for payload in matches.flat_map(|one| payloads(&request, one)) {
                    let attack = Attack {
                        test: test.id,
                        request: request.clone(),
                        payload,
                    };
                    if !found.contains(&attack) {
                        found.push(attack);
                    }
                }
            }
        }
    }
    found
}

fn is_attack(stage: &Stage) -> bool {
    !stage.output.log.expect_ids.is_empty()
}

/// What was sent of what matched; of what a chain had kept, where the rule says that was.
fn payloads(request: &[u8], matched: &TriedMatch) -> Vec<Vec<u8>> {
    let request = Request::read(request);
    let names = std::iter::once(&*matched.name).chain(told_names(&matched.data));
    let mut payloads = names.map(|name| sent(&request, name));
    let payloads = payloads.find(|payloads| !payloads.is_empty());
    payloads.unwrap_or_else(|| vec![matched.value.clone()])
}

/// What of a request bears a name that rules know values by, decoded as rules see it.
pub(super) fn sent(request: &Request<'_>, name: &str) -> Vec<Vec<u8>> {
    use VariableName as V;
    let Some((variable, member)) = name.split_once(':') else {
        return Vec::new();
    };
    let of_name = |(name, value): Pair| {
        let is_it = name.eq_ignore_ascii_case(member.as_bytes());
        is_it.then_some(value)
    };
    let name_itself = |(name, _): Pair| {
        let is_it = name.eq_ignore_ascii_case(member.as_bytes());
        is_it.then_some(name)
    };
    match VariableName::named(variable.as_bytes()) {
        Some(V::Args | V::ArgsGet | V::ArgsPost) => {
            arguments(request).into_iter().filter_map(of_name).collect()
        }
        Some(V::ArgsNames | V::ArgsGetNames | V::ArgsPostNames) => arguments(request)
            .into_iter()
            .filter_map(name_itself)
            .collect(),
        Some(V::RequestCookies) => of_cookies(request)
            .into_iter()
            .filter_map(of_name)
            .collect(),
        Some(V::RequestHeaders) => headers(request).into_iter().filter_map(of_name).collect(),
        _ => Vec::new(),
    }
}

type Pair = (Vec<u8>, Vec<u8>);

/// Names and values of a sink's arguments.
#[derive(Default)]
struct Pairs(Vec<Pair>);

impl Sink for Pairs {
    fn argument(&mut self, name: &[u8], value: &[u8]) -> ControlFlow<()> {
        self.0.push((name.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    }
}

fn headers(request: &Request<'_>) -> Vec<Pair> {
    let headers = request.headers.iter();
    headers
        .map(|field| (field.name.to_vec(), field.value.to_vec()))
        .collect()
}

fn of_cookies(request: &Request<'_>) -> Vec<Pair> {
    let mut pairs = Pairs::default();
    if let Some(field) = request.header("cookie") {
        let _ = cookies::parse(field, &mut pairs);
    }
    pairs.0
}

/// Those of the query and of the body.
fn arguments(request: &Request<'_>) -> Vec<Pair> {
    let (limits, mut scratch) = (Limits::default(), Scratch::new());
    let mut pairs = query(request.target);
    let content_type = request.header("content-type").unwrap_or_default();
    if let Some(processor) = processor(content_type) {
        let source = Source {
            body: Body::whole(&request.body),
            content_type,
            separator: form::SEPARATOR,
            elements: Elements::Untold,
        };
        let _ = processor.parse(source, &limits, &mut scratch, &mut pairs);
    }
    pairs.0
}

fn processor(content_type: &[u8]) -> Option<Processor> {
    let is_json = content_type
        .to_ascii_lowercase()
        .starts_with(b"application/json");
    match is_json {
        true => Some(Processor::Json),
        false => Processor::of_content_type(content_type),
    }
}

fn query(target: &[u8]) -> Pairs {
    let mut pairs = Pairs::default();
    if let Some(at) = memchr::memchr(b'?', target) {
        let query = Body::whole(target.get(at + 1..).unwrap_or_default());
        let mut scratch = Scratch::new();
        let limits = Limits::default();
        let _ = form::parse(query, form::SEPARATOR, &limits, &mut scratch, &mut pairs);
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(request: &str, name: &str, expected: &[&str]) {
        let values = sent(&Request::read(request.as_bytes()), name);
        let values: Vec<_> = values.iter().map(|v| String::from_utf8_lossy(v)).collect();
        assert_eq!(values, expected, "{name}");
    }

    #[test]
    fn values_are_found_by_their_names() {
        let get = "GET /?a=1%27&b=2&A=3 HTTP/1.1\r\nHost: a\r\nUser-Agent: x y\r\nCookie: c=%41; d=e\r\n\r\n";
        check(get, "ARGS:a", &["1'", "3"]);
        check(get, "ARGS_GET:b", &["2"]);
        check(get, "ARGS_NAMES:b", &["b"]);
        check(get, "REQUEST_COOKIES:c", &["%41"]);
        check(get, "REQUEST_HEADERS:user-agent", &["x y"]);
        check(get, "ARGS:z", &[]);
        check(get, "REQUEST_URI", &[]);
        check(get, "TX:a", &[]);
    }

    #[test]
    fn bodies_are_read_as_their_type_says() {
        let post = |content_type: &str, body: &str| {
            format!(
                "POST / HTTP/1.1\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )
        };
        let form = post("application/x-www-form-urlencoded", "a=b+c");
        check(&form, "ARGS:a", &["b c"]);
        let json = post("application/json", r#"{"a":{"b":["x","y"]}}"#);
        check(&json, "ARGS:a.b.b", &["x", "y"]);
        let parts = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n";
        check(
            &post("multipart/form-data; boundary=x", parts),
            "ARGS:a",
            &["b"],
        );
        check(&post("text/plain", "a=b"), "ARGS:a", &[]);
    }
}
