use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;

use super::*;
use crate::test_context::{TestDoors, over_tcp, parts};

fn metrics_at(address: SocketAddr) -> MetricsSettings {
    MetricsSettings { address }
}

fn admin_at(address: Option<SocketAddr>, socket: Option<&Path>) -> AdminSettings {
    AdminSettings {
        address,
        socket: socket.map(Path::to_owned),
        hosts: Vec::new(),
    }
}

fn loopback() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

#[test]
fn what_is_not_named_is_not_opened() {
    assert!(Doors::bind(None, None).unwrap().bound.is_empty());
}

#[test]
fn an_address_in_use_is_told_with_what_to_do() {
    let taken = TcpListener::bind(loopback()).unwrap();
    let address = taken.local_addr().unwrap();
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("admin.sock");
    let metrics = Doors::bind(
        Some(&metrics_at(address)),
        Some(&admin_at(None, Some(&socket))),
    );
    let expected = format!("can't open metrics at {address}: Address already in use (os error 98)");
    let error = metrics.unwrap_err().to_string();
    assert!(error.starts_with(&expected), "{error}");
    assert!(
        error.ends_with("stop it, or choose another port"),
        "{error}"
    );
    assert!(!socket.exists(), "no door stays open");

    let admin = Doors::bind(None, Some(&admin_at(Some(address), None)));
    let error = admin.unwrap_err().to_string();
    assert!(
        error.starts_with(&format!("can't open admin at {address}: ")),
        "{error}"
    );
}

#[test]
fn a_socket_that_cannot_be_made_closes_what_was_opened() {
    let directory = tempfile::tempdir().unwrap();
    let socket = directory.path().join("admin.sock");
    let _first = Doors::bind(None, Some(&admin_at(None, Some(&socket)))).unwrap();
    let error = Doors::bind(
        Some(&metrics_at(loopback())),
        Some(&admin_at(None, Some(&socket))),
    );
    let expected = format!(
        "can't open the admin socket {}: a process listens there",
        socket.display()
    );
    let error = error.unwrap_err().to_string();
    assert!(error.starts_with(&expected), "{error}");
}

#[tokio::test]
async fn the_doors_close_at_the_end() {
    let doors = TestDoors::open().await;
    let (metrics, admin, socket) = (doors.metrics, doors.admin, doors.socket.clone());
    assert!(socket.exists());
    let directory = doors.close().await;
    assert!(directory.path().exists() && !socket.exists());
    for address in [metrics, admin] {
        assert!(TcpStream::connect(address).is_err());
    }
}

/// Whether somebody answers at this address of a metrics door.
async fn is_open(address: SocketAddr) -> bool {
    let ask = tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, io::Error>(answer.starts_with("HTTP/1.1 200"))
    });
    ask.await.unwrap().unwrap_or(false)
}

#[tokio::test]
async fn doors_change_while_they_are_open() {
    let doors = TestDoors::open().await;
    let (metrics, admin, socket) = (doors.metrics, doors.admin, doors.socket.clone());
    let other = socket.with_extension("other");
    let change = doors.doors.prepare(
        Some(&metrics_at(loopback())),
        Some(&admin_at(None, Some(&other))),
    );
    assert!(
        TcpStream::connect(admin).is_ok() && socket.exists(),
        "only prepared"
    );
    doors.doors.change(change.unwrap());
    assert_eq!(
        doors.doors.at(),
        [DoorAt::Metrics(metrics), DoorAt::Socket(other.clone())],
        "a door that stays keeps its port"
    );
    assert!(is_open(metrics).await && other.exists() && !socket.exists());
    while TcpStream::connect(admin).is_ok() {
        tokio::task::yield_now().await;
    }
    doors.doors.change(doors.doors.prepare(None, None).unwrap());
    assert_eq!(doors.doors.at(), []);
    assert!(!other.exists());
}

#[tokio::test]
async fn a_change_that_fails_changes_nothing() {
    let doors = TestDoors::open().await;
    let before = doors.doors.at();
    let taken = TcpListener::bind(loopback()).unwrap();
    let other = doors.socket.with_extension("other");
    let change = doors.doors.prepare(
        Some(&metrics_at(taken.local_addr().unwrap())),
        Some(&admin_at(None, Some(&other))),
    );
    assert!(change.is_err());
    assert_eq!(doors.doors.at(), before);
    assert!(is_open(doors.metrics).await && doors.socket.exists() && !other.exists());
}

#[tokio::test]
async fn an_open_door_is_no_server() {
    let TestDoors {
        doors,
        metrics,
        admin,
        ..
    } = TestDoors::open().await;
    let is_door = |address| doors.own_doors.behind(address).is_some();
    assert!(is_door(metrics) && is_door(admin));
    // Where the next one will be is known once it is bound.
    let elsewhere = metrics_at("127.0.0.2:0".parse().unwrap());
    let change = doors.prepare(Some(&elsewhere), None).unwrap();
    let DoorAt::Metrics(moved) = change.new[0].at else {
        panic!("a metrics door was asked for")
    };
    assert!(is_door(moved), "clients may connect already");
    drop(change);
    assert!(!is_door(moved) && is_door(metrics), "nothing has changed");
    let change = doors.prepare(Some(&elsewhere), None).unwrap();
    doors.change(change);
    assert!(!is_door(metrics) && !is_door(admin));
    let at = doors.at();
    let [DoorAt::Metrics(moved)] = at[..] else {
        panic!("{at:?}")
    };
    assert!(is_door(moved));
    doors.leave().await;
    assert!(is_door(moved), "another process serves it");
}

#[tokio::test]
async fn other_names_count_at_a_door_that_stays() {
    let doors = TestDoors::open().await;
    let ask = async |host: &str| {
        let request = format!("GET /status HTTP/1.1\r\nHost: {host}\r\n\r\n");
        parts(&over_tcp(doors.admin, request).await).0
    };
    assert_eq!(ask("admin.example.com").await, 200);
    let mut admin = admin_at(Some(loopback()), None);
    admin.hosts = vec!["other.example.com".into()];
    doors
        .doors
        .change(doors.doors.prepare(None, Some(&admin)).unwrap());
    assert_eq!(ask("admin.example.com").await, 421);
    assert_eq!(ask("other.example.com").await, 200);
}
