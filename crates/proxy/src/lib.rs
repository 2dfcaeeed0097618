//! Listeners, connections and the life of a request, on pingora-core.
//!
//! [`request`](crate::request) is where to begin: it lists the checks and shows a request's life on one page. A
//! connection gets there by `listener` (accept), `connection` (slot, PROXY header, TLS) and `http1`
//! or `http2` (heads, judged by hygiene).

mod answer_head;
mod authenticate;
mod body;
mod body_memory;
mod certificates;
mod client_certificate;
mod clock;
#[doc(hidden)]
pub mod codec;
mod connection;
mod downstream;
mod forward;
pub mod frames;
mod framing;
mod http1;
mod http2;
mod http2_floods;
mod inspect;
pub mod judge;
mod listener;
mod listeners;
mod observe;
mod outgoing;
pub mod request;
mod respond;
pub mod settings;
mod shadow;
mod shared;
mod slots;
mod stream_resets;
mod terms;
mod tunnel;
mod upstream;
mod waiting;
mod watched;

pub use authenticate::Verifications;
pub use body_memory::BodyMemory;
pub use certificates::{TlsError, verify_client_certificate};
pub use client_certificate::ValidCertificate;
pub use clock::Clock;
pub use listener::{ListenError, Listener};
pub use listeners::{ListenerChange, Listeners};
pub use shadow::{Samples, ShadowLane, ShadowSettings};
pub use shared::{Generation, Rules, RulesState, Shared};
