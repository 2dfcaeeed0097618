//! Lines of logs, what metrics take of a request, and what is counted for CrowdSec.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::Duration;

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_gate::{OwnOrigin, Usage};
use palisade_telemetry::{
    AccessFormat, BackendProtocol, Fields, Level, LogWriter, Report, Sink, Telemetry,
    UpstreamMetrics,
};

use palisade_vocabulary::IpFamily;

use crate::TIMES;
use crate::events::{WITHOUT_LOGS, client, open, refusal, request};

library_benchmark_group!(
    name = telemetry,
    benchmarks = [
        access_line,
        decision_line,
        submit,
        metrics,
        upstream_metrics,
        usage
    ]
);

#[library_benchmark]
#[bench::combined(AccessFormat::Combined)]
#[bench::json(AccessFormat::Json)]
#[bench::caddy(AccessFormat::Caddy)]
fn access_line(format: AccessFormat) -> Vec<u8> {
    let (client, mut line) = (client(), Vec::with_capacity(4_096));
    let event = request(&client);
    for _ in 0..TIMES {
        line.clear();
        format.write_line(black_box(&event), &mut line);
        black_box(&line);
    }
    line
}

#[library_benchmark]
fn decision_line() -> Vec<u8> {
    let (client, mut line) = (client(), Vec::with_capacity(4_096));
    let event = refusal(&client);
    for _ in 0..TIMES {
        line.clear();
        black_box(&event).write_line(&mut line);
        black_box(&line);
    }
    line
}

/// Tells of each error.
struct Errors(SyncSender<()>);

impl Report for Errors {
    fn report(&self, level: Level, _: &'static str, _: &str, _: Fields<'_>) {
        if level == Level::Error {
            // Nobody asks for more than the first.
            let _ = self.0.try_send(());
        }
    }
}

/// A writer with a line in its queue, whose thread has another one in its hands that no write gets rid of: so
/// it neither has to be woken nor takes lines out meanwhile. And a line.
fn stuck() -> (LogWriter, Vec<u8>) {
    let sink = Sink::File("/dev/full".into());
    let (errors, told) = sync_channel(1);
    let metrics = open(&WITHOUT_LOGS).metrics().sink(&sink).expect("metrics");
    let writer = LogWriter::open(&sink, metrics, Arc::new(Errors(errors))).expect("a writer");
    let (client, mut line) = (client(), Vec::new());
    AccessFormat::Combined.write_line(&request(&client), &mut line);
    assert!(writer.submit(&line), "taken in");
    told.recv().expect("a disk that is full");
    assert!(writer.submit(&line), "taken in");
    (writer, line)
}

// As most lines are handed over: the first of a batch alone wakes the thread.
#[library_benchmark]
#[bench::within_a_batch(stuck())]
fn submit((writer, line): (LogWriter, Vec<u8>)) -> (LogWriter, Vec<u8>) {
    for _ in 0..TIMES {
        let is_taken = writer.submit(black_box(&line));
        assert!(black_box(is_taken), "taken in");
    }
    (writer, line)
}

fn without_logs() -> Telemetry {
    let telemetry = open(&WITHOUT_LOGS);
    observe(&telemetry);
    telemetry
}

fn observe(telemetry: &Telemetry) {
    let client = client();
    let (event, refusal) = (request(&client), refusal(&client));
    for _ in 0..TIMES {
        telemetry.observe_request(black_box(&event));
        telemetry.observe_decision(black_box(&refusal));
    }
}

#[library_benchmark]
#[bench::of_request_and_refusal(without_logs())]
fn metrics(telemetry: Telemetry) -> Telemetry {
    observe(&telemetry);
    telemetry
}

fn of_a_pool() -> UpstreamMetrics {
    let metrics = open(&WITHOUT_LOGS).metrics().upstream("app");
    metrics.expect("metrics")
}

#[library_benchmark]
#[bench::of_answer(of_a_pool())]
fn upstream_metrics(metrics: UpstreamMetrics) -> UpstreamMetrics {
    let duration = Duration::from_micros(11_987);
    for _ in 0..TIMES {
        metrics.answered(black_box(BackendProtocol::Http1), black_box(duration));
    }
    metrics
}

#[library_benchmark]
#[bench::of_request_and_refusal(Usage::default())]
fn usage(usage: Usage) -> Usage {
    let client = client();
    for _ in 0..TIMES {
        usage.count_processed(black_box(client.ip));
        usage.count_dropped_by(black_box(client.ip), black_box(OwnOrigin::Waf));
    }
    assert!(usage.processed(IpFamily::V4) > 0, "it counts");
    usage
}
