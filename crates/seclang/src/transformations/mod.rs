//! Transformations: functions from bytes to bytes that rules apply to a value before they look at it.
//!
//! One file each. Semantics are ModSecurity 2's, with its vectors and its own code as the measure; where
//! a function differs, its file says so. All take time linear in the value, and write at most four
//! times its length, or a digest's 20 bytes.

mod base64;
mod cmd_line;
mod compress_whitespace;
mod css_decode;
mod digest;
mod escape_seq_decode;
mod full_width;
mod hex_decode;
mod hex_encode;
mod hexadecimal;
mod html_entity_decode;
mod js_decode;
mod length;
mod letter_case;
mod normalise_path;
mod nulls;
mod octal;
mod parity;
mod remove_comments;
mod remove_comments_char;
mod remove_whitespace;
mod replace_comments;
mod scan;
mod sql_hex_decode;
mod trim;
mod unicode_map;
mod url_decode;
mod url_decode_uni;
mod url_encode;
mod utf8_to_unicode;

use crate::ByteSet;

pub use unicode_map::{UnicodeMap, UnicodeMapError};

/// A transformation, as `t:` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
#[expect(missing_docs, reason = "each is what its name says; its file says how")]
pub enum Transformation {
    Base64Decode,
    Base64DecodeExt,
    Base64Encode,
    CmdLine,
    CompressWhitespace,
    CssDecode,
    EscapeSeqDecode,
    HexDecode,
    HexEncode,
    HtmlEntityDecode,
    JsDecode,
    Length,
    Lowercase,
    Md5,
    NormalisePath,
    NormalisePathWin,
    ParityEven7bit,
    ParityOdd7bit,
    ParityZero7bit,
    RemoveComments,
    RemoveCommentsChar,
    RemoveNulls,
    RemoveWhitespace,
    ReplaceComments,
    ReplaceNulls,
    Sha1,
    SqlHexDecode,
    Trim,
    TrimLeft,
    TrimRight,
    Uppercase,
    UrlDecode,
    UrlDecodeUni,
    UrlEncode,
    Utf8ToUnicode,
}

/// Spellings that rules may use besides [`Transformation::name`].
const ALIASES: [(&str, Transformation); 2] = [
    ("normalizePath", Transformation::NormalisePath),
    ("normalizePathWin", Transformation::NormalisePathWin),
];

impl Transformation {
    /// All of them; `ALL[transformation as usize]` is `transformation`.
    pub const ALL: [Self; 35] = [
        Self::Base64Decode,
        Self::Base64DecodeExt,
        Self::Base64Encode,
        Self::CmdLine,
        Self::CompressWhitespace,
        Self::CssDecode,
        Self::EscapeSeqDecode,
        Self::HexDecode,
        Self::HexEncode,
        Self::HtmlEntityDecode,
        Self::JsDecode,
        Self::Length,
        Self::Lowercase,
        Self::Md5,
        Self::NormalisePath,
        Self::NormalisePathWin,
        Self::ParityEven7bit,
        Self::ParityOdd7bit,
        Self::ParityZero7bit,
        Self::RemoveComments,
        Self::RemoveCommentsChar,
        Self::RemoveNulls,
        Self::RemoveWhitespace,
        Self::ReplaceComments,
        Self::ReplaceNulls,
        Self::Sha1,
        Self::SqlHexDecode,
        Self::Trim,
        Self::TrimLeft,
        Self::TrimRight,
        Self::Uppercase,
        Self::UrlDecode,
        Self::UrlDecodeUni,
        Self::UrlEncode,
        Self::Utf8ToUnicode,
    ];

