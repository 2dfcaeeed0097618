//! What a request's `Authorization` says of its user (RFC 7617).

use super::state::State;
use crate::syntax::VariableName;
use crate::{Transformation, UnicodeMap};

/// Appends the scheme (`AUTH_TYPE`) or the user that Basic names (`REMOTE_USER`); says whether there is
/// one.
pub(super) fn append(state: &State, name: VariableName, out: &mut Vec<u8>) -> bool {
    let Some(field) = state.request_header(b"authorization") else {
        return false;
    };
    let field = state.arena.get(field).trim_ascii();
    let end = memchr::memchr(b' ', field).unwrap_or(field.len());
    let (scheme, rest) = field.split_at(end);
    if name == VariableName::AuthType {
        out.extend_from_slice(scheme);
        return true;
    }
    if !scheme.eq_ignore_ascii_case(b"basic") {
        return false;
    }
    let mut decoded = Vec::new();
    let encoded = rest.trim_ascii();
    if !Transformation::Base64Decode.apply(encoded, &mut decoded, &UnicodeMap::default()) {
        return false;
    }
    let Some(colon) = memchr::memchr(b':', &decoded) else {
        return false;
    };
    out.extend_from_slice(decoded.get(..colon).unwrap_or_default());
    true
}
