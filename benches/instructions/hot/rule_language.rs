//! SecLang's transformations and operators.

use std::hint::black_box;

use gungraun::{library_benchmark, library_benchmark_group};
use palisade_seclang::{
    Matcher, Operator, OperatorCache, SourceError, Sources, Transformation, UnicodeMap,
};
use palisade_testkit::rule_language::{
    BACKSLASHES, BENIGN, CAPITALS, COMMAND_LINE, COMMANDS, DOT_SEGMENTS, ENTITIES, NULLS,
    PERCENT_ESCAPES, PHRASES, TEXT, TRAVERSAL, UTF_8, kibibyte,
};

use crate::TIMES;

library_benchmark_group!(
    name = seclang,
    benchmarks = [transformation, all_hot, operator]
);

const HOT: [Transformation; 9] = [
    Transformation::UrlDecodeUni,
    Transformation::Lowercase,
    Transformation::JsDecode,
    Transformation::HtmlEntityDecode,
    Transformation::CssDecode,
    Transformation::Utf8ToUnicode,
    Transformation::RemoveNulls,
    Transformation::NormalisePath,
    Transformation::CmdLine,
];

/// Values, and memory that has grown.
struct Transforming {
    transformation: Transformation,
    value: Vec<u8>,
    map: UnicodeMap,
    out: Vec<u8>,
}

impl Transforming {
    fn new(transformation: Transformation, pattern: &[u8]) -> Self {
        let mut transforming = Self {
            transformation,
            value: kibibyte(pattern),
            map: UnicodeMap::default(),
            out: Vec::new(),
        };
        transforming.run();
        transforming
    }

    fn run(&mut self) {
        let value = black_box(&self.value);
        black_box(self.transformation.apply(value, &mut self.out, &self.map));
    }
}

// One application to 1 KiB of what each decodes.
#[library_benchmark(setup = Transforming::new)]
#[bench::url_decode_uni(Transformation::UrlDecodeUni, PERCENT_ESCAPES)]
#[bench::lowercase(Transformation::Lowercase, CAPITALS)]
#[bench::js_decode(Transformation::JsDecode, BACKSLASHES)]
#[bench::html_entity_decode(Transformation::HtmlEntityDecode, ENTITIES)]
#[bench::css_decode(Transformation::CssDecode, BACKSLASHES)]
#[bench::utf8_to_unicode(Transformation::Utf8ToUnicode, UTF_8)]
#[bench::remove_nulls(Transformation::RemoveNulls, NULLS)]
#[bench::normalise_path(Transformation::NormalisePath, DOT_SEGMENTS)]
#[bench::cmd_line(Transformation::CmdLine, COMMAND_LINE)]
fn transformation(mut transforming: Transforming) -> Transforming {
    transforming.run();
    transforming
}

fn apply_all((value, mut out): (Vec<u8>, Vec<u8>)) -> (Vec<u8>, Vec<u8>) {
    let map = UnicodeMap::default();
    for transformation in HOT {
        black_box(transformation.apply(black_box(&value), &mut out, &map));
    }
    (value, out)
}

// Each of the nine, once, on a value as most are.
#[library_benchmark]
#[bench::of_25_bytes(apply_all((BENIGN.to_vec(), Vec::new())))]
#[bench::of_text(apply_all((kibibyte(TEXT), Vec::new())))]
fn all_hot(value: (Vec<u8>, Vec<u8>)) -> (Vec<u8>, Vec<u8>) {
    apply_all(value)
}

struct NoFiles;

impl Sources for NoFiles {
    fn read(&self, _: &str) -> Result<Vec<u8>, SourceError> {
        Err(SourceError("there are no files".to_owned()))
    }
}

/// An operator, values that don't match, and its memory, which has grown.
struct Asking {
    matcher: Matcher,
    text: Vec<u8>,
    cache: OperatorCache,
}

impl Asking {
    fn new(name: &[u8], argument: &[u8]) -> Self {
        let Ok(Operator::Match(matcher)) = Operator::parse(name, argument, &NoFiles) else {
            unreachable!("an operator that the value and the argument decide")
        };
        let mut asking = Self {
            matcher,
            text: kibibyte(TEXT),
            cache: OperatorCache::default(),
        };
        asking.run();
        asking
    }

    fn run(&mut self) {
        for _ in 0..TIMES {
            for value in [BENIGN, &self.text] {
                let found = self.matcher.matches(black_box(value), b"", &mut self.cache);
                assert!(black_box(found).is_none(), "harmless");
            }
        }
    }
}

#[library_benchmark(setup = Asking::new)]
#[bench::rx_literals(b"rx", TRAVERSAL)]
#[bench::rx_classes(b"rx", COMMANDS)]
#[bench::pm(b"pm", PHRASES)]
#[bench::contains(b"contains", b"<script")]
#[bench::within(b"within", b"GET HEAD POST OPTIONS")]
#[bench::validate_byte_range(b"validateByteRange", b"1-255")]
#[bench::validate_url_encoding(b"validateUrlEncoding", b"")]
#[bench::validate_utf8_encoding(b"validateUtf8Encoding", b"")]
fn operator(mut asking: Asking) -> Asking {
    asking.run();
    asking
}
