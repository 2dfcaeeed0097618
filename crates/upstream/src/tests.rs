//! What crosses files: real sockets on loopback, and reload.

mod acquire;
mod attendance;
pub(crate) mod backend;
mod checks;
mod deadlines;
mod http2;
mod own_doors;
mod proxy_header;
mod queue;
mod reload;
mod tls;
