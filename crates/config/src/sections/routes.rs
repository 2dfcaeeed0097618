//! `sites.routes`: parts of a site that go elsewhere.

use palisade_gate::settings::RouteSettings;
use palisade_hygiene::path::{PathPolicy, PathScratch, canonicalise};

use super::LATER_CHECKS;
use super::sites::UPSTREAM_NAME;
use crate::problem::quoted;
use crate::reader::{
    Context, Key, Located, Required, ScalarKind, Shape, Table, TableInfo, Text, WithLocation,
};

#[derive(Debug)]
pub(super) struct ReadRoute {
    pub(super) settings: RouteSettings,
    prefix: Located<()>,
    pub(super) upstream: Located<String>,
}

pub(super) const ROUTE: Table<ReadRoute> = Table {
    info: &ROUTE_INFO,
    lower: |fields| {
        let (prefix, upstream) = (fields.get(&PATH_PREFIX), fields.get(&ROUTE_UPSTREAM));
        let (prefix, upstream) = (prefix?, upstream?);
        Some(ReadRoute {
            settings: RouteSettings {
                path_prefix: prefix,
                upstream: upstream.value.as_str().into(),
            },
            prefix: Located {
                value: (),
                location: fields.location_of(&PATH_PREFIX).clone(),
            },
            upstream,
        })
    },
};

static ROUTE_INFO: TableInfo = TableInfo {
    name: "sites.routes",
    about: "A part of a site that goes elsewhere.",
    keys: &[&PATH_PREFIX, &ROUTE_UPSTREAM],
    later: &LATER_CHECKS,
};

static PATH_PREFIX: Key<PathPrefix, Required> = Key::new(
    "path_prefix",
    PathPrefix,
    Required,
    "Matches whole segments: `/api` takes `/api` and `/api/x`, not `/apix`.",
);
static ROUTE_UPSTREAM: Key<WithLocation<Text>, Required> = Key::new(
    "upstream",
    UPSTREAM_NAME,
    Required,
    "Where its requests go.",
);

/// The beginning of a canonical path.
struct PathPrefix;

impl ScalarKind for PathPrefix {
    type Value = Box<str>;

    fn parse(&self, text: &str) -> Result<Box<str>, String> {
        const LEN_MAX: usize = 2048;
        if !text.starts_with('/') || text.len() > LEN_MAX {
            return Err(format!(
                "{} is not a path; expected one that starts with /, at most {LEN_MAX} bytes",
                quoted(text)
            ));
        }
        let mut scratch = PathScratch::default();
        let canonical = canonicalise(text.as_bytes(), &PathPolicy::default(), &mut scratch)
            .map(|view| String::from_utf8_lossy(view.canonical).into_owned());
        match canonical {
            Ok(canonical) if canonical == text => Ok(text.into()),
            Ok(canonical) => Err(format!(
                "{} can never match: routes are compared with the canonical path; write {}",
                quoted(text),
                quoted(&canonical)
            )),
            Err(_) => Err(format!(
                "{} can never match: requests with such a path are refused",
                quoted(text)
            )),
        }
    }

    fn shape(&self) -> Shape {
        Shape::Text("a path like /api")
    }
}

pub(super) fn report_routes_twice(routes: &[ReadRoute], context: &Context<'_>) {
    for (index, route) in routes.iter().enumerate() {
        let earlier = routes.iter().take(index);
        let mut same =
            earlier.filter(|earlier| earlier.settings.path_prefix == route.settings.path_prefix);
        if let Some(first) = same.next() {
            let got = quoted(&route.settings.path_prefix);
            let message = format!(
                "{got} is routed twice, first at {}; keep one",
                first.prefix.location
            );
            context.error(&route.prefix.location, message);
        }
    }
}
