//! Protected paths: what a client has to fulfil to get to a part of a site.

use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use palisade_access::{BlockStatus, BuildError, CountryCondition, Rule, Scratch};
use palisade_authentication::Users;
use palisade_vocabulary::{CidrSet, Known, RequestView};
use smallvec::SmallVec;

use crate::{ClientCertificate, Rules};

/// A part of a site, and who may go there: what isn't asked for is `None`.
#[derive(Clone, Debug)]
pub struct ProtectedPath {
    /// Which requests are for it. Its action is [`palisade_access::Action::Log`], so that all that a
    /// request is for are found.
    pub rule: Rule,
    /// Where clients must be.
    pub addresses: Option<CidrSet>,
    /// Where they must be; whose country can't be known isn't there.
    pub countries: Option<CountryCondition>,
    /// What they may do.
    pub methods: Option<AllowedMethods>,
    /// Whose certificate they must show.
    pub client_certificate: Option<CertificateNames>,
    /// Whose password they must know.
    pub basic_authentication: Option<BasicAuthentication>,
    /// What others than those who lack credentials are answered with.
    pub status: Option<BlockStatus>,
}

/// The methods that a path may be asked with.
#[derive(Clone, Debug)]
pub struct AllowedMethods {
    allowed: Box<[Box<str>]>,
    field: HeaderValue,
}

impl AllowedMethods {
    /// `None` where one of them is none (RFC 9110 section 9.1), or there is none.
    #[must_use]
    pub fn new(methods: impl IntoIterator<Item = Box<str>>) -> Option<Self> {
        let allowed: Box<[Box<str>]> = methods.into_iter().collect();
        let are_methods = allowed
            .iter()
            .all(|method| http::Method::from_bytes(method.as_bytes()).is_ok());
        let field = HeaderValue::from_str(&allowed.join(", ")).ok()?;
        (are_methods && !allowed.is_empty()).then_some(Self { allowed, field })
    }

    /// The value of `Allow` (RFC 9110 section 10.2.1).
    #[must_use]
    pub fn field(&self) -> &HeaderValue {
        &self.field
    }
}

/// Whose certificates are accepted: those with one of these names, or all that an authority of the
/// listener signed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CertificateNames {
    /// Lower case; `*.` in front stands for one label.
    names: Box<[Box<str>]>,
}

impl CertificateNames {
    /// Certificates with one of `names`, whose letter case doesn't count; `*.example.com` stands for one
    /// label before `.example.com`. None: any certificate.
    #[must_use]
    pub fn new(names: impl IntoIterator<Item = Box<str>>) -> Self {
        let names = names.into_iter().map(|name| name.to_lowercase().into());
        Self {
            names: names.collect(),
        }
    }

    /// Whether a certificate is one of these.
    #[must_use]
    pub fn accept(&self, certificate: &ClientCertificate) -> bool {
        self.names.is_empty() || certificate.names().any(|name| self.is_named(name))
    }

    fn is_named(&self, name: &str) -> bool {
        self.names
            .iter()
            .any(|wanted| match wanted.strip_prefix("*.") {
                Some(parent) => {
                    let labels = name.split_once('.');
                    labels.is_some_and(|(label, rest)| !label.is_empty() && rest == parent)
                }
                None => **wanted == *name,
            })
    }
}

/// Who is asked for a name and a password.
#[derive(Clone, Debug)]
pub struct BasicAuthentication {
    /// Who may pass.
    pub users: Arc<Users>,
    /// The value of `WWW-Authenticate` (RFC 7617 section 2).
    pub challenge: HeaderValue,
    /// Whether the backend gets the credentials.
    pub forwards_credentials: bool,
    /// The field that tells the backend who it is.
    pub user_header: Option<HeaderName>,
}

