//! Harmless values, as rules get them.

use std::path::Path;

use serde_json::Value;

use crate::{Transformation, UnicodeMap};

/// All values of the requests of `benign.json`, or `None`, and the reason told, where there are none.
pub(in super::super) fn values() -> Option<Vec<Vec<u8>>> {
    let Some(folder) = std::env::var_os("PALISADE_CORPUS") else {
        eprintln!("SKIPPED: PALISADE_CORPUS doesn't say where harmless requests are");
        return None;
    };
    let text = std::fs::read(Path::new(&folder).join("benign.json")).unwrap();
    let requests: Value = serde_json::from_slice(&text).unwrap();
    let mut values = Values::default();
    for request in requests.as_array().unwrap() {
        values.of_request(request);
    }
    Some(values.0)
}

#[derive(Default)]
struct Values(Vec<Vec<u8>>);

impl Values {
    fn of_request(&mut self, request: &Value) {
        let mut content_type = "";
        for header in request["headers"].as_array().unwrap() {
            let (name, value) = (header[0].as_str().unwrap(), header[1].as_str().unwrap());
            self.push(value);
            if name.eq_ignore_ascii_case("cookie") {
                self.of_cookies(value);
            } else if name.eq_ignore_ascii_case("content-type") {
                content_type = value;
            }
        }
        let uri = request["uri"].as_str().unwrap();
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        self.push(path);
        self.of_form(query);
        let body = request["body"].as_str().unwrap();
        if content_type.contains("json") {
            let body = serde_json::from_str(body).unwrap_or_default();
            self.of_json(&body);
        } else if content_type.contains("urlencoded") {
            self.of_form(body);
        } else {
            let parts = body.split("\r\n\r\n").skip(1);
            parts.for_each(|part| self.push(part.split("\r\n--").next().unwrap()));
        }
    }

    fn of_cookies(&mut self, cookies: &str) {
        for cookie in cookies.split("; ") {
            let (name, value) = cookie.split_once('=').unwrap_or((cookie, ""));
            self.push(name);
            self.push(value);
        }
    }

    fn of_form(&mut self, form: &str) {
        for pair in form.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.push_decoded(name);
            self.push_decoded(value);
        }
    }

    fn of_json(&mut self, value: &Value) {
        match value {
            Value::Null => {}
            Value::String(text) => self.push(text),
            Value::Bool(_) | Value::Number(_) => self.push(&value.to_string()),
            Value::Array(items) => items.iter().for_each(|item| self.of_json(item)),
            Value::Object(members) => {
                for (name, value) in members {
                    self.push(name);
                    self.of_json(value);
                }
            }
        }
    }

    fn push(&mut self, value: &str) {
        self.0.push(value.as_bytes().to_vec());
    }

    fn push_decoded(&mut self, value: &str) {
        let mut decoded = Vec::new();
        if !Transformation::UrlDecode.apply(value.as_bytes(), &mut decoded, &UnicodeMap::default())
        {
            decoded = value.as_bytes().to_vec();
        }
        self.0.push(decoded);
    }
}
