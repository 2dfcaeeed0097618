//! One copy of each text.

use std::collections::HashSet;
use std::sync::Arc;

/// Gives equal texts the same allocation: a document names few origins and scenarios, many times.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    texts: HashSet<Arc<str>>,
    /// What was asked for last: decisions of one kind come in a row.
    last: Option<Arc<str>>,
}

impl Interner {
    pub(crate) fn intern(&mut self, text: &str) -> Arc<str> {
        if let Some(last) = self.last.as_ref().filter(|last| ***last == *text) {
            return Arc::clone(last);
        }
        let found = self.texts.get(text).map(Arc::clone);
        let shared = found.unwrap_or_else(|| {
            let new: Arc<str> = text.into();
            self.texts.insert(Arc::clone(&new));
            new
        });
        self.last = Some(Arc::clone(&shared));
        shared
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_one_allocation() {
        let mut interner = Interner::default();
        let first = interner.intern("CAPI");
        let other = interner.intern("cscli");
        let again = interner.intern("CAPI");
        let at_once = interner.intern("CAPI");
        assert_eq!(&*other, "cscli");
        assert!(Arc::ptr_eq(&first, &again) && Arc::ptr_eq(&first, &at_once));
    }
}
