use proptest::prelude::*;

use super::*;
use crate::Byte;
use crate::test_sink::{Found, TestSink, shown};

const CONTENT_TYPE: &str = "multipart/form-data; boundary=0000";

fn read_with(body: Body<'_>, content_type: &str, limits: &Limits) -> (Vec<Found>, Outcome) {
    let mut sink = TestSink::default();
    let content_type = content_type.as_bytes();
    let outcome = parse(body, content_type, limits, &mut Scratch::new(), &mut sink);
    (sink.found, outcome)
}

/// Reads a body whose lines are written with LF here, and end with CR LF.
fn read(body: &str) -> (Vec<Found>, Outcome) {
    let body = body.replace('\n', "\r\n");
    read_with(
        Body::whole(body.as_bytes()),
        CONTENT_TYPE,
        &Limits::default(),
    )
}

/// What was found but for the headers.
fn without_headers(found: Vec<Found>) -> Vec<Found> {
    let is_header = |found: &Found| matches!(found, Found::PartHeader(..));
    found
        .into_iter()
        .filter(|found| !is_header(found))
        .collect()
}

fn file(field: &str, name: &str, content: &str) -> Found {
    Found::File {
        field: shown(field.as_bytes()),
        name: Some(shown(name.as_bytes())),
        extended_name: None,
        content: shown(content.as_bytes()),
    }
}

#[track_caller]
fn check(body: &str, expected: &[Found], flags: &[MultipartFlags]) -> Outcome {
    let (found, outcome) = read(body);
    assert_eq!(without_headers(found), expected, "{body}");
    assert_eq!(outcome.error, None, "{body}");
    assert!(outcome.is_complete, "{body}");
    let mut all = MultipartFlags::CRLF_LINE;
    flags.iter().for_each(|flag| all.insert(*flag));
    assert_eq!(outcome.multipart, all, "{body}");
    outcome
}

#[track_caller]
fn check_error(body: &str, expected: &[Found], error: MultipartError) -> Outcome {
    let (found, outcome) = read(body);
    assert_eq!(without_headers(found), expected, "{body}");
    assert_eq!(outcome.error, Some(Error::Multipart(error)), "{body}");
    assert!(!outcome.is_complete, "{body}");
    outcome
}

/// A part of one field.
fn part(name: &str, value: &str) -> String {
    format!("--0000\nContent-Disposition: form-data; name=\"{name}\"\n\n{value}\n")
}

fn a_and_b() -> [Found; 2] {
    [Found::argument("a", "1"), Found::argument("b", "2")]
}

#[test]
fn fields_and_files() {
    let outcome = check(
        "--0000
Content-Disposition: form-data; name=\"name\"

Brian Rectanus
--0000
Content-Disposition: form-data; name=\"image\"; filename=\"image.jpg\"
Content-Type: image/jpeg

BINARYDATA
--0000--
",
        &[
            Found::argument("name", "Brian Rectanus"),
            file("image", "image.jpg", "BINARYDATA"),
        ],
        &[],
    );
    assert!(!outcome.multipart.is_strict_error());
    // Header lines with their ends, and the field.
    assert_eq!(outcome.no_files_bytes, 45 + 2 + 14 + 68 + 26 + 2);
}

#[test]
fn the_last_boundary_needs_no_line_end() {
    let parts = part("a", "1") + &part("b", "2");
    check(&format!("{parts}--0000--\n"), &a_and_b(), &[]);
    check(&format!("{parts}--0000--"), &a_and_b(), &[]);
}

#[test]
fn an_empty_body_is_nothing_to_read() {
    let (found, outcome) = read("");
    assert_eq!(found, []);
    assert_eq!((outcome.error, outcome.is_complete), (None, true));
    assert!(outcome.multipart.is_empty());
    check("--0000--\n", &[], &[]);
}

#[test]
fn values_hold_anything() {
    let check = |value: &str, flags: &[MultipartFlags]| {
        let body = part("a", value) + "--0000--\n";
        let expected = value.replace('\n', "\r\n");
        check(&body, &[Found::argument("a", &expected)], flags);
    };
    check("", &[]);
    check("\n", &[]);
    check("1\n2\n\n", &[]);
    check("\0\u{e4}\r", &[]);
    check("a: b\n\nc", &[]);
    check("-", &[]);
    check(" --0001", &[]);
}

