//! `sites.allowed_path_forms`: paths that servers read in different ways.

use palisade_hygiene::path::PathPolicy;

use crate::reader::Choice;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PathForm {
    EncodedSlash,
    Backslash,
    EncodedNul,
    MalformedEscapes,
    DoubleEncoding,
    UnresolvedDotDot,
}

pub(super) const PATH_FORM: Choice<PathForm> = Choice {
    words: &[
        ("encoded_slash", PathForm::EncodedSlash),
        ("backslash", PathForm::Backslash),
        ("encoded_nul", PathForm::EncodedNul),
        ("malformed_escapes", PathForm::MalformedEscapes),
        ("double_encoding", PathForm::DoubleEncoding),
        ("unresolved_dot_dot", PathForm::UnresolvedDotDot),
    ],
    later: &[],
};

impl PathForm {
    /// As the settings name it.
    pub(super) fn as_str(self) -> &'static str {
        let word = PATH_FORM.words.iter().find(|(_, form)| *form == self);
        word.map_or("", |(word, _)| word)
    }
}

pub(super) fn path_policy(allowed: &[PathForm]) -> PathPolicy {
    let allows = |form| allowed.contains(&form);
    PathPolicy {
        encoded_slash: allows(PathForm::EncodedSlash),
        backslash: allows(PathForm::Backslash),
        encoded_nul: allows(PathForm::EncodedNul),
        malformed_escapes: allows(PathForm::MalformedEscapes),
        double_encoding: allows(PathForm::DoubleEncoding),
        unresolved_dot_dot: allows(PathForm::UnresolvedDotDot),
    }
}
