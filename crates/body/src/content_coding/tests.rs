use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
use proptest::prelude::*;
use ruzstd::encoding::{CompressionLevel, compress_to_vec as compress_zstd};

use super::*;

/// What the samples of brotli and zstd decode to.
fn sample() -> Vec<u8> {
    b"a=<script>alert(1)</script>&".repeat(20)
}

/// The sample, by the reference encoders of brotli and zstd.
const BROTLI: &str = "1b2f0200c463ec3d65c9c7fa9a914e4a614c539597f2cd6b84359019c19de101";
const BROTLI_LARGE_WINDOW: &str =
    "115abc0800108fb1f794251feb6b463a2985314d51e191c237af11d6406604778607";
const BROTLI_MILLION_NULS: &str = "5b3f420f4002201e0b243fe701";
const ZSTD: &str =
    "28b52ffd0468fd0000a8613d3c7363726970743e616c6572742831293c2f260200117e5681b2c90449952a54";
const ZSTD_WITHOUT_CHECKSUM: &str =
    "28b52ffd0068fd0000a8613d3c7363726970743e616c6572742831293c2f260200117e5681b2c904";

fn bytes(hex: &str) -> Vec<u8> {
    let hex = hex.replace(' ', "");
    let digits = hex.as_bytes().chunks(2);
    digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

fn gzip_with(header: &[u8], plain: &[u8]) -> Vec<u8> {
    let mut coded = header.to_vec();
    coded.extend(compress_to_vec(plain, 6));
    coded.extend(crc32fast::hash(plain).to_le_bytes());
    coded.extend(u32::try_from(plain.len()).unwrap().to_le_bytes());
    coded
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    gzip_with(&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3], plain)
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    compress_to_vec_zlib(plain, 6)
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    compress_zstd(plain, CompressionLevel::Fastest)
}

/// Compresses nothing: meta-blocks of bytes as they are, and an empty one.
fn brotli(plain: &[u8]) -> Vec<u8> {
    // A window of 64 KiB, in one bit.
    let mut coded = Vec::new();
    for (number, block) in plain.chunks(1 << 16).enumerate() {
        let length = u32::try_from(block.len() - 1).unwrap();
        // Not the last, four nibbles of length, uncompressed.
        let header = length << 3 | 1 << 19;
        let header = if number == 0 { header << 1 } else { header };
        coded.extend(&header.to_le_bytes()[..3]);
        coded.extend(block);
    }
    coded.push(if plain.is_empty() { 0b110 } else { 0b11 });
    coded
}

fn decode_with(
    codings: &str,
    body: Body<'_>,
    limits: &Limits,
) -> (Result<(), CodingError>, Vec<u8>) {
    let mut out = b"before".to_vec();
    let mut scratch = Scratch::new();
    let result = decode(codings.as_bytes(), body, limits, &mut scratch, &mut out);
    (result, out)
}

fn decode_whole(codings: &str, coded: &[u8]) -> (Result<(), CodingError>, Vec<u8>) {
    decode_with(codings, Body::whole(coded), &Limits::default())
}

#[track_caller]
fn check(codings: &str, coded: &[u8], expected: &[u8]) {
    let (result, out) = decode_whole(codings, coded);
    assert_eq!(result, Ok(()), "{codings}");
    assert!(out == expected, "{codings}: {}", out.escape_ascii());
}

#[track_caller]
fn check_error(codings: &str, coded: &[u8], expected: CodingError) {
    assert_eq!(decode_whole(codings, coded).0, Err(expected), "{codings}");
}

#[track_caller]
fn check_malformed(coding: Coding, coded: &[u8], reason: &'static str) {
    let error = CodingError::Malformed { coding, reason };
    check_error(coding.name(), coded, error);
}

/// Each coding and the sample in it.
fn samples() -> [(Coding, Vec<u8>); 5] {
    [
        (Coding::Gzip, gzip(&sample())),
        (Coding::Deflate, zlib(&sample())),
        (Coding::Brotli, bytes(BROTLI)),
        (Coding::Zstd, bytes(ZSTD)),
        (Coding::Zstd, bytes(ZSTD_WITHOUT_CHECKSUM)),
    ]
}