#[test]
fn part_headers_are_told_under_the_name_of_their_part() {
    let (found, _) = read(
        "--0000
content-disposition: form-data; name=\"a\"
Content-Type:text/plain; charset=utf-7
X-Empty:

1
--0000
Content-Disposition:\tform-data; name=\"b\"

2
--0000--
",
    );
    assert_eq!(
        found,
        [
            Found::part_header("a", "content-disposition: form-data; name=\"a\""),
            Found::part_header("a", "Content-Type:text/plain; charset=utf-7"),
            Found::part_header("a", "X-Empty:"),
            Found::argument("a", "1"),
            Found::part_header("b", "Content-Disposition:\tform-data; name=\"b\""),
            Found::argument("b", "2"),
        ]
    );
}

#[test]
fn a_part_that_has_an_extended_file_name_alone_is_both() {
    let (found, outcome) = read(
        "--0000
Content-Disposition: form-data; name=\"a\"; filename*=utf-8''b%2ephp

<?php
--0000--
",
    );
    assert_eq!(
        without_headers(found),
        [
            Found::File {
                field: "a".to_owned(),
                name: None,
                extended_name: Some("b.php".to_owned()),
                content: "<?php".to_owned(),
            },
            Found::argument("a", "<?php"),
        ]
    );
    assert_eq!(outcome.error, None);
}

#[test]
fn nothing_is_left_of_what_was_read_before() {
    let body = "--0000\r\nX:\r\n y\r\n\
        Content-Disposition: form-data; name=a; filename=b; filename*=utf-8''c\r\n\r\n1\r\n\
        --0000\r\nContent-Disposition: form-data; name=d\r\n\r\n2\r\n--0000--\r\n";
    let mut scratch = Scratch::new();
    let mut read = |body: &str| {
        let mut sink = TestSink::default();
        let (body, limits) = (Body::whole(body.as_bytes()), Limits::default());
        parse(
            body,
            CONTENT_TYPE.as_bytes(),
            &limits,
            &mut scratch,
            &mut sink,
        );
        sink.found
    };
    let first = read(body);
    let d = [
        Found::part_header("d", "Content-Disposition: form-data; name=d"),
        Found::argument("d", "2"),
    ];
    assert_eq!(first.get(3..), Some(d.as_slice()));
    assert_eq!(read(body), first);
    assert_eq!(
        read("--0000\r\ncolon\r\n"),
        [Found::part_header("", "colon")]
    );
}

#[test]
fn both_file_names_are_told() {
    let (found, _) = read(
        "--0000
Content-Disposition: form-data; name=\"a\"; filename=\"b.txt\"; filename*=utf-8''b.php

1
--0000--
",
    );
    assert_eq!(
        without_headers(found),
        [Found::File {
            field: "a".to_owned(),
            name: Some("b.txt".to_owned()),
            extended_name: Some("b.php".to_owned()),
            content: "1".to_owned(),
        }]
    );
}

#[test]
fn data_before_the_first_boundary() {
    let parts = part("a", "1") + &part("b", "2") + "--0000--\n";
    let before = &[MultipartFlags::DATA_BEFORE];
    check(&format!("\n{parts}"), &a_and_b(), before);
    let outcome = check(&format!("This is MIME.\n{parts}"), &a_and_b(), before);
    assert!(outcome.multipart.is_strict_error());
}

#[test]
fn data_after_the_last_boundary() {
    let body = part("a", "1") + "--0000--\n" + &part("b", "2") + "--0000--\n";
    let after = &[MultipartFlags::DATA_AFTER];
    let outcome = check(&body, &[Found::argument("a", "1")], after);
    assert!(outcome.multipart.is_strict_error());
    let body = part("a", "1") + "--0000--\n\n";
    check(&body, &[Found::argument("a", "1")], after);
}

