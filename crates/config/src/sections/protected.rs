//! `sites.protected`: parts of a site that not everybody gets to.

use std::path::Path;
use std::sync::Arc;

use http::HeaderName;
use palisade_access::{Action, BlockStatus, Condition, CountryCondition, Field, Rule};
use palisade_authentication::Users;
use palisade_gate::{AllowedMethods, BasicAuthentication, CertificateNames, ProtectedPath};
use palisade_vocabulary::{CidrSet, Mode, RuleId};

use super::conditions::{CountryWord, MATCH, ReadCondition};
use super::credentials::read_private;
use super::header_edits::EditableName;
use super::rules::ReadRule;
use crate::Location;
use crate::problem::quoted;
use crate::reader::{
    AnyKey, Choice, Context, Defaulted, EachOf, Either, Fields, FilePath, Flag, FromText, Key,
    ListOf, Nested, OneOrList, Optional, Ranges, Required, ScalarKind, Shape, Status, Table,
    TableInfo, Text,
};

/// The most protected paths of a site.
const PROTECTED_MAX: usize = 1_000;
const COUNTRIES_MAX: usize = 1_000;
const METHODS_MAX: usize = 50;
const NAMES_MAX: usize = 1_000;

pub(super) const PROTECTED: EachOf<Table<ReadProtected>> = EachOf(ListOf {
    of: Table { info: &INFO, lower },
    min: 0,
    max: PROTECTED_MAX,
});

/// A protected path, with what the checks between sections need.
#[derive(Debug)]
pub(super) struct ReadProtected {
    pub(super) path: ProtectedPath,
    pub(super) read: ReadRule,
    /// Where it asks for a certificate.
    pub(super) certificate_at: Option<Location>,
    /// Where it asks for a password.
    pub(super) basic_at: Option<Location>,
}

static INFO: TableInfo = TableInfo {
    name: "sites.protected",
    about: "A part of the site, and what a client has to fulfil to get there: all that is named here, and all of every entry that it is for. No access rule lifts it; only `trusted_clients` pass.",
    keys: &[
        &ID,
        &MATCH_KEY,
        &ADDRESSES,
        &COUNTRIES,
        &METHODS,
        &CLIENT_CERTIFICATE,
        &BASIC_AUTHENTICATION,
        &STATUS,
    ],
    later: &[],
};

static ID: Key<FromText<RuleId>, Required> = Key::new(
    "id",
    FromText::new("a name of A-Z a-z 0-9 . _ -, at most 64"),
    Required,
    "Its name in logs; no access rule and no other entry has it.",
);
static MATCH_KEY: Key<Nested<ReadCondition>, Required> = Key::new(
    "match",
    Nested(&MATCH),
    Required,
    "Which requests it is for, as in access rules, but without `country` and `asn`: where these can't be known, the path would lie open. `{}` is the whole site.",
);
static ADDRESSES: Key<Ranges, Optional> = Key::new(
    "addresses",
    Ranges,
    Optional,
    "Where clients must be: addresses, ranges, `$` and the name of a list. Absent: anywhere.",
);
static COUNTRIES: Key<OneOrList<CountryWord>, Optional> = Key::new(
    "countries",
    OneOrList {
        of: CountryWord,
        max: COUNTRIES_MAX,
    },
    Optional,
    "The countries where clients must be (`DE`), from `geo.country_database`. A client whose country can't be known is refused, unless `unknown` is named.",
);
static METHODS: Key<OneOrList<MethodName>, Optional> = Key::new(
    "methods",
    OneOrList {
        of: MethodName,
        max: METHODS_MAX,
    },
    Optional,
    "What clients may do: `GET`. HEAD is not part of it.",
);
static CLIENT_CERTIFICATE: Key<Either<AnyCertificate, Table<CertificateNames>>, Optional> =
    Key::new(
        "client_certificate",
        Either {
            plain: AnyCertificate,
            table: CERTIFICATE,
        },
        Optional,
        "`required`: clients show a certificate that an authority of the listener signed (`listeners.tls.client_certificates`). Or whose.",
    );
static BASIC_AUTHENTICATION: Key<Table<BasicAuthentication>, Optional> = Key::new(
    "basic_authentication",
    BASIC,
    Optional,
    "Clients say who they are, and know the password (RFC 7617). Failures count for `lockout`.",
);
static STATUS: Key<Status, Optional> = Key::new(
    "status",
    Status { min: 400, max: 599 },
    Optional,
    "The status of the answer to who doesn't fulfil `addresses`, `countries`, `methods` or `client_certificate`. Absent: 405 for a method, else `blocking.status`. Who lacks the password gets 401 ever.",
);

