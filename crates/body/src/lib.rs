//! What is in a request's body: forms, cookies, multipart, JSON, XML, and their content codings.
//!
//! Layer 1, sans-I/O: the bytes of a body come in, and a [`Sink`] is told each argument, file, part
//! header, text and attribute in the order of the body. Rules are written for what ModSecurity 2
//! makes of a body, so that is what each parser follows, its names, flags and errors included; where
//! it is more lenient than a backend may be, we are stricter, and the module says where.
//!
//! * A parser never fails without a trace: what it found before an error stays with the sink, and
//!   [`Outcome::error`] says what was wrong and where.
//! * A body that a limit cut off ([`Body::partial`]) is no error for ending early.
//! * Everything is bounded by [`Limits`], takes linear time, and doesn't recurse.
//! * Buffers come from the caller's [`Scratch`]: once it has grown, parsing allocates nothing.
//!
//! [`Processor`] chooses a parser as `REQBODY_PROCESSOR` does; [`content_coding`] comes before it.

pub mod content_coding;
pub mod cookies;
pub mod form;
pub mod json;
pub mod multipart;
pub mod xml;

mod error;
mod limits;
mod outcome;
mod percent;
mod processor;
mod scratch;
mod sink;
mod syntax;
#[cfg(test)]
mod test_sink;

pub use error::{Byte, Error};
pub use json::JsonError;
pub use limits::Limits;
pub use multipart::{MultipartError, MultipartFlags};
pub use outcome::{Body, Outcome};
pub use processor::{Processor, Source};
pub use scratch::Scratch;
pub use sink::{File, Sink};
pub use xml::XmlError;
