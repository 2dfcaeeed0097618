//! From syntax trees to indexes: every leaf of every rule becomes a sorted list of atoms, and every
//! rule is listed under the leaf that a request hits least often.

use std::collections::HashMap;
use std::hash::Hash;

use palisade_vocabulary::{Asn, Cidr, Country, Mode};

use crate::matcher::{AddressIndex, Atom, FactIndex, FieldIndex, Postings, RegexSetError};
use crate::{AddressCondition, Condition, Field, Pattern, PatternKind, Rule, TextCondition};

/// A condition with numbered leaves; its shape is that of the syntax tree.
#[derive(Debug)]
pub(crate) enum Node {
    All(Box<[Node]>),
    Any(Box<[Node]>),
    Not(Box<Node>),
    Leaf(LeafId),
}

/// The number of a leaf; equal leaves of all rules are one.
pub(crate) type LeafId = u32;

/// What a leaf of a condition asks: whether the request hits one of these atoms of one index.
#[derive(Debug)]
pub(crate) struct Leaf {
    pub(crate) source: Source,
    /// Ascending.
    pub(crate) atoms: Box<[Atom]>,
}

/// Which index atoms belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Source {
    Address,
    Country,
    Asn,
    /// The position of a field in [`Compiled::fields`].
    Text(u32),
}

/// All rules of a set, compiled together.
#[derive(Debug)]
pub(crate) struct Compiled {
    /// By rule; `None` for a rule that is off.
    pub(crate) conditions: Box<[Option<Node>]>,
    pub(crate) leaves: Box<[Leaf]>,
    /// Rules that no single hit can point to, ascending: looked at on every request.
    pub(crate) always: Box<[u32]>,
    /// By leaf: the rules that can hold only if this leaf, or another that lists them, is hit.
    pub(crate) rules_by_leaf: Postings,
    pub(crate) addresses: AddressIndex,
    pub(crate) countries: FactIndex<Country>,
    pub(crate) asns: FactIndex<Asn>,
    address_leaves: Postings,
    country_leaves: Postings,
    asn_leaves: Postings,
    pub(crate) fields: Box<[CompiledField]>,
}

impl Compiled {
    /// By atom of one index: the leaves that list rules.
    pub(crate) fn listing(&self, source: Source) -> Option<&Postings> {
        match source {
            Source::Address => Some(&self.address_leaves),
            Source::Country => Some(&self.country_leaves),
            Source::Asn => Some(&self.asn_leaves),
            Source::Text(field) => self.fields.get(field as usize).map(|field| &field.leaves),
        }
    }
}

/// All that a set asks of one field.
#[derive(Debug)]
pub(crate) struct CompiledField {
    pub(crate) field: Field,
    pub(crate) index: FieldIndex,
    pub(crate) atom_count: usize,
    /// By atom: the leaves that list rules. Where there are none the field is searched only if a
    /// rule that is looked at asks for it.
    leaves: Postings,
}

/// Why a set can't be compiled. `rule` is a position.
#[derive(Debug)]
pub(crate) enum CompileError {
    TooManyPatterns {
        rule: usize,
    },
    TooManyRanges {
        rule: usize,
    },
    Regexes {
        rule: usize,
        field: Field,
        error: RegexSetError,
    },
}

/// The most distinct patterns of a set, and the most ranges: bounds on memory (some hundred bytes a
/// literal, about 15 KiB a regular expression, 50 bytes a range), far from where 32-bit numbers end.
pub(crate) const PATTERNS_MAX: usize = 500_000;
pub(crate) const RANGES_MAX: usize = 8_000_000;

/// Compiles `rules`; those that are off are left out.
pub(crate) fn compile(rules: &[Rule]) -> Result<Compiled, CompileError> {
    let mut builder = Builder::default();
    let mut conditions = Vec::with_capacity(rules.len());
    for (position, rule) in rules.iter().enumerate() {
        let node = (rule.mode != Mode::Off).then(|| builder.node(&rule.condition));
        builder.check_bounds(position)?;
        conditions.push(node);
    }
    builder.finish(rules, conditions)
}

/// Numbers things in the order in which they come.
#[derive(Debug)]
struct Numbering<K> {
    numbers: HashMap<K, u32>,
    items: Vec<K>,
}

impl<K> Default for Numbering<K> {
    fn default() -> Self {
        Self {
            numbers: HashMap::new(),
            items: Vec::new(),
        }
    }
}

impl<K: Clone + Eq + Hash> Numbering<K> {
    fn number(&mut self, item: K) -> u32 {
        if let Some(number) = self.numbers.get(&item) {
            return *number;
        }
        let number = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        self.items.push(item.clone());
        self.numbers.insert(item, number);
        number
    }
}

