//! The encoding of a document (XML section 4.3.3 and appendix F).

use super::XmlError;
use super::markup::is_declaration;
use crate::Body;
use crate::syntax::{Stops, trim_space_start};

/// How much of a document is searched for the end of its declaration, in bytes.
const DECLARATION_BYTES_MAX: usize = 256;

/// How many of its first bytes tell a document's encoding.
const MARK_BYTES: usize = 4;

/// A document as UTF-8, as far as it holds nothing but characters that XML allows.
pub(super) struct Document<'a> {
    pub(super) text: &'a [u8],
    /// Why it ends there: [`XmlError::EarlyEnd`], unless something follows that is no character.
    pub(super) end: XmlError,
}

/// What may be no character: control bytes, and how U+FFFE and U+FFFF begin.
const SUSPECTS: Stops<1> = Stops::new([0xef], b' ');

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Encoding {
    Utf8,
    Utf16 { is_big_endian: bool },
    SingleByte(SingleByte),
}

/// An encoding whose lower half is ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SingleByte {
    Ascii,
    Latin1,
    Latin9,
    Windows1252,
}

impl<'a> Document<'a> {
    /// The document in `body`; `buffer` holds it, where it isn't UTF-8.
    pub(super) fn of(body: Body<'a>, buffer: &'a mut Vec<u8>) -> Result<Self, XmlError> {
        if body.is_partial && body.bytes.len() < MARK_BYTES {
            let (text, end) = (&[][..], XmlError::EarlyEnd { at: 0 });
            return Ok(Self { text, end });
        }
        let (encoding, bytes) = detect(body.bytes)?;
        buffer.clear();
        let reach = match encoding {
            Encoding::Utf8 => return Ok(Self::checked(bytes, body.is_partial)),
            Encoding::Utf16 { is_big_endian } => from_utf16(bytes, is_big_endian, buffer),
            Encoding::SingleByte(encoding) => encoding.decode(bytes, buffer),
        };
        let is_all = reach == Reach::All || reach == Reach::Cut && body.is_partial;
        let mut document = Self::checked(buffer, body.is_partial);
        if !is_all && document.end.is_early_end() {
            let at = document.text.len();
            document.end = XmlError::NoCharacter { at };
        }
        Ok(document)
    }

    /// `bytes` up to the first that is no character.
    fn checked(bytes: &'a [u8], is_partial: bool) -> Self {
        let (utf8_len, is_all) = match std::str::from_utf8(bytes) {
            Ok(_) => (bytes.len(), true),
            Err(error) => {
                let is_cut = is_partial && error.error_len().is_none();
                (error.valid_up_to(), is_cut)
            }
        };
        let text = bytes.get(..utf8_len).unwrap_or_default();
        let at = characters_len(text);
        Self {
            text: text.get(..at).unwrap_or_default(),
            end: match at == utf8_len && is_all {
                true => XmlError::EarlyEnd { at },
                false => XmlError::NoCharacter { at },
            },
        }
    }
}

/// How much of `text`, which is UTF-8, are characters that XML allows.
fn characters_len(text: &[u8]) -> usize {
    let mut at = 0;
    loop {
        let rest = text.get(at..).unwrap_or_default();
        let suspect = SUSPECTS.find(rest);
        at += suspect;
        match rest.get(suspect..).unwrap_or_default() {
            [] => return at,
            [b'\t' | b'\n' | b'\r', ..] => at += 1,
            // U+FFFE and U+FFFF.
            [0xef, 0xbf, 0xbe | 0xbf, ..] => return at,
            [0xef, ..] => at += 1,
            _ => return at,
        }
    }
}

/// The encoding of a document, and the document without its byte order mark.
fn detect(bytes: &[u8]) -> Result<(Encoding, &[u8]), XmlError> {
    let big = Encoding::Utf16 {
        is_big_endian: true,
    };
    let little = Encoding::Utf16 {
        is_big_endian: false,
    };
    match bytes {
        // UTF-32, in any order.
        [0, 0, 0xfe, 0xff, ..]
        | [0xff, 0xfe, 0, 0, ..]
        | [0, 0, 0, b'<', ..]
        | [b'<', 0, 0, 0, ..] => Err(XmlError::Encoding),
        [0xfe, 0xff, rest @ ..] => Ok((big, rest)),
        [0xff, 0xfe, rest @ ..] => Ok((little, rest)),
        [0, b'<', ..] => Ok((big, bytes)),
        [b'<', 0, ..] => Ok((little, bytes)),
        [0xef, 0xbb, 0xbf, rest @ ..] => match declared(rest)? {
            None | Some(Encoding::Utf8) => Ok((Encoding::Utf8, rest)),
            Some(_) => Err(XmlError::Encoding),
        },
        _ => Ok((declared(bytes)?.unwrap_or(Encoding::Utf8), bytes)),
    }
}

