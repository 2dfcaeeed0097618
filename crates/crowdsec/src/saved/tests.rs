use std::fs;
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;

use super::*;

const LAPI: &str = "http://127.0.0.1:8080/";
const SAVED_AT: u64 = 1_800_000_000_000;
const HEADER: &str = r#"{"format":"palisade-decisions","version":1,"source":"http://127.0.0.1:8080/","saved_at_unix_millis":1800000000000}"#;
const ROW: &str = r#"[7,"Ip","192.0.2.7","ban","cscli","by hand",1800000060000]"#;

fn decision(id: u64, value: &str, remedy: &str, scenario: &str) -> Decision {
    Decision {
        id: DecisionId::new(id),
        scope: Scope::parse("Range", value).unwrap(),
        remedy: Remedy::parse(remedy),
        origin: "CAPI".into(),
        scenario: scenario.into(),
        expires: Tick::from_millis(0),
    }
}

fn encoded(decisions: &[(Decision, Duration)]) -> Vec<u8> {
    let mut out = Vec::new();
    encode(decisions, LAPI, SAVED_AT, &mut out).unwrap();
    out
}

/// A process that began `tick` milliseconds ago, `later` milliseconds after the file was saved.
fn now(tick: u64, later: i64) -> Now {
    Now {
        tick: Tick::from_millis(tick),
        unix_millis: SAVED_AT.saturating_add_signed(later),
    }
}

fn file(lines: &[&str]) -> String {
    lines.join("\n") + "\n"
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let got = match decode(text.as_bytes(), LAPI, now(0, 0)) {
        Ok(restored) => format!(
            "{} held, {} ended",
            restored.decisions.len(),
            restored.ended
        ),
        Err(error) => format!("error: {error}"),
    };
    assert_eq!(got, expected, "{text}");
}

