use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits {
    entries_max: 100,
    wide_ranges: false,
};

fn csv(column: Column) -> Format {
    let separator = b',';
    Format::Csv(CsvFormat { column, separator })
}

fn json(key: Option<&str>) -> Format {
    let key = key.map(Into::into);
    Format::Json { key }
}

fn json_lines(key: Option<&str>) -> Format {
    let key = key.map(Into::into);
    Format::JsonLines { key }
}

#[track_caller]
fn check(format: &Format, input: &str, expected: &[&str], bad: u64) {
    let list = parse(format, input.as_bytes(), LIMITS).unwrap();
    let got: Vec<String> = list.ranges.iter().map(ToString::to_string).collect();
    assert_eq!(got, expected, "{input}");
    assert_eq!(list.bad.count, bad, "{input}: {:?}", list.bad.samples);
}

#[track_caller]
fn check_refused(format: &Format, input: &str, expected: &str) {
    let error = parse(format, input.as_bytes(), LIMITS).unwrap_err();
    assert_eq!(error.to_string(), expected, "{input}");
}

#[test]
fn text_has_an_address_or_range_a_line() {
    let list = "\u{feff}# a list\r\n; another\r\n// third\r\n\r\n192.0.2.1\r\n  10.1.2.3/16 # why\r\n2001:DB8::/32;x\r\n198.51.100.7\tSBL1\n192.0.2.1 again\n::ffff:203.0.113.9 // mapped";
    let expected = [
        "10.1.0.0/16",
        "192.0.2.1",
        "198.51.100.7",
        "203.0.113.9",
        "2001:db8::/32",
    ];
    check(&Format::Text, list, &expected, 0);
    check(&Format::Text, "", &[], 0);
    check(&Format::Text, "# nothing yet\n", &[], 0);
}

#[test]
fn a_bad_line_is_left_out_and_many_are_another_list() {
    let good = (1..=19)
        .map(|n| format!("192.0.2.{n}\n"))
        .collect::<String>();
    let list = parse(
        &Format::Text,
        format!("x\n{good}\n0.0.0.0/0").as_bytes(),
        LIMITS,
    )
    .unwrap();
    assert_eq!((list.ranges.len(), list.bad.count), (19, 2));
    let samples: Vec<_> = list.bad.samples.iter().map(ToString::to_string).collect();
    assert_eq!(
        samples,
        [
            "entry 1: \"x\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1",
            "entry 22: 0.0.0.0/0 is wider than /8; `wide_ranges: true` would believe it",
        ]
    );
    let page = "<!DOCTYPE html>\n<html><body>\n<h1>Sign in</h1>\n192.0.2.1\n</body></html>";
    check_refused(
        &Format::Text,
        page,
        "4 of its 5 entries can't be read, so it is not the list that was asked for; entry 1: \"<!DOCTYPE\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1",
    );
    check_refused(
        &Format::Text,
        &good.repeat(6),
        "it has more than 100 entries; `entries_max` says how many it may have",
    );
}

#[test]
fn absurdly_wide_ranges_are_believed_only_where_told() {
    let wide = b"0.0.0.0/0\n10.0.0.0/7\n2000::/3\n::/0";
    let limits = Limits {
        wide_ranges: true,
        ..LIMITS
    };
    let list = parse(&Format::Text, wide, limits).unwrap();
    assert_eq!(list.ranges.len(), 4);
    assert!(parse(&Format::Text, wide, LIMITS).is_err());
    check(
        &Format::Text,
        "10.0.0.0/8\n2a00::/16",
        &["10.0.0.0/8", "2a00::/16"],
        0,
    );
}

#[test]
fn ipset_save_is_read() {
    let list = "create bad hash:net family inet hashsize 1024 maxelem 65536\nadd bad 192.0.2.0/24\nadd bad 198.51.100.1 timeout 300 comment \"x\"\nadd other 2001:db8::1\n";
    let expected = ["192.0.2.0/24", "198.51.100.1", "2001:db8::1"];
    check(&Format::Ipset, list, &expected, 0);
    // An exception is nobody to ban.
    check_refused(
        &Format::Ipset,
        "add bad 192.0.2.0/24\nadd bad 192.0.2.1 nomatch",
        "1 of its 2 entries can't be read, so it is not the list that was asked for; entry 2: `nomatch` is not supported",
    );
    // What publishers of lists call `.ipset`.
    let list = "# bi_ftp_2_7d\n192.0.2.1\n198.51.100.0/24 # x\n";
    check(&Format::Ipset, list, &["192.0.2.1", "198.51.100.0/24"], 0);
    assert!(parse(&Format::Ipset, b"rename a b", LIMITS).is_err());
    assert!(parse(&Format::Ipset, b"add x 192.0.2.1,tcp:80", LIMITS).is_err());
}

