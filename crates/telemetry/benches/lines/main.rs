//! What a line costs the request that it is about: `cargo bench -p palisade-telemetry`.
//!
//! To format it, and to observe an event with its metrics and, where the log is on, the hand-over to the sink,
//! by one thread and by two at once.

#![expect(
    clippy::expect_used,
    reason = "a benchmark that can't be set up has no figures"
)]

mod events;

use divan::{Bencher, black_box};
use events::{WITHOUT_LOGS, client, open, refusal, request};
use palisade_telemetry::{
    AccessEvent, AccessFormat, AccessLogSettings, LogSettings, Sink, Telemetry,
};

const FORMATS: [AccessFormat; 3] = [
    AccessFormat::Combined,
    AccessFormat::Json,
    AccessFormat::Caddy,
];

fn main() {
    divan::main();
}

#[divan::bench(args = FORMATS, sample_size = 1000)]
fn access_line(bencher: Bencher<'_, '_>, format: AccessFormat) {
    bench_line(bencher, format, &request(&client()));
}

#[divan::bench(args = FORMATS, sample_size = 100)]
fn hostile_access_line(bencher: Bencher<'_, '_>, format: AccessFormat) {
    let quotes = [b'"'; 8 * 1024];
    let client = client();
    let hostile = AccessEvent {
        user_agent: &quotes,
        referer: &quotes,
        ..request(&client)
    };
    bench_line(bencher, format, &hostile);
}

fn bench_line(bencher: Bencher<'_, '_>, format: AccessFormat, event: &AccessEvent<'_>) {
    let mut line = Vec::new();
    bencher.bench_local(|| {
        line.clear();
        format.write_line(black_box(event), &mut line);
    });
}

#[divan::bench(sample_size = 1000)]
fn decision_line(bencher: Bencher<'_, '_>) {
    let (client, mut line) = (client(), Vec::new());
    let refused = refusal(&client);
    bencher.bench_local(|| {
        line.clear();
        black_box(&refused).write_line(&mut line);
    });
}

#[divan::bench(sample_size = 1000)]
fn observe_refusal_without_logs(bencher: Bencher<'_, '_>) {
    let (telemetry, client) = (open(&WITHOUT_LOGS), client());
    let refused = refusal(&client);
    bencher.bench(|| telemetry.observe_decision(black_box(&refused)));
}

#[divan::bench(threads = [1, 2], sample_size = 1000)]
fn observe_request_without_logs(bencher: Bencher<'_, '_>) {
    bench_observe(bencher, &open(&WITHOUT_LOGS));
}

#[divan::bench(threads = [1, 2], sample_size = 1000)]
fn observe_request_log_to_dev_null(bencher: Bencher<'_, '_>) {
    bench_observe(bencher, &with_log(Sink::File("/dev/null".into())));
}

#[divan::bench(threads = [1, 2], sample_size = 1000)]
fn observe_request_log_to_file(bencher: Bencher<'_, '_>) {
    let file = tempfile::NamedTempFile::new().expect("a file");
    bench_observe(bencher, &with_log(Sink::File(file.path().to_owned())));
}

fn bench_observe(bencher: Bencher<'_, '_>, telemetry: &Telemetry) {
    let client = client();
    let event = request(&client);
    bencher.bench(|| telemetry.observe_request(black_box(&event)));
}

fn with_log(sink: Sink) -> Telemetry {
    open(&LogSettings {
        access: Some(AccessLogSettings {
            sink,
            format: AccessFormat::Combined,
        }),
        ..WITHOUT_LOGS
    })
}
