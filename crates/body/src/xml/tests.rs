mod leaves;

use proptest::prelude::*;

use super::*;
use crate::Byte;
use crate::test_sink::{Found, TestSink, shown};

fn read_with(body: Body<'_>, limits: &Limits) -> (Vec<Found>, Outcome) {
    read_elements(body, Elements::Untold, limits)
}

fn read_elements(body: Body<'_>, elements: Elements, limits: &Limits) -> (Vec<Found>, Outcome) {
    let mut sink = TestSink::default();
    let outcome = parse(body, elements, limits, &mut Scratch::new(), &mut sink);
    (sink.found, outcome)
}

fn read(xml: impl AsRef<[u8]>) -> (Vec<Found>, Outcome) {
    read_with(Body::whole(xml.as_ref()), &Limits::default())
}

fn text(text: &str) -> Found {
    Found::Text(shown(text.as_bytes()))
}

fn attribute(value: &str) -> Found {
    Found::Attribute(shown(value.as_bytes()))
}

#[track_caller]
fn check(xml: impl AsRef<[u8]>, expected: &[Found]) {
    let (found, outcome) = read(xml.as_ref());
    let xml = shown(xml.as_ref());
    assert_eq!(outcome.error, None, "{xml}");
    assert_eq!(found, expected, "{xml}");
    assert!(outcome.is_complete, "{xml}");
}

#[track_caller]
fn check_error(xml: impl AsRef<[u8]>, error: XmlError) -> Vec<Found> {
    let (found, outcome) = read(xml.as_ref());
    let xml = shown(xml.as_ref());
    assert_eq!(outcome.error, Some(Error::Xml(error)), "{xml}");
    assert!(!outcome.is_complete, "{xml}");
    found
}

fn unexpected(got: u8, expected: &'static str, at: usize) -> XmlError {
    let got = Byte(got);
    XmlError::Unexpected { got, expected, at }
}

#[test]
fn character_data_in_document_order() {
    check("<a>1</a>", &[text("1")]);
    check("<a> 1\n<b>2</b>3<c/>4</a>", &[text(" 1\n234")]);
    check("<a/>", &[]);
    check("<a></a>", &[]);
    check(
        "<a>]] > \u{e4}\u{20ac}\u{1f600}</a>",
        &[text("]] > \u{e4}\u{20ac}\u{1f600}")],
    );
    check("\n<!-- x --><a>1</a >\n<?y z?>", &[text("1")]);
}

#[test]
fn attributes_in_document_order() {
    check("<a b=\"1\" c='2'/>", &[attribute("1"), attribute("2")]);
    check(
        "<a b=\"1\">2<c d=\"3\"/></a>",
        &[attribute("1"), text("2"), attribute("3")],
    );
    check(
        "<a\n\tb \r=\t\"'\" c='\"' ></a>",
        &[attribute("'"), attribute("\"")],
    );
    check("<a b=\"\"/>", &[attribute("")]);
}

#[test]
fn namespaces_are_no_attributes() {
    check(
        "<s:a xmlns:s=\"urn:x\" xmlns=\"urn:y\" s:xmlns=\"1\" xmlnsx=\"2\"/>",
        &[attribute("1"), attribute("2")],
    );
}

#[test]
fn cdata_is_character_data() {
    check("<a>1<![CDATA[<b>&amp;]]>2</a>", &[text("1<b>&amp;2")]);
    check("<a><![CDATA[]]></a>", &[]);
    check("<a><![CDATA[]]]]></a>", &[text("]]")]);
    check("<a><![CDATA[1\r\n2\r3]]></a>", &[text("1\n2\n3")]);
}

#[test]
fn references_are_replaced() {
    check("<a>&lt;b&gt;&amp;&quot;&apos;</a>", &[text("<b>&\"'")]);
    check(
        "<a>&#60;&#x3c;&#x3C;&#0000000000000000000000060;</a>",
        &[text("<<<<")],
    );
    check(
        "<a>&#228;&#x20ac;&#x1F600;&#10;&#13;</a>",
        &[text("\u{e4}\u{20ac}\u{1f600}\n\r")],
    );
    check(
        "<a b=\"&lt;script&gt; &#34;&#x9;\"/>",
        &[attribute("<script> \"\t")],
    );
}

