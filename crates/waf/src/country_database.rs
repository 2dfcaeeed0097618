//! Where addresses are, by a database in MaxMind's format: what `@geoLookup` asks.

use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use palisade_geo::{GeoDatabase, GeoError};
use palisade_seclang::{Countries, Location};
use palisade_vocabulary::{Country, Known};

/// A database of countries. It tells `GEO:COUNTRY_CODE`; names and continents, which not all databases
/// have, it doesn't.
#[derive(Clone, Debug)]
pub struct CountryDatabase(GeoDatabase<Country>);

/// Why a file is no database of countries.
#[derive(Debug, thiserror::Error)]
pub enum CountryDatabaseError {
    /// It can't be read.
    #[error("can't read {path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It can't answer.
    #[error("{path}: {error}", path = path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        error: GeoError,
    },
}

impl CountryDatabase {
    /// Reads a file, of at most 1 GiB.
    ///
    /// # Errors
    /// Where the file can't be read, or is no database that tells countries.
    pub fn open(path: &Path) -> Result<Self, CountryDatabaseError> {
        let unreadable = |error| CountryDatabaseError::Unreadable {
            path: path.to_owned(),
            error,
        };
        let file = File::open(path).map_err(unreadable)?;
        let max = u64::try_from(GeoDatabase::<Country>::BYTES_MAX).unwrap_or(u64::MAX);
        let mut bytes = Vec::new();
        let mut file = file.take(max.saturating_add(1));
        file.read_to_end(&mut bytes).map_err(unreadable)?;
        let database = GeoDatabase::from_bytes(bytes);
        database
            .map(Self)
            .map_err(|error| CountryDatabaseError::Unusable {
                path: path.to_owned(),
                error,
            })
    }
}

impl From<GeoDatabase<Country>> for CountryDatabase {
    fn from(database: GeoDatabase<Country>) -> Self {
        Self(database)
    }
}

impl Countries for CountryDatabase {
    fn country(&self, address: IpAddr) -> Option<Location> {
        match self.0.look_up(address.into()) {
            Known::Is(country) => Some(Location {
                country,
                country_name: None,
                continent: None,
            }),
            Known::Unlisted | Known::Unavailable => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;
    use std::time::Duration;

    use palisade_seclang::{
        CompileOptions, Connection, RequestHead, Transaction, Worker, WorkerOptions, compile,
    };
    use palisade_testkit::mmdb::country_database;

    use super::*;
    use crate::RuleFolder;

    /// `TX:country` after a rule has looked for where `ip` is, and the number of warnings.
    fn country(ip: &str) -> Option<String> {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("country.mmdb");
        let countries = [("192.0.2.0/24", "DE"), ("2001:db8::/32", "FR")];
        fs::write(&database, country_database(&countries)).unwrap();
        fs::write(
            folder.path().join("a.conf"),
            "SecRuleEngine On
             SecRule REMOTE_ADDR @geoLookup \"id:1,phase:1,pass,setvar:'tx.country=%{geo.country_code}'\"",
        )
        .unwrap();
        let files = RuleFolder::new(folder.path());
        let compiled = compile(
            &["a.conf"],
            &files,
            CompileOptions {
                has_countries: true,
                ..CompileOptions::default()
            },
        );
        assert_eq!(compiled.problems.counts(), (0, 0));
        let program = Arc::new(compiled.program.unwrap());
        let countries = CountryDatabase::open(&database).unwrap();
        let options = WorkerOptions {
            countries: Some(Arc::new(countries)),
            ..WorkerOptions::new(|| Duration::ZERO)
        };
        let mut worker = Worker::new(Arc::clone(&program), options);
        let connection = Connection {
            client: (ip.parse::<IpAddr>().unwrap(), 1).into(),
            server: ([192, 0, 2, 80], 443).into(),
            unique_id: "unique",
        };
        let mut transaction = Transaction::begin(&mut worker, &connection);
        let head = RequestHead {
            line: b"GET / HTTP/1.1",
            method: b"GET",
            target: b"/",
            protocol: b"HTTP/1.1",
            headers: &[],
        };
        transaction.request_head(&mut worker, &head);
        let country = transaction.tx(&program, "country")?;
        Some(String::from_utf8(country).unwrap())
    }

    #[test]
    fn geo_lookup_asks_the_database() {
        #[track_caller]
        fn check(ip: &str, expected: Option<&str>) {
            assert_eq!(country(ip).as_deref(), expected, "{ip}");
        }
        check("192.0.2.7", Some("DE"));
        check("2001:db8::1", Some("FR"));
        check("::ffff:192.0.2.7", Some("DE"));
        check("198.51.100.1", None);
    }

    #[test]
    fn what_is_no_database_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.mmdb");
        let problem = || CountryDatabase::open(&path).unwrap_err().to_string();
        assert!(problem().contains("can't read "), "{}", problem());
        fs::write(&path, "no database").unwrap();
        let expected = "x.mmdb: not a MaxMind database (.mmdb)";
        assert!(problem().contains(expected), "{}", problem());
    }
}