#[derive(Default)]
struct Builder {
    leaves: Numbering<(Source, Box<[Atom]>)>,
    /// Leaves of lists that several rules share, by the address of the list in memory.
    shared_lists: HashMap<*const Cidr, LeafId>,
    ranges: Numbering<Cidr>,
    /// `None` is "unknown".
    countries: Numbering<Option<Country>>,
    asns: Numbering<Option<Asn>>,
    fields: Numbering<Field>,
    /// By field.
    patterns: Vec<Numbering<Pattern>>,
    pattern_count: usize,
}

impl Builder {
    /// Recursion is bounded: [`Condition::DEPTH_MAX`] was checked.
    fn node(&mut self, condition: &Condition) -> Node {
        match condition {
            Condition::All(parts) => Node::All(parts.iter().map(|part| self.node(part)).collect()),
            Condition::Any(parts) => Node::Any(parts.iter().map(|part| self.node(part)).collect()),
            Condition::Not(part) => Node::Not(Box::new(self.node(part))),
            Condition::Address(address) => Node::Leaf(self.address_leaf(address)),
            Condition::Country(country) => {
                let facts = facts(country.countries(), country.holds_if_unknown());
                let atoms = facts.map(|fact| self.countries.number(fact)).collect();
                Node::Leaf(self.leaf(Source::Country, atoms))
            }
            Condition::Asn(asn) => {
                let facts = facts(asn.numbers(), asn.holds_if_unknown());
                let atoms = facts.map(|fact| self.asns.number(fact)).collect();
                Node::Leaf(self.leaf(Source::Asn, atoms))
            }
            Condition::Text(text) => Node::Leaf(self.text_leaf(text)),
        }
    }

    fn address_leaf(&mut self, address: &AddressCondition) -> LeafId {
        // An empty slice has no memory of its own to be known by.
        let identity = address.ranges().first().map(std::ptr::from_ref);
        if let Some(leaf) = identity.and_then(|list| self.shared_lists.get(&list)) {
            return *leaf;
        }
        let atoms = address
            .ranges()
            .iter()
            .map(|range| self.ranges.number(*range))
            .collect();
        let leaf = self.leaf(Source::Address, atoms);
        if let Some(list) = identity {
            self.shared_lists.insert(list, leaf);
        }
        leaf
    }

    fn text_leaf(&mut self, text: &TextCondition) -> LeafId {
        let field = self.fields.number(text.field().clone());
        if self.patterns.len() <= field as usize {
            self.patterns.push(Numbering::default());
        }
        let mut atoms = Vec::with_capacity(text.patterns().len());
        if let Some(patterns) = self.patterns.get_mut(field as usize) {
            let before = patterns.items.len();
            atoms.extend(
                text.patterns()
                    .iter()
                    .map(|pattern| patterns.number(pattern.in_one_case())),
            );
            self.pattern_count += patterns.items.len() - before;
        }
        self.leaf(Source::Text(field), atoms)
    }

    fn leaf(&mut self, source: Source, mut atoms: Vec<Atom>) -> LeafId {
        atoms.sort_unstable();
        atoms.dedup();
        self.leaves.number((source, atoms.into()))
    }

    fn check_bounds(&self, rule: usize) -> Result<(), CompileError> {
        if self.pattern_count > PATTERNS_MAX {
            return Err(CompileError::TooManyPatterns { rule });
        }
        if self.ranges.items.len() > RANGES_MAX {
            return Err(CompileError::TooManyRanges { rule });
        }
        Ok(())
    }

    fn finish(
        self,
        rules: &[Rule],
        conditions: Vec<Option<Node>>,
    ) -> Result<Compiled, CompileError> {
        let (always, rules_by_leaf) = self.rules_by_key(&conditions);
        let leaves_of = |source: Source, atom_count: usize| {
            let listing = (0..)
                .zip(&self.leaves.items)
                .filter(|(leaf, (leaf_source, _))| {
                    *leaf_source == source && !rules_by_leaf.get(*leaf).is_empty()
                });
            let pairs =
                listing.flat_map(|(leaf, (_, atoms))| atoms.iter().map(move |atom| (*atom, leaf)));
            Postings::new(atom_count, pairs.collect())
        };
        let mut fields = Vec::with_capacity(self.fields.items.len());
        for ((field, patterns), number) in self.fields.items.iter().zip(&self.patterns).zip(0..) {
            let index =
                FieldIndex::new(&patterns.items).map_err(|error| CompileError::Regexes {
                    rule: rule_with(rules, field, patterns.items.get(error.atom as usize)),
                    field: field.clone(),
                    error,
                })?;
            fields.push(CompiledField {
                field: field.clone(),
                index,
                atom_count: patterns.items.len(),
                leaves: leaves_of(Source::Text(number), patterns.items.len()),
            });
        }
        Ok(Compiled {
            address_leaves: leaves_of(Source::Address, self.ranges.items.len()),
            country_leaves: leaves_of(Source::Country, self.countries.items.len()),
            asn_leaves: leaves_of(Source::Asn, self.asns.items.len()),
            addresses: AddressIndex::new(&self.ranges.items),
            countries: FactIndex::new(self.countries.items.into_iter().zip(0..)),
            asns: FactIndex::new(self.asns.items.into_iter().zip(0..)),
            leaves: (self.leaves.items.into_iter())
                .map(|(source, atoms)| Leaf { source, atoms })
                .collect(),
            conditions: conditions.into(),
            fields: fields.into(),
            always,
            rules_by_leaf,
        })
    }

