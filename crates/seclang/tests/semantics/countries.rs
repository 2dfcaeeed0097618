//! Where addresses are.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use palisade_seclang::{CompileOptions, Countries, Location, WorkerOptions, compile};

use crate::memory::{MAIN, Memory};
use crate::site::{Request, Site, run};

/// Knows two networks.
#[derive(Debug)]
struct Two;

impl Countries for Two {
    fn country(&self, address: IpAddr) -> Option<Location> {
        let location = |code: &str| Location {
            country: code.parse().unwrap(),
            country_name: None,
            continent: None,
        };
        match address.to_string().as_str() {
            "192.0.2.7" => Some(Location {
                country_name: Some("Germany".into()),
                continent: Some(*b"EU"),
                ..location("DE")
            }),
            "2001:db8::1" => Some(location("FR")),
            _ => None,
        }
    }
}

/// The matches of rules that may ask.
#[track_caller]
fn check(rules: &str, target: &str, expected: &[&str]) {
    let site = Site::new(rules).with(WorkerOptions {
        countries: Some(Arc::new(Two)),
        ..WorkerOptions::new(|| Duration::ZERO)
    });
    let ran = site.run(&Request::get(target));
    assert_eq!(ran.matches(), expected, "{rules}");
}

#[test]
fn countries_are_looked_up() {
    let all = "SecRule REMOTE_ADDR @geoLookup id:1,phase:1,pass,nolog
        SecRule GEO ^ id:2,phase:1,pass";
    check(
        all,
        "/",
        &[
            "2 GEO:COUNTRY_CODE=DE",
            "2 GEO:COUNTRY_NAME=Germany",
            "2 GEO:COUNTRY_CONTINENT=EU",
        ],
    );
    let chain =
        "SecRule ARGS:ip @geoLookup \"id:1,phase:1,pass,chain,setvar:'tx.a=%{geo.country_code}'\"
        SecRule GEO:country_code \"!@within DE NL\" \"setvar:'tx.b=%{GEO.COUNTRY_CODE}'\"";
    check(chain, "/?ip=192.0.2.7", &[]);
    check(chain, "/?ip=2001:db8::1", &["1 GEO:COUNTRY_CODE=FR"]);
    check(chain, "/?ip=192.0.2.9", &[]);
    check(chain, "/?ip=example.com", &[]);
    // What isn't known leaves nothing of what was found before.
    check(
        "SecRule ARGS:ip @geoLookup id:1,phase:1,pass,nolog
         SecRule GEO:COUNTRY_CODE ^ id:2,phase:1,pass
         SecRule ARGS:ip !@geoLookup id:3,phase:1,pass",
        "/?ip=192.0.2.7&ip=192.0.2.9",
        &["3 ARGS:ip=192.0.2.9"],
    );
}

#[test]
fn without_a_database_nothing_is_known() {
    let rules = "SecRule REMOTE_ADDR @geoLookup id:1,phase:1,pass\nSecRule &GEO \"@eq 0\" id:2,phase:1,pass";
    assert_eq!(run(rules, &Request::get("/")).ids(), [2]);
    let warnings = |has_countries| {
        let options = CompileOptions {
            has_countries,
            ..CompileOptions::default()
        };
        let compiled = compile(&[MAIN], &Memory::new(rules), options);
        compiled.problems.counts()
    };
    assert_eq!(warnings(false), (0, 1));
    assert_eq!(warnings(true), (0, 0));
}