#[test]
fn folded_headers() {
    let folded = MultipartFlags::HEADER_FOLDING;
    let invalid = MultipartFlags::INVALID_HEADER_FOLDING;
    let check = |fold: &str, flags: &[MultipartFlags]| {
        let body = format!(
            "--0000\nContent-Disposition: form-data;{fold}name=\"a\"\nX: y\n\n1\n--0000--\n"
        );
        let (found, outcome) = read(&body);
        let line = "Content-Disposition: form-data; name=\"a\"";
        assert_eq!(
            found.first(),
            Some(&Found::part_header("a", line)),
            "{body}"
        );
        assert_eq!(found.last(), Some(&Found::argument("a", "1")), "{body}");
        assert_eq!(outcome.error, None, "{body}");
        let mut all = MultipartFlags::CRLF_LINE;
        flags.iter().for_each(|flag| all.insert(*flag));
        assert_eq!(outcome.multipart, all, "{body}");
        assert!(outcome.multipart.is_strict_error());
    };
    check("\n ", &[folded]);
    check("\n\t \t", &[folded]);
    check("\n\x0b", &[folded, invalid]);
    check("\n \x0c", &[folded, invalid]);
    check("\n\r", &[folded, invalid]);
}

#[test]
fn folds_join_with_one_blank() {
    let (found, _) = read(
        "--0000
Content-Disposition:form-data
 \t;
 name=\"a\"
X:y

1
--0000--
",
    );
    let headers = [
        Found::part_header("a", "Content-Disposition: form-data ; name=\"a\""),
        Found::part_header("a", "X:y"),
    ];
    assert_eq!(found.get(..2), Some(headers.as_slice()));
    // The first line's value is empty: what follows has a blank before it.
    let body = "--0000\nContent-Disposition:\n form-data; name=\"a\"\n\n1\n--0000--\n";
    let reason = "it is not form-data";
    check_error(body, &[], MultipartError::Disposition { reason, at: 52 });
    let error = MultipartError::FoldedFirstHeader { at: 8 };
    let outcome = check_error("--0000\n X: y\n\n1\n--0000--\n", &[], error);
    assert!(outcome.multipart.contains(MultipartFlags::HEADER_FOLDING));
}

#[test]
fn lines_that_end_with_lf_alone() {
    let check = |body: &str, is_mixed: bool| {
        let (found, outcome) = read_with(
            Body::whole(body.as_bytes()),
            CONTENT_TYPE,
            &Limits::default(),
        );
        assert_eq!(
            without_headers(found),
            [Found::argument("a", "1")],
            "{body:?}"
        );
        assert_eq!(outcome.error, None, "{body:?}");
        assert!(
            outcome.multipart.contains(MultipartFlags::LF_LINE),
            "{body:?}"
        );
        assert!(outcome.multipart.is_strict_error(), "{body:?}");
        assert_eq!(outcome.multipart.has_mixed_lines(), is_mixed, "{body:?}");
    };
    let header = "Content-Disposition: form-data; name=\"a\"";
    check(&format!("--0000\n{header}\n\n1\n--0000--\n"), false);
    check(&format!("--0000\n{header}\n\n1\n--0000--"), false);
    check(&format!("--0000\n{header}\r\n\r\n1\r\n--0000--\r\n"), true);
    check(&format!("--0000\r\n{header}\n\r\n1\r\n--0000--\r\n"), true);
    check(&format!("--0000\r\n{header}\r\n\n1\r\n--0000--\r\n"), true);
    check(&format!("--0000\r\n{header}\r\n\r\n1\n--0000--\r\n"), true);
    check(&format!("--0000\r\n{header}\r\n\r\n1\n--0000--"), true);
    check(&format!("--0000\r\n{header}\r\n\r\n1\r\n--0000--\n"), true);
}

#[test]
fn lf_within_data_is_data() {
    let body = "--0000\r\nContent-Disposition: form-data; name=a\r\n\r\n1\n2\r\n--0000--\r\n";
    let (found, outcome) = read_with(
        Body::whole(body.as_bytes()),
        CONTENT_TYPE,
        &Limits::default(),
    );
    assert_eq!(without_headers(found), [Found::argument("a", "1\n2")]);
    assert_eq!(outcome.multipart, MultipartFlags::CRLF_LINE);
}

