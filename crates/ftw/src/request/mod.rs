//! Requests as they come in, and what answers them.

mod chunked;
mod read;
mod response;

pub use read::{Field, Framing, Request};
pub use response::Response;

#[cfg(test)]
mod tests;
