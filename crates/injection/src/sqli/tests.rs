//! Readings of values as SQL, against tables and against the rules alone.

use std::collections::HashSet;

use proptest::prelude::*;

use super::lexer::Lexer;
use super::token::Token;
use super::*;

/// As libinjection's test driver prints tokens: a line each, its letter and text, with quotes.
pub(crate) fn print_tokens(input: &[u8]) -> Vec<u8> {
    let mut lexer = Lexer::new(input, Dialect::Ansi);
    let tokens = std::iter::from_fn(|| lexer.next());
    tokens.flat_map(|token| print(input, &token)).collect()
}

/// The same of what is left when they are folded.
pub(crate) fn print_folded(input: &[u8]) -> Vec<u8> {
    let mut folding = Folding::new(input, Dialect::Ansi);
    folding.fold_by_rules(None);
    let tokens = folding.tokens().iter();
    tokens.flat_map(|token| print(input, token)).collect()
}

fn print(input: &[u8], token: &Token<'_>) -> Vec<u8> {
    let (opened, closed) = match token.kind {
        Kind::String | Kind::Variable => (token.opened_by, token.closed_by),
        _ => (None, None),
    };
    let at_signs = match token.kind {
        Kind::Variable => at_signs_before(input, token, opened.iter().count()),
        _ => 0,
    };
    let mut line = vec![token.kind.letter(), b' '];
    line.extend(std::iter::repeat_n(b'@', at_signs));
    line.extend(opened);
    line.extend(token.text());
    line.extend(closed);
    line.push(b'\n');
    line
}

/// How many stand before a variable's text, which is a piece of `input`, and its quote.
fn at_signs_before(input: &[u8], token: &Token<'_>, quote: usize) -> usize {
    let at = token.text().as_ptr() as usize - input.as_ptr() as usize - quote;
    let before = input[..at].iter().rev();
    before.take(2).take_while(|byte| **byte == b'@').count()
}

/// As [`detect`], without anything that is faster than the rules.
fn detect_by_rules(input: &[u8]) -> Option<Fingerprint> {
    let by_rules = |quote, dialect| {
        let mut folding = Folding::new(input, dialect);
        folding.fold_by_rules(quote);
        let depends = folding.depends_on_dialect();
        (injection(input, folding), depends)
    };
    let in_both = |quote| match by_rules(quote, Dialect::Ansi) {
        (None, true) => by_rules(quote, Dialect::Mysql).0,
        (found, _) => found,
    };
    let has = |quote| input.contains(&quote);
    let in_single = || has(b'\'').then(|| in_both(Some(b'\'')))?;
    let in_double = || has(b'"').then(|| by_rules(Some(b'"'), Dialect::Mysql).0)?;
    in_both(None).or_else(in_single).or_else(in_double)
}

#[track_caller]
fn check(input: &str, expected: Option<&str>) {
    let found = detect(input.as_bytes());
    assert_eq!(
        found.map(|found| found.to_string()).as_deref(),
        expected,
        "{input:?}"
    );
    assert_eq!(detect_by_rules(input.as_bytes()), found, "{input:?}");
}

#[test]
fn injections() {
    check("1' OR '1'='1", Some("s&sos"));
    check("1 UNION SELECT password FROM users", Some("1UEnk"));
    check("1 union all select 1,2,3--", Some("1UE1c"));
    check("admin'--", Some("sc"));
    check("\" or \"\"=\"", Some("s&sos"));
    check("1; DROP TABLE users", Some("1;Tnn"));
    check("1 AND sleep(5)", Some("1&f(1"));
    check("1/*!50000union*/", Some("X"));
    check("1/* /* */ */", Some("X"));
    check("1) OR (1=1", Some("1)&(1"));
    check("-1 or 1=1", Some("1&1"));
    check("x' AND user() = 'a", Some("s&f()"));
    check("' into outfile '", Some("sks"));
    check("{``.``.id}", Some("X"));
    check(",-1 union select 1", Some("UE1"));
}

#[test]
fn harmless_values() {
    for value in [
        "",
        " ",
        "a",
        "1",
        "O'Neil",
        "rock 'n' roll",
        "5 or 6",
        "union",
        "1 union",
        "select",
        "select one",
        "a and b",
        "a -- b",
        "a # b",
        "1 # b",
        "/a/b?c=d",
        "a@example.com",
        "+49 30 1234567",
        "Mozilla/5.0 (X11; Linux x86_64)",
        "text/html;q=0.9,*/*;q=0.8",
        "1234ABCdef--",
        "550e8400-e29b-41d4-a716-446655440000",
        "\"quoted\"",
        "it's \"both\"",
        "a || b",
        "price: $1,000.00",
    ] {
        check(value, None);
    }
}

