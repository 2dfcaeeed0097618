//! What OWASP CRS in front of a site costs the whole process, beside nginx with ModSecurity 3.
//!
//! `cargo build --release --bin palisade`, then `PALISADE_CRS=FOLDER cargo bench -p palisade-benches --bench waf`:
//! processor time a request of the real binary with CRS at paranoia 1, bodies and answers inspected, the audit
//! log on, before an nginx with a page of 1 KiB; and of an nginx that has the same rules, where Debian's
//! libnginx-mod-http-modsecurity is installed (or unpacked in the folder that `PALISADE_MODSECURITY` names).
//! Eight connections have a request on its way each. Values are made up anew for each request, so that what a
//! worker remembers of them is of no use; or the same sixteen requests come again and again, as most of real
//! traffic does in part. `PALISADE` names another binary.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a program for a terminal"
)]

use std::env;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};

use palisade_benches::figures::{machine, median, processor_nanos};
use palisade_benches::nginx::Nginx;
use palisade_benches::palisade::{Palisade, free_address};
use palisade_benches::random::Random;
use palisade_benches::settings::SettingsFiles;

/// Both take turns, so that what disturbs the machine for a while disturbs both.
const TURNS: usize = 11;
/// Requests of a turn to Palisade. ModSecurity gets a tenth: it takes that much longer.
const REQUESTS_PER_TURN: usize = 400;
/// Connections, each with a request on its way.
const CONNECTIONS: usize = 8;
/// Requests that come again and again, where values do.
const SEEN: usize = 16;

/// What is sent.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Plain,
    Arguments,
    Form,
    JsonOfMany,
    JsonOfFew,
    Attack,
}

/// Whether values come again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    New,
    Seen,
}

/// Each kind, its name, and how many times cheaper than ModSecurity it is to be.
const KINDS: [(Kind, &str, f64); 6] = [
    (Kind::Plain, "plain GET", 20.0),
    (Kind::Arguments, "GET, 8 arguments, 5 cookies", 35.0),
    (Kind::Form, "form of 2 KiB", 50.0),
    (Kind::JsonOfMany, "JSON of 10 KiB, 389 values", 100.0),
    (Kind::JsonOfFew, "JSON of 10 KiB, 10 values", 40.0),
    (Kind::Attack, "attack, refused", 20.0),
];

fn main() {
    let Some(crs) = env::var_os("PALISADE_CRS").map(PathBuf::from) else {
        println!("skipped: PALISADE_CRS names no folder with OWASP CRS");
        return;
    };
    let folder = tempfile::tempdir().expect("a folder for temporary files");
    let backend = Nginx::start(folder.path());
    let palisade = Gate::palisade(&folder.path().join("palisade"), &crs, backend.address());
    let bare = Gate::bare(&folder.path().join("bare"), backend.address());
    let modsecurity = Gate::modsecurity(&folder.path().join("nginx"), &crs, backend.address());
    println!("{}", machine());
    println!(
        "microseconds of processor time a request, median of {TURNS} turns of {REQUESTS_PER_TURN} requests:"
    );
    println!(
        "{:<30} {:<6} {:>12} {:>12} {:>14} {:>8} {:>8}",
        "", "values", "without WAF", "Palisade", "ModSecurity 3", "cheaper", "aim"
    );
    let mut random = Random::new(7);
    for (kind, name, aim) in KINDS {
        for values in [Values::New, Values::Seen] {
            let gates = [Some(&bare), Some(&palisade), modsecurity.as_ref()];
            let mut costs = measure(gates, kind, values, &mut random);
            let [bare, ours, theirs] = costs.each_mut();
            let (bare, ours) = (median(bare), median(ours));
            print!("{name:<30} {values:<6?} {bare:>12.1} {ours:>12.1} ");
            match theirs.is_empty() {
                true => println!("{:>14}", "not here"),
                false => {
                    let theirs = median(theirs);
                    let cheaper = theirs / ours;
                    println!("{theirs:>14.1} {cheaper:>7.1}x {aim:>7.0}x");
                }
            }
        }
    }
}

