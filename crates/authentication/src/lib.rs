//! Who a client says it is, and whether it is so.
//!
//! Layer 1, sans-I/O: a users file comes in as bytes ([`Users`]), a request as its header fields
//! ([`Presented`]). Verifying is slow by design, so that whoever steals a users file has little of it:
//! callers run [`Users::verify`] beside their other work, and ask [`VerifiedCredentials`] first.

mod basic;
mod password_hash;
mod users;
mod verified;

pub use basic::{Credentials, Presented};
pub use password_hash::PasswordHashError;
pub use users::{BadLine, Users, UsersError};
pub use verified::VerifiedCredentials;