#[test]
fn each_context_is_read() {
    check("1 = 1--x", Some("1c"));
    check("x'or 1--", Some("s&1c"));
    check("x\"or 1#", Some("s&1c"));
    check("x'--1 or 1", Some("so1&1"));
    check("1 union #a\nselect 1", Some("1UE1"));
}

#[test]
fn fingerprints_that_harmless_values_have() {
    check("1 union", None);
    check("1,2 union", Some("1U"));
    check("word --", None);
    check("word /*", Some("nc"));
    check("1 /*", Some("1c"));
    check("1--", Some("1c"));
    check("1234-a--", Some("1c"));
    check("1a--", None);
    check("12345 --", Some("1c"));
    check("@a -- b", None);
    check("@a --", Some("vc"));
    check("@a #", None);
    check("admin'#", None);
    check("a -- sp_password", Some("nc"));
    check("foo' + 'bar", Some("sos"));
    check("'foo' + 'bar'", None);
    check("'a' and b", None);
    check("1 and 1", None);
    check("1 and 1<2", Some("1&1"));
    check("1 into outfile 'a'", Some("1ks"));
    check("1 into a", None);
    check("a into 'b'", None);
}

/// `expected` has a word for each token: its letter, its text without quotes, and what began and
/// ended it.
#[track_caller]
fn check_tokens(input: &[u8], expected: &[&str]) {
    let mut lexer = Lexer::new(input, Dialect::Ansi);
    let tokens = std::iter::from_fn(|| lexer.next()).map(|token| {
        let quote = |quote: Option<u8>| quote.map_or('-', char::from);
        let letter = char::from(token.kind.letter());
        let text = token.text().escape_ascii().to_string();
        let text = text.replace("\\'", "'").replace("\\\"", "\"");
        match token.kind {
            Kind::String => {
                let (opened, closed) = (quote(token.opened_by), quote(token.closed_by));
                format!("{letter}{text} {opened}{closed}")
            }
            _ => format!("{letter}{text}"),
        }
    });
    assert_eq!(
        tokens.collect::<Vec<_>>(),
        expected,
        "{}",
        input.escape_ascii()
    );
}

#[test]
fn words() {
    check_tokens(b"", &[]);
    check_tokens(b" \0\x01\x7f\xa0", &[]);
    check_tokens(b"abc", &["nabc"]);
    check_tokens(b"a\x7fb\xa0c", &["na\\x7fb", "nc"]);
    check_tokens("größe".as_bytes(), &["ngr\\xc3\\xb6\\xc3\\x9fe"]);
    check_tokens(b"SELECT union Or", &["ESELECT", "Uunion", "&Or"]);
    check_tokens(b"a.b.c", &["na.b.c"]);
    check_tokens(b"select.a", &["Eselect", "..", "na"]);
    check_tokens(b"select`a`", &["Eselect", "na"]);
    check_tokens(b"a`b`", &["na`b`"]);
    check_tokens(b"dbms_lock.sleep(", &["fdbms_lock.sleep", "(("]);
    check_tokens(b"current schema", &["ncurrent", "kschema"]);
    check_tokens(b"[a b]c[", &["n[a b]", "nc", "n["]);
    check_tokens(b"`sleep``a` `b", &["nsleep``a", "nb"]);
    check_tokens(b"`sleep`", &["fsleep"]);
    check_tokens(b"a?]", &["na", "??", "?]"]);
}

#[test]
fn of_long_tokens_the_beginning_is_kept() {
    let long = "a".repeat(40);
    check_tokens(long.as_bytes(), &[&format!("n{}", "a".repeat(31))]);
    let divided = [long.as_str(), ".b c"].concat();
    check_tokens(divided.as_bytes(), &[&format!("n{}", "a".repeat(31)), "nc"]);
    let string = ["'", &long, "'"].concat();
    check_tokens(string.as_bytes(), &[&format!("s{} ''", "a".repeat(31))]);
}

#[test]
fn variables() {
    check_tokens(b"@a @@b", &["va", "vb"]);
    check_tokens(b"@@@", &["v", "v"]);
    check_tokens(b"@'a' @`b @\"c\"", &["va", "vb @\"c\""]);
    check_tokens(b"@a[b]\xa0c d", &["va[b]\\xa0c", "nd"]);
}

