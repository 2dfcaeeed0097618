//! End to end: the real binary, over real sockets.

mod forward;
mod harness;
mod hygiene;
mod smoke;
