//! What a body's parser told, kept; and what must hold of every such parser.

use std::ops::ControlFlow;

use palisade_body::{Body, File, Outcome, Sink};

use crate::check_message;

/// One thing that a parser told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// A name and a value.
    Argument(Vec<u8>, Vec<u8>),
    /// A field's name, the file's names, its content.
    File(Vec<u8>, Option<Vec<u8>>, Option<Vec<u8>>, Vec<u8>),
    Text(Vec<u8>),
    Attribute(Vec<u8>),
}

/// Keeps all but header lines, whose part may not have a name yet when a body is cut.
#[derive(Debug, Default)]
pub(crate) struct Kept(pub(crate) Vec<Told>);

impl Sink for Kept {
    fn argument(&mut self, name: &[u8], value: &[u8]) -> ControlFlow<()> {
        self.0.push(Told::Argument(name.to_vec(), value.to_vec()));
        ControlFlow::Continue(())
    }

    fn file(&mut self, file: File<'_>) {
        assert!(file.name.is_some() || file.extended_name.is_some());
        self.0.push(Told::File(
            file.field.to_vec(),
            file.name.map(<[u8]>::to_vec),
            file.extended_name.map(<[u8]>::to_vec),
            file.content.to_vec(),
        ));
    }

    fn text(&mut self, text: &[u8]) {
        match self.0.last_mut() {
            Some(Told::Text(before)) => before.extend_from_slice(text),
            _ => self.0.push(Told::Text(text.to_vec())),
        }
    }

    fn attribute(&mut self, value: &[u8]) {
        self.0.push(Told::Attribute(value.to_vec()));
    }
}

/// How much the end of a cut body may change: a part of multipart can be a file and an argument.
const UNSURE: usize = 2;

/// An error says something; a beginning of the body tells the beginning of what the whole tells, and
/// is no error for ending early.
pub(crate) fn check_parser(
    bytes: &[u8],
    parse: impl Fn(Body<'_>, &mut Kept) -> Outcome,
) -> (Vec<Told>, Outcome) {
    let mut whole = Kept::default();
    let outcome = parse(Body::whole(bytes), &mut whole);
    assert_eq!(outcome.is_complete, outcome.error.is_none());
    if let Some(error) = &outcome.error {
        check_message(&error.to_string());
    }
    for cut in [1, 2, 3, 4, 7].map(|part| bytes.len() * part / 8) {
        let mut told = Kept::default();
        let beginning = bytes.get(..cut).unwrap_or_default();
        let of_beginning = parse(Body::partial(beginning), &mut told);
        assert!(!of_beginning.is_complete);
        if outcome.error.is_none() {
            assert_eq!(of_beginning.error, None, "cut at {cut}");
        }
        let sure = told.0.len().saturating_sub(UNSURE);
        assert_eq!(told.0.get(..sure), whole.0.get(..sure), "cut at {cut}");
    }
    (whole.0, outcome)
}