#[test]
fn references_that_mean_nothing() {
    let check = |reference: &str| {
        let error = XmlError::Reference { at: 4 };
        assert_eq!(
            check_error(format!("<a>1{reference}2</a>"), error),
            [text("1")]
        );
        let error = XmlError::Reference { at: 6 };
        check_error(format!("<a b=\"{reference}\"/>"), error);
    };
    for reference in [
        "&x;",
        "&nbsp;",
        "&AMP;",
        "&;",
        "& ;",
        "&#;",
        "&#x;",
        "&#xg;",
        "&#a;",
        "&#0;",
        "&#x0;",
        "&#8;",
        "&#xd800;",
        "&#xfffe;",
        "&#xffff;",
        "&#x110000;",
        "&#4294967356;",
        "&#-1;",
        "&#X3c;",
    ] {
        check(reference);
    }
    check(&("&".to_owned() + &"x".repeat(100)));
    check(&("&".to_owned() + &"x".repeat(100) + ";"));
}

#[test]
fn line_ends_are_line_feeds() {
    check("<a>1\r\n2\r3\n4\r\r\n</a>", &[text("1\n2\n3\n4\n\n")]);
    check("<a b=\"1\r\n2\r3\n4\t5\"/>", &[attribute("1 2 3 4 5")]);
}

#[test]
fn comments_and_instructions_are_skipped() {
    check("<a>1<!-- <b c=\"d\"> & - ]]> -->2</a>", &[text("12")]);
    check("<a>1<?x y=\"<b>\"?>2<?z?></a>", &[text("12")]);
    check("<!----><a/>", &[]);
    let hyphens = "'>' behind '--' in a comment";
    check_error("<a><!-- -- --></a>", unexpected(b' ', hyphens, 10));
    check_error("<a><!-- ---></a>", unexpected(b'-', hyphens, 10));
    let white_space = "white space or '?>'";
    check_error("<a><?x\"?></a>", unexpected(b'"', white_space, 6));
}

#[test]
fn the_xml_declaration() {
    check("<?xml version=\"1.0\"?><a>1</a>", &[text("1")]);
    check(
        "<?xml version='1.1' encoding='utf-8' standalone='yes' ?><a/>",
        &[],
    );
    check(
        "\u{feff}<?xml version=\"1.0\" encoding=\"UTF-8\"?><a/>",
        &[],
    );
    let parts = "version, encoding and standalone of the XML declaration, or its end";
    check_error("<?xml?><a/>", unexpected(b'?', parts, 5));
    check_error("<?xml encoding='utf-8'?><a/>", unexpected(b'e', parts, 6));
    check_error(
        "<?xml version='1'encoding='utf-8'?><a/>",
        unexpected(b'e', parts, 17),
    );
    check_error(
        "<?xml version='1' version='1'?><a/>",
        unexpected(b'v', parts, 18),
    );
    check_error(
        "<?xml version='1' standalone='no' encoding='utf-8'?><a/>",
        unexpected(b'e', parts, 34),
    );
    let value = "a version, an encoding's name, yes or no";
    check_error(
        "<?xml version='1.\u{e4}'?><a/>",
        unexpected(0xc3, value, 17),
    );
    check_error("<?xml version='1 0'?><a/>", unexpected(b' ', value, 16));
    let start = "the XML declaration at the document's start only";
    check_error(" <?xml version=\"1.0\"?><a/>", unexpected(b'<', start, 1));
    check_error("<a><?XML y?></a>", unexpected(b'<', start, 3));
    check("<?xml-stylesheet href='x'?><a/>", &[]);
}

#[test]
fn document_types_are_skipped_or_refused() {
    check("<!DOCTYPE a><a>1</a>", &[text("1")]);
    check("<!DOCTYPE a SYSTEM \"http://example.com/a.dtd\" ><a/>", &[]);
    check(
        "<!DOCTYPE html PUBLIC '-//W3C//DTD' \"[x]\"><!-- --><html/>",
        &[],
    );
    let subset = |at| XmlError::InternalSubset { at };
    let xxe = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>";
    assert_eq!(check_error(xxe, subset(12)), []);
    check_error("<!DOCTYPE a[]><a/>", subset(11));
    check_error(
        "<!DOCTYPE a SYSTEM \"x\" [<!ENTITY y \"z\">]><a/>",
        subset(23),
    );
    let expected = "SYSTEM, PUBLIC or '>' of a document type";
    check_error("<!DOCTYPE a x><a/>", unexpected(b'x', expected, 12));
    check_error(
        "<!DOCTYPE a><!DOCTYPE a><a/>",
        unexpected(b'!', "an element's name", 13),
    );
    check_error(
        "<a><!DOCTYPE a></a>",
        unexpected(b'!', "an element's name", 4),
    );
    check_error("<!DOCTYPEa><a/>", unexpected(b'a', "white space", 9));
}

