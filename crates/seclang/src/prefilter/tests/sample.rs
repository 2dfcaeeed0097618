//! Strings that an expression matches, were it not for its anchors.

use regex_syntax::hir::{Class, Hir, HirKind};

/// Makes them by chance.
pub(super) struct Sampler(u64);

impl Sampler {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`: SplitMix64.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ mixed >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ mixed >> 31) % bound as u64).unwrap()
    }

    pub(super) fn sample(&mut self, expression: &Hir) -> Vec<u8> {
        let mut out = Vec::new();
        self.push(expression, &mut out);
        out
    }

    fn push(&mut self, expression: &Hir, out: &mut Vec<u8>) {
        match expression.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => out.extend(&*literal.0),
            HirKind::Class(class) => self.push_of(class, out),
            HirKind::Repetition(repetition) => {
                let max = repetition
                    .max
                    .unwrap_or(repetition.min + 3)
                    .min(repetition.min + 3);
                let more = self.below((max - repetition.min) as usize + 1);
                for _ in 0..repetition.min as usize + more {
                    self.push(&repetition.sub, out);
                }
            }
            HirKind::Capture(capture) => self.push(&capture.sub, out),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.push(part, out)),
            HirKind::Alternation(branches) => {
                let branch = self.below(branches.len());
                self.push(&branches[branch], out);
            }
        }
    }

    fn push_of(&mut self, class: &Class, out: &mut Vec<u8>) {
        match class {
            Class::Bytes(class) if !class.ranges().is_empty() => {
                let range = class.ranges()[self.below(class.ranges().len())];
                let offset = self.below(usize::from(range.end() - range.start()) + 1);
                out.push(range.start() + u8::try_from(offset).unwrap());
            }
            Class::Unicode(class) if !class.ranges().is_empty() => {
                let range = class.ranges()[self.below(class.ranges().len())];
                let character = if self.below(2) == 0 {
                    range.start()
                } else {
                    range.end()
                };
                out.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
            }
            _ => {}
        }
    }
}
