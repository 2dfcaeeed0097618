//! What is wrong with a database.

/// Why the bytes are no database that can answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GeoError {
    /// More bytes than any database has.
    #[error("the database has {got} bytes; at most {max} are read")]
    TooLarge {
        /// The bytes that were got.
        got: usize,
        /// The most that is possible.
        max: usize,
    },
    /// No metadata, or none that fits the bytes.
    #[error("not a MaxMind database (.mmdb), or a truncated one: {0}; fetch it again")]
    NotADatabase(String),
    /// A node of the search tree leads out of the file.
    #[error(
        "the database is corrupt: node {node} of its search tree leads to {target}, behind the end of the data; fetch it again"
    )]
    CorruptTree {
        /// The node.
        node: u32,
        /// Where it leads.
        target: u32,
    },
    /// The search tree is deeper than an address has bits, or leads to its parts in very many ways.
    #[error("the database is corrupt: its search tree goes in circles; fetch it again")]
    TreeInCircles,
    /// A record can't be decoded.
    #[error("the database is corrupt: {problem} at byte {offset} of its data; fetch it again")]
    CorruptRecord {
        /// The place in the data section, in bytes.
        offset: usize,
        /// What is wrong there.
        problem: &'static str,
    },
    /// A valid database of something else.
    #[error(
        "the database ({database_type}) tells no {wanted}; expected one of the fields {fields}: is it a database of another kind?"
    )]
    FieldMissing {
        /// The database's own word for its kind.
        database_type: String,
        /// What was wanted: `country` or `autonomous system`.
        wanted: &'static str,
        /// The fields in which it could have been.
        fields: String,
    },
}
