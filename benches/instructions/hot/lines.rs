//! Lines of logs, and what metrics take of a request.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_telemetry::{AccessFormat, Telemetry};

use crate::TIMES;
use crate::events::{WITHOUT_LOGS, client, open, refusal, request};

library_benchmark_group!(
    name = telemetry,
    benchmarks = [access_line, decision_line, metrics]
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
