//! What `SecUnicodeMapFile` gives: bytes for code points, by code page.

use super::full_width;
use super::hexadecimal::digit;

/// To which byte `urlDecodeUni` decodes a code point of the Basic Multilingual Plane.
///
/// Without a file, its lowest byte, or the ASCII character of a full-width form.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnicodeMap {
    /// In order, each code point once: at most 65,536.
    bytes: Box<[(u16, u8)]>,
}

/// What RFC 3490 section 3.1 takes for a dot, in every code page.
const DOTS: [u16; 4] = [0x002e, 0x3002, 0xff0e, 0xff61];

impl UnicodeMap {
    /// Reads the mapping of `code_page` in a file as IIS, Snort and ModSecurity have it: lines that begin
    /// with the number of a code page, and behind each such line `HHHH:HH` (code point and byte),
    /// separated by white space. Lines that begin with a parenthesis are names.
    ///
    /// # Errors
    /// When `code_page` isn't in it, or something in its part is no mapping.
    pub fn parse(file: &[u8], code_page: u32) -> Result<Self, UnicodeMapError> {
        let mut bytes: Vec<(u16, u8)> = DOTS.iter().map(|code| (*code, b'.')).collect();
        let (mut is_in_page, mut is_found) = (false, false);
        for (index, line) in file.split(|byte| *byte == b'\n').enumerate() {
            let mut words = line
                .split(u8::is_ascii_whitespace)
                .filter(|word| !word.is_empty())
                .peekable();
            match words.peek() {
                None => continue,
                Some([b'(', ..]) => is_in_page = false,
                Some(word) if !word.contains(&b':') => {
                    is_in_page = decimal(word) == Some(code_page);
                    is_found |= is_in_page;
                    // Behind the number, its name, and sometimes mappings.
                    bytes.extend(words.filter_map(entry).filter(|_| is_in_page));
                }
                Some(_) if is_in_page => {
                    for word in words {
                        bytes.push(entry(word).ok_or_else(|| bad_entry(index, word))?);
                    }
                }
                Some(_) => {}
            }
        }
        if !is_found {
            return Err(UnicodeMapError::NoSuchCodePage(code_page));
        }
        Ok(Self::from_entries(bytes))
    }

    /// Of several entries for one code point the last counts.
    fn from_entries(mut bytes: Vec<(u16, u8)>) -> Self {
        bytes.reverse();
        bytes.sort_by_key(|(code, _)| *code);
        bytes.dedup_by_key(|(code, _)| *code);
        Self {
            bytes: bytes.into(),
        }
    }

    /// The byte for `code`.
    #[must_use]
    pub fn byte(&self, code: u16) -> u8 {
        let found = self.bytes.binary_search_by_key(&code, |(code, _)| *code);
        match found.ok().and_then(|index| self.bytes.get(index)) {
            Some((_, byte)) => *byte,
            None => full_width::lowest_byte(code),
        }
    }
}

fn decimal(word: &[u8]) -> Option<u32> {
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// `HHHH:HH`, each of one to four digits; of the byte's, the lowest two count, as in ModSecurity.
fn entry(word: &[u8]) -> Option<(u16, u8)> {
    let colon = word.iter().position(|byte| *byte == b':')?;
    let (code, byte) = (word.get(..colon)?, word.get(colon + 1..)?);
    let [_, low] = number(byte)?.to_be_bytes();
    Some((number(code)?, low))
}

fn number(digits: &[u8]) -> Option<u16> {
    if !(1..=4).contains(&digits.len()) {
        return None;
    }
    digits.iter().try_fold(0, |number, byte| {
        Some(number << 4 | u16::from(digit(*byte)?))
    })
}

fn bad_entry(line_index: usize, word: &[u8]) -> UnicodeMapError {
    let shown = word.get(..16).unwrap_or(word);
    UnicodeMapError::NotAMapping {
        line: line_index + 1,
        got: shown.escape_ascii().to_string(),
    }
}

/// Why a map can't be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnicodeMapError {
    /// The file doesn't have the code page.
    #[error("the map has no code page {0}; expected one of those that its lines begin with")]
    NoSuchCodePage(u32),
    /// Something that is neither a code page nor a mapping.
    #[error(
        "line {line}: `{got}` is no mapping; expected hexadecimal digits for a code point and a byte, as in `0141:4c`"
    )]
    NotAMapping {
        /// The line, counted from 1.
        line: usize,
        /// The beginning of what was found.
        got: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: &[u8] =
        b"(MAC - Roman)\r\n\r\n1250  (ANSI - Central Europe)\r\n00a1:21 00a2:63\r\n0141:4c\r\n\
        \r\n20127 (US-ASCII)\r\n00a1:22 00a1:23\r\n(no number)\r\n00a2:24\r\n";

    #[track_caller]
    fn check(code_page: u32, code: u16, expected: u8) {
        let map = UnicodeMap::parse(FILE, code_page).unwrap();
        assert_eq!(map.byte(code), expected, "{code:x} in {code_page}");
    }

    #[test]
    fn mappings_may_stand_behind_the_number() {
        let file = b"1 (x) 0141:4c\n2 0141:4d\n";
        assert_eq!(UnicodeMap::parse(file, 1).unwrap().byte(0x141), b'L');
        assert_eq!(UnicodeMap::parse(file, 2).unwrap().byte(0x141), b'M');
    }

    #[test]
    fn code_pages() {
        check(1250, 0xa1, b'!');
        check(1250, 0x141, b'L');
        check(20127, 0xa1, b'#');
        check(20127, 0xa2, 0xa2);
        check(20127, 0x141, b'A');
        check(20127, 0x3002, b'.');
        assert_eq!(UnicodeMap::default().byte(0x3002), 2);
    }

    #[test]
    fn errors_say_where() {
        let message = |file: &[u8], page| UnicodeMap::parse(file, page).unwrap_err().to_string();
        assert_eq!(
            message(FILE, 437),
            "the map has no code page 437; expected one of those that its lines begin with"
        );
        assert!(
            message(b"437\n0041:41\n0042:\n", 437).starts_with("line 3: `0042:` is no mapping")
        );
        assert!(message(b"437\n0041:41 x\n", 437).starts_with("line 2: `x` is"));
        assert!(message(b"437\n10041:41\n", 437).starts_with("line 2"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_answered(file: Vec<u8>, page: u8, code: u16) {
            if let Ok(map) = UnicodeMap::parse(&file, u32::from(page)) {
                prop_assert_eq!(map.byte(code), map.byte(code));
            }
        }

        #[test]
        fn what_was_written_is_read(entries in prop::collection::btree_map(0x100_u16..0x3000, any::<u8>(), 0..50)) {
            let mut file = b"1 x\n".to_vec();
            for (code, byte) in &entries {
                file.extend(format!("{code:04x}:{byte:02x} ").into_bytes());
            }
            let map = UnicodeMap::parse(&file, 1).unwrap();
            for (code, byte) in entries {
                prop_assert_eq!(map.byte(code), byte);
            }
        }
    }
}
