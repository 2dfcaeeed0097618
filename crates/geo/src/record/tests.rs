//! Fields of records, as another decoder reads them.

use maxminddb::{LookupResult, PathElement, Reader};
use palisade_testkit::mmdb::{MmdbValue, MmdbWriter};
use proptest::prelude::*;

use super::*;
use crate::tree;

const PATHS: &[&[&str]] = &[&["a"], &["b"], &["a", "b"], &["b", "a"], &["a", "a"]];

fn values() -> impl Strategy<Value = MmdbValue> {
    let text = prop_oneof![
        8 => "[a-c]{0,3}",
        1 => "[a-c]{27,31}",
        1 => "[a-c]{280,290}",
    ];
    let leaf = prop_oneof![
        text.prop_map(MmdbValue::Text),
        any::<u32>().prop_map(MmdbValue::Uint32),
        (0_u32..300).prop_map(MmdbValue::Uint32),
        any::<u16>().prop_map(MmdbValue::Uint16),
        any::<u64>().prop_map(MmdbValue::Uint64),
        (0_u64..1 << 33).prop_map(MmdbValue::Uint64),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name = prop_oneof![4 => "[a-c]", 1 => "[a-c]{28,30}"];
        let entries = prop::collection::btree_map(name, inner.clone(), 0..4);
        prop_oneof![
            3 => entries.prop_map(|entries| MmdbValue::Map(entries.into_iter().collect())),
            1 => prop::collection::vec(inner, 0..4).prop_map(MmdbValue::Array),
        ]
    })
}

/// The field, read by the other decoder.
fn theirs<'a>(found: &LookupResult<'a, &'a [u8]>, path: &[&str]) -> Option<Field<'a>> {
    let path: Vec<PathElement<'_>> = path.iter().copied().map(PathElement::Key).collect();
    let text = found.decode_path(&path).ok().flatten().map(Field::Text);
    let short = || {
        found
            .decode_path::<u16>(&path)
            .ok()
            .flatten()
            .map(u32::from)
    };
    let middle = || found.decode_path::<u32>(&path).ok().flatten();
    let long = || {
        found
            .decode_path::<u64>(&path)
            .ok()
            .flatten()?
            .try_into()
            .ok()
    };
    text.or_else(|| short().or_else(middle).or_else(long).map(Field::Number))
}

/// What is at the start of `data`.
#[track_caller]
fn check(data: &[u8], path: &[&str], expected: Field<'_>) {
    assert_eq!(Records::new(data).field(0, path).unwrap(), Some(expected));
}

#[test]
fn sizes_of_each_form() {
    for (size, control) in [
        (0, &b"\x40"[..]),
        (28, b"\x5c"),
        (29, b"\x5d\x00"),
        (284, b"\x5d\xff"),
        (285, b"\x5e\x00\x00"),
        (65_820, b"\x5e\xff\xff"),
        (65_821, b"\x5f\x00\x00\x00"),
        (131_357, b"\x5f\x01\x00\x00"),
    ] {
        let text = "x".repeat(size);
        check(
            &[control, text.as_bytes()].concat(),
            &[],
            Field::Text(&text),
        );
    }
}

#[test]
fn pointers_of_each_form() {
    for (target, pointer) in [
        (0x123, &b"\x21\x23"[..]),
        (2_048 + 0x1_2345, b"\x29\x23\x45"),
        (526_336 + 0x100_0001, b"\x31\x00\x00\x01"),
        (600_000, b"\x3f\x00\x09\x27\xc0"),
    ] {
        let mut data = vec![0; target];
        data[..pointer.len()].copy_from_slice(pointer);
        data.extend_from_slice(b"\x42yz");
        check(&data, &[], Field::Text("yz"));
    }
}

#[test]
fn values_of_each_type_are_skipped() {
    for value in [
        &b"\x20\x01"[..],
        b"\x42xx",
        b"\x68\0\0\0\0\0\0\0\0",
        b"\x82xx",
        b"\xa2xx",
        b"\xc4xxxx",
        b"\xe2\x41a\x41b\x41c\xe1\x41d\x40",
        b"\x04\x01xxxx",
        b"\x08\x02xxxxxxxx",
        b"\x10\x03xxxxxxxxxxxxxxxx",
        b"\x03\x04\x41a\x01\x07\x02\x04\x40\x40",
        b"\x01\x07",
        b"\x04\x08xxxx",
    ] {
        let data = [b"\xe2\x41v", value, b"\x41k\x41y"].concat();
        check(&data, &["k"], Field::Text("y"));
    }
}

#[test]
fn numbers_of_each_type() {
    check(b"\xa0", &[], Field::Number(0));
    check(b"\xa2\x01\x02", &[], Field::Number(0x102));
    check(b"\xc4\xff\xff\xff\xff", &[], Field::Number(u32::MAX));
    check(b"\x05\x02\x00\x00\x00\x00\x01", &[], Field::Number(1));
    let over = Records::new(b"\x05\x02\x01\x00\x00\x00\x00").field(0, &[]);
    assert_eq!(over.unwrap(), None);
}

proptest! {
    #[test]
    fn fields_are_those_that_another_decoder_reads(record in values()) {
        // The first record moves the second one behind what two bytes can point to.
        let long = MmdbValue::field("b", MmdbValue::field("a", "x".repeat(3_000).as_str()));
        let bytes = MmdbWriter::new("Test")
            .insert("192.0.0.0/16".parse().unwrap(), long)
            .insert("192.0.2.0/24".parse().unwrap(), record)
            .build();
        let reader = Reader::from_source(bytes.as_slice()).unwrap();
        let found = reader.lookup("192.0.2.1".parse().unwrap()).unwrap();
        let sections = tree::sections(&bytes, reader.metadata()).unwrap();
        for path in PATHS {
            let ours = Records::new(sections.data).field(found.offset().unwrap(), path);
            prop_assert_eq!(ours.unwrap(), theirs(&found, path));
        }
    }

    #[test]
    fn no_bytes_panic(data in prop::collection::vec(any::<u8>(), 0..64), offset in 0_usize..70) {
        let mut records = Records::new(&data);
        for path in PATHS {
            let _ = records.field(offset, path);
        }
    }
}
