//! A regular expression: syntax and size checked, compiled, with the literals it can't do without.

use palisade_vocabulary::ByteSize;
use regex_automata::meta;
use regex_automata::nfa::thompson::WhichCaptures;
use regex_syntax::hir::{ErrorKind, Hir};
use regex_syntax::{Error, Parser, ParserBuilder};

use crate::required_literals::required_literals;

/// The most that one compiled expression may take. Matching costs at worst this times the length of
/// the value, so it bounds the time of a hostile request too.
const REGEX_SIZE_MAX: ByteSize = ByteSize::kib(256);
/// The most that one expression's lazily built states may take, for each thread that uses it.
const STATE_CACHE_SIZE: ByteSize = ByteSize::kib(256);
/// The deepest nesting of groups.
const NESTING_MAX: u32 = 64;

/// A compiled regular expression over bytes.
#[derive(Debug)]
pub(crate) struct CompiledRegex {
    program: meta::Regex,
    hir: Hir,
    literals: Option<Vec<Vec<u8>>>,
}

impl CompiledRegex {
    pub(crate) fn new(text: &str, ignore_case: bool) -> Result<Self, RegexError> {
        let hir = parse(text, ignore_case)?;
        let program = meta::Builder::new()
            // No automaton is made to its end beforehand, which would be a fifth of a reload's work: of
            // thousands of expressions few are ever run, and those keep the states that they met.
            .configure(program_config(REGEX_SIZE_MAX).dfa(false))
            .build_from_hir(&hir)
            .map_err(|_| RegexError::TooLarge {
                max: REGEX_SIZE_MAX,
            })?;
        Ok(Self {
            program,
            literals: required_literals(&hir),
            hir,
        })
    }

    /// Whether it matches somewhere in `value`.
    pub(crate) fn is_match(&self, value: &[u8]) -> bool {
        self.program.is_match(value)
    }

    /// Strings in lower case, one of which is in every value that matches, if ASCII letters are
    /// compared in both cases. `None` where there are none worth looking for.
    pub(crate) fn literals(&self) -> Option<&[Vec<u8>]> {
        self.literals.as_deref()
    }

    pub(crate) fn hir(&self) -> &Hir {
        &self.hir
    }

    /// The memory that the compiled form takes.
    pub(crate) fn size(&self) -> usize {
        self.program.memory_usage()
    }
}

/// How expressions are compiled: no captures, since only "does it match" is asked.
pub(crate) fn program_config(size_max: ByteSize) -> meta::Config {
    meta::Config::new()
        .which_captures(WhichCaptures::None)
        .utf8_empty(false)
        .nfa_size_limit(Some(size_max.as_usize()))
        .hybrid_cache_capacity(STATE_CACHE_SIZE.as_usize())
        .onepass(false)
        // A search for literals of its own would be for what was found already: an expression is run
        // where one of its literals is there, or has none. To make them was a sixth of a reload's work.
        .auto_prefilter(false)
}

/// Over bytes where that is possible, else over characters.
fn parse(text: &str, ignore_case: bool) -> Result<Hir, RegexError> {
    let over_bytes = parser(false, ignore_case).parse(text);
    let parsed = match over_bytes {
        Err(Error::Translate(error)) if *error.kind() == ErrorKind::UnicodeNotAllowed => {
            parser(true, ignore_case).parse(text)
        }
        parsed => parsed,
    };
    parsed.map_err(|error| syntax_error(&error))
}

fn parser(unicode: bool, ignore_case: bool) -> Parser {
    ParserBuilder::new()
        .utf8(false)
        .unicode(unicode)
        .case_insensitive(ignore_case)
        .dot_matches_new_line(true)
        .nest_limit(NESTING_MAX)
        .build()
}

fn syntax_error(error: &Error) -> RegexError {
    let (what, at) = match error {
        Error::Parse(error) => (error.kind().to_string(), error.span().start.column),
        Error::Translate(error) => (error.kind().to_string(), error.span().start.column),
        other => (other.to_string(), 1),
    };
    RegexError::Syntax { what, at }
}

/// What is wrong with a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegexError {
    /// Not a regular expression.
    #[error("not a regular expression: {what} (at character {at})")]
    Syntax {
        /// What was found.
        what: String,
        /// The character of the expression, counted from 1.
        at: usize,
    },
    /// It needs too much memory.
    #[error(
        "the regular expression compiles to more than {max}; expected smaller repetitions or classes"
    )]
    TooLarge {
        /// The most that it may take.
        max: ByteSize,
    },
}
