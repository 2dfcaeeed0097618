//! The values of a list of requests, as rules ask for them.

#![expect(
    clippy::expect_used,
    reason = "a benchmark without its values has no figures"
)]

use std::path::Path;

use serde_json::Value;

/// Paths, names and values of arguments and cookies, values of headers, leaves of JSON; none empty.
pub(crate) fn values(folder: &Path) -> Vec<Vec<u8>> {
    let file = folder.join("benign.json");
    let text = std::fs::read(&file).expect("benign.json in PALISADE_CORPUS");
    let requests: Vec<Value> = serde_json::from_slice(&text).expect("a list of requests");
    let mut values = Vec::new();
    for request in &requests {
        add_request(request, &mut values);
    }
    values.retain(|value| !value.is_empty());
    values
}

fn add_request(request: &Value, values: &mut Vec<Vec<u8>>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let target = text(&request["uri"]);
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    values.push(path.into());
    add_form(query, values);
    let mut content_type = String::new();
    for header in request["headers"].as_array().into_iter().flatten() {
        let (name, value) = (text(&header[0]).to_ascii_lowercase(), text(&header[1]));
        values.push(value.clone().into());
        match name.as_str() {
            "content-type" => content_type = value,
            "cookie" => add_cookies(&value, values),
            _ => {}
        }
    }
    let body = text(&request["body"]);
    if content_type.contains("urlencoded") {
        add_form(&body, values);
    } else if let Ok(json) = serde_json::from_str(&body) {
        add_json(&json, values);
    } else {
        values.push(body.into());
    }
}

fn add_form(form: &str, values: &mut Vec<Vec<u8>>) {
    for (name, value) in form_urlencoded::parse(form.as_bytes()) {
        values.push(name.into_owned().into());
        values.push(value.into_owned().into());
    }
}

fn add_cookies(cookies: &str, values: &mut Vec<Vec<u8>>) {
    for cookie in cookies.split(';') {
        let (name, value) = cookie.trim().split_once('=').unwrap_or((cookie, ""));
        values.push(name.into());
        values.push(value.into());
    }
}

fn add_json(json: &Value, values: &mut Vec<Vec<u8>>) {
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                values.push(name.clone().into());
                add_json(value, values);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| add_json(item, values)),
        Value::String(text) => values.push(text.clone().into()),
        Value::Null => {}
        other => values.push(other.to_string().into()),
    }
}
