use std::net::TcpStream;

use super::*;
use crate::test_context::TestDoors;

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
    let doors = Doors::bind(None, None).unwrap();
    assert_eq!(doors.metrics_address(), None);
    assert_eq!(doors.admin_address(), None);
    assert_eq!(doors.admin_socket(), None);
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