#[test]
fn codings_are_removed() {
    for (coding, coded) in samples() {
        check(coding.name(), &coded, &sample());
    }
    check("GZip", &gzip(b"1"), b"1");
    check("x-gzip", &gzip(b""), b"");
    check("deflate", &zlib(b""), b"");
    check("br", &[0x3b], b"");
    check("zstd", &zstd(b""), b"");
}

#[test]
fn without_a_coding_nothing_is_removed() {
    check("", b"abc", b"abc");
    check("identity", b"abc", b"abc");
    check(" , identity,", &gzip(b"1"), &gzip(b"1"));
}

#[test]
fn the_last_coding_is_removed_first() {
    check("gzip, br", &brotli(&gzip(b"abc")), b"abc");
    check("deflate,gzip", &gzip(&zlib(b"abc")), b"abc");
    check("gzip, identity, gzip", &gzip(&gzip(b"abc")), b"abc");
    let reason = "it doesn't begin as gzip does";
    check_error(
        "deflate, gzip",
        &zlib(&gzip(b"abc")),
        CodingError::Malformed {
            coding: Coding::Gzip,
            reason,
        },
    );
}

#[test]
fn codings_are_known_and_few() {
    check_error("compress", b"", CodingError::Unknown);
    check_error("gzip;q=1", b"", CodingError::Unknown);
    check_error("gzip deflate", b"", CodingError::Unknown);
    let limit = 2;
    check_error("gzip,gzip,gzip", b"", CodingError::TooMany { limit });
}

#[test]
fn nothing_follows_what_is_coded() {
    for (coding, coded) in samples() {
        let error = CodingError::TrailingBytes { coding };
        let mut with_nul = coded.clone();
        with_nul.push(0);
        check_error(coding.name(), &with_nul, error);
        // Some decoders read on, some don't.
        check_error(coding.name(), &coded.repeat(2), error);
    }
}

#[test]
fn an_early_end_is_an_error_unless_the_body_was_cut() {
    for (coding, coded) in samples() {
        for end in 0..coded.len() {
            let cut = &coded[..end];
            let (result, out) = decode_whole(coding.name(), cut);
            assert_eq!(
                result,
                Err(CodingError::EarlyEnd { coding }),
                "{coding:?} {end}"
            );
            assert!(sample().starts_with(&out), "{coding:?} {end}");
            let body = Body::partial(cut);
            let (result, again) = decode_with(coding.name(), body, &Limits::default());
            assert_eq!((result, &again), (Ok(()), &out), "{coding:?} {end}");
        }
        // Of what is there, something is told.
        let body = Body::partial(&coded[..coded.len() - 1]);
        let (_, out) = decode_with(coding.name(), body, &Limits::default());
        if coding != Coding::Zstd {
            assert!(out.len() >= 28, "{coding:?}: {}", out.len());
        }
    }
}

#[test]
fn whole_blocks_of_cut_zstd_are_told() {
    let frame = zstd_frame(&[raw_block(b"abc"), raw_block(b"def"), raw_block(b"ghi")]);
    let body = Body::partial(&frame[..frame.len() - 1]);
    let (result, out) = decode_with("zstd", body, &Limits::default());
    assert_eq!((result, out.as_slice()), (Ok(()), b"abcdef".as_slice()));
}

