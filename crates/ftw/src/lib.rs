//! go-ftw's test suites: what is sent, and what must come of it.
//!
//! Layer 2, sans-I/O: the text of YAML files comes in. OWASP CRS has its regression tests in this form.

pub mod backend;
mod fields;
mod problem;
mod request;
mod suite;

pub use problem::{Problem, SuiteError};
pub use request::{Field, Framing, Request, Response};
pub use suite::{
    Input, LogExpectations, Message, Output, Parts, Pattern, Stage, TEMPLATE_BYTES_MAX, Test,
    TestId, parse_tests,
};