#[test]
fn numbers() {
    check_tokens(b"12 1.5 .5 1. .", &["112", "11.5", "1.5", "11.", ".."]);
    check_tokens(b"1e5 1e+5 1.5e-5", &["11e5", "11e+5", "11.5e-5"]);
    check_tokens(b"1e 1.e .e 1e+", &["n1e", "n1.e", "..", "ne", "n1e+"]);
    check_tokens(b"0x1F 0x 0b10 0b2", &["10x1F", "n0x", "10b10", "n0b", "12"]);
    check_tokens(b"0x\0", &["10x\\x00"]);
    check_tokens(
        b"1f 1d;1fUNION 1from",
        &["11f", "11d", ";;", "11f", "UUNION", "11", "kfrom"],
    );
    check_tokens(b"12abc", &["112", "nabc"]);
    check_tokens(b"\\N \\n", &["1\\\\N", "\\\\\\", "nn"]);
    check_tokens(
        b"b'01' B'2' x'aF' X'",
        &["1b'01'", "nB", "s2 ''", "1x'aF'", "nX", "s '-"],
    );
}

#[test]
fn money() {
    check_tokens(b"$1,000.00", &["1$1,000.00"]);
    check_tokens(b"$. $ $(", &["n$.", "n$", "n$", "(("]);
    check_tokens(b"$$a$b$$c", &["sa$b $$", "nc"]);
    check_tokens(b"$$a", &["sa $-"]);
    check_tokens(b"$a$b$A$a$c", &["sb$A $$", "nc"]);
    check_tokens(b"$a$b", &["sb $-"]);
    check_tokens(b"$ab", &["n$", "nab"]);
}

#[test]
fn strings() {
    check_tokens(b"'a' \"b\" 'c", &["sa ''", "sb \"\"", "sc '-"]);
    check_tokens(
        b"'a''b' 'c\\'d' 'e\\\\' 'f'",
        &["sa''b ''", "sc\\\\'d ''", "se\\\\\\\\ ''", "sf ''"],
    );
    check_tokens(b"E'a' n'b' e'", &["sa ''", "sb ''", "ne", "s '-"]);
    check_tokens(b"q'(a')b)' nq'!c!' q'd", &["sa')b qq", "sc qq", "s q-"]);
    check_tokens(b"q' a' q'", &["nq", "s a ''", "nq", "s '-"]);
    check_tokens(b"u&'a' u&b U&'c", &["sa uu", "nu", "o&", "nb", "sc u-"]);
}

#[test]
fn operators() {
    check_tokens(b"<=> <= := :a :", &["o<=>", "o<=", "o:=", "::", "na", "o:"]);
    check_tokens(b"!!a!=b!", &["o!!", "na", "o!=", "nb", "o!"]);
    check_tokens(
        b"a&&b||c|/d",
        &["na", "&&&", "nb", "&||", "nc", "o|/", "nd"],
    );
    check_tokens(b"== %^+~*", &["o=", "o=", "o%", "o^", "o+", "o~", "o*"]);
    check_tokens(b"(),;{}", &["((", "))", ",,", ";;", "{{", "}}"]);
}

#[test]
fn comments() {
    check_tokens(b"a/b/*c*/d/*e", &["na", "o/", "nb", "c/*c*/", "nd", "c/*e"]);
    check_tokens(b"/*/*/ /*!a*/ /*!", &["X/*/*/", "X/*!a*/", "X/*!"]);
    check_tokens(b"/**/ /*/", &["c/**/", "c/*/"]);
    check_tokens(b"a-b--c\nd-- e", &["na", "o-", "nb", "c--c", "nd", "c-- e"]);
    check_tokens(b"#a\n", &["o#", "na"]);
    let mut lexer = Lexer::new(b"#a\nb--c -- d", Dialect::Mysql);
    let letters = std::iter::from_fn(|| lexer.next()).map(|token| char::from(token.kind.letter()));
    assert_eq!(letters.collect::<String>(), "cnoonc");
}

/// `expected` has the letters of what is left.
#[track_caller]
fn check_folded(input: &str, expected: &str) {
    let mut folding = Folding::new(input.as_bytes(), Dialect::Ansi);
    folding.fold_by_rules(None);
    let letters = folding.tokens().iter().map(|token| token.kind.letter());
    let letters: String = letters.map(char::from).collect();
    assert_eq!(letters, expected, "{input:?}");
}

