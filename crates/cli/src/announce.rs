//! Where the process listens, told to the operator when it begins to.

use std::sync::Arc;

use palisade_admin::DoorAt;
use palisade_proxy::Listener;
use palisade_telemetry::Report;

use crate::VERSION;

/// Tells of listeners that were opened.
pub(crate) fn listeners(topic: &'static str, opened: &[Arc<Listener>], report: &dyn Report) {
    for listener in opened {
        let settings = listener.settings();
        let scheme = match settings.tls {
            Some(_) => "https",
            None => "http",
        };
        let proxy = match &settings.proxy_protocol {
            None => "off",
            Some(policy) => policy.mode.as_str(),
        };
        report.info(
            topic,
            "listening",
            &[
                ("address", &listener.address()),
                ("scheme", &scheme),
                ("proxy_protocol", &proxy),
                ("version", &VERSION),
            ],
        );
    }
}

/// Tells of doors that were opened.
pub(crate) fn doors(topic: &'static str, opened: &[DoorAt], report: &dyn Report) {
    for door in opened {
        match door {
            DoorAt::Metrics(address) => report.info(topic, "metrics", &[("address", address)]),
            DoorAt::Admin(address) => report.info(topic, "admin", &[("address", address)]),
            DoorAt::Socket(path) => {
                report.info(topic, "admin socket", &[("path", &path.display())]);
            }
        }
    }
}
