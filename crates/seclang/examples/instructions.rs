//! What the hot transformations cost, in instructions: the same on a busy machine as on an idle one.
//!
//! `instructions TRANSFORMATION VALUE TIMES` applies one so often in `counted`, for callgrind to count
//! (`crates/seclang/benches/instructions` runs all); without arguments it lists both.

use std::hint::black_box;

use palisade_seclang::{Transformation, UnicodeMap};

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

/// `benign` is what most values are; the others have 1 KiB: of text, and of what each decodes.
const VALUES: [&str; 3] = ["benign", "text", "encoded"];

fn value(name: &str, transformation: Transformation) -> Vec<u8> {
    let pattern: &[u8] = match (name, transformation) {
        ("benign", _) => return b"session-4f2a9c_settings.7".to_vec(),
        ("text", _) => b"The quick brown fox jumps over the lazy dog, 42 times a day. ",
        (_, Transformation::UrlDecodeUni) => b"name%3dvalue+and%20%u0041 more&",
        (_, Transformation::Lowercase) => b"The Quick BROWN Fox ",
        (_, Transformation::JsDecode | Transformation::CssDecode) => {
            b"var \\x41\\u0042 = \\'c\\'; "
        }
        (_, Transformation::HtmlEntityDecode) => b"<p>a &lt; b &amp;&#38; c&nbsp;</p>",
        (_, Transformation::Utf8ToUnicode) => "caf\u{e9} \u{20ac} 42 na\u{ef}ve ".as_bytes(),
        (_, Transformation::RemoveNulls) => b"a\0text\0with\0nulls",
        (_, Transformation::NormalisePath) => b"/var/./www/../log//app",
        _ => b"C^MD.exe /c \"dir\" ,; ",
    };
    pattern.iter().copied().cycle().take(1024).collect()
}

#[inline(never)]
fn counted(
    transformation: Transformation,
    value: &[u8],
    out: &mut Vec<u8>,
    map: &UnicodeMap,
) -> bool {
    transformation.apply(black_box(value), out, map)
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, value_name, times] = &arguments[..] else {
        for transformation in HOT {
            for value in VALUES {
                say(&format!("{} {value}", transformation.name()));
            }
        }
        return;
    };
    let (Some(transformation), Ok(times)) = (Transformation::named(name.as_bytes()), times.parse())
    else {
        say("instructions: expected a transformation, a value and a number");
        return;
    };
    let (value, map, mut out) = (
        value(value_name, transformation),
        UnicodeMap::default(),
        Vec::new(),
    );
    let mut changed = 0_u32;
    for _ in 0..times {
        changed += u32::from(counted(transformation, &value, &mut out, &map));
    }
    say(&format!("{changed} of {times} changed"));
}

#[expect(clippy::print_stdout, reason = "a program for a person")]
fn say(line: &str) {
    println!("{line}");
}
