//! `rx` and `rxGlobal`: a regular expression, on linear-time matching.

mod class;
mod pattern;
mod shape;
mod translate;

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use palisade_vocabulary::ByteSize;
use regex_automata::meta;
use regex_automata::{Input, util::primitives::NonMaxUsize};
use regex_syntax::hir::Hir;
use regex_syntax::{Error, Parser, ParserBuilder};

use super::OperatorCache;
use super::error::{Found, Problem};
use crate::MacroText;

pub use pattern::PatternProblem;
pub(super) use pattern::{At, at};
use shape::Shape;
use translate::{Translated, translate};

/// The longest pattern; CRS's has 12 KiB.
const PATTERN_BYTES_MAX: usize = 64 * 1024;
/// The most that one compiled pattern may take. Matching costs at worst this times the length of the
/// value, so it bounds the time of a hostile value too; CRS's largest takes less than a tenth.
const REGEX_SIZE_MAX: ByteSize = ByteSize::mib(4);
/// The most that one pattern's lazily built states may take, for each cache.
const STATE_CACHE_SIZE: ByteSize = ByteSize::mib(2);
/// The deepest nesting of groups.
const NESTING_MAX: u32 = 128;
/// The groups that a rule can capture: TX:0 to TX:9.
const GROUPS_MAX: usize = 10;
/// How often `rxGlobal` looks for a further match.
const SEARCHES_MAX: usize = 256;

/// A compiled pattern.
///
/// As ModSecurity 2 compiles it (`PCRE_DOTALL | PCRE_DOLLAR_ENDONLY`, bytes, ASCII classes): `.` is any
/// byte, `$` the end of the value. What linear-time matching can't do is refused when rules are
/// loaded; what PCRE and Rust read differently is rewritten. Two differences are left: under `(?m)`, `^`
/// also matches at the end of a value that ends with a line feed; and what is captured by a group
/// that repeats what can be empty, as `(a*)*`, is its last repetition that isn't.
#[derive(Clone)]
pub struct Rx {
    program: Arc<Program>,
    translated: Box<str>,
    multi_line: bool,
    shape: Shape,
}

#[derive(Debug)]
pub(super) struct Program(meta::Regex);

impl Program {
    pub(super) fn create_cache(&self) -> meta::Cache {
        self.0.create_cache()
    }
}

impl Rx {
    pub(crate) fn parse(pattern: &[u8]) -> Result<Self, Found> {
        Self::compile(pattern, false)
    }

    /// The pattern of `verifyCC` and its kin, which ModSecurity compiles with `PCRE_MULTILINE`.
    pub(super) fn parse_multi_line(pattern: &[u8]) -> Result<Self, Found> {
        Self::compile(pattern, true)
    }

    fn compile(pattern: &[u8], multi_line: bool) -> Result<Self, Found> {
        if pattern.len() > PATTERN_BYTES_MAX {
            let problem = Problem::TooMuch {
                what: "bytes",
                got: pattern.len(),
                max: PATTERN_BYTES_MAX,
            };
            return Err((0, problem));
        }
        refuse_macros(pattern)?;
        let found = |at: At| (at.offset, Problem::Pattern(at.problem));
        let translated = translate(pattern).map_err(found)?;
        let hir = parse(&translated, multi_line).map_err(found)?;
        let program = meta::Builder::new()
            .configure(
                meta::Config::new()
                    .utf8_empty(false)
                    .nfa_size_limit(Some(REGEX_SIZE_MAX.as_usize()))
                    .hybrid_cache_capacity(STATE_CACHE_SIZE.as_usize()),
            )
            .build_from_hir(&hir)
            .map_err(|_| {
                let max = REGEX_SIZE_MAX;
                (0, Problem::Pattern(PatternProblem::TooLarge { max }))
            })?;
        Ok(Self {
            program: Arc::new(Program(program)),
            translated: translated.pattern.into(),
            multi_line,
            shape: Shape::of(&hir),
        })
    }

    /// What the pattern means, to find what every match must have; parsed anew, as it is asked for once.
    #[must_use]
    pub fn hir(&self) -> Option<Hir> {
        parser(self.multi_line).parse(&self.translated).ok()
    }

    /// The pattern in Rust's syntax, as it was compiled.
    #[must_use]
    pub fn translated(&self) -> &str {
        &self.translated
    }

    /// The memory that the compiled form takes, in bytes.
    #[must_use]
    pub fn size(&self) -> usize {
        self.program.0.memory_usage()
    }

    /// Whether it matches somewhere in `value`. Hot path.
    pub fn is_match(&self, value: &[u8], cache: &mut OperatorCache) -> bool {
        match &self.shape {
            Shape::All => return true,
            Shape::Beginning(beginning) => return beginning.is_of(value),
            Shape::Other => {}
        }
        let input = Input::new(value).earliest(true);
        let program = &self.program;
        let found = program.0.search_half_with(cache.regex(program), &input);
        found.is_some()
    }

