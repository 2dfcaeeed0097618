//! Each kind on one line of YAML: what is read, or the problem with its place.

use std::fmt::Debug;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use palisade_vocabulary::ByteSize;
use palisade_waf::Share;
use proptest::prelude::*;

use super::quantity::{show_duration, show_percent};
use super::*;
use crate::files::{FileContent, Memory};

fn environment(name: &str) -> Option<String> {
    (name == "PORT").then(|| "8080".to_owned())
}

/// What `kind` makes of `yaml`, or the problems.
fn read<K: Kind>(kind: &K, yaml: &str) -> String
where
    K::Value: Debug,
{
    let files = Memory::default();
    let context = Context::new(&files, &environment);
    let file: Arc<Path> = Arc::from(Path::new("etc/f"));
    let value = context
        .parse_yaml(
            &file,
            &FileContent {
                bytes: yaml.into(),
                ..FileContent::default()
            },
        )
        .and_then(|node| kind.read(&node, &context));
    let (problems, _) = context.finish();
    match value {
        Some(value) => format!("{value:?}{problems}"),
        None => problems
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join("\n"),
    }
}

#[track_caller]
fn check<K: Kind>(kind: &K, yaml: &str, expected: &str)
where
    K::Value: Debug,
{
    assert_eq!(read(kind, yaml), expected, "{yaml}");
}

#[test]
fn flags() {
    check(&Flag, "true", "true");
    check(&Flag, "\"false\"", "false");
    check(
        &Flag,
        "yes",
        "etc/f:1:1: error: \"yes\"; expected true or false",
    );
    check(
        &Flag,
        "[true]",
        "etc/f:1:1: error: got a list; expected true or false",
    );
    check(
        &Flag,
        "",
        "etc/f:1:1: error: got nothing; expected true or false",
    );
}

#[test]
fn integers() {
    let kind = Integer {
        min: 1_u16,
        max: 9000,
    };
    check(&kind, "9000", "9000");
    check(&kind, "${PORT}", "8080");
    check(
        &kind,
        "${PORT-1}0",
        "etc/f:1:1: error: \"80800\" is out of bounds; expected a number from 1 to 9000",
    );
    check(
        &kind,
        "0",
        "etc/f:1:1: error: \"0\" is out of bounds; expected a number from 1 to 9000",
    );
    check(
        &kind,
        "99999999999999999999",
        "etc/f:1:1: error: \"99999999999999999999\" is out of bounds; expected a number from 1 to 9000",
    );
    for bad in ["+1", "-1", "1.0", "0x10", "1_000", "\"\"", "1 0"] {
        assert!(read(&kind, bad).contains("is not a number"), "{bad}");
    }
}

#[test]
fn durations() {
    let kind = DurationIn {
        min: Duration::from_millis(10),
        max: Duration::from_secs(7 * 86_400),
    };
    check(&kind, "500ms", "500ms");
    check(&kind, "10s", "10s");
    check(&kind, "2m", "120s");
    check(&kind, "1h", "3600s");
    check(&kind, "7d", "604800s");
    check(
        &kind,
        "8d",
        "etc/f:1:1: error: \"8d\" is out of bounds; expected a duration like 10s, from 10ms to 7d",
    );
    check(
        &kind,
        "10",
        "etc/f:1:1: error: \"10\" has no unit; expected one of ms, s, m, h, d, as in 10s",
    );
    for bad in [
        "s",
        "1.5s",
        "-1s",
        "10 s",
        "10S",
        "1m30s",
        "99999999999999999999s",
        "18446744073709551615d",
    ] {
        assert!(read(&kind, bad).contains("is not a duration"), "{bad}");
    }
    assert_eq!(show_duration(Duration::ZERO), "0ms");
    assert_eq!(show_duration(Duration::from_secs(90)), "90s");
}

#[test]
fn sizes() {
    let kind = SizeIn {
        min: ByteSize::bytes(1),
        max: ByteSize::mib(4096),
    };
    let size = |bytes: u64| format!("{:?}", ByteSize::bytes(bytes));
    check(&kind, "512B", &size(512));
    check(&kind, "32KiB", &size(32 << 10));
    check(&kind, "4GiB", &size(4 << 30));
    check(
        &kind,
        "0B",
        "etc/f:1:1: error: \"0B\" is out of bounds; expected a size like 32KiB, from 1B to 4GiB",
    );
    check(
        &kind,
        "10",
        "etc/f:1:1: error: \"10\" has no unit; expected one of B, KiB, MiB, GiB, as in 10B",
    );
    check(
        &kind,
        "10MB",
        "etc/f:1:1: error: \"10MB\" is not a size; expected a number and one of B, KiB, MiB, GiB, like 32KiB",
    );
}

