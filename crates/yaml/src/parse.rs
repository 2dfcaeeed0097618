//! Bytes to a tree of values, on the events of `saphyr-parser`.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span};

use super::{Content, Entry, Location, Node, Scalar, quoted};

/// The deepest nesting of lists and mappings.
pub const DEPTH_MAX: usize = 64;

/// The most values in one file.
pub const NODES_MAX: usize = 500_000;

/// The value that a file holds; `Content::Null` for an empty file.
///
/// `None` where the file is not YAML at all (one problem, at the place where reading stopped) or
/// where what it holds can't be trusted (anchors, tags, repeated keys, too deep, too much). Each
/// problem up to there is given to `report`, with its place.
pub fn parse(
    file: &Arc<Path>,
    bytes: &[u8],
    report: &mut dyn FnMut(&Location, String),
) -> Option<Node> {
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text),
        Err(error) => {
            let location = location_of_byte(file, bytes, error.valid_up_to());
            let message = "the file is not UTF-8 text; save it as UTF-8";
            report(&location, message.to_owned());
            return None;
        }
    };
    let mut builder = Builder::new(file, report);
    let complete = builder.read_all(text);
    let sound = builder.sound;
    let root = builder.root.unwrap_or_else(|| Node {
        location: Location::new(file.clone(), 1, 1),
        content: Content::Null,
    });
    (complete && sound).then_some(root)
}

/// A list or mapping that is not yet closed.
struct Open {
    location: Location,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    Mapping(OpenMapping),
}

#[derive(Default)]
struct OpenMapping {
    entries: Vec<Entry>,
    /// Where each key was first given.
    seen: HashMap<Arc<str>, Location>,
    /// A key that waits for its value; the inner `None` is a key that can't be used.
    pending: Option<Option<(Arc<str>, Location)>>,
}

struct Builder<'a> {
    file: &'a Arc<Path>,
    report: &'a mut dyn FnMut(&Location, String),
    open: Vec<Open>,
    root: Option<Node>,
    nodes: usize,
    documents: usize,
    /// Whether all that was read so far means what it seems to say.
    sound: bool,
}

impl<'a> Builder<'a> {
    fn new(file: &'a Arc<Path>, report: &'a mut dyn FnMut(&Location, String)) -> Self {
        Self {
            file,
            report,
            open: Vec::new(),
            root: None,
            nodes: 0,
            documents: 0,
            sound: true,
        }
    }

