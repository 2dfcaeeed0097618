//! Elements as arguments.

use super::*;

fn leaves_of(body: Body<'_>, limits: &Limits) -> (Vec<(String, String)>, Option<Error>) {
    let mut sink = TestSink::default();
    let elements = Elements::Arguments;
    let outcome = parse(body, elements, limits, &mut Scratch::new(), &mut sink);
    (sink.arguments(), outcome.error)
}

#[track_caller]
fn check_leaves(xml: &str, expected: &[(&str, &str)]) {
    let (found, error) = leaves_of(Body::whole(xml.as_bytes()), &Limits::default());
    let found: Vec<(&str, &str)> = found
        .iter()
        .map(|(name, value)| (&**name, &**value))
        .collect();
    assert_eq!(found, expected, "{xml}");
    assert_eq!(error, None, "{xml}");
}

#[test]
fn leaves_are_named_by_their_path() {
    check_leaves("<a>1</a>", &[("xml.a", "1")]);
    check_leaves(
        "<root>\n <one>\n  <two>foo</two>\n  <two>bar</two>\n </one>\n <three/>\n <four></four>\n</root>",
        &[
            ("xml.root.one.two", "foo"),
            ("xml.root.one.two", "bar"),
            ("xml.root.three", ""),
            ("xml.root.four", ""),
        ],
    );
    check_leaves(
        "<s:Envelope xmlns:s='urn:s'><s:Body><q:Item q:id='7' xmlns:q='urn:q'>x</q:Item></s:Body></s:Envelope>",
        &[("xml.Envelope.Body.Item", "x")],
    );
    check_leaves("<:a><b:>1</b:></:a>", &[("xml.:a.b:", "1")]);
}

#[test]
fn the_text_of_a_leaf_is_one_value() {
    check_leaves(
        "<a> 1&lt;<![CDATA[2\r\n]]><!-- - -->3<?p q?>\r4 </a>",
        &[("xml.a", " 1<2\\n3\\n4 ")],
    );
    // Beside elements it is no argument, as for ModSecurity.
    check_leaves(
        "<a>1<b>2</b>3<c>4</c>5</a>",
        &[("xml.a.b", "2"), ("xml.a.c", "4")],
    );
}

#[test]
fn text_and_attributes_are_told_all_the_same() {
    let xml = b"<a b='1'>2<c d='3'>4</c></a>";
    let limits = Limits::default();
    let (with, _) = read_elements(Body::whole(xml), Elements::Arguments, &limits);
    let expected = [
        attribute("1"),
        text("2"),
        attribute("3"),
        text("4"),
        Found::argument("xml.a.c", "4"),
    ];
    assert_eq!(with, expected);
}

/// What stands behind many arguments is told as text.
#[test]
fn arguments_of_elements_are_limited() {
    let xml = b"<a><b>1</b><b>2</b><b>3</b><c d='4'/></a>";
    let limits = Limits {
        arguments: 2,
        ..Limits::default()
    };
    let (found, outcome) = read_elements(Body::whole(xml), Elements::Arguments, &limits);
    assert_eq!(outcome.error, Some(Error::TooManyArguments { limit: 2 }));
    let expected = [
        text("1"),
        Found::argument("xml.a.b", "1"),
        text("2"),
        Found::argument("xml.a.b", "2"),
        text("3"),
        attribute("4"),
    ];
    assert_eq!(found, expected);
    let mut sink = TestSink {
        arguments_max: Some(1),
        ..TestSink::default()
    };
    let limits = Limits::default();
    let body = Body::partial(xml);
    let outcome = parse(
        body,
        Elements::Arguments,
        &limits,
        &mut Scratch::new(),
        &mut sink,
    );
    let limit = limits.arguments;
    assert_eq!(outcome.error, Some(Error::TooManyArguments { limit }));
    assert_eq!(sink.arguments().len(), 1);
}

#[test]
fn names_of_elements_are_limited() {
    let xml = b"<abc><d>1</d><e>2</e></abc>";
    let read = |xml_names_bytes: usize| {
        let limits = Limits {
            xml_names_bytes,
            ..Limits::default()
        };
        let (found, error) = leaves_of(Body::whole(xml), &limits);
        (found.len(), error)
    };
    assert_eq!(read(18), (2, None));
    let (limit, at) = (17, 20);
    let error = XmlError::NamesTooLong { limit, at };
    assert_eq!(read(17), (1, Some(error.into())));
}

#[test]
fn a_cut_leaf_is_told() {
    let limits = Limits::default();
    let check = |xml: &str, expected: &[(&str, &str)]| {
        let (found, error) = leaves_of(Body::partial(xml.as_bytes()), &limits);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        assert_eq!((found.as_slice(), error), (expected, None), "{xml}");
    };
    check("<a><b>1</b><c>2", &[("xml.a.b", "1"), ("xml.a.c", "2")]);
    check("<a><b><![CDATA[1", &[("xml.a.b", "1")]);
    check("<a><b>1</b> ", &[("xml.a.b", "1")]);
    let (found, error) = leaves_of(Body::whole(b"<a>1"), &limits);
    assert_eq!((found.len(), error.is_some()), (0, true));
}
