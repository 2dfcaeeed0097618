//! Values for SecLang's transformations and operators: the same for all benchmarks.

/// What most values are: nothing is to be done.
pub const BENIGN: &[u8] = b"session-4f2a9c_settings.7";
/// Plain prose, for [`kibibyte`].
pub const TEXT: &[u8] = b"The quick brown fox jumps over the lazy dog, 42 times a day. ";

// What each transformation decodes, for `kibibyte`.

/// For `urlDecodeUni`.
pub const PERCENT_ESCAPES: &[u8] = b"name%3dvalue+and%20%u0041 more&";
/// For `lowercase`.
pub const CAPITALS: &[u8] = b"The Quick BROWN Fox ";
/// For `jsDecode` and `cssDecode`.
pub const BACKSLASHES: &[u8] = b"var \\x41\\u0042 = \\'c\\'; ";
/// For `htmlEntityDecode`.
pub const ENTITIES: &[u8] = b"<p>a &lt; b &amp;&#38; c&nbsp;</p>";
/// For `utf8toUnicode`.
pub const UTF_8: &[u8] = "caf\u{e9} \u{20ac} 42 na\u{ef}ve ".as_bytes();
/// For `removeNulls`.
pub const NULLS: &[u8] = b"a\0text\0with\0nulls";
/// For `normalisePath`.
pub const DOT_SEGMENTS: &[u8] = b"/var/./www/../log//app";
/// For `cmdLine`.
pub const COMMAND_LINE: &[u8] = b"C^MD.exe /c \"dir\" ,; ";

/// A regular expression for `rx` as OWASP CRS has them, with literals that tell most values apart.
pub const TRAVERSAL: &[u8] = br"(?i)(?:^|[\x5c/;])\.{2,3}[\x5c/;]|(?:etc|proc)/(?:passwd|self)";
/// One with classes in front.
pub const COMMANDS: &[u8] = br"(?i)(?:;|\||&&)\s*(?:cat|curl|wget|nc|bash|sh|id)\b";
/// Words for `pm`.
pub const PHRASES: &[u8] = b"union select insert update delete /etc/passwd cmd.exe powershell";

/// 1 KiB of `pattern`, again and again.
#[must_use]
pub fn kibibyte(pattern: &[u8]) -> Vec<u8> {
    pattern.iter().copied().cycle().take(1024).collect()
}
