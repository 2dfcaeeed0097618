//! A check's request over HTTP/2: the only one on its connection.

use std::convert::Infallible;
use std::future::pending;

use bytes::Bytes;
use h2::client::Builder;
use http::header::{ACCEPT, USER_AGENT};
use http::{Request, Version};
use palisade_transport::Connection;

use super::HEAD_BYTES_MAX;
use crate::settings::HttpProbe;

/// How much of an answer's body may come that nobody reads.
const WINDOW_BYTES: u32 = 16 * 1024;

/// The status of the final answer.
///
/// # Errors
/// Why there is none, for an operator.
pub(super) async fn status(
    connection: Connection,
    probe: &HttpProbe,
    host: &str,
    scheme: &str,
) -> Result<u16, String> {
    let request = request(probe, host, scheme).map_err(|error| error.to_string())?;
    ask(connection, request).await.map_err(|error| told(&error))
}

fn request(probe: &HttpProbe, host: &str, scheme: &str) -> http::Result<Request<()>> {
    Request::builder()
        .method(probe.method().as_str())
        .uri(format!("{scheme}://{host}{}", probe.path()))
        .version(Version::HTTP_2)
        .header(USER_AGENT, super::USER_AGENT)
        .header(ACCEPT, "*/*")
        .body(())
}

async fn ask(connection: Connection, request: Request<()>) -> Result<u16, h2::Error> {
    let (mut sender, connection) = Builder::new()
        .enable_push(false)
        .initial_window_size(WINDOW_BYTES)
        .max_header_list_size(HEAD_BYTES_MAX.into())
        .handshake::<_, Bytes>(connection)
        .await?;
    let (response, _) = sender.send_request(request, true)?;
    let run = async {
        // Whatever ends the connection, the answer's future hears of it, or has the answer already.
        let _ = connection.await;
        pending::<Infallible>().await
    };
    tokio::select! {
        response = response => Ok(response?.status().as_u16()),
        never = run => match never {},
    }
}

fn told(error: &h2::Error) -> String {
    if error.is_io() {
        format!("the connection broke: {error}")
    } else if error.is_remote() {
        format!("the server refused the request: {error}")
    } else {
        format!("the answer is not HTTP/2: {error}")
    }
}
