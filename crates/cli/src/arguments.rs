//! What can be said on the command line.

mod bench;
mod waf;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};
use palisade_admin::DeleteTarget;
use palisade_admin::api::LISTED_MAX;
use palisade_decisions::Scope;

use crate::decisions::{parse_delete_target, parse_duration, parse_scope};

pub(crate) use bench::Bench;
pub(crate) use waf::{
    Expires, Waf, WafAction, WafCheck, WafExclude, WafExplain, WafShadow, WafShadowAction,
    WafShadowReport, WafTest, WiderBy,
};

/// Where the settings are unless `--config` says otherwise.
pub(crate) const DEFAULT_CONFIG: &str = "/etc/palisade/palisade.yaml";

/// A reverse proxy that decides, before a backend sees a byte, whether a request may pass.
#[derive(Debug, Parser)]
#[command(
    name = "palisade",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 ok, 1 failed, 2 wrong usage.\n\n\
        Examples:\n  \
        palisade run --demo\n  \
        palisade check --config palisade.yaml\n  \
        palisade explain --config palisade.yaml --client 203.0.113.7 https://app.example.com/.env\n  \
        palisade decisions add 203.0.113.7 --duration 4h --reason 'tried every password'"
)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the proxy.
    Run(Run),
    /// Check the settings and print every problem with its place.
    Check(Check),
    /// Say what would become of a request, and why; contacts nobody.
    Explain(Explain),
    /// List and change the local decisions of a running Palisade.
    Decisions(Decisions),
    /// Check, explain and test rules of a web application firewall (SecLang, like OWASP CRS)
    Waf(Waf),
    /// Find an installed OWASP CRS and write the settings that use it
    Crs(Crs),
    /// Measure Palisade and other servers side by side, on this machine
    Bench(Bench),
    /// Say whether a running Palisade is ready: exit code 0 or 1.
    Health(Health),
    /// Print the version.
    Version,
}

/// Where the settings are.
#[derive(Clone, Debug, Args)]
pub(crate) struct Config {
    /// The settings file [default: /etc/palisade/palisade.yaml]
    #[arg(long, short, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

impl Config {
    /// The settings file.
    pub(crate) fn path(&self) -> &Path {
        self.config
            .as_deref()
            .unwrap_or_else(|| Path::new(DEFAULT_CONFIG))
    }
}

#[derive(Debug, Args)]
#[command(
    after_help = "Signals: SIGTERM and SIGINT drain and stop; SIGHUP reads the settings again; SIGQUIT starts the\n\
    program again and lets it take over, without a request lost.\n\n\
    Examples:\n  palisade run --demo\n  palisade run --config /etc/palisade/palisade.yaml"
)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) config: Config,
    /// Run the built-in example on 127.0.0.1:8000: shipped rules, a demo backend, local decisions
    #[arg(long, conflicts_with = "config")]
    pub(crate) demo: bool,
    /// Threads that serve connections [default: one for each core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) threads: Option<u16>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Asks /readyz of the metrics door. For health checks of containers.\n\n\
    Examples:\n  palisade health\n  palisade health --address 127.0.0.1:9900"
)]
pub(crate) struct Health {
    #[command(flatten)]
    pub(crate) config: Config,
    /// The metrics door [default: the one that the settings name]
    #[arg(long, value_name = "ADDRESS:PORT", conflicts_with = "config")]
    pub(crate) address: Option<SocketAddr>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Prints every problem as FILE:LINE:COLUMN: error|warning: what is wrong.\n\
    Exit code 0 where there are no errors, else 1.\n\n\
    Example:\n  palisade check --config palisade.yaml"
)]
pub(crate) struct Check {
    #[command(flatten)]
    pub(crate) config: Config,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Runs the checks of a real request, offline, with the decisions that were saved in\n\
    state_directory, and prints each with its outcome.\n\n\
    Examples:\n  \
    palisade explain --client 203.0.113.7 https://app.example.com/admin\n  \
    palisade explain --client 10.0.0.1 -H 'X-Forwarded-For: 203.0.113.7' -H 'User-Agent: sqlmap' http://app.example.com/"
)]
pub(crate) struct Explain {
    #[command(flatten)]
    pub(crate) config: Config,
    /// The address that the connection comes from: the TCP peer, or what PROXY says
    #[arg(long, value_name = "ADDR")]
    pub(crate) client: IpAddr,
    /// The method
    #[arg(long, short = 'X', value_name = "M", default_value = "GET")]
    pub(crate) method: String,
    /// A header field; may be given again
    #[arg(long = "header", short = 'H', value_name = "'N: V'")]
    pub(crate) headers: Vec<String>,
    /// A file with the request's body, for SecLang rules; say its type with --header
    #[arg(long, value_name = "FILE")]
    pub(crate) body: Option<PathBuf>,
    /// A certificate that the client shows (PEM), then those that lead to its authority
    #[arg(long, value_name = "FILE")]
    pub(crate) client_certificate: Option<PathBuf>,
    /// The listener that it comes in on [default: the first one]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listener: Option<SocketAddr>,
    /// What is asked for: http://host/path or https://host/path
    pub(crate) url: String,
}