impl BasicAuthentication {
    /// The value of `WWW-Authenticate` for a realm; `None` where it has control characters.
    #[must_use]
    pub fn challenge(realm: &str) -> Option<HeaderValue> {
        let realm = realm.replace('\\', "\\\\").replace('"', "\\\"");
        let value = format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
        HeaderValue::from_bytes(value.as_bytes()).ok()
    }
}

/// What a client has to fulfil.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demand {
    /// An address.
    Address,
    /// A country.
    Country,
    /// A method.
    Method,
    /// A certificate of its own.
    ClientCertificate,
}

impl Demand {
    /// Its name in logs.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Country => "country",
            Self::Method => "method",
            Self::ClientCertificate => "client_certificate",
        }
    }
}

impl ProtectedPath {
    /// What is asked for besides credentials, in order, and whether it is fulfilled. Hot path: runs for
    /// requests for a protected path, allocates nothing.
    pub fn demands(
        &self,
        view: &RequestView<'_>,
        certificate: Option<&ClientCertificate>,
    ) -> impl Iterator<Item = (Demand, bool)> + use<> {
        let addresses = self.addresses.as_ref();
        let address = addresses.map(|addresses| addresses.contains(view.client.ip));
        let country = self
            .countries
            .as_ref()
            .map(|wanted| match view.place.country {
                Known::Is(country) => wanted.countries().contains(&country),
                Known::Unlisted | Known::Unavailable => wanted.holds_if_unknown(),
            });
        let methods = self.methods.as_ref().map(|methods| &methods.allowed);
        let method = methods.map(|allowed| allowed.iter().any(|method| **method == *view.method));
        let names = self.client_certificate.as_ref();
        let certificate = names.map(|names| certificate.is_some_and(|shown| names.accept(shown)));
        let demands = [
            (Demand::Address, address),
            (Demand::Country, country),
            (Demand::Method, method),
            (Demand::ClientCertificate, certificate),
        ];
        let asked = demands.into_iter();
        asked.filter_map(|(demand, holds)| Some((demand, holds?)))
    }
}

/// Where protected paths stand among those of their site, from 0.
pub type Positions = SmallVec<[u32; 2]>;

/// The protected paths of a site, compiled together.
#[derive(Debug)]
pub struct Protected {
    rules: Rules,
    paths: Box<[ProtectedPath]>,
    user_headers: Box<[HeaderName]>,
}

impl Protected {
    /// Compiles them.
    ///
    /// # Errors
    /// All that keeps them from being compiled together.
    pub fn build(paths: Vec<ProtectedPath>) -> Result<Self, Vec<BuildError>> {
        let rules = paths.iter().map(|path| path.rule.clone()).collect();
        let headers = paths.iter().filter_map(|path| {
            let basic = path.basic_authentication.as_ref()?;
            basic.user_header.clone()
        });
        Ok(Self {
            rules: Rules::build(rules)?,
            user_headers: headers.collect(),
            paths: paths.into(),
        })
    }

    /// The conditions by which they are found.
    #[must_use]
    pub fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether any asks where a client is.
    #[must_use]
    pub fn needs_place(&self) -> bool {
        self.rules.needs_place() || self.paths.iter().any(|path| path.countries.is_some())
    }

    /// The fields that tell backends who a client is: no client may send one, whatever it asks for.
    #[must_use]
    pub fn user_headers(&self) -> &[HeaderName] {
        &self.user_headers
    }

    /// Those that a request is for, in file order. Hot path: runs per request, allocates nothing unless
    /// there are more than two.
    pub fn matching(&self, view: &RequestView<'_>, scratch: &mut Scratch) -> Positions {
        match self.is_empty() {
            true => Positions::new(),
            false => {
                let ruling = self.rules.set().evaluate(view, scratch);
                ruling.recorded_positions().collect()
            }
        }
    }

    /// Those at `positions`.
    pub fn at(&self, positions: &[u32]) -> impl Iterator<Item = &ProtectedPath> {
        positions
            .iter()
            .filter_map(|position| self.paths.get(*position as usize))
    }
}

#[cfg(test)]
mod tests;
