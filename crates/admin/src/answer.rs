//! Answers of the doors.

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use serde::Serialize;

use crate::api::ErrorAnswer;

/// What a door answers: all of it is known before the first byte is sent.
pub(crate) type Answer = Response<Full<Bytes>>;

/// Plain text.
pub(crate) fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    with_type(
        status,
        HeaderValue::from_static("text/plain; charset=utf-8"),
        body.into(),
    )
}

/// A JSON document.
pub(crate) fn json(status: StatusCode, body: &impl Serialize) -> Answer {
    match serde_json::to_vec(body) {
        Ok(mut bytes) => {
            bytes.push(b'\n');
            let json = HeaderValue::from_static("application/json");
            with_type(status, json, bytes.into())
        }
        Err(error) => text(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()),
    }
}

/// An error as JSON: what is wrong, and how to mend it.
pub(crate) fn error(status: StatusCode, message: impl Into<String>) -> Answer {
    let error = message.into();
    json(status, &ErrorAnswer { error })
}

/// There is no such path; `paths` are those that there are.
pub(crate) fn not_found(paths: &str) -> Answer {
    let message = format!("nothing here; there is {paths}");
    error(StatusCode::NOT_FOUND, message)
}

/// The path knows other methods (RFC 9110 section 15.5.6).
pub(crate) fn method_not_allowed(allowed: &'static str) -> Answer {
    let message = format!("this path takes {allowed}");
    let mut answer = error(StatusCode::METHOD_NOT_ALLOWED, message);
    let headers = answer.headers_mut();
    headers.insert(ALLOW, HeaderValue::from_static(allowed));
    answer
}

/// An answer of another content type.
pub(crate) fn with_type(status: StatusCode, content_type: HeaderValue, body: Bytes) -> Answer {
    let mut answer = Response::new(Full::new(body));
    *answer.status_mut() = status;
    let headers = answer.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    // What is answered is true for a moment, and never a script or a page.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    answer
}
