//! A loaded database: its search tree, and the fact that each of its records tells.

use std::sync::Arc;

use maxminddb::Reader;
use palisade_vocabulary::{Asn, Country, Ip, Known, Place};

use crate::record::{Field, Records};
use crate::tree;
use crate::{Fact, GeoError};

#[cfg(test)]
mod tests;

/// The longest excerpt of a database's own words that an error shows, in characters.
const EXCERPT_CHARS: usize = 64;

/// A database that tells one fact of addresses: `GeoDatabase<Country>` or `GeoDatabase<Asn>`.
///
/// Every record that the search tree leads to is decoded once, when the database is loaded, so a
/// look-up can't fail and no record can make it slow: it walks the tree (at most 128 steps) and
/// then searches a sorted table.
///
/// Cheap to clone. It holds all of the file's bytes, so what becomes of the file is nothing to it.
#[derive(Clone)]
pub struct GeoDatabase<F> {
    reader: Arc<Reader<Arc<[u8]>>>,
    /// The fact of each record that tells one, by the record's offset, sorted.
    facts: Arc<[(u32, F)]>,
}

impl<F: Fact> GeoDatabase<F> {
    /// The most bytes of a database that are read: 1 GiB. The largest that are sold have less.
    pub const BYTES_MAX: usize = 1 << 30;

    /// Loads a database. Takes time linear in its bytes, so call it where nothing waits for it.
    ///
    /// # Errors
    /// When the bytes are no database, a truncated or corrupt one, or one in which no record
    /// tells the fact.
    pub fn from_bytes(bytes: impl Into<Arc<[u8]>>) -> Result<Self, GeoError> {
        Self::load(bytes.into(), Self::BYTES_MAX)
    }

    fn load(bytes: Arc<[u8]>, bytes_max: usize) -> Result<Self, GeoError> {
        if bytes.len() > bytes_max {
            return Err(GeoError::TooLarge {
                got: bytes.len(),
                max: bytes_max,
            });
        }
        let reader = Reader::from_source(Arc::clone(&bytes))
            .map_err(|error| GeoError::NotADatabase(error.to_string()))?;
        let facts = read_facts(&reader, &bytes)?;
        if facts.is_empty() {
            return Err(field_missing::<F>(&reader.metadata().database_type));
        }
        Ok(Self {
            reader: Arc::new(reader),
            facts: facts.into(),
        })
    }

    /// What the database tells of `ip`: never `Unavailable`. An IPv6 address in a database of IPv4
    /// addresses is unlisted: which family it uses is the client's choice, so it must not be what
    /// makes a rule not match.
    ///
    /// Hot path: runs per request, allocates nothing.
    #[must_use]
    pub fn look_up(&self, ip: Ip) -> Known<F> {
        if !ip.is_ipv4() && self.reader.metadata().ip_version == 4 {
            return Known::Unlisted;
        }
        // It fails only for a tree that loading would have refused.
        let found = self.reader.lookup(ip.as_std()).ok();
        let fact = found
            .and_then(|found| u32::try_from(found.offset()?).ok())
            .and_then(|offset| self.fact(offset));
        fact.map_or(Known::Unlisted, Known::Is)
    }

    fn fact(&self, offset: u32) -> Option<F> {
        let at = self
            .facts
            .binary_search_by_key(&offset, |(offset, _)| *offset);
        self.facts.get(at.ok()?).map(|(_, fact)| *fact)
    }
}

impl<F: Fact> std::fmt::Debug for GeoDatabase<F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("GeoDatabase")
            .field("database_type", &self.reader.metadata().database_type)
            .field("facts", &self.facts.len())
            .finish_non_exhaustive()
    }
}

/// The databases that are configured and could be read.
#[derive(Debug, Default)]
pub struct GeoDatabases {
    /// Tells countries.
    pub country: Option<GeoDatabase<Country>>,
    /// Tells autonomous systems.
    pub asn: Option<GeoDatabase<Asn>>,
    /// Those that are configured and could not be read.
    pub unusable: UnusableDatabases,
}

/// Which of the databases that are configured could not be read, the last time that they were.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UnusableDatabases {
    /// The one that tells countries.
    pub country: bool,
    /// The one that tells autonomous systems.
    pub asn: bool,
}

impl GeoDatabases {
    /// These databases, and in the place of each that is unusable the one in `old`: a file that is
    /// being written must not take away what was known.
    #[must_use]
    pub fn or_last_good(&self, old: &Self) -> Self {
        let Self {
            country,
            asn,
            unusable,
        } = self;
        Self {
            country: last_good(country.as_ref(), unusable.country, old.country.as_ref()),
            asn: last_good(asn.as_ref(), unusable.asn, old.asn.as_ref()),
            unusable: *unusable,
        }
    }

    /// Where `ip` is; what a missing database would tell is `Unavailable`.
    ///
    /// Hot path: runs per request, allocates nothing.
    #[must_use]
    pub fn place(&self, ip: Ip) -> Place {
        Place {
            country: look_up(self.country.as_ref(), ip),
            asn: look_up(self.asn.as_ref(), ip),
        }
    }
}

fn last_good<F: Fact>(
    new: Option<&GeoDatabase<F>>,
    is_unusable: bool,
    old: Option<&GeoDatabase<F>>,
) -> Option<GeoDatabase<F>> {
    if is_unusable { old } else { new }.cloned()
}

fn look_up<F: Fact>(database: Option<&GeoDatabase<F>>, ip: Ip) -> Known<F> {
    database.map_or(Known::Unavailable, |database| database.look_up(ip))
}

/// Decodes each record that the search tree leads to.
fn read_facts<F: Fact>(
    reader: &Reader<Arc<[u8]>>,
    bytes: &[u8],
) -> Result<Vec<(u32, F)>, GeoError> {
    let sections = tree::sections(bytes, reader.metadata())?;
    let mut records = Records::new(sections.data);
    let mut facts = Vec::new();
    for offset in sections.record_offsets()? {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        if let Some(fact) = read_fact::<F>(&mut records, at)? {
            facts.push((offset, fact));
        }
    }
    Ok(facts)
}

/// The fact that one record tells.
fn read_fact<F: Fact>(records: &mut Records<'_>, offset: usize) -> Result<Option<F>, GeoError> {
    for path in F::FIELDS {
        match records.field(offset, path)? {
            Some(Field::Text(text)) => return Ok(F::from_text(text)),
            Some(Field::Number(number)) => return Ok(F::from_number(number)),
            None => {}
        }
    }
    Ok(None)
}

fn field_missing<F: Fact>(database_type: &str) -> GeoError {
    let excerpt = database_type.chars().take(EXCERPT_CHARS);
    let fields: Vec<String> = F::FIELDS.iter().map(|path| path.join(".")).collect();
    GeoError::FieldMissing {
        database_type: excerpt.flat_map(char::escape_default).collect(),
        wanted: F::NAME,
        fields: fields.join(", "),
    }
}
