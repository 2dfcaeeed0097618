//! A client that speaks HTTP/2 by a library: bodies and trailers, both ways at once.

use std::future::{Future, poll_fn};
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Request, StatusCode};

use super::http2_backend::give;

/// Runs a test's client. Nothing that it waits for takes longer, even on a busy machine.
pub(crate) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let patience = Duration::from_secs(30);
        let ended = tokio::time::timeout(patience, test).await;
        ended.expect("waited in vain")
    })
}

/// A connection.
pub(crate) struct Http2Client {
    sender: SendRequest<Bytes>,
}

/// A request that was begun.
pub(crate) struct Http2Exchange {
    response: Option<ResponseFuture>,
    pub(crate) sending: SendStream<Bytes>,
    body: Option<RecvStream>,
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Http2Answer {
    pub(crate) status: StatusCode,
    pub(crate) fields: HeaderMap,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Option<HeaderMap>,
}

impl Http2Client {
    /// Connects by prior knowledge, with windows of 64 KiB.
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let tcp = tokio::net::TcpStream::connect(address).await.unwrap();
        let (sender, connection) = h2::client::handshake(tcp).await.unwrap();
        tokio::spawn(connection);
        Self { sender }
    }

    /// Begins a request for `a.test`; `ends` where no body follows.
    pub(crate) async fn begin(
        &self,
        method: &str,
        path: &str,
        fields: &[(&str, &str)],
        ends: bool,
    ) -> Http2Exchange {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://a.test{path}"));
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let mut sender = self.sender.clone().ready().await.unwrap();
        let (response, sending) = sender
            .send_request(request.body(()).unwrap(), ends)
            .unwrap();
        Http2Exchange {
            response: Some(response),
            sending,
            body: None,
        }
    }

    /// A request without a body, and its answer.
    pub(crate) async fn get(&self, path: &str) -> Result<Http2Answer, h2::Error> {
        self.begin("GET", path, &[], true).await.answer().await
    }

    /// A request with a body in one part.
    pub(crate) async fn post(&self, path: &str, body: &[u8]) -> Result<Http2Answer, h2::Error> {
        let mut exchange = self.begin("POST", path, &[], false).await;
        exchange.send(body).await;
        exchange.end();
        exchange.answer().await
    }
}

impl Http2Exchange {
    pub(crate) async fn send(&mut self, part: &[u8]) -> bool {
        give(&mut self.sending, Bytes::copy_from_slice(part)).await
    }

    pub(crate) fn end(&mut self) {
        self.sending.send_data(Bytes::new(), true).unwrap();
    }

    /// The head of the answer.
    pub(crate) async fn head(&mut self) -> Result<http::response::Parts, h2::Error> {
        let response = self.response.take().expect("asked once").await?;
        let (parts, body) = response.into_parts();
        self.body = Some(body);
        Ok(parts)
    }

    /// The next part of the body, not an empty one; its room is given back at once.
    pub(crate) async fn part(&mut self) -> Option<Result<Bytes, h2::Error>> {
        let body = self.body.as_mut().expect("the head was read");
        loop {
            let part = match body.data().await? {
                Ok(part) => part,
                Err(error) => return Some(Err(error)),
            };
            let _ = body.flow_control().release_capacity(part.len());
            if !part.is_empty() {
                return Some(Ok(part));
            }
        }
    }

    /// The answer.
    pub(crate) async fn answer(mut self) -> Result<Http2Answer, h2::Error> {
        let head = self.head().await?;
        let (body, trailers) = self.rest().await?;
        Ok(Http2Answer {
            status: head.status,
            fields: head.headers,
            body,
            trailers,
        })
    }

    /// What follows the head that was read.
    pub(crate) async fn rest(mut self) -> Result<(Vec<u8>, Option<HeaderMap>), h2::Error> {
        let mut body = Vec::new();
        while let Some(part) = self.part().await {
            body.extend_from_slice(&part?);
        }
        let trailers = self.body.as_mut().expect("read").trailers().await?;
        Ok((body, trailers))
    }

    /// The code with which the other end resets the stream.
    pub(crate) async fn reset(&mut self) -> Reason {
        poll_fn(|cx| self.sending.poll_reset(cx)).await.unwrap()
    }
}
