//! New settings forget nothing of servers that stay.

use std::time::Duration;

use super::backend::{NOW, acquire, listener, need, settings};
use crate::{
    PoolSettings, ServerAddress, ServerSettings, ServerStatus, ServerTrust, Servers, TlsSettings,
    Tried, Upstreams, Weight,
};

fn only_server(upstreams: &Upstreams) -> ServerStatus {
    upstreams.status(NOW).remove(0).servers.remove(0)
}

/// One server with a failure, a request in flight and an idle connection, under other settings.
#[track_caller]
fn check(got: &Upstreams, failures: u32, in_flight: u32, idle: usize) {
    let status = only_server(got);
    assert_eq!(
        (
            status.consecutive_failures,
            status.in_flight,
            status.idle_connections
        ),
        (failures, in_flight, idle)
    );
}

#[tokio::test]
async fn what_is_known_of_a_server_stays() {
    let (_listener, address) = listener().await;
    let old = Upstreams::build(vec![settings(&[address])]).unwrap();
    let pool = old.get("app").unwrap();
    let idle = acquire(pool, need()).await.0.unwrap();
    let mut busy = acquire(pool, need()).await.0.unwrap();
    busy.server.failed(NOW);
    idle.server.keep(idle.channel.into_http1(), NOW);
    check(&old, 1, 1, 1);

    let mut heavier = settings(&[address]);
    let server = ServerSettings {
        address: ServerAddress::from_socket(address).unwrap(),
        weight: Weight::new(5).unwrap(),
    };
    heavier.servers = Servers::new(vec![server]).unwrap();
    check(&old.rebuild(vec![heavier]).unwrap(), 1, 1, 1);

    let mut encrypted = settings(&[address]);
    encrypted.tls = Some(TlsSettings {
        trust: ServerTrust::Unverified,
        ..TlsSettings::default()
    });
    check(&old.rebuild(vec![encrypted]).unwrap(), 1, 1, 0);

    let mut renamed = settings(&[address]);
    renamed.name = "other".into();
    check(&old.rebuild(vec![renamed]).unwrap(), 0, 0, 0);

    drop(busy);
    check(&old, 1, 0, 1);
}

#[tokio::test]
async fn a_request_in_flight_gives_its_connection_to_the_new_set() {
    let (_listener, address) = listener().await;
    let old = Upstreams::build(vec![settings(&[address])]).unwrap();
    let acquired = acquire(old.get("app").unwrap(), need()).await.0.unwrap();
    let new = old.rebuild(vec![settings(&[address])]).unwrap();
    drop(old);
    acquired.server.keep(acquired.channel.into_http1(), NOW);
    check(&new, 0, 0, 1);
    assert_eq!(new.sweep(NOW + Duration::from_secs(59)), 0);
    assert_eq!(new.sweep(NOW + Duration::from_secs(60)), 1);
    check(&new, 0, 0, 0);
}

#[test]
fn turns_go_on() {
    let servers = || {
        settings(&[
            "127.0.0.1:1".parse().unwrap(),
            "127.0.0.1:2".parse().unwrap(),
        ])
    };
    let old = Upstreams::build(vec![servers()]).unwrap();
    let pick = |of: &Upstreams| {
        let pool = of.get("app").unwrap();
        let picked = pool
            .pick(need().source.source.ip, NOW, Tried::default())
            .unwrap();
        picked.server().label().to_string()
    };
    assert_eq!(pick(&old), "127.0.0.1:1");
    let new = old.rebuild(vec![servers()]).unwrap();
    assert_eq!(pick(&new), "127.0.0.1:2");
}

#[test]
fn errors_name_the_pool() {
    let settings = |name: &str| {
        let address: ServerAddress = "app.test:80".parse().unwrap();
        PoolSettings::new(name, Servers::new(vec![address.into()]).unwrap())
    };
    let twice = Upstreams::build(vec![settings("a"), settings("b"), settings("a")]);
    assert_eq!(
        twice.unwrap_err().to_string(),
        "upstream a is there twice; expected each name once"
    );
    let empty = Upstreams::build(Vec::new()).unwrap();
    assert!(empty.get("a").is_none());
    assert!(empty.status(NOW).is_empty());
}
