//! `block_lists`, `allow_lists`, and what lists of `access.lists` have in common with them.

use std::path::PathBuf;
use std::sync::Arc;

use palisade_decisions::Remedy;
use palisade_feeds::parse::{Column, CsvFormat, Format, Limits};
use palisade_feeds::{
    BlockSettings, FetchTimeout, HoldTime, ListName, ListSettings, ListSource, ListUrl, Purpose,
    RefreshInterval, UrlSettings,
};
use palisade_vocabulary::ByteSize;
use palisade_yaml::Node;

use crate::reader::{
    Choice, Context, Defaulted, DurationIn, Fields, FilePath, Flag, FromText, Integer, Key, Kind,
    Located, Optional, Shape, SizeIn, Table, TableInfo, Text,
};

/// The most lists of one kind.
pub(super) const LISTS_MAX: usize = 200;

/// A list but for its name.
#[derive(Clone, Debug)]
pub(super) struct ReadList {
    source: ListSource,
    format: Format,
    bytes_max: ByteSize,
    limits: Limits,
    may_be_empty: bool,
    purpose: Purpose,
}

impl ReadList {
    pub(super) fn named(self, name: ListName) -> ListSettings {
        ListSettings {
            name,
            purpose: self.purpose,
            source: self.source,
            format: self.format,
            bytes_max: self.bytes_max,
            limits: self.limits,
            may_be_empty: self.may_be_empty,
        }
    }
}

/// The lists under their names; a name that is none is reported.
pub(super) fn named(
    lists: Option<Vec<(Located<Arc<str>>, ReadList)>>,
    context: &Context<'_>,
) -> Option<Vec<ListSettings>> {
    let named = lists.unwrap_or_default().into_iter().map(|(name, list)| {
        let parsed = context.accept(name.value.parse(), &name.location)?;
        Some(list.named(parsed))
    });
    let named: Vec<_> = named.collect();
    named.into_iter().collect()
}

pub(super) const BLOCK_LISTS: Table<ReadList> = Table {
    info: &BLOCK_INFO,
    lower: |fields| {
        let list = lower(fields, Purpose::Allow);
        let (remedy, hold) = (fields.get(&REMEDIATION), fields.get(&EXPIRES));
        let hold = match hold? {
            Some(time) => Some(fields.accept(HoldTime::new(time), &EXPIRES)?),
            None => None,
        };
        let block = BlockSettings {
            remedy: remedy?,
            hold,
        };
        Some(ReadList {
            purpose: Purpose::Block(block),
            ..list?
        })
    },
};

static BLOCK_INFO: TableInfo = TableInfo {
    name: "block_lists",
    about: "A list whose addresses are refused, from a file or a server. The last good copy stays in force while no good one comes; with `state_directory`, over a restart too.",
    keys: &[
        &FILE,
        &URL,
        &REFRESH,
        &TIMEOUT,
        &FORMAT,
        &COLUMN,
        &SEPARATOR,
        &KEY,
        &SIZE_MAX,
        &ENTRIES_MAX,
        &WIDE_RANGES,
        &MAY_BE_EMPTY,
        &REMEDIATION,
        &EXPIRES,
    ],
    later: &[],
};

pub(super) const ALLOW_LISTS: Table<ReadList> = Table {
    info: &ALLOW_INFO,
    lower: |fields| lower(fields, Purpose::Allow),
};

static ALLOW_INFO: TableInfo = TableInfo {
    name: "allow_lists",
    about: "A list of clients that no block list and no decision of CrowdSec refuses. Local decisions, access rules and all other checks do: `trusted_clients` pass those too.",
    keys: &[
        &FILE,
        &URL,
        &REFRESH,
        &TIMEOUT,
        &FORMAT,
        &COLUMN,
        &SEPARATOR,
        &KEY,
        &SIZE_MAX,
        &ENTRIES_MAX,
        &WIDE_RANGES,
        &MAY_BE_EMPTY,
    ],
    later: &[],
};

