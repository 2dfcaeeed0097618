//! Databases as they should be, of every layout, and as they should not.

use std::net::{Ipv4Addr, Ipv6Addr};

use palisade_testkit::mmdb::{MmdbValue, MmdbWriter, RecordSize, asn_database, country_database};
use palisade_vocabulary::Cidr;
use proptest::prelude::*;

use super::*;

fn ip(text: &str) -> Ip {
    text.parse().unwrap()
}

fn country(code: &str) -> Known<Country> {
    Known::Is(code.parse().unwrap())
}

/// A database with one record, for 192.0.2.0/24.
fn one_record(record: MmdbValue) -> Vec<u8> {
    let range = "192.0.2.0/24".parse().unwrap();
    MmdbWriter::new("Test").insert(range, record).build()
}

/// What the one record tells; `None` where the database is refused.
#[track_caller]
fn check<F: Fact + PartialEq + std::fmt::Debug>(record: MmdbValue, expected: Option<Known<F>>) {
    let got = GeoDatabase::<F>::from_bytes(one_record(record.clone()));
    let got = got.map(|database| database.look_up(ip("192.0.2.1")));
    assert_eq!(got.ok(), expected, "{record:?}");
}

fn map(fields: &[(&str, MmdbValue)]) -> MmdbValue {
    MmdbValue::Map(
        fields
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect(),
    )
}

#[test]
fn country_layouts() {
    let iso = |code: &str| MmdbValue::field("iso_code", code);
    let names = MmdbValue::field(
        "names",
        map(&[("de", "Land".into()), ("en", "country".into())]),
    );
    check(MmdbValue::field("country", iso("DE")), Some(country("DE")));
    check(MmdbValue::field("country_code", "de"), Some(country("DE")));
    check(MmdbValue::field("country", "DE"), Some(country("DE")));
    let record = map(&[
        ("city", names.clone()),
        ("continent", map(&[("code", "EU".into())])),
        (
            "country",
            map(&[
                ("geoname_id", 1_u32.into()),
                ("names", names),
                ("iso_code", "AT".into()),
            ]),
        ),
        ("registered_country", iso("DE")),
    ]);
    check(record, Some(country("AT")));
    check::<Country>(MmdbValue::field("registered_country", iso("DE")), None);
    check::<Country>(MmdbValue::field("country", iso("A1")), None);
    check::<Country>(MmdbValue::field("country", 5), None);
    check::<Country>(MmdbValue::field("autonomous_system_number", 5), None);
    check::<Country>("DE".into(), None);
}

#[test]
fn asn_layouts() {
    let known = |number| Some(Known::Is(Asn(number)));
    check(
        MmdbValue::field("autonomous_system_number", 64_496),
        known(64_496),
    );
    check(
        MmdbValue::field("autonomous_system_number", u32::MAX),
        known(u32::MAX),
    );
    check(
        MmdbValue::field("autonomous_system_number", "64496"),
        known(64_496),
    );
    check(MmdbValue::field("asn", "AS64496"), known(64_496));
    check(MmdbValue::field("asn", 64_496), known(64_496));
    check::<Asn>(MmdbValue::field("asn", 0), None);
    check::<Asn>(MmdbValue::field("asn", "ASx"), None);
    check::<Asn>(MmdbValue::field("country_code", "DE"), None);
}

#[test]
fn a_database_of_another_kind_says_what_it_is() {
    let error = GeoDatabase::<Asn>::from_bytes(country_database(&[("192.0.2.0/24", "DE")]));
    assert_eq!(
        error.unwrap_err().to_string(),
        "the database (Test-Country) tells no autonomous system; expected one of the fields \
         autonomous_system_number, asn: is it a database of another kind?"
    );
}

#[test]
fn a_record_without_the_fact_is_unlisted() {
    let bytes = MmdbWriter::new("Test")
        .insert(
            "192.0.2.0/25".parse().unwrap(),
            MmdbValue::field("country_code", "DE"),
        )
        .insert(
            "192.0.2.128/25".parse().unwrap(),
            MmdbValue::field("country_code", ""),
        )
        .build();
    let database = GeoDatabase::<Country>::from_bytes(bytes).unwrap();
    assert_eq!(database.look_up(ip("192.0.2.1")), country("DE"));
    assert_eq!(database.look_up(ip("192.0.2.129")), Known::Unlisted);
    assert_eq!(database.look_up(ip("198.51.100.1")), Known::Unlisted);
}

