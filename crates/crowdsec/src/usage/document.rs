//! The document, as `pkg/models/*metrics*.go` of CrowdSec wants it.

use std::sync::Arc;

use palisade_vocabulary::IpFamily;
use serde::Serialize;

use super::{OperatingSystem, UsageTotals};

/// The longest text that LAPI takes, in bytes.
const TEXT_BYTES_MAX: usize = 255;

/// What a report says of the process that makes it; the same in all its reports.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The version of Palisade.
    pub version: &'static str,
    /// The machine's system; none where it isn't known.
    pub os: Option<OperatingSystem>,
    /// When the process began, in seconds since 1970-01-01T00:00:00Z.
    pub started_unix_seconds: u64,
}

/// The time that a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// Its end, in seconds since 1970-01-01T00:00:00Z. LAPI drops items that it has seen with the
    /// same end, so that no two reports may have one.
    pub(super) end_unix_seconds: u64,
    /// How long it was.
    pub(super) seconds: u64,
}

#[derive(Serialize)]
struct Document<'a> {
    /// LAPI takes exactly one.
    remediation_components: [Component<'a>; 1],
    log_processors: Option<()>,
}

#[derive(Serialize)]
struct Component<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    name: &'static str,
    version: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    os: Option<Os<'a>>,
    feature_flags: [&'static str; 0],
    utc_startup_timestamp: u64,
    metrics: [Metrics<'a>; 1],
}

#[derive(Serialize)]
struct Os<'a> {
    name: &'a str,
    family: &'a str,
    version: &'a str,
}

#[derive(Serialize)]
struct Metrics<'a> {
    meta: Meta,
    items: Vec<Item<'a>>,
}

#[derive(Serialize)]
struct Meta {
    window_size_seconds: u64,
    utc_now_timestamp: u64,
}

#[derive(Serialize)]
struct Item<'a> {
    name: &'static str,
    value: u64,
    unit: &'static str,
    labels: Labels<'a>,
}

/// The only labels that LAPI reads. Items that differ in another one, and have one value, are one
/// item to it.
#[derive(Serialize)]
struct Labels<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ip_type: Option<&'static str>,
}

/// The body of a report of `added`, in which counters are what the window added.
pub(super) fn document(identity: &Identity, window: Window, added: &UsageTotals) -> Vec<u8> {
    let os = identity.os.as_ref().map(|os| Os {
        name: os.name(),
        family: os.family(),
        version: os.version(),
    });
    let document = Document {
        remediation_components: [Component {
            kind: "palisade",
            name: "palisade",
            version: identity.version,
            os,
            feature_flags: [],
            utc_startup_timestamp: identity.started_unix_seconds,
            metrics: [Metrics {
                meta: Meta {
                    window_size_seconds: window.seconds,
                    utc_now_timestamp: window.end_unix_seconds,
                },
                items: items(added),
            }],
        }],
        log_processors: None,
    };
    // Maps with texts as keys are the only thing that can fail, and there is none.
    serde_json::to_vec(&document).unwrap_or_default()
}

/// Requests are named even where there were none: a report without items is none to LAPI.
fn items(added: &UsageTotals) -> Vec<Item<'_>> {
    let processed = IpFamily::ALL.into_iter().map(|family| {
        let count = added.processed.get(&family).copied().unwrap_or_default();
        item("processed", "request", count, None, Some(family))
    });
    let dropped = added.dropped.iter().map(|((origin, family), count)| {
        item("dropped", "request", *count, Some(origin), Some(*family))
    });
    let active = added
        .active_decisions
        .iter()
        .map(|((origin, family), count)| {
            item("active_decisions", "ip", *count, Some(origin), *family)
        });
    processed.chain(dropped).chain(active).collect()
}

fn item<'a>(
    name: &'static str,
    unit: &'static str,
    value: u64,
    origin: Option<&'a Arc<str>>,
    family: Option<IpFamily>,
) -> Item<'a> {
    let labels = Labels {
        origin: origin.map(|origin| bounded(origin)),
        ip_type: family.map(IpFamily::as_str),
    };
    Item {
        name,
        value,
        unit,
        labels,
    }
}

/// The start of `text` that LAPI takes.
pub(super) fn bounded(text: &str) -> &str {
    let ends = (0..=TEXT_BYTES_MAX.min(text.len())).rev();
    let end = ends.into_iter().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
