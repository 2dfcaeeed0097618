//! go-ftw's test suites, run in process against a web application firewall.
//!
//! Layer 2, sans-I/O: the text of YAML files comes in, a report goes out; who calls reads the files and
//! brings an [`Engine`]. OWASP CRS has its regression tests in this form. What a test means is what
//! go-ftw makes of it where it reads a log (its default mode): requests are put together byte for byte
//! as it sends them, and read again as Apache reads them, so that an engine sees what no HTTP library
//! would let through.
//!
//! The way of a test: [`parse_tests`] reads it, [`Message`] becomes bytes, [`Request::read`] takes these
//! apart, the [`Engine`] judges them and may ask the suite's [`backend`], [`run`] compares.

pub mod backend;
mod engine;
mod fields;
mod overrides;
mod problem;
mod request;
mod run;
mod suite;

pub use engine::{Engine, Exchange, Logged, Observed};
pub use overrides::{Override, Overrides, parse_overrides};
pub use problem::{Problem, SuiteError};
pub use request::{Field, Framing, RawResponse, Request, Response};
pub use run::{Failure, Mismatch, Outcome, RedirectError, Report, Summary, Totals, run, run_test};
pub use suite::{
    Input, LogExpectations, Message, Output, Parts, Pattern, Stage, TEMPLATE_BYTES_MAX, Test,
    TestId, parse_tests,
};
