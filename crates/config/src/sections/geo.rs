//! `geo`: databases that tell where an address is.

use std::path::PathBuf;
use std::sync::Arc;

use palisade_geo::{Fact, GeoDatabase, GeoDatabases, UnusableDatabases};
use palisade_vocabulary::{Asn, Country};

use crate::reader::{Defaulted, Fields, FilePath, Flag, Key, Optional, Table, TableInfo};

pub(super) const GEO: Table<Arc<GeoDatabases>> = Table { info: &INFO, lower };

static INFO: TableInfo = TableInfo {
    name: "geo",
    about: "Databases in MaxMind's format (.mmdb), for `country` and `asn` in rules and for decisions of these scopes.",
    keys: &[&COUNTRY, &ASN, &REQUIRED],
    later: &[],
};

static COUNTRY: Key<FilePath, Optional> = Key::new(
    "country_database",
    DATABASE_PATH,
    Optional,
    "Tells the country of an address.",
);
static ASN: Key<FilePath, Optional> = Key::new(
    "asn_database",
    DATABASE_PATH,
    Optional,
    "Tells the autonomous system of an address.",
);
static REQUIRED: Key<Flag, Defaulted> = Key::new(
    "required",
    Flag,
    Defaulted("false"),
    "`true`: a database that is missing or corrupt is an error. `false`: a warning; what was loaded before is used on, and without it what it would have told is unknown.",
);

const DATABASE_PATH: FilePath = FilePath {
    what: "the path of a .mmdb file",
};

fn lower(fields: &Fields<'_>) -> Option<Arc<GeoDatabases>> {
    let required = fields.get(&REQUIRED);
    let (country, asn) = (fields.get(&COUNTRY), fields.get(&ASN));
    let (required, country, asn) = (required?, country?, asn?);
    let (asks_country, asks_asn) = (country.is_some(), asn.is_some());
    let country = open::<Country>(fields, &COUNTRY, country, required);
    let asn = open::<Asn>(fields, &ASN, asn, required);
    let (country, asn) = (country?, asn?);
    let unusable = UnusableDatabases {
        country: asks_country && country.is_none(),
        asn: asks_asn && asn.is_none(),
    };
    Some(Arc::new(GeoDatabases {
        country,
        asn,
        unusable,
    }))
}

/// `Some(None)` where there is no database, or where it can't be read and needn't be.
fn open<F: Fact>(
    fields: &Fields<'_>,
    key: &'static Key<FilePath, Optional>,
    path: Option<PathBuf>,
    required: bool,
) -> Option<Option<GeoDatabase<F>>> {
    let Some(path) = path else {
        return Some(None);
    };
    let context = fields.context();
    let bytes_max = u64::try_from(GeoDatabase::<F>::BYTES_MAX).unwrap_or(u64::MAX);
    let read = context
        .try_read_file(&path, bytes_max)
        .map_err(|error| error.to_string());
    let opened = read
        .and_then(|file| GeoDatabase::from_bytes(file.bytes).map_err(|error| error.to_string()));
    match opened {
        Ok(database) => Some(Some(database)),
        Err(message) if required => {
            context.error(
                fields.location_of(key),
                format!("{}: {message}", path.display()),
            );
            None
        }
        Err(message) => {
            let message = format!(
                "{}: {message}; until then, what was loaded before is used; without it rules that ask for it don't match",
                path.display()
            );
            context.warning(fields.location_of(key), message);
            Some(None)
        }
    }
}
