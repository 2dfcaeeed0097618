//! `access`: lists of addresses, rule files and rules.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use palisade_feeds::parse::parse;
use palisade_feeds::{CopyFile, Purpose};
use palisade_vocabulary::Cidr;
use palisade_yaml::{Content, Node};

use super::lists::{self, ReadList};
use super::rules::{self, ReadRule};
use crate::Location;
use crate::reader::{
    AnyKey, Context, EachOf, Either, Fields, FilePath, Key, Kind, Lists, Located, Named, OneOrList,
    Optional, RANGES_INLINE_MAX, Range, Required, ScalarKind, Shape, Table, TableInfo,
    WithLocation,
};

const LISTS_MAX: usize = 1_000;
const RULE_FILES_MAX: usize = 1_000;

/// The longest list file: some three million addresses.
const LIST_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How much longer a copy on disk is than the list.
const COPY_HEADER_BYTES_MAX: u64 = 16 * 1024;

/// The longest rule file, and the longest settings file.
pub(crate) const YAML_BYTES_MAX: u64 = 16 * 1024 * 1024;

pub(super) const ACCESS: Table<Vec<ReadRule>> = Table { info: &INFO, lower };

static INFO: TableInfo = TableInfo {
    name: "access",
    about: "Lists of addresses, and the access rules of all sites.",
    keys: &[&LISTS, &RULE_FILES, &RULES],
    later: &[],
};

type ListKind = Either<RangeList, Table<AccessList>>;

/// A list as the file has it.
enum AccessList {
    /// Its ranges are known.
    Known(Arc<[Cidr]>),
    /// A server has it.
    Remote(Box<ReadList>),
}

static LISTS: Key<Named<ListKind>, Optional> = Key::new(
    "lists",
    Named {
        of: Either {
            plain: RangeList,
            table: LIST_FILE,
        },
        max: LISTS_MAX,
    },
    Optional,
    "Lists of addresses and ranges, by name: written out, a file with one a line, or from a server. Used as `$name` wherever addresses are expected.",
);
static RULE_FILES: Key<OneOrList<WithLocation<FilePath>>, Optional> = Key::new(
    "rule_files",
    OneOrList {
        of: WithLocation(FilePath {
            what: "the path of a rule file, or a pattern like rules/*.yaml",
        }),
        max: RULE_FILES_MAX,
    },
    Optional,
    "Files with rules, in order; `*`, `?` and `[...]` may stand in the last part of a path. Each file holds `rules:` as below. They run after `rules`, so that your own come first.",
);
static RULES: Key<EachOf<Table<ReadRule>>, Optional> =
    Key::new("rules", rules::RULES, Optional, "Rules, in order.");

fn lower(fields: &Fields<'_>) -> Option<Vec<ReadRule>> {
    read_lists(fields);
    let (files, rules) = (fields.get(&RULE_FILES), fields.get(&RULES));
    let from_files = read_rule_files(files?.unwrap_or_default(), fields.context());
    let mut all = rules?.unwrap_or_default();
    all.extend(from_files);
    Some(all)
}

/// Gives the lists to all who read addresses after this.
fn read_lists(fields: &Fields<'_>) {
    let context = fields.context();
    let Some(node) = fields.node(&LISTS) else {
        context.set_lists(Lists::Known(BTreeMap::new()));
        return;
    };
    let read = fields.get(&LISTS).flatten();
    let Content::Mapping(entries) = &node.content else {
        return;
    };
    // A list with a problem keeps its name, so that what uses it isn't reported too.
    let mut lists: BTreeMap<Arc<str>, Option<Arc<[Cidr]>>> = entries
        .iter()
        .map(|entry| (entry.key.clone(), None))
        .collect();
    for (name, list) in read.unwrap_or_default() {
        let ranges = match list {
            AccessList::Known(ranges) => Some(ranges),
            AccessList::Remote(list) => read_remote(&name, *list, context),
        };
        lists.insert(name.value, ranges);
    }
    context.set_lists(Lists::Known(lists));
}

/// The last good copy of a list that a server has. Nobody waits for the server: its answer becomes
/// another copy, which is noticed as any other file that changes.
fn read_remote(
    name: &Located<Arc<str>>,
    list: ReadList,
    context: &Context<'_>,
) -> Option<Arc<[Cidr]>> {
    let list = list.named(context.accept(name.value.parse(), &name.location)?);
    let Some(state_directory) = context.state_directory() else {
        let message = "a list from a server needs `state_directory`, where its last good copy is";
        context.error(&name.location, message);
        return None;
    };
    let file = CopyFile::of(&list, &state_directory);
    let bytes_max = list
        .bytes_max
        .as_u64()
        .saturating_add(COPY_HEADER_BYTES_MAX);
    let content = context.try_read_file(file.path(), bytes_max).ok();
    let saved = content.and_then(|content| file.decode(&content.bytes).ok().flatten());
    let parsed = saved.and_then(|saved| parse(&list.format, &saved.bytes, list.limits).ok());
    if parsed.is_none() {
        let message = "there is no copy of this list yet: it is empty until its server answers";
        context.warning(&name.location, message);
    }
    context.add_remote_list(list);
    Some(parsed.unwrap_or_default().ranges.into())
}

