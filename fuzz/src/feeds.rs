//! Lists of addresses. Input: a byte that says how the list is written, then the list.

use palisade_feeds::parse::{
    BadEntries, Column, CsvFormat, Format, Limits, ListError, ParsedList, parse,
};

use crate::{Outcome, check_message};

const LIMITS: Limits = Limits {
    entries_max: 1_000,
    wide_ranges: false,
};

/// A list that is believed has its ranges in order, each once and within the limits, has few bad
/// entries, and says the same when it is written out as text; one that is not has a reason that can
/// be printed.
pub fn check(data: &[u8]) -> Outcome {
    let (format, list) = match data.split_first() {
        Some((format, list)) => (format_of(*format), list),
        None => (Format::Text, data),
    };
    match parse(&format, list, LIMITS) {
        Ok(parsed) => {
            check_list(&parsed);
            match parsed.ranges.is_empty() {
                true => Outcome::Refused,
                false => Outcome::Accepted,
            }
        }
        Err(error) => {
            check_message(&error.to_string());
            Outcome::Refused
        }
    }
}

fn format_of(byte: u8) -> Format {
    let key = (byte & 8 != 0).then(|| "ip".into());
    let csv = |column| {
        let separator = b',';
        Format::Csv(CsvFormat { column, separator })
    };
    match byte & 7 {
        0 | 1 => Format::Text,
        2 => Format::Ipset,
        3 => csv(Column::Number(1)),
        4 => csv(Column::Name("ip".into())),
        5 => csv(Column::Number(2)),
        6 => Format::Json { key },
        _ => Format::JsonLines { key },
    }
}

fn check_list(list: &ParsedList) {
    assert!(list.ranges.len() <= LIMITS.entries_max);
    assert!(list.ranges.is_sorted_by(|a, b| a < b));
    assert!(list.bad.samples.len() <= BadEntries::SAMPLES_MAX);
    for sample in &list.bad.samples {
        check_message(&sample.to_string());
    }
    let text: String = list
        .ranges
        .iter()
        .map(|range| format!("{range}\n"))
        .collect();
    let again = parse(&Format::Text, text.as_bytes(), LIMITS);
    let again = again.map(|again| (again.ranges, again.bad.count));
    assert_eq!(again, Ok::<_, ListError>((list.ranges.clone(), 0)));
}
