//! `match`: when a rule applies.

use std::sync::Arc;

use http::HeaderName;
use palisade_access::{
    AddressCondition, AsnCondition, Condition, CountryCondition, Field, Pattern, PatternKind,
    TextCondition,
};
use palisade_vocabulary::{Asn, Cidr, Country};

use crate::document::{Content, Node};
use crate::problem::quoted;
use crate::reader::{
    Context, Fields, Flag, HeaderFieldName, Key, Kind, ListOf, Located, Nested, OneOrList,
    Optional, RANGES_INLINE_MAX, RangeItem, RangeOrList, ScalarKind, Shape, Table, TableInfo,
    WithLocation,
};

/// The most values under one key.
const VALUES_MAX: usize = 100_000;

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

/// Parts of a condition as they are read; `None` once a problem was reported.
struct Parts {
    parts: Option<Vec<Condition>>,
    uses_country: bool,
    uses_asn: bool,
    depth: usize,
}

impl Parts {
    fn add(&mut self, part: Option<Option<Condition>>) {
        match (part, &mut self.parts) {
            (None, parts) => *parts = None,
            (Some(Some(part)), Some(parts)) => parts.push(part),
            (Some(_), _) => {}
        }
    }

    fn add_nested(
        &mut self,
        nested: Option<Option<Vec<ReadCondition>>>,
        join: fn(Vec<Condition>) -> Condition,
    ) {
        let joined = nested.map(|nested| {
            nested.map(|nested| {
                for part in &nested {
                    self.uses_country |= part.uses_country;
                    self.uses_asn |= part.uses_asn;
                    self.depth = self.depth.max(part.depth + 1);
                }
                join(nested.into_iter().map(|part| part.condition).collect())
            })
        });
        self.add(joined);
    }
}

