//! The words of a logical line: a directive's name and its arguments.

use super::lines::Line;

/// The most words that a directive has.
const WORDS_MAX: usize = 16;

/// One word, quotes and escapes taken away.
#[derive(Debug, Default)]
pub(super) struct Word {
    pub(super) bytes: Vec<u8>,
    /// Where in the line its first byte stands.
    begins: usize,
    /// Before which of `bytes` a backslash was taken away, ascending.
    escapes: Vec<usize>,
    /// Where in the line the first `\\` stands that became one backslash.
    pub(super) backslash: Option<usize>,
}

impl Word {
    /// Where in the line a byte of the word stands.
    pub(super) fn offset(&self, at: usize) -> usize {
        let dropped = self.escapes.partition_point(|escape| *escape <= at);
        self.begins + at + dropped
    }
}

/// Why a line has no words.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum WordError {
    /// A quote, which stands there, isn't closed.
    Unclosed { at: usize },
    /// Something follows a closing quote at once.
    BehindQuote { at: usize },
    /// More words than any directive has.
    TooMany { at: usize },
}

/// Splits a line as Apache does (`ap_getword_conf`): words are separated by white space; one in `"` or
/// `'` ends with the same quote; in it `\` escapes that quote, and everywhere another `\`.
pub(super) fn words(line: &Line) -> Result<Vec<Word>, WordError> {
    let mut words = Vec::new();
    let mut at = 0;
    while let Some(begins) = next_word(&line.text, at) {
        if words.len() == WORDS_MAX {
            return Err(WordError::TooMany { at: begins });
        }
        let (word, end) = word(&line.text, begins)?;
        words.push(word);
        at = end;
    }
    Ok(words)
}

fn next_word(text: &[u8], at: usize) -> Option<usize> {
    let rest = text.get(at..)?;
    let skipped = rest.iter().position(|byte| !byte.is_ascii_whitespace())?;
    Some(at + skipped)
}

/// The word that begins there, and where the line goes on.
fn word(text: &[u8], begins: usize) -> Result<(Word, usize), WordError> {
    let quote = text.get(begins).copied();
    let quote = quote.filter(|byte| matches!(byte, b'"' | b'\''));
    let mut word = Word {
        begins: begins + usize::from(quote.is_some()),
        ..Word::default()
    };
    let mut at = word.begins;
    loop {
        let (byte, next) = (text.get(at).copied(), text.get(at + 1).copied());
        match (byte, next) {
            (None, _) if quote.is_some() => return Err(WordError::Unclosed { at: begins }),
            (None, _) => return Ok((word, at)),
            (Some(b'\\'), Some(escaped)) if escaped == b'\\' || Some(escaped) == quote => {
                if escaped == b'\\' {
                    word.backslash.get_or_insert(at);
                }
                word.escapes.push(word.bytes.len());
                word.bytes.push(escaped);
                at += 2;
            }
            (closing, next) if quote.is_some() && closing == quote => {
                return match next {
                    Some(byte) if !byte.is_ascii_whitespace() => {
                        Err(WordError::BehindQuote { at: at + 1 })
                    }
                    _ => Ok((word, at + 1)),
                };
            }
            (Some(byte), _) if quote.is_none() && byte.is_ascii_whitespace() => {
                return Ok((word, at));
            }
            (Some(byte), _) => {
                word.bytes.push(byte);
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::lines::Lines;
    use super::*;

    fn split(text: &str) -> Result<Vec<Word>, WordError> {
        words(&Lines::of(text.as_bytes()).next().unwrap())
    }

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let words = split(text).unwrap();
        let words: Vec<_> = words
            .iter()
            .map(|word| std::str::from_utf8(&word.bytes).unwrap())
            .collect();
        assert_eq!(words, expected, "{text}");
    }

    #[test]
    fn words_quotes_and_escapes() {
        check("SecRuleEngine On", &["SecRuleEngine", "On"]);
        check("  a\t'b c'  \"d 'e' f\" ", &["a", "b c", "d 'e' f"]);
        check(r#"a "b\"c" 'd\'e'"#, &["a", "b\"c", "d'e"]);
        check(r#"a "b\d\\e" f\\g"#, &["a", r"b\d\e", r"f\g"]);
        check(r#"a "b\'c""#, &["a", r"b\'c"]);
        check(r#"a """#, &["a", ""]);
        check(r#"a b"c""#, &["a", r#"b"c""#]);
    }

    #[test]
    fn what_is_no_word() {
        let error = |text| split(text).unwrap_err();
        assert_eq!(error(r#"a "b c"#), WordError::Unclosed { at: 2 });
        assert_eq!(error(r#"a "b\""#), WordError::Unclosed { at: 2 });
        assert_eq!(error(r#"a "b"c"#), WordError::BehindQuote { at: 5 });
        assert_eq!(error(&"a ".repeat(17)), WordError::TooMany { at: 32 });
    }

    #[test]
    fn each_byte_knows_where_it_stood() {
        let words = split(r#"a "b\"c\\d""#).unwrap();
        let word = &words[1];
        assert_eq!(word.bytes, br#"b"c\d"#);
        let offsets: Vec<_> = (0..5).map(|at| word.offset(at)).collect();
        assert_eq!(offsets, [3, 5, 6, 8, 9]);
        assert_eq!(word.backslash, Some(7));
    }
}
