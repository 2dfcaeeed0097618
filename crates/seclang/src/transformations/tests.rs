//! What holds of all transformations; each file has the tests of its own.

use super::*;
use proptest::prelude::*;

/// The value comes out as `expected`, and "changed" is said exactly when that is another value.
#[track_caller]
pub(super) fn check(transformation: Transformation, input: &[u8], expected: &[u8]) {
    check_with(transformation, input, expected, &UnicodeMap::default());
}

#[track_caller]
pub(super) fn check_with(
    transformation: Transformation,
    input: &[u8],
    expected: &[u8],
    map: &UnicodeMap,
) {
    // What an earlier value left there counts for nothing.
    let mut out = b"before".to_vec();
    let changed = transformation.apply(input, &mut out, map);
    let value: &[u8] = if changed { &out } else { input };
    assert_eq!(
        value.escape_ascii().to_string(),
        expected.escape_ascii().to_string(),
        "{transformation:?} of {}",
        input.escape_ascii()
    );
    assert_eq!(
        changed,
        input != expected,
        "{transformation:?} said changed"
    );
}

#[test]
fn names() {
    for transformation in Transformation::ALL {
        let name = transformation.name();
        for spelling in [name.to_owned(), name.to_uppercase(), name.to_lowercase()] {
            assert_eq!(
                Transformation::named(spelling.as_bytes()),
                Some(transformation)
            );
        }
        assert_eq!(Transformation::ALL[transformation as usize], transformation);
    }
    assert_eq!(
        Transformation::named(b"normalizePathWin"),
        Some(Transformation::NormalisePathWin)
    );
    assert_eq!(
        Transformation::named(b"NORMALIZEPATH"),
        Some(Transformation::NormalisePath)
    );
    for unknown in [&b"none"[..], b"", b"urlDecode ", b"phpArgsNames"] {
        assert_eq!(Transformation::named(unknown), None);
    }
}

const PIECES: &[&str] = &[
    "%", "+", "u", "U", "x", "X", "0", "0x", "4", "1", "41", "f", "FF", "1c", "\\", "&", "#", ";",
    "lt", "amp", "nbsp", "/", "*", "/*", "*/", "<!--", "-->", "--", ".", "..", "../", "//", " ",
    "\t", "\n", "\r\n", ",", "(", "\"", "'", "^", "a", "Z", "=", "\0", "\u{b}", "7",
];

/// Values of what transformations look for, so that chance finds whole escapes.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
        1 => any::<char>().prop_map(|character| character.to_string().into_bytes()),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

fn transformation() -> impl Strategy<Value = Transformation> {
    prop::sample::select(&Transformation::ALL[..])
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// What is said to be changed differs; what isn't is what a buffer with something in it gives too.
    #[test]
    fn changed_is_exact(transformation in transformation(), input in value()) {
        let map = UnicodeMap::default();
        let (mut clean, mut used) = (Vec::new(), b"%41 was here".to_vec());
        let changed = transformation.apply(&input, &mut clean, &map);
        prop_assert_eq!(changed, transformation.apply(&input, &mut used, &map));
        if changed {
            prop_assert_ne!(&clean, &input);
            prop_assert_eq!(&clean, &used);
            prop_assert!(clean.len() <= 4 * input.len() + 40, "{} bytes", clean.len());
        }
    }

    /// Without a trigger, nothing changes.
    #[test]
    fn triggers_are_all_there(transformation in transformation(), mut input in value()) {
        if let Some(triggers) = transformation.triggers() {
            input.retain(|byte| !triggers.contains(*byte));
            let changed = transformation.apply(&input, &mut Vec::new(), &UnicodeMap::default());
            prop_assert!(!changed, "{:?} changed {}", transformation, input.escape_ascii());
        }
    }

    /// Those without triggers change values of any byte.
    #[test]
    fn what_has_no_triggers_changes_any_value(transformation in transformation(), byte: u8) {
        if transformation.triggers().is_none() && (transformation, byte) != (Transformation::Length, b'1') {
            prop_assert!(transformation.apply(&[byte], &mut Vec::new(), &UnicodeMap::default()));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_but_what_is_told_is_written(value in prop::collection::vec(prop_oneof![
        any::<u8>(),
        proptest::sample::select(&b"\t \xa0/*-#<!>.\\\"'^,;(aZ\0"[..]),
    ], 0..24)) {
        let mut out = Vec::new();
        for transformation in Transformation::ALL {
            let Some(written) = transformation.written() else {
                continue;
            };
            if transformation.apply(&value, &mut out, &UnicodeMap::default()) {
                let may_be = ByteSet::of(&value).union(written);
                let others = ByteSet::of(&out).without(may_be);
                prop_assert!(others.is_empty(), "{:?}", transformation);
            }
        }
    }
}