/// The encoding that the declaration says, where there is one that does.
fn declared(bytes: &[u8]) -> Result<Option<Encoding>, XmlError> {
    if !is_declaration(bytes) {
        return Ok(None);
    }
    let start = bytes.get(..DECLARATION_BYTES_MAX).unwrap_or(bytes);
    let end = memchr::memmem::find(start, b"?>").unwrap_or(start.len());
    let declaration = start.get(..end).unwrap_or_default();
    // Where it has an end, the parser says what is wrong with it.
    let undeclared = match end == DECLARATION_BYTES_MAX {
        true => Err(XmlError::Encoding),
        false => Ok(None),
    };
    let Some(at) = memchr::memmem::find(declaration, b"encoding") else {
        return undeclared;
    };
    let behind = declaration
        .get(at + b"encoding".len()..)
        .unwrap_or_default();
    let value = match trim_space_start(behind) {
        [b'=', value @ ..] => trim_space_start(value),
        _ => return undeclared,
    };
    match value {
        [quote @ (b'"' | b'\''), value @ ..] => {
            let Some(end) = memchr::memchr(*quote, value) else {
                return undeclared;
            };
            let name = value.get(..end).unwrap_or_default();
            named(name).map(Some).ok_or(XmlError::Encoding)
        }
        _ => undeclared,
    }
}

/// An encoding of which a byte below 0x80 is ASCII, by its name at the IANA.
fn named(name: &[u8]) -> Option<Encoding> {
    let encodings: [(&[&str], Encoding); 5] = [
        (&["utf-8", "utf8"], Encoding::Utf8),
        (
            &["us-ascii", "ascii"],
            Encoding::SingleByte(SingleByte::Ascii),
        ),
        (
            &["iso-8859-1", "iso8859-1", "iso_8859-1", "latin1"],
            Encoding::SingleByte(SingleByte::Latin1),
        ),
        (
            &["iso-8859-15", "iso8859-15", "iso_8859-15", "latin-9"],
            Encoding::SingleByte(SingleByte::Latin9),
        ),
        (
            &["windows-1252", "cp1252"],
            Encoding::SingleByte(SingleByte::Windows1252),
        ),
    ];
    let is_named = |other: &&str| other.as_bytes().eq_ignore_ascii_case(name);
    let found = encodings
        .into_iter()
        .find(|(names, _)| names.iter().any(is_named));
    found.map(|(_, encoding)| encoding)
}

/// How far decoding got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    All,
    /// To a character that the end cuts.
    Cut,
    /// To something that is no character.
    Wrong,
}

fn from_utf16(bytes: &[u8], is_big_endian: bool, out: &mut Vec<u8>) -> Reach {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let unit = |pair: &[u8; 2]| match is_big_endian {
        true => u16::from_be_bytes(*pair),
        false => u16::from_le_bytes(*pair),
    };
    let mut characters = char::decode_utf16(pairs.iter().map(unit));
    while let Some(character) = characters.next() {
        match character {
            Ok(character) => push(character, out),
            Err(half) => {
                let is_high = half.unpaired_surrogate() < 0xdc00;
                let is_last = is_high && characters.next().is_none();
                return if is_last { Reach::Cut } else { Reach::Wrong };
            }
        }
    }
    match rest {
        [] => Reach::All,
        _ => Reach::Cut,
    }
}

impl SingleByte {
    fn decode(self, bytes: &[u8], out: &mut Vec<u8>) -> Reach {
        for byte in bytes {
            match self.character(*byte) {
                Some(character) => push(character, out),
                None => return Reach::Wrong,
            }
        }
        Reach::All
    }

    fn character(self, byte: u8) -> Option<char> {
        let same = char::from(byte);
        match (self, byte) {
            (_, 0..0x80) => Some(same),
            (Self::Ascii, _) => None,
            (Self::Latin1, _) => Some(same),
            (Self::Latin9, _) => Some(latin9(byte).unwrap_or(same)),
            (Self::Windows1252, 0x80..0xa0) => {
                let place = usize::from(byte - 0x80);
                WINDOWS_1252
                    .get(place)
                    .copied()
                    .filter(|found| *found != '\0')
            }
            (Self::Windows1252, _) => Some(same),
        }
    }
}

/// Where ISO-8859-15 differs from ISO-8859-1.
const fn latin9(byte: u8) -> Option<char> {
    Some(match byte {
        0xa4 => '\u{20ac}',
        0xa6 => '\u{160}',
        0xa8 => '\u{161}',
        0xb4 => '\u{17d}',
        0xb8 => '\u{17e}',
        0xbc => '\u{152}',
        0xbd => '\u{153}',
        0xbe => '\u{178}',
        _ => return None,
    })
}

/// Windows-1252 from 0x80 to 0x9f; NUL where it has nothing.
const WINDOWS_1252: [char; 32] = [
    '\u{20ac}', '\0', '\u{201a}', '\u{192}', '\u{201e}', '\u{2026}', '\u{2020}', '\u{2021}',
    '\u{2c6}', '\u{2030}', '\u{160}', '\u{2039}', '\u{152}', '\0', '\u{17d}', '\0', '\0',
    '\u{2018}', '\u{2019}', '\u{201c}', '\u{201d}', '\u{2022}', '\u{2013}', '\u{2014}', '\u{2dc}',
    '\u{2122}', '\u{161}', '\u{203a}', '\u{153}', '\0', '\u{17e}', '\u{178}',
];

fn push(character: char, out: &mut Vec<u8>) {
    let mut buffer = [0; 4];
    out.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
}