#[test]
fn what_says_nothing_at_the_beginning_goes() {
    check_folded("", "");
    check_folded("( - /*a*/ int ! ~ not 1", "1");
    check_folded("--a\n-(", "");
    check_folded(", 1", ",1");
}

#[test]
fn pairs() {
    check_folded("'a' 'b' 1", "s1");
    check_folded("1;;1", "1;1");
    check_folded("1 = - 'a'", "1os");
    check_folded("1 and - 'a'", "1&s");
    check_folded("1 and int 'a'", "1&s");
    check_folded("sin(-'a'", "f(s");
    check_folded("1 union all distinct 'a'", "1Us");
    check_folded("1 union/**/all 'a'", "1Us");
    check_folded("1 current date 'a'", "1vs");
    check_folded("1;if 'a'", "1;Ts");
    check_folded("user('a'", "n(s");
    check_folded("user()", "f()");
    check_folded("@user()", "f()");
    check_folded("`password`(1", "f(1");
    check_folded("'a' in ('b'", "so(s");
    check_folded("'a' in boolean mode 'b'", "sks");
    check_folded("'a' in 'b'", "sns");
    check_folded("'a' like ('b'", "sf(s");
    check_folded("'a' like}'b'", "so}s");
    check_folded("'a' int 'b'", "s");
    check_folded("'a' collate utf8_bin", "sAt");
    check_folded("'a' collate utf8", "sAn");
    check_folded("1 \\'a'", "1s");
    check_folded("\\%1", "1");
    check_folded("1 ((('a')))", "1(s)");
    check_folded("{a 'b'}", "s");
    check_folded("{`` 1", "{X");
}

#[test]
fn triples() {
    check_folded("1+2*3", "1");
    check_folded("a.b", "n");
    check_folded("a = 1", "n");
    check_folded("@a = b + 1", "v");
    check_folded("'a' = 1", "so1");
    check_folded("'a'::int", "s");
    check_folded("1,'a',@b", "1");
    check_folded("1,-1", "1");
    check_folded(",-1 'a'", "s");
    check_folded("1,-sin(", "1,f(");
    check_folded("1 and 'a' and 'b'", "1&s");
    check_folded("select + (1", "E(1");
    check_folded("select - 'a'", "Es");
    check_folded("select .`a`", "En");
    check_folded("'a' into - 1", "sk1");
    check_folded("= 'a' =", "o");
}

#[test]
fn five_that_are_one_expression() {
    check_folded("1+(2) 'a'", "1s");
    check_folded("1,(2) 'a'", "1s");
    check_folded("a = (b) 'a'", "ns");
    check_folded("1),(2 'a'", "1s");
    check_folded("a)=(b 'a'", "ns");
    check_folded("1+(2)", "1");
}

#[test]
fn at_most_five_are_left_and_a_comment_comes_back() {
    check_folded("'a' ; 'b' ; 'c' ; 'd'", "s;s;s");
    check_folded("'a' /*b*/", "sc");
    check_folded("'a' /*b*/ ; /*c*/ -- d", "s;c");
    check_folded("'a' ; 'b' ; 'c' -- d", "s;s;s");
    check("1 union `", Some("1Uc"));
    check("1 union `a", None);
}

#[test]
fn every_keyword_is_found() {
    let mut count = 0;
    for line in include_str!("../../data/keywords").lines() {
        let ([letter, mark], text) = line.as_bytes().split_first_chunk().unwrap();
        let keyword = keywords::look_up(&text.to_ascii_lowercase()).unwrap();
        assert_eq!((keyword.text, keyword.begins_phrase), (text, *mark == b'+'));
        let letter = if *letter == b'-' { 0 } else { *letter };
        assert_eq!(keyword.kind.letter(), letter, "{line}");
        count += 1;
    }
    assert!(count > 900, "{count} keywords");
    for word in [
        "",
        "a",
        "selec",
        "selects",
        "select ",
        "sel\0ct",
        "union  all",
    ] {
        assert!(keywords::look_up(word.as_bytes()).is_none(), "{word:?}");
    }
}

