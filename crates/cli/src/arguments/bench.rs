//! `palisade bench`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap::builder::PossibleValuesParser;
use palisade_bench::loopback::Loopback;
use palisade_bench::palisade::Setting;
use palisade_bench::peers::{self, Peer};
use palisade_bench::plan::{Part, Running};
use palisade_bench::transport::{self, Transport};
use palisade_bench::workload::{Kind, Values};

const HOW_TO_READ: &str = "\
Starts a backend on loopback, Palisade in each of --settings, and each peer in front of it, and lets each answer
the same requests in turn, round after round. Everything that it starts, it ends.

How to read it:
  Processor time a request is what decides how much hardware a server takes. It is read from /proc for all processes
  and threads of the server, and stays nearly the same on a busy machine. In parentheses: how many times as much as
  the reference takes, from the rounds' own ratios. Compare ratios of one run; figures of two machines, or of two
  days on one, say little.
  What a second brings is bounded by server, clients and backend together: they share the machine.
  Latency is at a fixed rate, in an open loop: requests are sent when it is time to, and count from then, also where
  those before them are late (coordinated omission). The rate is seven tenths of what server, clients and backend
  together can when they are offered more than that. p99.9 is one of a thousand: on a machine with other work it
  shows the other work. Where requests were waiting at the end of most windows, nothing is said of goals.
  gate-live is measured while LAPI announces 50,000 decisions or takes them back, while it is silent, and while
  rules are read again; gate-large (10,000 rules) and waf-1 (OWASP CRS) while theirs are; the others in quiet.
  An idle connection is what resident memory grew by, for each of --idle connections after one request each.
  A cell is empty where a server can't do what it asks, or where answers were other than they should be: then a note
  says what was wrong. Requests have new values each time (see --values), clients are on no list. Servers write no access log.

Peers are used where they are installed; `./set-up bench` of Palisade's repository installs them. Their settings are
in crates/bench/peers.

Examples:
  palisade bench
  palisade bench --with none --settings bare,gate,gate-live
  palisade bench --with nginx,haproxy --json figures.json --svg figures.svg
  palisade bench --settings bare,gate,waf-1 --crs /usr/share/coreruleset
  palisade bench --target mine=127.0.0.1:8080 --parts requests --requests get,form
  palisade bench --list";

#[derive(Debug, Args)]
#[command(after_help = HOW_TO_READ)]
pub(crate) struct Bench {
    /// The servers to compare with, by name (see --list), or none [default: all that are installed]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = peer_names())]
    pub(crate) with: Vec<String>,
    /// A server that runs already, on loopback; may be given again
    #[arg(long, value_name = "[NAME=]ADDRESS:PORT", value_parser = parse_running)]
    pub(crate) target: Vec<Running>,
    /// What Palisade is told to do; waf-1 and waf-2 need --crs [default: bare,gate, and with --crs waf-1]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = setting_names())]
    pub(crate) settings: Vec<String>,
    /// Which figures are taken [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = part_names())]
    pub(crate) parts: Vec<String>,
    /// Which requests are sent [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = kind_names())]
    pub(crate) requests: Vec<String>,
    /// Whether each request has new values, or those of sixteen come again and again
    #[arg(long, value_name = "NAME", default_value = "new", value_parser = ["new", "seen"])]
    values: String,
    /// How they are carried [default: all]
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = transport_names())]
    pub(crate) transports: Vec<String>,
    /// How often each figure is taken
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) rounds: u32,
    /// How long a server is loaded at a time
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(10..=60_000))]
    turn: u32,
    /// How long at a time at a fixed rate; a delta takes up to 1.5 s until it is in force
    #[arg(long, value_name = "MILLISECONDS", default_value_t = 3_000, value_parser = clap::value_parser!(u32).range(500..=60_000))]
    window: u32,
    /// Clients at a time
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub(crate) clients: u16,
    /// Idle connections of each kind
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub(crate) idle: u16,
    /// Serving threads, or processes, of each server
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) workers: u16,
    /// The folder of OWASP CRS 4, with crs-setup.conf.example and rules
    #[arg(long, value_name = "FOLDER")]
    pub(crate) crs: Option<PathBuf>,
    /// A database that tells countries (.mmdb); without it the gate asks for none
    #[arg(long, value_name = "FILE")]
    pub(crate) country_database: Option<PathBuf>,
    /// Write all figures as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Write all figures as comma-separated values
    #[arg(long, value_name = "FILE")]
    pub(crate) csv: Option<PathBuf>,
    /// Write a picture of what a request costs
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Write the tables, as Markdown, to a file too
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    /// Measure nothing: print the tables of an earlier run, from what it wrote with --json
    #[arg(long, value_name = "FILE", conflicts_with = "with")]
    pub(crate) from: Option<PathBuf>,
    /// Print the servers that can be compared with, and which are here
    #[arg(long)]
    pub(crate) list: bool,
}

