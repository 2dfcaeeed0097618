//! Memory that parsers use again and again.

use crate::content_coding::CodingScratch;
use crate::json::JsonScratch;
use crate::multipart::MultipartScratch;
use crate::xml::XmlScratch;

/// The memory of parsers, kept from one body to the next: one for each thread.
///
/// It grows to what the largest body needed, which [`Limits`](crate::Limits) and the limit of the
/// body bound: some times the body's length, and [`Scratch::shrink`] gives it back.
#[derive(Debug, Default)]
pub struct Scratch {
    pub(crate) name: Vec<u8>,
    pub(crate) value: Vec<u8>,
    pub(crate) json: JsonScratch,
    pub(crate) multipart: MultipartScratch,
    pub(crate) xml: XmlScratch,
    pub(crate) coding: CodingScratch,
}

impl Scratch {
    /// Memory that is still to grow.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Frees all of it, where it has grown beyond `bytes_max`: after a body that was far larger
    /// than most.
    pub fn shrink(&mut self, bytes_max: usize) {
        let bytes = self.name.capacity()
            + self.value.capacity()
            + self.json.bytes()
            + self.multipart.bytes()
            + self.xml.bytes()
            + self.coding.bytes();
        if bytes > bytes_max {
            *self = Self::new();
        }
    }
}