pub(super) static FILE: Key<FilePath, Optional> = Key::new(
    "file",
    FilePath {
        what: "the path of a list file",
    },
    Optional,
    "A file with the list, which is read again when it changes. Exactly one of `file` and `url`.",
);
pub(super) static URL: Key<FromText<ListUrl>, Optional> = Key::new(
    "url",
    FromText::new("a URL like https://lists.example/drop.txt"),
    Optional,
    "Where a server has the list. Its certificate is verified; at most five redirects are followed, never from https to http.",
);
pub(super) static REFRESH: Key<DurationIn, Defaulted> = Key::new(
    "refresh",
    DurationIn {
        min: RefreshInterval::MIN,
        max: RefreshInterval::MAX,
    },
    Defaulted("1h"),
    "How often the server is asked, each time moved by up to a tenth either way; only for a new copy (ETag, Last-Modified).",
);
pub(super) static TIMEOUT: Key<DurationIn, Defaulted> = Key::new(
    "timeout",
    DurationIn {
        min: FetchTimeout::MIN,
        max: FetchTimeout::MAX,
    },
    Defaulted("1m"),
    "How long the server's answer may take, to its last byte.",
);
pub(super) static FORMAT: Key<Choice<Written>, Defaulted> = Key::new(
    "format",
    Choice {
        words: &[
            ("text", Written::Text),
            ("netset", Written::Text),
            ("ipset", Written::Ipset),
            ("csv", Written::Csv),
            ("json", Written::Json),
            ("json_lines", Written::JsonLines),
        ],
        later: &[],
    },
    Defaulted("text"),
    "`text`, `netset`: an address or range a line; lines that begin with `#`, `;` or `//` and what follows an address are comments. `ipset`: what `ipset save` prints, or an address or range a line. `csv`: see `column`. `json`: an array of texts, or of objects, see `key`. `json_lines`: a text or an object a line.",
);
pub(super) static COLUMN: Key<ColumnKind, Optional> = Key::new(
    "column",
    ColumnKind,
    Optional,
    "Of `csv`: the column with the addresses, by number from 1 or by its name in the first line. Absent: 1.",
);
pub(super) static SEPARATOR: Key<Choice<u8>, Defaulted> = Key::new(
    "separator",
    Choice {
        words: &[
            ("comma", b','),
            ("semicolon", b';'),
            ("tab", b'\t'),
            ("pipe", b'|'),
        ],
        later: &[],
    },
    Defaulted("comma"),
    "Of `csv`: what stands between columns.",
);
pub(super) static KEY: Key<Text, Optional> = Key::new(
    "key",
    Text {
        what: "the name of a key",
        len_max: 256,
    },
    Optional,
    "Of `json` and `json_lines`: the key of objects under which the address is. Absent: there are no objects.",
);
pub(super) static SIZE_MAX: Key<SizeIn, Defaulted> = Key::new(
    "size_max",
    SizeIn {
        min: ListSettings::BYTES.0,
        max: ListSettings::BYTES.1,
    },
    Defaulted("32MiB"),
    "The longest copy that is used, after decompression.",
);
pub(super) static ENTRIES_MAX: Key<Integer<usize>, Defaulted> = Key::new(
    "entries_max",
    Integer {
        min: ListSettings::ENTRIES.0,
        max: ListSettings::ENTRIES.1,
    },
    Defaulted("1000000"),
    "The most addresses and ranges of a copy that is used.",
);
pub(super) static WIDE_RANGES: Key<Flag, Defaulted> = Key::new(
    "wide_ranges",
    Flag,
    Defaulted("false"),
    "`true`: ranges wider than /8 (IPv4) and /16 (IPv6) are believed. `false`: they are left out, as what can't be read.",
);
pub(super) static MAY_BE_EMPTY: Key<Flag, Defaulted> = Key::new(
    "may_be_empty",
    Flag,
    Defaulted("false"),
    "`true`: a copy without entries is believed. `false`: not where the last good one had some.",
);
static REMEDIATION: Key<Choice<Remedy>, Defaulted> = Key::new(
    "remediation",
    Choice {
        words: &[
            ("ban", Remedy::Ban),
            ("captcha", Remedy::Captcha),
            ("throttle", Remedy::Throttle),
        ],
        later: &[],
    },
    Defaulted("ban"),
    "What is done with clients on the list. For what this version can't give, `crowdsec.fallback_remediation` counts.",
);
static EXPIRES: Key<DurationIn, Optional> = Key::new(
    "expires",
    DurationIn {
        min: HoldTime::MIN,
        max: HoldTime::MAX,
    },
    Optional,
    "How long an entry holds after the last good answer that named it. Absent: as long as the last good copy has it, however old that is.",
);

