//! Servers that turn out to be this process's own doors.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use super::backend::{NOW, acquire, assert_untouched, listener, need, only_error, settings};
use crate::{
    Attendance, CheckPace, CheckThresholds, ConnectRetry, HealthCheck, OwnDoors, PoolSettings,
    Probe, ServerAddress, ServerNews, ServerSettings, ServerStatus, Servers, Upstreams,
};

fn beside(own_doors: &Arc<OwnDoors>, settings: PoolSettings) -> Upstreams {
    let none = Upstreams::beside(Arc::clone(own_doors));
    none.rebuild(vec![settings]).unwrap()
}

fn status(upstreams: &Upstreams) -> ServerStatus {
    upstreams.status(NOW).remove(0).servers.remove(0)
}

fn attendance() -> (Attendance, Arc<Mutex<Vec<ServerNews>>>) {
    let news = Arc::<Mutex<Vec<ServerNews>>>::default();
    let told = Arc::clone(&news);
    let attendance = Attendance::new(|| NOW, move |event| told.lock().push(event.news.clone()));
    (attendance, news)
}

#[tokio::test]
async fn nothing_is_sent_to_an_own_door_while_it_is_open() {
    let (listener, address) = listener().await;
    let own_doors = Arc::<OwnDoors>::default();
    let mut settings = settings(&[address]);
    settings.connect_retry = ConnectRetry::new(1, Duration::from_secs(5)).unwrap();
    let upstreams = beside(&own_doors, settings.clone());
    // Doors come and go while pools are as they are; new pools know them too.
    let door = own_doors.open(address);
    for upstreams in [&upstreams, &upstreams.rebuild(vec![settings]).unwrap()] {
        let error = only_error(upstreams.get("app").unwrap()).await;
        assert_eq!(error.label(), "own_door");
        assert!(error.blames_server() && error.to_string().contains(&address.to_string()));
        assert_eq!(status(upstreams).own_door, Some(address));
    }
    let _listener = assert_untouched(listener);
    drop(door);
    let pool = upstreams.get("app").unwrap();
    assert!(acquire(pool, need()).await.0.is_ok());
    assert_eq!(status(&upstreams).own_door, None);
}

#[tokio::test]
async fn a_check_of_an_own_door_fails_and_says_why() {
    let (listener, address) = listener().await;
    let own_doors = Arc::<OwnDoors>::default();
    let _door = own_doors.open(address);
    let mut settings = settings(&[address]);
    settings.health_check = Some(HealthCheck {
        probe: Probe::Tcp,
        pace: CheckPace::new(Duration::from_millis(10), Duration::from_secs(10)).unwrap(),
        thresholds: CheckThresholds::new(1, 1).unwrap(),
    });
    let upstreams = beside(&own_doors, settings);
    let (mut attendance, news) = attendance();
    attendance.attend(&upstreams);
    while status(&upstreams).is_up {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let failure = status(&upstreams).check.unwrap().last_failure.unwrap();
    let expected = format!("own admin or metrics door ({address})");
    assert!(failure.reason.contains(&expected), "{}", failure.reason);
    assert_eq!(news.lock().first(), Some(&ServerNews::OwnDoor(address)));
    assert_untouched(listener);
}

#[tokio::test]
async fn a_name_that_stands_for_an_own_door_is_told() {
    let (listener, address) = listener().await;
    let own_doors = Arc::<OwnDoors>::default();
    let _door = own_doors.open(address);
    let name: ServerAddress = format!("localhost:{}", address.port()).parse().unwrap();
    let servers = Servers::new(vec![ServerSettings::from(name)]).unwrap();
    let upstreams = beside(&own_doors, PoolSettings::new("app", servers));
    let (mut attendance, news) = attendance();
    attendance.attend(&upstreams);
    let told = |door: SocketAddr| news.lock().contains(&ServerNews::OwnDoor(door));
    while !told(address) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let (acquired, tries) = acquire(upstreams.get("app").unwrap(), need()).await;
    // What else the name may stand for, `::1`, has no listener there.
    assert!(acquired.is_err() && tries.len() == 1, "{tries:?}");
    assert_untouched(listener);
}
