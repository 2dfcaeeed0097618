//! Decisions as a LAPI with block lists has them.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use palisade_decisions::{Decision, DecisionId, Remedy, Scope};
use palisade_vocabulary::Tick;

use palisade_bench::random::Random;

/// How long each decision holds.
const DURATION: Duration = Duration::from_secs(24 * 3_600);

/// `count` different decisions: 90 % bans of single IPv4 addresses, 5 % of IPv4 /24s, 3 % of single
/// IPv6 addresses, and 2 % captchas for IPv4 addresses; from seven lists. They hold for a day from
/// `now`.
#[must_use]
pub fn decisions(count: usize, now: Tick) -> Vec<Decision> {
    let mut random = Random::new(42);
    let origin: Arc<str> = "lists".into();
    let lists: Vec<Arc<str>> = (0..7).map(|n| format!("blocklist-{n}").into()).collect();
    let mut seen = HashSet::with_capacity(count);
    let mut made = Vec::with_capacity(count);
    for scenario in lists.iter().cycle() {
        if made.len() == count {
            break;
        }
        let (scope, remedy) = loop {
            let drawn = draw(&mut random);
            if seen.insert(drawn.0) {
                break drawn;
            }
        };
        made.push(Decision {
            id: DecisionId::new(made.len() as u64 + 1),
            scope,
            remedy,
            origin: Arc::clone(&origin),
            scenario: Arc::clone(scenario),
            expires: now + DURATION,
        });
    }
    made
}

fn draw(random: &mut Random) -> (Scope, Remedy) {
    let (text, remedy) = match random.below(100) {
        0..90 => (random.address().to_string(), Remedy::Ban),
        90..95 => (format!("{}/24", random.address()), Remedy::Ban),
        95..98 => {
            let mut part = || random.below(0xffff) + 1;
            let text = format!("2001:db8:{:x}:{:x}::{:x}", part(), part(), part());
            (text, Remedy::Ban)
        }
        _ => (random.address().to_string(), Remedy::Captcha),
    };
    let range = text.parse().map(Scope::Address);
    (range.expect("a range"), remedy)
}

/// The document in which LAPI announces `decisions` when it is asked with `startup=true`.
#[must_use]
pub fn lapi_document(decisions: &[Decision]) -> String {
    let mut document = String::from("{\"deleted\":null,\"new\":[");
    for (number, decision) in decisions.iter().enumerate() {
        let Scope::Address(range) = decision.scope else {
            continue;
        };
        let comma = if number == 0 { "" } else { "," };
        let id = decision.id.map_or(0, DecisionId::get);
        let scope = if range.is_single() { "Ip" } else { "Range" };
        let (origin, scenario) = (&decision.origin, &decision.scenario);
        let kind = decision.remedy.as_str();
        write!(
            document,
            r#"{comma}{{"duration":"23h59m59.123456789s","id":{id},"origin":"{origin}","scenario":"{scenario}","scope":"{scope}","type":"{kind}","value":"{range}"}}"#
        )
        .expect("memory");
    }
    document.push_str("]}");
    document
}
