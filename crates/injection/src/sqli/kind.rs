//! What tokens are.

/// What a token is to the grammar. Where libinjection's folding looks at a token's text, kinds here
/// are finer than its own, and have the same [letter](Kind::letter).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// No token.
    #[default]
    None,
    Bareword,
    Number,
    Variable,
    String,
    Function,
    /// `IF` and the functions whose names begin so.
    If,
    Keyword,
    /// `IN`, `NOT IN`: an operator or a word, as the next token tells.
    In,
    /// `SELECT`, `INSERT`: what begins a statement with an expression.
    Expression,
    /// `GROUP BY`, `LIMIT`, `HAVING`.
    Group,
    SqlType,
    Union,
    Collate,
    /// What begins a statement of Transact-SQL.
    Tsql,
    Logic,
    Operator,
    /// `+`, `-`: unary as well as arithmetic.
    Sign,
    /// `!`, `!!`, `~`, `NOT`.
    Unary,
    /// `*`, `/`, `%`.
    Arithmetic,
    /// `::`
    Cast,
    /// `LIKE`, `NOT LIKE`: a function before a parenthesis.
    Like,
    Comment,
    LeftParenthesis,
    RightParenthesis,
    Comma,
    Semicolon,
    Colon,
    Dot,
    LeftBrace,
    RightBrace,
    Backslash,
    Unknown,
    /// What databases read so differently that it is an injection by itself.
    Evil,
}

impl Kind {
    /// The letter that stands for it in a fingerprint.
    pub(super) const fn letter(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Bareword => b'n',
            Self::Number => b'1',
            Self::Variable => b'v',
            Self::String => b's',
            Self::Function | Self::If => b'f',
            Self::Keyword | Self::In => b'k',
            Self::Expression => b'E',
            Self::Group => b'B',
            Self::SqlType => b't',
            Self::Union => b'U',
            Self::Collate => b'A',
            Self::Tsql => b'T',
            Self::Logic => b'&',
            Self::Operator
            | Self::Sign
            | Self::Unary
            | Self::Arithmetic
            | Self::Cast
            | Self::Like => b'o',
            Self::Comment => b'c',
            Self::LeftParenthesis => b'(',
            Self::RightParenthesis => b')',
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Colon => b':',
            Self::Dot => b'.',
            Self::LeftBrace => b'{',
            Self::RightBrace => b'}',
            Self::Backslash => b'\\',
            Self::Unknown => b'?',
            Self::Evil => b'X',
        }
    }

    /// The kind of a keyword, of its letter in `data/keywords` and its text in capitals; `None`
    /// where no keyword has that letter.
    pub(super) const fn of_keyword(letter: u8, text: &[u8]) -> Self {
        match letter {
            b'n' => Self::Bareword,
            b'1' => Self::Number,
            b'v' => Self::Variable,
            b'f' if matches!(text, [b'I', b'F', ..]) => Self::If,
            b'f' => Self::Function,
            b'k' if matches!(text, b"IN" | b"NOT IN") => Self::In,
            b'k' => Self::Keyword,
            b'E' => Self::Expression,
            b'B' => Self::Group,
            b't' => Self::SqlType,
            b'U' => Self::Union,
            b'A' => Self::Collate,
            b'T' => Self::Tsql,
            b'&' => Self::Logic,
            b'o' => match text {
                b"NOT" | b"!!" => Self::Unary,
                b"LIKE" | b"NOT LIKE" => Self::Like,
                b"::" => Self::Cast,
                _ => Self::Operator,
            },
            _ => Self::None,
        }
    }

    /// The kind of an operator of one byte.
    pub(super) const fn of_operator(byte: u8) -> Self {
        match byte {
            b'+' | b'-' => Self::Sign,
            b'!' | b'~' => Self::Unary,
            b'*' | b'/' | b'%' => Self::Arithmetic,
            _ => Self::Operator,
        }
    }
}
