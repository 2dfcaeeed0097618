//! What a transaction has cost.

use super::{Budget, Transaction};

impl Transaction {
    /// How many bytes of `budget`, its worker's, operators have looked at so far.
    #[must_use]
    pub fn bytes_spent(&self, budget: Budget) -> u64 {
        budget.bytes.saturating_sub(self.state.bytes_left)
    }
}