    /// Whether the end was reached.
    fn read_all(&mut self, text: &str) -> bool {
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let read = match event {
                Ok((event, span)) => self.read_event(event, span),
                Err(error) => {
                    self.report_syntax(&error);
                    false
                }
            };
            if !read {
                return false;
            }
        }
        true
    }

    /// Whether to go on.
    fn read_event(&mut self, event: Event<'_>, span: Span) -> bool {
        let location = self.location(span.start);
        match event {
            Event::DocumentStart(_) => return self.start_document(&location),
            Event::Alias(_) => self.refuse_alias(&location),
            Event::Scalar(text, style, anchor, tag) => {
                self.refuse_extras(&location, anchor, tag.is_some());
                let content = if is_null(&text, style) {
                    Content::Null
                } else {
                    let text = Arc::from(&*text);
                    Content::Scalar(Scalar { text })
                };
                self.place(Node { location, content });
            }
            Event::SequenceStart(anchor, tag) => {
                self.refuse_extras(&location, anchor, tag.is_some());
                return self.open(location, OpenKind::List(Vec::new()));
            }
            Event::MappingStart(anchor, tag) => {
                self.refuse_extras(&location, anchor, tag.is_some());
                return self.open(location, OpenKind::Mapping(OpenMapping::default()));
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
        self.within_bound(&span)
    }

    fn start_document(&mut self, location: &Location) -> bool {
        self.documents += 1;
        if self.documents > 1 {
            let message = "a second document starts here; one file holds one document, so remove the `---` or make it a file of its own";
            self.refuse(location, message);
        }
        self.documents == 1
    }

    fn open(&mut self, location: Location, kind: OpenKind) -> bool {
        if self.open.len() >= DEPTH_MAX {
            let message = format!("nested deeper than {DEPTH_MAX} levels");
            self.refuse(&location, message);
            return false;
        }
        self.open.push(Open { location, kind });
        true
    }

    fn close(&mut self) {
        let Some(Open { location, kind }) = self.open.pop() else {
            return;
        };
        let content = match kind {
            OpenKind::List(items) => Content::List(items),
            OpenKind::Mapping(mapping) => Content::Mapping(mapping.entries),
        };
        self.place(Node { location, content });
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, node: Node) {
        self.nodes += 1;
        match self.open.last_mut().map(|open| &mut open.kind) {
            None => self.root = Some(node),
            Some(OpenKind::List(items)) => items.push(node),
            Some(OpenKind::Mapping(mapping)) => match mapping.pending.take() {
                None => self.place_key(node),
                Some(None) => {}
                Some(Some((key, key_location))) => mapping.entries.push(Entry {
                    key,
                    key_location,
                    value: node,
                }),
            },
        }
    }

    fn place_key(&mut self, node: Node) {
        let key = match &node.content {
            Content::Scalar(scalar) => Some(scalar.text.clone()),
            Content::Null | Content::List(_) | Content::Mapping(_) => None,
        };
        let Some(OpenKind::Mapping(mapping)) = self.open.last_mut().map(|open| &mut open.kind)
        else {
            return;
        };
        let first = key.as_ref().and_then(|key| mapping.seen.get(key).cloned());
        let fault = match (&key, first) {
            (None, _) => Some(format!("{} can't be a key; expected a name", node.noun())),
            (Some(key), Some(first)) => Some(format!(
                "{} is given twice, first in line {}; keep one",
                quoted(key),
                first.line()
            )),
            (Some(_), None) => None,
        };
        mapping.pending = Some(match (key, &fault) {
            (Some(key), None) => {
                mapping.seen.insert(key.clone(), node.location.clone());
                Some((key, node.location.clone()))
            }
            _ => None,
        });
        if let Some(fault) = fault {
            self.refuse(&node.location, fault);
        }
    }

    fn refuse_alias(&mut self, location: &Location) {
        self.refuse(location, NO_ALIASES);
        self.place(Node {
            location: location.clone(),
            content: Content::Null,
        });
    }

    fn refuse_extras(&mut self, location: &Location, anchor: usize, tagged: bool) {
        if anchor != 0 {
            self.refuse(
                location,
                "anchors (`&name`) are not supported; quote the value if it starts with `&`",
            );
        }
        if tagged {
            self.refuse(
                location,
                "tags (`!name`) are not supported; quote the value if it starts with `!`",
            );
        }
    }

    fn within_bound(&mut self, span: &Span) -> bool {
        let within = self.nodes <= NODES_MAX;
        if !within {
            let location = self.location(span.start);
            self.refuse(
                &location,
                format!("more than {NODES_MAX} values in one file; put long lists into files of their own"),
            );
        }
        within
    }

    fn report_syntax(&mut self, error: &ScanError) {
        let location = self.location(*error.marker());
        let message = if error.info().contains("unknown anchor") {
            NO_ALIASES.to_owned()
        } else {
            format!("not valid YAML: {}", error.info())
        };
        self.refuse(&location, message);
    }

    fn refuse(&mut self, location: &Location, message: impl Into<String>) {
        self.sound = false;
        (self.report)(location, message.into());
    }

    fn location(&self, marker: Marker) -> Location {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        // The parser counts columns from 0 and lines from 1.
        Location::new(
            self.file.clone(),
            count(marker.line().max(1)),
            count(marker.col()).saturating_add(1),
        )
    }
}

const NO_ALIASES: &str = "aliases (`*name`) are not supported; quote a value that starts with `*`, like \"*.example.com\"";

fn is_null(text: &str, style: ScalarStyle) -> bool {
    style == ScalarStyle::Plain && matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// The line and column of a byte of a file that is not text as a whole.
fn location_of_byte(file: &Arc<Path>, bytes: &[u8], index: usize) -> Location {
    let before = bytes.get(..index).unwrap_or(bytes);
    let line_start = before
        .iter()
        .rposition(|b| *b == b'\n')
        .map_or(0, |at| at + 1);
    let line = before.iter().filter(|b| **b == b'\n').count() + 1;
    let in_line = before.get(line_start..).unwrap_or_default();
    let column = String::from_utf8_lossy(in_line).chars().count() + 1;
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Location::new(file.clone(), count(line), count(column))
}
