//! Which atoms a request hits, and which rules those point to.

use palisade_vocabulary::{Known, RequestView};

use crate::Field;
use crate::Truth;
use crate::compile::{Compiled, CompiledField, LeafId, Node, Source};
use crate::field_values::{PathForm, visit_values};
use crate::matcher::{Atom, Stamps, Workspace};

/// The hits of one request, field by field; memory is kept between requests.
#[derive(Debug)]
pub(crate) struct Hits {
    /// The slots that were searched for this request.
    searched: Stamps,
    /// By slot: its part of `atoms`.
    spans: Vec<(usize, usize)>,
    atoms: Vec<Atom>,
    seen: Stamps,
    listed: Stamps,
    candidates: Vec<u32>,
    workspace: Workspace,
}

impl Hits {
    pub(crate) fn new() -> Self {
        Self {
            searched: Stamps::default(),
            spans: Vec::new(),
            atoms: Vec::new(),
            seen: Stamps::default(),
            listed: Stamps::default(),
            candidates: Vec::new(),
            workspace: Workspace::new(),
        }
    }
}

/// One request against one compiled set. Fields are searched when they are first asked for.
///
/// Hot path: runs per request, allocates nothing once [`Hits`] has grown.
pub(crate) struct Matching<'a> {
    compiled: &'a Compiled,
    view: &'a RequestView<'a>,
    hits: &'a mut Hits,
}

impl<'a> Matching<'a> {
    pub(crate) fn new(
        compiled: &'a Compiled,
        view: &'a RequestView<'a>,
        hits: &'a mut Hits,
    ) -> Self {
        let slots = FIRST_TEXT_SLOT + 2 * compiled.fields.len();
        hits.searched.begin(slots);
        if hits.spans.len() < slots {
            hits.spans.resize(slots, (0, 0));
        }
        hits.atoms.clear();
        Self {
            compiled,
            view,
            hits,
        }
    }

    /// Finds the rules that may hold, in file order; ask [`Matching::candidate`] for each.
    pub(crate) fn find_candidates(&mut self) {
        self.hits.candidates.clear();
        self.hits.candidates.extend(&self.compiled.always);
        self.hits.listed.begin(self.compiled.leaves.len());
        self.list(Source::Address, PathForm::Canonical);
        self.list(Source::Country, PathForm::Canonical);
        self.list(Source::Asn, PathForm::Canonical);
        for (field, number) in self.compiled.fields.iter().zip(0..) {
            self.list(Source::Text(number), PathForm::Canonical);
            if field.field == Field::Path && self.has_params() {
                self.list(Source::Text(number), PathForm::WithoutParams);
            }
        }
        self.hits.candidates.sort_unstable();
        self.hits.candidates.dedup();
    }

    /// The candidate at `position`, if there are so many.
    pub(crate) fn candidate(&self, position: usize) -> Option<u32> {
        self.hits.candidates.get(position).copied()
    }

    /// Whether the path has `;params`, and so two forms.
    pub(crate) fn has_params(&self) -> bool {
        self.view.path.without_params.is_some()
    }

    /// Whether a condition holds for one form of the path.
    ///
    /// Recursion is bounded by [`crate::Condition::DEPTH_MAX`].
    pub(crate) fn truth(&mut self, node: &Node, form: PathForm) -> Truth {
        match node {
            Node::All(parts) => Truth::all(parts.iter().map(|part| self.truth(part, form))),
            Node::Any(parts) => Truth::any(parts.iter().map(|part| self.truth(part, form))),
            Node::Not(part) => self.truth(part, form).negated(),
            Node::Leaf(leaf) => self.leaf_truth(*leaf, form),
        }
    }

    fn leaf_truth(&mut self, leaf: LeafId, form: PathForm) -> Truth {
        let Some(leaf) = self.compiled.leaves.get(leaf as usize) else {
            return Truth::False;
        };
        let hit = self
            .atoms(leaf.source, form)
            .iter()
            .any(|atom| leaf.atoms.binary_search(atom).is_ok());
        let known = match leaf.source {
            Source::Country => matches!(self.view.place.country, Known::Is(_)),
            Source::Asn => matches!(self.view.place.asn, Known::Is(_)),
            Source::Address | Source::Text(_) => true,
        };
        match (hit, known) {
            (true, _) => Truth::True,
            (false, true) => Truth::False,
            (false, false) => Truth::Unknown,
        }
    }

    /// Adds the rules that the hits of one slot point to, if any rule is listed there.
    fn list(&mut self, source: Source, form: PathForm) {
        let leaves = self.compiled.listing(source);
        let Some(leaves) = leaves.filter(|leaves| !leaves.is_empty()) else {
            return;
        };
        let (start, end) = self.search(source, form);
        let Hits {
            atoms,
            listed,
            candidates,
            ..
        } = &mut *self.hits;
        for atom in atoms.get(start..end).unwrap_or_default() {
            for leaf in leaves.get(*atom) {
                if listed.insert(*leaf) {
                    candidates.extend(self.compiled.rules_by_leaf.get(*leaf));
                }
            }
        }
    }

    /// The atoms of one index that the request hits.
    fn atoms(&mut self, source: Source, form: PathForm) -> &[Atom] {
        let (start, end) = self.search(source, form);
        self.hits.atoms.get(start..end).unwrap_or_default()
    }

    /// The span of a slot, searched if it wasn't yet.
    fn search(&mut self, source: Source, form: PathForm) -> (usize, usize) {
        let slot = self.slot(source, form);
        if self.hits.searched.insert(slot) {
            let start = self.hits.atoms.len();
            match source {
                Source::Address => self
                    .hits
                    .atoms
                    .extend(self.compiled.addresses.find(self.view.client.ip)),
                Source::Country => self
                    .hits
                    .atoms
                    .extend(self.compiled.countries.find(self.view.place.country)),
                Source::Asn => self
                    .hits
                    .atoms
                    .extend(self.compiled.asns.find(self.view.place.asn)),
                Source::Text(field) => self.search_field(field, form),
            }
            if let Some(span) = self.hits.spans.get_mut(slot as usize) {
                *span = (start, self.hits.atoms.len());
            }
        }
        self.hits
            .spans
            .get(slot as usize)
            .copied()
            .unwrap_or_default()
    }

    fn search_field(&mut self, field: u32, form: PathForm) {
        let Some(field) = self.compiled.fields.get(field as usize) else {
            return;
        };
        let Hits {
            atoms,
            seen,
            workspace,
            ..
        } = &mut *self.hits;
        seen.begin(field.atom_count);
        workspace.fit(&field.index);
        visit_values(&field.field, form, self.view, |value| {
            field.index.find(value, workspace, &mut |atom| {
                if seen.insert(atom) {
                    atoms.push(atom);
                }
            });
        });
    }

    /// Where the hits of an index are kept. Only the path has two forms.
    fn slot(&self, source: Source, form: PathForm) -> u32 {
        match source {
            Source::Address => 0,
            Source::Country => 1,
            Source::Asn => 2,
            Source::Text(number) => {
                let field: Option<&CompiledField> = self.compiled.fields.get(number as usize);
                let is_path = field.is_some_and(|field| field.field == Field::Path);
                let second = is_path && form == PathForm::WithoutParams;
                FIRST_TEXT_SLOT as u32 + 2 * number + u32::from(second)
            }
        }
    }
}

/// The slots of addresses, countries and autonomous systems come first.
const FIRST_TEXT_SLOT: usize = 3;
