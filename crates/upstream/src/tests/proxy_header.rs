//! The PROXY header comes first, and binds the connection to its client.

use palisade_client_address::ProxyHeader;
use palisade_client_address::proxy_protocol::{Decoded, decode};
use palisade_vocabulary::Tick;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

use super::backend::{NOW, acquire, client, listener, need, pool, settings};
use crate::{Need, ProxyVersion, ServerTrust, TlsSettings};

const V1: &[u8] = b"PROXY TCP4 203.0.113.7 192.0.2.1 40000 443\r\n";

/// What a PROXY protocol receiver makes of the first bytes of `far`.
async fn received(far: &mut TcpStream, len: usize) -> ProxyHeader {
    let mut header = vec![0; len];
    far.read_exact(&mut header).await.unwrap();
    match decode(&header).unwrap() {
        Decoded::Header { header, len: used } if used == len => header,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn check(header: &ProxyHeader) {
    match header {
        ProxyHeader::Proxied {
            source,
            destination,
            ..
        } => {
            assert_eq!(
                (*source, *destination),
                (client(40_000).source, client(40_000).destination)
            );
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn version_1_is_sent_at_once() {
    let (listener, address) = listener().await;
    let mut settings = settings(&[address]);
    settings.proxy_protocol = Some(ProxyVersion::V1);
    let _acquired = acquire(&pool(settings), need()).await.0.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    let mut got = vec![0; V1.len()];
    far.read_exact(&mut got).await.unwrap();
    assert_eq!(got, V1);
}

#[tokio::test]
async fn version_2_is_sent_at_once() {
    let (listener, address) = listener().await;
    let mut settings = settings(&[address]);
    settings.proxy_protocol = Some(ProxyVersion::V2);
    let _acquired = acquire(&pool(settings), need()).await.0.unwrap();
    let (mut far, _) = listener.accept().await.unwrap();
    check(&received(&mut far, 28).await);
}

#[tokio::test]
async fn the_header_comes_before_tls() {
    for (version, len) in [(ProxyVersion::V1, V1.len()), (ProxyVersion::V2, 28)] {
        let (listener, address) = listener().await;
        let mut settings = settings(&[address]);
        settings.proxy_protocol = Some(version);
        settings.tls = Some(TlsSettings {
            trust: ServerTrust::Unverified,
            ..TlsSettings::default()
        });
        let pool = pool(settings);
        let backend = async {
            let (mut far, _) = listener.accept().await.unwrap();
            check(&received(&mut far, len).await);
            // A handshake record of TLS (RFC 8446 section 5.1).
            let mut record = [0; 2];
            far.read_exact(&mut record).await.unwrap();
            assert_eq!(record, [22, 3]);
        };
        let (result, ()) = tokio::join!(acquire(&pool, need()), backend);
        assert_eq!(
            result.0.unwrap_err().label(),
            "broken",
            "the backend hung up"
        );
    }
}

#[tokio::test]
async fn a_connection_speaks_for_one_client() {
    let (_listener, address) = listener().await;
    let mut settings = settings(&[address]);
    settings.proxy_protocol = Some(ProxyVersion::V2);
    let pool = pool(settings);
    let reused = async |port: u16, now: Tick| {
        let acquired = acquire(&pool, Need::new(client(port), now))
            .await
            .0
            .unwrap();
        let reused = acquired.reused;
        acquired.server.keep(acquired.channel.into_http1(), now);
        reused
    };
    assert!(!reused(1, NOW).await);
    assert!(!reused(2, NOW).await, "opened for another client");
    assert!(reused(1, NOW).await);
    assert!(reused(2, NOW).await);
    assert_eq!(pool.status(NOW).servers[0].idle_connections, 2);
}
