//! Tags that run scripts, load what does, or change what the page is.

use super::is_without_nuls;

/// Whether a tag of this name alone is dangerous.
pub(super) fn runs_scripts(name: &[u8]) -> bool {
    let [first, second, third, ..] = name else {
        return false;
    };
    let begin = [*first, *second, *third].map(|byte| byte.to_ascii_uppercase());
    matches!(&begin, b"SVG" | b"XSL") || NAMES.iter().any(|known| is_without_nuls(name, known))
}

const NAMES: [&[u8]; 20] = [
    b"APPLET",
    b"BASE",
    b"COMMENT",
    b"EMBED",
    b"FRAME",
    b"FRAMESET",
    b"HANDLER",
    b"IFRAME",
    b"IMPORT",
    b"ISINDEX",
    b"LINK",
    b"LISTENER",
    b"META",
    b"NOSCRIPT",
    b"OBJECT",
    b"SCRIPT",
    b"STYLE",
    b"VMLFRAME",
    b"XML",
    b"XSS",
];
