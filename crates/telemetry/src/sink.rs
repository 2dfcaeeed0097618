//! Where lines go, without making anybody wait.

mod output;
mod writer;

pub use output::SinkError;
pub use writer::{LogWriter, NotFlushed};
