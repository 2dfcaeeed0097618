//! `block_lists`, `allow_lists`, and lists of `access.lists` that servers have.

use std::time::Duration;

use palisade_decisions::Remedy;
use palisade_feeds::parse::{Column, Format};
use palisade_feeds::{ListSource, Purpose};

use crate::support::{self, check_problems};

#[test]
fn everything_can_be_set() {
    let settings = support::settings(
        "state_directory: state
block_lists:
  drop:
    url: https://lists.example/drop.csv?key=1
    refresh: 10m
    timeout: 5s
    format: csv
    column: dst_ip
    separator: tab
    size_max: 1MiB
    entries_max: 10
    wide_ranges: true
    may_be_empty: true
    remediation: captcha
    expires: 2d
  tor: {file: tor.txt, format: netset}
allow_lists:
  ok: {url: \"http://lists.example/ok.json\", format: json, key: ip}
access:
  lists:
    drop: {url: \"https://lists.example/drop.txt\"}
",
    );
    let shown: Vec<_> = settings
        .lists
        .iter()
        .map(|list| format!("{}/{} {}", list.purpose.as_str(), list.name, list.source))
        .collect();
    assert_eq!(
        shown,
        [
            "block/drop https://lists.example/drop.csv?...",
            "block/tor tor.txt",
            "allow/ok http://lists.example/ok.json",
            "access/drop https://lists.example/drop.txt",
        ]
    );
    let drop = &settings.lists[0];
    let Purpose::Block(block) = &drop.purpose else {
        panic!("{drop:?}")
    };
    assert_eq!(block.remedy, Remedy::Captcha);
    assert_eq!(block.hold.unwrap().get(), Duration::from_secs(2 * 86_400));
    let Format::Csv(csv) = &drop.format else {
        panic!("{drop:?}")
    };
    assert_eq!(csv.column, Column::Name("dst_ip".into()));
    assert_eq!(csv.separator, b'\t');
    assert_eq!(drop.limits.entries_max, 10);
    assert!(drop.limits.wide_ranges && drop.may_be_empty);
    let ListSource::Url(url) = &drop.source else {
        panic!("{drop:?}")
    };
    assert_eq!(url.refresh.get(), Duration::from_secs(600));
    assert_eq!(url.timeout.get(), Duration::from_secs(5));
    let tor = &settings.lists[1];
    assert_eq!(tor.format, Format::Text);
    assert_eq!(tor.limits.entries_max, 1_000_000);
}

#[test]
fn a_list_comes_from_one_place_in_one_form() {
    check_problems(
        "block_lists:
  none: {}
  both: {file: a.txt, url: \"https://lists.example/\"}
  column: {file: a.txt, column: 2}
  key: {file: a.txt, format: csv, key: ip}
  scheme: {url: \"ftp://lists.example/\"}
  \"../x\": {file: a.txt}
access:
  lists:
    form: {file: a.txt, format: csv}
",
        &[
            "5:9: error: a list comes from one place; give either `file` or `url`",
            "6:9: error: a list comes from one place; give either `file` or `url`",
            "7:33: error: only `format: csv` has columns; leave `column` out",
            "8:40: error: only `format: json` and `json_lines` have keys; leave `key` out",
            "9:17: error: the scheme is not known here; expected http or https",
            "10:3: error: \"../x\" is not a name; expected 1 to 64 of A-Z a-z 0-9 . _ -",
            "13:11: error: only a list with `url` has `format`; leave it out",
            "13:18: error: a.txt: there is no such file",
        ],
    );
}
