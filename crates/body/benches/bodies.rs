//! What reading a body costs: `cargo bench -p palisade-body`.
//!
//! Times differ from run to run on a busy machine; instructions don't. To count them, each body is
//! read so many times (`--count`), and callgrind counts only within the function that reads it:
//!
//! ```sh
//! bench=$(cargo bench -p palisade-body --no-run 2>&1 | sed -n 's/.*(\(target.*bodies-[^)]*\)).*/\1/p')
//! for body in form json multipart xml gzip; do
//!     valgrind --tool=callgrind --toggle-collect='*counted*' --callgrind-out-file=/dev/null \
//!         "$bench" --count 10 $body 2>&1 | sed -n "s/.*Collected : /$body, 10 times: /p"
//! done
//! ```

use std::fmt::Write;
use std::hint::black_box;
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use miniz_oxide::deflate::compress_to_vec_zlib;
use palisade_body::{
    Body, File, Limits, Outcome, Processor, Scratch, Sink, Source, content_coding, form,
};

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
        sample("form", Processor::Urlencoded, orders_as_form()),
        sample("json", Processor::Json, orders_as_json()),
        sample("multipart", Processor::Multipart, orders_as_multipart()),
        sample("xml", Processor::Xml, orders_as_xml()),
        Sample {
            name: "gzip",
            processor: Processor::Json,
            content_encoding: "deflate",
            bytes: compress_to_vec_zlib(orders_as_json().as_bytes(), 6),
        },
    ]
}

const ORDERS: usize = 55;

/// 10 KiB with 389 values: orders of 7 values, and 4 values around them.
fn orders_as_json() -> String {
    let mut json =
        "{\"user\":\"m\u{fc}ller@example.com\",\"shop\":{\"id\":17,\"open\":true},\"orders\":["
            .to_owned();
    for order in 0..ORDERS {
        let comma = if order == 0 { "" } else { "," };
        let _ = write!(
            json,
            "{comma}{{\"id\":{},\"name\":\"An article, size {order}, in a box\",\"price\":{order}.95,\
             \"tags\":[\"new\",\"red \\\"x\\\"\"],\"address\":{{\"street\":\"Long street {order}, \
             second floor, at the back, near the lift\",\"city\":null}}}}",
            100_000 + order
        );
    }
    json.push_str("],\"note\":\"Please ring twice.\\nThank you!\"}");
    json
}

fn orders_as_form() -> String {
    let mut form = "user=m%C3%BCller%40example.com&open=1".to_owned();
    for order in 0..ORDERS {
        let _ = write!(
            form,
            "&id={}&name=An+article%2C+size+{order}&price={order}.95&tags%5B%5D=new\
             &street=Long+street+{order}%2C+second+floor&city=",
            100_000 + order
        );
    }
    form
}

fn orders_as_multipart() -> String {
    let mut body = String::new();
    for order in 0..ORDERS {
        let _ = write!(
            body,
            "--0000\r\nContent-Disposition: form-data; name=\"name[{order}]\"\r\n\r\n\
             An article, size {order}, Long street {order}, second floor\r\n"
        );
    }
    body.push_str(
        "--0000\r\nContent-Disposition: form-data; name=\"file\"; filename=\"orders.csv\"\r\n\
         Content-Type: text/csv\r\n\r\n",
    );
    for order in 0..ORDERS {
        let _ = write!(
            body,
            "{};An article;{order}.95;-- second floor\r\n",
            100_000 + order
        );
    }
    body.push_str("\r\n--0000--\r\n");
    body
}

fn orders_as_xml() -> String {
    let mut xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<s:Envelope \
        xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\"><s:Body><orders>\n"
        .to_owned();
    for order in 0..ORDERS {
        let _ = write!(
            xml,
            "  <order id=\"{}\" currency=\"EUR\">\n    <name>An article &amp; size {order}</name>\n    \
             <price>{order}.95</price>\n    <street>Long street {order}, second floor</street>\n  \
             </order>\n",
            100_000 + order
        );
    }
    xml.push_str("</orders></s:Body></s:Envelope>\n");
    xml
}

/// What an engine keeps from one request to the next.
#[derive(Default)]
struct Kept {
    scratch: Scratch,
    decoded: Vec<u8>,
    arena: Arena,
}

/// Callgrind counts what happens in here.
#[inline(never)]
fn counted(sample: &Sample, limits: &Limits, kept: &mut Kept) -> Outcome {
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
    let arguments: Vec<String> = std::env::args().collect();
    let limits = Limits::default();
    let mut kept = Kept::default();
    if let Some([times, name]) = arguments
        .iter()
        .position(|argument| argument == "--count")
        .and_then(|at| arguments.get(at + 1..at + 3))
    {
        let times: u32 = times.parse().unwrap_or(1);
        for sample in samples().iter().filter(|sample| sample.name == name) {
            for _ in 0..times {
                black_box(counted(sample, &limits, &mut kept));
            }
        }
        return;
    }
    for sample in &samples() {
        let outcome = counted(sample, &limits, &mut kept);
        assert_eq!(outcome.error, None, "{}", sample.name);
        let best = best_time(|| {
            black_box(counted(black_box(sample), &limits, &mut kept));
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