#[test]
fn what_cannot_be_used_is_replaced_by_what_was_there_before() {
    let with_country = |code: &str| {
        let bytes = palisade_testkit::mmdb::country_database(&[("192.0.2.0/24", code)]);
        GeoDatabases {
            country: Some(GeoDatabase::from_bytes(bytes).unwrap()),
            ..GeoDatabases::default()
        }
    };
    let unusable = GeoDatabases {
        unusable: UnusableDatabases {
            country: true,
            asn: true,
        },
        ..GeoDatabases::default()
    };
    let country = |databases: &GeoDatabases| databases.place("192.0.2.1".parse().unwrap()).country;
    let old = with_country("XA");
    let kept = unusable.or_last_good(&old);
    assert_eq!(country(&kept), country(&old));
    assert_eq!(kept.unusable, unusable.unusable);
    assert!(kept.asn.is_none(), "there was none");
    // A second time too, and not where there is a new one, or none is wanted any more.
    assert_eq!(country(&unusable.or_last_good(&kept)), country(&old));
    let new = with_country("XB");
    assert_eq!(country(&new.or_last_good(&old)), country(&new));
    assert!(GeoDatabases::default().or_last_good(&old).country.is_none());
}

#[test]
fn places() {
    assert_eq!(
        GeoDatabases::default().place(ip("192.0.2.1")),
        Place::UNAVAILABLE
    );
    let countries = country_database(&[("192.0.2.0/24", "DE"), ("2001:db8::/32", "AT")]);
    let systems = asn_database(&[("192.0.2.0/25", 64_496)]);
    let databases = GeoDatabases {
        country: Some(GeoDatabase::from_bytes(countries).unwrap()),
        asn: Some(GeoDatabase::from_bytes(systems).unwrap()),
        ..GeoDatabases::default()
    };
    let place = |text| databases.place(ip(text));
    assert_eq!(
        place("192.0.2.1"),
        Place {
            country: country("DE"),
            asn: Known::Is(Asn(64_496))
        }
    );
    assert_eq!(
        place("::ffff:192.0.2.200"),
        Place {
            country: country("DE"),
            asn: Known::Unlisted
        }
    );
    assert_eq!(
        place("2001:db8::1"),
        Place {
            country: country("AT"),
            asn: Known::Unlisted
        }
    );
    assert_eq!(
        place("2001:db9::1"),
        Place {
            country: Known::Unlisted,
            asn: Known::Unlisted
        }
    );
}

#[test]
fn an_ipv6_address_is_unlisted_in_a_database_of_ipv4() {
    let bytes = MmdbWriter::new("Test")
        .ipv4_only()
        .insert(
            "0.0.0.0/0".parse().unwrap(),
            MmdbValue::field("country_code", "DE"),
        )
        .build();
    let database = GeoDatabase::<Country>::from_bytes(bytes).unwrap();
    assert_eq!(database.look_up(ip("192.0.2.1")), country("DE"));
    assert_eq!(database.look_up(ip("2001:db8::1")), Known::Unlisted);
}

/// Some entries of each kind, so that a change of any byte has something to hit.
fn sample() -> Vec<u8> {
    let long = "x".repeat(300);
    let record = map(&[
        (
            "names",
            map(&[("en", long.as_str().into()), ("de", "y".into())]),
        ),
        ("codes", MmdbValue::Array(vec![1.into(), 2.into()])),
        ("country", MmdbValue::field("iso_code", "AT")),
    ]);
    MmdbWriter::new("Test")
        .insert(
            "192.0.2.0/24".parse().unwrap(),
            MmdbValue::field("country_code", "DE"),
        )
        .insert("192.0.2.128/25".parse().unwrap(), record)
        .insert(
            "2001:db8::/32".parse().unwrap(),
            MmdbValue::field("country_code", "FR"),
        )
        .build()
}

/// Loads and asks; whatever the bytes are, both end.
fn load_and_ask(bytes: Vec<u8>) {
    let asked = ["192.0.2.1", "192.0.2.200", "0.0.0.0", "2001:db8::1", "::"].map(ip);
    if let Ok(database) = GeoDatabase::<Country>::from_bytes(bytes.clone()) {
        let _ = asked.map(|ip| database.look_up(ip));
    }
    if let Ok(database) = GeoDatabase::<Asn>::from_bytes(bytes) {
        let _ = asked.map(|ip| database.look_up(ip));
    }
}

