use std::cell::Cell;

use super::*;

thread_local! {
    static BYTES: Cell<usize> = const { Cell::new(0) };
}

pub(super) fn looked_at(bytes: usize) {
    BYTES.set(BYTES.get() + bytes);
}

/// How many bytes are looked at during `work`, each as often as it is.
pub(crate) fn bytes_looked_at(work: impl FnOnce()) -> usize {
    let before = BYTES.get();
    work();
    BYTES.get() - before
}

#[test]
fn what_is_looked_at_is_counted() {
    let check = |work: &dyn Fn() -> Option<usize>, found, bytes| {
        assert_eq!(bytes_looked_at(|| assert_eq!(work(), found)), bytes);
    };
    let text = b"ab--cd";
    check(&|| find(text, b'b'), Some(1), 2);
    check(&|| find(text, b'x'), None, 6);
    check(&|| find_either(text, b'c', b'-'), Some(2), 3);
    check(&|| find_by(text, |byte| byte == b'c'), Some(4), 5);
    check(&|| find_sequence(text, b"-c"), Some(3), 4);
    check(&|| find_sequence(text, b"cx"), None, 6);
    check(
        &|| Some(span(text, |byte| byte.is_ascii_alphabetic())),
        Some(2),
        3,
    );
    check(&|| Some(trailing(b"a\\\\", b'\\')), Some(2), 2);
}
