//! What `/status` shows of the rules in ModSecurity's language that guard sites.

use palisade_proxy::{BodyMemory, Generation, RulesState};
use palisade_vocabulary::{ByteSize, FailurePolicy};
use serde::Serialize;

/// The rules, and the memory that they have.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct WafStatus {
    /// Each once, however many sites it is for; those that judge beside others count too.
    rule_sets: usize,
    sites: WafSites,
    /// Of bodies that are held until they are judged.
    body_memory: Memory,
    /// Of what is held for rules that judge beside others.
    shadow_memory: Memory,
}

/// How many sites have what.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct WafSites {
    /// Rules refuse.
    guarded: usize,
    /// Rules only record what they would refuse.
    only_detecting: usize,
    /// Other rules judge beside those.
    shadowed: usize,
}

#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct Memory {
    bytes: u64,
    bytes_max: u64,
}

/// `on_failure` where rules refuse; where they only detect every request passes.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct WafPolicy {
    on_failure: OnFailure,
}

/// How many sites have which.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
struct OnFailure {
    open: usize,
    closed: usize,
}

/// What guards sites now, and what becomes of requests that it can't judge.
pub(crate) fn waf(generation: &Generation, state: &RulesState) -> (WafStatus, WafPolicy) {
    let rule_sets = &generation.rule_sets;
    let (mut sites, mut on_failure) = (WafSites::default(), OnFailure::default());
    for site in generation.snapshot.sites.iter() {
        sites.shadowed += usize::from(rule_sets.shadow_of_site(site.number).is_some());
        let Some(rules) = rule_sets.of_site(site.number) else {
            continue;
        };
        if rules.only_detects() {
            sites.only_detecting += 1;
            continue;
        }
        sites.guarded += 1;
        match rules.on_failure() {
            FailurePolicy::Open => on_failure.open += 1,
            FailurePolicy::Closed => on_failure.closed += 1,
        }
    }
    let status = WafStatus {
        rule_sets: rule_sets.distinct().len(),
        sites,
        body_memory: memory(&state.body_memory, generation.body_memory_max),
        shadow_memory: memory(state.shadow.memory(), generation.shadow.memory_max),
    };
    (status, WafPolicy { on_failure })
}

fn memory(memory: &BodyMemory, max: ByteSize) -> Memory {
    Memory {
        bytes: memory.bytes(),
        bytes_max: max.as_u64(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use palisade_config::Settings;
    use palisade_config::files::Memory as Files;
    use palisade_gate::Snapshot;
    use palisade_geo::GeoDatabases;
    use palisade_proxy::Rules;
    use palisade_upstream::Upstreams;
    use serde_json::{Value, json};

    use super::*;
    use crate::test_context::TestDoors;

    const SETTINGS: &str = "
listeners: [{address: 127.0.0.1:8000}]
upstreams: {app: {servers: [127.0.0.1:9000]}}
waf: {rules: a.conf, mode: block, body_memory: 32MiB}
logs: {shadow: {path: shadow.jsonl}}
sites:
  - {hosts: a.example, upstream: app}
  - {hosts: b.example, upstream: app, waf: {on_failure: open}}
  - {hosts: c.example, upstream: app, mode: detect}
  - {hosts: d.example, upstream: app, waf: {mode: off}}
  - {hosts: e.example, upstream: app, waf: {shadow: {rules: b.conf}}}
";

    #[tokio::test]
    async fn it_is_told_how_many_sites_rules_guard_and_how() {
        let rule = |id: u32| format!("SecRule ARGS \"@contains evil\" \"id:{id},phase:2,deny\"\n");
        let files = Files::default()
            .with("palisade.yaml", SETTINGS)
            .with("a.conf", rule(1))
            .with("b.conf", rule(2));
        let loaded = Settings::load(&files, &|_| None, Path::new("palisade.yaml"));
        let settings = loaded.unwrap().settings;
        let doors = TestDoors::open().await;
        let shared = &doors.context.shared;
        let generation = Generation::new(
            2,
            Snapshot::build(settings.gate, Arc::new(GeoDatabases::default())).unwrap(),
            Rules {
                rule_sets: settings.waf.rule_sets,
                body_memory_max: settings.waf.body_memory,
                shadow: settings.waf.shadow,
            },
            Upstreams::build(Vec::new()).unwrap(),
            Arc::clone(&shared.generation.load().telemetry),
        );
        let (status, policy) = waf(&generation.unwrap(), &shared.rules);
        let shown: Value = serde_json::to_value((status, policy)).unwrap();
        let expected = json!([
            {
                "rule_sets": 4,
                "sites": { "guarded": 3, "only_detecting": 1, "shadowed": 1 },
                "body_memory": { "bytes": 0, "bytes_max": 32 << 20 },
                "shadow_memory": { "bytes": 0, "bytes_max": 64 << 20 },
            },
            { "on_failure": { "open": 1, "closed": 2 } },
        ]);
        assert_eq!(shown, expected);
    }
}
