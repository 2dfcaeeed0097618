use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use super::{Content, Node, parse};

/// A tree in short: scalars in quotes, with line and column.
fn show(node: &Node) -> String {
    let body = match &node.content {
        Content::Null => "~".to_owned(),
        Content::Scalar(scalar) => format!("{:?}", scalar.text),
        Content::List(items) => format!(
            "[{}]",
            items.iter().map(show).collect::<Vec<_>>().join(", ")
        ),
        Content::Mapping(entries) => {
            let shown: Vec<_> = entries
                .iter()
                .map(|e| format!("{}: {}", e.key, show(&e.value)))
                .collect();
            format!("{{{}}}", shown.join(", "))
        }
    };
    format!("{body}@{}:{}", node.location.line(), node.location.column())
}

/// The tree, and what is wrong as `file:line:column: message`.
fn read(yaml: &[u8]) -> (Option<Node>, Vec<String>) {
    let mut problems = Vec::new();
    let file: Arc<Path> = Arc::from(Path::new("f"));
    let node = parse(&file, yaml, &mut |location, message| {
        problems.push(format!("{location}: {message}"));
    });
    (node, problems)
}

#[track_caller]
fn check(yaml: &str, expected: &str) {
    let (node, problems) = read(yaml.as_bytes());
    let got = node.as_ref().map_or_else(String::new, show);
    assert_eq!(format!("{got}{}", problems.join("\n")), expected, "{yaml}");
}

#[test]
fn values_know_their_place() {
    check(
        "a: 1\nb:\n  - x\n  - {c: \"d\"}\n",
        r#"{a: "1"@1:4, b: ["x"@3:5, {c: "d"@4:9}@4:5]@3:3}@1:1"#,
    );
    check("é: [ü, b]", r#"{é: ["ü"@1:5, "b"@1:8]@1:4}@1:1"#);
}

#[test]
fn nothing_is_not_an_empty_text() {
    check(
        "a:\nb: ~\nc: null\nd: \"\"\ne: 'null'",
        r#"{a: ~@1:2, b: ~@2:4, c: ~@3:4, d: ""@4:4, e: "null"@5:4}@1:1"#,
    );
    check("", "~@1:1");
    check("# only a comment\n", "~@1:1");
    check("\u{feff}a: 1", r#"{a: "1"@1:4}@1:1"#);
}

#[test]
fn scalars_stay_text() {
    check(
        "[NO, 0x10, 1e3, yes, 2001-01-01]",
        r#"["NO"@1:2, "0x10"@1:6, "1e3"@1:12, "yes"@1:17, "2001-01-01"@1:22]@1:1"#,
    );
    check("a: |\n  one\n  two\n", r#"{a: "one\ntwo\n"@2:3}@1:1"#);
}

#[test]
fn a_key_twice_is_a_problem_and_reading_goes_on() {
    check(
        "a: 1\nb: {c: 1, c: 2}\na: 3\n",
        "f:2:11: \"c\" is given twice, first in line 2; keep one\nf:3:1: \"a\" is given twice, first in line 1; keep one",
    );
}

#[test]
fn what_makes_a_file_mean_something_else_is_refused() {
    check(
        "a: &x 1\nb: *x\nc: !!int 1\n",
        "f:1:4: anchors (`&name`) are not supported; quote the value if it starts with `&`\n\
         f:2:4: aliases (`*name`) are not supported; quote a value that starts with `*`, like \"*.example.com\"\n\
         f:3:4: tags (`!name`) are not supported; quote the value if it starts with `!`",
    );
    check(
        "hosts: [*.example.com]",
        "f:1:9: aliases (`*name`) are not supported; quote a value that starts with `*`, like \"*.example.com\"",
    );
    check("[a]: 1", "f:1:1: a list can't be a key; expected a name");
    check(
        "a: 1\n---\nb: 2\n",
        "f:2:1: a second document starts here; one file holds one document, so remove the `---` or make it a file of its own",
    );
}

#[test]
fn syntax_errors_carry_their_place() {
    let (node, problems) = read(b"a: 1\nb: [1, 2\nc: 3\n");
    assert!(node.is_none());
    assert!(
        matches!(&problems[..], [one] if one.starts_with("f:2:") || one.starts_with("f:3:")),
        "{problems:?}"
    );
    check(
        "a: 1\n\tb: 2",
        "f:1:4: not valid YAML: while scanning a plain scalar, found a tab",
    );
}

#[test]
fn text_must_be_utf8() {
    let (node, problems) = read(b"a: 1\nb: \xc3\xa9\xff");
    assert!(node.is_none());
    assert_eq!(
        problems,
        ["f:2:5: the file is not UTF-8 text; save it as UTF-8"]
    );
}

#[test]
fn depth_and_size_are_bounded() {
    for opening in ["[", "{a: ", "- ", "? "] {
        let (node, problems) = read(opening.repeat(100_000).as_bytes());
        assert!(node.is_none() && !problems.is_empty(), "{opening}");
    }
    let (node, problems) = read(format!("[{}]", "a,".repeat(600_000)).as_bytes());
    assert!(node.is_none());
    assert!(
        matches!(&problems[..], [one] if one.contains("more than 500000 values")),
        "{problems:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = read(&bytes);
    }

    #[test]
    fn yaml_like_text_never_panics(text in "([-?:,\\[\\]{}#&*!|>'\"%@` \t\r\n\\\\]|[a-c~.]|\u{feff}|---|\\.\\.\\.|: |- |\n  ){0,60}") {
        let (node, problems) = read(text.as_bytes());
        prop_assert_eq!(node.is_none(), !problems.is_empty());
    }
}