fn lower(fields: &Fields<'_>) -> Option<ReadCondition> {
    let mut parts = Parts {
        parts: Some(Vec::new()),
        uses_country: fields.has(&COUNTRY),
        uses_asn: fields.has(&ASN),
        depth: 1,
    };
    parts.add(
        fields
            .get(&ADDRESS)
            .map(|items| items.map(|items| address(&items))),
    );
    parts.add(read_country(fields));
    parts.add(read_asn(fields));
    for (key, field) in [
        (&PATH, Field::Path),
        (&RAW_PATH, Field::RawPath),
        (&QUERY, Field::Query),
        (&HOST, Field::Host),
        (&METHOD, Field::Method),
        (&USER_AGENT, Field::UserAgent),
    ] {
        parts.add(read_text(fields, key, field));
    }
    parts.add(read_named(fields, &HEADER, header_field));
    parts.add(read_named(fields, &COOKIE, |name| {
        Some(Field::Cookie(name.into()))
    }));
    parts.add_nested(fields.get(&ANY), Condition::Any);
    parts.add_nested(fields.get(&ALL), Condition::All);
    parts.add_nested(
        fields.get(&NOT).map(|part| part.map(|part| vec![part])),
        |parts| Condition::Not(Box::new(single(parts))),
    );
    if parts.depth > Condition::DEPTH_MAX {
        let message = format!(
            "conditions nest deeper than {} levels; flatten them",
            Condition::DEPTH_MAX
        );
        fields.context().error(fields.location(), message);
        return None;
    }
    Some(ReadCondition {
        condition: single(parts.parts?),
        uses_country: parts.uses_country,
        uses_asn: parts.uses_asn,
        depth: parts.depth,
    })
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
fn address(items: &[RangeOrList]) -> Condition {
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

fn read_country(fields: &Fields<'_>) -> Option<Option<Condition>> {
    let Some(words) = fields.get(&COUNTRY)? else {
        return Some(None);
    };
    let unknown = words.contains(&None);
    let made = CountryCondition::new(words.into_iter().flatten(), unknown);
    fields
        .accept(made, &COUNTRY)
        .map(|condition| Some(Condition::Country(condition)))
}

fn read_asn(fields: &Fields<'_>) -> Option<Option<Condition>> {
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
struct CountryWord;

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
    field: Field,
) -> Option<Option<Condition>> {
    let Some(groups) = fields.get(key)? else {
        return Some(None);
    };
    report_never_matching(&field, &groups, fields.context());
    let made = text_condition(&field, groups);
    fields.accept(made, key).map(Some)
}

/// Groups of patterns: each group is needed, any pattern of a group is enough.
type PatternGroups = Vec<Vec<Located<Pattern>>>;

fn text_condition(
    field: &Field,
    groups: PatternGroups,
) -> Result<Condition, palisade_access::ConditionError> {
    let conditions = groups.into_iter().map(|group| {
        let patterns = group.into_iter().map(|pattern| pattern.value);
        TextCondition::new(field.clone(), patterns).map(Condition::Text)
    });
    Ok(single(conditions.collect::<Result<_, _>>()?))
}

/// What only looks as if it could match: a path without its slash, a method in lower case.
fn report_never_matching(field: &Field, groups: &PatternGroups, context: &Context<'_>) {
    for Located {
        value: pattern,
        location,
    } in groups.iter().flatten()
    {
        let anchored = matches!(pattern.kind(), PatternKind::Equals | PatternKind::Prefix);
        let text = pattern.text();
        let fault = match field {
            Field::Path | Field::RawPath if anchored && !text.starts_with('/') => {
                "paths start with /"
            }
            Field::Path | Field::RawPath
                if pattern.kind() != PatternKind::Regex && text.contains('?') =>
            {
                "a path ends before the ?; use `query` for what follows"
            }
            Field::Query if anchored && text.starts_with('?') => {
                "the query is matched without its ?"
            }
            Field::Method
                if pattern.kind() != PatternKind::Regex
                    && !pattern.ignores_case()
                    && text.bytes().any(|b| b.is_ascii_lowercase()) =>
            {
                "methods are upper case"
            }
            _ => continue,
        };
        context.warning(location, format!("{} never matches: {fault}", quoted(text)));
    }
}

/// A string, a list of strings, or a mapping of matchers.
struct Matcher {
    /// Whether letters match in both cases unless the file says otherwise.
    ignore_case: bool,
}

impl Kind for Matcher {
    type Value = PatternGroups;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<PatternGroups> {
        if !matches!(node.content, Content::Mapping(_)) {
            let texts = TEXTS.read(node, context)?;
            return Some(vec![patterns(
                PatternKind::Equals,
                texts,
                self.ignore_case,
                context,
            )?]);
        }
        let fields = Fields::new(node, &MATCHER_INFO, context)?;
        let ignore_case = fields.get(&IGNORE_CASE);
        let texts = MATCHERS.map(|(key, kind)| (fields.get(key), kind));
        let ignore_case = ignore_case?.unwrap_or(self.ignore_case);
        let mut groups = Some(Vec::new());
        for (texts, kind) in texts {
            match (texts, &mut groups) {
                (Some(None), _) => {}
                (Some(Some(texts)), groups) => {
                    let made = patterns(kind, texts, ignore_case, context);
                    *groups = groups.take().zip(made).map(|(mut groups, made)| {
                        groups.push(made);
                        groups
                    });
                }
                (None, groups) => *groups = None,
            }
        }
        if groups.as_ref().is_some_and(Vec::is_empty) {
            let message =
                "no matcher here; expected at least one of equals, prefix, suffix, contains, regex";
            context.error(&node.location, message);
            return None;
        }
        groups.filter(|_| fields.all_known())
    }

    fn shape(&self) -> Shape {
        Shape::Either(
            Box::new(TEXTS.shape()),
            Box::new(Shape::Table(&MATCHER_INFO)),
        )
    }
}

fn patterns(
    kind: PatternKind,
    texts: Vec<Located<String>>,
    ignore_case: bool,
    context: &Context<'_>,
) -> Option<Vec<Located<Pattern>>> {
    let made = texts.into_iter().map(|text| {
        let value = context.accept(Pattern::new(kind, &text.value, ignore_case), &text.location)?;
        Some(Located {
            value,
            location: text.location,
        })
    });
    let made: Vec<_> = made.collect();
    made.into_iter().collect()
}

static MATCHER_INFO: TableInfo = TableInfo {
    name: "access.rules.match.*",
    about: "How a text is compared. Each key takes a string or a list, of which any is enough; where there are several keys, all of them are needed. A bare string or list in place of the mapping means `equals`.",
    keys: &[&EQUALS, &PREFIX, &SUFFIX, &CONTAINS, &REGEX, &IGNORE_CASE],
    later: &[],
};

type TextsKey = Key<OneOrList<WithLocation<RawText>>, Optional>;

const TEXTS: OneOrList<WithLocation<RawText>> = OneOrList {
    of: WithLocation(RawText),
    max: VALUES_MAX,
};

static EQUALS: TextsKey = Key::new("equals", TEXTS, Optional, "The whole text.");
static PREFIX: TextsKey = Key::new("prefix", TEXTS, Optional, "How the text starts.");
static SUFFIX: TextsKey = Key::new("suffix", TEXTS, Optional, "How the text ends.");
static CONTAINS: TextsKey = Key::new(
    "contains",
    TEXTS,
    Optional,
    "What is somewhere in the text.",
);
static REGEX: TextsKey = Key::new(
    "regex",
    TEXTS,
    Optional,
    "A regular expression that matches somewhere in the text; anchor it with `^` and `$`. Syntax of the Rust crate `regex`; matches in linear time.",
);
static IGNORE_CASE: Key<Flag, Optional> = Key::new(
    "ignore_case",
    Flag,
    Optional,
    "Whether ASCII letters match in both cases. Absent: `true` for `host` and `user_agent`, else `false`.",
);

static MATCHERS: [(&TextsKey, PatternKind); 5] = [
    (&EQUALS, PatternKind::Equals),
    (&PREFIX, PatternKind::Prefix),
    (&SUFFIX, PatternKind::Suffix),
    (&CONTAINS, PatternKind::Contains),
    (&REGEX, PatternKind::Regex),
];

/// A text as it stands; what it may hold is the pattern's business.
struct RawText;

impl ScalarKind for RawText {
    type Value = String;

    fn parse(&self, text: &str) -> Result<String, String> {
        Ok(text.to_owned())
    }

    fn shape(&self) -> Shape {
        Shape::Text("a text")
    }
}

/// Names of headers or cookies, each with a matcher.
struct ByName {
    of: Matcher,
    cookies: bool,
}

/// The most names under `header` or `cookie`.
const NAMES_MAX: usize = 100;

impl Kind for ByName {
    type Value = Vec<(Located<Arc<str>>, PatternGroups)>;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<Self::Value> {
        let Content::Mapping(entries) = &node.content else {
            let example = if self.cookies {
                "{session: ...}"
            } else {
                "{X-Name: ...}"
            };
            context.error(
                &node.location,
                format!(
                    "got {}; expected names with what to match, like {example}",
                    node.noun()
                ),
            );
            return None;
        };
        if entries.is_empty() || entries.len() > NAMES_MAX {
            context.error(
                &node.location,
                format!("{} names; expected 1 to {NAMES_MAX}", entries.len()),
            );
            return None;
        }
        let read = entries.iter().map(|entry| {
            let named = context.accept(self.check_name(&entry.key), &entry.key_location);
            let groups = self.of.read(&entry.value, context);
            named?;
            let name = Located {
                value: entry.key.clone(),
                location: entry.key_location.clone(),
            };
            Some((name, groups?))
        });
        let read: Vec<_> = read.collect();
        read.into_iter().collect()
    }

    fn shape(&self) -> Shape {
        Shape::Named(Box::new(self.of.shape()))
    }
}

impl ByName {
    fn check_name(&self, name: &str) -> Result<(), String> {
        if !self.cookies {
            return HeaderFieldName.parse(name).map(drop);
        }
        // RFC 6265 section 4.1.1: the name of a cookie is a token, as a header's is.
        HeaderFieldName
            .parse(name)
            .map(drop)
            .map_err(|_| format!("{} is not the name of a cookie", quoted(name)))
    }
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
) -> Option<Option<Condition>> {
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
