//! Bodies, read into what rules ask for.

use std::hint::black_box;
use std::ops::ControlFlow;

use gungraun::{library_benchmark, library_benchmark_group};
use miniz_oxide::deflate::compress_to_vec_zlib;
use palisade_body::xml::Elements;
use palisade_body::{Body, File, Limits, Processor, Scratch, Sink, Source, content_coding, form};
use palisade_testkit::orders;

library_benchmark_group!(name = body, benchmarks = [read, inflate]);

/// Copies what it is told into one buffer, as an engine would.
#[derive(Default)]
struct Arena(Vec<u8>);

impl Sink for Arena {
    fn argument(&mut self, name: &[u8], value: &[u8]) -> ControlFlow<()> {
        self.0.extend_from_slice(name);
        self.0.extend_from_slice(value);
        ControlFlow::Continue(())
    }

    fn file(&mut self, file: File<'_>) {
        self.0.extend_from_slice(file.field);
        self.0.extend_from_slice(file.name.unwrap_or_default());
    }

    fn part_header(&mut self, _part: &[u8], line: &[u8]) {
        self.0.extend_from_slice(line);
    }

    fn text(&mut self, text: &[u8]) {
        self.0.extend_from_slice(text);
    }

    fn attribute(&mut self, value: &[u8]) {
        self.0.extend_from_slice(value);
    }
}

/// A body, and what an engine keeps from one request to the next, once it has read it.
struct Reading {
    processor: Processor,
    bytes: Vec<u8>,
    scratch: Scratch,
    arena: Arena,
}

impl Reading {
    fn new(processor: Processor, body: fn() -> String) -> Self {
        let mut reading = Self {
            processor,
            bytes: body().into_bytes(),
            scratch: Scratch::default(),
            arena: Arena::default(),
        };
        reading.run();
        reading
    }

    fn run(&mut self) {
        self.arena.0.clear();
        let source = Source {
            body: Body::whole(black_box(&self.bytes)),
            content_type: b"multipart/form-data; boundary=0000",
            separator: form::SEPARATOR,
            elements: Elements::Untold,
        };
        let (limits, scratch) = (Limits::default(), &mut self.scratch);
        let outcome = self
            .processor
            .parse(source, &limits, scratch, &mut self.arena);
        assert_eq!(black_box(outcome).error, None);
    }
}

#[library_benchmark(setup = Reading::new)]
#[bench::form(Processor::Urlencoded, orders::form)]
#[bench::json_of_389_values(Processor::Json, orders::json)]
#[bench::multipart(Processor::Multipart, orders::multipart)]
#[bench::xml(Processor::Xml, orders::xml)]
fn read(mut reading: Reading) -> Reading {
    reading.run();
    reading
}

/// A compressed body, and memory that has grown.
type Compressed = (Vec<u8>, Scratch, Vec<u8>);

fn compressed() -> Compressed {
    let bytes = compress_to_vec_zlib(orders::json().as_bytes(), 6);
    inflate_once((bytes, Scratch::default(), Vec::new()))
}

fn inflate_once((bytes, mut scratch, mut out): Compressed) -> Compressed {
    out.clear();
    let body = Body::whole(black_box(&bytes));
    let decoded =
        content_coding::decode(b"deflate", body, &Limits::default(), &mut scratch, &mut out);
    assert_eq!(decoded, Ok(()));
    (bytes, scratch, out)
}

#[library_benchmark]
#[bench::json_of_389_values(compressed())]
fn inflate(compressed: Compressed) -> Compressed {
    inflate_once(compressed)
}
