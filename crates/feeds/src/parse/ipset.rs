//! What `ipset save` prints (ipset(8)), and files of that name as publishers of lists have them: an
//! address a line.

use super::collector::Collector;
use super::{ListError, lines, text};

pub(super) fn parse(bytes: &[u8], list: &mut Collector) -> Result<(), ListError> {
    for (number, line) in lines(bytes).filter(|(_, line)| !text::is_comment(line)) {
        let mut words = line
            .split(u8::is_ascii_whitespace)
            .filter(|word| !word.is_empty());
        match words.next().unwrap_or_default() {
            b"add" | b"-A" => {
                let address = words.nth(1).unwrap_or_default();
                // A hole in a range: what an entry means that we have no word for.
                if words.any(|word| word == b"nomatch") {
                    list.bad(number, "`nomatch` is not supported");
                } else {
                    list.entry(number, address)?;
                }
            }
            b"create" | b"-N" | b"flush" | b"-F" | b"COMMIT" => {}
            _ => text::entry(number, line, list)?,
        }
    }
    Ok(())
}