#[derive(Debug, Args)]
#[command(after_help = "Without --output the settings are printed.\n\n\
    Examples:\n  \
    palisade crs\n  \
    palisade crs --folder ~/coreruleset-4.28.0 --output /etc/palisade")]
pub(crate) struct Crs {
    /// The folder that CRS is in [default: where distributions put it]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) folder: Option<PathBuf>,
    /// Write waf.yaml and recommended.conf into this folder
    #[arg(long, short, value_name = "FOLDER")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Speaks to a running Palisade through its admin socket (`admin: { socket: ... }`).\n\n\
    Examples:\n  \
    palisade decisions list --address 203.0.113.7\n  \
    palisade decisions add 203.0.113.0/24 --duration 1d --reason scanners\n  \
    palisade decisions add country:KP\n  \
    palisade decisions delete 203.0.113.0/24\n  \
    palisade decisions flush"
)]
pub(crate) struct Decisions {
    #[command(flatten)]
    pub(crate) config: Config,
    /// The admin socket [default: the one that the settings name]
    #[arg(long, value_name = "PATH", global = true, conflicts_with = "config")]
    pub(crate) socket: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) action: DecisionsAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DecisionsAction {
    /// List decisions, local ones and CrowdSec's
    List {
        /// Only those that hold for this address: its own, its ranges', its country's
        #[arg(long, value_name = "ADDR")]
        address: Option<IpAddr>,
        /// Only local ones
        #[arg(long)]
        local: bool,
        /// At most so many
        #[arg(long, default_value_t = 100, value_name = "N", value_parser = list_limit())]
        limit: usize,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Add a local decision, or replace the one with the same target and type
    Add {
        /// An address, a range, country:XX or as:NUMBER
        #[arg(value_parser = parse_scope)]
        target: Scope,
        /// What is done
        #[arg(long = "type", default_value = "ban", value_name = "TYPE", value_parser = ["ban", "captcha", "throttle"])]
        kind: String,
        /// For how long: 30m, 4h, 7d; at most ten years
        #[arg(long, default_value = "4h", value_parser = parse_duration)]
        duration: Duration,
        /// Why, for the logs
        #[arg(long, default_value = "added by hand")]
        reason: String,
    },
    /// Take local decisions back
    Delete {
        /// An address, a range, country:XX or as:NUMBER; or id:NUMBER
        #[arg(value_parser = parse_delete_target)]
        target: DeleteTarget,
    },
    /// Take all local decisions back
    Flush,
}

fn list_limit() -> RangedU64ValueParser<usize> {
    let max = u64::try_from(LISTED_MAX).unwrap_or(u64::MAX);
    RangedU64ValueParser::new().range(1..=max)
}
