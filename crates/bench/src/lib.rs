//! The side-by-side harness: Palisade and the servers that people would pick instead, on loopback, with the
//! same requests, and what each request costs each of them.

pub mod peers;
pub mod subject;