#[test]
fn csv_has_columns_by_number_or_name() {
    let list = "# comment\n\"first_seen\",\"dst_ip\",\"note\"\n2026-01-01,192.0.2.1,\"a, b\"\n\"2026-01-01, noon\", \"198.51.100.7\" ,\"say \"\"hi\"\"\"\n";
    let expected = ["192.0.2.1", "198.51.100.7"];
    check(&csv(Column::Number(2)), list, &expected, 0);
    check(&csv(Column::Name("DST_IP".into())), list, &expected, 0);
    check(
        &csv(Column::Number(1)),
        "192.0.2.1,x\n192.0.2.2",
        &["192.0.2.1", "192.0.2.2"],
        0,
    );
    let separator = b';';
    let column = Column::Number(2);
    let format = Format::Csv(CsvFormat { column, separator });
    check(&format, "a;192.0.2.1", &["192.0.2.1"], 0);
    check_refused(
        &csv(Column::Name("ip".into())),
        list,
        "its first line names no column ip",
    );
    assert!(parse(&csv(Column::Number(9)), list.as_bytes(), LIMITS).is_err());
    // Quotes that nobody closed hide nothing.
    assert!(parse(&csv(Column::Number(1)), b"192.0.2.1\n\"192.0.2.2\n", LIMITS).is_err());
}

#[test]
fn json_is_an_array_of_texts_or_objects() {
    let texts = r#"["192.0.2.1", "198.51.100.0\/24"]"#;
    check(&json(None), texts, &["192.0.2.1", "198.51.100.0/24"], 0);
    let objects = r#"[{"x":[{"ip":"10.0.0.1"}],"ip":"192.0.2.1"},{"ip":"192.0.2.2","n":{"a":1}}]"#;
    check(&json(Some("ip")), objects, &["192.0.2.1", "192.0.2.2"], 0);
    check(&json(None), "[]", &[], 0);
    check_refused(
        &json(None),
        r#"["192.0.2.1", 7]"#,
        "1 of its 2 entries can't be read, so it is not the list that was asked for; entry 2: neither a text nor an object",
    );
    check_refused(
        &json(None),
        "{\"error\": \"quota\"}",
        "it is no JSON array: line 1, column 0: invalid type: map, expected an array",
    );
    for bad in ["", "[", "[\"192.0.2.1\"", "[\"192.0.2.1\"]x", "<html>"] {
        assert!(parse(&json(None), bad.as_bytes(), LIMITS).is_err(), "{bad}");
    }
    let many = format!("[{}\"192.0.2.1\"]", "\"192.0.2.1\",".repeat(100));
    let error = parse(&json(None), many.as_bytes(), LIMITS).unwrap_err();
    assert_eq!(error, ListError::TooMany { max: 100 });
}

#[test]
fn json_lines_have_a_text_or_object_each() {
    let objects = (0..15)
        .map(|n| format!("{{\"cidr\":\"192.0.2.{n}/32\",\"rir\":\"apnic\"}}\n"))
        .collect::<String>();
    let list = format!("{objects}{{\"type\":\"metadata\"}}\n");
    let got = parse(&json_lines(Some("cidr")), list.as_bytes(), LIMITS).unwrap();
    assert_eq!((got.ranges.len(), got.bad.count), (15, 1));
    check(
        &json_lines(None),
        "\"192.0.2.1\"\n\n\"::1\"\n",
        &["192.0.2.1", "::1"],
        0,
    );
    assert!(parse(&json_lines(None), b"[\"192.0.2.1\"]\n", LIMITS).is_err());
    let deep = "[".repeat(100_000);
    assert!(parse(&json_lines(None), deep.as_bytes(), LIMITS).is_err());
    assert!(parse(&json(None), deep.as_bytes(), LIMITS).is_err());
}

fn formats() -> [Format; 8] {
    [
        Format::Text,
        Format::Ipset,
        csv(Column::Number(1)),
        csv(Column::Name("ip".into())),
        json(None),
        json(Some("ip")),
        json_lines(None),
        json_lines(Some("ip")),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>, text in "[-0-9a-f.:/,;#\"{}\\[\\]ip \n]{0,200}") {
        for format in formats() {
            for input in [&bytes[..], text.as_bytes()] {
                if let Ok(list) = parse(&format, input, LIMITS) {
                    prop_assert!(list.ranges.len() <= LIMITS.entries_max);
                    prop_assert!(list.ranges.is_sorted());
                }
            }
        }
    }

    #[test]
    fn every_format_brings_the_same_ranges(addresses in prop::collection::vec(any::<u32>(), 1..50)) {
        let ranges: Vec<String> = addresses
            .iter()
            .map(|bits| std::net::Ipv4Addr::from(*bits).to_string())
            .collect();
        let joined = |line: &dyn Fn(&String) -> String, between: &str| {
            ranges.iter().map(line).collect::<Vec<_>>().join(between)
        };
        let object = |ip: &String| format!("{{\"n\":1,\"ip\":\"{ip}\"}}");
        let written = [
            joined(&|ip| format!("{ip} # x"), "\n"),
            joined(&|ip| format!("add x {ip}"), "\n"),
            joined(&|ip| format!("{ip},x"), "\n"),
            format!("n,ip\n{}", joined(&|ip| format!("\"a,b\",\"{ip}\""), "\r\n")),
            format!("[{}]", joined(&|ip| format!("\"{ip}\""), ",")),
            format!("[{}]", joined(&object, ",")),
            joined(&|ip| format!("\"{ip}\""), "\n"),
            joined(&object, "\n"),
        ];
        let expected = parse(&formats()[0], written[0].as_bytes(), LIMITS).unwrap();
        prop_assert_eq!(expected.bad.count, 0);
        for (format, text) in formats().iter().zip(&written) {
            prop_assert_eq!(&parse(format, text.as_bytes(), LIMITS).unwrap(), &expected, "{:?}", format);
        }
    }
}