#[test]
fn truncated_databases_are_refused() {
    let bytes = sample();
    assert!(GeoDatabase::<Country>::from_bytes(bytes.clone()).is_ok());
    for len in 0..bytes.len() {
        let error = GeoDatabase::<Country>::from_bytes(&bytes[..len]).unwrap_err();
        assert!(matches!(error, GeoError::NotADatabase(_)), "{len}: {error}");
        // Without its head, the file may still be a smaller database of something.
        load_and_ask(bytes[len..].to_vec());
    }
}

#[test]
fn no_flipped_bit_panics() {
    let bytes = sample();
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << bit;
            load_and_ask(flipped);
        }
    }
}

/// A database of IPv4 addresses with these nodes.
fn database(nodes: &[[u32; 2]], data: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = nodes
        .as_flattened()
        .iter()
        .flat_map(|n| n.to_be_bytes())
        .collect();
    bytes.extend_from_slice(&[0; 16]);
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\xab\xcd\xefMaxMind.com\xe9");
    bytes.extend_from_slice(b"\x5bbinary_format_major_version\xa1\x02");
    bytes.extend_from_slice(b"\x5bbinary_format_minor_version\xa0");
    bytes.extend_from_slice(b"\x4bbuild_epoch\x00\x02\x4ddatabase_type\x44Test\x4bdescription\xe0");
    bytes.extend_from_slice(b"\x4aip_version\xa1\x04\x49languages\x00\x04\x4brecord_size\xa1\x20");
    bytes.extend_from_slice(b"\x4anode_count\xc4");
    bytes.extend_from_slice(&u32::try_from(nodes.len()).unwrap().to_be_bytes());
    bytes
}

/// A database of one node, both of whose records are `target`.
fn one_node(target: u32, data: &[u8]) -> Vec<u8> {
    database(&[[target; 2]], data)
}

/// A record.
const RECORD: &[u8] = b"\xe1\x4ccountry_code\x42DE";

/// A record at the start of the data: node count 1 and the separator.
const FIRST_RECORD: u32 = 17;

#[test]
fn corrupt_trees_are_refused() {
    let load = |target| GeoDatabase::<Country>::from_bytes(one_node(target, RECORD));
    assert_eq!(
        load(FIRST_RECORD).unwrap().look_up(ip("0.0.0.0")),
        country("DE")
    );
    for target in [2, 16, FIRST_RECORD + 17, u32::MAX] {
        assert_eq!(
            load(target).unwrap_err(),
            GeoError::CorruptTree { node: 0, target }
        );
    }
}

#[test]
fn trees_in_circles_are_refused() {
    #[track_caller]
    fn check(nodes: &[[u32; 2]]) {
        let error = GeoDatabase::<Country>::from_bytes(database(nodes, RECORD)).unwrap_err();
        assert_eq!(error, GeoError::TreeInCircles);
    }
    check(&[[0, FIRST_RECORD]]);
    // A small circle in a large tree.
    let record = 8 + 16;
    check(&[[[0, record]; 1].as_slice(), &[[record; 2]; 7]].concat());
    // No circle, but so many ways to each node that it is met at most levels.
    let nodes: Vec<[u32; 2]> = (0..32)
        .map(|node| [(node + 1).min(32), (node + 2).min(32)])
        .collect();
    check(&nodes);
}

#[test]
fn a_part_may_be_led_to_by_several_ways() {
    let record = 20 + 16;
    let child = |node| if node < 20 { node } else { record };
    let nodes: Vec<[u32; 2]> = (0..20).map(|node| [child(node + 1); 2]).collect();
    let database = GeoDatabase::<Country>::from_bytes(database(&nodes, RECORD)).unwrap();
    assert_eq!(database.look_up(ip("192.0.2.1")), country("DE"));
}

#[test]
fn records_within_records_cost_no_more_than_their_bytes() {
    // A full tree of 2^14 leaves, and as many maps, each of which holds all that follow.
    const LEAVES: u32 = 1 << 14;
    const NODES: u32 = LEAVES - 1;
    let child = |n: u32| {
        if n < NODES {
            n
        } else {
            NODES + 16 + 2 * (n - NODES)
        }
    };
    let nodes: Vec<[u32; 2]> = (0..NODES)
        .map(|n| [child(2 * n + 1), child(2 * n + 2)])
        .collect();
    let mut data = b"\xe1\x40".repeat(1 << 14);
    data.push(0xe0);
    let error = GeoDatabase::<Country>::from_bytes(database(&nodes, &data)).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("too many values for so few bytes"),
        "{error}"
    );
}

