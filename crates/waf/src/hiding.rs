//! What was sent, for a log: without what is not to be shown.

use std::borrow::Cow;

use memchr::memmem;
use palisade_seclang::{Sanitised, Transaction, Transformation, UnicodeMap};
use palisade_vocabulary::HiddenNames;

/// A form of arguments, whose names stand beside their values.
const FORM: &[u8] = b"application/x-www-form-urlencoded";

/// Writes parts of a request and of its answer with `*` in place of each byte that is hidden.
///
/// Where a hidden value can't be found for certain, since it may stand there in another spelling, nothing
/// of the part is shown.
#[derive(Debug)]
pub struct Hiding<'t> {
    names: &'t HiddenNames,
    /// What rules sanitise by name.
    arguments: Vec<&'t [u8]>,
    request_headers: Vec<&'t [u8]>,
    response_headers: Vec<&'t [u8]>,
    /// What rules sanitise wherever it stands.
    texts: Vec<&'t [u8]>,
    /// Values of hidden arguments of the query.
    query_values: Vec<&'t [u8]>,
    /// Values of hidden arguments of the body.
    body_values: Vec<&'t [u8]>,
    /// Whether there may be others in the body, which was not read to its end, or a hidden file.
    may_have_others: bool,
    is_everything: bool,
}

