//! What a thread keeps between transactions.

use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::Connection;
use super::arena::Span;
use super::counter::RuleCounter;
use super::state::State;
use super::strings::{StringId, Strings};
use crate::operators::{Groups, OperatorCache};
use crate::program::{Program, RuleIndex};
use crate::syntax::{Phase, VariableName};
use crate::{Collections, Countries};

/// The time since 1970; of [`WorkerOptions::stopwatch`], since whenever.
pub type Clock = fn() -> Duration;

/// What one transaction may cost in bytes, unless told otherwise: 128 MiB.
///
/// By OWASP CRS at paranoia 4, and with an answer of 1 MiB, the largest form that ModSecurity's recommended
/// settings let through (`SecRequestBodyNoFilesLimit 131072`) costs 20 MB, with 13 MB of files beside it no
/// more, and 13 MB of text 68 MB; the largest form by ModSecurity's own default (1 MiB) costs 110 MB
/// without the answer. What transformations make of values is kept while a phase runs, so this bounds
/// memory too: a form of one value of 13 MB, which the recommended settings refuse, takes 163 MiB until it
/// is spent.
const BUDGET_BYTES: u64 = 1 << 27;

/// How much of everything a worker may use.
#[derive(Clone, Debug)]
pub struct WorkerOptions {
    /// Strings that are kept from one transaction to the next; 0 keeps none.
    pub strings_max: usize,
    /// Bytes of strings that are kept.
    pub string_bytes_max: usize,
    /// What one transaction may cost.
    pub budget: Budget,
    /// Where the time is from.
    pub clock: Clock,
    /// What times rules ([`RuleCounter::sampled_nanos`]) and the budget: best a clock that nobody sets, with nanoseconds.
    pub stopwatch: Clock,
    /// Where records of collections outlive transactions, shared with other workers; without it none does.
    pub collections: Option<Arc<Collections>>,
    /// Whom `@geoLookup` asks; without it, it never matches.
    pub countries: Option<Arc<dyn Countries>>,
}

/// What one transaction may cost, all phases together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Bytes that are transformed, searched or looked at by operators, counted each time.
    pub bytes: u64,
    /// Time in phases, by [`WorkerOptions::stopwatch`]; what a body takes to come in is not counted.
    pub time: Duration,
}

impl WorkerOptions {
    /// What is right for a proxy, with the time from `clock`, which times rules too.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self {
            strings_max: 8_192,
            string_bytes_max: 1 << 20,
            budget: Budget {
                bytes: BUDGET_BYTES,
                time: Duration::from_secs(10),
            },
            clock,
            stopwatch: clock,
            collections: None,
            countries: None,
        }
    }
}

/// Memory and caches of one thread, for one program.
#[derive(Debug)]
pub struct Worker {
    pub(super) program: Arc<Program>,
    pub(super) options: WorkerOptions,
    pub(super) strings: (Strings, Strings),
    pub(super) buffers: Buffers,
    pub(super) plan: Plan,
    body: palisade_body::Scratch,
    #[expect(clippy::vec_box, reason = "they move to transactions and back")]
    spare: Vec<Box<State>>,
    /// How many transactions have begun.
    transactions: u64,
}

/// What evaluating needs, beside strings.
#[derive(Debug)]
pub(super) struct Buffers {
    pub(super) caches: Vec<OperatorCache>,
    /// Those of selectors.
    pub(super) selectors: Vec<OperatorCache>,
    pub(super) counters: Vec<RuleCounter>,
    /// The rule that is asked, or was last in this phase.
    pub(super) asked: Option<RuleIndex>,
    pub(super) groups: Groups,
    pub(super) expanded: Vec<u8>,
    pub(super) transformed: Vec<u8>,
    pub(super) scalar: Vec<u8>,
    pub(super) name: Vec<u8>,
    pub(super) value: Vec<u8>,
}

/// Values of parts, and candidates among them, in the phase that runs.
#[derive(Debug)]
pub(super) struct Plan {
    /// Which run of a phase it is.
    pub(super) run: u64,
    /// The run since which the head of the request is the same.
    pub(super) head_run: u64,
    /// Whose head that is, and of which strings the ids are.
    pub(super) head: (u64, bool, u64),
    pub(super) parts: Vec<PlannedPart>,
    pub(super) values: Vec<PlannedValue>,
    /// For each part a row of words: filters that may match a value of it.
    pub(super) part_rows: Vec<u64>,
    /// For each group, the run that its row is of.
    pub(super) groups: Vec<u64>,
    /// For each group a row of words: filters that may match a value of one of its parts.
    pub(super) group_rows: Vec<u64>,
    pub(super) words: usize,
    /// Values of sets that change while rules run.
    pub(super) moving: Vec<super::lookup::MovingValue>,
    pub(super) counted: Vec<super::lookup::MovingValue>,
}

/// What was looked up of a part.
#[derive(Clone, Debug, Default)]
pub(super) struct PlannedPart {
    /// The run that its values are of.
    pub(super) run: u64,
    /// The last run in which they are known to be right.
    pub(super) is_valid_in: u64,
    pub(super) values: std::ops::Range<u32>,
    /// The run that its row is of.
    pub(super) row_run: u64,
}

/// A value that stays the same throughout a phase.
#[derive(Clone, Copy, Debug)]
pub(super) struct PlannedValue {
    pub(super) string: StringId,
    pub(super) member: Span,
    pub(super) variable: VariableName,
    pub(super) has_member: bool,
    pub(super) is_count: bool,
}

/// Transactions' memory that is kept.
const SPARE_MAX: usize = 64;
/// Beyond this a transaction's memory is given back to the system.
const SPARE_BYTES_MAX: usize = 256 * 1024;

