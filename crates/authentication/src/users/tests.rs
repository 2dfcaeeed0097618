use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// `myPassword`
const BCRYPT: &str = "$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC";

fn verify(users: &Users, user: &str, password: &str) -> Option<Arc<str>> {
    users.verify(&Credentials::new(user, password.as_bytes()).unwrap())
}

/// What is wrong with a file, a line each.
#[track_caller]
fn check(file: impl AsRef<[u8]>, expected: &[(u32, &str)]) {
    let bad_lines = Users::parse(file.as_ref()).err().unwrap_or_default();
    assert_eq!(bad_lines.len(), expected.len(), "{bad_lines:?}");
    for (bad, (number, message)) in bad_lines.iter().zip(expected) {
        let error = bad.error.to_string();
        assert_eq!(bad.number, *number, "{error}");
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn a_user_has_a_line() {
    let file = format!("# people\n\nalice:{BCRYPT}\r\n  \nbob smith:{BCRYPT}  ");
    let users = Users::parse(file.as_bytes()).unwrap();
    assert_eq!(users.len(), 2);
    assert_eq!(
        verify(&users, "alice", "myPassword").as_deref(),
        Some("alice")
    );
    assert_eq!(
        verify(&users, "bob smith", "myPassword").as_deref(),
        Some("bob smith")
    );
    assert_eq!(verify(&users, "alice", "mypassword"), None);
    assert_eq!(verify(&users, "Alice", "myPassword"), None);
    assert_eq!(verify(&users, "mallory", "myPassword"), None);
}

#[test]
fn every_bad_line_is_told() {
    let file =
        format!("alice\n:{BCRYPT}\nbob:secret-word\nalice:{BCRYPT}\nalice:{BCRYPT}\n\u{1}:x\n");
    let expected = [
        (1, "expected a line user:hash"),
        (2, "expected a user's name"),
        (3, "htpasswd -B"),
        (5, "at line 4 already"),
        (6, "expected a user's name"),
    ];
    check(&file, &expected);
    let shown = format!("{:?}", Users::parse(file.as_bytes()).unwrap_err());
    assert!(!shown.contains("secret-word"), "{shown}");
    check("", &[(1, "no user")]);
    check("# nobody\n", &[(1, "no user")]);
    check(b"\xff:x", &[(1, "expected a user's name")]);
}

#[test]
fn files_are_bounded() {
    let lines = |count: usize| {
        let lines = (0..count).map(|number| format!("u{number}:{BCRYPT}\n"));
        lines.collect::<String>()
    };
    check(lines(Users::USERS_MAX), &[]);
    check(
        lines(Users::USERS_MAX + 1),
        &[(10_001, "more than 10000 users")],
    );
    let bad_lines = Users::parse("bad\n".repeat(1_000).as_bytes()).unwrap_err();
    assert_eq!(bad_lines.len(), Users::BAD_LINES_MAX);
}

#[test]
fn hashes_are_never_shown() {
    let users = Users::parse(format!("alice:{BCRYPT}").as_bytes()).unwrap();
    assert_eq!(format!("{users:?}"), "Users { len: 1, .. }");
}

/// The fastest of some verifications, which noise only makes slower.
fn fastest(users: &Users, user: &str) -> Duration {
    let times = (0..5).map(|_| {
        let begun = Instant::now();
        assert_eq!(verify(users, user, "wrong"), None);
        begun.elapsed()
    });
    times.min().unwrap()
}

#[test]
fn an_unknown_user_costs_what_a_known_one_does() {
    let slow = bcrypt::hash("x", 8).unwrap();
    let users = Users::parse(format!("alice:{slow}").as_bytes()).unwrap();
    // On a busy machine they may differ for a while, but not always.
    let are_alike = (0..10).any(|_| {
        let (known, unknown) = (fastest(&users, "alice"), fastest(&users, "mallory"));
        unknown > known / 2 && known > unknown / 2
    });
    assert!(are_alike);
}

proptest! {
    #[test]
    fn any_bytes_are_users_or_bad_lines(file in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Err(bad_lines) = Users::parse(&file) {
            prop_assert!(!bad_lines.is_empty() && bad_lines.len() <= Users::BAD_LINES_MAX);
        }
    }

    #[test]
    fn any_names_are_found(names in proptest::collection::hash_set("[^:\\p{Cc}]{1,40}", 1..8)) {
        let names: Vec<String> = names.into_iter().filter(|name| !name.starts_with('#')).collect();
        let lines: String = names.iter().map(|name| format!("{name}:{BCRYPT}\n")).collect();
        let Ok(users) = Users::parse(lines.as_bytes()) else {
            return Err(TestCaseError::reject("a name of spaces alone makes an empty line, or none is left"));
        };
        for name in &names {
            prop_assert_eq!(users.name(name).map(|name| &**name), Some(&**name));
        }
    }
}
