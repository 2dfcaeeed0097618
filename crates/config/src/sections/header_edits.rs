//! `sites.headers`: header fields to set and to remove.

use http::{HeaderName, HeaderValue};
use palisade_gate::settings::HeaderEdits;
use palisade_yaml::{Content, Node};

use crate::problem::quoted;
use crate::reader::{
    Context, Defaulted, HeaderFieldName, HeaderFieldValue, Key, Kind, OneOrList, Optional,
    ScalarKind, Shape, Table, TableInfo,
};

/// The most fields that one site sets or removes.
const HEADER_EDITS_MAX: usize = 100;

pub(super) const HEADERS_TABLE: Table<(HeaderEdits, HeaderEdits)> = Table {
    info: &HEADERS_INFO,
    lower: |fields| {
        let (request, response) = (fields.get(&REQUEST_HEADERS), fields.get(&RESPONSE_HEADERS));
        Some((request?, response?))
    },
};

static HEADERS_INFO: TableInfo = TableInfo {
    name: "sites.headers",
    about: "Changes to header fields.",
    keys: &[&REQUEST_HEADERS, &RESPONSE_HEADERS],
    later: &[],
};

static REQUEST_HEADERS: Key<Table<HeaderEdits>, Defaulted> = Key::new(
    "request",
    EDITS_TABLE,
    Defaulted("{}"),
    "Before a request is forwarded.",
);
static RESPONSE_HEADERS: Key<Table<HeaderEdits>, Defaulted> = Key::new(
    "response",
    EDITS_TABLE,
    Defaulted("{}"),
    "Before the client gets an answer.",
);

const EDITS_TABLE: Table<HeaderEdits> = Table {
    info: &EDITS_INFO,
    lower: |fields| {
        let (set, remove) = (fields.get(&SET), fields.get(&REMOVE));
        Some(HeaderEdits {
            set: set?.unwrap_or_default(),
            remove: remove?.unwrap_or_default(),
        })
    },
};

static EDITS_INFO: TableInfo = TableInfo {
    name: "sites.headers.*",
    about: "Header fields to set and to remove.",
    keys: &[&SET, &REMOVE],
    later: &[],
};

static SET: Key<HeaderMapKind, Optional> = Key::new(
    "set",
    HeaderMapKind,
    Optional,
    "Fields to set, in place of what is there.",
);
static REMOVE: Key<OneOrList<EditableName>, Optional> = Key::new(
    "remove",
    OneOrList {
        of: EditableName,
        max: HEADER_EDITS_MAX,
    },
    Optional,
    "Fields to remove.",
);

/// Header fields that decide where a message ends or which connection it is about: the proxy's own.
const FRAMING_FIELDS: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The name of a field that an operator may set or remove.
pub(super) struct EditableName;

impl ScalarKind for EditableName {
    type Value = HeaderName;

    fn parse(&self, text: &str) -> Result<HeaderName, String> {
        let name = HeaderFieldName.parse(text)?;
        if FRAMING_FIELDS.contains(&name.as_str()) {
            return Err(format!(
                "{} can't be changed: where a message ends and which host it is for is decided by the proxy",
                quoted(text)
            ));
        }
        Ok(name)
    }

    fn shape(&self) -> Shape {
        ScalarKind::shape(&HeaderFieldName)
    }
}

/// Names of header fields, each with a value.
struct HeaderMapKind;

impl Kind for HeaderMapKind {
    type Value = Vec<(HeaderName, HeaderValue)>;

    fn read(&self, node: &Node, context: &Context<'_>) -> Option<Self::Value> {
        let Content::Mapping(entries) = &node.content else {
            context.error(
                &node.location,
                format!("got {}; expected {}", node.noun(), self.shape()),
            );
            return None;
        };
        if entries.len() > HEADER_EDITS_MAX {
            context.error(
                &node.location,
                format!("{} headers; at most {HEADER_EDITS_MAX} here", entries.len()),
            );
            return None;
        }
        let fields = entries.iter().map(|entry| {
            let name = context.accept(EditableName.parse(&entry.key), &entry.key_location);
            let value = HeaderFieldValue.read(&entry.value, context);
            Some((name?, value?))
        });
        // Read all of them first: each problem is reported.
        let fields: Vec<_> = fields.collect();
        fields.into_iter().collect()
    }

    fn shape(&self) -> Shape {
        Shape::Named(Box::new(ScalarKind::shape(&HeaderFieldValue)))
    }
}
