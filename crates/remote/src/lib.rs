//! What asking other servers has in common, whoever is asked.
//!
//! Layer 3. One way to make an HTTP client, one way to say why a server could not be had, random
//! delays, and one way to replace a file so that a crash leaves the old content or the new one.
//! Knows nothing of what is asked for.

mod bounded_duration;
mod clock;
mod failure;
mod http;
mod jitter;
mod replace;

pub use bounded_duration::{BoundedDuration, DurationOutOfBounds};
pub use clock::Clock;
pub use failure::{ConnectStage, connect_stage, excerpt, root_cause};
pub use http::{ClientError, builder, machine_roots, tls_builder};
pub use jitter::Jitter;
pub use replace::replace_file;
