//! What is odd about a multipart body.

/// What is odd about a multipart body: a set of ModSecurity 2's flags, each of which is the variable
/// of the same name after `MULTIPART_`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct MultipartFlags(u16);

impl MultipartFlags {
    /// It can't be understood; an early end is not counted as that. (No variable; part of
    /// `MULTIPART_STRICT_ERROR`.)
    pub const ERROR: Self = Self(1);
    /// The boundary is quoted in `Content-Type`.
    pub const BOUNDARY_QUOTED: Self = Self(1 << 1);
    /// White space around the `=` of the boundary in `Content-Type`.
    pub const BOUNDARY_WHITESPACE: Self = Self(1 << 2);
    /// Something before the first boundary.
    pub const DATA_BEFORE: Self = Self(1 << 3);
    /// Something behind the last boundary.
    pub const DATA_AFTER: Self = Self(1 << 4);
    /// A header of a part that is folded.
    pub const HEADER_FOLDING: Self = Self(1 << 5);
    /// Such a header that is folded with something else than blanks and tabs.
    pub const INVALID_HEADER_FOLDING: Self = Self(1 << 6);
    /// A line of the structure that ends with LF alone.
    pub const LF_LINE: Self = Self(1 << 7);
    /// A line of the structure that ends with CR LF, as all of them should.
    pub const CRLF_LINE: Self = Self(1 << 8);
    /// No semicolon before the boundary in `Content-Type`.
    pub const MISSING_SEMICOLON: Self = Self(1 << 9);
    /// A value in `Content-Disposition` that is quoted with apostrophes, or not as it should.
    pub const INVALID_QUOTING: Self = Self(1 << 10);
    /// A part without data or without a name.
    pub const INVALID_PART: Self = Self(1 << 11);
    /// More files than are allowed.
    pub const FILE_LIMIT_EXCEEDED: Self = Self(1 << 12);
    /// Data that resembles a boundary.
    pub const UNMATCHED_BOUNDARY: Self = Self(1 << 13);
    /// A header, or a parameter of `Content-Disposition`, that comes twice in a part.
    pub const DUPLICATE_PART_HEADER: Self = Self(1 << 14);

    /// Those of which any is a strict error.
    const STRICT: Self = Self(
        Self::ERROR.0
            | Self::BOUNDARY_QUOTED.0
            | Self::BOUNDARY_WHITESPACE.0
            | Self::DATA_BEFORE.0
            | Self::DATA_AFTER.0
            | Self::HEADER_FOLDING.0
            | Self::INVALID_HEADER_FOLDING.0
            | Self::LF_LINE.0
            | Self::MISSING_SEMICOLON.0
            | Self::INVALID_QUOTING.0
            | Self::INVALID_PART.0
            | Self::FILE_LIMIT_EXCEEDED.0,
    );

    /// Whether all of `flags` are set.
    #[must_use]
    pub const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Whether no flag is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// `MULTIPART_STRICT_ERROR`: whether anything is odd enough to be refused.
    #[must_use]
    pub const fn is_strict_error(self) -> bool {
        self.0 & Self::STRICT.0 != 0
    }

    /// `MULTIPART_CRLF_LF_LINES`: whether lines end now this way, now that.
    #[must_use]
    pub const fn has_mixed_lines(self) -> bool {
        self.contains(Self(Self::LF_LINE.0 | Self::CRLF_LINE.0))
    }

    pub(crate) const fn insert(&mut self, flags: Self) {
        self.0 |= flags.0;
    }
}
