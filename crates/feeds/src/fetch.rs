//! Asks a server for a list.

use palisade_remote::{
    ClientError, connect_stage, excerpt, machine_roots, root_cause, tls_builder,
};
use palisade_vocabulary::ByteSize;
use reqwest::header::{
    ETAG, HeaderMap, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;

use crate::fetch_error::FetchError;
use crate::settings::{ListSettings, ListSource, UrlSettings};

/// How often a server may send us on.
const REDIRECTS_MAX: usize = 5;
/// The longest validator that is kept, in bytes.
const VALIDATOR_BYTES_MAX: usize = 1_024;
/// How much is read of an answer that is no list.
const REFUSAL_BYTES_MAX: usize = 1_024;

/// What a server said of its answer, to be asked whether that changed (RFC 9110 section 13.1).
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Validators {
    pub(crate) etag: Option<String>,
    pub(crate) last_modified: Option<String>,
}

/// What a server answered.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Fetched {
    /// It is what we have.
    NotModified,
    /// A new copy.
    New {
        bytes: Vec<u8>,
        validators: Validators,
    },
}

/// A client for all lists: none where no list is on a server.
///
/// # Errors
/// When the machine's certificate authorities are needed and there are none.
pub(crate) fn client(lists: &[ListSettings]) -> Result<Option<Client>, ClientError> {
    let mut urls = lists.iter().filter_map(|list| match &list.source {
        ListSource::Url(settings) => Some(&settings.url),
        ListSource::File(_) => None,
    });
    let Some(first) = urls.next() else {
        return Ok(None);
    };
    let roots = match first.is_https() || urls.any(|url| url.is_https()) {
        true => machine_roots()?,
        // A redirect to https is not trusted then, which an operator mends in the URL.
        false => rustls::RootCertStore::empty(),
    };
    let tls = tls_builder(roots.into())?.with_no_client_auth();
    let client = palisade_remote::builder(tls)
        .gzip(true)
        .redirect(Policy::custom(|attempt| {
            let from = attempt.previous().last();
            let was_secret = from.is_some_and(|from| from.scheme() == "https");
            if attempt.previous().len() > REDIRECTS_MAX {
                return attempt.error(Astray::TooOften);
            }
            match attempt.url().scheme() {
                "https" => attempt.follow(),
                "http" if !was_secret => attempt.follow(),
                _ => attempt.error(Astray::Insecure),
            }
        }))
        .build();
    let client = client.map_err(|error| ClientError::Build(root_cause(&error)))?;
    Ok(Some(client))
}

/// Where a server may not send us.
#[derive(Debug, thiserror::Error)]
enum Astray {
    #[error("more than {REDIRECTS_MAX} times")]
    TooOften,
    #[error("from https to what is not")]
    Insecure,
}

/// One answer, whole. The timeout is for everything from the connection to the last byte, so that
/// a server which sends a byte now and then holds nobody.
pub(crate) async fn fetch(
    client: &Client,
    settings: &UrlSettings,
    bytes_max: ByteSize,
    known: &Validators,
) -> Result<Fetched, FetchError> {
    let after = settings.timeout.get();
    timeout(after, exchange(client, settings, bytes_max, known))
        .await
        .unwrap_or(Err(FetchError::TimedOut { after }))
}

async fn exchange(
    client: &Client,
    settings: &UrlSettings,
    bytes_max: ByteSize,
    known: &Validators,
) -> Result<Fetched, FetchError> {
    let mut request = client.get(settings.url.whole().clone());
    for (name, value) in [
        (IF_NONE_MATCH, &known.etag),
        (IF_MODIFIED_SINCE, &known.last_modified),
    ] {
        if let Some(value) = value {
            request = request.header(name, value);
        }
    }
    let response = request.send().await.map_err(|error| failure(&error, 0))?;
    match response.status() {
        StatusCode::OK => {
            let validators = validators(response.headers());
            let bytes = body(response, bytes_max).await?;
            Ok(Fetched::New { bytes, validators })
        }
        StatusCode::NOT_MODIFIED if *known != Validators::default() => Ok(Fetched::NotModified),
        status => Err(FetchError::Status {
            status: status.as_u16(),
            excerpt: refusal_excerpt(response).await,
        }),
    }
}

/// The whole body, decompressed; the bound is for what it decompresses to.
async fn body(mut response: Response, bytes_max: ByteSize) -> Result<Vec<u8>, FetchError> {
    let mut bytes = Vec::new();
    loop {
        let chunk = response.chunk().await;
        let read = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let Some(chunk) = chunk.map_err(|error| failure(&error, read))? else {
            return Ok(bytes);
        };
        if bytes.len().saturating_add(chunk.len()) > bytes_max.as_usize() {
            return Err(FetchError::TooLarge { limit: bytes_max });
        }
        bytes.extend_from_slice(&chunk);
    }
}

fn validators(headers: &HeaderMap) -> Validators {
    let value = |name: HeaderName| {
        let text = headers.get(name)?.to_str().ok()?;
        (text.len() <= VALIDATOR_BYTES_MAX).then(|| text.to_owned())
    };
    Validators {
        etag: value(ETAG),
        last_modified: value(LAST_MODIFIED),
    }
}

async fn refusal_excerpt(mut response: Response) -> String {
    let start = response.chunk().await.ok().flatten().unwrap_or_default();
    excerpt(start.get(..REFUSAL_BYTES_MAX).unwrap_or(&start))
}

fn failure(error: &reqwest::Error, bytes: u64) -> FetchError {
    if error.is_redirect() {
        return FetchError::Redirect(root_cause(error));
    }
    let reason = root_cause(error);
    match connect_stage(error) {
        Some(stage) => FetchError::Unreachable { stage, reason },
        None => FetchError::BrokeOff {
            reason: format!("after {bytes} bytes of its body: {reason}"),
        },
    }
}