#[test]
fn choices_know_typos_and_later_words() {
    let kind = Choice {
        words: &[("block", 1), ("detect", 2)],
        later: &["challenge"],
    };
    check(&kind, "detect", "2");
    check(
        &kind,
        "detct",
        "etc/f:1:1: error: \"detct\" is not known here; did you mean \"detect\"?",
    );
    check(
        &kind,
        "banana",
        "etc/f:1:1: error: \"banana\" is not known here; expected block, detect",
    );
    check(
        &kind,
        "challenge",
        "etc/f:1:1: error: \"challenge\": this version can't do it yet; expected block, detect",
    );
}

#[test]
fn addresses() {
    check(
        &Range,
        "10.1.2.3/8",
        "Cidr { network: Ip(10.0.0.0), prefix_len: 8 }",
    );
    check(
        &Range,
        "10.0.0.0/33",
        "etc/f:1:1: error: prefix length 33 is too long; at most 32 here",
    );
    check(&Socket, "\"[::]:8000\"", "[::]:8000");
    check(
        &Socket,
        "8000",
        "etc/f:1:1: error: \"8000\" is not an address with a port; expected one like 0.0.0.0:8000 or [::]:8000",
    );
}

#[test]
fn words_of_http() {
    check(&Status { min: 400, max: 599 }, "404", "404");
    check(
        &Status { min: 400, max: 599 },
        "200",
        "etc/f:1:1: error: \"200\" is not a status that can be given here; expected a number from 400 to 599",
    );
    check(&HeaderFieldName, "X-Real-IP", "\"x-real-ip\"");
    check(
        &HeaderFieldName,
        "X Real",
        "etc/f:1:1: error: \"X Real\" is not the name of a header; expected one like X-Forwarded-For",
    );
    check(&HeaderFieldValue, "max-age=1; x", "\"max-age=1; x\"");
    assert!(read(&HeaderFieldValue, "\"a\\r\\nb: c\"").contains("can't be sent as a header"));
}

#[test]
fn paths_start_at_the_folder_of_their_file() {
    let kind = FilePath { what: "a file" };
    check(&kind, "lists/a.txt", "\"etc/lists/a.txt\"");
    check(&kind, "../rules/./a.yaml", "\"rules/a.yaml\"");
    check(&kind, "../../a", "\"../a\"");
    check(&kind, "/var/../a", "\"/a\"");
    check(&LogPath, "\"-\"", "None");
    check(&LogPath, "a.log", "Some(\"etc/a.log\")");
    assert!(read(&kind, "\"\"").contains("is not a path"));
}

#[test]
fn every_item_of_a_list_is_read() {
    let kind = ListOf {
        of: Flag,
        min: 1,
        max: 3,
    };
    check(&kind, "[true, false]", "[true, false]");
    check(
        &kind,
        "[x, true, [y]]",
        "etc/f:1:2: error: \"x\"; expected true or false\netc/f:1:11: error: got a list; expected true or false",
    );
    check(
        &kind,
        "[]",
        "etc/f:1:1: error: 0 values; expected 1 to 3: true or false",
    );
    check(
        &kind,
        "true",
        "etc/f:1:1: error: got a single value; expected a list, not empty, of: true or false",
    );
    check(
        &ListOf {
            of: Flag,
            min: 0,
            max: 3,
        },
        "",
        "etc/f:1:1: error: got nothing; expected a list of: true or false; write [] for none",
    );
    check(&OneOrList { of: Flag, max: 2 }, "true", "[true]");
    check(
        &OneOrList { of: Flag, max: 2 },
        "[true, false]",
        "[true, false]",
    );
    check(
        &OneOrList { of: Flag, max: 2 },
        "[true, true, true]",
        "etc/f:1:1: error: 3 values; expected 1 to 2: true or false",
    );
    let named = Named { of: Flag, max: 2 };
    assert!(read(&named, "{a b: true, c: x}").contains("\"a b\" is not a name"));
    assert!(read(&named, "{a b: true, c: x}").contains("etc/f:1:16: error: \"x\""));
}

struct Point {
    x: u8,
    label: Option<String>,
    wait: Duration,
}

static X: Key<Integer<u8>, Required> = Key {
    name: "x",
    kind: Integer { min: 0, max: 9 },
    presence: Required,
    about: "",
};
static LABEL: Key<Text, Optional> = Key {
    name: "label",
    kind: Text {
        what: "a text",
        len_max: 8,
    },
    presence: Optional,
    about: "",
};
static WAIT: Key<DurationIn, Defaulted> = Key {
    name: "wait",
    kind: DurationIn {
        min: Duration::ZERO,
        max: Duration::from_secs(60),
    },
    presence: Defaulted("10s"),
    about: "",
};
static POINT: TableInfo = TableInfo {
    name: "point",
    about: "",
    keys: &[&X, &LABEL, &WAIT],
    later: &[Later {
        key: "z",
        what: "depth",
    }],
};

