//! Palisade's own settings.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::place::{Duty, Launch, Place};
use crate::rules::rule_file;

/// Where the settings are in the folder.
const SETTINGS_FILE: &str = "palisade.yaml";
/// Where the access rules are.
const RULE_FILE: &str = "rules.yaml";
/// Where what goes before CRS is.
const RECOMMENDED_FILE: &str = "recommended.conf";

/// What a Palisade is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Setting {
    /// Forwards, and that is all.
    Bare,
    /// 50 access rules, 50,000 decisions, a country database.
    Gate,
    /// 10,000 access rules, 1,000,000 decisions, a country database.
    GateLarge,
    /// The same as `Gate`; LAPI is asked every second, its decisions change, it falls silent, settings are read again.
    GateLive,
    /// OWASP CRS at paranoia 1.
    Waf1,
    /// OWASP CRS at paranoia 2.
    Waf2,
}

impl Setting {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 6] = [
        Self::Bare,
        Self::Gate,
        Self::GateLarge,
        Self::GateLive,
        Self::Waf1,
        Self::Waf2,
    ];

    /// Its name on the command line and in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Gate => "gate",
            Self::GateLarge => "gate-large",
            Self::GateLive => "gate-live",
            Self::Waf1 => "waf-1",
            Self::Waf2 => "waf-2",
        }
    }

    /// Its name in tables; a gate says whether it has a country database.
    #[must_use]
    pub const fn title(self, has_geo: bool) -> &'static str {
        match self {
            Self::Bare => "Palisade, bare proxy",
            Self::Gate if has_geo => "Palisade, gate: 50 rules, 50,000 decisions, geo",
            Self::Gate => "Palisade, gate: 50 rules, 50,000 decisions",
            Self::GateLarge if has_geo => "Palisade, gate: 10,000 rules, 1,000,000 decisions, geo",
            Self::GateLarge => "Palisade, gate: 10,000 rules, 1,000,000 decisions",
            Self::GateLive => "Palisade, gate, with a LAPI that changes",
            Self::Waf1 => "Palisade, OWASP CRS, paranoia 1",
            Self::Waf2 => "Palisade, OWASP CRS, paranoia 2",
        }
    }

    /// What it does with a request.
    #[must_use]
    pub const fn duty(self) -> Duty {
        match self {
            Self::Bare => Duty::Bare,
            Self::Gate | Self::GateLarge | Self::GateLive => Duty::Gate,
            Self::Waf1 => Duty::Waf(1),
            Self::Waf2 => Duty::Waf(2),
        }
    }

    /// How many decisions LAPI has.
    #[must_use]
    pub const fn decisions(self) -> usize {
        match self {
            Self::Gate | Self::GateLive => 50_000,
            Self::GateLarge => 1_000_000,
            Self::Bare | Self::Waf1 | Self::Waf2 => 0,
        }
    }

    const fn rules(self) -> u32 {
        match self {
            Self::Gate | Self::GateLive => 50,
            Self::GateLarge => 10_000,
            Self::Bare | Self::Waf1 | Self::Waf2 => 0,
        }
    }
}

/// A Palisade to start.
#[derive(Clone, Debug)]
pub struct Palisade<'a> {
    /// What it is told to do.
    pub setting: Setting,
    /// The binary.
    pub program: &'a Path,
    /// Where LAPI is, where it is asked.
    pub lapi: Option<SocketAddr>,
    /// Where metrics are to be.
    pub metrics: SocketAddr,
    /// A database that tells countries, in MaxMind's format.
    pub country_database: Option<&'a Path>,
}

