//! Access rules, as a rule file has them.

use std::fmt::Write as _;

use crate::random::Random;

/// A rule file with `count` blocking rules that no request of the harness matches: a quarter each of address ranges,
/// path prefixes, substrings of the user agent, and regular expressions on the path.
#[must_use]
pub fn rule_file(count: u32) -> String {
    let mut random = Random::new(3);
    let mut file = String::from("rules:\n");
    for number in 0..count {
        let condition = condition(number, &mut random);
        let _ = writeln!(
            file,
            "  - {{ id: made-{number}, match: {{ {condition} }}, action: block }}"
        );
    }
    file
}

fn condition(number: u32, random: &mut Random) -> String {
    let word = random.letters();
    match number % 8 {
        // No client comes from there (RFC 2544).
        0 | 4 => format!(
            "address: 198.{}.{}.{}/30",
            18 + number / 32_768 % 2,
            number / 128 % 256,
            number % 64 * 4
        ),
        1 => format!("path: {{ prefix: /{word}/{} }}", random.letters()),
        5 => format!("path: {{ prefix: /products/{word}-{number} }}"),
        2 | 6 => format!("user_agent: {{ contains: {word}{} }}", random.letters()),
        3 => format!(r"path: {{ regex: '^/{word}/\d+/[a-z]+\.php$' }}"),
        _ => format!(
            r"path: {{ regex: '/{word}[-_.]?[0-9]{{1,8}}\.(zip|tar\.gz|sql)$', ignore_case: true }}"
        ),
    }
}
