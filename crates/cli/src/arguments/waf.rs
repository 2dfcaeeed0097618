//! What can be said to `palisade waf`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use palisade_ftw::TestId;
use palisade_waf::exclusion::Date;

use super::Config;

#[derive(Debug, Args)]
#[command(
    after_help = "Rules are ModSecurity's (SecLang), like OWASP CRS. Files are read in the order in which they are\n\
    named; a pattern stands for all files that it fits, by their names.\n\n\
    Examples:\n  \
    palisade waf check modsecurity.conf crs-setup.conf 'rules/*.conf'\n  \
    palisade waf explain --rules modsecurity.conf crs-setup.conf 'rules/*.conf' 'https://app.example.com/?id=1%27+or+1=1'\n  \
    palisade waf test tests/regression --rules modsecurity.conf crs-setup.conf 'rules/*.conf'"
)]
pub(crate) struct Waf {
    #[command(subcommand)]
    pub(crate) action: WafAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WafAction {
    /// Check rule files, print every problem with its place, and what there is in them
    Check(WafCheck),
    /// Say which rules match a request, and what comes of it
    Explain(Box<WafExplain>),
    /// Run a suite of go-ftw's tests, like OWASP CRS's, against rules
    Test(WafTest),
    /// What the shadow set of rules (`waf.shadow`) would change
    Shadow(WafShadow),
    /// Propose the narrowest exclusion for a request that was refused and should not be, with what it lets through
    Exclude(Box<WafExclude>),
}

#[derive(Debug, Args)]
pub(crate) struct WafShadow {
    #[command(subcommand)]
    pub(crate) action: WafShadowAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WafShadowAction {
    /// Sum up the shadow log: what would be refused that passes now, by rule, path and client
    Report(WafShadowReport),
}

#[derive(Debug, Args)]
#[command(
    after_help = "Reads `logs.shadow` of the settings, or the files that are named, rotated ones in any order. Says how many\n\
    requests were judged, of how many the two sets made different things, and whether promotion would refuse\n\
    what passes now. Exit code 0 whatever it says, 1 where a log can't be read.\n\n\
    Examples:\n  \
    palisade waf shadow report\n  \
    palisade waf shadow report shadow.jsonl.1 shadow.jsonl --top 50\n  \
    zcat shadow.jsonl.*.gz | palisade waf shadow report --json -"
)]
pub(crate) struct WafShadowReport {
    #[command(flatten)]
    pub(crate) config: Config,
    /// As JSON, one object
    #[arg(long)]
    pub(crate) json: bool,
    /// How many rules, paths and clients are listed
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) top: usize,
    /// Shadow logs instead of the one that the settings name; - for standard input
    #[arg(value_name = "LOG", conflicts_with = "config")]
    pub(crate) logs: Vec<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Prints every problem as FILE:LINE:COLUMN: error|warning: rule ID: what is wrong; then, if the rules can\n\
    be used, how many there are and which of them are slow. Exit code 0 where there are no errors, else 1.\n\n\
    Example:\n  palisade waf check modsecurity.conf crs-setup.conf 'rules/*.conf'"
)]
pub(crate) struct WafCheck {
    /// Rule files or patterns, in the order of loading
    #[arg(required = true, value_name = "RULES")]
    pub(crate) rules: Vec<String>,
    /// How many of the slow rules are listed
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) top: usize,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "palisade waf explain --rules <FILE>... [OPTIONS] <URL>\n       \
    palisade waf explain --rules <FILE>... --raw <FILE> [--response <FILE>]",
    after_help = "Runs all rules of the request's phases, and with --response those of the answer's; contacts nobody. Of a\n\
    URL is sent what it needs: Host, and with --data a length and a type. Whatever a browser adds is up to --header.\n\n\
    Examples:\n  \
    palisade waf explain --rules modsecurity.conf crs-setup.conf 'rules/*.conf' --header 'User-Agent: x' 'https://app.example.com/?id=1%27+or+1=1'\n  \
    palisade waf explain --rules modsecurity.conf 'rules/*.conf' --data 'user=a&password=b' https://app.example.com/login\n  \
    palisade waf explain --rules modsecurity.conf 'rules/*.conf' --raw request.txt --response answer.txt --json"
)]
pub(crate) struct WafExplain {
    /// Rule files or patterns, in the order of loading; may be given again
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) rules: Vec<String>,
    /// The method [default: GET, or POST with data]
    #[arg(long, short = 'X', value_name = "M", conflicts_with = "raw")]
    pub(crate) method: Option<String>,
    /// A header field; may be given again
    #[arg(
        long = "header",
        short = 'H',
        value_name = "'N: V'",
        conflicts_with = "raw"
    )]
    pub(crate) headers: Vec<String>,
    /// The body
    #[arg(long, short = 'd', value_name = "TEXT", conflicts_with = "raw")]
    pub(crate) data: Option<String>,
    /// A file with the body; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with_all = ["data", "raw"])]
    pub(crate) data_file: Option<PathBuf>,
    /// A file with the whole request as it is sent; - for standard input
    #[arg(long, value_name = "FILE", conflicts_with = "url")]
    pub(crate) raw: Option<PathBuf>,
    /// A file with the backend's whole answer, for the rules of phases 3 and 4
    #[arg(long, value_name = "FILE")]
    pub(crate) response: Option<PathBuf>,
    /// Who sends the request
    #[arg(long, value_name = "ADDR", default_value = "192.0.2.1")]
    pub(crate) client: IpAddr,
    /// A database in MaxMind's format (.mmdb) for @geoLookup, as geo.country_database of the settings
    #[arg(long, value_name = "FILE")]
    pub(crate) country_database: Option<PathBuf>,
    /// Show rules that match without being logged as well
    #[arg(long)]
    pub(crate) all: bool,
    /// As JSON, one object
    #[arg(long)]
    pub(crate) json: bool,
    /// What is asked for: http://host/path or https://host/path
    pub(crate) url: Option<String>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Runs in this process: nothing listens, and nothing is sent. Prints each test that fails, with what was\n\
    expected and what came, and each override that isn't needed. Exit code 0 where no test failed, else 1.\n\n\
    Examples:\n  \
    palisade waf test tests/regression --rules modsecurity.conf crs-setup.conf 'rules/*.conf'\n  \
    palisade waf test tests/regression --rules modsecurity.conf 'rules/*.conf' --overrides overrides.yaml --only 942100 --only 942110-3\n  \
    palisade waf test tests/regression --rules modsecurity.conf 'rules/*.conf' --costs=20"
)]
pub(crate) struct WafTest {
    /// A folder with tests (*.yaml, *.yml, in folders of it too), or one file
    #[arg(value_name = "DIR")]
    pub(crate) tests: PathBuf,
    /// Rule files or patterns, in the order of loading; may be given again
    #[arg(long, required = true, num_args = 1.., value_name = "FILE")]
    pub(crate) rules: Vec<String>,
    /// A file with overrides: what comes of some tests instead, and why
    #[arg(long, value_name = "FILE")]
    pub(crate) overrides: Option<PathBuf>,
    /// Threads that run tests [default: one for each core]
    #[arg(long, short = 'j', value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: Option<u16>,
    /// Only the tests of a rule (942100), or one of them (942100-3); may be given again
    #[arg(long, value_name = "ID", value_parser = parse_only)]
    pub(crate) only: Vec<Only>,
    /// Show which rules took most time, N of them
    #[arg(long, value_name = "N", num_args = 0..=1, require_equals = true, default_missing_value = "10")]
    pub(crate) costs: Option<usize>,
}

#[derive(Debug, Args)]
#[command(
    override_usage = "palisade waf exclude [OPTIONS] <REQUEST_ID>\n       \
    palisade waf exclude [OPTIONS] - < LINE\n       \
    palisade waf exclude [OPTIONS] --line <LINE>",
    after_help = "Finds the request in the audit log (logs.audit of the settings), and proposes an exclusion of what each rule\n\
    matched: of this argument, on this path of this host, until a day. Tries it: with the request, made again of what the\n\
    log has, and with the attacks of CRS's tests for the rule, put where the exclusion holds. Writes nothing without\n\
    --write. Exit code 0 where there is an exclusion and, with --write, it was written, else 1.\n\n\
    Examples:\n  \
    palisade waf exclude 6b1f2c3d4e5f6071\n  \
    palisade waf exclude 6b1f2c3d4e5f6071 --comment 'titles of books' --write /etc/palisade/exclusions.conf\n  \
    tail -n 1 decisions.log | palisade waf exclude - --expires 14d --rule 942100"
)]
pub(crate) struct WafExclude {
    #[command(flatten)]
    pub(crate) config: Config,
    /// A file with the audit log, in place of that of the settings; may be given again
    #[arg(long = "log", value_name = "FILE")]
    pub(crate) logs: Vec<PathBuf>,
    /// A line of the decision log or of the audit log
    #[arg(long, value_name = "LINE", conflicts_with = "request")]
    pub(crate) line: Option<String>,
    /// A folder with CRS's tests [default: tests/regression/tests or regression/tests beside the folder of the rules]
    #[arg(long, value_name = "DIR")]
    pub(crate) tests: Option<PathBuf>,
    /// When the exclusion ends of itself: after so many days (90d), on a day (2027-03-01), or never
    #[arg(long, value_name = "WHEN", default_value = "90d", value_parser = parse_expires)]
    pub(crate) expires: Expires,
    /// Why the request is right; stands in the file
    #[arg(long, value_name = "TEXT")]
    pub(crate) comment: Option<String>,
    /// Only what these rules matched; may be given again
    #[arg(long = "rule", value_name = "ID")]
    pub(crate) rules: Vec<u64>,
    /// Exclude more than has to be: all hosts, all paths of the folder, all that the rule looks at; may be given again
    #[arg(long, value_name = "WHAT")]
    pub(crate) wider: Vec<WiderBy>,
    /// Add the exclusion to this rule file, which may be new
    #[arg(long, value_name = "FILE")]
    pub(crate) write: Option<PathBuf>,
    /// Write nothing, as without --write
    #[arg(long, conflicts_with = "write")]
    pub(crate) dry_run: bool,
    /// Write it even where what it does couldn't be tried
    #[arg(long)]
    pub(crate) unproven: bool,
    /// As JSON, one object
    #[arg(long)]
    pub(crate) json: bool,
    /// The request's id (X-Request-Id); - for a line on standard input
    #[arg(value_name = "REQUEST_ID", required_unless_present = "line")]
    pub(crate) request: Option<String>,
}

/// Where an exclusion is wider than it has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum WiderBy {
    /// All hosts that the file is read for
    Host,
    /// All paths of the folder that the request's is in
    Path,
    /// All that the rule looks at
    Argument,
}

/// When an exclusion ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Expires {
    /// It doesn't.
    Never,
    /// After so many days.
    In { days: u32 },
    /// When this day begins, in UTC.
    On(Date),
}

/// The most days, about ten years: longer is `never`, and should be said so.
const EXPIRES_DAYS_MAX: u32 = 3_650;

fn parse_expires(text: &str) -> Result<Expires, String> {
    if text == "never" {
        return Ok(Expires::Never);
    }
    if let Some(days) = text.strip_suffix('d') {
        let days = days.parse().ok();
        let days = days.filter(|days| (1..=EXPIRES_DAYS_MAX).contains(days));
        let days = days.ok_or(format!("expected 1d to {EXPIRES_DAYS_MAX}d"))?;
        return Ok(Expires::In { days });
    }
    let date = text.parse().map(Expires::On);
    date.map_err(|_| "expected days, like 90d, a day, like 2027-03-01, or never".to_owned())
}

/// Which tests are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Only {
    rule_id: u64,
    /// All of the rule where there is none.
    test_id: Option<u64>,
}

impl Only {
    /// Whether the test `id` is run.
    pub(crate) fn is(self, id: TestId) -> bool {
        self.rule_id == id.rule_id && self.test_id.is_none_or(|test_id| test_id == id.test_id)
    }
}

fn parse_only(text: &str) -> Result<Only, String> {
    let (rule_id, test_id) = match text.split_once('-') {
        None => (text, None),
        Some((rule_id, test_id)) => (rule_id, Some(test_id)),
    };
    let number = |text: &str| {
        text.parse::<u64>()
            .map_err(|_| "expected a rule, like 942100, or one of its tests, like 942100-3")
    };
    Ok(Only {
        rule_id: number(rule_id)?,
        test_id: test_id.map(number).transpose()?,
    })
}
