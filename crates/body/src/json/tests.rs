use proptest::prelude::*;

use super::*;
use crate::test_sink::{TestSink, shown};

fn read_with(body: Body<'_>, limits: &Limits) -> (Vec<(String, String)>, Outcome) {
    let mut sink = TestSink::default();
    let outcome = parse(body, limits, &mut Scratch::new(), &mut sink);
    (sink.arguments(), outcome)
}

fn read(json: impl AsRef<[u8]>) -> (Vec<(String, String)>, Outcome) {
    read_with(Body::whole(json.as_ref()), &Limits::default())
}

fn owned(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs
        .iter()
        .map(|(name, value)| (shown(name.as_bytes()), shown(value.as_bytes())))
        .collect()
}

#[track_caller]
fn check(json: &str, expected: &[(&str, &str)]) {
    let (found, outcome) = read(json);
    assert_eq!(found, owned(expected), "{json}");
    assert_eq!(outcome.error, None, "{json}");
    assert!(outcome.is_complete, "{json}");
    assert_eq!(outcome.no_files_bytes, json.len());
}

#[track_caller]
fn check_error(json: impl AsRef<[u8]>, expected: &[(&str, &str)], error: JsonError) {
    let (found, outcome) = read(json.as_ref());
    let json = shown(json.as_ref());
    assert_eq!(outcome.error, Some(Error::Json(error)), "{json}");
    assert_eq!(found, owned(expected), "{json}");
    assert!(!outcome.is_complete, "{json}");
}

fn unexpected(got: u8, expected: &'static str, at: usize) -> JsonError {
    let got = Byte(got);
    JsonError::Unexpected { got, expected, at }
}

