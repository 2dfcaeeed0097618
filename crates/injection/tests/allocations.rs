//! Telling injections allocates nothing, whatever the value.

use palisade_injection::{sqli, xss};
use palisade_testkit::alloc::{CountingAllocator, allocations_of};

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

/// Injections in each context and dialect, harmless values, and long ones.
const VALUES: [&str; 16] = [
    "",
    "kitchen_table",
    "/static/js/main.0ee71ac0.js",
    "Mozilla/5.0 (X11; Linux x86_64)",
    "O'Neil's \"house\" # 3 -- 4",
    "1 union all select 1,2,3--",
    "x' or 1=1 #",
    "x\" or \"\"=\"",
    "1/*!union*/",
    "a -- sp_password",
    "current date in boolean mode not similar to $a$b$a$ q'(c)' {d e}",
    "a=b&c=d",
    "<a href=\"&#106;avascript:\">",
    "x' onload=1",
    "<!-- a --><![CDATA[b]]><% c %><b d=e>",
    "<set attributename='on\0load'>",
];

#[test]
fn telling_injections_allocates_nothing() {
    let mut values: Vec<Vec<u8>> = VALUES.map(|value| value.as_bytes().to_vec()).to_vec();
    values.extend(VALUES.map(|value| value.repeat(1_000).into_bytes()));
    let mut found = (0, 0);
    let allocations = allocations_of(|| {
        for value in &values {
            found.0 += usize::from(sqli::detect(value).is_some());
            found.1 += usize::from(xss::detect(value));
        }
    });
    assert_eq!(allocations, 0);
    assert!(found.0 > 8 && found.1 > 2, "{found:?}");
    assert!(allocations_of(|| values.push(Vec::new())) <= 1);
    assert_eq!(
        allocations_of(|| values.push(vec![0; 64])).min(1),
        1,
        "the counter counts"
    );
}
