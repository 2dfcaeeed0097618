//! What a line costs the request that it is about: `cargo bench -p palisade-telemetry`.
//!
//! Prints nanoseconds a line: to format it, and to observe an event with its metrics and, where
//! the log is on, the hand-over to the sink.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use palisade_telemetry::{
    AccessEvent, AccessFormat, AccessLogSettings, Cause, DecisionEvent, DecisionMode, Fields,
    Level, LogSettings, MatchedDecision, MetricLabels, Metrics, Outcome, Report, RequestLine, Sink,
    Subject, Telemetry, WallTime,
};
use palisade_vocabulary::{ClientAddr, HttpVersion, Ip, RequestId};

const ROUNDS: u32 = 5_000;
const SAMPLES: u32 = 60;
/// Lines that one thread of the contended case hands over.
const LINES_A_THREAD: u32 = 100_000;

struct Silent;

impl Report for Silent {
    fn report(&self, _: Level, _: &'static str, _: &str, _: Fields<'_>) {}
}

const BROWSER: &[u8] =
    b"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

fn request(client: &ClientAddr) -> AccessEvent<'_> {
    AccessEvent {
        time: WallTime::from_unix(1_795_289_545, 317_000_000),
        client,
        request: RequestLine::Parsed {
            method: "GET",
            target: b"/catalogue/items/4711?colour=green&page=2&sort=price",
            version: HttpVersion::Http11,
        },
        host: "shop.example.com",
        port: Some(443),
        status: 200,
        body_bytes: 15_324,
        referer: b"https://shop.example.com/catalogue",
        user_agent: BROWSER,
        user: "",
        request_id: RequestId::from_bits(0x0123_4567_89ab_cdef_0123_4567_89ab_cdef),
        duration: Duration::from_micros(12_345),
        upstream: Some("app"),
        upstream_duration: Some(Duration::from_micros(11_987)),
        www_authenticate: None,
        site: "shop.example.com",
        outcome: Outcome::Forwarded,
    }
}

fn refusal(client: &ClientAddr) -> DecisionEvent<'_> {
    let event = request(client);
    DecisionEvent {
        time: event.time,
        mode: DecisionMode::Refused,
        cause: Cause::Decision(MatchedDecision {
            origin: "CAPI",
            scenario: "crowdsecurity/http-probing",
            kind: "ban",
            scope: "ip",
            value: "203.0.113.77",
            id: Some(4_711),
            expires_in: Duration::from_secs(3_600),
        }),
        client,
        peer: client.ip,
        subject: Subject::Request {
            id: event.request_id,
            host: event.host,
            site: event.site,
            request: event.request,
            user_agent: event.user_agent,
            status: Some(403),
        },
        checks_duration: Duration::from_nanos(900),
    }
}

/// Nanoseconds a call: the least of some samples, since what else the machine does only adds.
fn measure(mut call: impl FnMut()) -> f64 {
    let sample = |_| {
        let start = Instant::now();
        (0..ROUNDS).for_each(|_| call());
        start.elapsed().as_secs_f64() * 1e9 / f64::from(ROUNDS)
    };
    (0..SAMPLES).map(sample).fold(f64::INFINITY, f64::min)
}

fn open(access: Option<Sink>) -> Result<Telemetry, Box<dyn std::error::Error>> {
    let labels = MetricLabels {
        version: "bench",
        hygiene_reasons: &[],
        proxy_reasons: &[],
    };
    let settings = LogSettings {
        access: access.map(|sink| AccessLogSettings {
            sink,
            format: AccessFormat::Combined,
        }),
        decisions: None,
        audit: None,
        shadow: None,
    };
    Ok(Telemetry::open(
        &settings,
        Arc::new(Metrics::new(labels)?),
        Arc::new(Silent),
    )?)
}

/// Two threads observe at once: nanoseconds a line on each.
fn contended(telemetry: &Telemetry, client: &ClientAddr) -> f64 {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let event = request(client);
                (0..LINES_A_THREAD).for_each(|_| telemetry.observe_request(black_box(&event)));
            });
        }
    });
    start.elapsed().as_secs_f64() * 1e9 / f64::from(LINES_A_THREAD)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut out = std::io::stdout().lock();
    let client = ClientAddr::peer(Ip::new([203, 0, 113, 77].into()), 50_123);
    let event = request(&client);
    let hostile = [b'"'; 8 * 1024];
    let hostile = AccessEvent {
        user_agent: &hostile,
        referer: &hostile,
        ..event
    };
    let refused = refusal(&client);
    let mut line = Vec::new();
    for format in [
        AccessFormat::Combined,
        AccessFormat::Json,
        AccessFormat::Caddy,
    ] {
        let nanos = measure(|| {
            line.clear();
            format.write_line(black_box(&event), &mut line);
        });
        writeln!(
            out,
            "format {format:?}: {nanos:.0} ns, {} bytes",
            line.len()
        )?;
        let nanos = measure(|| {
            line.clear();
            format.write_line(black_box(&hostile), &mut line);
        });
        writeln!(
            out,
            "format {format:?}, hostile: {nanos:.0} ns, {} bytes",
            line.len()
        )?;
    }
    let nanos = measure(|| {
        line.clear();
        black_box(&refused).write_line(&mut line);
    });
    writeln!(out, "format decision: {nanos:.0} ns, {} bytes", line.len())?;

    let off = open(None)?;
    let nanos = measure(|| off.observe_request(black_box(&event)));
    writeln!(out, "observe request, log off: {nanos:.0} ns")?;
    let nanos = contended(&off, &client);
    writeln!(
        out,
        "observe request, log off, 2 threads: {nanos:.0} ns each"
    )?;
    let nanos = measure(|| off.observe_decision(black_box(&refused)));
    writeln!(out, "observe refusal, log off: {nanos:.0} ns")?;
    let on = open(Some(Sink::File("/dev/null".into())))?;
    let nanos = measure(|| on.observe_request(black_box(&event)));
    writeln!(out, "observe request, combined to /dev/null: {nanos:.0} ns")?;
    let nanos = contended(&on, &client);
    writeln!(
        out,
        "observe request, combined to /dev/null, 2 threads: {nanos:.0} ns each"
    )?;

    let file = tempfile::NamedTempFile::new()?;
    let to_file = open(Some(Sink::File(file.path().to_owned())))?;
    let nanos = contended(&to_file, &client);
    to_file.flush(Duration::from_secs(60))?;
    let written = File::open(file.path())?.metadata()?.len() / line_length(&event);
    writeln!(
        out,
        "observe request, combined to a file, 2 threads: {nanos:.0} ns each, {written} of {} written",
        2 * LINES_A_THREAD
    )?;
    Ok(())
}

fn line_length(event: &AccessEvent<'_>) -> u64 {
    let mut line = Vec::new();
    AccessFormat::Combined.write_line(event, &mut line);
    u64::try_from(line.len()).unwrap_or(u64::MAX)
}
