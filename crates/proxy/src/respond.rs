//! Answers that Palisade gives of itself: refusals, errors, redirects.
//!
//! A refused client gets a status, a page in a form that it accepts and the request's id, and
//! nothing about why.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use palisade_vocabulary::RequestId;

use crate::answer_head::AnswerHead;

/// The name of the field that ties an answer to the logs.
pub(crate) const X_REQUEST_ID: header::HeaderName = header::HeaderName::from_static("x-request-id");

/// Fields of an answer at most: three, a name, and two for the connection.
const FIELDS: usize = 8;

/// The forms of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PageForm {
    Html,
    Json,
    Text,
}

/// An answer that Palisade gives of itself.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) head: Box<AnswerHead>,
    pub(crate) body: Vec<u8>,
}

/// The pages of a snapshot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pages {
    /// The operator's own HTML page for refusals.
    own: Option<Arc<str>>,
}

impl Pages {
    pub(crate) fn new(own: Option<Arc<str>>) -> Self {
        Self { own }
    }

    /// The page of a refusal by a decision or rule.
    pub(crate) fn refusal(&self, status: u16, id: RequestId, headers: &HeaderMap) -> Answer {
        let form = PageForm::accepted(headers);
        match (&self.own, form) {
            (Some(own), PageForm::Html) => {
                let body = own
                    .replace("{{status}}", &status.to_string())
                    .replace("{{request_id}}", id.as_str());
                answer(status, id, form, body)
            }
            _ => page(status, id, form),
        }
    }

    /// The page of an error: nobody is refused, something doesn't work or doesn't exist.
    pub(crate) fn error(&self, status: u16, id: RequestId, headers: &HeaderMap) -> Answer {
        page(status, id, PageForm::accepted(headers))
    }
}

/// The built-in page for a status.
pub(crate) fn page(status: u16, id: RequestId, form: PageForm) -> Answer {
    let title = title(status);
    let body = match form {
        PageForm::Html => format!(
            "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{status} {title}</title>\
             <body style=\"font-family:sans-serif;margin:4em auto;max-width:36em\">\
             <h1>{title}</h1><p>Request id: <code>{id}</code></p></body></html>\n"
        ),
        PageForm::Json => {
            format!("{{\"status\":{status},\"title\":\"{title}\",\"request_id\":\"{id}\"}}\n")
        }
        PageForm::Text => format!("{status} {title}\nRequest id: {id}\n"),
    };
    answer(status, id, form, body)
}

/// A redirect that a rule wants, of whatever bytes it made the address of.
pub(crate) fn redirect_by_rule(status: u16, location: &[u8], id: RequestId) -> Answer {
    let mut answer = page(status, id, PageForm::Text);
    if let Ok(location) = HeaderValue::from_bytes(location) {
        answer.head.insert(header::LOCATION, location);
    }
    answer
}

/// A redirect to another address.
pub(crate) fn redirect(location: HeaderValue, id: RequestId) -> Answer {
    // 308 keeps method and body (RFC 9110 section 15.4.9).
    let mut answer = page(308, id, PageForm::Text);
    answer.head.insert(header::LOCATION, location);
    answer
}

fn answer(status: u16, id: RequestId, form: PageForm, body: String) -> Answer {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::FORBIDDEN);
    let mut head = Box::new(AnswerHead::new(status, FIELDS));
    let content_type = match form {
        PageForm::Html => "text/html; charset=utf-8",
        PageForm::Json => "application/json",
        PageForm::Text => "text/plain; charset=utf-8",
    };
    head.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    head.insert(header::CONTENT_LENGTH, HeaderValue::from(body.len()));
    head.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        head.insert(X_REQUEST_ID, id);
    }
    Answer {
        head,
        body: body.into_bytes(),
    }
}

fn title(status: u16) -> &'static str {
    match status {
        401 => "Sign in",
        403 => "Request refused",
        404 => "Not found",
        413 => "Request too large",
        421 => "Misdirected request",
        429 => "Too many requests",
        502 => "Bad gateway",
        503 => "Service unavailable",
        504 => "Gateway timeout",
        _ => StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Request refused"),
    }
}

impl PageForm {
    /// The form that the client likes best (RFC 9110 section 12.5.1); text where it doesn't say.
    pub(crate) fn accepted(headers: &HeaderMap) -> Self {
        let mut best = (Self::Text, 0_u16);
        for value in headers.get_all(header::ACCEPT) {
            for range in value.as_bytes().split(|byte| *byte == b',') {
                let Some((form, weight)) = media_range(range) else {
                    continue;
                };
                if weight > best.1 {
                    best = (form, weight);
                }
            }
        }
        best.0
    }
}

/// The form that a media range stands for, with its weight in thousandths.
fn media_range(range: &[u8]) -> Option<(PageForm, u16)> {
    let range = std::str::from_utf8(range).ok()?;
    let mut parts = range.split(';').map(str::trim);
    let media_type = parts.next()?;
    let is = |other: &str| media_type.eq_ignore_ascii_case(other);
    let form = if is("text/html") || is("application/xhtml+xml") {
        PageForm::Html
    } else if is("application/json") || is("application/*") || is("application/problem+json") {
        PageForm::Json
    } else if is("text/plain") || is("text/*") || is("*/*") {
        PageForm::Text
    } else {
        return None;
    };
    let weight = parts
        .filter_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
        .find_map(|weight| weight.parse::<f32>().ok())
        .map_or(1000, |weight| (weight.clamp(0.0, 1.0) * 1000.0) as u16);
    Some((form, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(accept: &str, expected: PageForm) {
        let mut headers = HeaderMap::new();
        if !accept.is_empty() {
            headers.insert(header::ACCEPT, HeaderValue::from_str(accept).unwrap());
        }
        assert_eq!(PageForm::accepted(&headers), expected, "{accept}");
    }

    #[test]
    fn the_form_that_the_client_likes_best() {
        use PageForm::{Html, Json, Text};
        check("", Text);
        check("*/*", Text);
        check(
            "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
            Html,
        );
        check("application/json", Json);
        check("application/json;q=0.1, text/html;q=0.2", Html);
        check("text/plain;q=0.5, application/json;q=0.9", Json);
        check("image/png", Text);
        check("text/html;q=0", Text);
        check("text/html;q=nonsense", Html);
    }

    #[test]
    fn a_page_says_nothing_but_status_and_id() {
        let id = RequestId::parse(b"abc-1").unwrap();
        for form in [PageForm::Html, PageForm::Json, PageForm::Text] {
            let answer = page(403, id, form);
            let body = String::from_utf8(answer.body).unwrap();
            assert!(body.contains("abc-1") && body.contains("403"), "{body}");
            assert_eq!(
                answer.head.get(&header::CONTENT_LENGTH).unwrap(),
                body.len().to_string().as_str()
            );
            assert_eq!(answer.head.get(&X_REQUEST_ID).unwrap(), "abc-1");
        }
    }

    #[test]
    fn an_own_page_has_its_places_filled() {
        let pages = Pages::new(Some("<p>{{status}} {{request_id}}".into()));
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("text/html"));
        let answer = pages.refusal(403, RequestId::parse(b"x").unwrap(), &headers);
        assert_eq!(answer.body, b"<p>403 x");
    }
}
