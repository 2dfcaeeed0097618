//! `palisade health`: whether a running Palisade is ready, for health checks of containers that have
//! no other program in them.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use palisade_config::Settings;

use crate::arguments::Health;
use crate::{Exit, complain, load, say};

/// How long each step may take: connecting, asking, hearing.
const STEP_TIME: Duration = Duration::from_secs(2);

/// The most of an answer that is read.
const ANSWER_BYTES_MAX: u64 = 64 * 1024;

pub(crate) fn health(arguments: &Health) -> Result<Exit> {
    let address = match arguments.address {
        Some(address) => address,
        None => match load::load(&arguments.config) {
            Ok(loaded) => metrics_address(&loaded.settings)?,
            Err(exit) => return Ok(exit),
        },
    };
    let answer = ask(reachable(address))
        .with_context(|| format!("can't ask http://{address}/readyz (is Palisade running?)"))?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    // RFC 9112 section 4: the status comes second.
    match head.split(' ').nth(1) {
        Some("200") => {
            say(body.trim_end());
            Ok(Exit::Done)
        }
        Some(_) => {
            complain(&format!("palisade: not ready: {}", body.trim_end()));
            Ok(Exit::Failed)
        }
        None => {
            bail!("http://{address}/readyz gives no HTTP answer; another process listens there")
        }
    }
}

fn metrics_address(settings: &Settings) -> Result<SocketAddr> {
    let Some(metrics) = &settings.metrics else {
        bail!("the settings have no `metrics: {{ address: ... }}`, which answers /readyz");
    };
    if metrics.address.port() == 0 {
        bail!("the settings leave the port of `metrics` open; name it with --address");
    }
    Ok(metrics.address)
}

/// Where a client on this machine finds what listens on `address`.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

fn ask(address: SocketAddr) -> std::io::Result<String> {
    let mut connection = TcpStream::connect_timeout(&address, STEP_TIME)?;
    connection.set_read_timeout(Some(STEP_TIME))?;
    connection.set_write_timeout(Some(STEP_TIME))?;
    write!(
        connection,
        "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )?;
    let mut answer = Vec::new();
    connection.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
