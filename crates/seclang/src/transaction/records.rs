//! Persistent collections (`IP`, `GLOBAL`, `SESSION`, `USER`, `RESOURCE`), as far as one transaction has
//! them open.

use super::arena::{Arena, Span};
use super::lookup::append;
use super::state::State;
use super::tx_values::TxValue;
use super::worker::WorkerOptions;
use crate::collections::{Change, Collections, Edit, Head, VARIABLES_MAX, Value};
use crate::operators::integer;
use crate::program::Settings;
use crate::syntax::VariableName;

/// A record that `initcol` opened.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) collection: VariableName,
    key: Span,
    /// What it is known by beyond the transaction.
    id: Span,
    values: Vec<Held>,
}

/// A variable of a record.
#[derive(Clone, Copy, Debug)]
struct Held {
    name: Span,
    value: TxValue,
    state: HeldState,
    /// When it expires, if a rule said so, in seconds since 1970.
    expires: Option<u64>,
}

/// What rules did to a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum HeldState {
    /// The record says it of itself: rules don't change it.
    BuiltIn,
    AsLoaded,
    /// They added so much, all in all.
    Added(i64),
    Set,
}

/// What a record says of itself, which rules can change: after how many seconds without a change it expires.
const TIMEOUT: &[u8] = b"timeout";
/// It as a whole, for `expirevar`.
const KEY: &[u8] = b"key";

impl Record {
    /// Names and values, of those that are set.
    pub(super) fn values(&self) -> impl Iterator<Item = (Span, TxValue)> {
        let values = self.values.iter().map(|held| (held.name, held.value));
        values.filter(|(_, value)| value.is_set())
    }

    /// The variable of that number, whether it is set or not.
    pub(super) fn value_at(&self, at: usize) -> Option<(Span, TxValue)> {
        self.values.get(at).map(|held| (held.name, held.value))
    }

    fn find(&mut self, arena: &Arena, lower: &[u8]) -> Option<&mut Held> {
        let mut values = self.values.iter_mut();
        values.find(|held| arena.get(held.name) == lower)
    }

    /// Whether rules changed anything that is to be kept.
    fn is_changed(&self) -> bool {
        let is_kept = |held: &Held| matches!(held.state, HeldState::AsLoaded | HeldState::BuiltIn);
        let is_changed = |held: &Held| !is_kept(held) || held.expires.is_some();
        self.values.iter().any(is_changed)
    }
}

fn open_record(records: &[Record], collection: VariableName) -> Option<&Record> {
    let mut records = records.iter();
    records.find(|record| record.collection == collection)
}

/// Opens a record, with what earlier transactions left in it; nothing happens where one of the collection
/// is open already.
pub(super) fn open(
    state: &mut State,
    collection: VariableName,
    key: Span,
    now: u64,
    settings: &Settings,
    collections: Option<&Collections>,
) {
    if open_record(&state.records, collection).is_some() {
        return;
    }
    let arena = &mut state.arena;
    let mut id_bytes = Vec::new();
    append_id(
        collection,
        &settings.web_app_id,
        arena.get(key),
        &mut id_bytes,
    );
    let id = arena.push(&id_bytes);
    let mut values = Vec::new();
    let head = collections.and_then(|collections| {
        collections.load(&id_bytes, now, |name, value| {
            let name = arena.push(name);
            let value = match value {
                Value::Integer(number) => TxValue::Integer(number),
                Value::Text(text) => TxValue::Text(arena.push(text)),
            };
            values.push(Held {
                name,
                value,
                state: HeldState::AsLoaded,
                expires: None,
            });
        })
    });
    say_of_itself(&mut values, arena, key, head, now, settings);
    state.records.push(Record {
        collection,
        key,
        id,
        values,
    });
}

/// The collection and the key; sessions, users and resources are those of one application (`SecWebAppId`).
fn append_id(collection: VariableName, web_app_id: &[u8], key: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(collection.as_str().as_bytes());
    out.push(0);
    if !matches!(collection, VariableName::Ip | VariableName::Global) {
        out.extend_from_slice(web_app_id);
        out.push(0);
    }
    out.extend_from_slice(key);
}

/// What a record says of itself (reference manual, "Persistent Storage").
fn say_of_itself(
    values: &mut Vec<Held>,
    arena: &mut Arena,
    key: Span,
    head: Option<Head>,
    now: u64,
    settings: &Settings,
) {
    let is_new = head.is_none();
    let head = head.unwrap_or(Head {
        created: now,
        updated: now,
        update_count: 0,
        timeout: settings.collection_timeout,
    });
    let minutes_60ths = now.saturating_sub(head.created).max(1);
    let rate = head.update_count.saturating_mul(60) / minutes_60ths;
    let number = |number: u64| TxValue::Integer(i64::try_from(number).unwrap_or(i64::MAX));
    let said: [(&[u8], TxValue); 7] = [
        (KEY, TxValue::Text(key)),
        (TIMEOUT, number(head.timeout)),
        (b"create_time", number(head.created)),
        (b"last_update_time", number(head.updated)),
        (b"update_counter", number(head.update_count)),
        (b"update_rate", number(rate)),
        (b"is_new", number(u64::from(is_new))),
    ];
    values.extend(said.map(|(name, value)| Held {
        name: arena.push(name),
        value,
        state: HeldState::BuiltIn,
        expires: None,
    }));
}