/// Ranges that are written out.
struct RangeList;

const RANGES: OneOrList<Range> = OneOrList {
    of: Range,
    max: RANGES_INLINE_MAX,
};

impl Kind for RangeList {
    type Value = AccessList;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<AccessList> {
        let ranges = RANGES.read(node, context)?;
        Some(AccessList::Known(ranges.into()))
    }

    fn shape(&self) -> Shape {
        RANGES.shape()
    }
}

const LIST_FILE: Table<AccessList> = Table {
    info: &LIST_FILE_INFO,
    lower: |fields| {
        let path = match fields.get(&lists::FILE)? {
            Some(path) if !fields.has(&lists::URL) => path,
            _ => {
                let list = lists::lower(fields, Purpose::Named)?;
                return Some(AccessList::Remote(Box::new(list)));
            }
        };
        for key in OF_SERVERS.into_iter().filter(|key| fields.has(*key)) {
            let message = format!("only a list with `url` has `{}`; leave it out", key.name());
            fields.context().error(fields.location(), message);
        }
        let file =
            fields
                .context()
                .read_file(&path, LIST_BYTES_MAX, fields.location_of(&lists::FILE))?;
        parse_list(&path, &file.bytes, fields.context()).map(AccessList::Known)
    },
};

/// What only a list from a server has.
static OF_SERVERS: [&dyn AnyKey; 9] = [
    &lists::REFRESH,
    &lists::TIMEOUT,
    &lists::FORMAT,
    &lists::COLUMN,
    &lists::SEPARATOR,
    &lists::KEY,
    &lists::SIZE_MAX,
    &lists::ENTRIES_MAX,
    &lists::WIDE_RANGES,
];

static LIST_FILE_INFO: TableInfo = TableInfo {
    name: "access.lists",
    about: "A list in a file: one address or range a line; what follows `#` or `;` is a comment, and a bad line is an error. Or one from a server (`url`), in any format and with bad entries left out, as `block_lists` are: that needs `state_directory`, and is empty until the server first answered.",
    keys: &[
        &lists::FILE,
        &lists::URL,
        &lists::REFRESH,
        &lists::TIMEOUT,
        &lists::FORMAT,
        &lists::COLUMN,
        &lists::SEPARATOR,
        &lists::KEY,
        &lists::SIZE_MAX,
        &lists::ENTRIES_MAX,
        &lists::WIDE_RANGES,
        &lists::MAY_BE_EMPTY,
    ],
    later: &[],
};

/// The most bad lines of one list file that are told.
const BAD_LINES_MAX: usize = 20;

/// One range a line. A list with a bad line is not used at all, since a block list that quietly lost a
/// line would let somebody in.
fn parse_list(path: &Path, bytes: &[u8], context: &Context<'_>) -> Option<Arc<[Cidr]>> {
    let file: Arc<Path> = path.into();
    let (mut ranges, mut bad_lines) = (Vec::new(), 0);
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let text = String::from_utf8_lossy(line);
        let value = text.split(['#', ';']).next().unwrap_or_default();
        let value = value.trim_start_matches('\u{feff}').trim();
        if value.is_empty() {
            continue;
        }
        let message = match Range.parse(value) {
            Ok(range) => {
                ranges.push(range);
                continue;
            }
            Err(_) if bad_lines == BAD_LINES_MAX => {
                "more bad lines follow; mend these first".to_owned()
            }
            Err(message) => message,
        };
        let column = text.chars().take_while(|c| c.is_whitespace()).count() + 1;
        let column = u32::try_from(column).unwrap_or(u32::MAX);
        context.error(&Location::new(Arc::clone(&file), number, column), message);
        bad_lines += 1;
        if bad_lines > BAD_LINES_MAX {
            break;
        }
    }
    (bad_lines == 0).then(|| ranges.into())
}

/// The rules of all files; a file that can't be read was reported.
fn read_rule_files(patterns: Vec<Located<PathBuf>>, context: &Context<'_>) -> Vec<ReadRule> {
    let mut rules = Vec::new();
    for pattern in patterns {
        let files = context.matching_files(&pattern.value, &pattern.location);
        for path in files.unwrap_or_default() {
            rules.extend(read_rule_file(&path, &pattern.location, context).unwrap_or_default());
        }
    }
    rules
}

fn read_rule_file(
    path: &Path,
    named_at: &Location,
    context: &Context<'_>,
) -> Option<Vec<ReadRule>> {
    let file = context.read_file(path, YAML_BYTES_MAX, named_at)?;
    let root = context.parse_yaml(&path.into(), &file)?;
    RULE_FILE.read(&root, context)
}

const RULE_FILE: Table<Vec<ReadRule>> = Table {
    info: &RULE_FILE_INFO,
    lower: |fields| fields.get(&FILE_RULES),
};

/// Not part of the settings file itself: the reference names it apart.
pub(super) static RULE_FILE_INFO: TableInfo = TableInfo {
    name: "rule file",
    about: "A file that `access.rule_files` names.",
    keys: &[&FILE_RULES],
    later: &[],
};

static FILE_RULES: Key<EachOf<Table<ReadRule>>, Required> = Key::new(
    "rules",
    rules::RULES,
    Required,
    "Rules, in order; see `access.rules`.",
);