/// What each turn of each gate has cost.
fn measure(
    gates: [Option<&Gate>; 3],
    kind: Kind,
    values: Values,
    random: &mut Random,
) -> [Vec<f64>; 3] {
    let mut costs: [Vec<f64>; 3] = Default::default();
    let seen: Vec<String> = (0..SEEN).map(|_| request(kind, random)).collect();
    // The first turn is for memory to grow.
    for turn in 0..=TURNS {
        for (costs, gate) in costs.iter_mut().zip(gates) {
            let Some(gate) = gate else { continue };
            let requests: Vec<String> = match values {
                Values::New => (0..gate.requests).map(|_| request(kind, random)).collect(),
                Values::Seen => seen.iter().cycle().take(gate.requests).cloned().collect(),
            };
            let cost = gate.take_turn(kind, &requests);
            if turn > 0 {
                costs.push(cost);
            }
        }
    }
    costs
}

/// A running proxy.
enum Server {
    Palisade(Palisade),
    Nginx(Nginx),
}

struct Gate {
    server: Server,
    address: SocketAddr,
    requests: usize,
    has_rules: bool,
}

/// The settings that both have, beside CRS.
const ENGINE: &str = "SecRuleEngine On
SecRequestBodyAccess On
SecRequestBodyLimit 13107200
SecRequestBodyNoFilesLimit 131072
SecResponseBodyAccess On
SecResponseBodyMimeType text/plain text/html text/xml application/json
SecResponseBodyLimit 1048576
SecResponseBodyLimitAction ProcessPartial
SecRule REQUEST_HEADERS:Content-Type \"@rx ^application/json\" \"id:200001,phase:1,t:none,t:lowercase,pass,nolog,ctl:requestBodyProcessor=JSON\"
";

impl Gate {
    fn palisade(folder: &Path, crs: &Path, backend: SocketAddr) -> Self {
        let rules = write_rules(folder, crs);
        let waf = format!(
            "waf: {{ rules: {:?} }}\nlogs: {{ audit: {{ path: audit.jsonl }} }}",
            rules.display().to_string()
        );
        Self::of_palisade(folder, backend, &waf)
    }

    fn bare(folder: &Path, backend: SocketAddr) -> Self {
        Self::of_palisade(folder, backend, "")
    }

    fn of_palisade(folder: &Path, backend: SocketAddr, more: &str) -> Self {
        let address = free_address();
        let settings = format!(
            "listeners: [{{ address: \"{address}\" }}]
upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}
sites: [{{ upstream: app }}]
{more}
"
        );
        let files = SettingsFiles::of(settings);
        Self {
            server: Server::Palisade(Palisade::start(folder, &files, 1, &[])),
            address,
            requests: REQUESTS_PER_TURN,
            has_rules: !more.is_empty(),
        }
    }

    /// `None` where the module isn't here.
    fn modsecurity(folder: &Path, crs: &Path, backend: SocketAddr) -> Option<Self> {
        let root = env::var_os("PALISADE_MODSECURITY").map_or_else(|| "/".into(), PathBuf::from);
        let module = root.join("usr/lib/nginx/modules/ngx_http_modsecurity_module.so");
        if !module.exists() {
            return None;
        }
        let rules = write_rules(folder, crs);
        let main = format!("load_module {};", module.display());
        let location = format!(
            "modsecurity on; modsecurity_rules_file {}; proxy_pass http://{backend}; proxy_http_version 1.1; \
             proxy_set_header Connection \"\"; client_body_buffer_size 1m;",
            rules.display()
        );
        let server = Nginx::start_with(folder, &main, &location, &root);
        Some(Self {
            address: server.address(),
            server: Server::Nginx(server),
            requests: REQUESTS_PER_TURN / 10,
            has_rules: true,
        })
    }

    fn pid(&self) -> u32 {
        match &self.server {
            Server::Palisade(palisade) => palisade.pid(),
            Server::Nginx(nginx) => nginx.pid(),
        }
    }

    /// Microseconds of processor time for one request.
    fn take_turn(&self, kind: Kind, requests: &[String]) -> f64 {
        let before = processor_nanos(self.pid());
        // Words at random read like an attack now and then.
        let expected: &[u16] = match kind {
            Kind::Attack if self.has_rules => &[403],
            _ => &[200, 403],
        };
        let mut connections: [Option<TcpStream>; CONNECTIONS] = Default::default();
        for requests in requests.chunks(CONNECTIONS) {
            for (connection, request) in connections.iter_mut().zip(requests) {
                let tcp = connection.get_or_insert_with(|| {
                    TcpStream::connect(self.address).expect("a server that runs")
                });
                tcp.write_all(request.as_bytes())
                    .expect("a server that reads");
            }
            for (connection, _) in connections.iter_mut().zip(requests) {
                let is_over = connection
                    .as_mut()
                    .is_some_and(|tcp| read_answer(tcp, expected));
                if is_over {
                    *connection = None;
                }
            }
        }
        (processor_nanos(self.pid()) - before) / requests.len() as f64 / 1e3
    }
}

