//! SecLang's transformations. Input: a byte that chooses one (`@` is the first), then a value, which
//! is read as a Unicode map too.

use palisade_seclang::{Transformation, UnicodeMap};

use crate::{Outcome, check_message};

/// A transformation says exactly whether it changed the value, does nothing to one without its triggers,
/// writes no more than is promised, and gives the same again, whatever its buffer held. Accepted: what
/// it changes.
pub fn check(data: &[u8]) -> Outcome {
    let Some((choice, value)) = data.split_first() else {
        return Outcome::Refused;
    };
    let index = usize::from(choice.wrapping_sub(b'@')) % Transformation::ALL.len();
    let Some(transformation) = Transformation::ALL.get(index).copied() else {
        return Outcome::Refused;
    };
    let map = map(value);
    let (mut clean, mut used) = (Vec::new(), b"%u0041 was here before".to_vec());
    let changed = transformation.apply(value, &mut clean, &map);
    assert_eq!(
        changed,
        transformation.apply(value, &mut used, &map),
        "{transformation:?}"
    );
    if !changed {
        return Outcome::Refused;
    }
    assert_ne!(clean, value, "{transformation:?} changed nothing");
    assert_eq!(clean, used, "{transformation:?} depends on its buffer");
    assert!(
        clean.len() <= (4 * value.len()).max(20),
        "{transformation:?}: {} bytes of {}",
        clean.len(),
        value.len()
    );
    if let Some(triggers) = transformation.triggers() {
        assert!(
            triggers.find_in(value).is_some(),
            "{transformation:?} has no trigger"
        );
    }
    Outcome::Accepted
}

/// The map that `value` is, if it is one.
fn map(value: &[u8]) -> UnicodeMap {
    UnicodeMap::parse(value, 1).unwrap_or_else(|error| {
        check_message(&error.to_string());
        UnicodeMap::default()
    })
}
