//! What an operator needs between values.

use std::fmt;
use std::sync::Arc;

use regex_automata::meta;

use super::rx::Program;

/// The memory of one operator's searches. Whoever runs rules keeps one for each operator and thread, so
/// that states which were built for one value serve the next. At most a few MiB, of which most is never
/// used; nothing before the first search.
///
/// One that has served another operator is emptied first.
#[derive(Default)]
pub struct OperatorCache {
    regex: Option<(Arc<Program>, meta::Cache)>,
    pub(super) borders: Vec<usize>,
}

impl OperatorCache {
    pub(super) fn regex(&mut self, program: &Arc<Program>) -> &mut meta::Cache {
        let is_its_own = |held: &(Arc<Program>, _)| Arc::ptr_eq(&held.0, program);
        if !self.regex.as_ref().is_some_and(is_its_own) {
            self.regex = None;
        }
        let (_, cache) = self
            .regex
            .get_or_insert_with(|| (Arc::clone(program), program.create_cache()));
        cache
    }

    /// The memory that it takes, in bytes.
    #[must_use]
    pub fn memory_usage(&self) -> usize {
        let regex = self.regex.as_ref();
        regex.map_or(0, |(_, cache)| cache.memory_usage())
            + self.borders.capacity() * size_of::<usize>()
    }
}

impl fmt::Debug for OperatorCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorCache")
            .field("memory_usage", &self.memory_usage())
            .finish()
    }
}