    /// The one that rules call `name`, in any case. `none` is an instruction to the list of a rule's
    /// transformations, and not one of them.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Self> {
        let names = Self::ALL.iter().map(|known| (known.name(), *known));
        names
            .chain(ALIASES)
            .find(|(known, _)| known.as_bytes().eq_ignore_ascii_case(name))
            .map(|(_, transformation)| transformation)
    }

    /// Its name in ModSecurity's reference.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Base64Decode => "base64Decode",
            Self::Base64DecodeExt => "base64DecodeExt",
            Self::Base64Encode => "base64Encode",
            Self::CmdLine => "cmdLine",
            Self::CompressWhitespace => "compressWhitespace",
            Self::CssDecode => "cssDecode",
            Self::EscapeSeqDecode => "escapeSeqDecode",
            Self::HexDecode => "hexDecode",
            Self::HexEncode => "hexEncode",
            Self::HtmlEntityDecode => "htmlEntityDecode",
            Self::JsDecode => "jsDecode",
            Self::Length => "length",
            Self::Lowercase => "lowercase",
            Self::Md5 => "md5",
            Self::NormalisePath => "normalisePath",
            Self::NormalisePathWin => "normalisePathWin",
            Self::ParityEven7bit => "parityEven7bit",
            Self::ParityOdd7bit => "parityOdd7bit",
            Self::ParityZero7bit => "parityZero7bit",
            Self::RemoveComments => "removeComments",
            Self::RemoveCommentsChar => "removeCommentsChar",
            Self::RemoveNulls => "removeNulls",
            Self::RemoveWhitespace => "removeWhitespace",
            Self::ReplaceComments => "replaceComments",
            Self::ReplaceNulls => "replaceNulls",
            Self::Sha1 => "sha1",
            Self::SqlHexDecode => "sqlHexDecode",
            Self::Trim => "trim",
            Self::TrimLeft => "trimLeft",
            Self::TrimRight => "trimRight",
            Self::Uppercase => "uppercase",
            Self::UrlDecode => "urlDecode",
            Self::UrlDecodeUni => "urlDecodeUni",
            Self::UrlEncode => "urlEncode",
            Self::Utf8ToUnicode => "utf8toUnicode",
        }
    }

    /// Writes the transformed value over `out` and says whether it differs from `input`; where it
    /// doesn't, `out` may be left in any state. Hot path: allocates only where `out` must grow.
    ///
    /// What it says is exact, which `multiMatch` needs: ModSecurity says "changed" of some values that
    /// are the same, and the other way round.
    pub fn apply(self, input: &[u8], out: &mut Vec<u8>, unicode: &UnicodeMap) -> bool {
        match self {
            Self::Base64Decode => base64::decode(input, out),
            Self::Base64DecodeExt => base64::decode_ext(input, out),
            Self::Base64Encode => base64::encode(input, out),
            Self::CmdLine => cmd_line::apply(input, out),
            Self::CompressWhitespace => compress_whitespace::apply(input, out),
            Self::CssDecode => css_decode::apply(input, out),
            Self::EscapeSeqDecode => escape_seq_decode::apply(input, out),
            Self::HexDecode => hex_decode::apply(input, out),
            Self::HexEncode => hex_encode::apply(input, out),
            Self::HtmlEntityDecode => html_entity_decode::apply(input, out),
            Self::JsDecode => js_decode::apply(input, out),
            Self::Length => length::apply(input, out),
            Self::Lowercase => letter_case::lowercase(input, out),
            Self::Md5 => digest::md5(input, out),
            Self::NormalisePath => normalise_path::apply(input, out),
            Self::NormalisePathWin => normalise_path::apply_win(input, out),
            Self::ParityEven7bit => parity::apply(input, out, parity::even),
            Self::ParityOdd7bit => parity::apply(input, out, parity::odd),
            Self::ParityZero7bit => parity::apply(input, out, parity::zero),
            Self::RemoveComments => remove_comments::apply(input, out),
            Self::RemoveCommentsChar => remove_comments_char::apply(input, out),
            Self::RemoveNulls => nulls::remove(input, out),
            Self::RemoveWhitespace => remove_whitespace::apply(input, out),
            Self::ReplaceComments => replace_comments::apply(input, out),
            Self::ReplaceNulls => nulls::replace(input, out),
            Self::Sha1 => digest::sha1(input, out),
            Self::SqlHexDecode => sql_hex_decode::apply(input, out),
            Self::Trim => trim::both(input, out),
            Self::TrimLeft => trim::left(input, out),
            Self::TrimRight => trim::right(input, out),
            Self::Uppercase => letter_case::uppercase(input, out),
            Self::UrlDecode => url_decode::apply(input, out),
            Self::UrlDecodeUni => url_decode_uni::apply(input, out, unicode),
            Self::UrlEncode => url_encode::apply(input, out),
            Self::Utf8ToUnicode => utf8_to_unicode::apply(input, out),
        }
    }

    /// The length that a value has at least of which it makes one of `len` bytes.
    pub(crate) const fn len_before(self, len: usize) -> usize {
        match self {
            Self::Base64Encode
            | Self::HexEncode
            | Self::Length
            | Self::Md5
            | Self::Sha1
            | Self::UrlEncode
            | Self::Utf8ToUnicode => 0,
            // Three bytes of four characters.
            Self::Base64Decode | Self::Base64DecodeExt => len.saturating_add(len.div_ceil(3)),
            Self::HexDecode => len.saturating_mul(2),
            _ => len,
        }
    }

    /// The bytes that it may write where its input had none of them; `None` where it may write any.
    pub(crate) const fn written(self) -> Option<ByteSet> {
        match self {
            Self::RemoveCommentsChar
            | Self::RemoveNulls
            | Self::RemoveWhitespace
            | Self::Trim
            | Self::TrimLeft
            | Self::TrimRight => Some(ByteSet::EMPTY),
            Self::CompressWhitespace | Self::ReplaceComments | Self::ReplaceNulls => {
                Some(ByteSet::of(b" "))
            }
            Self::CmdLine => Some(ByteSet::range(b'a', b'z').with(b' ')),
            Self::Lowercase => Some(ByteSet::range(b'a', b'z')),
            Self::Uppercase => Some(ByteSet::range(b'A', b'Z')),
            Self::NormalisePath | Self::NormalisePathWin => Some(ByteSet::of(b"/.")),
            Self::RemoveComments => Some(ByteSet::of(b" \0")),
            _ => None,
        }
    }

    /// Bytes without which, letters' case aside, it makes of a value what is the value between others, the
    /// seams; and these. `None` where there are none such.
    pub(crate) const fn seams(self) -> Option<(ByteSet, ByteSet)> {
        match self {
            Self::CmdLine => Some((cmd_line::REMOVED, cmd_line::SEAMS)),
            _ => None,
        }
    }

    /// Whether it may change the case of letters, and nothing else.
    pub(crate) const fn changes_case(self) -> bool {
        matches!(self, Self::Lowercase | Self::Uppercase | Self::CmdLine)
    }

    /// Of `triggers`, what [`Transformation::triggers`] gives, those bytes without which it changes at most
    /// the case of letters, whatever case they came in.
    pub(crate) const fn beyond_case(self, triggers: ByteSet) -> ByteSet {
        match self {
            Self::Lowercase | Self::Uppercase => ByteSet::EMPTY,
            // Letters become lower case, and nothing else.
            Self::CmdLine => triggers.without(ByteSet::range(b'A', b'Z')),
            _ => triggers.in_either_case(),
        }
    }

    /// Bytes of which at least one must be in a value for this to change it; `None` where it may change
    /// any value.
    #[must_use]
    pub const fn triggers(self) -> Option<ByteSet> {
        match self {
            Self::Base64Decode
            | Self::Base64DecodeExt
            | Self::Base64Encode
            | Self::HexDecode
            | Self::HexEncode
            | Self::Length
            | Self::Md5
            | Self::Sha1 => None,
            Self::CmdLine => Some(cmd_line::TRIGGERS),
            Self::CompressWhitespace => Some(compress_whitespace::TRIGGERS),
            Self::CssDecode | Self::EscapeSeqDecode | Self::JsDecode => Some(ByteSet::of(b"\\")),
            Self::HtmlEntityDecode => Some(ByteSet::of(b"&")),
            Self::Lowercase => Some(ByteSet::range(b'A', b'Z')),
            Self::NormalisePath => Some(normalise_path::TRIGGERS),
            Self::NormalisePathWin => Some(normalise_path::TRIGGERS_WIN),
            Self::ParityEven7bit => Some(parity::TRIGGERS_EVEN),
            Self::ParityOdd7bit => Some(parity::TRIGGERS_ODD),
            Self::ParityZero7bit => Some(parity::TRIGGERS_ZERO),
            Self::RemoveComments => Some(remove_comments::TRIGGERS),
            Self::RemoveCommentsChar => Some(remove_comments_char::TRIGGERS),
            Self::RemoveNulls | Self::ReplaceNulls => Some(nulls::TRIGGERS),
            Self::RemoveWhitespace => Some(remove_whitespace::TRIGGERS),
            Self::ReplaceComments => Some(replace_comments::TRIGGERS),
            Self::SqlHexDecode => Some(sql_hex_decode::TRIGGERS),
            Self::Trim | Self::TrimLeft | Self::TrimRight => Some(trim::TRIGGERS),
            Self::Uppercase => Some(ByteSet::range(b'a', b'z')),
            Self::UrlDecode => Some(url_decode::TRIGGERS),
            Self::UrlDecodeUni => Some(url_decode_uni::TRIGGERS),
            Self::UrlEncode => Some(url_encode::TRIGGERS),
            Self::Utf8ToUnicode => Some(utf8_to_unicode::TRIGGERS),
        }
    }
}

#[cfg(test)]
mod tests;
