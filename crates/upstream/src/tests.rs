//! What crosses files: real sockets on loopback, and reload.

mod acquire;
pub(crate) mod backend;
mod deadlines;
mod proxy_header;
mod reload;
mod tls;
