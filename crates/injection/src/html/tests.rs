use proptest::prelude::*;

use super::*;

/// As libinjection's test driver prints tokens: a line each, its kind, length and text.
pub(crate) fn print_tokens(input: &[u8]) -> Vec<u8> {
    let mut lines = Vec::new();
    for Token { kind, text } in Tokeniser::new(input, Start::Data) {
        let name = match kind {
            Kind::Text => "DATA_TEXT",
            Kind::TagName => "TAG_NAME_OPEN",
            Kind::TagEnd => "TAG_NAME_CLOSE",
            Kind::SelfClose => "TAG_NAME_SELFCLOSE",
            Kind::CloseTag => "TAG_CLOSE",
            Kind::AttributeName => "ATTR_NAME",
            Kind::AttributeValue => "ATTR_VALUE",
            Kind::Comment => "TAG_COMMENT",
            Kind::Doctype => "DOCTYPE",
        };
        lines.extend(format!("{name},{},", text.len()).bytes());
        lines.extend(text);
        lines.push(b'\n');
    }
    lines
}

/// `expected` has a word for each token: the first letters of its kind, and its text.
#[track_caller]
fn check(start: Start, input: &str, expected: &[&str]) {
    let tokens = Tokeniser::new(input.as_bytes(), start).map(|Token { kind, text }| {
        let kind = match kind {
            Kind::Text => "",
            Kind::TagName => "<",
            Kind::TagEnd | Kind::SelfClose => "end:",
            Kind::CloseTag => "</",
            Kind::AttributeName => "name:",
            Kind::AttributeValue => "value:",
            Kind::Comment => "comment:",
            Kind::Doctype => "doctype:",
        };
        format!("{kind}{}", text.escape_ascii())
    });
    assert_eq!(tokens.collect::<Vec<_>>(), expected, "{input:?}");
}

#[track_caller]
fn check_data(input: &str, expected: &[&str]) {
    check(Start::Data, input, expected);
}

#[test]
fn text_and_tags() {
    check_data("", &[]);
    check_data("a", &["a"]);
    check_data("a<", &["a"]);
    check_data("a<b", &["a", "<b"]);
    check_data("a<b>c</b>d", &["a", "<b", "end:>", "c", "</b", "d"]);
    check_data("<b/>c", &["<b", "end:/>", "c"]);
    check_data("< b", &["<", " b"]);
    check_data("<<b", &["<", "<b"]);
    check_data("<1>", &["<", "1>"]);
    check_data("</", &[]);
    check_data("</>b", &[">b"]);
    check_data("</1>b", &["comment:1", "b"]);
    check_data("<\0b\0>", &["<\\x00b\\x00", "end:>"]);
    check_data("<b\nc", &["<b", "name:c"]);
}

#[test]
fn after_an_empty_end_tag_the_next_name_is_an_end_tags() {
    check_data("</><b>", &[">", "</b"]);
    check_data("</b ><c>", &["<b", "end:>", "</c"]);
    check_data("</b c><d>", &["<b", "name:c", "end:>", "<d", "end:>"]);
}

#[test]
fn attributes() {
    check(Start::Tag, "", &[]);
    check(Start::Tag, " a", &["name:a"]);
    check(Start::Tag, "a>b", &["name:a", "end:>", "b"]);
    check(
        Start::Tag,
        "a b=c d",
        &["name:a", "name:b", "value:c", "name:d"],
    );
    check(Start::Tag, "a = b>", &["name:a", "value:b", "end:>"]);
    check(Start::Tag, "=a=b", &["name:=a", "value:b"]);
    check(Start::Tag, "a\0=b", &["name:a", "value:b"]);
    check(Start::Tag, "a/b/=c", &["name:a", "name:b", "name:=c"]);
    check(Start::Tag, "//a/", &["name:a"]);
    check(Start::Tag, "a />b", &["name:a", "end:/>", "b"]);
    check(Start::Tag, "a=>b", &["name:a", "value:", "end:>", "b"]);
    check(Start::Tag, "a='b' c", &["name:a", "value:b", "name:c"]);
    check(
        Start::Tag,
        "a=\"b\"/>c",
        &["name:a", "value:b", "end:/>", "c"],
    );
    check(Start::Tag, "a=`b`>c", &["name:a", "value:b", "end:>", "c"]);
    check(
        Start::Tag,
        "a='b'c=d",
        &["name:a", "value:b", "name:c", "value:d"],
    );
    check(Start::Tag, "a='b", &["name:a", "value:b"]);
    check(Start::Tag, "a= \0", &["name:a"]);
}

