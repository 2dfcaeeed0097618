//! A list of forms, narrowed to those that matter of strings of the same classes of bytes.

use super::forms::{Form, FormNeeds, Forms};

impl Forms {
    /// The forms of this list that may differ from that in which a string of these classes came, and
    /// that a filter may match, or what grows from them. What comes of the same transformation of the
    /// same form is one; what each needs of the classes is seen to.
    ///
    /// All that it takes of the classes is in [`Forms::classes`]: it is the same list for all strings
    /// that have the same of those.
    pub(crate) fn narrowed(&self, classes: u64) -> Self {
        let words = match self.forms.len() {
            0 => 0,
            forms => self.rows.len() / forms,
        };
        let mut branches = Branches {
            all: Vec::new(),
            of_list: Vec::with_capacity(self.forms.len()),
        };
        for (at, form) in self.forms.iter().enumerate() {
            let row = self.rows.get(at * words..(at + 1) * words);
            branches.add(form, row.unwrap_or_default(), classes);
        }
        let mut narrowed = Self {
            triggers: self.triggers,
            classes: self.classes,
            filters: self.filters.clone(),
            ..Self::default()
        };
        let (mut forms, mut rows) = (Vec::new(), Vec::new());
        branches.list(None, &mut forms, &mut rows);
        narrowed.forms = forms.into();
        narrowed.rows = rows.into();
        narrowed
    }
}

/// A form, and what it comes from.
struct Branch {
    form: Form,
    /// `None` where that is the string as it came.
    parent: Option<usize>,
    /// Classes of which it may have a byte; it has none of others.
    reach: u64,
    /// Both of its rows.
    row: Vec<u64>,
}

/// The forms of a list that may differ from what they come from.
struct Branches {
    all: Vec<Branch>,
    /// For each form of the list which it is; `None` where it is as the string came.
    of_list: Vec<Option<usize>>,
}

impl Branches {
    /// Adds the next form of the list.
    fn add(&mut self, form: &Form, row: &[u64], classes: u64) {
        let parent = usize::from(form.from).checked_sub(1);
        let parent = parent.and_then(|parent| self.of_list.get(parent).copied());
        let parent = parent.flatten();
        let reach = parent.and_then(|parent| self.all.get(parent));
        let reach = reach.map_or(classes, |parent| parent.reach);
        let at = match form.trigger & reach {
            0 => parent,
            _ => Some(self.branch(form, parent, reach, row.len())),
        };
        self.of_list.push(at);
        let branch = at.and_then(|at| self.all.get_mut(at));
        let is_searched = |branch: &Branch| {
            // Between seams the form is the string as it came, where it is found as well.
            let is_at_seams = branch.parent.is_none()
                && branch.form.last.seams().is_some()
                && form.needs.removed & classes == 0;
            let needed = match is_at_seams {
                true => form.needs.at_seams,
                false => form.needs.classes,
            };
            form.searched & classes != 0 && needed & branch.reach != 0
        };
        if let Some(branch) = branch.filter(|branch| is_searched(branch)) {
            branch.form.searched = u64::MAX;
            branch.form.needs = branch.form.needs.or(form.needs);
            for (word, more) in branch.row.iter_mut().zip(row) {
                *word |= more;
            }
        }
    }

    /// Where that is which the last transformation of a form makes of what it comes from.
    fn branch(&mut self, form: &Form, parent: Option<usize>, reach: u64, words: usize) -> usize {
        let mut known = self.all.iter();
        let known = known.position(|one| (one.parent, one.form.last) == (parent, form.last));
        known.unwrap_or_else(|| {
            self.all.push(Branch {
                form: Form {
                    searched: 0,
                    needs: FormNeeds::NEVER,
                    ..*form
                },
                parent,
                reach: reach | form.written,
                row: vec![0; words],
            });
            self.all.len() - 1
        })
    }

    /// Appends what grows from a branch, the index of which in the list comes with it, as far as anything
    /// of it is searched; the length that the branch has at least where any filter matches that.
    fn list(
        &self,
        of: Option<(usize, usize)>,
        forms: &mut Vec<Form>,
        rows: &mut Vec<u64>,
    ) -> usize {
        let parent = of.and_then(|(branch, _)| self.all.get(branch));
        let mut len_before = usize::MAX;
        for (number, branch) in self.all.iter().enumerate() {
            if branch.parent != of.map(|(branch, _)| branch) {
                continue;
            }
            let (at, row) = (forms.len(), rows.len());
            forms.push(Form {
                from: number_of(of.map_or(0, |(_, at)| at + 1)),
                adds_nothing: parent.is_some_and(|parent| is_within(&branch.row, &parent.row)),
                ..branch.form
            });
            rows.extend_from_slice(&branch.row);
            let grown = self.list(Some((number, at)), forms, rows);
            let end = number_of(forms.len());
            if branch.form.searched == 0 && usize::from(end) == at + 1 {
                forms.truncate(at);
                rows.truncate(row);
                continue;
            }
            if let Some(form) = forms.get_mut(at) {
                form.end = end;
                form.len_min = form.needs.len_min.min(grown);
                form.len_before = form.last.len_before(form.len_min);
                len_before = len_before.min(form.len_before);
            }
        }
        len_before
    }
}

fn number_of(at: usize) -> u16 {
    u16::try_from(at).unwrap_or(u16::MAX)
}

fn is_within(row: &[u64], other: &[u64]) -> bool {
    row.iter()
        .zip(other)
        .all(|(word, other)| word & !other == 0)
}