    /// The first match and its groups, as TX:0 to TX:9 get them: a group that took no part is empty, one
    /// behind the last that did is none. Where nothing matches, none is there.
    pub fn captures(&self, value: &[u8], cache: &mut OperatorCache, groups: &mut Groups) {
        groups.clear();
        if matches!(self.shape, Shape::All) {
            groups.push(0, value.len());
            return;
        }
        self.search(&Input::new(value), cache, groups);
    }

    /// All matches and their groups, one behind the other, as far as TX:0 to TX:9 go. Empty matches
    /// behind the first match count for nothing.
    pub fn captures_all(&self, value: &[u8], cache: &mut OperatorCache, groups: &mut Groups) {
        groups.clear();
        let (mut start, mut found) = (0, Groups::default());
        for _ in 0..SEARCHES_MAX {
            if groups.is_full() || start > value.len() {
                return;
            }
            found.clear();
            self.search(&Input::new(value).range(start..), cache, &mut found);
            let Some(whole) = found.get(0) else { return };
            start = whole.end.max(start) + usize::from(whole.is_empty());
            if groups.len == 0 || !whole.is_empty() {
                groups.append(&found);
            }
        }
    }

    /// Where it first matches within `span`, with what is around that in view.
    pub(super) fn find(
        &self,
        value: &[u8],
        span: Range<usize>,
        cache: &mut OperatorCache,
    ) -> Option<Range<usize>> {
        let input = Input::new(value).range(span);
        let found = self
            .program
            .0
            .search_with(cache.regex(&self.program), &input)?;
        Some(found.range())
    }

    fn search(&self, input: &Input<'_>, cache: &mut OperatorCache, groups: &mut Groups) {
        let mut slots = [None; 2 * GROUPS_MAX];
        // regex-automata 0.4.18 panics where there are more slots than groups (PikeVM's table).
        let len = 2 * self.program.0.captures_len();
        let asked = match slots.get_mut(..len) {
            Some(asked) => asked,
            None => &mut slots,
        };
        let cache = cache.regex(&self.program);
        if self
            .program
            .0
            .search_slots_with(cache, input, asked)
            .is_some()
        {
            groups.fill(&slots);
        }
    }
}

impl fmt::Debug for Rx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Rx").field(&self.translated).finish()
    }
}

/// ModSecurity would compile such a pattern anew for each value. `%{2}` is a percent sign twice.
fn refuse_macros(pattern: &[u8]) -> Result<(), Found> {
    let Ok(parsed) = MacroText::parse(pattern) else {
        return Ok(());
    };
    let is_macro = parsed.variables().any(|variable| {
        let begins = variable.collection.first();
        begins.is_some_and(u8::is_ascii_alphabetic)
    });
    if is_macro {
        let offset = memchr::memmem::find(pattern, b"%{").unwrap_or(0);
        return Err((offset, Problem::Pattern(PatternProblem::Macro)));
    }
    Ok(())
}

fn parser(multi_line: bool) -> Parser {
    ParserBuilder::new()
        .utf8(false)
        .unicode(false)
        .dot_matches_new_line(true)
        .multi_line(multi_line)
        .nest_limit(NESTING_MAX)
        .build()
}

fn parse(translated: &Translated, multi_line: bool) -> Result<Hir, At> {
    parser(multi_line)
        .parse(&translated.pattern)
        .map_err(|error| {
            let (what, offset) = match &error {
                Error::Parse(error) => (error.kind().to_string(), error.span().start.offset),
                Error::Translate(error) => (error.kind().to_string(), error.span().start.offset),
                other => (other.to_string(), 0),
            };
            at(
                translated.offset_of(offset),
                PatternProblem::Syntax { what },
            )
        })
}

/// Parts of a value, for TX:0 to TX:9.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups {
    spans: [(usize, usize); GROUPS_MAX],
    len: usize,
}

impl Groups {
    /// The parts, TX:0 first.
    pub fn iter(&self) -> impl Iterator<Item = Range<usize>> {
        let spans = self.spans.iter().take(self.len);
        spans.map(|(start, end)| *start..*end)
    }

    /// The part for `TX:index`; `None` where that is to be removed.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<Range<usize>> {
        self.iter().nth(index)
    }

    fn clear(&mut self) {
        self.len = 0;
    }

    fn is_full(&self) -> bool {
        self.len == GROUPS_MAX
    }

    fn push(&mut self, start: usize, end: usize) {
        if let Some(span) = self.spans.get_mut(self.len) {
            *span = (start, end);
            self.len += 1;
        }
    }

    fn append(&mut self, other: &Self) {
        for span in other.iter() {
            self.push(span.start, span.end);
        }
    }

    fn fill(&mut self, slots: &[Option<NonMaxUsize>; 2 * GROUPS_MAX]) {
        let last = slots.iter().rposition(Option::is_some).unwrap_or(0);
        for pair in slots.chunks_exact(2).take(last / 2 + 1) {
            match pair {
                [Some(start), Some(end)] => self.push(start.get(), end.get()),
                _ => self.push(0, 0),
            }
        }
    }
}

#[cfg(test)]
mod tests;
