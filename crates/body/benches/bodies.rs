//! What reading a body costs: `cargo bench -p palisade-body`.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use miniz_oxide::deflate::compress_to_vec_zlib;
use palisade_body::{
    Body, File, Limits, Outcome, Processor, Scratch, Sink, Source, content_coding, form,
};
use palisade_testkit::orders;

/// Copies what it is told into one buffer, as an engine would.
#[derive(Default)]
struct Arena {
    bytes: Vec<u8>,
    values: usize,
}

impl Arena {
    fn keep(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.values = 0;
    }
}

impl Sink for Arena {
    fn argument(&mut self, name: &[u8], value: &[u8]) -> ControlFlow<()> {
        self.values += 1;
        self.keep(name);
        self.keep(value);
        ControlFlow::Continue(())
    }

    fn file(&mut self, file: File<'_>) {
        self.values += 1;
        self.keep(file.field);
        self.keep(file.name.unwrap_or_default());
    }

    fn part_header(&mut self, _part: &[u8], line: &[u8]) {
        self.keep(line);
    }

    fn text(&mut self, text: &[u8]) {
        self.values += 1;
        self.keep(text);
    }

    fn attribute(&mut self, value: &[u8]) {
        self.values += 1;
        self.keep(value);
    }
}

struct Sample {
    name: &'static str,
    processor: Processor,
    content_encoding: &'static str,
    bytes: Vec<u8>,
}

fn samples() -> Vec<Sample> {
    let sample = |name, processor, bytes: String| Sample {
        name,
        processor,
        content_encoding: "",
        bytes: bytes.into_bytes(),
    };
    vec![
        sample("form", Processor::Urlencoded, orders::form()),
        sample("json", Processor::Json, orders::json()),
        sample("multipart", Processor::Multipart, orders::multipart()),
        sample("xml", Processor::Xml, orders::xml()),
        Sample {
            name: "gzip",
            processor: Processor::Json,
            content_encoding: "deflate",
            bytes: compress_to_vec_zlib(orders::json().as_bytes(), 6),
        },
    ]
}

/// What an engine keeps from one request to the next.
#[derive(Default)]
struct Kept {
    scratch: Scratch,
    decoded: Vec<u8>,
    arena: Arena,
}

fn read(sample: &Sample, limits: &Limits, kept: &mut Kept) -> Outcome {
    kept.arena.clear();
    let mut body = Body::whole(&sample.bytes);
    if !sample.content_encoding.is_empty() {
        let coding = sample.content_encoding.as_bytes();
        let (scratch, decoded) = (&mut kept.scratch, &mut kept.decoded);
        let result = content_coding::decode(coding, body, limits, scratch, decoded);
        assert_eq!(result, Ok(()), "{}", sample.name);
        body.bytes = &kept.decoded;
    }
    let source = Source {
        body,
        content_type: b"multipart/form-data; boundary=0000",
        separator: form::SEPARATOR,
        elements: palisade_body::xml::Elements::Untold,
    };
    let (scratch, arena) = (&mut kept.scratch, &mut kept.arena);
    sample.processor.parse(source, limits, scratch, arena)
}

#[expect(clippy::print_stdout, reason = "this is what a benchmark is for")]
fn main() {
    let limits = Limits::default();
    let mut kept = Kept::default();
    for sample in &samples() {
        let outcome = read(sample, &limits, &mut kept);
        assert_eq!(outcome.error, None, "{}", sample.name);
        let best = best_time(|| {
            black_box(read(black_box(sample), &limits, &mut kept));
        });
        let (bytes, values) = (sample.bytes.len(), kept.arena.values);
        println!(
            "{:<10} {bytes:6} bytes {values:4} values {best:8.1?}",
            sample.name
        );
    }
}

/// The best of seven batches, each a tenth of a second: the one that others disturbed least.
fn best_time(mut run: impl FnMut()) -> Duration {
    let mut best = Duration::MAX;
    for _ in 0..7 {
        let (begun, mut runs) = (Instant::now(), 0);
        while begun.elapsed() < Duration::from_millis(100) {
            run();
            runs += 1;
        }
        best = best.min(begun.elapsed() / runs);
    }
    best
}