#[test]
fn the_keys_of_objects_are_joined() {
    check("{}", &[]);
    check(r#"{"a":"b","c":"d"}"#, &[("a", "b"), ("c", "d")]);
    check(
        r#"{"a":{"b":{"c":1}},"d":2}"#,
        &[("a.b.c", "1"), ("d", "2")],
    );
    check(r#"{"a":{},"b":{"c":{}},"d":1}"#, &[("d", "1")]);
    check(r#"{"":{"":1},"a":{"":2}}"#, &[(".", "1"), ("a.", "2")]);
}

#[test]
fn an_array_repeats_its_key() {
    check(
        r#"{"foo":["um","dois"]}"#,
        &[("foo.foo", "um"), ("foo.foo", "dois")],
    );
    check(
        r#"["um","um e meio"]"#,
        &[("array.array", "um"), ("array.array", "um e meio")],
    );
    check(
        r#"["um",{"tres":"quatro","cinco":"seis"},"sete"]"#,
        &[
            ("array.array", "um"),
            ("array.array.tres", "quatro"),
            ("array.array.cinco", "seis"),
            ("array.array", "sete"),
        ],
    );
    check(
        "[[1],2,[[3]],4]",
        &[
            ("array.array.array", "1"),
            ("array.array", "2"),
            ("array.array.array.array", "3"),
            ("array.array", "4"),
        ],
    );
    check("[]", &[]);
}

/// The names that ModSecurity 2's own tests list (`15-json.t`, issue 1576).
#[test]
fn arrays_and_objects_nest() {
    check(
        r#"{"foo":"bar","mod":"sec","ops":[["um","um e meio"],"dois","tres",
            {"eins":["zwei","drei"]}],"whee":"lhebs"}"#,
        &[
            ("foo", "bar"),
            ("mod", "sec"),
            ("ops.ops.ops", "um"),
            ("ops.ops.ops", "um e meio"),
            ("ops.ops", "dois"),
            ("ops.ops", "tres"),
            ("ops.ops.eins.eins", "zwei"),
            ("ops.ops.eins.eins", "drei"),
            ("whee", "lhebs"),
        ],
    );
    check(
        r#"{"a":[{"b":[1]},2,[3]]}"#,
        &[("a.a.b.b", "1"), ("a.a", "2"), ("a.a.a", "3")],
    );
}

#[test]
fn a_lone_value_has_no_name() {
    check("25", &[("", "25")]);
    check(" \t\r\n\"a\" \n", &[("", "a")]);
    check("", &[]);
}

#[test]
fn a_dot_in_a_key_shifts_no_name() {
    check(
        r#"{"a.b":{"c":[1]},"d":{"e":2}}"#,
        &[("a.b.c.c", "1"), ("d.e", "2")],
    );
    check(
        r#"[{"a.b":{"c":1}},2]"#,
        &[("array.array.a.b.c", "1"), ("array.array", "2")],
    );
}

#[test]
fn values_of_a_repeated_key_are_all_told() {
    check(
        r#"{"a":1,"a":{"b":2},"a":3}"#,
        &[("a", "1"), ("a.b", "2"), ("a", "3")],
    );
}

#[test]
fn numbers_and_words_stand_as_they_were_written() {
    check(
        "[0,-0,1.50,1e5,-12.3E+04,10e-1,true,false,null]",
        &[
            "0",
            "-0",
            "1.50",
            "1e5",
            "-12.3E+04",
            "10e-1",
            "true",
            "false",
            "",
        ]
        .map(|value| ("array.array", value)),
    );
}

#[test]
fn strings_are_decoded() {
    let check = |json: &str, expected: &str| check(json, &[("", expected)]);
    check(r#""""#, "");
    check(r#""\"\\\/\b\f\n\r\t""#, "\"\\/\x08\x0c\n\r\t");
    check(r#""a\u003cb\u003E\u0000c""#, "a<b>\0c");
    check(r#""\u00e4\u20ac\ud83d\ude00""#, "\u{e4}\u{20ac}\u{1f600}");
    check(
        "\"\u{e4} \u{20ac}\u{1f600}\\n\u{e4}\"",
        "\u{e4} \u{20ac}\u{1f600}\n\u{e4}",
    );
    check("\"\x7f\"", "\x7f");
}

#[test]
fn keys_are_decoded() {
    check(r#"{"a\u002eb":1,"\n":2}"#, &[("a.b", "1"), ("\n", "2")]);
}

#[test]
fn half_a_surrogate_pair_eats_nothing() {
    let check = |json: &str, expected: &str| check(json, &[("", expected)]);
    check(r#""\ud83d<script""#, "?<script");
    check(r#""\ud83d\u003cscript""#, "?<script");
    check(r#""\ud83d\ud83d\ude00""#, "?\u{1f600}");
    check(r#""\ude00<""#, "?<");
    check(r#""\ud83d""#, "?");
    check(r#""\ud83d\n""#, "?\n");
}

#[test]
fn what_came_before_an_error_is_told() {
    let error = unexpected(b'}', "a value", 14);
    check_error(
        r#"{"a":1,"b":2,,}"#,
        &[("a", "1"), ("b", "2")],
        unexpected(b',', "'\"' of a key", 13),
    );
    check_error(r#"{"a":1,"bc":  }"#, &[("a", "1")], error);
    check_error(
        r#"[1,2"#,
        &[("array.array", "1"), ("array.array", "2")],
        JsonError::EarlyEnd { at: 4 },
    );
}

#[test]
fn syntax_errors() {
    let check = |json: &str, error| check_error(json, &[], error);
    check("}", unexpected(b'}', "a value", 0));
    check("{1:2}", unexpected(b'1', "'\"' of a key", 1));
    check("{'a':2}", unexpected(b'\'', "'\"' of a key", 1));
    check("{a:2}", unexpected(b'a', "'\"' of a key", 1));
    check(r#"{"a" 2}"#, unexpected(b'2', "':'", 5));
    check("[,1]", unexpected(b',', "a value", 1));
    check("[}", unexpected(b'}', "a value", 1));
    check("{]", unexpected(b']', "'\"' of a key", 1));
    check("/**/1", unexpected(b'/', "a value", 0));
    check("\u{feff}1", unexpected(0xef, "a value", 0));
    check("[\x0b1]", unexpected(0x0b, "a value", 1));
    check("\0", unexpected(0, "a value", 0));
    check("NaN", unexpected(b'N', "a value", 0));
    check("trye", unexpected(b'y', "true, false or null", 2));
    check("nul1", unexpected(b'1', "true, false or null", 3));
    check("+1", unexpected(b'+', "a value", 0));
    check(".5", unexpected(b'.', "a value", 0));
    check("-a", unexpected(b'a', "a digit", 1));
    check("1.e", unexpected(b'e', "a digit", 2));
    check("1ee", unexpected(b'e', "a digit", 2));
}

#[test]
fn nothing_follows_the_value() {
    check_error(
        "1 2",
        &[("", "1")],
        unexpected(b'2', "the end of the body", 2),
    );
    check_error(
        "01",
        &[("", "0")],
        unexpected(b'1', "the end of the body", 1),
    );
    check_error("{}\0", &[], unexpected(0, "the end of the body", 2));
    let one = [("array.array", "1")];
    check_error("[1]]", &one, unexpected(b']', "the end of the body", 3));
    check_error("[1 2]", &one, unexpected(b'2', "',' or ']'", 3));
    check_error("[1,]", &one, unexpected(b']', "a value", 3));
    check_error("[1}", &one, unexpected(b'}', "',' or ']'", 2));
    check_error(
        r#"{"a":1]"#,
        &[("a", "1")],
        unexpected(b']', "',' or '}'", 6),
    );
}

#[test]
fn strings_end_and_escape_as_they_should() {
    let escape = "an escape of RFC 8259 section 7";
    let control = |got, at| JsonError::Control { got: Byte(got), at };
    let check = |json: &str, error| check_error(json, &[], error);
    check("\"a\nb\"", control(b'\n', 2));
    check("\"a\\n\0\"", control(0, 4));
    check("\"\x1f\"", control(0x1f, 1));
    check(r#""\x41""#, unexpected(b'x', escape, 2));
    check(r#""\'""#, unexpected(b'\'', escape, 2));
    check(r#""\u00g0""#, unexpected(b'g', escape, 5));
    check(r#""\u12""#, unexpected(b'"', escape, 5));
    check(r#""\ud83d\u""#, unexpected(b'"', escape, 9));
}

#[test]
fn strings_are_utf8() {
    let check = |json: &[u8], at| check_error(json, &[], JsonError::NotUtf8 { at });
    check(b"\"a\xff\"", 2);
    check(b"\"\xc0\xaf\"", 1);
    check(b"\"\xed\xa0\x80\"", 1);
    check(b"\"\\n\xe2\x82\"", 3);
    check(b"{\"\xe2\x82\":1}", 2);
}

#[test]
fn an_early_end_is_an_error() {
    for json in [
        "{",
        "[",
        "\"",
        "\"a",
        "\"\\",
        "\"\\u12",
        "\"\\ud83d\\u",
        "-",
        "t",
        "{\"a\"",
        "{\"a\":",
        " ",
    ] {
        check_error(json, &[], JsonError::EarlyEnd { at: json.len() });
    }
}

#[test]
fn a_cut_body_tells_what_is_there() {
    let check = |json: &[u8], expected: &[(&str, &str)]| {
        let (found, outcome) = read_with(Body::partial(json), &Limits::default());
        assert_eq!(found, owned(expected), "{}", shown(json));
        assert_eq!(outcome.error, None, "{}", shown(json));
        assert!(!outcome.is_complete);
    };
    check(b"", &[]);
    check(b"{\"a\":1", &[("a", "1")]);
    check(b"{\"a\":\"bc", &[("a", "bc")]);
    check(b"{\"a\":\"b\\nc", &[("a", "b\nc")]);
    check(b"{\"a\":\"b\\u00", &[("a", "b")]);
    check(b"{\"a\":\"b\\ud83d\\ude", &[("a", "b")]);
    check(b"{\"a\":\"b\\", &[("a", "b")]);
    check(b"{\"a\":\"b\xe2\x82", &[("a", "b")]);
    check(b"{\"a\":\"\\t\xe2\x82", &[("a", "\t")]);
    check(b"{\"a\":{\"b", &[("a.b", "")]);
    check(b"{\"a\" ", &[("a", "")]);
    check(b"{\"a\":tr", &[]);
    check(b"{\"a\":1}", &[("a", "1")]);
}

#[test]
fn a_cut_excuses_nothing_else() {
    let (found, outcome) = read_with(Body::partial(b"[1,2 3"), &Limits::default());
    assert_eq!(found.len(), 2);
    let error = unexpected(b'3', "',' or ']'", 5);
    assert_eq!(outcome.error, Some(Error::Json(error)));
    let (_, outcome) = read_with(Body::partial(b"[\"a\xff\xff"), &Limits::default());
    let error = JsonError::NotUtf8 { at: 3 };
    assert_eq!(outcome.error, Some(Error::Json(error)));
}

#[test]
fn nesting_is_limited() {
    let limits = Limits {
        json_depth: 4,
        ..Limits::default()
    };
    let check = |json: &str, at: Option<usize>| {
        let (_, outcome) = read_with(Body::whole(json.as_bytes()), &limits);
        let limit = 4;
        let error = at.map(|at| Error::Json(JsonError::TooDeep { limit, at }));
        assert_eq!(outcome.error, error, "{json}");
    };
    // As ModSecurity 2 counts: an outermost object is free, an array isn't.
    check(r#"{"a":{"b":{"c":{"d":{}}}}}"#, None);
    check(r#"{"a":{"b":{"c":{"d":{"e":{}}}}}}"#, Some(25));
    check("[[[[1]]]]", None);
    check("[[[[[1]]]]]", Some(4));
    check(r#"{"a":[[[[1]]]]}"#, None);
    check(r#"{"a":[[[[[1]]]]]}"#, Some(9));
    let (_, outcome) = read("[".repeat(100_000));
    let (limit, at) = (512, 512);
    assert_eq!(outcome.error, Some(JsonError::TooDeep { limit, at }.into()));
}

#[test]
fn arguments_are_limited() {
    let limits = Limits {
        arguments: 2,
        ..Limits::default()
    };
    let (found, outcome) = read_with(Body::whole(b"[1,2]"), &limits);
    assert_eq!((found.len(), outcome.error), (2, None));
    let (found, outcome) = read_with(Body::whole(b"[1,2,3]"), &limits);
    let error = Error::TooManyArguments { limit: 2 };
    assert_eq!((found.len(), outcome.error), (2, Some(error)));
}

#[test]
fn names_are_limited_however_they_are_made() {
    let limits = Limits {
        json_names_bytes: 100,
        ..Limits::default()
    };
    let check = |json: String, at: Option<usize>| {
        let (_, outcome) = read_with(Body::whole(json.as_bytes()), &limits);
        let limit = 100;
        let error = at.map(|at| JsonError::NamesTooLong { limit, at }.into());
        assert_eq!(outcome.error, error, "{json}");
    };
    check(format!(r#"{{"{}":1}}"#, "a".repeat(100)), None);
    check(format!(r#"{{"{}":1}}"#, "a".repeat(101)), Some(106));
    // 33 for the array, 67 for each element.
    check(format!(r#"{{"{}":[1]}}"#, "a".repeat(33)), None);
    check(format!(r#"{{"{}":[1,2]}}"#, "a".repeat(33)), Some(41));
    // Arrays that hold nothing cost their repeated keys.
    check(format!(r#"{{"{}":[[],[],[]]}}"#, "a".repeat(25)), None);
    check(
        format!(r#"{{"{}":[[],[],[],[]]}}"#, "a".repeat(25)),
        Some(39),
    );
}

#[test]
fn errors_say_what_and_where() {
    let check = |json: &str, expected: &str| {
        let (_, outcome) = read(json);
        assert_eq!(outcome.error.unwrap().to_string(), expected);
    };
    check(
        r#"{"a" 2}"#,
        "JSON parsing error: '2' at offset 5, where ':' was expected",
    );
    check(
        "[\"\x01\"]",
        "JSON parsing error: control byte 0x01 in a string at offset 2: write it as an escape",
    );
}

/// A document, and what its values are called.
fn documents() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(serde_json::Value::from),
        any::<i64>().prop_map(serde_json::Value::from),
        any::<String>().prop_map(serde_json::Value::from),
    ];
    leaf.prop_recursive(5, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(serde_json::Value::from),
            prop::collection::btree_map("[^\0]{0,5}", inner, 0..6)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}

fn leaves(
    value: &serde_json::Value,
    name: Option<(&str, &str)>,
    found: &mut Vec<(String, String)>,
) {
    use serde_json::Value;
    let scalar = match value {
        Value::Array(elements) => {
            let (name, key) = name.unwrap_or(("array", "array"));
            let name = format!("{name}.{key}");
            elements
                .iter()
                .for_each(|element| leaves(element, Some((&name, key)), found));
            return;
        }
        Value::Object(members) => {
            for (key, member) in members {
                let name = name.map_or(key.clone(), |(name, _)| format!("{name}.{key}"));
                leaves(member, Some((&name, key)), found);
            }
            return;
        }
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let name = name.map_or("", |(name, _)| name);
    found.push((shown(name.as_bytes()), shown(scalar.as_bytes())));
}

proptest! {
    #[test]
    fn what_is_written_is_read(document in documents(), is_pretty: bool) {
        let text = match is_pretty {
            true => serde_json::to_vec_pretty(&document).unwrap(),
            false => serde_json::to_vec(&document).unwrap(),
        };
        let (found, outcome) = read(&text);
        prop_assert_eq!(outcome.error, None);
        let mut expected = Vec::new();
        leaves(&document, None, &mut expected);
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn a_cut_body_tells_the_beginning_of_what_the_whole_tells(
        document in documents(),
        cut in any::<prop::sample::Index>(),
    ) {
        let text = serde_json::to_vec(&document).unwrap();
        let (whole, _) = read(&text);
        let cut = &text[..cut.index(text.len())];
        let (found, outcome) = read_with(Body::partial(cut), &Limits::default());
        prop_assert_eq!(outcome.error, None);
        // The last may be cut too.
        let sure = found.len().saturating_sub(1);
        prop_assert_eq!(found.get(..sure), whole.get(..sure));
    }

    #[test]
    fn another_parser_agrees_on_what_is_json(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "{", "}", "[", "]", ",", ":", "\"", "\"a\"", "\\", "\\n", "\\u00e4", "1", "-", "0",
                ".5", "e3", "true", "null", " ", "\n", "\u{e4}", "x", "{\"a\":", "[1,", "\t\"",
            ]),
            0..12,
        ),
    ) {
        let text = pieces.concat();
        let other = serde_json::from_str::<serde_json::Value>(&text);
        // It counts, and we don't.
        let is_number_too_large = |error: &serde_json::Error| error.to_string().contains("range");
        prop_assume!(!other.as_ref().is_err_and(is_number_too_large));
        let (_, outcome) = read(&text);
        prop_assert_eq!(outcome.error.is_none(), other.is_ok() || text.is_empty(), "{}", text);
    }

    #[test]
    fn nothing_panics(bytes in prop::collection::vec(any::<u8>(), 0..60), is_partial: bool) {
        let body = Body { bytes: &bytes, is_partial };
        read_with(body, &Limits::default());
    }
}