/// All shapes of up to five tokens are looked up.
#[test]
fn just_the_fingerprints_are_known() {
    let mut known = HashSet::new();
    for line in include_str!("../../data/fingerprints").lines() {
        let (beginning, lasts) = line.split_once(' ').unwrap();
        known.extend(
            lasts
                .bytes()
                .map(|last| shape(beginning.bytes().chain([last]))),
        );
    }
    assert_eq!(known.len(), 8367);
    let mut found = 0;
    for_each_shape(&mut Vec::new(), &mut |kinds| {
        let shape = shape(kinds.iter().map(|kind| kind.letter()));
        let is_known = fingerprints::is_known(kinds.iter().copied());
        assert_eq!(is_known, known.contains(&shape), "{}", shape.escape_ascii());
        found += usize::from(is_known);
    });
    // The table has capitals alone: each T is a `T` or a `t`.
    let types = known
        .iter()
        .map(|shape| shape.iter().filter(|letter| **letter == b'T'));
    assert_eq!(found, types.map(|types| 1 << types.count()).sum::<usize>());
}

/// Letters in capitals.
fn shape(letters: impl Iterator<Item = u8>) -> [u8; fingerprints::TOKENS_MAX] {
    let mut shape = [0; fingerprints::TOKENS_MAX];
    for (slot, letter) in shape.iter_mut().zip(letters) {
        *slot = letter.to_ascii_uppercase();
    }
    shape
}

/// One kind for each letter.
const KINDS: [Kind; 26] = [
    Kind::Bareword,
    Kind::Number,
    Kind::Variable,
    Kind::String,
    Kind::Function,
    Kind::Keyword,
    Kind::Expression,
    Kind::Group,
    Kind::SqlType,
    Kind::Union,
    Kind::Collate,
    Kind::Tsql,
    Kind::Logic,
    Kind::Operator,
    Kind::Comment,
    Kind::LeftParenthesis,
    Kind::RightParenthesis,
    Kind::Comma,
    Kind::Semicolon,
    Kind::Colon,
    Kind::Dot,
    Kind::LeftBrace,
    Kind::RightBrace,
    Kind::Backslash,
    Kind::Unknown,
    Kind::Evil,
];

fn for_each_shape(kinds: &mut Vec<Kind>, look: &mut impl FnMut(&[Kind])) {
    look(kinds);
    if kinds.len() == fingerprints::TOKENS_MAX {
        return;
    }
    for kind in KINDS {
        kinds.push(kind);
        for_each_shape(kinds, look);
        kinds.pop();
    }
}

/// All values of plain bytes up to five of these, which stand for all: digits of each base, letters
/// that numbers and strings have a meaning for, others.
#[test]
fn no_short_plain_value_is_an_injection() {
    const BYTES: &[u8] = b"012abdefgnqrux_\x80";
    let mut value = Vec::new();
    let mut values = 0;
    let mut look = |value: &[u8]| {
        assert!(plain::is_plain(value));
        assert_eq!(detect_by_rules(value), None, "{}", value.escape_ascii());
        values += 1;
    };
    for_each_value(BYTES, 5, &mut value, &mut look);
    assert!(values > 1_000_000, "{values}");
}

fn for_each_value(bytes: &[u8], len: usize, value: &mut Vec<u8>, look: &mut impl FnMut(&[u8])) {
    look(value);
    if value.len() == len {
        return;
    }
    for byte in bytes {
        value.push(*byte);
        for_each_value(bytes, len, value, look);
        value.pop();
    }
}

/// A plain value is some of these and a word: all words that mean something are tried behind all of
/// them.
#[test]
fn no_keyword_behind_numbers_is_an_injection() {
    const NUMBERS: [&str; 12] = [
        "", "1", "12", "0x", "0xf", "0b", "0b1", "0b12", "1e", "1e5", "1f", "0b10b1",
    ];
    for line in include_str!("../../data/keywords").lines() {
        let (_, keyword) = line.split_at(2);
        for (first, second) in NUMBERS
            .iter()
            .flat_map(|one| NUMBERS.map(|other| (one, other)))
        {
            let value = [first, second, keyword].concat();
            if plain::is_plain(value.as_bytes()) {
                assert_eq!(detect_by_rules(value.as_bytes()), None, "{value}");
            }
        }
    }
}

#[test]
fn only_plain_bytes_are_plain() {
    for byte in 0..=u8::MAX {
        let is_plain =
            byte.is_ascii_alphanumeric() || byte == b'_' || (byte >= 0x80 && byte != 0xa0);
        for len in 1..40 {
            for at in 0..len {
                let mut value = vec![b'a'; len];
                value[at] = byte;
                assert_eq!(
                    plain::is_plain(&value),
                    is_plain,
                    "{byte:#x} at {at} of {len}"
                );
            }
        }
    }
    assert!(plain::is_plain(b""));
}

