//! `match`: when a rule applies.

use std::sync::Arc;

use http::HeaderName;
use palisade_access::{
    AddressCondition, AsnCondition, Condition, ConditionError, CountryCondition, Field,
    TextCondition,
};
use palisade_vocabulary::{Asn, Cidr, Country};

use super::matchers::{ByName, Matcher, PatternGroups, VALUES_MAX};
use super::unmatchable::{Unmatchable, unmatchable};
use crate::reader::{
    Fields, Key, ListOf, Nested, OneOrList, Optional, RANGES_INLINE_MAX, RangeItem, RangeOrList,
    ScalarKind, Shape, Table, TableInfo,
};

/// The most conditions in one `any` or `all`.
const PARTS_MAX: usize = 1_000;

/// A static, since conditions hold conditions.
pub(super) static MATCH: Table<ReadCondition> = Table { info: &INFO, lower };

/// A condition, with what the checks between sections need.
#[derive(Clone, Debug)]
pub(super) struct ReadCondition {
    pub(super) condition: Condition,
    pub(super) uses_country: bool,
    pub(super) uses_asn: bool,
    /// How deep `any`, `all` and `not` nest in it.
    depth: usize,
    /// What of it doesn't match what it seems to; whoever the condition is for says how bad that is.
    pub(super) unmatchable: Vec<Unmatchable>,
}

static INFO: TableInfo = TableInfo {
    name: "access.rules.match",
    about: "When a rule applies. All keys are required (and); a list under one key means any of them (or).",
    keys: &[
        &ADDRESS,
        &COUNTRY,
        &ASN,
        &PATH,
        &RAW_PATH,
        &QUERY,
        &HOST,
        &METHOD,
        &USER_AGENT,
        &HEADER,
        &COOKIE,
        &ANY,
        &ALL,
        &NOT,
    ],
    later: &[],
};

static ADDRESS: Key<OneOrList<RangeItem>, Optional> = Key::new(
    "address",
    OneOrList {
        of: RangeItem,
        max: RANGES_INLINE_MAX,
    },
    Optional,
    "The client's address is in one of these: addresses, ranges, `$` and the name of a list.",
);
static COUNTRY: Key<OneOrList<CountryWord>, Optional> = Key::new(
    "country",
    OneOrList {
        of: CountryWord,
        max: VALUES_MAX,
    },
    Optional,
    "The client's country is one of these (`DE`), from `geo.country_database`. Where it can't be known the rule doesn't match, under `not` too, unless it names `unknown`.",
);
static ASN: Key<OneOrList<AsnWord>, Optional> = Key::new(
    "asn",
    OneOrList {
        of: AsnWord,
        max: VALUES_MAX,
    },
    Optional,
    "The client's autonomous system is one of these (`64496` or `AS64496`), from `geo.asn_database`. `unknown` as for `country`.",
);
static PATH: Key<Matcher, Optional> = Key::new(
    "path",
    Matcher { ignore_case: false },
    Optional,
    "The canonical path: percent-decoded once, without dot and empty segments. Rules that block or log also try it without `;params`.",
);
static RAW_PATH: Key<Matcher, Optional> = Key::new(
    "raw_path",
    Matcher { ignore_case: false },
    Optional,
    "The path as the client sent it.",
);
static QUERY: Key<Matcher, Optional> = Key::new(
    "query",
    Matcher { ignore_case: false },
    Optional,
    "The query as the client sent it, without `?`; empty where there is none.",
);
static HOST: Key<Matcher, Optional> = Key::new(
    "host",
    Matcher { ignore_case: true },
    Optional,
    "The host, without port. Ignores case.",
);
static METHOD: Key<Matcher, Optional> = Key::new(
    "method",
    Matcher { ignore_case: false },
    Optional,
    "The method, as sent: `GET`.",
);
static USER_AGENT: Key<Matcher, Optional> = Key::new(
    "user_agent",
    Matcher { ignore_case: true },
    Optional,
    "The `User-Agent` header; empty where there is none. Ignores case.",
);
static HEADER: Key<ByName, Optional> = Key::new(
    "header",
    ByName {
        of: Matcher { ignore_case: false },
        cookies: false,
    },
    Optional,
    "Header fields by name; every line of the field is tried. Without the field the condition doesn't hold.",
);
static COOKIE: Key<ByName, Optional> = Key::new(
    "cookie",
    ByName {
        of: Matcher { ignore_case: false },
        cookies: true,
    },
    Optional,
    "Cookies by name (case counts). Without the cookie the condition doesn't hold.",
);
static ANY: Key<ListOf<Nested<ReadCondition>>, Optional> = Key::new(
    "any",
    ListOf {
        of: Nested(&MATCH),
        min: 1,
        max: PARTS_MAX,
    },
    Optional,
    "At least one of these holds.",
);
static ALL: Key<ListOf<Nested<ReadCondition>>, Optional> = Key::new(
    "all",
    ListOf {
        of: Nested(&MATCH),
        min: 1,
        max: PARTS_MAX,
    },
    Optional,
    "All of these hold.",
);
static NOT: Key<Nested<ReadCondition>, Optional> =
    Key::new("not", Nested(&MATCH), Optional, "This doesn't hold.");

