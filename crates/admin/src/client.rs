//! The other end of the admin socket: what `palisade decisions` speaks through.

#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use palisade_decisions::SourceId;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;
use tokio::time::timeout;

use crate::api::{AddAnswer, AddRequest, DeleteAnswer, ErrorAnswer, ListAnswer};
use crate::local_decisions::{DeleteTarget, NewDecision};

/// How long an exchange may take; the server allows half a minute.
const TIMEOUT: Duration = Duration::from_secs(35);
/// The longest answer: a full listing has a third of it.
const ANSWER_BYTES_MAX: usize = 128 << 20;

/// Speaks to a running Palisade through its admin socket; one connection for each question.
#[derive(Clone, Debug)]
pub struct Client {
    socket: PathBuf,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// There is no socket.
    #[error(
        "there is no socket {0}; is Palisade running, with `admin: {{ socket: }}` of that path in \
         its settings?"
    )]
    NoSocket(PathBuf),
    /// Nobody listens on the socket.
    #[error("nobody listens on {0}; is Palisade running?")]
    NobodyThere(PathBuf),
    /// The socket is another user's.
    #[error("may not use {0}; run this as the user who runs Palisade, or as root")]
    PermissionDenied(PathBuf),
    /// The socket can't be used.
    #[error("can't use {path}: {source}")]
    Connect {
        /// The socket.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The question was understood and answered with no.
    #[error("{0}")]
    Refused(String),
    /// What came back is no answer of Palisade's.
    #[error("{path} gives no answer that can be understood: {reason}")]
    Answer {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer came in time.
    #[error("no answer from {0} within {TIMEOUT:?}")]
    Timeout(PathBuf),
}

impl Client {
    /// One that asks at `socket`.
    #[must_use]
    pub fn new(socket: &Path) -> Self {
        Self {
            socket: socket.to_owned(),
        }
    }

    /// At most `limit` decisions, and how many there are in all: of `address` alone, of `source`
    /// alone, where given.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn list(
        &self,
        address: Option<IpAddr>,
        source: Option<SourceId>,
        limit: usize,
    ) -> Result<ListAnswer, ClientError> {
        let mut query = Serializer::new(String::new());
        if let Some(address) = address {
            query.append_pair("address", &address.to_string());
        }
        if let Some(source) = source {
            query.append_pair("source", source.as_str());
        }
        query.append_pair("limit", &limit.to_string());
        let target = format!("/decisions?{}", query.finish());
        self.ask(Method::GET, &target, Bytes::new()).await
    }

    /// Adds a local decision.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn add(&self, decision: &NewDecision) -> Result<AddAnswer, ClientError> {
        let body = serde_json::to_vec(&AddRequest::from(decision))
            .map_err(|error| self.no_answer(&error))?;
        self.ask(Method::POST, "/decisions", body.into()).await
    }

    /// Takes local decisions back.
    ///
    /// # Errors
    /// See [`ClientError`]; [`ClientError::Refused`] where there are none.
    pub async fn delete(&self, target: DeleteTarget) -> Result<DeleteAnswer, ClientError> {
        let mut query = Serializer::new(String::new());
        match target {
            DeleteTarget::Id(id) => query.append_pair("id", &id.to_string()),
            DeleteTarget::Scope(scope) => query
                .append_pair("scope", scope.name())
                .append_pair("value", &scope.to_string()),
        };
        let target = format!("/decisions?{}", query.finish());
        self.ask(Method::DELETE, &target, Bytes::new()).await
    }

    /// Takes all local decisions back.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn flush(&self) -> Result<DeleteAnswer, ClientError> {
        self.ask(Method::DELETE, "/decisions/all", Bytes::new())
            .await
    }

    async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let exchange = timeout(TIMEOUT, self.exchange(method, target, body)).await;
        let (status, body) = exchange.map_err(|_| ClientError::Timeout(self.socket.clone()))??;
        if status.is_success() {
            return serde_json::from_slice(&body).map_err(|error| self.no_answer(&error));
        }
        match serde_json::from_slice(&body) {
            Ok(ErrorAnswer { error }) => Err(ClientError::Refused(error)),
            Err(_) => Err(self.no_answer(&status)),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        target: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let stream = self.connect().await?;
        let request = Request::builder()
            .method(method)
            .uri(target)
            // RFC 9112 section 3.2 wants one; the socket has no name.
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| self.no_answer(&error))?;
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(|error| self.no_answer(&error))?;
        let exchange = async {
            let answer = sender.send_request(request).await;
            let answer = answer.map_err(|error| self.no_answer(&error))?;
            let (head, body) = answer.into_parts();
            let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
            let body = body.map_err(|error| self.no_answer(&error))?;
            Ok((head.status, body.to_bytes()))
        };
        // The connection moves the bytes; what goes wrong with it, the exchange hears of.
        let (exchanged, _) = tokio::join!(exchange, connection);
        exchanged
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        UnixStream::connect(&self.socket).await.map_err(|source| {
            let path = self.socket.clone();
            match source.kind() {
                io::ErrorKind::NotFound => ClientError::NoSocket(path),
                io::ErrorKind::ConnectionRefused => ClientError::NobodyThere(path),
                io::ErrorKind::PermissionDenied => ClientError::PermissionDenied(path),
                _ => ClientError::Connect { path, source },
            }
        })
    }

    fn no_answer(&self, reason: &impl ToString) -> ClientError {
        ClientError::Answer {
            path: self.socket.clone(),
            reason: reason.to_string(),
        }
    }
}