/// How a list is written, but for where the address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Written {
    Text,
    Ipset,
    Csv,
    Json,
    JsonLines,
}

/// A number or a name.
pub(super) struct ColumnKind;

/// The most columns.
const COLUMNS_MAX: u16 = 1_000;

impl Kind for ColumnKind {
    type Value = Column;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<Column> {
        let text = context.text(node, &self.shape())?;
        let number = text.parse::<u16>().ok();
        match number {
            Some(number) if (1..=COLUMNS_MAX).contains(&number) => Some(Column::Number(number)),
            None if !text.is_empty() => Some(Column::Name(text.as_ref().into())),
            _ => {
                let message = format!("expected a number from 1 to {COLUMNS_MAX}, or a name");
                context.error(&node.location, message);
                None
            }
        }
    }

    fn shape(&self) -> Shape {
        Shape::Text("the number or the name of a column")
    }
}

/// What all lists have.
pub(super) fn lower(fields: &Fields<'_>, purpose: Purpose) -> Option<ReadList> {
    let (source, format) = (source(fields), format(fields));
    let (bytes_max, entries_max) = (fields.get(&SIZE_MAX), fields.get(&ENTRIES_MAX));
    let (wide_ranges, may_be_empty) = (fields.get(&WIDE_RANGES), fields.get(&MAY_BE_EMPTY));
    Some(ReadList {
        source: source?,
        format: format?,
        bytes_max: bytes_max?,
        limits: Limits {
            entries_max: entries_max?,
            wide_ranges: wide_ranges?,
        },
        may_be_empty: may_be_empty?,
        purpose,
    })
}

fn source(fields: &Fields<'_>) -> Option<ListSource> {
    let (file, url) = (fields.get(&FILE), fields.get(&URL));
    let (refresh, timeout) = (fields.get(&REFRESH), fields.get(&TIMEOUT));
    let refresh = fields.accept(RefreshInterval::new(refresh?), &REFRESH)?;
    let timeout = fields.accept(FetchTimeout::new(timeout?), &TIMEOUT)?;
    let file: Option<PathBuf> = file?;
    match (file, url?) {
        (Some(path), None) => Some(ListSource::File(path)),
        (None, Some(url)) => Some(ListSource::Url(UrlSettings {
            url,
            refresh,
            timeout,
        })),
        _ => {
            let message = "a list comes from one place; give either `file` or `url`";
            fields.context().error(fields.location(), message);
            None
        }
    }
}

fn format(fields: &Fields<'_>) -> Option<Format> {
    let (format, column) = (fields.get(&FORMAT), fields.get(&COLUMN));
    let (separator, key) = (fields.get(&SEPARATOR), fields.get(&KEY));
    let (format, column, key) = (format?, column?, key?);
    let context = fields.context();
    if column.is_some() && format != Written::Csv {
        let message = "only `format: csv` has columns; leave `column` out";
        context.error(fields.location_of(&COLUMN), message);
        return None;
    }
    if key.is_some() && !matches!(format, Written::Json | Written::JsonLines) {
        let message = "only `format: json` and `json_lines` have keys; leave `key` out";
        context.error(fields.location_of(&KEY), message);
        return None;
    }
    let key = key.map(Into::into);
    Some(match format {
        Written::Text => Format::Text,
        Written::Ipset => Format::Ipset,
        Written::Csv => Format::Csv(CsvFormat {
            column: column.unwrap_or(Column::Number(1)),
            separator: separator?,
        }),
        Written::Json => Format::Json { key },
        Written::JsonLines => Format::JsonLines { key },
    })
}