/// The fields that are one text.
static TEXTS: [(&Key<Matcher, Optional>, Field); 6] = [
    (&PATH, Field::Path),
    (&RAW_PATH, Field::RawPath),
    (&QUERY, Field::Query),
    (&HOST, Field::Host),
    (&METHOD, Field::Method),
    (&USER_AGENT, Field::UserAgent),
];

/// What one key says: `None` where a problem was reported, `Some(None)` where it isn't given.
type Part = Option<Option<Condition>>;

fn lower(fields: &Fields<'_>) -> Option<ReadCondition> {
    let address = fields
        .get(&ADDRESS)
        .map(|items| items.map(|items| address_condition(&items)));
    let mut parts: Vec<Part> = vec![address, read_country(fields), read_asn(fields)];
    let mut unmatchable = Vec::new();
    parts.extend(
        TEXTS
            .iter()
            .map(|(key, field)| read_text(fields, key, field, &mut unmatchable)),
    );
    parts.push(read_named(fields, &HEADER, header_field));
    parts.push(read_named(fields, &COOKIE, |name| {
        Some(Field::Cookie(name.into()))
    }));
    let (any, all) = (fields.get(&ANY), fields.get(&ALL));
    let not = fields.get(&NOT).map(|part| part.map(|part| vec![part]));

    let nested = || [&any, &all, &not].into_iter().flatten().flatten().flatten();
    let depth = 1 + nested().map(|part| part.depth).max().unwrap_or(0);
    if depth > Condition::DEPTH_MAX {
        let message = format!(
            "conditions nest deeper than {} levels; flatten them",
            Condition::DEPTH_MAX
        );
        fields.context().error(fields.location(), message);
        return None;
    }
    let uses_country = fields.has(&COUNTRY) || nested().any(|part| part.uses_country);
    let uses_asn = fields.has(&ASN) || nested().any(|part| part.uses_asn);
    unmatchable.extend(nested().flat_map(|part| part.unmatchable.iter().cloned()));
    parts.push(joined(any, Condition::Any));
    parts.push(joined(all, Condition::All));
    parts.push(joined(not, |parts| Condition::Not(Box::new(single(parts)))));
    let parts: Option<Vec<Option<Condition>>> = parts.into_iter().collect();
    Some(ReadCondition {
        condition: single(parts?.into_iter().flatten().collect()),
        uses_country,
        uses_asn,
        depth,
        unmatchable,
    })
}

fn joined(
    nested: Option<Option<Vec<ReadCondition>>>,
    join: fn(Vec<Condition>) -> Condition,
) -> Part {
    let conditions =
        |parts: Vec<ReadCondition>| parts.into_iter().map(|part| part.condition).collect();
    nested.map(|nested| nested.map(|parts| join(conditions(parts))))
}

/// One part stands for itself.
fn single(mut parts: Vec<Condition>) -> Condition {
    match parts.pop() {
        Some(part) if parts.is_empty() => part,
        Some(part) => {
            parts.push(part);
            Condition::All(parts)
        }
        None => Condition::All(parts),
    }
}