#[test]
fn elements_are_closed_in_order() {
    check_error("<a><b></a></b>", XmlError::EndTag { at: 6 });
    check_error("<a></A>", XmlError::EndTag { at: 3 });
    check_error("<a></ab>", XmlError::EndTag { at: 3 });
    check_error("<a></a b>", unexpected(b'b', "'>'", 7));
    check_error("</a>", unexpected(b'/', "an element's name", 1));
    check_error("<a/></a>", unexpected(b'<', "the end of the document", 4));
}

#[test]
fn there_is_one_root() {
    let end = "the end of the document";
    check_error("<a/><b/>", unexpected(b'<', end, 4));
    assert_eq!(
        check_error("<a>1</a>2", unexpected(b'2', end, 8)),
        [text("1")]
    );
    check_error("1<a/>", unexpected(b'1', "'<' of an element", 0));
    check_error("{}", unexpected(b'{', "'<' of an element", 0));
    check_error("<a/><![CDATA[1]]>", unexpected(b'<', end, 4));
}

#[test]
fn tags_that_are_wrong() {
    check_error("<>", unexpected(b'>', "an element's name", 1));
    check_error("< a/>", unexpected(b' ', "an element's name", 1));
    check_error("<1/>", unexpected(b'1', "an element's name", 1));
    check_error("<-/>", unexpected(b'-', "an element's name", 1));
    check_error("<a/ >", unexpected(b' ', "'/>'", 3));
    check_error(
        "<a b>",
        unexpected(b'>', "'=' behind an attribute's name", 4),
    );
    let value = "'\"' or '\\'' of an attribute's value";
    check_error("<a b=c>", unexpected(b'c', value, 5));
    let space = "white space, '/>' or '>'";
    check_error("<a b='1'c='2'>", unexpected(b'c', space, 8));
    check_error("<a\"b\">", unexpected(b'"', space, 2));
    let less = "no '<' in an attribute's value";
    check_error("<a b='<'/>", unexpected(b'<', less, 6));
    check_error("<a =''/>", unexpected(b'=', "an attribute's name", 3));
    check_error(
        "<a>]]></a>",
        unexpected(b']', "no ']]>' in character data", 3),
    );
}

#[test]
fn names() {
    check("<_a-b.c:d1 \u{e4}=\"1\"/>", &[attribute("1")]);
    check("<\u{c0}\u{b7}\u{300}/>", &[]);
    check_error("<\u{d7}/>", unexpected(0xc3, "an element's name", 1));
    check_error("<\u{300}/>", unexpected(0xcc, "an element's name", 1));
    check_error(
        "<a\u{d7}/>",
        unexpected(0xc3, "white space, '/>' or '>'", 2),
    );
}

#[test]
fn an_attribute_comes_once() {
    assert_eq!(
        check_error(
            "<a b='1' c='2' b='3'/>",
            XmlError::DuplicateAttribute { at: 15 }
        ),
        [attribute("1"), attribute("2")]
    );
    check("<a b='1'><a b='2'/></a>", &[attribute("1"), attribute("2")]);
}

#[test]
fn what_is_no_character_is_refused() {
    let check = |xml: &[u8], at, expected: &[Found]| {
        assert_eq!(check_error(xml, XmlError::NoCharacter { at }), expected);
    };
    check(b"<a>1\0</a>", 4, &[text("1")]);
    check(b"<a>1\x1f</a>", 4, &[text("1")]);
    check(b"<a>1\xff</a>", 4, &[text("1")]);
    check(b"<a>1\xc0\xaf</a>", 4, &[text("1")]);
    check(b"<a>1\xe2\x82", 4, &[text("1")]);
    check("<a>1\u{fffe}</a>".as_bytes(), 4, &[text("1")]);
    check("<a>1\u{ffff}</a>".as_bytes(), 4, &[text("1")]);
    check(b"<!-- \x01 --><a/>", 5, &[]);
    check(b"<a/>\0", 4, &[]);
    super::tests::check(
        "<a>\u{fffd}\u{ff01}\u{efff}\x7f</a>",
        &[text("\u{fffd}\u{ff01}\u{efff}\x7f")],
    );
}

fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
    text.encode_utf16().flat_map(unit).collect()
}

#[test]
fn utf16_in_both_orders() {
    let expected = [attribute("\u{20ac}"), text("\u{e4}\u{1f600}<")];
    let document = "<a b=\"\u{20ac}\">\u{e4}\u{1f600}&lt;</a>";
    for unit in [u16::to_be_bytes, u16::to_le_bytes] {
        check(utf16(document, unit), &expected);
        check(utf16(&format!("\u{feff}{document}"), unit), &expected);
        let declaration = "<?xml version='1.0' encoding='UTF-16'?>";
        check(utf16(&format!("{declaration}{document}"), unit), &expected);
        let mut lone = utf16("<a>1", unit);
        lone.extend(unit(0xd83d));
        lone.extend(utf16("2</a>", unit));
        assert_eq!(
            check_error(&lone, XmlError::NoCharacter { at: 4 }),
            [text("1")]
        );
        let mut odd = utf16("<a>1</a>", unit);
        odd.push(0);
        check_error(&odd, XmlError::NoCharacter { at: 8 });
    }
}

#[test]
fn encodings_of_one_byte() {
    let check = |encoding: &str, bytes: &[u8], expected: &str| {
        let mut xml = format!("<?xml version=\"1.0\" encoding=\"{encoding}\"?><a>").into_bytes();
        xml.extend(bytes);
        xml.extend(b"</a>");
        super::tests::check(&xml, &[text(expected)]);
    };
    check("ISO-8859-1", b"\xe4\xa4\xff", "\u{e4}\u{a4}\u{ff}");
    check("iso-8859-15", b"\xe4\xa4\xbe", "\u{e4}\u{20ac}\u{178}");
    check(
        "windows-1252",
        b"\xe4\x80\x9f\xff",
        "\u{e4}\u{20ac}\u{178}\u{ff}",
    );
    check("US-ASCII", b"1", "1");
    check("utf-8", "\u{e4}".as_bytes(), "\u{e4}");
    let ascii = b"<?xml version='1.0' encoding='us-ascii'?><a>\xe4</a>";
    check_error(ascii, XmlError::NoCharacter { at: 44 });
    let hole = b"<?xml version='1.0' encoding='cp1252'?><a>\x81</a>";
    check_error(hole, XmlError::NoCharacter { at: 42 });
}

#[test]
fn other_encodings_are_refused() {
    let declared = |encoding: &str| format!("<?xml version='1.0' encoding='{encoding}'?><a>1</a>");
    for encoding in ["utf-7", "utf-16", "ebcdic-cp-us", "shift_jis", ""] {
        assert_eq!(check_error(declared(encoding), XmlError::Encoding), []);
    }
    let latin1 = format!("\u{feff}{}", declared("iso-8859-1"));
    check_error(latin1, XmlError::Encoding);
    check_error(b"<\0\0\0a\0\0\0", XmlError::Encoding);
    check_error(b"\0\0\0<\0\0\0a", XmlError::Encoding);
    // Its declaration can't be searched to the end.
    let long = format!(
        "<?xml version='1.0'{}encoding='utf-7'?><a/>",
        " ".repeat(300)
    );
    check_error(long, XmlError::Encoding);
    // EBCDIC.
    let element = "'<' of an element";
    check_error(b"\x4c\x6f\xa7\x94", unexpected(0x4c, element, 0));
}

#[test]
fn an_empty_body_is_nothing_to_read() {
    check("", &[]);
    check_error(" ", XmlError::EarlyEnd { at: 1 });
}

#[test]
fn an_early_end_is_an_error() {
    for xml in [
        "<",
        "<a",
        "<a ",
        "<a b",
        "<a b=",
        "<a b='1",
        "<a b='&am",
        "<a>",
        "<a>1",
        "<a>&",
        "<a>&amp",
        "<a><!",
        "<a><!-- -",
        "<a><![CDATA[1",
        "<a><![CDA",
        "<a></",
        "<a></a",
        "<a></a ",
        "<?x",
        "<?x y",
        "<!",
        "<!DOCT",
        "<!DOCTYPE",
        "<!DOCTYPE a",
        "<!DOCTYPE a SYS",
        "<!DOCTYPE a SYSTEM 'x",
        "<?xml",
        "<?xml version",
        "<?xml version='1'?",
        "<a/>\n<!-",
        " <?xml",
        "<a><?XML",
        "<a/><?x",
    ] {
        check_error(xml, XmlError::EarlyEnd { at: xml.len() });
        let body = Body::partial(xml.as_bytes());
        let (_, outcome) = read_with(body, &Limits::default());
        assert_eq!((outcome.error, outcome.is_complete), (None, false), "{xml}");
    }
}