    /// Lists each rule under the leaves of its key, or under "always".
    fn rules_by_key(&self, conditions: &[Option<Node>]) -> (Box<[u32]>, Postings) {
        let breadths: Vec<u32> = self
            .leaves
            .items
            .iter()
            .map(|leaf| self.breadth(leaf))
            .collect();
        let mut always = Vec::new();
        let mut pairs = Vec::new();
        for (condition, rule) in conditions.iter().zip(0_u32..) {
            let Some(condition) = condition else { continue };
            match key(condition, false, &breadths) {
                Some(key) => pairs.extend(key.leaves.into_iter().map(|leaf| (leaf, rule))),
                None => always.push(rule),
            }
        }
        (always.into(), Postings::new(self.leaves.items.len(), pairs))
    }

    /// How many of a thousand ordinary requests may hit a leaf: a guess, good enough to choose.
    fn breadth(&self, (source, atoms): &(Source, Box<[Atom]>)) -> u32 {
        match source {
            Source::Address => {
                let ranges = atoms
                    .iter()
                    .filter_map(|atom| self.ranges.items.get(*atom as usize));
                ranges
                    .map(|range| if range.prefix_len() < 8 { 1000 } else { 50 })
                    .max()
                    .unwrap_or(0)
            }
            Source::Country => 200,
            Source::Asn => 40,
            Source::Text(field) => {
                let patterns = self.patterns.get(*field as usize);
                let patterns = atoms
                    .iter()
                    .filter_map(|atom| patterns?.items.get(*atom as usize));
                let field = self.fields.items.get(*field as usize);
                patterns
                    .map(|pattern| pattern_breadth(field, pattern))
                    .sum::<u32>()
                    .min(1000)
            }
        }
    }
}

fn pattern_breadth(field: Option<&Field>, pattern: &Pattern) -> u32 {
    match field {
        Some(Field::Method) => return 500,
        Some(Field::Host) => return 300,
        _ => {}
    }
    match (pattern.kind(), pattern.text().len()) {
        (PatternKind::Equals, _) => 2,
        (PatternKind::Regex, _) => 64,
        (_, len) => 512 >> len.min(9),
    }
}

/// The position of the first rule that has `pattern` on `field`.
fn rule_with(rules: &[Rule], field: &Field, pattern: Option<&Pattern>) -> usize {
    fn has(condition: &Condition, field: &Field, wanted: &Pattern) -> bool {
        match condition {
            Condition::All(parts) | Condition::Any(parts) => {
                parts.iter().any(|part| has(part, field, wanted))
            }
            Condition::Not(part) => has(part, field, wanted),
            Condition::Text(text) => {
                let same = |pattern: &Pattern| pattern.in_one_case() == *wanted;
                text.field() == field && text.patterns().iter().any(same)
            }
            Condition::Address(_) | Condition::Country(_) | Condition::Asn(_) => false,
        }
    }
    let holder = |pattern| {
        rules
            .iter()
            .position(|rule| has(&rule.condition, field, pattern))
    };
    pattern.and_then(holder).unwrap_or(0)
}

/// The facts of a set, "unknown" among them where it counts.
fn facts<T: Copy>(set: &[T], unknown: bool) -> impl Iterator<Item = Option<T>> {
    set.iter().copied().map(Some).chain(unknown.then_some(None))
}

/// Leaves one of which must be hit for a condition to hold.
struct Key {
    leaves: Vec<LeafId>,
    /// How many of a thousand ordinary requests may hit one.
    breadth: u32,
}

/// The key of a condition, or of its negation; `None` if it may hold without a hit.
fn key(node: &Node, negated: bool, breadths: &[u32]) -> Option<Key> {
    match (node, negated) {
        (Node::Leaf(_), true) => None,
        (Node::Leaf(leaf), false) => Some(Key {
            leaves: vec![*leaf],
            breadth: breadths.get(*leaf as usize).copied().unwrap_or(0),
        }),
        (Node::Not(part), _) => key(part, !negated, breadths),
        // All parts must hold: any one part's key will do.
        (Node::All(parts), false) | (Node::Any(parts), true) => parts
            .iter()
            .filter_map(|part| key(part, negated, breadths))
            .min_by_key(|key| key.breadth),
        // One part must hold: the keys of all parts together.
        (Node::Any(parts), false) | (Node::All(parts), true) => {
            let mut all = Key {
                leaves: Vec::new(),
                breadth: 0,
            };
            for part in parts {
                let part = key(part, negated, breadths)?;
                all.leaves.extend(part.leaves);
                all.breadth = all.breadth.saturating_add(part.breadth);
            }
            Some(all)
        }
    }
}
