//! Writes `data/keywords` and `data/fingerprints` from libinjection's `sqlparse_data.json`:
//! `cargo run -p palisade-injection --example import_tables -- sqlparse_data.json crates/injection/data`.

use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(json), Some(folder)) = (arguments.next(), arguments.next()) else {
        return Err(
            "expected two arguments: sqlparse_data.json, and the folder to write to".into(),
        );
    };
    let json: serde_json::Value = serde_json::from_slice(&std::fs::read(json)?)?;
    let folder = Path::new(&folder);
    std::fs::write(folder.join("keywords"), keywords(&json)?)?;
    std::fs::write(folder.join("fingerprints"), fingerprints(&json)?)?;
    Ok(())
}

/// A line each, in order: the letter of its kind, `+` where a phrase begins with it or else a space,
/// and the keyword in capitals. Beginnings of phrases that are no keywords have `-` for a letter.
fn keywords(json: &serde_json::Value) -> Result<String, Box<dyn Error>> {
    let keywords = json["keywords"].as_object().ok_or("no keywords")?;
    let mut lines = BTreeMap::new();
    for (word, kind) in keywords {
        let kind = kind.as_str().ok_or("a keyword's kind is no string")?;
        lines.insert(word.to_ascii_uppercase(), (kind, ' '));
    }
    for phrase in lines.keys().cloned().collect::<Vec<_>>() {
        for (end, _) in phrase.match_indices(' ') {
            let (beginning, _) = phrase.split_at(end);
            let (_, mark) = lines.entry(beginning.to_owned()).or_insert(("-", ' '));
            *mark = '+';
        }
    }
    let mut text = String::new();
    for (word, (kind, mark)) in lines {
        writeln!(text, "{kind}{mark}{word}")?;
    }
    Ok(text)
}

/// A line for each beginning, in order: all letters but the last in capitals, a space, every last
/// letter that makes a fingerprint of it.
fn fingerprints(json: &serde_json::Value) -> Result<String, Box<dyn Error>> {
    let fingerprints = json["fingerprints"].as_array().ok_or("no fingerprints")?;
    let mut lines: BTreeMap<String, BTreeSet<char>> = BTreeMap::new();
    for fingerprint in fingerprints {
        let fingerprint = fingerprint.as_str().ok_or("a fingerprint is no string")?;
        let mut beginning = fingerprint.to_ascii_uppercase();
        let last = beginning.pop().ok_or("an empty fingerprint")?;
        lines.entry(beginning).or_default().insert(last);
    }
    let mut text = String::new();
    for (beginning, lasts) in lines {
        writeln!(
            text,
            "{beginning} {}",
            lasts.into_iter().collect::<String>()
        )?;
    }
    Ok(text)
}
