//! A settings file of a busy site, and the files that it names.

use std::fs;
use std::io;
use std::path::Path;

use palisade_config::Settings;
use palisade_config::files::Memory;
use palisade_testkit::mmdb;

use palisade_bench::random::Random;
use palisade_bench::rules::rule_file;

/// Where the settings themselves are among the files.
pub const SETTINGS_FILE: &str = "palisade.yaml";

/// How many address lists there are; clients of the first are trusted, the others blocked.
pub const LISTS: usize = 10;

/// How many ranges each list has.
pub const RANGES_PER_LIST: usize = 1_000;

/// How many hosts have a site.
pub const HOSTS: usize = 20;

/// Which access rules there are, besides those that block the lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rules {
    /// Those that are shipped, `rules/*.yaml`.
    Shipped,
    /// The shipped ones, and one that asks where a client is.
    ShippedAndCountry,
    /// So many made-up ones: see [`rule_file`].
    Made(u32),
}

/// A settings file and the files that it names: names and bytes.
#[derive(Clone, Debug, Default)]
pub struct SettingsFiles(Vec<(String, Vec<u8>)>);

impl SettingsFiles {
    /// The settings of a proxy at `address` before `backend`, with these rules, ten lists and twenty
    /// sites, behind hops in 10.0.0.0/8 and 127.0.0.0/8.
    #[must_use]
    pub fn new(rules: Rules, address: &str, backend: &str) -> Self {
        let mut files = Self::default();
        let asks_for_country = rules == Rules::ShippedAndCountry;
        files.add(SETTINGS_FILE, settings(address, backend, asks_for_country));
        let mut random = Random::new(5);
        for number in 0..LISTS {
            files.add(&format!("list-{number}.txt"), list(&mut random));
        }
        match rules {
            Rules::Made(count) => files.add("rules/made.yaml", rule_file(count)),
            Rules::Shipped | Rules::ShippedAndCountry => files.add_shipped_rules(),
        }
        if asks_for_country {
            files.add("country.mmdb", country_database());
        }
        files
    }

    /// These settings, and no other file.
    #[must_use]
    pub fn of(settings: String) -> Self {
        let mut files = Self::default();
        files.add(SETTINGS_FILE, settings);
        files
    }

    /// The same with more settings, lines of YAML.
    #[must_use]
    pub fn with_settings(mut self, lines: &str) -> Self {
        for (name, bytes) in &mut self.0 {
            if name == SETTINGS_FILE {
                bytes.extend_from_slice(b"\n");
                bytes.extend_from_slice(lines.as_bytes());
            }
        }
        self
    }

    fn add(&mut self, name: &str, bytes: impl Into<Vec<u8>>) {
        self.0.push((name.to_owned(), bytes.into()));
    }

    fn add_shipped_rules(&mut self) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules");
        let entries = fs::read_dir(folder).expect("the shipped rules");
        for path in entries.flatten().map(|entry| entry.path()) {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name.ends_with(".yaml") {
                let bytes = fs::read(&path).expect("a rule file");
                self.add(&format!("rules/{name}"), bytes);
            }
        }
    }

    /// The settings, read and checked.
    #[must_use]
    pub fn load(self) -> Settings {
        let files = self
            .0
            .into_iter()
            .fold(Memory::default(), |files, (name, bytes)| {
                files.with(name, bytes)
            });
        let loaded = Settings::load(&files, &|_| None, Path::new(SETTINGS_FILE));
        loaded.expect("valid settings").settings
    }

    /// Writes the files into `folder`.
    ///
    /// # Errors
    /// As the file system has them.
    pub fn write_into(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder.join("rules"))?;
        self.0
            .iter()
            .try_for_each(|(name, bytes)| fs::write(folder.join(name), bytes))
    }
}

/// The real one that `make set-up` fetches, where it is there; else a small one.
fn country_database() -> Vec<u8> {
    let folder = std::env::var_os("PALISADE_TEST_DATA").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/test-data"),
        Into::into,
    );
    fs::read(folder.join("country.mmdb"))
        .unwrap_or_else(|_| mmdb::country_database(&[("64.0.0.0/2", "NZ"), ("128.0.0.0/2", "FI")]))
}

fn settings(address: &str, backend: &str, asks_for_country: bool) -> String {
    let mut lines = vec![
        "listeners:".to_owned(),
        format!("  - address: {address}"),
        "    client_address:".to_owned(),
        "      - { from: [10.0.0.0/8, 127.0.0.0/8], header: X-Forwarded-For }".to_owned(),
        format!("upstreams: {{ app: {{ servers: [\"{backend}\"] }} }}"),
        "sites:".to_owned(),
    ];
    lines.extend((0..HOSTS).map(|number| {
        format!(
            "  - {{ hosts: [shop-{number:02}.example.com], upstream: app, \
             routes: [{{ path_prefix: /api, upstream: app }}] }}"
        )
    }));
    lines.push("trusted_clients: [$list-0]".to_owned());
    lines.push("access:".to_owned());
    lines.push("  lists:".to_owned());
    lines.extend((0..LISTS).map(|n| format!("    list-{n}: {{ file: list-{n}.txt }}")));
    lines.push("  rule_files: [rules/*.yaml]".to_owned());
    lines.push("  rules:".to_owned());
    lines.extend((1..LISTS).map(|n| {
        format!("    - {{ id: list-{n}, match: {{ address: $list-{n} }}, action: block }}")
    }));
    if asks_for_country {
        // Nobody browses from Antarctica.
        lines.push("    - { id: place, match: { country: AQ }, action: block }".to_owned());
        lines.push("geo: { country_database: country.mmdb }".to_owned());
    }
    lines.join("\n")
}

/// Half single addresses, the others ranges from /20 to /28.
fn list(random: &mut Random) -> String {
    let range = |_| {
        let address = random.address();
        match random.below(2) {
            0 => format!("{address}\n"),
            _ => format!("{address}/{}\n", 20 + random.below(9)),
        }
    };
    (0..RANGES_PER_LIST).map(range).collect()
}
