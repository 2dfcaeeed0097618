//! What a rule can do with a request, besides 403.

use super::Gate;
use crate::harness::{Http2, Outcome};

const RULES: &str = r#"SecRuleEngine On
SecRule ARGS:q "@streq deny" "id:1,phase:2,deny,log,status:406"
SecRule ARGS:q "@streq redirect" "id:2,phase:2,redirect:https://elsewhere.example/a?b=c,log"
SecRule ARGS:q "@streq see-other" "id:3,phase:2,redirect:/sorry,status:303,log"
SecRule ARGS:q "@streq drop" "id:4,phase:1,drop,log"
SecRule ARGS:q "@streq block" "id:5,phase:2,block,log"
SecRule ARGS:q "@streq pass" "id:6,phase:2,pass,log"
SecRule ARGS:q "@streq allow" "id:7,phase:1,allow,log"
SecRule ARGS:q "@rx ^(allow|last)$" "id:8,phase:2,deny,status:418,log"
"#;

#[test]
fn each_action_does_what_it_says() {
    let gate = Gate::with(RULES);
    let asked = |q: &str| {
        let request = format!("GET /?q={q} HTTP/1.1\r\nHost: a\r\n\r\n");
        gate.palisade.exchange(request)
    };
    let location = |q: &str| {
        let answer = asked(q).expect("an answer");
        (answer.status, answer.header("location").map(str::to_owned))
    };
    assert_eq!(location("deny"), (406, None));
    let elsewhere = Some("https://elsewhere.example/a?b=c".to_owned());
    assert_eq!(location("redirect"), (302, elsewhere));
    assert_eq!(location("see-other"), (303, Some("/sorry".to_owned())));
    assert!(asked("drop").is_none());
    assert_eq!(location("last"), (418, None));
    gate.backend_saw_nothing();
    for q in ["block", "pass", "allow"] {
        assert_eq!(location(q), (200, None), "{q}");
    }
    for (rule, outcome) in [(1, "refused"), (4, "refused"), (6, "passed"), (7, "passed")] {
        let line = gate.wait_for_audit(|line| super::ids(line) == [rule]);
        assert_eq!(line["outcome"], outcome, "{line}");
    }
}

#[test]
fn a_request_over_http2_is_dropped_alone() {
    let gate = Gate::with(RULES);
    let mut client = Http2::over(gate.palisade.connect());
    let head = |path| {
        [
            (":method", "GET"),
            (":scheme", "http"),
            (":authority", "a"),
            (":path", path),
        ]
    };
    client
        .head(1, &head("/?q=drop"), true)
        .head(3, &head("/?q=good"), true);
    assert!(matches!(client.outcome(1), Outcome::Reset(_)));
    assert_eq!(client.outcome(3).status(), Some(200));
}
