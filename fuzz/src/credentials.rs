//! The `Authorization` header. Input: its value.

use palisade_authentication::{Credentials, Presented};

use crate::Outcome;

/// Credentials that are read are what a client may send: they can be made anew, and none of their text
/// makes a line or a field of its own. Case of the scheme doesn't count. No password is shown.
pub fn check(data: &[u8]) -> Outcome {
    let (scheme, rest) = data.split_at(data.len().min(5));
    let upper = [&scheme.to_ascii_uppercase(), rest].concat();
    let (read, again) = (Presented::parse(data), Presented::parse(&upper));
    let kind = std::mem::discriminant::<Presented>;
    assert_eq!(kind(&read), kind(&again), "{read:?} and {again:?}");
    let (Presented::Basic(read), Presented::Basic(again)) = (read, again) else {
        return Outcome::Refused;
    };
    assert_eq!(read.user(), again.user());
    let user = read.user();
    assert!(!user.is_empty() && user.len() <= Credentials::USER_BYTES_MAX);
    assert!(!user.contains([':', '\n', '\r', '\0']), "{user:?}");
    assert!(Credentials::new(user, b"").is_some());
    let expected = format!("Credentials {{ user: {user:?}, .. }}");
    assert_eq!(format!("{read:?}"), expected);
    Outcome::Accepted
}
