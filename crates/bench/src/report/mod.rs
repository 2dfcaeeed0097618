//! What was measured, for people and for programs.

mod csv;
mod plot;
mod table;
mod tables;

pub use csv::csv;
pub use plot::svg;
pub use tables::markdown;

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::place::Duty;
    use crate::results::{Cost, Latency, Memory, Results, SubjectInfo};

    /// Figures of five servers, made up.
    pub(crate) fn results() -> Results {
        let servers = [
            ("palisade-bare", "Palisade, bare proxy", Duty::Bare),
            ("palisade-gate", "Palisade, gate", Duty::Gate),
            ("palisade-waf-1", "Palisade, OWASP CRS", Duty::Waf(1)),
            ("nginx", "nginx", Duty::Bare),
            (
                "nginx-modsecurity",
                "nginx <with> ModSecurity 3",
                Duty::Waf(1),
            ),
        ];
        let costs = [
            ("palisade-bare", "get", 20.0),
            ("palisade-gate", "get", 22.0),
            ("nginx", "get", 20.0),
            ("palisade-waf-1", "get", 50.0),
            ("nginx-modsecurity", "get", 1_500.0),
            ("palisade-waf-1", "form", 100.0),
            ("nginx-modsecurity", "form", 4_999.0),
        ];
        let latencies = [("steady", 1.0), ("delta of 50,000", 2.0), ("reload", 2.1)];
        Results {
            machine: "a machine".to_owned(),
            day: "2026-11-30".to_owned(),
            rounds: 3,
            values_come_again: false,
            clients: 16,
            workers: 1,
            subjects: servers.map(subject).to_vec(),
            costs: costs
                .map(|(subject, request, micros)| cost(subject, request, micros))
                .to_vec(),
            latencies: latencies.map(latency).to_vec(),
            memory: vec![Memory {
                subject: "nginx".to_owned(),
                started_mib: 5.0,
                loaded_mib: Some(6.0),
                idle_kib: Some(0.2),
                idle_tls_kib: Some(17.0),
            }],
            notes: vec!["Caddy: isn't here".to_owned()],
        }
    }

    fn subject((name, title, duty): (&str, &str, Duty)) -> SubjectInfo {
        SubjectInfo {
            name: name.to_owned(),
            title: title.to_owned(),
            version: "1.2.3".to_owned(),
            duty,
            is_palisade: name.starts_with("palisade"),
        }
    }

    fn cost(subject: &str, request: &str, micros: f64) -> Cost {
        Cost {
            subject: subject.to_owned(),
            request: request.to_owned(),
            transport: "keep-alive".to_owned(),
            cpu_us: vec![micros, micros * 1.5, micros],
            per_second: vec![1e6 / micros; 3],
            answered: 1_000,
            is_wrong: false,
        }
    }

    fn latency((meanwhile, p999_ms): (&str, f64)) -> Latency {
        Latency {
            p50_ms: vec![0.2; 3],
            p99_ms: vec![0.5; 3],
            p999_ms: vec![p999_ms; 3],
            cpu_us: vec![30.0; 3],
            ..Latency::new("palisade-gate-live", meanwhile, 10_000.0)
        }
    }

    #[test]
    fn tables_compare_with_the_reference_of_their_section() {
        let tables = markdown(&results());
        for row in [
            "| Palisade, gate       | 22.0 (1.10x) |",
            "| nginx                |         20.0 |",
            "| nginx <with> ModSecurity 3 | 1500 (30.0x) | 4999 (50.0x) |",
            "| Palisade, OWASP CRS        |         50.0 |          100 |",
            "| nginx |         5.00 |                6.00 |                 under 1 |          17.0 |",
            "* Caddy: isn't here",
        ] {
            assert!(tables.contains(row), "{row} in\n{tables}");
        }
    }

    #[test]
    fn a_figure_with_wrong_answers_is_none() {
        let mut results = results();
        for cost in results
            .costs
            .iter_mut()
            .filter(|cost| cost.subject == "palisade-gate")
        {
            cost.is_wrong = true;
        }
        for latency in results
            .latencies
            .iter_mut()
            .filter(|latency| latency.meanwhile == "reload")
        {
            latency.is_wrong = true;
        }
        assert!(!markdown(&results).contains("| Palisade, gate "));
        let told = markdown(&results);
        assert!(!told.contains("|          reload |"), "{told}");
        // What was to be measured is said not to be.
        assert_eq!(told.matches("| not measured |").count(), 5, "{told}");
        assert!(
            !csv(&results).contains("palisade-gate,"),
            "{}",
            csv(&results)
        );
    }

    #[test]
    fn who_is_behind_in_most_rounds_has_no_tail() {
        let mut results = results();
        for latency in &mut results.latencies {
            latency.behind = 1;
        }
        assert!(markdown(&results).contains("delta of 50,000: steady |"));
        let not_measured = |results: &Results| markdown(results).matches("not measured").count();
        assert_eq!(not_measured(&results), 1, "LAPI didn't stall");
        for latency in &mut results.latencies {
            latency.behind = 2;
        }
        assert_eq!(not_measured(&results), 3);
    }

    #[test]
    fn each_figure_has_a_line_for_each_round() {
        let results = results();
        let rounds = usize::try_from(results.rounds).expect("three");
        let of_costs = results.costs.len() * 2 * rounds;
        let of_latencies = results.latencies.len() * (4 * rounds + 2);
        let of_memory = results.memory.len() * 4;
        let csv = csv(&results);
        let lines: Vec<&str> = csv.lines().collect();
        assert_eq!(lines.len(), 1 + of_costs + of_latencies + of_memory);
        for line in [
            "nginx,get,keep-alive,steady,cpu_us,1,20.0000",
            "nginx,get,keep-alive,steady,cpu_us,2,30.0000",
            "nginx-modsecurity,form,keep-alive,steady,per_second,3,200.0400",
            "palisade-gate-live,get,keep-alive,steady,capacity_per_second,1,10000.0000",
            "palisade-gate-live,get,keep-alive,steady,rate_per_second,1,7000.0000",
            "palisade-gate-live,get,keep-alive,\"delta of 50,000\",p999_ms,3,2.0000",
            "palisade-gate-live,get,keep-alive,reload,p50_ms,3,0.2000",
            "palisade-gate-live,get,keep-alive,reload,p99_ms,3,0.5000",
            "palisade-gate-live,get,keep-alive,reload,cpu_us,3,30.0000",
            "nginx,,,,started_mib,1,5.0000",
            "nginx,,,,loaded_mib,1,6.0000",
            "nginx,,,,idle_kib,1,0.2000",
            "nginx,,,,idle_tls_kib,1,17.0000",
        ] {
            assert!(lines.contains(&line), "{line} in\n{csv}");
        }
        for line in &lines {
            let unquoted: String = line.split('"').step_by(2).collect();
            assert_eq!(unquoted.matches(',').count(), 6, "{line}");
        }
    }

    #[test]
    fn figures_can_be_read_again() {
        let text = serde_json::to_string(&results()).expect("JSON");
        let read: Results = serde_json::from_str(&text).expect("the same");
        assert_eq!(markdown(&read), markdown(&results()));
    }

    #[test]
    fn the_plot_has_a_bar_for_each_server_of_a_panel() {
        let svg = svg(&results());
        assert_eq!(svg.matches("<rect x=").count(), 3, "{svg}");
        // Nobody has sent the mix.
        assert!(!svg.contains("ModSecurity"), "{svg}");
        assert!(svg.contains("width=\"400.0\""), "the longest bar: {svg}");
    }
}