#[test]
fn what_content_type_says_sets_flags() {
    let check = |content_type: &str, flag: MultipartFlags| {
        let body = part("a", "1").replace('\n', "\r\n") + "--0000--\r\n";
        let (_, outcome) = read_with(
            Body::whole(body.as_bytes()),
            content_type,
            &Limits::default(),
        );
        assert_eq!(outcome.error, None, "{content_type}");
        assert!(outcome.multipart.contains(flag), "{content_type}");
        assert!(outcome.multipart.is_strict_error(), "{content_type}");
    };
    check(
        r#"multipart/form-data; boundary="0000""#,
        MultipartFlags::BOUNDARY_QUOTED,
    );
    check(
        "multipart/form-data; boundary =0000",
        MultipartFlags::BOUNDARY_WHITESPACE,
    );
    check(
        "multipart/form-data boundary=0000",
        MultipartFlags::MISSING_SEMICOLON,
    );
}

#[test]
fn without_a_boundary_nothing_is_read() {
    let body = Body::whole(b"--0000\r\n");
    let (found, outcome) = read_with(body, "multipart/form-data", &Limits::default());
    assert_eq!(found, []);
    let error = MultipartError::ContentType("there is none");
    assert_eq!(outcome.error, Some(Error::Multipart(error)));
    assert_eq!(outcome.multipart, MultipartFlags::ERROR);
    assert!(outcome.multipart.is_strict_error());
}

#[test]
fn quoting_that_some_take_otherwise() {
    let quoting = MultipartFlags::INVALID_QUOTING;
    let body = "--0000\nContent-Disposition: form-data; name='a'\n\n1\n--0000--\n";
    let outcome = check(body, &[Found::argument("a", "1")], &[quoting]);
    assert!(outcome.multipart.is_strict_error());
}

/// A name that one parser ends where another begins.
#[test]
fn a_name_in_apostrophes_hides_nothing() {
    let body = part("a", "1")
        + "--0000\nContent-Disposition: form-data; name=';filename=\"dummy';name=b;\"\n\n2\n--0000--\n";
    let reason = "a parameter comes twice";
    let error = MultipartError::Disposition { reason, at: 129 };
    let outcome = check_error(&body, &[Found::argument("a", "1")], error);
    assert!(outcome.multipart.contains(MultipartFlags::INVALID_QUOTING));
    assert!(
        outcome
            .multipart
            .contains(MultipartFlags::DUPLICATE_PART_HEADER)
    );
}

#[test]
fn a_part_without_data() {
    // The blank line that ends the headers isn't the line end before the boundary too.
    let body = "--0000\nContent-Disposition: form-data; name=a\n\n--0000\n".to_owned()
        + "Content-Disposition: form-data; name=b\n\n2\n--0000--\n";
    let invalid = MultipartFlags::INVALID_PART;
    let hidden = "--0000\r\nContent-Disposition: form-data; name=b\r\n\r\n2";
    let outcome = check(&body, &[Found::argument("a", hidden)], &[invalid]);
    assert!(outcome.multipart.is_strict_error());
    let body = "--0000\nContent-Disposition: form-data; name=a\n\n--0000--";
    check(body, &[Found::argument("a", "")], &[invalid]);
    check("--0000\n--0000--", &[], &[invalid]);
}

#[test]
fn files_beyond_the_limit_are_told_and_flagged() {
    let file_part = |name: &str| {
        format!("--0000\nContent-Disposition: form-data; name={name}; filename={name}\n\n{name}\n")
    };
    let body = file_part("a") + &file_part("b") + &part("c", "3") + "--0000--\n";
    let body = body.replace('\n', "\r\n");
    let read = |upload_files| {
        let limits = Limits {
            upload_files,
            ..Limits::default()
        };
        read_with(Body::whole(body.as_bytes()), CONTENT_TYPE, &limits)
    };
    let expected = [
        file("a", "a", "a"),
        file("b", "b", "b"),
        Found::argument("c", "3"),
    ];
    let (found, outcome) = read(1);
    assert_eq!(without_headers(found), expected);
    assert_eq!(outcome.error, None);
    assert!(
        outcome
            .multipart
            .contains(MultipartFlags::FILE_LIMIT_EXCEEDED)
    );
    assert!(outcome.multipart.is_strict_error());
    let (found, outcome) = read(2);
    assert_eq!(without_headers(found), expected);
    assert_eq!(outcome.multipart, MultipartFlags::CRLF_LINE);
}