/// Ranges that are written out are one condition, and each list is its own, so that rules that name
/// the same list share its index.
fn address_condition(items: &[RangeOrList]) -> Condition {
    let (mut ranges, mut conditions): (Vec<Cidr>, Vec<Condition>) = (Vec::new(), Vec::new());
    for item in items {
        match item {
            RangeOrList::Range(range) => ranges.push(*range),
            RangeOrList::List { name, ranges } => {
                let label = format!("${name}").into();
                conditions.push(Condition::Address(AddressCondition::new(
                    Arc::clone(ranges),
                    label,
                )));
            }
        }
    }
    if !ranges.is_empty() {
        let label = label_of(&ranges);
        conditions.push(Condition::Address(AddressCondition::new(
            ranges.into(),
            label,
        )));
    }
    if conditions.len() > 1 {
        Condition::Any(conditions)
    } else {
        single(conditions)
    }
}

/// Ranges as messages show them.
fn label_of(ranges: &[Cidr]) -> Arc<str> {
    const SHOWN_MAX: usize = 4;
    let mut shown: Vec<String> = ranges
        .iter()
        .take(SHOWN_MAX)
        .map(ToString::to_string)
        .collect();
    if ranges.len() > SHOWN_MAX {
        shown.push(format!("{} more", ranges.len() - SHOWN_MAX));
    }
    shown.join(" or ").into()
}

fn read_country(fields: &Fields<'_>) -> Part {
    let Some(words) = fields.get(&COUNTRY)? else {
        return Some(None);
    };
    let unknown = words.contains(&None);
    let made = CountryCondition::new(words.into_iter().flatten(), unknown);
    fields
        .accept(made, &COUNTRY)
        .map(|condition| Some(Condition::Country(condition)))
}

fn read_asn(fields: &Fields<'_>) -> Part {
    let Some(words) = fields.get(&ASN)? else {
        return Some(None);
    };
    let unknown = words.contains(&None);
    let made = AsnCondition::new(words.into_iter().flatten(), unknown);
    fields
        .accept(made, &ASN)
        .map(|condition| Some(Condition::Asn(condition)))
}

/// A country, or `unknown`.
pub(super) struct CountryWord;

impl ScalarKind for CountryWord {
    type Value = Option<Country>;

    fn parse(&self, text: &str) -> Result<Option<Country>, String> {
        match text {
            "unknown" => Ok(None),
            _ => text
                .parse()
                .map(Some)
                .map_err(|error: palisade_vocabulary::PlaceError| error.to_string()),
        }
    }

    fn shape(&self) -> Shape {
        Shape::Text("a country like DE, or unknown")
    }
}

/// An autonomous system, or `unknown`.
struct AsnWord;

impl ScalarKind for AsnWord {
    type Value = Option<Asn>;

    fn parse(&self, text: &str) -> Result<Option<Asn>, String> {
        match text {
            "unknown" => Ok(None),
            _ => text
                .parse()
                .map(Some)
                .map_err(|error: palisade_vocabulary::PlaceError| error.to_string()),
        }
    }

    fn shape(&self) -> Shape {
        Shape::Text("an autonomous system like AS64496, or unknown")
    }
}

fn read_text(
    fields: &Fields<'_>,
    key: &'static Key<Matcher, Optional>,
    field: &Field,
    faults: &mut Vec<Unmatchable>,
) -> Part {
    let Some(groups) = fields.get(key)? else {
        return Some(None);
    };
    faults.extend(unmatchable(field, &groups));
    let made = text_condition(field, groups);
    fields.accept(made, key).map(Some)
}

fn text_condition(field: &Field, groups: PatternGroups) -> Result<Condition, ConditionError> {
    let conditions = groups.into_iter().map(|group| {
        let patterns = group.into_iter().map(|pattern| pattern.value);
        TextCondition::new(field.clone(), patterns).map(Condition::Text)
    });
    Ok(single(conditions.collect::<Result<_, _>>()?))
}

fn header_field(name: &str) -> Option<Field> {
    HeaderName::from_bytes(name.as_bytes())
        .ok()
        .map(Field::Header)
}

fn read_named(
    fields: &Fields<'_>,
    key: &'static Key<ByName, Optional>,
    field_of: fn(&str) -> Option<Field>,
) -> Part {
    let Some(named) = fields.get(key)? else {
        return Some(None);
    };
    let mut conditions = Vec::with_capacity(named.len());
    for (name, groups) in named {
        let field = field_of(&name.value)?;
        conditions.push(fields.accept(text_condition(&field, groups), key)?);
    }
    Some(Some(single(conditions)))
}
