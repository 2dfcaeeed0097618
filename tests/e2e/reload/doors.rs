//! Doors that come, change and go.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;

use super::{Gate, settings};
use crate::harness::{Backend, wait_for};

const ONE: &str = "{ address: 127.0.0.1:0 }";

fn with_admin(admin: &str, backend: &Backend) -> String {
    let before = "admin: { address: 127.0.0.1:0 }";
    settings(ONE, backend).replace(before, &format!("admin: {{ {admin} }}"))
}

/// The last address that a line of standard error with this message names.
fn told_last(gate: &Gate, message: &str) -> SocketAddr {
    let lines = gate.palisade.stderr();
    let line = lines.iter().rfind(|line| line.contains(message)).unwrap();
    let address = line.split("address=").nth(1).unwrap();
    address.split(' ').next().unwrap().parse().unwrap()
}

/// Whether somebody answers at this address of a metrics door.
fn answers(address: SocketAddr) -> bool {
    let Ok(mut tcp) = TcpStream::connect(address) else {
        return false;
    };
    let mut answer = String::new();
    let asked = tcp.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n");
    asked.and_then(|()| tcp.read_to_string(&mut answer)).is_ok() && answer.contains(" 200 OK")
}

#[test]
fn doors_open_and_close_without_a_restart() {
    let backend = Backend::start();
    let mut gate = Gate::start(&with_admin("socket: first.sock", &backend));
    let folder = gate.palisade.directory().to_owned();
    let [first, second] = ["first.sock", "second.sock"].map(|name| folder.join(name));
    assert!(UnixStream::connect(&first).is_ok());
    gate.change(&with_admin(
        "address: 127.0.0.1:0, socket: second.sock",
        &backend,
    ));
    assert!(UnixStream::connect(&second).is_ok() && !first.exists());
    assert!(!gate.palisade.decisions(&["add", "192.0.2.1"]).is_empty());
    let status = gate.palisade.status();
    assert_eq!(status["settings"]["generation"], 2);
    // The metrics door moves; the old one closes.
    let old = told_last(&gate, "msg=metrics");
    let moved = gate.added.replace(
        "metrics: { address: 127.0.0.1:0 }",
        "metrics: { address: 127.0.0.2:0 }",
    );
    gate.added = moved;
    gate.ask(&with_admin("socket: second.sock", &backend));
    wait_for("the door to move", || {
        (told_last(&gate, "msg=metrics") != old).then_some(())
    });
    wait_for("the old door to close", || (!answers(old)).then_some(()));
    assert!(answers(told_last(&gate, "msg=metrics")));
}

#[test]
fn names_of_the_admin_door_change() {
    let backend = Backend::start();
    let gate = Gate::start(&with_admin("address: 127.0.0.1:0", &backend));
    let asked = || gate.palisade.admin_door("/status", "gate.example").status;
    assert_eq!(asked(), 421);
    gate.change(&with_admin(
        "address: 127.0.0.1:0, hosts: gate.example",
        &backend,
    ));
    assert_eq!(asked(), 200);
}

#[test]
fn a_door_that_cannot_open_refuses_the_whole_reload() {
    let backend = Backend::start();
    let gate = Gate::start(&settings(ONE, &backend));
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let changed = with_admin(
        &format!("socket: new.sock, address: \"{address}\""),
        &backend,
    )
    .replace("listeners: [", "listeners: [{ address: 127.0.0.2:0 }, ");
    let told = gate.change_in_vain(&changed);
    let (number, line) = (1..)
        .zip(changed.lines())
        .find(|(_, line)| line.starts_with("admin:"))
        .unwrap();
    let column = line.find(&address.to_string()).unwrap();
    let place = format!("palisade.yaml:{number}:{column}: error: can't open admin at {address}");
    assert!(told.contains(&place), "{told}");
    assert_eq!(gate.listeners().len(), 1);
    assert!(!gate.palisade.directory().join("new.sock").exists());
    let changed = with_admin("socket: nowhere/admin.sock", &backend);
    let told = gate.change_in_vain(&changed);
    assert!(told.contains("nowhere"), "{told}");
    assert_eq!(gate.palisade.admin_door("/status", "localhost").status, 200);
}
