//! A client's certificate, as the checks see it.

/// What a certificate says of the client that showed it. That an authority signed it was verified
/// before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificate {
    names: Box<[Box<str>]>,
}

impl ClientCertificate {
    /// The most names that are looked at: by those beyond nobody is found.
    pub const NAMES_MAX: usize = 100;

    /// A certificate with these names: of its subject, and alternative ones. Letter case doesn't count.
    #[must_use]
    pub fn new<'n>(names: impl IntoIterator<Item = &'n str>) -> Self {
        let names = names.into_iter().take(Self::NAMES_MAX);
        Self {
            names: names.map(|name| name.to_lowercase().into()).collect(),
        }
    }

    /// Its names, lower case.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(|name| &**name)
    }
}