/// Appends what `setuid` or `setsid` was given; says whether one of them was.
pub(super) fn append_key(state: &State, name: VariableName, out: &mut Vec<u8>) -> bool {
    let collection = match name {
        VariableName::UserId => VariableName::User,
        _ => VariableName::Session,
    };
    let Some(record) = open_record(&state.records, collection) else {
        return false;
    };
    append(state.arena.get(record.key), usize::MAX, out);
    true
}

/// The value of a variable of an open record; its name is in lower case.
pub(super) fn get(state: &State, collection: VariableName, lower: &[u8]) -> TxValue {
    let record = open_record(&state.records, collection);
    let mut values = record.into_iter().flat_map(Record::values);
    values
        .find(|(name, _)| state.arena.get(*name) == lower)
        .map(|(_, value)| value)
        .unwrap_or_default()
}

/// Sets it; nothing happens where the collection isn't open. `is_sum` where `value` came of adding.
pub(super) fn set(
    state: &mut State,
    collection: VariableName,
    lower: &[u8],
    value: TxValue,
    is_sum: bool,
) {
    let arena = &mut state.arena;
    let mut records = state.records.iter_mut();
    let Some(record) = records.find(|record| record.collection == collection) else {
        return;
    };
    let of = |value: TxValue, arena: &Arena| match value {
        TxValue::Text(text) => integer(arena.get(text)),
        value => value.integer(arena),
    };
    if let Some(held) = record.find(arena, lower) {
        let by = of(value, arena).saturating_sub(of(held.value, arena));
        held.state = match (held.state, is_sum) {
            (HeldState::BuiltIn, _) if lower != TIMEOUT => return,
            (HeldState::AsLoaded, true) => HeldState::Added(by),
            (HeldState::Added(before), true) => HeldState::Added(before.saturating_add(by)),
            _ => HeldState::Set,
        };
        held.value = value;
        return;
    }
    if record.values.len() < VARIABLES_MAX {
        let by = of(value, arena);
        record.values.push(Held {
            name: arena.push(lower),
            value,
            state: match is_sum {
                true => HeldState::Added(by),
                false => HeldState::Set,
            },
            expires: None,
        });
    }
}

/// Lets it expire so many seconds from `now` on; of a record's key, the record.
pub(super) fn expire(
    state: &mut State,
    collection: VariableName,
    lower: &[u8],
    now: u64,
    seconds: u64,
) {
    if lower == KEY {
        let seconds = TxValue::Integer(i64::try_from(seconds).unwrap_or(i64::MAX));
        return set(state, collection, TIMEOUT, seconds, false);
    }
    let arena = &state.arena;
    let mut records = state.records.iter_mut();
    let record = records.find(|record| record.collection == collection);
    if let Some(held) = record.and_then(|record| record.find(arena, lower))
        && held.state != HeldState::BuiltIn
    {
        held.expires = Some(now.saturating_add(seconds));
    }
}

/// Keeps what rules changed, once the transaction is over.
pub(super) fn write(state: &State, options: &WorkerOptions) {
    let Some(collections) = options.collections.as_deref() else {
        return;
    };
    for record in state.records.iter().filter(|record| record.is_changed()) {
        let now = (options.clock)().as_secs();
        let timeout = get(state, record.collection, TIMEOUT).integer(&state.arena);
        let timeout = u64::try_from(timeout).unwrap_or(0);
        let changes = record.values.iter();
        let changes = changes.filter_map(|held| change(held, &state.arena));
        collections.write(state.arena.get(record.id), now, timeout, changes);
    }
}

fn change<'s>(held: &Held, arena: &'s Arena) -> Option<Change<'s>> {
    let name = arena.get(held.name);
    let edit = match (held.state, held.value) {
        (HeldState::BuiltIn, _) => return None,
        (_, _) if name == TIMEOUT => return None,
        (HeldState::AsLoaded, _) if held.expires.is_none() => return None,
        (HeldState::AsLoaded, _) => Edit::Keep,
        (HeldState::Added(by), _) => Edit::Add(by),
        (HeldState::Set, TxValue::Unset) => Edit::Unset,
        (HeldState::Set, TxValue::Integer(number)) => Edit::Set(Value::Integer(number)),
        (HeldState::Set, TxValue::Text(text)) => Edit::Set(Value::Text(arena.get(text))),
    };
    Some(Change {
        name,
        edit,
        expires: held.expires,
    })
}
