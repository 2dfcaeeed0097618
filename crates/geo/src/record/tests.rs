//! Fields of records, as another decoder reads them.

use maxminddb::{PathElement, Reader};
use palisade_testkit::mmdb::{MmdbValue, MmdbWriter};
use palisade_vocabulary::Ip;
use proptest::prelude::*;

use super::*;
use crate::tree;

const PATHS: &[&[&str]] = &[&["a"], &["b"], &["a", "b"], &["b", "a"], &["a", "a"]];

fn values() -> impl Strategy<Value = MmdbValue> {
    let text = prop_oneof![
        8 => "[a-c]{0,3}",
        1 => "[a-c]{27,31}",
        1 => "[a-c]{280,290}",
        1 => Just("x".repeat(65_821)),
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

fn check_against_maxminddb(record: &MmdbValue, path: &[&str]) -> Result<(), TestCaseError> {
    // The first record moves the second one behind the first two forms of pointers.
    let long = MmdbValue::Array(vec![
        MmdbValue::field("b", "x"),
        MmdbValue::field("a", "x".repeat(70_000).as_str()),
    ]);
    let bytes = MmdbWriter::new("Test")
        .insert("192.0.0.0/16".parse().unwrap(), long)
        .insert("192.0.2.0/24".parse().unwrap(), record.clone())
        .build();
    let reader = Reader::from_source(bytes.as_slice()).unwrap();
    let found = reader
        .lookup("192.0.2.1".parse::<Ip>().unwrap().as_std())
        .unwrap();
    let steps: Vec<PathElement<'_>> = path.iter().copied().map(PathElement::Key).collect();
    let sections = tree::sections(&bytes, reader.metadata()).unwrap();
    let mut records = Records::new(sections.data);
    let offset = found.offset().unwrap();

    let text = || {
        found
            .decode_path::<&str>(&steps)
            .ok()
            .flatten()
            .map(Field::Text)
    };
    let short = || {
        found
            .decode_path::<u16>(&steps)
            .ok()
            .flatten()
            .map(u32::from)
    };
    let middle = || found.decode_path::<u32>(&steps).ok().flatten();
    let long = || {
        found
            .decode_path::<u64>(&steps)
            .ok()
            .flatten()?
            .try_into()
            .ok()
    };
    let number = || short().or_else(middle).or_else(long).map(Field::Number);
    prop_assert_eq!(records.field(offset, path).unwrap(), text().or_else(number));
    Ok(())
}

proptest! {
    #[test]
    fn fields_are_those_that_another_decoder_reads(record in values()) {
        for path in PATHS {
            check_against_maxminddb(&record, path)?;
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
