//! How Palisade itself finds out whether a server works.

use std::ops::RangeInclusive;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, PathAndQuery};

use super::{SettingsError, within};
use crate::address::excerpt;

/// The longest path or host that is asked for.
const TEXT_BYTES_MAX: usize = 2048;

/// How Palisade itself finds out whether a server works: it asks, beside the requests of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HealthCheck {
    /// What is asked.
    pub probe: Probe,
    /// How often, and how long an answer may take.
    pub pace: CheckPace,
    /// How many results in a row change a server's standing.
    pub thresholds: CheckThresholds,
}

/// What is asked of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// That a connection can be made, TLS included where the pool has it.
    Tcp,
    /// That a request is answered with a status that counts as good.
    Http(HttpProbe),
}

/// A request of Palisade's own, in what is spoken with the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpProbe {
    method: ProbeMethod,
    path: Arc<str>,
    host: Option<Arc<str>>,
    good: StatusRanges,
}

impl HttpProbe {
    /// `method` on `path`, answered with one of `good`. `host` is what the request asks for; `None`
    /// is the server's own address.
    ///
    /// # Errors
    /// When the path doesn't begin with `/`, or either holds what can't stand in a request's head, be
    /// it HTTP/1.1 or HTTP/2.
    pub fn new(
        method: ProbeMethod,
        path: &str,
        host: Option<&str>,
        good: StatusRanges,
    ) -> Result<Self, SettingsError> {
        let sendable = |text: &str| {
            (1..=TEXT_BYTES_MAX).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if !sendable(path) || !is_path(path) {
            return Err(SettingsError::CheckPath(excerpt(path)));
        }
        if let Some(host) = host.filter(|host| !sendable(host) || !is_authority(host)) {
            return Err(SettingsError::CheckHost(excerpt(host)));
        }
        Ok(Self {
            method,
            path: path.into(),
            host: host.map(Into::into),
            good,
        })
    }

    /// The method.
    #[must_use]
    pub const fn method(&self) -> ProbeMethod {
        self.method
    }

    /// The target of the request.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The `Host` of the request; `None` is the server's own address.
    #[must_use]
    pub fn host(&self) -> Option<&str> {
        self.host.as_deref()
    }

    /// The statuses that count as good.
    #[must_use]
    pub const fn good(&self) -> &StatusRanges {
        &self.good
    }
}

/// Whether `text` is a path, perhaps with a query: a fragment is none of it (RFC 9110 section 7.1).
fn is_path(text: &str) -> bool {
    let read = text.parse::<PathAndQuery>();
    text.starts_with('/') && read.is_ok_and(|read| read.as_str() == text)
}

/// Whether `text` can be what HTTP/2 calls authority: a host, perhaps with a port, and no user (RFC
/// 9113 section 8.3.1).
fn is_authority(text: &str) -> bool {
    let Ok(read) = text.parse::<Authority>() else {
        return false;
    };
    let is_whole = read.host() == text || read.port_u16().is_some();
    is_whole && !text.contains('@')
}

/// The method of a check: safe ones only (RFC 9110 section 9.2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ProbeMethod {
    /// GET.
    #[default]
    Get,
    /// HEAD.
    Head,
    /// OPTIONS.
    Options,
}

impl ProbeMethod {
    /// As it stands in a request.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }
}

/// Statuses from one to another, both included, in 200 to 599.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    first: u16,
    last: u16,
}

impl FromStr for StatusRange {
    type Err = SettingsError;

    /// `204` or `200-399`.
    fn from_str(text: &str) -> Result<Self, SettingsError> {
        let refused = || SettingsError::StatusRange(excerpt(text));
        let status = |text: &str| {
            let digits = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
            let status = text.parse().ok().filter(|_| digits);
            status.filter(|status| (200..=599).contains(status))
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let range = status(first).zip(status(last));
        let (first, last) = range
            .filter(|(first, last)| first <= last)
            .ok_or_else(refused)?;
        Ok(Self { first, last })
    }
}

/// Statuses that count as good: 1 to 16 ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatusRanges(Arc<[StatusRange]>);

impl StatusRanges {
    /// The most ranges.
    pub const RANGES_MAX: usize = 16;

    /// All of `ranges`.
    ///
    /// # Errors
    /// When there are none, or over 16.
    pub fn new(ranges: Vec<StatusRange>) -> Result<Self, SettingsError> {
        if (1..=Self::RANGES_MAX).contains(&ranges.len()) {
            Ok(Self(ranges.into()))
        } else {
            Err(SettingsError::StatusRanges(ranges.len()))
        }
    }

    /// Whether `status` is in one of them.
    #[must_use]
    pub fn contains(&self, status: u16) -> bool {
        let within = |range: &StatusRange| (range.first..=range.last).contains(&status);
        self.0.iter().any(within)
    }
}

impl Default for StatusRanges {
    /// 200 to 399.
    fn default() -> Self {
        let range = StatusRange {
            first: 200,
            last: 399,
        };
        Self([range].into())
    }
}

/// How often a server is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckPace {
    interval: Duration,
    timeout: Duration,
}