fn point() -> Table<String> {
    Table {
        info: &POINT,
        lower: |fields| {
            let (x, label, wait) = (fields.get(&X), fields.get(&LABEL), fields.get(&WAIT));
            let point = Point {
                x: x?,
                label: label?,
                wait: wait?,
            };
            Some(format!("{} {:?} {:?}", point.x, point.label, point.wait))
        },
    }
}

#[test]
fn tables_know_their_keys() {
    check(&point(), "{x: 1}", "\"1 None 10s\"");
    check(
        &point(),
        "{x: 1, label: a, wait: 1s}",
        "\"1 Some(\\\"a\\\") 1s\"",
    );
    check(
        &point(),
        "{x: 1, lable: a}",
        "etc/f:1:8: error: unknown key \"lable\"; did you mean \"label\"?",
    );
    check(
        &point(),
        "{x: 1, banana: a}",
        "etc/f:1:8: error: unknown key \"banana\"; expected x, label, wait",
    );
    check(
        &point(),
        "{x: 1, z: 5}",
        "etc/f:1:8: error: `z` (depth): this version can't do it yet; remove it",
    );
    check(
        &point(),
        "{wait: 1s}",
        "etc/f:1:1: error: `x` is missing here; expected a number from 0 to 9",
    );
    check(
        &point(),
        "{x: 10, wait: 1}",
        "etc/f:1:5: error: \"10\" is out of bounds; expected a number from 0 to 9\netc/f:1:15: error: \"1\" has no unit; expected one of ms, s, m, h, d, as in 1s",
    );
    check(
        &point(),
        "[x]",
        "etc/f:1:1: error: got a list; expected a mapping with x, label, wait",
    );
}

#[test]
fn patterns_name_files_of_one_folder() {
    let files = Memory::default()
        .with("d/b.yaml", "")
        .with("d/a.yaml", "")
        .with("d/c.txt", "")
        .with("d/.a.yaml", "");
    let find = |pattern: &str| {
        let context = Context::new(&files, &environment);
        let location = crate::Location::new(Arc::from(Path::new("f")), 1, 1);
        let found = context.matching_files(Path::new(pattern), &location);
        let (problems, _) = context.finish();
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        (found.unwrap_or_default(), problems.join("\n"))
    };
    assert_eq!(
        find("d/*.yaml").0,
        [Path::new("d/a.yaml"), Path::new("d/b.yaml")]
    );
    assert_eq!(find("x/none").0, [Path::new("x/none")]);
    assert_eq!(
        find("d/*.conf"),
        (
            vec![],
            "f:1:1: warning: no file matches d/*.conf".to_owned()
        )
    );
    assert!(
        find("x/*.yaml")
            .1
            .contains("f:1:1: error: x: there is no such file")
    );
    assert!(find("d/[.yaml").1.contains("is not a pattern"));
}

#[test]
fn percentages() {
    let share = |millionths| Share::from_millionths(millionths).unwrap();
    let kind = Percent {
        min: share(1_000),
        max: Share::ALL,
    };
    let shown = |millionths| format!("{:?}", share(millionths));
    check(&kind, "10%", &shown(100_000));
    check(&kind, "0.1%", &shown(1_000));
    check(&kind, "12.3456%", &shown(123_456));
    check(&kind, "100.0%", &shown(1_000_000));
    check(
        &kind,
        "0.0999%",
        "etc/f:1:1: error: \"0.0999%\" is out of bounds; expected a percentage like 10%, from 0.1% to 100%",
    );
    for text in [
        "10",
        "101%",
        "%",
        "1.%",
        ".5%",
        "1.23456%",
        "-1%",
        "99999999999%",
        "1,5%",
    ] {
        check(
            &kind,
            &format!("\"{text}\""),
            &format!(
                "etc/f:1:1: error: \"{text}\" is no percentage; expected a number with % and up to 4 digits behind the point, like 10% or 0.5%"
            ),
        );
    }
}

proptest! {
    #[test]
    fn amounts_never_panic_and_durations_round_trip(text in "[0-9]{0,25}[a-zA-Z]{0,4}|.{0,20}", millis in 0_u64..100_000_000_000) {
        let durations = DurationIn { min: Duration::ZERO, max: Duration::MAX };
        let _ = durations.parse(&text);
        let _ = SizeIn { min: ByteSize::bytes(0), max: ByteSize::bytes(u64::MAX) }.parse(&text);
        let _ = Integer { min: 0_u64, max: u64::MAX }.parse(&text);
        let percent = Percent { min: Share::NONE, max: Share::ALL };
        let _ = percent.parse(&text);
        let share = Share::from_millionths(u32::try_from(millis % 1_000_001).unwrap()).unwrap();
        prop_assert_eq!(percent.parse(&show_percent(share)).unwrap(), share);
        let duration = Duration::from_millis(millis);
        prop_assert_eq!(durations.parse(&show_duration(duration)).unwrap(), duration);
    }
}