/// Reads an answer; whether the server ends the connection.
fn read_answer(tcp: &mut TcpStream, expected: &[u16]) -> bool {
    let mut received = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let count = tcp.read(&mut buffer).expect("an answer");
        received.extend_from_slice(buffer.get(..count).unwrap_or_default());
        let text = String::from_utf8_lossy(&received).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            assert!(count > 0, "the connection ended: {text}");
            continue;
        };
        let is_expected = |status: &u16| head.starts_with(&format!("http/1.1 {status} "));
        assert!(expected.iter().any(is_expected), "{head}");
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let is_whole = match length.and_then(|length| length.parse::<usize>().ok()) {
            Some(length) => body.len() >= length,
            None => body.ends_with("0\r\n\r\n"),
        };
        if is_whole || count == 0 {
            return head.contains("connection: close") || count == 0;
        }
    }
}

/// A file that includes the engine's settings and CRS.
fn write_rules(folder: &Path, crs: &Path) -> PathBuf {
    fs::create_dir_all(folder).expect("a folder that can be written");
    let crs = crs.canonicalize().expect("CRS");
    let path = folder.join("rules.conf");
    let rules = format!(
        "{ENGINE}Include {0}/crs-setup.conf.example\nInclude {0}/rules/*.conf\n",
        crs.display()
    );
    fs::write(&path, rules).expect("a folder that can be written");
    path
}

fn request(kind: Kind, random: &mut Random) -> String {
    let mut head = String::from(
        "Host: shop.example.com\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n\
         Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\nAccept-Language: en-US,en;q=0.5\r\n",
    );
    let (mut target, mut body) = (format!("/shop/{}", random.letters()), String::new());
    match kind {
        Kind::Plain => {}
        Kind::Attack => {
            target.push_str("?id=1%27%20or%201=1--%20&x=%3Cscript%3Ealert(1)%3C/script%3E")
        }
        Kind::Arguments => {
            for number in 0..8 {
                let mark = if number == 0 { '?' } else { '&' };
                let _ = write!(target, "{mark}name{number}={}", random.letters());
            }
            let cookies: Vec<String> = (0..5)
                .map(|number| format!("cookie{number}={}", random.letters()))
                .collect();
            let _ = write!(head, "Cookie: {}\r\n", cookies.join("; "));
        }
        Kind::Form => {
            while body.len() < 2_048 {
                let mark = if body.is_empty() { "" } else { "&" };
                let words: Vec<String> = (0..8).map(|_| random.letters()).collect();
                let _ = write!(body, "{mark}field{}={}", body.len(), words.join("+"));
            }
            head.push_str("Content-Type: application/x-www-form-urlencoded\r\n");
        }
        Kind::JsonOfMany | Kind::JsonOfFew => {
            let (values, words) = match kind {
                Kind::JsonOfMany => (389, 1),
                _ => (10, 100),
            };
            let members: Vec<String> = (0..values)
                .map(|number| {
                    let words: Vec<String> = (0..words).map(|_| random.letters()).collect();
                    format!("\"member{number}\":\"{}\"", words.join(" "))
                })
                .collect();
            body = format!("{{{}}}", members.join(","));
            head.push_str("Content-Type: application/json\r\n");
        }
    }
    match body.is_empty() {
        true => format!("GET {target} HTTP/1.1\r\n{head}\r\n"),
        false => format!(
            "POST {target} HTTP/1.1\r\n{head}Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    }
}