impl Palisade<'_> {
    /// Writes its settings into the place, and says how it is run.
    ///
    /// # Errors
    /// Where they can't be written.
    pub fn prepare(&self, place: &Place) -> io::Result<Launch> {
        if self.setting.rules() > 0 {
            place.write(RULE_FILE, &rule_file(self.setting.rules()))?;
        }
        if matches!(self.setting.duty(), Duty::Waf(_)) {
            place.write(RECOMMENDED_FILE, RECOMMENDED)?;
        }
        place.write(SETTINGS_FILE, &self.settings(place))?;
        Ok(Launch {
            program: self.program.to_owned(),
            arguments: vec![
                "run".to_owned(),
                "--threads".to_owned(),
                place.workers.to_string(),
                "--config".to_owned(),
                place.folder.join(SETTINGS_FILE).display().to_string(),
            ],
            environment: Vec::new(),
        })
    }

    fn settings(&self, place: &Place) -> String {
        let mut lines = listeners(place);
        let _ = writeln!(
            lines,
            "upstreams: {{ app: {{ servers: [\"{}\"] }} }}",
            place.backend
        );
        lines.push_str("sites: [{ upstream: app }]\n");
        let _ = writeln!(lines, "metrics: {{ address: \"{}\" }}", self.metrics);
        match self.setting.duty() {
            Duty::Bare => {}
            Duty::Gate => self.add_gate(&mut lines),
            Duty::Waf(paranoia) => add_waf(&mut lines, place, paranoia),
        }
        lines
    }

    fn add_gate(&self, lines: &mut String) {
        let _ = writeln!(lines, "access:\n  rule_files: [{RULE_FILE}]");
        if let Some(database) = self.country_database {
            // Nobody browses from Antarctica.
            lines.push_str("  rules: [{ id: place, match: { country: AQ }, action: block }]\n");
            let _ = writeln!(
                lines,
                "geo: {{ country_database: {}, required: true }}",
                quoted(database)
            );
        }
        let Some(lapi) = self.lapi else { return };
        let (interval, timeout) = match self.setting {
            Setting::GateLive => ("1s", "1s"),
            _ => ("1h", "10s"),
        };
        let _ = writeln!(
            lines,
            "crowdsec: {{ lapi_url: \"http://{lapi}/\", api_key: bench, update_interval: {interval}, request_timeout: {timeout} }}"
        );
    }
}

/// All clients of the harness come from one address.
const LIMITS: &str = "limits: { connections_per_address: 20000 }";
const HOPS: &str = "client_address: [{ from: [127.0.0.0/8], header: X-Forwarded-For }]";

fn listeners(place: &Place) -> String {
    let doors = place.doors;
    let (certificate, key) = (quoted(&place.certificate), quoted(&place.key));
    format!(
        "listeners:
  - {{ address: \"{}\", {HOPS}, {LIMITS} }}
  - {{ address: \"{}\", {HOPS}, {LIMITS}, tls: {{ certificates: [{{ certificate: {certificate}, private_key: {key} }}] }} }}
  - {{ address: \"{}\", proxy_protocol: {{ mode: required, from: [127.0.0.0/8] }}, {LIMITS} }}
",
        doors.plain, doors.tls, doors.proxy
    )
}

/// What goes before CRS, as it is shipped.
const RECOMMENDED: &str = include_str!("../../../rules/seclang/recommended.conf");

fn add_waf(lines: &mut String, place: &Place, paranoia: u8) {
    let crs = place.crs.clone().unwrap_or_default();
    let _ = writeln!(
        lines,
        "waf: {{ mode: block, rules: [recommended.conf, {}, {}], paranoia: {paranoia} }}
logs: {{ audit: {{ path: audit.jsonl }} }}",
        quoted(&crs.join("crs-setup.conf.example")),
        quoted(&crs.join("rules/*.conf")),
    );
}

fn quoted(path: &Path) -> String {
    // JSON's strings are YAML's.
    serde_json::Value::from(path.display().to_string()).to_string()
}

/// Where the rules are that a reload reads again.
#[must_use]
pub fn rule_path(folder: &Path, duty: Duty) -> PathBuf {
    folder.join(match duty {
        Duty::Waf(_) => RECOMMENDED_FILE,
        Duty::Bare | Duty::Gate => RULE_FILE,
    })
}
