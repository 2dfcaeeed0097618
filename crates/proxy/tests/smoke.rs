//! A request through a listener, in process.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails shall say so, helpers of tests included"
)]

use std::sync::Arc;

use arc_swap::ArcSwap;
use palisade_decisions::DecisionTable;
use palisade_gate::settings::{GateSettings, SiteSettings};
use palisade_gate::{Snapshot, State};
use palisade_geo::GeoDatabases;
use palisade_proxy::settings::{Deadlines, Limits, ListenerSettings, ShutdownSettings};
use palisade_proxy::{Clock, Generation, Listener, Rules, RulesState, Shared, Verifications};
use palisade_telemetry::{LogSettings, MetricLabels, Metrics, OperatorLog, Sink, Telemetry};
use palisade_upstream::{PoolSettings, ServerSettings, Servers, Upstreams, Weight};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

async fn backend() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut got = Vec::new();
                let mut piece = [0; 4096];
                loop {
                    let Ok(length @ 1..) = tcp.read(&mut piece).await else {
                        return;
                    };
                    got.extend_from_slice(&piece[..length]);
                    if got.windows(4).any(|w| w == b"\r\n\r\n") {
                        let head =
                            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", got.len());
                        tcp.write_all(head.as_bytes()).await.unwrap();
                        tcp.write_all(&got).await.unwrap();
                        got.clear();
                    }
                }
            });
        }
    });
    address
}

async fn proxy(backend: std::net::SocketAddr) -> (std::net::SocketAddr, watch::Sender<bool>) {
    let settings = GateSettings {
        sites: vec![SiteSettings::new(
            "default".into(),
            vec![],
            Some("app".into()),
        )],
        ..GateSettings::default()
    };
    let snapshot = Snapshot::build(settings, Arc::new(GeoDatabases::default())).unwrap();
    let server = ServerSettings {
        address: backend.to_string().parse().unwrap(),
        weight: Weight::default(),
    };
    let pool = PoolSettings::new("app", Servers::new(vec![server]).unwrap());
    let upstreams = Upstreams::build(vec![pool]).unwrap();
    let labels = MetricLabels {
        version: "test",
        hygiene_reasons: &[],
        proxy_reasons: &[],
    };
    let metrics = Arc::new(Metrics::new(labels).unwrap());
    let telemetry = Telemetry::open(
        &LogSettings::default(),
        Arc::clone(&metrics),
        Arc::new(OperatorLog::stderr(metrics.sink(&Sink::Stderr).unwrap()).unwrap()),
    )
    .unwrap();
    let (drain, draining) = watch::channel(false);
    let shared = Arc::new(Shared {
        generation: ArcSwap::from_pointee(
            Generation::new(
                1,
                snapshot,
                Rules::default(),
                upstreams,
                Arc::new(telemetry),
            )
            .unwrap(),
        ),
        state: Arc::new(State::new(Arc::new(DecisionTable::new()))),
        rules: RulesState::default(),
        verifications: Verifications::default(),
        metrics,
        clock: Clock::start(),
        draining,
        shutdown: ArcSwap::from_pointee(ShutdownSettings::default()),
    });
    let listener = Listener::bind(ListenerSettings {
        address: "127.0.0.1:0".parse().unwrap(),
        proxy_protocol: None,
        client_address: vec![],
        tls: None,
        http2: true,
        deadlines: Deadlines::default(),
        limits: Limits::default(),
    })
    .unwrap();
    let address = listener.address();
    tokio::spawn(listener.accept(shared));
    (address, drain)
}

#[tokio::test]
async fn a_request_reaches_the_backend_and_its_answer_the_client() {
    let (address, _drain) = proxy(backend().await).await;
    let mut tcp = TcpStream::connect(address).await.unwrap();
    for _ in 0..3 {
        tcp.write_all(b"GET /a?b HTTP/1.1\r\nHost: x\r\nX_Real_IP: 1.2.3.4\r\n\r\n")
            .await
            .unwrap();
        let mut got = Vec::new();
        while !got.windows(10).any(|w| w == b"GET /a?b H") || !got.ends_with(b"\r\n\r\n") {
            let mut piece = [0; 4096];
            let length = tcp.read(&mut piece).await.unwrap();
            assert!(length > 0, "{}", String::from_utf8_lossy(&got));
            got.extend_from_slice(&piece[..length]);
        }
        let got = String::from_utf8(got).unwrap();
        eprintln!("{got}");
        assert!(got.contains("x-real-ip: 127.0.0.1") || got.contains("X-Real-IP: 127.0.0.1"));
    }
}