#[test]
fn data_that_resemble_a_boundary() {
    let unmatched = MultipartFlags::UNMATCHED_BOUNDARY;
    let check = |value: &str, is_unmatched: bool| {
        let body = part("a", value) + "--0000--\n";
        let flags: &[MultipartFlags] = if is_unmatched { &[unmatched] } else { &[] };
        let outcome = check(&body, &[Found::argument("a", value)], flags);
        assert!(!outcome.multipart.is_strict_error());
    };
    check("--test", true);
    check("--", true);
    check("-- 1", true);
    check("1 --0000", true);
    check("---0000", true);
    check("- -0000", false);
    check("1 --000", false);
    check("--\0test", false);
    check("-test", false);
    // As ModSecurity 2, which takes three bytes for too few.
    let body = "--0000\nContent-Disposition: form-data; name=a\n\n--\n1\n--0000--\n";
    let (_, outcome) = read_with(
        Body::whole(body.as_bytes()),
        CONTENT_TYPE,
        &Limits::default(),
    );
    assert!(!outcome.multipart.contains(unmatched));
}

#[test]
fn long_lines_are_searched_too() {
    let value = "x".repeat(10_000) + "--0000" + &"x".repeat(10_000);
    let body = part("a", &value) + &part("b", "2") + "--0000--\n";
    let expected = [Found::argument("a", &value), Found::argument("b", "2")];
    check(&body, &expected, &[MultipartFlags::UNMATCHED_BOUNDARY]);
}

#[test]
fn boundary_lines_that_are_wrong() {
    let a = [Found::argument("a", "1\r\n")];
    let check = |line: &str, content_type: &str, error: MultipartError| {
        let body = (part("a", "1") + line).replace('\n', "\r\n");
        let (found, outcome) = read_with(
            Body::whole(body.as_bytes()),
            content_type,
            &Limits::default(),
        );
        // What there is of the part is told.
        assert_eq!(without_headers(found), a, "{body}");
        assert_eq!(outcome.error, Some(Error::Multipart(error)), "{body}");
        assert!(outcome.multipart.contains(MultipartFlags::ERROR), "{body}");
        assert!(outcome.multipart.is_strict_error(), "{body}");
    };
    let at = 55;
    let follows = MultipartError::BoundaryLine { at };
    check("--0000x\n", CONTENT_TYPE, follows);
    check("--0000 \n", CONTENT_TYPE, follows);
    check("--0000-\n", CONTENT_TYPE, follows);
    check("--0000---\n", CONTENT_TYPE, follows);
    check("--0000\r\r\n", CONTENT_TYPE, follows);
    let space = MultipartError::SpaceInBoundaryLine { at };
    check("-- 0000\n", CONTENT_TYPE, space);
    check("--\t\x0b0000--\n", CONTENT_TYPE, space);
    let quoted = r#"multipart/form-data; boundary="0000""#;
    check(
        "--\"0000\"\n",
        quoted,
        MultipartError::QuotedBoundaryLine { at },
    );
}