/// Words, operators and what else SQL gives a meaning to, and other bytes.
pub(crate) fn sql() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: &[&str] = &[
        "'", "\"", "`", "(", ")", ",", ";", "--", "#", "/*", "*/", "!", "\n", "\\", "\\N", "@",
        "{", "}", "[", "]", "$", "$$", "$a$", "::", "<=>", "||", "&&", "~", "+", "-", "*", "/",
        "%", "=", ":", "?", ".", "1", "0x", "1e", "0b1", "1.e", "f", "N'", "E'", "q'(", "u&'",
        "x'", "b'", "\0", " ", "a", "b_",
    ];
    let words = include_str!("../../data/keywords").lines();
    let words: Vec<&str> = words.map(|line| line.split_at(2).1).collect();
    let bytes = |piece: &str| piece.as_bytes().to_vec();
    let piece = prop_oneof![
        6 => prop::sample::select(PIECES).prop_map(bytes),
        3 => prop::sample::select(words).prop_map(bytes),
        2 => prop::sample::select(&[" ", " ", "1", "'a'"][..]).prop_map(bytes),
        1 => prop::collection::vec(any::<u8>(), 1..3),
    ];
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    /// What is faster than the rules says the same.
    #[test]
    fn the_fast_way_is_exact(input in sql()) {
        prop_assert_eq!(detect(&input), detect_by_rules(&input), "{}", input.escape_ascii());
    }

    #[test]
    fn no_plain_value_is_an_injection(input in "[A-Za-z0-9_\u{100}-\u{2000}]{0,40}") {
        let is_plain = plain::is_plain(input.as_bytes());
        prop_assert!(is_plain || input.as_bytes().contains(&0xa0), "{}", input);
        prop_assert!(!is_plain || detect_by_rules(input.as_bytes()).is_none(), "{}", input);
    }

    /// As the rules know no case, but for some texts.
    #[test]
    fn case_says_nothing(input in sql()) {
        let (small, large) = (input.to_ascii_lowercase(), input.to_ascii_uppercase());
        let is_special = input.contains(&b'\\') || small.windows(11).any(|text| text == b"sp_password");
        prop_assert!(is_special || detect(&small) == detect(&large), "{}", input.escape_ascii());
    }
}

#[test]
fn tables_are_libinjections() {
    let Some(folder) = crate::tests::folder("PALISADE_LIBINJECTION", "libinjection's tables")
    else {
        return;
    };
    let text = std::fs::read(folder.join("sqlparse_data.json")).unwrap();
    let tables: serde_json::Value = serde_json::from_slice(&text).unwrap();
    let keywords = tables["keywords"].as_object().unwrap();
    for (word, letter) in keywords {
        let found = keywords::look_up(word.as_bytes()).map(|keyword| keyword.kind.letter());
        assert_eq!(
            found,
            letter.as_str().map(|letter| letter.as_bytes()[0]),
            "{word}"
        );
    }
    let ours = include_str!("../../data/keywords").lines();
    assert_eq!(
        ours.filter(|line| !line.starts_with('-')).count(),
        keywords.len()
    );
    let fingerprints = tables["fingerprints"].as_array().unwrap();
    for fingerprint in fingerprints
        .iter()
        .map(|fingerprint| fingerprint.as_str().unwrap())
    {
        let kind = |letter| KINDS.into_iter().find(|kind| kind.letter() == letter);
        let kinds = fingerprint.bytes().map(|letter| kind(letter).unwrap());
        assert!(fingerprints::is_known(kinds), "{fingerprint}");
    }
    assert_eq!(fingerprints.len(), 8367);
}

/// The prefilter of rules relies on it.
#[test]
fn numbers_and_dots_are_no_injection() {
    const LEN_MAX: usize = 12;
    let mut value = Vec::new();
    for number in 0..3_usize.pow(12) {
        value.clear();
        let digits = (0..12).scan(number, |rest, _| {
            let digit = *rest % 3;
            *rest /= 3;
            Some(digit)
        });
        value.extend(digits.filter_map(|digit| b"07.".get(digit).copied()));
        for len in 0..=LEN_MAX {
            // Each shorter one is the beginning of one that ends in zeros.
            let is_new = len == LEN_MAX
                || value
                    .get(len..)
                    .is_some_and(|rest| rest.iter().all(|byte| *byte == b'0'));
            if is_new {
                assert_eq!(
                    detect(&value[..len]),
                    None,
                    "{}",
                    value[..len].escape_ascii()
                );
            }
        }
    }
}