fn lower(fields: &Fields<'_>) -> Option<ReadProtected> {
    let (id, condition) = (fields.get(&ID), read_condition(fields));
    let (addresses, countries) = (fields.get(&ADDRESSES), read_countries(fields));
    let (methods, certificate) = (read_methods(fields), fields.get(&CLIENT_CERTIFICATE));
    let (basic, status) = (fields.get(&BASIC_AUTHENTICATION), read_status(fields));
    report_open(fields);
    let (condition, addresses): (ReadCondition, Option<CidrSet>) = (condition?, addresses?);
    let rule = Rule {
        id: id?,
        condition: condition.condition,
        action: Action::Log,
        mode: Mode::Block,
        reason: None,
        place: fields.location().to_string().into(),
    };
    let path = ProtectedPath {
        rule: rule.clone(),
        addresses,
        countries: countries?,
        methods: methods?,
        client_certificate: certificate?,
        basic_authentication: basic?,
        status: status?,
    };
    let place = |key: &dyn AnyKey| fields.has(key).then(|| fields.location_of(key).clone());
    Some(ReadProtected {
        read: ReadRule {
            rule,
            location: fields.location().clone(),
            // What its countries need is told by itself.
            uses_country: false,
            uses_asn: false,
        },
        path,
        certificate_at: place(&CLIENT_CERTIFICATE),
        basic_at: place(&BASIC_AUTHENTICATION),
    })
}

fn read_condition(fields: &Fields<'_>) -> Option<ReadCondition> {
    let condition = fields.get(&MATCH_KEY)?;
    let (context, place) = (fields.context(), fields.location_of(&MATCH_KEY));
    // What looks protected would lie open.
    for fault in &condition.unmatchable {
        context.error(&fault.location, &*fault.message);
    }
    if condition.uses_country || condition.uses_asn {
        let message = "`country` and `asn` can't say what is protected: where they can't be known, the path would lie open. Say under `countries` who may pass";
        context.error(place, message);
        return None;
    }
    if asks_for(&condition.condition, is_header) {
        let message = "whether this is protected depends on header fields, which are the client's own word: it can leave them out, or make them up";
        context.warning(place, message);
    }
    Some(condition)
}

impl ReadProtected {
    /// Whether the form of a path decides if it is protected.
    pub(super) fn asks_for_path(&self) -> bool {
        let is_path = |field: &Field| matches!(field, Field::Path | Field::RawPath);
        asks_for(&self.path.rule.condition, is_path)
    }
}

/// What a client can send or leave out as it likes, for the same path.
fn is_header(field: &Field) -> bool {
    matches!(
        field,
        Field::UserAgent | Field::Header(_) | Field::Cookie(_)
    )
}

/// Whether a condition asks for such a field.
fn asks_for(condition: &Condition, is_such: fn(&Field) -> bool) -> bool {
    match condition {
        Condition::All(parts) | Condition::Any(parts) => {
            parts.iter().any(|part| asks_for(part, is_such))
        }
        Condition::Not(part) => asks_for(part, is_such),
        Condition::Text(text) => is_such(text.field()),
        Condition::Address(_) | Condition::Country(_) | Condition::Asn(_) => false,
    }
}

fn read_countries(fields: &Fields<'_>) -> Option<Option<CountryCondition>> {
    let Some(words) = fields.get(&COUNTRIES)? else {
        return Some(None);
    };
    let unknown = words.contains(&None);
    let made = CountryCondition::new(words.into_iter().flatten(), unknown);
    fields.accept(made, &COUNTRIES).map(Some)
}

fn read_methods(fields: &Fields<'_>) -> Option<Option<AllowedMethods>> {
    let Some(methods) = fields.get(&METHODS)? else {
        return Some(None);
    };
    // Each was read as a method.
    AllowedMethods::new(methods).map(Some)
}

fn read_status(fields: &Fields<'_>) -> Option<Option<BlockStatus>> {
    match fields.get(&STATUS)? {
        Some(status) => fields
            .accept(BlockStatus::try_from(status), &STATUS)
            .map(Some),
        None => Some(None),
    }
}

/// An entry that asks for nothing looks as if it protected something.
fn report_open(fields: &Fields<'_>) {
    let demands: [&dyn AnyKey; 5] = [
        &ADDRESSES,
        &COUNTRIES,
        &METHODS,
        &CLIENT_CERTIFICATE,
        &BASIC_AUTHENTICATION,
    ];
    if demands.into_iter().any(|key| fields.has(key)) {
        return;
    }
    let names = demands.map(|key| format!("`{}`", key.name()));
    let message = format!(
        "this protects nothing; name at least one of {}",
        names.join(", ")
    );
    fields.context().error(fields.location(), message);
}

/// A method (RFC 9110 section 9.1).
struct MethodName;

impl ScalarKind for MethodName {
    type Value = Box<str>;

    fn parse(&self, text: &str) -> Result<Box<str>, String> {
        let is_method = http::Method::from_bytes(text.as_bytes()).is_ok();
        if !is_method || text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(format!(
                "{} is not a method; expected one in upper case, like GET",
                quoted(text)
            ));
        }
        Ok(text.into())
    }

    fn shape(&self) -> Shape {
        Shape::Text("a method like GET")
    }
}

