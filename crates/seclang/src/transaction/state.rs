//! What a transaction knows: what was sent, and what rules made of it.

use std::time::Duration;

use palisade_body::{Outcome as BodyOutcome, Processor};

use super::arena::{Arena, Span};
use super::matched::{Matched, MatchedRule};
use super::sanitise::Secrets;
use super::strings::StringId;
use super::tx_values::TxValues;
use super::{Interruption, Outcome};
use crate::program::Program;
use crate::syntax::{AllowScope, AuditMode, EngineMode, VariableName, XmlArguments};

/// What a collection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Kind {
    ArgsGet,
    ArgsPost,
    Cookies,
    RequestHeaders,
    ResponseHeaders,
    /// File names, by field.
    Files,
    /// Sizes, by field.
    FilesSizes,
    PartHeaders,
    XmlText,
    XmlAttributes,
}

/// How many [`Kind`]s there are.
const KINDS: usize = Kind::XmlAttributes as usize + 1;

/// A member of a collection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Entry {
    pub(super) name: Span,
    pub(super) value: Span,
    pub(super) name_id: StringId,
    pub(super) value_id: StringId,
}

/// Parts of the head of a request, and of what else is known of it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct RequestParts {
    pub(super) line: Span,
    pub(super) method: Span,
    pub(super) protocol: Span,
    pub(super) target: Span,
    /// Path and query.
    pub(super) uri: Span,
    pub(super) path: Span,
    pub(super) basename: Span,
    pub(super) query: Option<Span>,
    pub(super) server_name: Option<Span>,
    pub(super) body: Option<Span>,
    pub(super) body_len: usize,
    pub(super) is_body_over_limit: bool,
    pub(super) files_len: usize,
}

/// Parts of an answer.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ResponseParts {
    pub(super) status: Option<u16>,
    pub(super) protocol: Span,
    pub(super) line: Span,
    pub(super) body: Option<Span>,
    pub(super) is_body_over_limit: bool,
}

/// Who speaks to whom.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct ConnectionParts {
    pub(super) client_address: Span,
    pub(super) client_port: Span,
    pub(super) server_address: Span,
    pub(super) server_port: Span,
    pub(super) unique_id: Span,
}

/// What `ctl` may have changed.
#[derive(Clone, Debug)]
pub(super) struct Controls {
    pub(super) engine: EngineMode,
    pub(super) audit: AuditMode,
    pub(super) audit_parts: Option<Box<[u8]>>,
    pub(super) has_request_body_access: bool,
    pub(super) has_response_body_access: bool,
    pub(super) request_body_limit: u64,
    pub(super) response_body_limit: u64,
    pub(super) processor: Option<Processor>,
    pub(super) xml_arguments: XmlArguments,
    pub(super) forces_request_body: bool,
    pub(super) forces_response_body: bool,
}

/// How far a transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// No phase has run.
    Begun,
    /// Phase 1 has run: what rules are compiled to know of variables is so.
    Judged,
    /// The last phase has run.
    Over,
}

