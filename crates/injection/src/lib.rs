//! SQL injection and cross-site scripting, told from one value alone, as libinjection tells them.
//!
//! [`sqli`] reads a value as SQL in each of the contexts that it may be put into (as it is, within
//! single quotes, within double quotes; ANSI and MySQL comments), folds its tokens to at most five
//! and looks those up among the fingerprints of known injections. [`xss`] reads it as HTML in each
//! of five contexts and looks for what runs scripts.
//!
//! Verdicts are those of libinjection 4.0.0, with two exceptions, each at its place in the code: a
//! number like `1.e` is a word, as libinjection's published test files have it (4.0.0 skips it);
//! and the byte 0xFF ends no HTML (in C it does, where `char` is signed). The tables are
//! libinjection's: `data/README.md`.
//!
//! Nothing is allocated, nothing panics, and the time is linear in the value's length.

pub mod sqli;
pub mod xss;

mod html;
mod scan;

#[cfg(test)]
mod tests;