#[test]
fn the_format_is_lines_of_json() {
    let minute = Duration::from_secs(60);
    let mut seven = decision(7, "192.0.2.7", "ban", "by hand");
    seven.origin = "cscli".into();
    let written = String::from_utf8(encoded(&[(seven, minute)])).unwrap();
    assert_eq!(written, file(&[HEADER, ROW, r#"{"decisions":1}"#]));
    check(&written, "1 held, 0 ended");
    check(written.trim_end(), "1 held, 0 ended");
    check(&file(&[HEADER, r#"{"decisions":0}"#]), "0 held, 0 ended");
}

#[test]
fn decisions_end_when_they_would_have() {
    let hour = Duration::from_secs(3_600);
    let bytes = encoded(&[(decision(1, "10.0.0.0/8", "ban", "x"), hour)]);
    let ends = |now: Now| {
        let restored = decode(&bytes, LAPI, now).unwrap();
        restored
            .decisions
            .first()
            .map(|decision| decision.expires.as_millis())
    };
    assert_eq!(ends(now(5_000, 0)), Some(3_605_000));
    assert_eq!(ends(now(5_000, 1_000)), Some(3_604_000));
    assert_eq!(ends(now(5_000, 3_599_999)), Some(5_001));
    assert_eq!(ends(now(5_000, 3_600_000)), None);
    // The wall clock was set back: nothing lasts longer for it.
    assert_eq!(ends(now(5_000, -86_400_000)), Some(3_605_000));
    let ended = decode(&bytes, LAPI, now(0, i64::MAX)).unwrap();
    assert_eq!((ended.decisions.len(), ended.ended), (0, 1));
}

#[test]
fn what_was_not_written_is_not_read() {
    let end = r#"{"decisions":1}"#;
    check("", "error: line 1: it is not a file of saved decisions");
    check(
        "hello\n",
        "error: line 1: it is not a file of saved decisions",
    );
    check(
        &HEADER.replace("palisade", "other"),
        "error: line 1: it is not a file of saved decisions",
    );
    let newer = HEADER.replace("\"version\":1", "\"version\":2");
    check(
        &newer,
        "error: line 1: its format has version 2; expected 1",
    );
    let other = HEADER.replace("127.0.0.1", "192.0.2.1");
    let expected = "its decisions are those of http://192.0.2.1:8080/; expected those of http://127.0.0.1:8080/";
    check(&other, &format!("error: line 1: {expected}"));
    check(HEADER, "error: line 1: the last line is missing");
    check(&file(&[HEADER, ROW]), "error: line 3: not a decision");
    check(
        &file(&[HEADER, end]),
        "error: line 2: 1 decisions were written, 0 are there",
    );
    check(
        &file(&[HEADER, ROW, end, ROW]),
        "error: line 3: lines follow the last one",
    );
    check(
        &file(&[HEADER, "[7,8]", end]),
        "error: line 2: not a decision",
    );
    check(
        &file(&[HEADER, &ROW.replace("192.0.2.7", "192.0.2"), end]),
        "error: line 2: \"192.0.2\" is not an IP address; expected one like 192.0.2.1 or 2001:db8::1",
    );
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(
        id: u64, v4: u32, prefix in 0_u8..=32, remedy in "\\PC{0,22}", scenario in "\\PC{0,40}", millis in 1_u64..u64::from(u32::MAX),
    ) {
        let value = format!("{}/{prefix}", std::net::Ipv4Addr::from(v4));
        let saved = decision(id, &value, &remedy, &scenario);
        let bytes = encoded(&[(saved.clone(), Duration::from_millis(millis))]);
        let restored = decode(&bytes, LAPI, now(1_000, 0)).unwrap();
        let expected = Decision { expires: Tick::from_millis(1_000 + millis), ..saved };
        prop_assert_eq!(restored.decisions, [expected]);
    }

    #[test]
    fn a_cut_file_is_an_error(cut in any::<prop::sample::Index>()) {
        let minute = Duration::from_secs(60);
        let bytes = encoded(&[(decision(1, "192.0.2.1", "ban", "x"), minute), (decision(2, "192.0.2.2", "ban", "y"), minute)]);
        // Without its last line break the file is whole still.
        let cut = cut.index(bytes.len() - 1);
        prop_assert!(decode(&bytes[..cut], LAPI, now(0, 0)).is_err());
    }

    #[test]
    fn any_bytes_never_panic(tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&tail, LAPI, now(0, 0));
        let _ = decode(&[HEADER.as_bytes(), b"\n", &tail].concat(), LAPI, now(0, 0));
    }
}

#[test]
fn a_file_is_private_and_replaced_whole() {
    let directory = tempfile::tempdir().unwrap();
    let file = SavedFile::of_lapi(directory.path(), LAPI);
    let now = Tick::from_millis(1_000);
    assert_eq!(file.load(now).unwrap(), None);
    let hour = Duration::from_secs(3_600);
    for id in [1, 2] {
        file.save(&[(decision(id, "192.0.2.1", "ban", "x"), hour)])
            .unwrap();
        let restored = file.load(now).unwrap().unwrap();
        assert_eq!(restored.decisions[0].id, DecisionId::new(id));
    }
    let names: Vec<_> = fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["crowdsec-decisions.jsonl"]);
    let mode = fs::metadata(file.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_cannot_be_used_is_put_aside() {
    let directory = tempfile::tempdir().unwrap();
    let file = SavedFile::of_lapi(directory.path(), LAPI);
    fs::write(file.path(), "someone else's").unwrap();
    assert_eq!(file.load(Tick::from_millis(0)), Err(SavedError::Foreign));
    assert_eq!(file.load(Tick::from_millis(0)), Ok(None));
    let aside = directory.path().join("crowdsec-decisions.jsonl.rejected");
    assert_eq!(fs::read_to_string(aside).unwrap(), "someone else's");
}

#[test]
fn a_full_or_missing_disk_is_an_error_and_leaves_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let file = SavedFile::of_lapi(&directory.path().join("missing"), LAPI);
    assert!(matches!(file.save(&[]), Err(SavedError::Io(_))));
    let in_the_way = SavedFile::of_lapi(directory.path(), LAPI);
    fs::create_dir(in_the_way.path()).unwrap();
    assert!(matches!(in_the_way.save(&[]), Err(SavedError::Io(_))));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    assert!(matches!(
        in_the_way.load(Tick::from_millis(0)),
        Err(SavedError::Io(_))
    ));
}
