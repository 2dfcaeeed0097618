//! End to end: the real binary, over real sockets.

mod harness;
mod smoke;
