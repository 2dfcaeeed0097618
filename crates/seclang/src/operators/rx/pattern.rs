//! What patterns can't have.

use palisade_vocabulary::ByteSize;

/// Why a pattern is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PatternProblem {
    /// `(?=`, `(?!`, `(?<=`, `(?<!`.
    #[error(
        "look-around (`(?{0}`) can't be matched in linear time; expected a pattern without it, or a chain of rules"
    )]
    LookAround(
        /// What follows the question mark.
        &'static str,
    ),
    /// `\1`, `\g{name}`, `(?P=name)`.
    #[error(
        "a back-reference can't be matched in linear time; expected a pattern without it (an octal character is written as \\x0a)"
    )]
    BackReference,
    /// `(?>`, `a++`, `\R`: once matched, never given back.
    #[error(
        "{0} never gives back what it matched, which can't be matched in linear time; expected {1}"
    )]
    Possessive(
        /// What was found.
        &'static str,
        /// What may stand there.
        &'static str,
    ),
    /// `(?R)`, `(?1)`, `(?&name)`, `(?(1)a|b)`, `(?C)`, `(*ACCEPT)`.
    #[error("{0} can't be matched in linear time; expected a pattern without it")]
    NotRegular(
        /// What was found.
        &'static str,
    ),
    /// What is written differently, or not needed.
    #[error("{0} is not supported; expected {1}")]
    Unsupported(
        /// What was found.
        &'static str,
        /// What may stand there.
        &'static str,
    ),
    /// `\i`.
    #[error("`\\{0}` is no escape; expected a letter that is one, or the character itself")]
    UnknownEscape(
        /// What follows the backslash.
        String,
    ),
    /// `\x{100}`: values are bytes.
    #[error("a character beyond 0xFF; expected a byte, since values are bytes")]
    BeyondByte,
    /// `{,3}`: text before PCRE2 10.43, a repetition since.
    #[error(
        "`{{,` is text to one version of PCRE and a repetition to another; expected `{{0,` or `\\{{,`"
    )]
    AmbiguousRepetition,
    /// A quantifier with nothing before it, or behind another.
    #[error("a quantifier with nothing before it that could be repeated")]
    NothingToRepeat,
    /// An end that doesn't come.
    #[error("{0} that isn't closed")]
    Unclosed(
        /// What was begun.
        &'static str,
    ),
    /// `)` without a beginning.
    #[error("a parenthesis that wasn't opened")]
    Unopened,
    /// `[z-a]`.
    #[error("a range whose end comes before its beginning")]
    BackwardRange,
    /// `[[:foo:]]`.
    #[error("`{0}` is no class of characters")]
    UnknownClass(
        /// What was found.
        String,
    ),
    /// A macro.
    #[error(
        "a pattern with a macro would be compiled for each value; expected a pattern without one"
    )]
    Macro,
    /// What regex-syntax says.
    #[error("{what}")]
    Syntax {
        /// What was found.
        what: String,
    },
    /// It needs too much memory.
    #[error("the pattern compiles to more than {max}; expected smaller repetitions or classes")]
    TooLarge {
        /// The most that it may take.
        max: ByteSize,
    },
}

/// A problem and where in the pattern it is, in bytes from 0.
#[derive(Debug)]
pub(in super::super) struct At {
    pub(in super::super) offset: usize,
    pub(in super::super) problem: PatternProblem,
}

pub(in super::super) fn at(offset: usize, problem: PatternProblem) -> At {
    At { offset, problem }
}
