//! HTTP message syntax: what is ambiguous or malformed, and the canonical path.
//!
//! Two parsers that read one message differently are how requests are smuggled, so whatever two
//! of them could read differently is refused here, before anything else sees it. Layer 1,
//! sans-I/O: bytes come in, a [`Refusal`] or a borrowed view goes out.
//!
//! * HTTP/1: [`h1::HeadSearch`] finds the end of a head while its bytes arrive, then
//!   [`h1::check_head`] judges the bytes as they were sent, before any other parser sees them;
//!   [`h1::ChunkCheck`] does the same for the chunks of a body.
//! * HTTP/2: [`h2::check_parts`] judges what the framing layer decoded, and [`LengthCheck`] holds
//!   the DATA frames to the declared length.
//! * Both give a [`Target`], whose [`view`](Target::view) is the path in the forms that rules
//!   match, under the site's [`PathPolicy`].
//!
//! Every reason to refuse is one [`RefusalReason`]: the status of the answer, the label of the
//! counter and the word in the log.

pub mod h1;
pub mod h2;
pub mod host;
pub mod path;

mod field;
mod limits;
mod refusal;
mod target;
mod twin;

pub use field::{Framing, LengthCheck};
pub use host::Host;
pub use limits::HeadLimits;
pub use path::{PathPolicy, PathScratch, write_canonical_target};
pub use refusal::{ALLOWED_METHODS, Refusal, RefusalReason};
pub use target::{Target, TargetForm};
pub use twin::is_underscore_twin;
