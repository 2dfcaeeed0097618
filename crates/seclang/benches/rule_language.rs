//! What transformations and operators cost: `cargo bench -p palisade-seclang`.

use divan::{Bencher, black_box};
use palisade_seclang::{Operator, OperatorCache, SourceError, Sources, Transformation, UnicodeMap};
use palisade_testkit::rule_language::{
    BACKSLASHES, BENIGN, CAPITALS, COMMAND_LINE, COMMANDS, DOT_SEGMENTS, ENTITIES, NULLS,
    PERCENT_ESCAPES, PHRASES, TEXT, TRAVERSAL, UTF_8, kibibyte,
};

/// Those that rules have most, and what each decodes.
const HOT: [(Transformation, &[u8]); 9] = [
    (Transformation::UrlDecodeUni, PERCENT_ESCAPES),
    (Transformation::Lowercase, CAPITALS),
    (Transformation::JsDecode, BACKSLASHES),
    (Transformation::HtmlEntityDecode, ENTITIES),
    (Transformation::CssDecode, BACKSLASHES),
    (Transformation::Utf8ToUnicode, UTF_8),
    (Transformation::RemoveNulls, NULLS),
    (Transformation::NormalisePath, DOT_SEGMENTS),
    (Transformation::CmdLine, COMMAND_LINE),
];

fn main() {
    divan::main();
}

fn hot() -> impl Iterator<Item = Transformation> {
    HOT.into_iter().map(|(transformation, _)| transformation)
}

/// To 1 KiB of what it decodes.
#[divan::bench(args = hot(), sample_size = 100)]
fn transformation(bencher: Bencher<'_, '_>, transformation: Transformation) {
    let decoded = HOT.into_iter().find(|(other, _)| *other == transformation);
    let (_, pattern) = decoded.unwrap_or((transformation, TEXT));
    bench_transformation(bencher, transformation, &kibibyte(pattern));
}

/// To a value as most are.
#[divan::bench(args = hot(), sample_size = 1000)]
fn transformation_of_25_bytes(bencher: Bencher<'_, '_>, transformation: Transformation) {
    bench_transformation(bencher, transformation, BENIGN);
}

fn bench_transformation(bencher: Bencher<'_, '_>, transformation: Transformation, value: &[u8]) {
    let (map, mut out) = (UnicodeMap::default(), Vec::new());
    bencher.bench_local(|| {
        black_box(transformation.apply(black_box(value), &mut out, &map));
    });
}

struct NoFiles;

impl Sources for NoFiles {
    fn read(&self, _: &str) -> Result<Vec<u8>, SourceError> {
        Err(SourceError("there are no files".to_owned()))
    }
}

/// Names and arguments.
const OPERATORS: [(&str, &[u8]); 8] = [
    ("rx", TRAVERSAL),
    ("rx", COMMANDS),
    ("pm", PHRASES),
    ("contains", b"<script"),
    ("within", b"GET HEAD POST OPTIONS"),
    ("validateByteRange", b"1-255"),
    ("validateUrlEncoding", b""),
    ("validateUtf8Encoding", b""),
];

fn operators() -> impl Iterator<Item = String> {
    let shown =
        |(name, argument): (&str, &[u8])| format!("{name} {}", String::from_utf8_lossy(argument));
    OPERATORS.into_iter().map(shown)
}

/// On 25 bytes and on 1 KiB that don't match.
#[divan::bench(args = operators(), sample_size = 100)]
fn operator(bencher: Bencher<'_, '_>, operator: &str) {
    let (name, argument) = operator.split_once(' ').unwrap_or((operator, ""));
    let parsed = Operator::parse(name.as_bytes(), argument.as_bytes(), &NoFiles);
    let Ok(Operator::Match(matcher)) = parsed else {
        unreachable!("an operator that the value and the argument decide")
    };
    let (text, mut cache) = (kibibyte(TEXT), OperatorCache::default());
    bencher.bench_local(|| {
        for value in [BENIGN, &text] {
            let found = matcher.matches(black_box(value), b"", &mut cache);
            assert!(black_box(found).is_none(), "harmless");
        }
    });
}
