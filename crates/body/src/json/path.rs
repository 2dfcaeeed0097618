//! The name that a JSON value has as an argument.

use crate::{JsonError, Limits};

/// What an outermost array is called.
const OUTERMOST_ARRAY: &[u8] = b"array";

/// Memory of the JSON parser.
#[derive(Debug, Default)]
pub(crate) struct JsonScratch {
    path: Vec<u8>,
    frames: Vec<Frame>,
}

impl JsonScratch {
    pub(crate) fn bytes(&self) -> usize {
        self.path.capacity() + self.frames.capacity() * size_of::<Frame>()
    }
}

/// An array or object that isn't closed yet.
#[derive(Clone, Copy, Debug)]
struct Frame {
    is_array: bool,
    /// Whether nothing of it has been read.
    is_fresh: bool,
    /// The length of its own name.
    name_len: usize,
    /// Where the last key of its own name begins.
    key_start: usize,
}

/// Where in a document the parser is, and what a value there is called.
pub(crate) struct Path<'a> {
    /// The name of what is read.
    name: &'a mut Vec<u8>,
    frames: &'a mut Vec<Frame>,
    /// Where the last key of the name begins: what an array repeats.
    key_start: usize,
    depth_max: usize,
    /// How many bytes of names may still be made. Counts those that are told and those that an array
    /// repeats, so that neither takes more than linear time.
    bytes_left: usize,
    bytes_max: usize,
}

impl<'a> Path<'a> {
    pub(crate) fn new(scratch: &'a mut JsonScratch, limits: &Limits) -> Self {
        scratch.path.clear();
        scratch.frames.clear();
        Self {
            name: &mut scratch.path,
            frames: &mut scratch.frames,
            key_start: 0,
            depth_max: limits.json_depth,
            bytes_left: limits.json_names_bytes,
            bytes_max: limits.json_names_bytes,
        }
    }

    /// The innermost array or object: whether it is an array, and whether nothing of it was read.
    pub(crate) fn innermost(&self) -> Option<(bool, bool)> {
        let frame = self.frames.last()?;
        Some((frame.is_array, frame.is_fresh))
    }

    /// Something of the innermost array or object is read.
    pub(crate) fn has_begun(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.is_fresh = false;
        }
    }

    /// Goes into an array or object that begins at the offset `at`.
    pub(crate) fn open(&mut self, is_array: bool, at: usize) -> Result<(), JsonError> {
        let is_outermost = self.frames.is_empty();
        // As in ModSecurity 2, an outermost object isn't counted.
        let depth = match self.frames.first() {
            Some(outermost) => self.frames.len() + usize::from(outermost.is_array),
            None => usize::from(is_array),
        };
        if depth > self.depth_max {
            let limit = self.depth_max;
            return Err(JsonError::TooDeep { limit, at });
        }
        if is_array && is_outermost {
            self.name.extend_from_slice(OUTERMOST_ARRAY);
        }
        self.frames.push(Frame {
            is_array,
            is_fresh: true,
            name_len: self.name.len(),
            key_start: self.key_start,
        });
        if is_array {
            self.repeat_key(at)?;
        }
        Ok(())
    }

    fn repeat_key(&mut self, at: usize) -> Result<(), JsonError> {
        let key = self.key_start..self.name.len();
        self.charge(key.len(), at)?;
        self.name.push(b'.');
        self.key_start = self.name.len();
        self.name.extend_from_within(key);
        Ok(())
    }

    /// The key of the innermost object whose value is read next.
    pub(crate) fn key(&mut self, key: &[u8]) {
        let name_len = self.frames.last().map_or(0, |frame| frame.name_len);
        self.name.truncate(name_len);
        if self.frames.len() > 1 {
            self.name.push(b'.');
        }
        self.key_start = self.name.len();
        self.name.extend_from_slice(key);
    }

    /// Leaves the innermost array or object: what follows it in an array has its name.
    pub(crate) fn close(&mut self) {
        if let Some(frame) = self.frames.pop() {
            self.name.truncate(frame.name_len);
            self.key_start = frame.key_start;
        }
    }

    /// The name of the value that ends at the offset `at`.
    pub(crate) fn name(&mut self, at: usize) -> Result<&[u8], JsonError> {
        self.charge(self.name.len(), at)?;
        Ok(self.name)
    }

    fn charge(&mut self, bytes: usize, at: usize) -> Result<(), JsonError> {
        let limit = self.bytes_max;
        let too_long = JsonError::NamesTooLong { limit, at };
        self.bytes_left = self.bytes_left.checked_sub(bytes).ok_or(too_long)?;
        Ok(())
    }
}
