//! "Have I seen this number yet?", without clearing anything between questions.

/// A set of numbers that is emptied in constant time: a number is in it if its mark is the current
/// epoch.
#[derive(Debug, Default)]
pub(crate) struct Stamps {
    epoch: u32,
    marks: Vec<u32>,
}

impl Stamps {
    /// Empties the set and makes room for numbers below `len`. Allocates only when it grows.
    pub(crate) fn begin(&mut self, len: usize) {
        if self.marks.len() < len {
            self.marks.resize(len, 0);
        }
        self.epoch = self.epoch.wrapping_add(1);
        if self.epoch == 0 {
            self.marks.fill(0);
            self.epoch = 1;
        }
    }

    /// Adds `number`; whether it was new. A number without room is never new.
    pub(crate) fn insert(&mut self, number: u32) -> bool {
        match self.marks.get_mut(number as usize) {
            Some(mark) if *mark != self.epoch => {
                *mark = self.epoch;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_new_once_an_epoch() {
        let mut stamps = Stamps::default();
        stamps.begin(3);
        assert!(stamps.insert(2));
        assert!(!stamps.insert(2));
        assert!(!stamps.insert(3), "no room");
        stamps.begin(4);
        assert!(stamps.insert(2));
        assert!(stamps.insert(3));
    }

    #[test]
    fn old_marks_do_not_come_back_when_epochs_wrap() {
        let mut stamps = Stamps::default();
        stamps.begin(1);
        assert!(stamps.insert(0));
        stamps.epoch = u32::MAX;
        stamps.begin(1);
        assert_eq!(stamps.epoch, 1);
        assert!(stamps.insert(0));
    }
}