#[test]
fn corrupt_records_are_refused_with_their_place() {
    #[track_caller]
    fn check(record: &[u8], offset: usize, problem: &'static str) {
        let got = GeoDatabase::<Country>::from_bytes(one_node(FIRST_RECORD, record));
        assert_eq!(
            got.unwrap_err(),
            GeoError::CorruptRecord { offset, problem }
        );
    }
    const OVER_THE_END: &str = "a value that goes over the end";
    check(b"\xe1\x4ccountry_code\x43DE", 15, OVER_THE_END);
    check(b"\xe2\x41a\x41b", 5, OVER_THE_END);
    check(b"\xe1\x20\x09", 9, OVER_THE_END);
    check(b"\xe1\x20\x01", 1, "a pointer to a pointer");
    check(b"\x20\x00", 0, "a pointer to a pointer");
    check(b"\xe1\xa1\x01\x41b", 1, "a map has a key that is not text");
    check(b"\xe1\x41a\x00\x05", 3, "a value of unknown type");
    check(b"\xe1\x41a\x00\xff", 3, "a value of unknown type");
}

#[test]
fn too_many_bytes_are_refused() {
    let bytes: Arc<[u8]> = sample().into();
    let len = bytes.len();
    assert!(GeoDatabase::<Country>::load(Arc::clone(&bytes), len).is_ok());
    let error = GeoDatabase::<Country>::load(bytes, len - 1).unwrap_err();
    assert_eq!(
        error,
        GeoError::TooLarge {
            got: len,
            max: len - 1
        }
    );
}

fn ranges() -> impl Strategy<Value = Vec<(Cidr, u32)>> {
    let address = prop_oneof![
        any::<u32>().prop_map(|bits| (Ip::from(Ipv4Addr::from(bits)), 32)),
        // Away from ::/96, where the IPv4 addresses are.
        any::<u128>().prop_map(|bits| (Ip::from(Ipv6Addr::from(bits | 1 << 127)), 128)),
        // Close together, so that ranges nest.
        (0_u32..256).prop_map(|bits| (Ip::from(Ipv4Addr::from(0xc000_0200 | bits)), 32)),
    ];
    let range =
        (address, any::<prop::sample::Index>(), 1_u32..).prop_map(|((ip, bits), len, asn)| {
            let len = 8 + u8::try_from(len.index(bits - 7)).unwrap();
            (Cidr::new(ip, len).unwrap(), asn)
        });
    prop::collection::vec(range, 1..20)
}

fn written(ranges: &[(Cidr, u32)], size: RecordSize, ipv4_only: bool) -> Vec<u8> {
    let mut writer = MmdbWriter::new("Test").record_size(size);
    if ipv4_only {
        writer = writer.ipv4_only();
    }
    let insert = |writer: MmdbWriter, (range, asn): &(Cidr, u32)| {
        writer.insert(*range, MmdbValue::field("asn", *asn))
    };
    ranges.iter().fold(writer, insert).build()
}

fn record_sizes() -> impl Strategy<Value = RecordSize> {
    prop_oneof![
        Just(RecordSize::Bits24),
        Just(RecordSize::Bits28),
        Just(RecordSize::Bits32)
    ]
}

proptest! {
    #[test]
    fn the_longest_range_answers(
        ranges in ranges(),
        size in record_sizes(),
        ipv4_only: bool,
        others: [u32; 4],
    ) {
        let bytes = written(&ranges, size, ipv4_only);
        prop_assert!(Reader::from_source(bytes.clone()).unwrap().verify().is_ok());
        let Ok(database) = GeoDatabase::<Asn>::from_bytes(bytes) else {
            prop_assert!(ipv4_only && ranges.iter().all(|(range, _)| !range.network().is_ipv4()));
            return Ok(());
        };
        let asked = ranges.iter().map(|(range, _)| range.network());
        for ip in asked.chain(others.map(|bits| Ip::from(Ipv4Addr::from(bits)))) {
            let holding = ranges.iter().filter(|(range, _)| range.contains(ip));
            // Of equal ranges the last one.
            let best = holding.max_by_key(|(range, _)| range.prefix_len());
            let best = best.filter(|_| ip.is_ipv4() || !ipv4_only);
            let expected = best.map_or(Known::Unlisted, |(_, asn)| Known::Is(Asn(*asn)));
            prop_assert_eq!(database.look_up(ip), expected, "{}", ip);
        }
    }

    #[test]
    fn no_bytes_panic(start in prop::collection::vec(any::<u8>(), 0..200), flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..8)) {
        let mut bytes = sample();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        load_and_ask(bytes.clone());
        load_and_ask([start, bytes].concat());
    }
}
