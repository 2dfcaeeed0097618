//! Access rules by the thousand, as a rule file has them.

use std::fmt::Write;

use crate::random::Random;

/// A rule file with `count` blocking rules: a quarter each of address ranges, path prefixes,
/// substrings of the user agent, and regular expressions on the path.
#[must_use]
pub fn rule_file(count: u32) -> String {
    let mut random = Random::new(3);
    let mut file = String::from("rules:\n");
    for number in 0..count {
        let condition = condition(number, &mut random);
        writeln!(
            file,
            "  - {{ id: made-{number}, match: {{ {condition} }}, action: block }}"
        )
        .expect("memory");
    }
    file
}

fn condition(number: u32, random: &mut Random) -> String {
    let word = random.letters();
    match number % 8 {
        0 | 4 => {
            let [a, b, c, _] = random.address().octets();
            format!("address: {a}.{b}.{c}.0/24")
        }
        1 => format!("path: {{ prefix: /{word}/{} }}", random.letters()),
        5 => format!("path: {{ prefix: /products/{word}-{number} }}"),
        2 | 6 => format!("user_agent: {{ contains: {word}{} }}", random.letters()),
        3 => format!(r"path: {{ regex: '^/{word}/\d+/[a-z]+\.php$' }}"),
        _ => format!(
            r"path: {{ regex: '/{word}[-_.]?[0-9]{{1,8}}\.(zip|tar\.gz|sql)$', ignore_case: true }}"
        ),
    }
}