#[test]
fn header_lines_that_are_wrong() {
    let check = |line: &str, error: MultipartError, headers: &[&str]| {
        let body = format!("--0000\nX: y\n{line}\n\n1\n--0000--\n");
        let (found, outcome) = read(&body);
        assert_eq!(outcome.error, Some(Error::Multipart(error)), "{body}");
        assert!(outcome.multipart.contains(MultipartFlags::ERROR), "{body}");
        // A part whose name isn't known; what is wrong is there for rules to see.
        let headers: Vec<Found> = ["X: y"]
            .iter()
            .chain(headers)
            .map(|line| Found::part_header("", line))
            .collect();
        assert_eq!(found, headers, "{body}");
    };
    let at = 14;
    check("colon", MultipartError::NoColon { at }, &["colon"]);
    check(": y", MultipartError::NoHeaderName { at }, &[": y"]);
    check("x: z", MultipartError::DuplicateHeader { at }, &["x: z"]);
    check("Y: \0", MultipartError::NulInHeader { at: 17 }, &[]);
    let name = |got, at| MultipartError::HeaderName { got: Byte(got), at };
    check("\x0eY: y", name(0x0e, 14), &["\x0eY: y"]);
    check("Y\x0e: y", name(0x0e, 15), &["Y\x0e: y"]);
    check("Y y: y", name(b' ', 15), &["Y y: y"]);
    check("Y\x7f: y", name(0x7f, 15), &["Y\x7f: y"]);
    check("Y\u{e4}: y", name(0xc3, 15), &["Y\u{e4}: y"]);
}

#[test]
fn any_visible_byte_may_be_in_a_headers_name() {
    let body =
        "--0000\nContent~!Disposition: x\nContent-Disposition: form-data; name=a\n\n1\n--0000--\n";
    check(body, &[Found::argument("a", "1")], &[]);
}

#[test]
fn a_duplicate_header_sets_a_flag() {
    let (_, outcome) = read("--0000\nX: y\nx: y\n\n1\n--0000--\n");
    assert!(
        outcome
            .multipart
            .contains(MultipartFlags::DUPLICATE_PART_HEADER)
    );
}

#[test]
fn header_lines_are_bounded() {
    let check = |len: usize, is_too_long: bool| {
        let value = "x".repeat(len - "X: \r\n".len());
        let body =
            format!("--0000\nX: {value}\nContent-Disposition: form-data; name=a\n\n1\n--0000--\n");
        let (_, outcome) = read(&body);
        let (limit, at) = (4096, 8);
        let error = Error::Multipart(MultipartError::HeaderTooLong { limit, at });
        assert_eq!(outcome.error, is_too_long.then_some(error));
    };
    check(4095, false);
    check(4096, true);
}

#[test]
fn folded_values_are_bounded() {
    let check = |last_fold: &str, is_too_long: bool| {
        let fold = "\n ".to_owned() + &"x".repeat(1023);
        let body = format!(
            "--0000\nX:{}{last_fold}\nContent-Disposition: form-data; name=a\n\n1\n--0000--\n",
            fold.repeat(4)
        );
        let (_, outcome) = read(&body);
        let (limit, at) = (4096, 4116);
        let error = Error::Multipart(MultipartError::HeaderTooLong { limit, at });
        assert_eq!(outcome.error, is_too_long.then_some(error));
    };
    // Each fold is a blank and its text; the last is a blank alone.
    check("", false);
    check("\n ", true);
}

#[test]
fn headers_of_a_part_are_limited() {
    let check = |headers: usize, is_too_many: bool| {
        let headers: String = (1..headers)
            .map(|number| format!("X{number}: y\n"))
            .collect();
        let body =
            format!("--0000\n{headers}Content-Disposition: form-data; name=a\n\n1\n--0000--\n");
        let (_, outcome) = read(&body);
        let is_limited = matches!(
            outcome.error,
            Some(Error::Multipart(MultipartError::TooManyHeaders {
                limit: 64,
                ..
            }))
        );
        assert_eq!(is_limited, is_too_many);
        assert_eq!(outcome.error.is_some(), is_too_many);
    };
    check(64, false);
    check(65, true);
}

#[test]
fn a_part_needs_a_disposition_that_names_it() {
    let check = |headers: &str, error: MultipartError| {
        check_error(&format!("--0000\n{headers}\n1\n--0000--\n"), &[], error);
    };
    check("", MultipartError::NoDisposition { at: 8 });
    check(
        "Content-Type: text/plain\n",
        MultipartError::NoDisposition { at: 34 },
    );
    let reason = "it has no name";
    let error = MultipartError::Disposition { reason, at: 41 };
    check("Content-Disposition: form-data;\n", error);
}