/// All that are installed.
const ALL: &str = "all";
/// No peers.
const NONE: &str = "none";

impl Bench {
    /// The peers that are asked for.
    pub(crate) fn peers(&self) -> Vec<&'static Peer> {
        let is_wanted = |peer: &&'static Peer| {
            self.takes_what_is_here() || self.with.iter().any(|name| name == peer.name)
        };
        peers::all().into_iter().filter(is_wanted).collect()
    }

    /// Whether a peer that isn't here is no mistake.
    pub(crate) fn takes_what_is_here(&self) -> bool {
        self.with.is_empty() || self.with.iter().any(|name| name == ALL)
    }

    /// The files that are written.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        let files = [&self.json, &self.csv, &self.svg, &self.markdown];
        files.into_iter().flatten().map(PathBuf::as_path)
    }

    /// What Palisade is told to do.
    pub(crate) fn settings(&self) -> Vec<Setting> {
        let is_wanted = |setting: &Setting| match self.settings.is_empty() {
            true => match setting {
                Setting::Bare | Setting::Gate => true,
                Setting::Waf1 => self.crs.is_some(),
                _ => false,
            },
            false => self.settings.iter().any(|name| name == setting.name()),
        };
        Setting::ALL.into_iter().filter(is_wanted).collect()
    }

    /// How long a server is loaded at a time.
    pub(crate) fn turn(&self) -> Duration {
        Duration::from_millis(self.turn.into())
    }

    /// How long at a time at a fixed rate.
    pub(crate) fn window(&self) -> Duration {
        Duration::from_millis(self.window.into())
    }

    /// Which figures are taken.
    pub(crate) fn parts(&self) -> Vec<Part> {
        chosen(&self.parts, &Part::ALL, |part| part.name())
    }

    /// Which requests are sent.
    pub(crate) fn kinds(&self) -> Vec<Kind> {
        chosen(&self.requests, &Kind::ALL, |kind| kind.name())
    }

    /// Whether values come again.
    pub(crate) fn values(&self) -> Values {
        match self.values.as_str() {
            "seen" => Values::Seen,
            _ => Values::New,
        }
    }

    /// How they are carried.
    pub(crate) fn transports(&self) -> Vec<Transport> {
        chosen(&self.transports, &transport::ALL, |one| one.name)
    }
}

/// Those that are named; all where none is.
fn chosen<T: Copy>(names: &[String], all: &[T], name_of: impl Fn(&T) -> &'static str) -> Vec<T> {
    let is_wanted = |one: &&T| names.is_empty() || names.iter().any(|name| name == name_of(one));
    all.iter().filter(is_wanted).copied().collect()
}

fn peer_names() -> PossibleValuesParser {
    let names = peers::all().into_iter().map(|peer| peer.name);
    names.chain([ALL, NONE]).collect::<Vec<_>>().into()
}

fn setting_names() -> PossibleValuesParser {
    Setting::ALL.map(Setting::name).into()
}

fn part_names() -> PossibleValuesParser {
    Part::ALL.map(Part::name).into()
}

fn kind_names() -> PossibleValuesParser {
    Kind::ALL.map(Kind::name).into()
}

fn transport_names() -> PossibleValuesParser {
    transport::ALL.map(|one| one.name).into()
}

fn parse_running(text: &str) -> Result<Running, String> {
    let (name, door) = text.split_once('=').unwrap_or(("target", text));
    let is_name =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.is_empty() || !name.chars().all(is_name) {
        return Err(format!(
            "{name:?} is no name of letters, digits, '-', '_' and '.'"
        ));
    }
    let door: Loopback = door.parse().map_err(|error| format!("{error}"))?;
    Ok(Running {
        name: name.to_owned(),
        door,
    })
}
