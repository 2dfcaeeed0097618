//! One check of a server: a connection of Palisade's own, opened as those for requests are, and perhaps
//! a request on it.

mod http1;
mod http2;

use palisade_transport::Connection;
use tokio::time::{Instant, timeout};

use crate::connect::{Introduction, Way, connect, speaks_http2};
use crate::server::Server;
use crate::settings::{CheckPace, HttpProbe, Probe};

/// The longest head of an answer to a check.
const HEAD_BYTES_MAX: u16 = 16 * 1024;

/// Who asks.
const USER_AGENT: &str = "palisade-health-check";

/// Checks `server`, at the address that `way` leads to, in at most the timeout of `pace`.
///
/// # Errors
/// Why the server is not well, for an operator.
pub(crate) async fn check(
    server: &Server,
    way: Way,
    probe: &Probe,
    pace: CheckPace,
) -> Result<(), String> {
    let checked = timeout(pace.timeout(), ask(server, way, probe, pace)).await;
    checked.unwrap_or_else(|_| Err(format!("no answer in {:?}", pace.timeout())))
}

async fn ask(server: &Server, way: Way, probe: &Probe, pace: CheckPace) -> Result<(), String> {
    let introduction = server
        .proxy_protocol
        .map_or(Introduction::None, Introduction::Own);
    let deadline = Instant::now() + pace.timeout();
    let protocol = server.protocol;
    let connected = connect(server, way, introduction, protocol, deadline).await;
    let (connection, _) = connected.map_err(|error| error.to_string())?;
    let is_http2 = speaks_http2(server, &connection, protocol);
    let is_http2 = is_http2.map_err(|error| error.to_string())?;
    let Probe::Http(probe) = probe else {
        return Ok(());
    };
    let host = probe.host().unwrap_or(server.label());
    let status = match is_http2 {
        true => http2::status(connection, probe, host, server.scheme()).await?,
        false => status_by_http1(connection, probe, host).await?,
    };
    match probe.good().contains(status) {
        true => Ok(()),
        false => Err(format!("status {status}")),
    }
}

async fn status_by_http1(
    connection: Connection,
    probe: &HttpProbe,
    host: &str,
) -> Result<u16, String> {
    match http1::status(connection, probe, host).await {
        Ok(Some(status)) => Ok(status),
        Ok(None) => Err("the answer is not HTTP/1.1".to_owned()),
        Err(error) => Err(format!("the connection broke: {error}")),
    }
}