#[test]
fn gzip_headers() {
    let plain = sample();
    let start = [0x1f, 0x8b, 8];
    let rest = [1, 2, 3, 4, 2, 3];
    let header = |flags: u8, fields: &[u8]| [&start, &[flags][..], &rest, fields].concat();
    check("gzip", &gzip_with(&header(0x01, b""), &plain), &plain);
    check(
        "gzip",
        &gzip_with(&header(0x04, b"\x03\0abc"), &plain),
        &plain,
    );
    check(
        "gzip",
        &gzip_with(&header(0x18, b"name\0comment\0"), &plain),
        &plain,
    );
    let mut all = header(0x1e, b"\x01\0abc\0d\0");
    let crc = crc32fast::hash(&all) & 0xffff;
    all.extend(u16::try_from(crc).unwrap().to_le_bytes());
    check("gzip", &gzip_with(&all, &plain), &plain);
    all.truncate(all.len() - 2);
    all.extend([0, 0]);
    let reason = "the checksum of its header is another's";
    check_malformed(Coding::Gzip, &gzip_with(&all, &plain), reason);
    for flag in [0x20, 0x40, 0x80] {
        let coded = gzip_with(&header(flag, b""), &plain);
        check_malformed(Coding::Gzip, &coded, "a reserved flag is set");
    }
    let long = header(0x08, &[b'n'; 64 * 1024]);
    check_malformed(Coding::Gzip, &long, "its header is longer than 64 KiB");
    let reason = "it doesn't begin as gzip does";
    check_malformed(Coding::Gzip, b"\x1f\x8b\x07", reason);
    check_malformed(Coding::Gzip, &zlib(&plain), reason);
    check_malformed(Coding::Gzip, b"PK\x03\x04", reason);
}

#[test]
fn checksums_count() {
    let flip = |coded: &[u8], from_end: usize| {
        let mut coded = coded.to_vec();
        let at = coded.len() - from_end;
        coded[at] ^= 1;
        coded
    };
    let coded = gzip(&sample());
    let reason = "its checksum or its length is another's";
    check_malformed(Coding::Gzip, &flip(&coded, 8), reason);
    check_malformed(Coding::Gzip, &flip(&coded, 4), reason);
    let reason = "its checksum is another's";
    check_malformed(Coding::Deflate, &flip(&zlib(&sample()), 1), reason);
    check_malformed(Coding::Zstd, &flip(&bytes(ZSTD), 1), reason);
}

#[test]
fn deflate_is_zlib() {
    let reason = "it isn't deflated";
    check_malformed(Coding::Deflate, &compress_to_vec(&sample(), 6), reason);
    check_malformed(Coding::Deflate, &gzip(&sample()), reason);
    // A preset dictionary.
    check_malformed(Coding::Deflate, b"\x78\xbb\0\0\0\0", reason);
}

#[test]
fn what_is_none_of_it_is_refused() {
    check_malformed(Coding::Gzip, b"{\"a\":1}", "it doesn't begin as gzip does");
    check_malformed(Coding::Zstd, b"{\"a\":1}", "it doesn't begin as zstd does");
    let reason = "it isn't what brotli makes, or has a large window";
    check_malformed(Coding::Brotli, b"{\"a\":1}{\"a\":1}", reason);
    check_malformed(Coding::Brotli, &bytes(BROTLI_LARGE_WINDOW), reason);
}

/// A block of bytes as they are.
fn raw_block(content: &[u8]) -> Vec<u8> {
    let header = u32::try_from(content.len()).unwrap() << 3;
    [&header.to_le_bytes()[..3], content].concat()
}

/// A block of so many NULs.
fn run_block(length: u32) -> Vec<u8> {
    let header = length << 3 | 1 << 1;
    [&header.to_le_bytes()[..3], &[0]].concat()
}

/// A frame with a window of 128 KiB, the last of its blocks marked so.
fn zstd_frame(blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut frame = bytes("28b52ffd0038");
    for (number, block) in blocks.iter().enumerate() {
        let mut block = block.clone();
        block[0] |= u8::from(number + 1 == blocks.len());
        frame.extend(block);
    }
    frame
}

#[test]
fn zstd_frames() {
    check(
        "zstd",
        &zstd_frame(&[raw_block(b"abc"), run_block(3)]),
        b"abc\0\0\0",
    );
    // A frame that is to be skipped, and one that needs a dictionary.
    let reason = "it doesn't begin as zstd does";
    check_malformed(Coding::Zstd, &bytes("502a4d180100000061"), reason);
    let reason = "it needs a dictionary";
    check_malformed(Coding::Zstd, &bytes("28b52ffd010038 07 010000"), reason);
    // A window of 16 MiB, and 8 MiB.
    let reason = "its window is over 8 MiB";
    check_malformed(Coding::Zstd, &bytes("28b52ffd0070010000"), reason);
    check("zstd", &bytes("28b52ffd0068010000"), b"");
    let reason = "a block of it is wrong";
    check_malformed(Coding::Zstd, &bytes("28b52ffd0038070000"), reason);
}