/// All of it. Kept for the next transaction once one is over.
#[derive(Debug)]
pub(super) struct State {
    /// Which transaction of its worker it is.
    pub(super) number: u64,
    pub(super) stage: Stage,
    pub(super) arena: Arena,
    entries: [Vec<Entry>; KINDS],
    /// Which strings the ids of entries are, by the epochs of both sides.
    pub(super) epochs: (u64, u64),
    pub(super) request: RequestParts,
    pub(super) response: ResponseParts,
    pub(super) connection: ConnectionParts,
    pub(super) body_outcome: BodyOutcome,
    /// The text of an XML body, while it is put together.
    pub(super) xml_text: Vec<u8>,
    pub(super) controls: Controls,
    pub(super) tx: TxValues,
    /// Variables that rules set with `setenv`.
    pub(super) env: Vec<(Span, Span)>,
    /// What `@geoLookup` found last.
    pub(super) geo: Vec<(Span, Span)>,
    pub(super) records: Vec<super::records::Record>,
    pub(super) removed: Vec<u64>,
    /// Indexes of `Program::removals` that are in force.
    pub(super) removals: Vec<usize>,
    pub(super) matched: Vec<Matched>,
    pub(super) events: Vec<MatchedRule>,
    pub(super) events_left_out: usize,
    /// What is not to be in the audit log.
    pub(super) secrets: Secrets,
    /// Whether a rule for the audit log has matched.
    pub(super) is_audit_relevant: bool,
    pub(super) highest_severity: u8,
    pub(super) interruption: Option<Interruption>,
    pub(super) would_be: Option<Interruption>,
    pub(super) allowed: Option<AllowScope>,
    pub(super) outcome: Outcome,
    pub(super) bytes_left: u64,
    /// What long phases took.
    pub(super) time_spent: Duration,
    pub(super) started_micros: u64,
}

impl State {
    pub(super) fn new() -> Self {
        Self {
            number: 0,
            stage: Stage::Begun,
            arena: Arena::default(),
            entries: Default::default(),
            epochs: (0, 0),
            request: RequestParts::default(),
            response: ResponseParts::default(),
            connection: ConnectionParts::default(),
            body_outcome: BodyOutcome::default(),
            xml_text: Vec::new(),
            controls: Controls {
                engine: EngineMode::Off,
                audit: AuditMode::Off,
                audit_parts: None,
                has_request_body_access: false,
                has_response_body_access: false,
                request_body_limit: 0,
                response_body_limit: 0,
                processor: None,
                xml_arguments: XmlArguments::Off,
                forces_request_body: false,
                forces_response_body: false,
            },
            tx: TxValues::default(),
            env: Vec::new(),
            geo: Vec::new(),
            records: Vec::new(),
            removed: Vec::new(),
            removals: Vec::new(),
            matched: Vec::new(),
            events: Vec::new(),
            events_left_out: 0,
            secrets: Secrets::default(),
            is_audit_relevant: false,
            highest_severity: u8::MAX,
            interruption: None,
            would_be: None,
            allowed: None,
            outcome: Outcome::Complete,
            bytes_left: 0,
            time_spent: Duration::ZERO,
            started_micros: 0,
        }
    }

    /// Gives memory back beyond so many bytes of each part.
    pub(super) fn give_back(&mut self, bytes_max: usize) {
        fn empty<T>(list: &mut Vec<T>, bytes_max: usize) {
            list.clear();
            list.shrink_to(bytes_max / size_of::<T>());
        }
        self.arena.clear(bytes_max);
        for entries in &mut self.entries {
            empty(entries, bytes_max);
        }
        empty(&mut self.xml_text, bytes_max);
        empty(&mut self.env, bytes_max);
        empty(&mut self.matched, bytes_max);
        empty(&mut self.events, bytes_max);
    }

    /// How much memory it takes, without what is little.
    pub(super) fn memory_bytes(&self) -> usize {
        let entries = self.entries.iter().map(Vec::capacity).sum::<usize>();
        let entries = entries * size_of::<Entry>();
        self.arena.memory_bytes() + self.xml_text.capacity() + entries
    }