#[test]
fn parts_of_parts_are_not_read() {
    let body = part("a", "1")
        + "--0000
Content-Disposition: attachment
Content-Type: multipart/mixed; boundary=BbC04y

--BbC04y
Content-Disposition: file; filename=\"file1.txt\"

1
--BbC04y--
--0000--
";
    let reason = "it is not form-data";
    let error = MultipartError::Disposition { reason, at: 144 };
    check_error(&body, &[Found::argument("a", "1")], error);
}

#[test]
fn an_early_end_tells_what_there_is() {
    let missing = MultipartError::NoLastBoundary;
    let check = |body: &str, expected: &[Found], error: MultipartError| {
        let outcome = check_error(body, expected, error);
        // As in ModSecurity 2: an error of the body, and no strict one.
        assert!(!outcome.multipart.contains(MultipartFlags::ERROR), "{body}");
    };
    let a = Found::argument("a", "1");
    check(&part("a", "1"), &[Found::argument("a", "1\r\n")], missing);
    let cut = part("a", "1") + &part("b", "2") + "3";
    check(&cut, &[a.clone(), Found::argument("b", "2\r\n3")], missing);
    check("--0000\nContent-Disposition: form", &[], missing);
    let cut = part("a", "1") + "--0000--x";
    check(&cut, &[Found::argument("a", "1\r\n--0000--x")], missing);
    let none = MultipartError::NoBoundary;
    check("--1111\n", &[], none);
    check("x", &[], none);
    check("--0000--", &[], none);
}

#[test]
fn a_cut_body_is_no_error() {
    let whole = (part("a", "1") + &part("b", "2") + "--0000--\n").replace('\n', "\r\n");
    for cut in 0..whole.len() {
        let body = Body::partial(&whole.as_bytes()[..cut]);
        let (found, outcome) = read_with(body, CONTENT_TYPE, &Limits::default());
        assert_eq!(outcome.error, None, "{cut}");
        assert!(!outcome.is_complete, "{cut}");
        let found = without_headers(found);
        if cut > whole.len() - 10 {
            assert_eq!(found.first(), Some(&Found::argument("a", "1")), "{cut}");
        }
    }
}

#[test]
fn a_cut_excuses_nothing_else() {
    let body = Body::partial(b"--0000\r\ncolon\r\n");
    let (_, outcome) = read_with(body, CONTENT_TYPE, &Limits::default());
    let error = MultipartError::NoColon { at: 8 };
    assert_eq!(outcome.error, Some(Error::Multipart(error)));
}

#[test]
fn arguments_and_parts_are_limited() {
    let body = part("a", "1") + &part("b", "2") + "--0000--\n";
    let body = body.replace('\n', "\r\n");
    let body = Body::whole(body.as_bytes());
    let read = |arguments, parts| {
        let limits = Limits {
            arguments,
            parts,
            ..Limits::default()
        };
        let (found, outcome) = read_with(body, CONTENT_TYPE, &limits);
        (without_headers(found), outcome.error)
    };
    assert_eq!(read(2, 2), (a_and_b().to_vec(), None));
    let a = vec![Found::argument("a", "1")];
    let error = Error::TooManyArguments { limit: 1 };
    assert_eq!(read(1, 2), (a.clone(), Some(error)));
    let error = MultipartError::TooManyParts { limit: 1 };
    assert_eq!(read(2, 1), (a, Some(error.into())));
}

/// What CRS's tests of rule 922130 look for in a log.
#[test]
fn the_message_of_a_bad_header_name_begins_as_in_modsecurity() {
    let (_, outcome) = read("--0000\n\x0eX: y\n\n1\n--0000--\n");
    assert_eq!(
        outcome.error.unwrap().to_string(),
        "Multipart parsing error: Multipart: Invalid part header (contains invalid character): \
         byte 0x0e in its name at offset 8, where 0x21 to 0x7e are allowed"
    );
}

/// A part to be written: its name, its file's name, its content.
type Written = (Vec<u8>, Option<Vec<u8>>, Vec<u8>);