impl CheckPace {
    /// One check every `interval`, which has `timeout` for all of it.
    ///
    /// # Errors
    /// When one isn't in 10 ms to 1 h.
    pub fn new(interval: Duration, timeout: Duration) -> Result<Self, SettingsError> {
        const RANGE: RangeInclusive<Duration> =
            Duration::from_millis(10)..=Duration::from_secs(3600);
        Ok(Self {
            interval: within("health_check.interval", interval, RANGE)?,
            timeout: within("health_check.timeout", timeout, RANGE)?,
        })
    }

    /// From the end of one check to the start of the next.
    #[must_use]
    pub const fn interval(self) -> Duration {
        self.interval
    }

    /// For one check: connection, request and answer.
    #[must_use]
    pub const fn timeout(self) -> Duration {
        self.timeout
    }
}

impl Default for CheckPace {
    /// Every 5 s, 2 s each.
    fn default() -> Self {
        Self {
            interval: Duration::from_secs(5),
            timeout: Duration::from_secs(2),
        }
    }
}

/// How many results in a row change a server's standing: 1 to 100 each. The very first result
/// decides by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckThresholds {
    healthy_after: u16,
    unhealthy_after: u16,
}

impl CheckThresholds {
    /// Good again after `healthy_after` good results, bad after `unhealthy_after` bad ones.
    ///
    /// # Errors
    /// When one isn't in 1 to 100.
    pub fn new(healthy_after: u16, unhealthy_after: u16) -> Result<Self, SettingsError> {
        for (key, got) in [
            ("healthy_after", healthy_after),
            ("unhealthy_after", unhealthy_after),
        ] {
            if !(1..=100).contains(&got) {
                return Err(SettingsError::CheckThreshold { key, got });
            }
        }
        Ok(Self {
            healthy_after,
            unhealthy_after,
        })
    }

    /// Good results in a row that bring a server back.
    #[must_use]
    pub const fn healthy_after(self) -> u16 {
        self.healthy_after
    }

    /// Bad results in a row that take a server out.
    #[must_use]
    pub const fn unhealthy_after(self) -> u16 {
        self.unhealthy_after
    }
}

impl Default for CheckThresholds {
    /// 2 good ones, 3 bad ones.
    fn default() -> Self {
        Self {
            healthy_after: 2,
            unhealthy_after: 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check<T>(got: Result<T, SettingsError>, expected: &str) {
        let text = got.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert_eq!(text, expected);
    }

    #[test]
    fn a_request_of_our_own_can_be_sent_as_it_is() {
        let probe = |path: &str, host| {
            HttpProbe::new(ProbeMethod::Get, path, host, StatusRanges::default())
        };
        check(probe("/healthz?full=1", Some("app.test:8080")), "ok");
        let refused = "the path of a health check; expected one like /healthz";
        check(probe("", None), &format!("\"\" is not {refused}"));
        check(
            probe("healthz", None),
            &format!("\"healthz\" is not {refused}"),
        );
        check(probe("/a b", None), &format!("\"/a b\" is not {refused}"));
        check(probe("/a#b", None), &format!("\"/a#b\" is not {refused}"));
        check(probe("/<a>", None), &format!("\"/<a>\" is not {refused}"));
        let host = "the host of a health check; expected one like app.internal";
        check(probe("/", Some("my_app")), "ok");
        check(probe("/", Some("[2001:db8::1]:80")), "ok");
        for wrong in [
            "me@app.test",
            "app/test",
            "app?x",
            "app:8o",
            "app:",
            "[::1",
            "me@app.test:80",
        ] {
            check(
                probe("/", Some(wrong)),
                &format!("\"{wrong}\" is not {host}"),
            );
        }
        check(
            probe("/", Some("a\r\nX: y")),
            "\"a\\r\\nX: y\" is not the host of a health check; expected one like app.internal",
        );
    }

    #[test]
    fn statuses_are_ranges() {
        let range = |text: &str| text.parse::<StatusRange>();
        check(range("204"), "ok");
        check(range("200-399"), "ok");
        for wrong in [
            "", "99", "100-200", "300-200", "200-", "2xx", "200-600", "+20-300",
        ] {
            let expected =
                format!("\"{wrong}\" is no range of statuses; expected one like 204 or 200-399");
            check(range(wrong), &expected);
        }
        let ranges = StatusRanges::new(vec![range("204").unwrap(), range("300-302").unwrap()]);
        let ranges = ranges.unwrap();
        let good: Vec<u16> = (200..600)
            .filter(|&status| ranges.contains(status))
            .collect();
        assert_eq!(good, [204, 300, 301, 302]);
        assert!(StatusRanges::default().contains(399) && !StatusRanges::default().contains(400));
        check(
            StatusRanges::new(Vec::new()),
            "0 ranges of statuses; expected 1 to 16",
        );
    }

    #[test]
    fn numbers_have_bounds() {
        let second = Duration::from_secs(1);
        check(CheckPace::new(second, second), "ok");
        check(
            CheckPace::new(second, Duration::ZERO),
            "health_check.timeout is 0ns; expected 10ms to 3600s",
        );
        check(CheckThresholds::new(1, 100), "ok");
        check(
            CheckThresholds::new(0, 1),
            "health_check.healthy_after is 0; expected 1 to 100",
        );
    }
}
