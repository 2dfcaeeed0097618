//! Whose PROXY header counts.

use palisade_vocabulary::{CidrSet, Ip};

use super::ProxyRefusal;

/// Whether a connection has to start with a PROXY header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyMode {
    /// Every connection starts with one (section 2: the receiver "MUST not try to guess").
    Required,
    /// A connection may start with one. Departs from the specification; safe only because nobody
    /// but the peers in [`ProxyPolicy::from`] is listened to.
    Optional,
}

impl ProxyMode {
    /// As the settings name it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
        }
    }
}

/// Which peers of a listener may, or have to, send a PROXY header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyPolicy {
    /// Whether a header is required.
    pub mode: ProxyMode,
    /// The only peers whose header counts (section 2: "only trusted proxies are allowed to use this
    /// protocol").
    pub from: CidrSet,
}

/// What to do with the first bytes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForPeer {
    /// [`decode`](super::decode) them.
    Parse,
    /// Close the connection before reading: [`ProxyRefusal::NotTrusted`].
    Refuse,
    /// Leave them to the protocol inside: a header that this peer sends is garbage to it.
    Skip,
}

impl ProxyPolicy {
    /// Whether a header that `peer` sends counts.
    #[must_use]
    pub fn may_send(&self, peer: Ip) -> bool {
        self.from.contains(peer)
    }

    /// What to do with the first bytes of a connection from `peer`.
    #[must_use]
    pub fn for_peer(&self, peer: Ip) -> ForPeer {
        match self.mode {
            _ if self.may_send(peer) => ForPeer::Parse,
            ProxyMode::Required => ForPeer::Refuse,
            ProxyMode::Optional => ForPeer::Skip,
        }
    }

    /// What to do when [`ForPeer::Parse`] found [`Decoded::NotProxy`](super::Decoded::NotProxy):
    /// go on with the bytes as they are, or refuse.
    ///
    /// # Errors
    /// [`ProxyRefusal::Missing`] where a header is required.
    pub fn without_header(&self) -> Result<(), ProxyRefusal> {
        match self.mode {
            ProxyMode::Required => Err(ProxyRefusal::Missing),
            ProxyMode::Optional => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use palisade_vocabulary::Cidr;

    #[track_caller]
    fn check(mode: ProxyMode, peer: &str, expected: ForPeer) {
        let from = ["10.0.0.0/8", "2001:db8::/32"].map(|range| range.parse::<Cidr>().unwrap());
        let policy = ProxyPolicy {
            mode,
            from: from.into_iter().collect(),
        };
        let peer = peer.parse().unwrap();
        assert_eq!(policy.for_peer(peer), expected, "{mode:?} {peer}");
        assert_eq!(
            policy.may_send(peer),
            expected == ForPeer::Parse,
            "{mode:?} {peer}"
        );
    }

    #[test]
    fn only_listed_peers_are_parsed() {
        use ProxyMode::{Optional, Required};
        check(Required, "10.1.2.3", ForPeer::Parse);
        check(Required, "::ffff:10.1.2.3", ForPeer::Parse);
        check(Required, "2001:db8::1", ForPeer::Parse);
        check(Required, "192.0.2.1", ForPeer::Refuse);
        check(Required, "::1", ForPeer::Refuse);
        check(Optional, "10.1.2.3", ForPeer::Parse);
        check(Optional, "192.0.2.1", ForPeer::Skip);
    }

    #[test]
    fn nobody_is_trusted_by_an_empty_list() {
        let policy = ProxyPolicy {
            mode: ProxyMode::Required,
            from: CidrSet::default(),
        };
        assert_eq!(
            policy.for_peer("127.0.0.1".parse().unwrap()),
            ForPeer::Refuse
        );
    }

    #[test]
    fn a_missing_header_is_refused_where_required() {
        let policy = |mode| ProxyPolicy {
            mode,
            from: CidrSet::default(),
        };
        assert_eq!(
            policy(ProxyMode::Required).without_header(),
            Err(ProxyRefusal::Missing)
        );
        assert_eq!(policy(ProxyMode::Optional).without_header(), Ok(()));
    }
}
