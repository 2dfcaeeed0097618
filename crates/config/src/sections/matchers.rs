//! How a text is compared: `equals`, `prefix`, `suffix`, `contains`, `regex`.

use std::sync::Arc;

use palisade_access::{Pattern, PatternKind};
use palisade_yaml::{Content, Node};

use crate::problem::quoted;
use crate::reader::{
    Context, Fields, Flag, HeaderFieldName, Key, Kind, Located, OneOrList, Optional, ScalarKind,
    Shape, TableInfo, WithLocation,
};

/// The most values under one key.
pub(super) const VALUES_MAX: usize = 100_000;

/// Groups of patterns: each group is needed, any pattern of a group is enough.
pub(super) type PatternGroups = Vec<Vec<Located<Pattern>>>;

/// A string, a list of strings, or a mapping of matchers.
pub(super) struct Matcher {
    /// Whether letters match in both cases unless the file says otherwise.
    pub(super) ignore_case: bool,
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
        let groups = texts.map(|(texts, kind)| match texts? {
            Some(texts) => patterns(kind, texts, ignore_case, context).map(Some),
            None => Some(None),
        });
        let groups: Option<Vec<_>> = groups.into_iter().collect();
        let groups: PatternGroups = groups?.into_iter().flatten().collect();
        if groups.is_empty() {
            let message =
                "no matcher here; expected at least one of equals, prefix, suffix, contains, regex";
            context.error(&node.location, message);
            return None;
        }
        Some(groups)
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
pub(super) struct ByName {
    pub(super) of: Matcher,
    /// Whether the names are cookies', else headers'.
    pub(super) cookies: bool,
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
