use std::os::fd::AsRawFd;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::tests::backend::client;

fn at(seconds: u64) -> Tick {
    Tick::from_millis(seconds * 1000)
}

fn limits(max: u16) -> KeepAlive {
    KeepAlive::new(max, Duration::from_secs(60)).unwrap()
}

/// Connections to one listener, and their other ends.
async fn connections(count: usize) -> (Vec<Connection>, Vec<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (mut near, mut far) = (Vec::new(), Vec::new());
    for _ in 0..count {
        let tcp = TcpStream::connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        near.push(Connection::plain(tcp, BytesMut::new()));
        far.push(listener.accept().await.unwrap().0);
    }
    (near, far)
}

fn kept(connection: Connection) -> Kept {
    Kept {
        connection: Box::new(connection),
        address: "10.0.0.1:80".parse().unwrap(),
    }
}

fn fill(idle: &IdleConnections, near: Vec<Connection>, max: u16) -> Vec<i32> {
    (0..)
        .zip(near)
        .map(|(second, connection)| {
            let id = connection.as_raw_fd();
            idle.check_in(kept(connection), None, at(second), limits(max));
            id
        })
        .collect()
}

fn drain(idle: &IdleConnections, second: u64, max: u16) -> Vec<i32> {
    let mut ids = Vec::new();
    let mut held = Vec::new();
    while let Some(kept) = idle.check_out(None, at(second), limits(max)) {
        ids.push(kept.connection.as_raw_fd());
        held.push(kept);
    }
    ids
}

#[tokio::test]
async fn the_last_in_is_the_first_out() {
    let idle = IdleConnections::default();
    let (near, _far) = connections(3).await;
    let mut ids = fill(&idle, near, 8);
    ids.reverse();
    assert_eq!(drain(&idle, 3, 8), ids);
    assert_eq!(idle.len(), 0);
}

/// The runtime of a thread that is done would take the connection with it.
#[test]
fn each_runtime_uses_its_own() {
    let idle = IdleConnections::default();
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let (one, other) = (runtime(), runtime());
    let (near, _far) = one.block_on(connections(1));
    let ids = one.block_on(async { fill(&idle, near, 8) });
    assert_eq!(other.block_on(async { drain(&idle, 1, 8) }), []);
    assert_eq!(one.block_on(async { drain(&idle, 1, 8) }), ids);
}

#[tokio::test]
async fn the_longest_idle_goes_when_there_are_too_many() {
    let idle = IdleConnections::default();
    let (near, _far) = connections(4).await;
    let ids = fill(&idle, near, 2);
    assert_eq!(idle.len(), 2);
    assert_eq!(drain(&idle, 4, 2), [ids[3], ids[2]]);
    let (near, _far) = connections(1).await;
    fill(&idle, near, 0);
    assert_eq!(idle.len(), 0);
}

#[tokio::test]
async fn what_is_too_old_is_dropped_when_met() {
    let idle = IdleConnections::default();
    let (near, mut far) = connections(2).await;
    fill(&idle, near, 8);
    assert!(idle.check_out(None, at(61), limits(8)).is_none());
    assert_eq!(idle.len(), 0);
    assert_eq!(far[0].read(&mut [0; 1]).await.unwrap(), 0, "closed");
    let (near, _far) = connections(2).await;
    fill(&idle, near, 8);
    assert!(
        idle.check_out(None, at(60), limits(8)).is_some(),
        "59 s old"
    );
}

#[tokio::test]
async fn what_the_server_closed_is_passed_over() {
    let idle = IdleConnections::default();
    let (mut near, mut far) = connections(3).await;
    for index in [0, 2] {
        far.remove(index.min(far.len() - 1));
        assert_eq!(near[index].read(&mut [0; 1]).await.unwrap(), 0);
    }
    let ids = fill(&idle, near, 8);
    assert_eq!(drain(&idle, 3, 8), [ids[1]]);
    assert_eq!(idle.len(), 0);
}

#[tokio::test]
async fn a_sweep_drops_what_is_old_closed_or_surplus() {
    let idle = IdleConnections::default();
    let (mut near, mut far) = connections(4).await;
    far.remove(2);
    assert_eq!(near[2].read(&mut [0; 1]).await.unwrap(), 0);
    let ids = fill(&idle, near, 8);
    assert_eq!(idle.sweep(at(60), limits(8)), 2, "one old, one closed");
    assert_eq!(idle.sweep(at(60), limits(8)), 0);
    assert_eq!(idle.sweep(at(60), limits(1)), 1, "the longest idle");
    assert_eq!(drain(&idle, 60, 8), [ids[3]]);
}

#[tokio::test]
async fn a_bound_connection_waits_for_its_client() {
    let idle = IdleConnections::default();
    let (near, _far) = connections(3).await;
    let mut ids = Vec::new();
    for (port, connection) in [1, 2, 1].into_iter().zip(near) {
        ids.push(connection.as_raw_fd());
        idle.check_in(
            kept(connection),
            Some(client(port)),
            at(u64::from(port)),
            limits(8),
        );
    }
    let out = |port: Option<u16>, second: u64| {
        let bound_to = port.map(client);
        idle.check_out(bound_to.as_ref(), at(second), limits(8))
            .map(|kept| kept.connection.as_raw_fd())
    };
    assert_eq!(out(None, 3), None);
    assert_eq!(out(Some(3), 3), None);
    assert_eq!(out(Some(1), 3), Some(ids[2]));
    assert_eq!(out(Some(2), 3), Some(ids[1]));
    assert_eq!(out(Some(1), 3), Some(ids[0]));
    assert_eq!(out(Some(1), 3), None);
}

#[tokio::test]
async fn what_leads_elsewhere_is_dropped() {
    let idle = IdleConnections::default();
    let (near, _far) = connections(4).await;
    for (port, connection) in (1_u16..).zip(near) {
        let kept = Kept {
            connection: Box::new(connection),
            address: ([10, 0, 0, 1], port).into(),
        };
        idle.check_in(kept, None, at(0), limits(8));
    }
    idle.keep_only(|address| address.port() % 2 == 0);
    let out = || {
        let kept = idle.check_out(None, at(1), limits(8));
        kept.map(|kept| kept.address.port())
    };
    assert_eq!([out(), out(), out()], [Some(4), Some(2), None]);
}
