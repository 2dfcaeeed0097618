//! The doors that are not for clients: metrics, health, status, local decisions.
//!
//! Layer 7. Three doors, each a plain HTTP/1 server with bounds ([`Doors`]):
//!
//! | door | who gets in | what there is |
//! |---|---|---|
//! | metrics, a TCP address | everybody who reaches it | `/metrics`, `/healthz`, `/readyz` |
//! | admin, a loopback address | everybody on this machine | `GET /status` |
//! | admin, a Unix socket | Palisade's own user and root | `/status`, `/decisions` |
//!
//! Nothing can be changed over TCP: any program and any user of the machine reaches a loopback
//! address, and so does any web page that a browser on it shows, by a name that its owner points
//! at 127.0.0.1 (DNS rebinding). The socket's file mode and its peer's user keep both out. Reading
//! `/status` over TCP takes a Host that is loopback or configured, which no such page can send.
//!
//! [`LocalDecisions`] puts the operator's own decisions into the decision table and keeps them on
//! disk; [`Client`] is the other end of the socket.

mod admin_door;
mod answer;
pub mod api;
mod client;
mod context;
mod decisions_door;
mod door;
mod doors;
mod local_decisions;
mod loopback_hosts;
mod metrics_door;
mod peer;
mod query;
mod readiness;
mod reload_status;
mod status;
#[cfg(test)]
mod test_context;
mod unix_socket;
mod waf_status;

pub use client::{Client, ClientError};
pub use context::AdminContext;
pub use decisions_door::ListRequest;
pub use doors::{DoorAt, DoorChange, DoorError, Doors, OpenDoors, OpenSocket};
pub use local_decisions::{
    AddError, Added, DeleteTarget, Deleted, LocalDecisions, NewDecision, NewDecisionError, NotKept,
    RestoreProblem,
};
pub use reload_status::ReloadStatus;
pub use unix_socket::SocketError;