/// The word for any certificate.
pub(super) struct AnyCertificate;

impl ScalarKind for AnyCertificate {
    type Value = CertificateNames;

    fn parse(&self, text: &str) -> Result<CertificateNames, String> {
        REQUIRED.parse(text).map(|()| CertificateNames::default())
    }

    fn shape(&self) -> Shape {
        ScalarKind::shape(&REQUIRED)
    }
}

const REQUIRED: Choice<()> = Choice {
    words: &[("required", ())],
    later: &[],
};

const CERTIFICATE: Table<CertificateNames> = Table {
    info: &CERTIFICATE_INFO,
    lower: |fields| Some(CertificateNames::new(fields.get(&NAMES)?)),
};

static CERTIFICATE_INFO: TableInfo = TableInfo {
    name: "sites.protected.client_certificate",
    about: "Whose certificate.",
    keys: &[&NAMES],
    later: &[],
};

static NAMES: Key<OneOrList<CertificateName>, Required> = Key::new(
    "names",
    OneOrList {
        of: CertificateName,
        max: NAMES_MAX,
    },
    Required,
    "The common name of its subject, or an alternative name (DNS, e-mail, URI), is one of these. `*.` in front stands for one label; letter case doesn't count. An authority of any listener may have signed it.",
);

/// A name in a certificate.
struct CertificateName;

impl ScalarKind for CertificateName {
    type Value = Box<str>;

    fn parse(&self, text: &str) -> Result<Box<str>, String> {
        const LEN_MAX: usize = 255;
        let rest = text.strip_prefix("*.").unwrap_or(text);
        if rest.is_empty() || rest.contains('*') || text.len() > LEN_MAX {
            return Err(format!(
                "{} is not a name; expected one like alice or \"*.ops.example.com\", at most {LEN_MAX} bytes, with a star in front alone",
                quoted(text)
            ));
        }
        Ok(text.into())
    }

    fn shape(&self) -> Shape {
        Shape::Text("a name like alice or \"*.ops.example.com\"")
    }
}

const BASIC: Table<BasicAuthentication> = Table {
    info: &BASIC_INFO,
    lower: lower_basic,
};

static BASIC_INFO: TableInfo = TableInfo {
    name: "sites.protected.basic_authentication",
    about: "A name and a password. Over plain HTTP both can be read on the way.",
    keys: &[&FILE, &REALM, &FORWARD_CREDENTIALS, &USER_HEADER],
    later: &[],
};

static FILE: Key<FilePath, Required> = Key::new(
    "file",
    FilePath {
        what: "the path of a users file",
    },
    Required,
    "The users: a line `user:hash` each, as `htpasswd -B` makes it; read again when it changes. Hashes are bcrypt (cost up to 14), argon2id (up to 64 MiB and 10 passes) or SHA-crypt (`$5$`, `$6$`, up to 1,000,000 rounds).",
);
static REALM: Key<Text, Defaulted> = Key::new(
    "realm",
    Text {
        what: "a realm",
        len_max: 128,
    },
    Defaulted("Restricted"),
    "What browsers show to who is asked.",
);
static FORWARD_CREDENTIALS: Key<Flag, Defaulted> = Key::new(
    "forward_credentials",
    Flag,
    Defaulted("false"),
    "Whether the backend gets the `Authorization` header, password included. While the site only detects, it does.",
);
static USER_HEADER: Key<EditableName, Optional> = Key::new(
    "user_header",
    EditableName,
    Optional,
    "The header that tells the backend which user it is. What clients send by this name is removed, on the whole site.",
);

fn lower_basic(fields: &Fields<'_>) -> Option<BasicAuthentication> {
    let (file, realm) = (fields.get(&FILE), fields.get(&REALM));
    let (forwards, user_header) = (fields.get(&FORWARD_CREDENTIALS), fields.get(&USER_HEADER));
    let users =
        file.and_then(|file| read_users(&file, fields.location_of(&FILE), fields.context()));
    let user_header: Option<HeaderName> = user_header?;
    // A text on one line has no control character.
    let challenge = BasicAuthentication::challenge(&realm?)?;
    Some(BasicAuthentication {
        users: users?,
        challenge,
        forwards_credentials: forwards?,
        user_header,
    })
}

fn read_users(path: &Path, named_at: &Location, context: &Context<'_>) -> Option<Arc<Users>> {
    let bytes = read_private(path, Users::FILE_BYTES_MAX, named_at, context)?;
    match Users::parse(&bytes) {
        Ok(users) => Some(Arc::new(users)),
        Err(bad_lines) => {
            let file: Arc<Path> = path.into();
            for bad in bad_lines {
                let place = Location::new(Arc::clone(&file), bad.number, 1);
                context.error(&place, bad.error.to_string());
            }
            None
        }
    }
}
