//! Asks LAPI, over HTTP.

mod tls;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tls_tests;

use std::sync::Arc;
use std::time::Duration;

use palisade_remote::{ClientError, Clock, connect_stage, excerpt, root_cause};
use palisade_vocabulary::ByteSize;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::credentials::Credentials;
use crate::pacing::Pull;
use crate::poll_error::PollError;
use crate::settings::{Filters, SCOPES, Settings};
use crate::usage::ReportError;
use crate::wire::{ChunkReader, DocumentError, Piece, StreamAnswer, parse_answer};

/// How many pieces of an answer may wait for the parser. One has what a read of the socket gave:
/// at most some 400 KiB.
const PIECES_MAX: usize = 16;
/// How much is read of an answer that is not 200.
const REFUSAL_BYTES_MAX: usize = 1_024;

/// A connection to one LAPI.
pub(crate) struct LapiClient {
    http: Client,
    snapshot_url: Url,
    delta_url: Url,
    usage_url: Url,
    startup_timeout: Duration,
    request_timeout: Duration,
    answer_bytes_max: ByteSize,
    clock: Arc<dyn Clock>,
}

impl LapiClient {
    /// No proxy of the environment is used and no redirect followed: the key goes to LAPI alone.
    ///
    /// # Errors
    /// When the machine's certificate authorities are needed and there are none.
    pub(crate) fn new(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let http = http_client(settings)?;
        Ok(Self {
            http,
            snapshot_url: stream_url(settings, Pull::Snapshot),
            delta_url: stream_url(settings, Pull::Delta),
            usage_url: settings.lapi_url().join("v1/usage-metrics"),
            startup_timeout: settings.startup_timeout.get(),
            request_timeout: settings.request_timeout.get(),
            answer_bytes_max: settings.answer_bytes_max.get(),
            clock,
        })
    }

    /// One answer of LAPI, whole and parsed, or an error.
    ///
    /// The timeout is for everything from the connection to the last byte, so that an LAPI which
    /// sends a byte now and then can't hold the poller.
    pub(crate) async fn pull(&self, pull: Pull) -> Result<StreamAnswer, PollError> {
        let (url, after) = match pull {
            Pull::Snapshot => (&self.snapshot_url, self.startup_timeout),
            Pull::Delta => (&self.delta_url, self.request_timeout),
        };
        timeout(after, self.exchange(url))
            .await
            .unwrap_or(Err(PollError::TimedOut { after }))
    }

    /// Gives LAPI a report of usage, a JSON document.
    pub(crate) async fn report_usage(&self, document: Vec<u8>) -> Result<(), ReportError> {
        let after = self.request_timeout;
        timeout(after, self.post_usage(document))
            .await
            .unwrap_or(Err(ReportError::Failed(PollError::TimedOut { after })))
    }

    async fn post_usage(&self, document: Vec<u8>) -> Result<(), ReportError> {
        let request = self.http.post(self.usage_url.clone());
        let request = request.header(CONTENT_TYPE, "application/json");
        let response = request.body(document).send().await;
        let response = response.map_err(|error| ReportError::Failed(transport_error(&error, 0)))?;
        let status = response.status();
        match status {
            StatusCode::CREATED => Ok(()),
            StatusCode::NOT_FOUND => Err(ReportError::NotSupported),
            StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => {
                let status = status.as_u16();
                Err(ReportError::Failed(PollError::KeyRefused { status }))
            }
            _ => Err(ReportError::Refused {
                status: status.as_u16(),
                excerpt: refusal_excerpt(response).await,
            }),
        }
    }

    async fn exchange(&self, url: &Url) -> Result<StreamAnswer, PollError> {
        let response = self.http.get(url.clone()).send().await;
        let response = response.map_err(|error| transport_error(&error, 0))?;
        let response = accept_status(response).await?;
        // LAPI counts what is left of each decision from when it writes its answer.
        let answered_at = self.clock.now();
        let (sender, pieces) = mpsc::channel(PIECES_MAX);
        // A parser of megabytes must not hold up the requests of this thread.
        let parsing = spawn_blocking(move || parse_answer(ChunkReader::new(pieces), answered_at));
        let received = self.forward_body(response, sender).await;
        let parsed = parsing.await;
        let bytes = received?;
        match parsed {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(document_error(error, bytes)),
            Err(_) => Err(PollError::Stopped),
        }
    }