fn written() -> impl Strategy<Value = Vec<Written>> {
    // A name holds anything but control bytes of lines.
    let name = || {
        prop::collection::vec(
            any::<u8>().prop_filter("of lines", |byte| !b"\0\r\n".contains(byte)),
            0..9,
        )
    };
    let content = prop::collection::vec(
        prop_oneof![
            Just(b"\r\n".to_vec()),
            Just(b"--".to_vec()),
            Just(b"-".to_vec()),
            Just(b"00".to_vec()),
            prop::collection::vec(any::<u8>(), 0..9),
        ],
        0..6,
    );
    let content = content.prop_map(|pieces| pieces.concat());
    let content = content.prop_filter("holds the boundary", |content| {
        memchr::memmem::find(content, b"0000").is_none()
    });
    prop::collection::vec((name(), prop::option::of(name()), content), 1..6)
}

fn quote(text: &[u8]) -> Vec<u8> {
    let escape = |byte: &u8| match byte {
        b'"' | b'\\' => vec![b'\\', *byte],
        byte => vec![*byte],
    };
    text.iter().flat_map(escape).collect()
}

fn write(parts: &[Written]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, file_name, content) in parts {
        body.extend(b"--0000\r\nContent-Disposition: form-data; name=\"");
        body.extend(quote(name));
        if let Some(file_name) = file_name {
            body.extend(b"\"; filename=\"");
            body.extend(quote(file_name));
        }
        body.extend(b"\"\r\n\r\n");
        body.extend(content);
        body.extend(b"\r\n");
    }
    body.extend(b"--0000--\r\n");
    body
}

proptest! {
    #[test]
    fn what_is_written_is_read(parts in written()) {
        let (found, outcome) =
            read_with(Body::whole(&write(&parts)), CONTENT_TYPE, &Limits::default());
        prop_assert_eq!(outcome.error, None);
        prop_assert!(!outcome.multipart.is_strict_error(), "{:?}", outcome.multipart);
        let expected: Vec<Found> = parts
            .iter()
            .map(|(name, file_name, content)| match file_name {
                None => Found::argument(name, content),
                Some(file_name) => Found::File {
                    field: shown(name),
                    name: Some(shown(file_name)),
                    extended_name: None,
                    content: shown(content),
                },
            })
            .collect();
        prop_assert_eq!(without_headers(found), expected);
    }

    #[test]
    fn a_cut_body_tells_the_beginning_of_what_the_whole_tells(
        parts in written(),
        cut in any::<prop::sample::Index>(),
    ) {
        let body = write(&parts);
        let (whole, _) = read_with(Body::whole(&body), CONTENT_TYPE, &Limits::default());
        let body = Body::partial(&body[..cut.index(body.len())]);
        let (found, outcome) = read_with(body, CONTENT_TYPE, &Limits::default());
        prop_assert_eq!(outcome.error, None);
        let (found, whole) = (without_headers(found), without_headers(whole));
        let sure = found.len().saturating_sub(1);
        prop_assert_eq!(found.get(..sure), whole.get(..sure));
    }

    #[test]
    fn nothing_panics(
        pieces in prop::collection::vec(
            prop_oneof![
                Just(b"--0000\r\n".to_vec()), Just(b"--0000".to_vec()), Just(b"--".to_vec()),
                Just(b"\r\n".to_vec()), Just(b"\n".to_vec()), Just(b" ".to_vec()), Just(b"X: y\r\n".to_vec()),
                Just(b"Content-Disposition: form-data; name=\"a\"".to_vec()),
                Just(b"; filename=b".to_vec()), Just(b"; filename*=utf-8''".to_vec()),
                prop::collection::vec(any::<u8>(), 0..5),
            ],
            0..16,
        ),
        is_partial: bool,
    ) {
        let bytes = pieces.concat();
        let body = Body { bytes: &bytes, is_partial };
        read_with(body, CONTENT_TYPE, &Limits::default());
        // Whatever is a body may be a boundary's value too.
        parse(body, &bytes, &Limits::default(), &mut Scratch::new(), &mut TestSink::default());
    }
}
