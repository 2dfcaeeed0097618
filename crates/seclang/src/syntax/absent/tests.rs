use super::*;
use crate::syntax::settings::setting;

#[test]
fn rows_are_sorted_and_each_is_told_why() {
    for all in [DIRECTIVES, CTL] {
        let names: Vec<String> = all.iter().map(|one| one.name.to_lowercase()).collect();
        assert!(names.is_sorted_by(|one, next| one < next), "{names:?}");
        for absent in all {
            assert!(!absent.why.is_empty(), "{absent:?}");
            let has_instead = !absent.instead.is_empty();
            assert_eq!(has_instead, absent.harmless != Harmless::Any, "{absent:?}");
        }
    }
}

/// A row of a directive that is there would hide it.
#[test]
fn what_is_there_has_no_row() {
    for absent in DIRECTIVES {
        let lower = absent.name.to_lowercase();
        let is_ignored = match setting(lower.as_bytes(), &[b"0"]) {
            Ok(directive) => matches!(directive, Some(crate::syntax::Directive::Ignored { .. })),
            Err((_, message)) => message.contains("can't be had here"),
        };
        assert!(is_ignored, "{absent:?}");
    }
    for name in [
        "SecRule",
        "SecMarker",
        "SecUploadFileLimit",
        "SecCollectionTimeout",
        "SecWebAppId",
    ] {
        assert!(directive(name.as_bytes()).is_none(), "{name}");
    }
    for name in ["auditEngine", "auditLogParts", "parseXmlIntoArgs"] {
        assert!(ctl(name.as_bytes()).is_none(), "{name}");
    }
}

#[test]
fn values_that_change_nothing_and_others() {
    let check = |name: &str, value: &str, expected: Result<(), &str>| {
        let judged = directive(name.as_bytes()).map(|absent| absent.judge(value.as_bytes()));
        let expected = Some(expected.map_err(ToOwned::to_owned));
        assert_eq!(judged, expected, "{name} {value}");
    };
    check("sectmpdir", "/tmp", Ok(()));
    check("SecHashEngine", "OFF", Ok(()));
    check(
        "secHashEngine",
        "On",
        Err(
            "SecHashEngine can't be had here: links and forms are not signed; write Off, and let the application sign what must not be changed",
        ),
    );
    check(
        "SecChrootDir",
        "",
        Err(
            "SecChrootDir can't be had here: a root of its own is for the service manager to give; take it away: the process gives its rights up by `sandbox` of the settings",
        ),
    );
}