    /// Sends the body to the parser as it comes; returns its length so far when the parser has seen
    /// enough.
    async fn forward_body(
        &self,
        mut response: Response,
        parser: mpsc::Sender<Piece>,
    ) -> Result<u64, PollError> {
        let limit = self.answer_bytes_max;
        let mut bytes = 0_u64;
        loop {
            let chunk = response
                .chunk()
                .await
                .map_err(|error| transport_error(&error, bytes))?;
            let Some(chunk) = chunk else {
                // A parser that is gone has found an error already.
                let _ = parser.send(Piece::End).await;
                return Ok(bytes);
            };
            bytes = bytes.saturating_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX));
            if bytes > limit.as_u64() {
                return Err(PollError::TooLarge { limit });
            }
            if parser.send(Piece::Bytes(chunk)).await.is_err() {
                return Ok(bytes);
            }
        }
    }
}

/// A client that proves to LAPI who it is, and goes nowhere else.
fn http_client(settings: &Settings) -> Result<Client, ClientError> {
    let mut headers = HeaderMap::new();
    if let Credentials::ApiKey(key) = settings.credentials() {
        headers.insert(HeaderName::from_static("x-api-key"), key.header_value());
    }
    palisade_remote::builder(tls::client_config(settings)?)
        .default_headers(headers)
        .build()
        .map_err(|error| ClientError::Build(root_cause(&error)))
}

/// The address to ask: `pkg/apiserver/controllers/v1/decisions.go` of CrowdSec has the parameters.
///
/// `dedup=false`, always: with LAPI's own deduplication a deleted decision can stay unannounced, and
/// one that a filter lets through can hide behind one that it doesn't.
fn stream_url(settings: &Settings, pull: Pull) -> Url {
    let mut url = settings.lapi_url().join("v1/decisions/stream");
    let Filters {
        origins,
        scenarios_containing,
        scenarios_not_containing,
    } = &settings.filters;
    let lists = [
        ("origins", origins),
        ("scenarios_containing", scenarios_containing),
        ("scenarios_not_containing", scenarios_not_containing),
    ];
    {
        let mut query = url.query_pairs_mut();
        if pull == Pull::Snapshot {
            query.append_pair("startup", "true");
        }
        query.append_pair("scopes", SCOPES);
        query.append_pair("dedup", "false");
        for (name, terms) in lists.into_iter().filter(|(_, terms)| !terms.is_empty()) {
            let terms: Vec<&str> = terms.iter().map(|term| term.as_str()).collect();
            query.append_pair(name, &terms.join(","));
        }
    }
    url
}

/// The answer, if its status is 200.
async fn accept_status(response: Response) -> Result<Response, PollError> {
    let status = response.status();
    match status {
        StatusCode::OK => Ok(response),
        // 403 for an unknown key; 401 where LAPI knows the caller but not as a bouncer.
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => Err(PollError::KeyRefused {
            status: status.as_u16(),
        }),
        _ => Err(PollError::Status {
            status: status.as_u16(),
            excerpt: refusal_excerpt(response).await,
        }),
    }
}

/// The start of the body of an answer that is not the one expected.
async fn refusal_excerpt(mut response: Response) -> String {
    let start = response.chunk().await.ok().flatten().unwrap_or_default();
    let start = start.get(..start.len().min(REFUSAL_BYTES_MAX));
    excerpt(start.unwrap_or_default())
}

fn transport_error(error: &reqwest::Error, bytes: u64) -> PollError {
    let Some(stage) = connect_stage(error) else {
        let reason = format!("after {bytes} bytes of its body: {}", root_cause(error));
        return PollError::Truncated { reason };
    };
    PollError::Unreachable {
        stage,
        reason: root_cause(error),
    }
}

fn document_error(error: DocumentError, bytes: u64) -> PollError {
    match error {
        DocumentError::Malformed {
            line,
            column,
            reason,
        } => PollError::Malformed {
            line,
            column,
            reason,
        },
        DocumentError::Truncated { .. } | DocumentError::GivenUp => PollError::Truncated {
            reason: format!("{error}, after {bytes} bytes"),
        },
    }
}