#[test]
fn a_cut_body_tells_what_is_there() {
    let check = |xml: &[u8], expected: &[Found]| {
        let (found, outcome) = read_with(Body::partial(xml), &Limits::default());
        assert_eq!(outcome.error, None, "{}", shown(xml));
        assert_eq!(found, expected, "{}", shown(xml));
    };
    check(b"<a>1<b>2", &[text("12")]);
    check(b"<a>1&l", &[text("1")]);
    check(b"<a><![CDATA[1", &[text("1")]);
    check(b"<a b='1' c='2", &[attribute("1"), attribute("2")]);
    check(b"<a b='1&lt;2", &[attribute("1<2")]);
    check(b"<a xmlns='2", &[]);
    check(b"\xff", &[]);
    check(b"<?xml version='1.0' encoding='iso-", &[]);
    check(b"<a>1\xe2\x82", &[text("1")]);
    check(b"\xff\xfe<\0a\0>\x001\0\x3d\xd8", &[text("1")]);
    check(b"\xff\xfe<\0a\0>\x001\x002", &[text("1")]);
}

#[test]
fn a_cut_excuses_nothing_else() {
    let check = |xml: &[u8], error: XmlError| {
        let (_, outcome) = read_with(Body::partial(xml), &Limits::default());
        assert_eq!(outcome.error, Some(Error::Xml(error)), "{}", shown(xml));
    };
    check(b"<a>\xff\xff", XmlError::NoCharacter { at: 3 });
    check(b"<a></b>", XmlError::EndTag { at: 3 });
    check(
        b"\xff\xfe<\0a\0>\0\x3d\xd8<\0",
        XmlError::NoCharacter { at: 3 },
    );
}

#[test]
fn nesting_is_limited() {
    let limits = Limits {
        xml_depth: 3,
        ..Limits::default()
    };
    let (_, outcome) = read_with(Body::whole(b"<a><a><a><a/></a></a></a>"), &limits);
    assert_eq!(outcome.error, None);
    let (_, outcome) = read_with(Body::whole(b"<a><a><a><a>1"), &limits);
    let (limit, at) = (3, 9);
    assert_eq!(outcome.error, Some(XmlError::TooDeep { limit, at }.into()));
    check_error(
        "<a>".repeat(100_000),
        XmlError::TooDeep {
            limit: 256,
            at: 768,
        },
    );
}

#[test]
fn attributes_are_limited() {
    let attributes = |count: usize| -> String {
        let attributes = (0..count).map(|number| format!(" b{number:03}='1'"));
        attributes.collect()
    };
    let (found, outcome) = read(format!("<a{}/>", attributes(128)));
    assert_eq!((found.len(), outcome.error), (128, None));
    let (limit, at) = (128, 3 + 128 * 9);
    let error = XmlError::TooManyAttributes { limit, at };
    check_error(format!("<a{}/>", attributes(129)), error);
    let limits = Limits {
        xml_attributes: 2,
        ..Limits::default()
    };
    let (found, outcome) = read_with(Body::whole(b"<a b='1'><c d='2' e='3'/></a>"), &limits);
    assert_eq!(found, [attribute("1"), attribute("2")]);
    let (limit, at) = (2, 18);
    assert_eq!(
        outcome.error,
        Some(XmlError::TooManyAttributes { limit, at }.into())
    );
}

#[test]
fn errors_say_what_and_where() {
    let (_, outcome) = read("<a b=c>");
    assert_eq!(
        outcome.error.unwrap().to_string(),
        "XML parsing error: 'c' at offset 5, where '\"' or '\\'' of an attribute's value was expected"
    );
}