impl<'t> Hiding<'t> {
    /// What is hidden of a transaction, by its rules and by `names`; of `None`, whose inspection failed, by
    /// `names` alone.
    #[must_use]
    pub fn of(transaction: Option<&'t Transaction>, names: &'t HiddenNames) -> Self {
        let mut hiding = Self {
            names,
            arguments: Vec::new(),
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            texts: Vec::new(),
            query_values: Vec::new(),
            body_values: Vec::new(),
            may_have_others: false,
            is_everything: false,
        };
        let Some(transaction) = transaction else {
            return hiding;
        };
        for one in transaction.sanitised() {
            match one {
                Sanitised::Argument(name) => hiding.arguments.push(name),
                Sanitised::RequestHeader(name) => hiding.request_headers.push(name),
                Sanitised::ResponseHeader(name) => hiding.response_headers.push(name),
                // The names say it too.
                Sanitised::RequestCookie(_) => {}
                Sanitised::Bytes { text, .. } => hiding.texts.push(text),
                Sanitised::Everything => hiding.is_everything = true,
            }
        }
        let value_of =
            |(name, value): (&[u8], &'t [u8])| hiding.has_argument(name).then_some(value);
        let query_values: Vec<&[u8]> = transaction.query_arguments().filter_map(value_of).collect();
        let body_values: Vec<&[u8]> = transaction.body_arguments().filter_map(value_of).collect();
        let has_names = !hiding.arguments.is_empty() || !names.arguments.is_empty();
        let mut files = transaction.file_fields();
        let is_hidden =
            files.any(|field| hiding.has_argument(field)) || !transaction.has_read_body();
        Self {
            query_values,
            body_values,
            may_have_others: has_names && is_hidden,
            ..hiding
        }
    }

    /// A target: its path, and its query.
    #[must_use]
    pub fn target<'b>(&self, target: &'b [u8]) -> Cow<'b, [u8]> {
        if self.is_everything {
            return starred(target);
        }
        let query = memchr::memchr(b'?', target).map_or(target.len(), |at| at + 1);
        let (path, query) = target.split_at(query);
        match self.form(query) {
            Cow::Borrowed(_) => self.text(target),
            Cow::Owned(query) => Cow::Owned([&*self.text(path), &query].concat()),
        }
    }

    /// The value of a field of the request.
    #[must_use]
    pub fn request_header<'b>(&self, name: &[u8], value: &'b [u8]) -> Cow<'b, [u8]> {
        let is_cookie = name.eq_ignore_ascii_case(b"cookie");
        match self.is_everything || has(&self.request_headers, name) || self.names.has_header(name)
        {
            true => starred(value),
            false if is_cookie && !self.names.cookies.is_empty() => {
                let cookies = self.cookies(value);
                Cow::Owned(self.text(&cookies).into_owned())
            }
            false => self.text(value),
        }
    }

    /// The value of a field of the answer.
    #[must_use]
    pub fn response_header<'b>(&self, name: &[u8], value: &'b [u8]) -> Cow<'b, [u8]> {
        let is_cookie = name.eq_ignore_ascii_case(b"set-cookie");
        let cookie = value.split(|byte| *byte == b'=').next();
        let cookie = cookie.unwrap_or_default().trim_ascii();
        let is_hidden = self.is_everything
            || has(&self.response_headers, name)
            || self.names.has_header(name)
            || (is_cookie && self.names.has_cookie(cookie));
        match is_hidden {
            true => starred(value),
            false => self.text(value),
        }
    }

    /// The beginning of the request's body.
    #[must_use]
    pub fn request_body<'b>(&self, content_type: &[u8], body: &'b [u8]) -> Cow<'b, [u8]> {
        if self.is_everything || self.may_have_others {
            return starred(body);
        }
        let is_form = content_type
            .get(..FORM.len())
            .is_some_and(|kind| kind.eq_ignore_ascii_case(FORM));
        match is_form {
            true => self.form(body),
            false => self.values(body),
        }
    }

    /// The beginning of the answer's body: without hidden values where it repeats them as they were sent.
    #[must_use]
    pub fn response_body<'b>(&self, body: &'b [u8]) -> Cow<'b, [u8]> {
        if self.is_everything {
            return starred(body);
        }
        let values = self.query_values.iter().chain(&self.body_values);
        let values = values.chain(&self.texts).copied();
        let repeated =
            values.filter(|value| !value.is_empty() && memmem::find(body, value).is_some());
        let repeated: Vec<&[u8]> = repeated.collect();
        match repeated.is_empty() {
            true => Cow::Borrowed(body),
            false => without(body, &repeated),
        }
    }

    fn has_argument(&self, name: &[u8]) -> bool {
        has(&self.arguments, name) || self.names.has_argument(name)
    }

    /// Pairs of names and values, as in a query (URL standard, `application/x-www-form-urlencoded`).
    fn form<'b>(&self, form: &'b [u8]) -> Cow<'b, [u8]> {
        if self.arguments.is_empty() && self.names.arguments.is_empty() && self.texts.is_empty() {
            return Cow::Borrowed(form);
        }
        let mut shown = Vec::with_capacity(form.len());
        // Whoever reads `;` as the end of a pair reads more pairs: none of them is shown less.
        for (number, pair) in form.split(|byte| *byte == b'&').enumerate() {
            if number > 0 {
                shown.push(b'&');
            }
            self.pair(pair, &mut shown);
        }
        Cow::Owned(shown)
    }

    fn pair(&self, pair: &[u8], shown: &mut Vec<u8>) {
        let name_len = memchr::memchr(b'=', pair).unwrap_or(pair.len());
        let (name, value) = pair.split_at(name_len);
        let decoded = form_decoded(value);
        let decoded_name = form_decoded(name);
        if self.names.is_spoken_of(&decoded_name) || self.names.is_spoken_of(&decoded) {
            shown.resize(shown.len() + pair.len(), b'*');
            return;
        }
        let is_hidden = self.has_argument(&decoded_name)
            || value
                .split(|byte| *byte == b';')
                .skip(1)
                .any(|more| self.has_argument(&form_decoded(name_of(more))))
            || self.has_text(&decoded);
        shown.extend_from_slice(&self.text(name));
        match (is_hidden, value.split_first()) {
            (true, Some((equals, value))) => {
                shown.push(*equals);
                shown.resize(shown.len() + value.len(), b'*');
            }
            _ => shown.extend_from_slice(value),
        }
    }

    /// Pairs of the `Cookie` field (RFC 6265 section 4.2.1).
    fn cookies(&self, value: &[u8]) -> Vec<u8> {
        let mut shown = Vec::with_capacity(value.len());
        for (number, pair) in value.split(|byte| *byte == b';').enumerate() {
            if number > 0 {
                shown.push(b';');
            }
            let name = name_of(pair);
            let is_hidden = self.names.has_cookie(name.trim_ascii());
            match pair.get(name.len() + 1..).filter(|_| is_hidden) {
                Some(value) => {
                    shown.extend_from_slice(name);
                    shown.push(b'=');
                    shown.resize(shown.len() + value.len(), b'*');
                }
                None => shown.extend_from_slice(pair),
            }
        }
        shown
    }

    /// A body of another kind, whose values stand in it as they are, if that is certain.
    fn values<'b>(&self, body: &'b [u8]) -> Cow<'b, [u8]> {
        let values = self
            .body_values
            .iter()
            .copied()
            .chain(self.texts.iter().copied());
        let values: Vec<&[u8]> = values.filter(|value| !value.is_empty()).collect();
        if values.is_empty() {
            return Cow::Borrowed(body);
        }
        let has_escapes = memchr::memchr2(b'\\', b'&', body).is_some();
        let all_there = values
            .iter()
            .all(|value| memmem::find(body, value).is_some());
        match has_escapes || !all_there {
            true => starred(body),
            false => without(body, &values),
        }
    }

    /// A text without those that are hidden wherever they stand.
    fn text<'b>(&self, text: &'b [u8]) -> Cow<'b, [u8]> {
        match self.has_text(text) {
            true => without(text, &self.texts),
            false => Cow::Borrowed(text),
        }
    }

    fn has_text(&self, text: &[u8]) -> bool {
        let mut texts = self.texts.iter();
        texts.any(|hidden| memmem::find(text, hidden).is_some())
    }
}

fn has(names: &[&[u8]], name: &[u8]) -> bool {
    names.iter().any(|known| known.eq_ignore_ascii_case(name))
}

fn name_of(pair: &[u8]) -> &[u8] {
    pair.split(|byte| *byte == b'=').next().unwrap_or_default()
}

fn starred(text: &[u8]) -> Cow<'_, [u8]> {
    Cow::Owned(vec![b'*'; text.len()])
}

fn without<'b>(text: &'b [u8], hidden: &[&[u8]]) -> Cow<'b, [u8]> {
    let mut shown = text.to_vec();
    for value in hidden {
        for at in memmem::find_iter(text, value) {
            if let Some(part) = shown.get_mut(at..at + value.len()) {
                part.fill(b'*');
            }
        }
    }
    Cow::Owned(shown)
}

fn form_decoded(text: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    match Transformation::UrlDecode.apply(text, &mut decoded, &UnicodeMap::default()) {
        true => decoded,
        false => text.to_vec(),
    }
}

#[cfg(test)]
mod tests;
