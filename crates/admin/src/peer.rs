//! Who is at the other end of a connection.

use tokio::net::UnixStream;

/// The kernel's number of a user.
pub(crate) type UserId = u32;

/// Root's number.
const ROOT: UserId = 0;

/// Who is at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller {
    /// Somebody, over TCP.
    Network,
    /// A process of this user, by the kernel's word (`SO_PEERCRED`, unix(7)): the effective user
    /// at the time of connect(2).
    User(UserId),
    /// A process whose user the kernel didn't tell.
    UnknownUser,
}

impl Caller {
    /// Who is at the other end of `stream`.
    pub(crate) fn of(stream: &UnixStream) -> Self {
        stream
            .peer_cred()
            .map_or(Self::UnknownUser, |peer| Self::User(peer.uid()))
    }

    /// Whether the caller may use the socket of a process that runs as `owner`: its own user and
    /// root may.
    pub(crate) fn may_administer(self, owner: UserId) -> bool {
        match self {
            Self::User(user) => user == owner || user == ROOT,
            Self::Network | Self::UnknownUser => false,
        }
    }
}

/// The user whose rights this process has.
pub(crate) fn own_user() -> UserId {
    rustix::process::geteuid().as_raw()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(caller: Caller, owner: UserId, expected: bool) {
        assert_eq!(
            caller.may_administer(owner),
            expected,
            "{caller:?} of {owner}"
        );
    }

    #[test]
    fn the_owner_and_root_alone_may_administer() {
        check(Caller::User(990), 990, true);
        check(Caller::User(ROOT), 990, true);
        check(Caller::User(1000), 990, false);
        check(Caller::User(990), ROOT, false);
        check(Caller::Network, 990, false);
        check(Caller::Network, ROOT, false);
        check(Caller::UnknownUser, 990, false);
    }

    #[tokio::test]
    async fn the_kernel_tells_who_calls() {
        let (here, _there) = UnixStream::pair().unwrap();
        assert_eq!(Caller::of(&here), Caller::User(own_user()));
    }
}