#[test]
fn a_value_that_has_begun() {
    check(Start::Value(b'\''), "", &["value:"]);
    check(Start::Value(b'\''), "a", &["value:a"]);
    check(
        Start::Value(b'"'),
        "a\" b=c",
        &["value:a", "name:b", "value:c"],
    );
    check(Start::Value(b'`'), "`><b", &["value:", "end:>", "<b"]);
}

#[test]
fn comments() {
    check_data("<!--a-->b", &["comment:a", "b"]);
    check_data("<!--a-!>b", &["comment:a", "b"]);
    check_data("<!--a-\0\0->b", &["comment:a", "b"]);
    check_data("<!--a--!>b", &["comment:a-", "b"]);
    check_data("<!--a->-", &["comment:a->-"]);
    check_data("<!-->", &["comment:>"]);
    check_data("<!--->-->", &["comment:->"]);
    check_data("<!a>b", &["comment:a", "b"]);
    check_data("<!a", &["comment:a"]);
    check_data("<?a?>b", &["comment:a?", "b"]);
    check_data("<%a%b%>c", &["comment:a%b", "c"]);
    check_data("<%a>b", &["comment:a>b"]);
}

#[test]
fn declarations_and_character_data() {
    check_data("<!DocType a>b", &["doctype:DocType a", "b"]);
    check_data("<!doctyp>", &["comment:doctyp"]);
    check_data("<![CDATA[a<b]]]>c", &["a<b]", "c"]);
    check_data("<![CDATA[a]]", &["a]]"]);
    check_data("<![cdata[a]]>", &["comment:[cdata[a]]"]);
}

/// libinjection takes this byte for the end where `char` is signed, and misses what is behind it.
#[test]
fn the_byte_0xff_is_no_end() {
    let tokens: Vec<_> = Tokeniser::new(b"a \xffb=c", Start::Tag).collect();
    let texts: Vec<_> = tokens.iter().map(|token| token.text).collect();
    assert_eq!(texts, [b"a".as_slice(), b"\xffb", b"c"]);
}

/// Bytes that HTML gives a meaning to, and others.
pub(crate) fn html() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "<",
        "</",
        "<!",
        "<!--",
        "-->",
        "--!>",
        "<?",
        "<%",
        "%>",
        "<![CDATA[",
        "]]>",
        "<!doctype ",
        ">",
        "/>",
        "/",
        "=",
        "'",
        "\"",
        "`",
        " ",
        "\0",
        "\n",
        "a",
        "script",
        "svg",
        "xsl:",
        "on",
        "onload",
        "href",
        "style",
        "xmlns",
        "attributename",
        "java",
        "data:",
        "&#",
        "&#x",
        "106",
        "6a",
        ";",
        "[if",
        "xml",
        "import",
        "entity",
        "\u{ff}",
    ];
    let piece = prop_oneof![
        9 => prop::sample::select(PIECES).prop_map(|piece| piece.as_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..3),
    ];
    prop::collection::vec(piece, 0..16).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// Nothing is read twice, and tokens come in order.
    #[test]
    fn tokens_are_pieces_of_the_value_in_order(input in html(), start in 0..3_usize) {
        let start = [Start::Data, Start::Tag, Start::Value(b'"')][start];
        let mut rest = input.as_slice();
        for token in Tokeniser::new(&input, start) {
            if matches!(token.text, b"<" | b"/>") {
                continue;
            }
            let at = (0..=rest.len()).find(|at| rest[*at..].starts_with(token.text));
            prop_assert!(at.is_some(), "{token:?} of {}", input.escape_ascii());
            rest = &rest[at.unwrap() + token.text.len()..];
        }
    }
}
