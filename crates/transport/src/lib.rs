//! Buffered TCP and TLS streams: knows bytes, never HTTP.
//!
//! [`Connection`] is one type for both directions and for plain and TLS, so that nothing above it
//! asks which it has.

mod alarm;
mod connection;
mod prefixed;

pub use connection::{Connection, Inspector, TlsFacts};
pub use prefixed::Prefixed;
