//! The bytes of one transaction.

/// A part of an [`Arena`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Span {
    start: u32,
    len: u32,
}

impl Span {
    pub(crate) const fn len(self) -> usize {
        self.len as usize
    }
}

/// Bytes that live as long as their transaction; only ever added to.
#[derive(Debug, Default)]
pub(crate) struct Arena(Vec<u8>);

/// Beyond any body that is looked at and what rules make of it.
const BYTES_MAX: usize = 1 << 30;

impl Arena {
    /// Keeps `bytes`. Beyond 1 GiB, which a transaction's budget is far below, nothing is kept.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Span {
        self.push_with(|out| out.extend_from_slice(bytes))
    }

    /// Keeps what `write` appends.
    pub(crate) fn push_with(&mut self, write: impl FnOnce(&mut Vec<u8>)) -> Span {
        let start = self.0.len();
        write(&mut self.0);
        if self.0.len() > BYTES_MAX {
            self.0.truncate(start);
        }
        let span = |start: usize, len: usize| {
            Some(Span {
                start: u32::try_from(start).ok()?,
                len: u32::try_from(len).ok()?,
            })
        };
        span(start, self.0.len() - start).unwrap_or_default()
    }

    pub(crate) fn get(&self, span: Span) -> &[u8] {
        let start = span.start as usize;
        self.0.get(start..start + span.len()).unwrap_or_default()
    }

    /// The part of `span` from `start` on, of at most `len` bytes.
    pub(crate) fn part(span: Span, start: usize, len: usize) -> Span {
        let start = start.min(span.len());
        let len = len.min(span.len() - start);
        Span {
            start: span.start + u32::try_from(start).unwrap_or(0),
            len: u32::try_from(len).unwrap_or(0),
        }
    }

    /// How much memory it takes.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.0.capacity()
    }

    /// Empties it, and gives memory back beyond `bytes_max`.
    pub(crate) fn clear(&mut self, bytes_max: usize) {
        self.0.clear();
        self.0.shrink_to(bytes_max);
    }
}
