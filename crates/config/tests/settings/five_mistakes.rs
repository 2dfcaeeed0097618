//! One file with five different mistakes: five errors, each at its place, at once.

use palisade_config::files::Memory;

use crate::support;

#[test]
fn five_mistakes_are_five_errors_with_their_places() {
    let yaml = "\
listeners:
  - address: 127.0.0.1:8000
    deadlines: { head: 10 }
upstreams:
  app: { servers: [127.0.0.1:9000] }
sites:
  - hosts: [app.example.com]
    upstrem: app
  - hosts: [www.example.com]
    upstream: apq
access:
  rules:
    - id: scanners
      match: { user_agent: { regex: \"(sqlmap\" } }
      action: block
    - id: office
      match: { address: $offce }
      action: allow
";
    let problems = support::problems(&support::load(
        &Memory::default().with("palisade.yaml", yaml),
    ));
    assert_eq!(
        problems,
        "\
palisade.yaml:3:24: error: \"10\" has no unit; expected one of ms, s, m, h, d, as in 10s
palisade.yaml:8:5: error: unknown key \"upstrem\"; did you mean \"upstream\"?
palisade.yaml:10:15: error: there is no upstream \"apq\"; did you mean \"app\"?
palisade.yaml:14:37: error: not a regular expression: unclosed group (at character 1)
palisade.yaml:17:25: error: there is no list \"offce\" in access.lists
"
    );
}