/// Something that a document holds.
#[derive(Clone, Debug)]
enum Node {
    Text(String),
    Cdata(String),
    Skipped(&'static str),
    Element(String, Vec<String>, Vec<Node>),
}

fn characters(least: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(
        prop_oneof![
            prop::sample::select(vec![
                '<', '>', '&', '"', '\'', ']', ' ', '\n', '\t', '-', '\u{e4}', '\u{fffd}'
            ]),
            prop::char::range(' ', '\u{d7ff}'),
            prop::char::range('\u{1_0000}', '\u{10_ffff}'),
        ],
        least..8,
    )
    .prop_map(String::from_iter)
}

fn documents() -> impl Strategy<Value = Node> {
    let name = || "[a-z_][a-z0-9.-]{0,4}";
    let leaf = prop_oneof![
        characters(1).prop_map(Node::Text),
        characters(1).prop_map(|text| Node::Cdata(text.replace("]]>", ""))),
        prop::sample::select(vec!["<!-- <x> -->", "<?x <y?>"]).prop_map(Node::Skipped),
    ];
    let element = move |inner: BoxedStrategy<Node>| {
        let attributes = prop::collection::vec(characters(0), 0..3);
        let children = prop::collection::vec(inner, 0..5);
        (name(), attributes, children)
            .prop_map(|(name, attributes, children)| Node::Element(name, attributes, children))
    };
    let inner = leaf.prop_recursive(4, 24, 5, move |inner| element(inner.boxed()));
    element(inner.boxed())
}

fn escaped(text: &str, is_attribute: bool) -> String {
    text.chars()
        .map(|character| match character {
            '<' => "&lt;".to_owned(),
            '>' => "&#62;".to_owned(),
            '&' => "&amp;".to_owned(),
            '"' if is_attribute => "&#x22;".to_owned(),
            '\n' | '\t' if is_attribute => format!("&#{};", u32::from(character)),
            other => other.to_string(),
        })
        .collect()
}

fn write(node: &Node, out: &mut String, expected: &mut Vec<Found>) {
    let mut told = |told: &str| match expected.last_mut() {
        _ if told.is_empty() => {}
        Some(Found::Text(before)) => before.push_str(&shown(told.as_bytes())),
        _ => expected.push(text(told)),
    };
    match node {
        Node::Text(text) => {
            out.push_str(&escaped(text, false));
            told(text);
        }
        Node::Cdata(text) => {
            out.push_str(&format!("<![CDATA[{text}]]>"));
            told(text);
        }
        Node::Skipped(markup) => out.push_str(markup),
        Node::Element(name, attributes, children) => {
            out.push_str(&format!("<{name}"));
            for (number, value) in attributes.iter().enumerate() {
                out.push_str(&format!(" a{number}=\"{}\"", escaped(value, true)));
                expected.push(attribute(value));
            }
            out.push('>');
            children
                .iter()
                .for_each(|child| write(child, out, expected));
            out.push_str(&format!("</{name}>"));
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read(document in documents()) {
        let (mut xml, mut expected) = (String::new(), Vec::new());
        write(&document, &mut xml, &mut expected);
        let (found, outcome) = read(&xml);
        prop_assert_eq!(outcome.error, None, "{}", xml);
        prop_assert_eq!(&found, &expected);
        let (found, outcome) = read(utf16(&xml, u16::to_le_bytes));
        prop_assert_eq!(outcome.error, None, "{}", xml);
        prop_assert_eq!(&found, &expected);
    }

    #[test]
    fn a_cut_body_tells_the_beginning_of_what_the_whole_tells(
        document in documents(),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut xml = String::new();
        write(&document, &mut xml, &mut Vec::new());
        let (whole, _) = read(&xml);
        let body = Body::partial(&xml.as_bytes()[..cut.index(xml.len())]);
        let (found, outcome) = read_with(body, &Limits::default());
        prop_assert_eq!(outcome.error, None);
        // The last may be cut too.
        let sure = found.len().saturating_sub(1);
        prop_assert_eq!(found.get(..sure), whole.get(..sure));
    }

    #[test]
    fn nothing_panics(
        pieces in prop::collection::vec(
            prop_oneof![
                prop::sample::select(vec![
                    "<a", ">", "/>", "</a>", "<!--", "-->", "<![CDATA[", "]]>", "<?xml", "?>", " version='1.0'",
                    " encoding='", "windows-1252'", "<!DOCTYPE a", "[", " b=", "\"", "&", "amp;", "#x3c;", "\r",
                    "\u{e4}", "\u{ffff}", " xmlns:c='",
                ]).prop_map(|piece| piece.as_bytes().to_vec()),
                prop::collection::vec(any::<u8>(), 0..5),
            ],
            0..16,
        ),
        is_partial: bool,
    ) {
        let bytes = pieces.concat();
        read_with(Body { bytes: &bytes, is_partial }, &Limits::default());
    }
}
