//! What reading a body costs: `cargo bench -p palisade-body`.

use std::ops::ControlFlow;

use divan::counter::BytesCount;
use divan::{Bencher, black_box};
use miniz_oxide::deflate::compress_to_vec_zlib;
use palisade_body::{
    Body, File, Limits, Outcome, Processor, Scratch, Sink, Source, content_coding, form,
};
use palisade_testkit::orders;

/// Copies what it is told into one buffer, as an engine would.
#[derive(Default)]
struct Arena(Vec<u8>);

impl Arena {
    fn keep(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Sink for Arena {
    fn argument(&mut self, name: &[u8], value: &[u8]) -> ControlFlow<()> {
        self.keep(name);
        self.keep(value);
        ControlFlow::Continue(())
    }

    fn file(&mut self, file: File<'_>) {
        self.keep(file.field);
        self.keep(file.name.unwrap_or_default());
    }

    fn part_header(&mut self, _part: &[u8], line: &[u8]) {
        self.keep(line);
    }

    fn text(&mut self, text: &[u8]) {
        self.keep(text);
    }

    fn attribute(&mut self, value: &[u8]) {
        self.keep(value);
    }
}

/// A body, and its content coding, which may be none.
struct Sample {
    processor: Processor,
    content_encoding: &'static str,
    bytes: Vec<u8>,
}

fn plain(processor: Processor, body: String) -> Sample {
    Sample {
        processor,
        content_encoding: "",
        bytes: body.into_bytes(),
    }
}

fn main() {
    divan::main();
}

#[divan::bench]
fn form_of_332_values(bencher: Bencher<'_, '_>) {
    bench_read(bencher, &plain(Processor::Urlencoded, orders::form()));
}

#[divan::bench]
fn json_of_389_values(bencher: Bencher<'_, '_>) {
    bench_read(bencher, &plain(Processor::Json, orders::json()));
}

#[divan::bench]
fn multipart_of_56_values(bencher: Bencher<'_, '_>) {
    bench_read(bencher, &plain(Processor::Multipart, orders::multipart()));
}

#[divan::bench]
fn xml_of_275_values(bencher: Bencher<'_, '_>) {
    bench_read(bencher, &plain(Processor::Xml, orders::xml()));
}

#[divan::bench]
fn inflated_json_of_389_values(bencher: Bencher<'_, '_>) {
    let sample = Sample {
        processor: Processor::Json,
        content_encoding: "deflate",
        bytes: compress_to_vec_zlib(orders::json().as_bytes(), 6),
    };
    bench_read(bencher, &sample);
}

/// Memory has grown before it counts.
fn bench_read(bencher: Bencher<'_, '_>, sample: &Sample) {
    let (limits, mut kept) = (Limits::default(), Kept::default());
    let outcome = read(sample, &limits, &mut kept);
    assert_eq!(outcome.error, None, "a whole body");
    bencher
        .counter(BytesCount::of_slice(&sample.bytes))
        .bench_local(|| read(black_box(sample), &limits, &mut kept));
}

/// What an engine keeps from one request to the next.
#[derive(Default)]
struct Kept {
    scratch: Scratch,
    decoded: Vec<u8>,
    arena: Arena,
}

fn read(sample: &Sample, limits: &Limits, kept: &mut Kept) -> Outcome {
    kept.arena.0.clear();
    let mut body = Body::whole(&sample.bytes);
    if !sample.content_encoding.is_empty() {
        let coding = sample.content_encoding.as_bytes();
        let (scratch, decoded) = (&mut kept.scratch, &mut kept.decoded);
        let result = content_coding::decode(coding, body, limits, scratch, decoded);
        assert_eq!(result, Ok(()), "a whole stream");
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