impl Buffers {
    /// Gives memory back beyond so many bytes of each.
    fn shrink(&mut self, bytes_max: usize) {
        let Self {
            expanded,
            transformed,
            scalar,
            name,
            value,
            ..
        } = self;
        for buffer in [expanded, transformed, scalar, name, value] {
            buffer.clear();
            buffer.shrink_to(bytes_max);
        }
    }
}

impl Plan {
    /// Gives memory back beyond so many bytes of each.
    fn shrink(&mut self, bytes_max: usize) {
        let values_max = bytes_max / size_of::<PlannedValue>();
        if self.values.capacity() > values_max {
            // It may be another transaction's, which then looks them up again.
            self.head = (0, false, 0);
            self.values.clear();
            self.values.shrink_to(values_max);
        }
        for moving in [&mut self.moving, &mut self.counted] {
            moving.clear();
            moving.shrink_to(bytes_max / size_of::<super::lookup::MovingValue>());
        }
    }
}

impl Worker {
    /// A worker for `program`.
    #[must_use]
    pub fn new(program: Arc<Program>, options: WorkerOptions) -> Self {
        let mut caches = Vec::new();
        caches.resize_with(program.operators.len(), OperatorCache::default);
        let mut selectors = Vec::new();
        selectors.resize_with(program.selector_count, OperatorCache::default);
        let words = program.request.words().max(program.response.words());
        Self {
            strings: (
                Strings::new(&program.request),
                Strings::new(&program.response),
            ),
            buffers: Buffers {
                caches,
                selectors,
                counters: vec![RuleCounter::default(); program.rules.len()],
                asked: None,
                groups: Groups::default(),
                expanded: Vec::new(),
                transformed: Vec::new(),
                scalar: Vec::new(),
                name: Vec::new(),
                value: Vec::new(),
            },
            plan: Plan {
                run: 0,
                head_run: 0,
                head: (0, false, 0),
                parts: vec![PlannedPart::default(); program.parts.len()],
                values: Vec::new(),
                part_rows: vec![0; words * program.parts.len()],
                groups: vec![0; program.groups.len()],
                group_rows: vec![0; words * program.groups.len()],
                words,
                moving: Vec::new(),
                counted: Vec::new(),
            },
            body: palisade_body::Scratch::new(),
            spare: Vec::new(),
            transactions: 0,
            program,
            options,
        }
    }

    /// The program that it is for.
    #[must_use]
    pub fn program(&self) -> &Arc<Program> {
        &self.program
    }

    /// What rules have cost so far, in the order of [`Program::rules`].
    #[must_use]
    pub fn counters(&self) -> &[RuleCounter] {
        &self.buffers.counters
    }

    /// The id of the rule that was asked last in the phase that ran last: where the budget was spent, or
    /// where the engine panicked. `None` where values were searched for many rules at once.
    #[must_use]
    pub fn asked_rule(&self) -> Option<u64> {
        let rule = self.program.rules.get(self.buffers.asked? as usize)?;
        Some(rule.id())
    }

    /// Forgets what is known of strings.
    pub fn forget_strings(&mut self) {
        self.strings.0.forget(self.options.string_bytes_max);
        self.strings.1.forget(self.options.string_bytes_max);
    }

    pub(super) fn body_scratch(&mut self) -> (&Program, &mut palisade_body::Scratch) {
        (&self.program, &mut self.body)
    }

    pub(super) fn begin(&mut self, connection: &Connection<'_>) -> Box<State> {
        let mut state = match self.spare.pop() {
            Some(state) => state,
            None => Box::new(State::new()),
        };
        state.reset(&self.program, SPARE_BYTES_MAX);
        self.transactions += 1;
        state.number = self.transactions;
        state.bytes_left = self.options.budget.bytes;
        state.time_spent = Duration::ZERO;
        let micros = (self.options.clock)().as_micros();
        state.started_micros = u64::try_from(micros).unwrap_or(u64::MAX);
        let arena = &mut state.arena;
        let mut address = |socket: std::net::SocketAddr| {
            let mut port = itoa::Buffer::new();
            (
                arena.push_with(|out| append_address(socket.ip(), out)),
                arena.push(port.format(socket.port()).as_bytes()),
            )
        };
        let (client_address, client_port) = address(connection.client);
        let (server_address, server_port) = address(connection.server);
        state.connection = super::state::ConnectionParts {
            client_address,
            client_port,
            server_address,
            server_port,
            unique_id: state.arena.push(connection.unique_id.as_bytes()),
        };
        state
    }

    pub(super) fn finish(&mut self, mut state: Box<State>) {
        super::records::write(&state, &self.options);
        if self.spare.len() < SPARE_MAX {
            state.give_back(SPARE_BYTES_MAX);
            self.spare.push(state);
        }
        self.buffers.shrink(SPARE_BYTES_MAX);
        self.plan.shrink(SPARE_BYTES_MAX);
        for strings in [&mut self.strings.0, &mut self.strings.1] {
            let (count, bytes) = strings.size();
            let is_over = count > self.options.strings_max || bytes > self.options.string_bytes_max;
            if is_over {
                strings.forget(self.options.string_bytes_max);
            }
        }
        self.body.shrink(SPARE_BYTES_MAX);
    }

    pub(super) fn is_response(phase: Phase) -> bool {
        matches!(phase, Phase::ResponseHeaders | Phase::ResponseBody)
    }
}

/// Hot path: for each transaction, where formatting costs a thousand instructions.
fn append_address(address: IpAddr, out: &mut Vec<u8>) {
    match address {
        IpAddr::V4(address) => {
            for (number, octet) in address.octets().into_iter().enumerate() {
                if number > 0 {
                    out.push(b'.');
                }
                out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
            }
        }
        IpAddr::V6(address) => {
            let _ = write!(out, "{address}");
        }
    }
}