    /// Makes it as it is when a transaction begins; memory beyond `bytes_max` is given back.
    pub(super) fn reset(&mut self, program: &Program, bytes_max: usize) {
        self.stage = Stage::Begun;
        self.arena.clear(bytes_max);
        for entries in &mut self.entries {
            entries.clear();
        }
        self.epochs = (0, 0);
        self.request = RequestParts::default();
        self.response = ResponseParts::default();
        self.body_outcome = BodyOutcome::default();
        self.xml_text.clear();
        self.xml_text.shrink_to(bytes_max);
        let settings = program.settings();
        self.controls = Controls {
            engine: settings.engine,
            audit: settings.audit.engine,
            audit_parts: None,
            has_request_body_access: settings.request_body.is_on,
            has_response_body_access: settings.response_body.is_on,
            request_body_limit: settings.request_body.limit,
            response_body_limit: settings.response_body.limit,
            processor: None,
            xml_arguments: settings.xml_arguments,
            forces_request_body: false,
            forces_response_body: false,
        };
        self.tx.reset(program.tx.len());
        self.env.clear();
        self.geo.clear();
        self.records.clear();
        self.removed.clear();
        self.removals.clear();
        self.matched.clear();
        self.events.clear();
        self.events_left_out = 0;
        self.secrets.clear();
        self.is_audit_relevant = false;
        self.highest_severity = u8::MAX;
        self.interruption = None;
        self.would_be = None;
        self.allowed = None;
        self.outcome = Outcome::Complete;
    }

    pub(super) fn entries(&self, kind: Kind) -> &[Entry] {
        let entries = self.entries.get(kind as usize);
        entries.map_or(&[], Vec::as_slice)
    }

    pub(super) fn entry_mut(&mut self, kind: Kind, index: usize) -> Option<&mut Entry> {
        self.entries.get_mut(kind as usize)?.get_mut(index)
    }

    /// Adds a member.
    pub(super) fn add(&mut self, kind: Kind, name: &[u8], value: &[u8]) {
        let entry = Entry {
            name: self.arena.push(name),
            value: self.arena.push(value),
            name_id: StringId::UNSET,
            value_id: StringId::UNSET,
        };
        // There is a list for each kind.
        if let Some(entries) = self.entries.get_mut(kind as usize) {
            entries.push(entry);
        }
    }

    /// The first field of the request of that name, which is in lower case.
    pub(super) fn request_header(&self, lower: &[u8]) -> Option<Span> {
        let mut fields = self.entries(Kind::RequestHeaders).iter();
        fields
            .find(|entry| self.arena.get(entry.name).eq_ignore_ascii_case(lower))
            .map(|entry| entry.value)
    }

    /// Ids of strings that were forgotten since are none.
    pub(super) fn forget_ids(&mut self) {
        for entry in self.entries.iter_mut().flatten() {
            entry.name_id = StringId::UNSET;
            entry.value_id = StringId::UNSET;
        }
    }

    pub(super) fn is_removed(&self, rule: u32) -> bool {
        let word = self.removed.get(rule as usize / 64);
        word.is_some_and(|word| word >> (rule % 64) & 1 == 1)
    }
}

/// Where the members of a collection are, and whether their names are what is looked at.
pub(super) fn kinds(name: VariableName) -> Option<(&'static [Kind], bool)> {
    use VariableName as V;
    Some(match name {
        V::Args => (&[Kind::ArgsGet, Kind::ArgsPost], false),
        V::ArgsNames => (&[Kind::ArgsGet, Kind::ArgsPost], true),
        V::ArgsGet => (&[Kind::ArgsGet], false),
        V::ArgsGetNames => (&[Kind::ArgsGet], true),
        V::ArgsPost => (&[Kind::ArgsPost], false),
        V::ArgsPostNames => (&[Kind::ArgsPost], true),
        V::RequestCookies => (&[Kind::Cookies], false),
        V::RequestCookiesNames => (&[Kind::Cookies], true),
        V::RequestHeaders => (&[Kind::RequestHeaders], false),
        V::RequestHeadersNames => (&[Kind::RequestHeaders], true),
        V::ResponseHeaders => (&[Kind::ResponseHeaders], false),
        V::ResponseHeadersNames => (&[Kind::ResponseHeaders], true),
        V::Files | V::MultipartFilename => (&[Kind::Files], false),
        V::FilesNames | V::MultipartName => (&[Kind::Files], true),
        V::FilesSizes => (&[Kind::FilesSizes], false),
        V::MultipartPartHeaders => (&[Kind::PartHeaders], false),
        _ => return None,
    })
}
