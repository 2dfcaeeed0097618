//! Stand-in.
use crate::ByteSet;
use crate::operators::Operator;
#[derive(Debug)]
pub(crate) struct Requirement;
impl Requirement {
    pub(crate) fn of(_: &Operator) -> Option<Self> {
        None
    }
}
#[derive(Debug)]
pub(crate) struct Prefilter;
impl Prefilter {
    pub(crate) fn build(
        _: Vec<(u32, Requirement)>,
        _: usize,
        extra: &[ByteSet],
    ) -> (Self, Vec<Option<u32>>) {
        (Self, vec![None; extra.len()])
    }
    pub(crate) fn classes_of(&self, _: &[u8]) -> u64 {
        0
    }
    pub(crate) fn scan(&self, _: &[u8], _: &mut [u64]) {}
    pub(crate) fn add_class_filters(&self, _: u64, _: &mut [u64]) {}
}
