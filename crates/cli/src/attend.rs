//! Between what finds out about backends beside the requests and the rest of the process.

use std::sync::Arc;
use std::time::Duration;

use palisade_proxy::Shared;
use palisade_telemetry::{Level, Report};
use palisade_upstream::{Attendance, ServerEvent};
use tokio::time::interval;

/// How soon a reload's new servers are checked, and its old ones no more.
const INTERVAL: Duration = Duration::from_millis(100);

/// Checks backends and looks their names up, those of the settings in use, until it is dropped.
pub(crate) async fn attend(shared: Arc<Shared>, report: Arc<dyn Report>) {
    let clock = shared.clock;
    let mut attendance = Attendance::new(move || clock.now(), tell(report));
    let mut attended = None;
    let mut tick = interval(INTERVAL);
    loop {
        tick.tick().await;
        let generation = shared.generation.load_full();
        if attended != Some(generation.number) {
            attendance.attend(&generation.upstreams);
            attended = Some(generation.number);
        }
    }
}

fn tell(report: Arc<dyn Report>) -> impl Fn(&ServerEvent) + Send + Sync {
    move |event| {
        let level = match event.news.is_trouble() {
            true => Level::Warn,
            false => Level::Info,
        };
        let fields: [(&str, &dyn std::fmt::Display); 2] =
            [("upstream", &event.pool), ("server", &event.server)];
        report.report(level, "upstream", &event.news.to_string(), &fields);
    }
}
