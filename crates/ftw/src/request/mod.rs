//! Requests as they come in, and what answers them.

mod chunked;
mod raw_response;
mod read;
mod response;

pub use raw_response::RawResponse;
pub use read::{Field, Framing, Request};
pub use response::Response;

#[cfg(test)]
mod tests;
