//! Parsing allocates nothing once the scratch has grown.

use std::ops::ControlFlow;

use palisade_body::{
    Body, File, Limits, Outcome, Processor, Scratch, Sink, Source, content_coding, cookies, form,
};
use palisade_testkit::alloc::{CountingAllocator, allocations};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Counts what it is told, and keeps nothing.
#[derive(Default)]
struct Counted(usize);

impl Sink for Counted {
    fn argument(&mut self, _name: &[u8], _value: &[u8]) -> ControlFlow<()> {
        self.0 += 1;
        ControlFlow::Continue(())
    }

    fn file(&mut self, _file: File<'_>) {
        self.0 += 1;
    }

    fn part_header(&mut self, _part: &[u8], _line: &[u8]) {
        self.0 += 1;
    }

    fn text(&mut self, _text: &[u8]) {
        self.0 += 1;
    }

    fn attribute(&mut self, _value: &[u8]) {
        self.0 += 1;
    }
}

/// A body for each processor, which needs all of the memory that its parser has.
fn bodies() -> Vec<(Processor, Vec<u8>)> {
    let multipart = "--0000\r
Content-Disposition: form-data;\r
 name=\"a\\\"b\"; filename=\"c.txt\"; filename*=utf-8''%e4.txt\r
Content-Type: text/plain\r
\r
content\r
--0000\r
Content-Disposition: form-data; name=\"d\"\r
\r
value\r
--0000--\r
";
    let xml = "<?xml version='1.0' encoding='iso-8859-1'?><a b='1&lt;2' c='3'><d>&amp;\r\n</d></a>";
    vec![
        (Processor::Urlencoded, b"a=1&b%20c=%3Cd+e&f".to_vec()),
        (
            Processor::Json,
            br#"{"a\u00e4":[[1,"\ud83d\ude00"],{"b":"c\n"}],"d":null}"#.to_vec(),
        ),
        (Processor::Multipart, multipart.as_bytes().to_vec()),
        (Processor::Xml, xml.as_bytes().to_vec()),
        (Processor::Xml, b"<a b='1&lt;2'>\xc3\xa4</a>".to_vec()),
        // What is wrong costs no more.
        (Processor::Json, b"{\"a\":1,}".to_vec()),
        (Processor::Xml, b"<a>&nbsp;</a>".to_vec()),
        (Processor::Multipart, b"--0000\r\ncolon\r\n".to_vec()),
    ]
}

fn parse(processor: Processor, bytes: &[u8], scratch: &mut Scratch) -> (Outcome, usize) {
    let source = Source {
        body: Body::whole(bytes),
        content_type: b"multipart/form-data; boundary=0000",
        separator: form::SEPARATOR,
        elements: palisade_body::xml::Elements::Untold,
    };
    let mut sink = Counted::default();
    let outcome = processor.parse(source, &Limits::default(), scratch, &mut sink);
    (outcome, sink.0)
}

#[test]
fn a_warm_scratch_allocates_nothing() {
    let mut scratch = Scratch::new();
    for (processor, bytes) in &bodies() {
        let first = parse(*processor, bytes, &mut scratch);
        assert!(first.0.error.is_some() || first.1 > 1, "{processor:?}");
        let before = allocations();
        let second = parse(*processor, bytes, &mut scratch);
        assert_eq!(allocations() - before, 0, "{processor:?}");
        assert_eq!(first, second, "{processor:?}");
    }
}

#[test]
fn a_cold_scratch_allocates() {
    for (processor, bytes) in &bodies()[..5] {
        let mut scratch = Scratch::new();
        let before = allocations();
        parse(*processor, bytes, &mut scratch);
        assert!(allocations() > before, "{processor:?}");
        // Given back, it grows again.
        scratch.shrink(usize::MAX);
        let before = allocations();
        parse(*processor, bytes, &mut scratch);
        assert_eq!(allocations() - before, 0, "{processor:?}");
        scratch.shrink(0);
        let before = allocations();
        parse(*processor, bytes, &mut scratch);
        assert!(allocations() > before, "{processor:?}");
    }
}

#[test]
fn cookies_allocate_nothing() {
    let mut sink = Counted::default();
    let before = allocations();
    let _ = cookies::parse(b"session=0123; theme=dark; a", &mut sink);
    assert_eq!(allocations() - before, 0);
    assert_eq!(sink.0, 3);
}

#[test]
fn inflating_allocates_nothing() {
    // `a=1`, as gzip and zlib have it in a stored block.
    let gzip = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x01\x03\0\xfc\xffa=1\x81\x30\x62\x8d\x03\0\0\0";
    let zlib = b"\x78\x01\x01\x03\0\xfc\xffa=1\x01\xd1\x00\xd0";
    let (mut scratch, mut out) = (Scratch::new(), Vec::new());
    let limits = Limits::default();
    for (coding, coded) in [("gzip", &gzip[..]), ("deflate", &zlib[..])] {
        let body = Body::whole(coded);
        let mut decode =
            || content_coding::decode(coding.as_bytes(), body, &limits, &mut scratch, &mut out);
        assert_eq!(decode(), Ok(()), "{coding}");
        let before = allocations();
        assert_eq!(decode(), Ok(()), "{coding}");
        assert_eq!(allocations() - before, 0, "{coding}");
        assert_eq!(out, b"a=1", "{coding}");
    }
}