#[test]
fn decoded_bytes_are_limited() {
    let limits = Limits {
        decoded_bytes: 560,
        ..Limits::default()
    };
    for (coding, coded) in samples() {
        let (result, out) = decode_with(coding.name(), Body::whole(&coded), &limits);
        assert_eq!((result, out.len()), (Ok(()), 560), "{coding:?}");
        let limit = 559;
        let limits = Limits {
            decoded_bytes: limit,
            ..limits
        };
        let (result, out) = decode_with(coding.name(), Body::whole(&coded), &limits);
        assert_eq!(result, Err(CodingError::TooLong { limit }), "{coding:?}");
        assert_eq!(out, sample()[..limit], "{coding:?}");
    }
}

#[test]
fn the_ratio_is_limited() {
    let nuls = vec![0; 1_000_000];
    let runs = vec![run_block(128 * 1024); 8];
    let limit = 200;
    for (coding, coded) in [
        (Coding::Gzip, gzip(&nuls)),
        (Coding::Deflate, zlib(&nuls)),
        (Coding::Brotli, bytes(BROTLI_MILLION_NULS)),
        (Coding::Zstd, zstd_frame(&runs)),
    ] {
        let (result, out) = decode_whole(coding.name(), &coded);
        assert_eq!(
            result,
            Err(CodingError::RatioTooHigh { limit }),
            "{coding:?}"
        );
        assert_eq!(
            out.len(),
            (coded.len() * limit).max(64 * 1024),
            "{coding:?}"
        );
    }
    // The ratio is that of what was sent, however many codings there are.
    let frame = zstd_frame(&vec![run_block(500); 300]);
    check("zstd", &frame, &nuls[..150_000]);
    let (result, _) = decode_whole("zstd, gzip", &gzip(&frame));
    assert_eq!(result, Err(CodingError::RatioTooHigh { limit }));
    // The first bytes are free.
    check("gzip", &gzip(&nuls[..64 * 1024]), &nuls[..64 * 1024]);
    let (result, _) = decode_whole("gzip", &gzip(&nuls[..=64 * 1024]));
    assert_eq!(result, Err(CodingError::RatioTooHigh { limit }));
}

#[test]
fn errors_say_what_and_of_which_coding() {
    let (result, _) = decode_whole("gzip", b"abc");
    assert_eq!(
        result.unwrap_err().to_string(),
        "the body is not gzip: it doesn't begin as gzip does"
    );
}

/// What codes a body.
type Coder = fn(&[u8]) -> Vec<u8>;

fn codings() -> impl Strategy<Value = (Coding, Coder)> {
    let coders: [(Coding, Coder); 4] = [
        (Coding::Gzip, gzip),
        (Coding::Deflate, zlib),
        (Coding::Brotli, brotli),
        (Coding::Zstd, zstd),
    ];
    prop::sample::select(coders.to_vec())
}

proptest! {
    #[test]
    fn what_is_coded_is_decoded(
        plain in prop::collection::vec(prop_oneof![Just(0_u8), any::<u8>()], 0..3_000),
        codings in prop::collection::vec(codings(), 0..3),
    ) {
        let mut coded = plain.clone();
        let mut names = Vec::new();
        for (coding, code) in codings {
            coded = code(&coded);
            names.push(coding.name());
        }
        let (result, out) = decode_whole(&names.join(", "), &coded);
        prop_assert_eq!(result, Ok(()));
        prop_assert_eq!(out, plain);
    }

    #[test]
    fn nothing_panics_and_nothing_grows_without_bound(
        sample in prop::sample::select(samples().to_vec()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        is_partial: bool,
    ) {
        let (coding, mut coded) = sample;
        for (at, byte) in changes {
            let at = at.index(coded.len());
            coded[at] = byte;
        }
        let limits = Limits { decoded_bytes: 1_000, ..Limits::default() };
        let body = Body { bytes: &coded, is_partial };
        let (_, out) = decode_with(coding.name(), body, &limits);
        prop_assert!(out.len() <= 1_000);
    }
}
