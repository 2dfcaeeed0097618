//! The values that a field has in a request.

use palisade_vocabulary::RequestView;

use crate::Field;

/// Which form of the canonical path is asked.
///
/// A backend may cut `;params` off a path's segments, so what blocks is tried on both forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PathForm {
    /// The canonical path.
    Canonical,
    /// The canonical path without `;params`.
    WithoutParams,
}

/// Calls `visit` with each value of `field`; see [`Field`] for which those are.
///
/// Hot path: runs per request, allocates nothing.
pub(crate) fn visit_values(
    field: &Field,
    form: PathForm,
    view: &RequestView<'_>,
    mut visit: impl FnMut(&[u8]),
) {
    match field {
        Field::Path => visit(path_of(form, view)),
        Field::RawPath => visit(view.path.raw),
        Field::Query => visit(view.query),
        Field::Host => visit(view.host.as_bytes()),
        Field::Method => visit(view.method.as_bytes()),
        Field::UserAgent => {
            let lines = view.headers.get_all(http::header::USER_AGENT);
            let mut lines = lines.iter().peekable();
            if lines.peek().is_none() {
                visit(b"");
            }
            lines.for_each(|line| visit(line.as_bytes()));
        }
        Field::Header(name) => {
            for line in view.headers.get_all(name) {
                visit(line.as_bytes());
            }
        }
        Field::Cookie(name) => {
            for line in view.headers.get_all(http::header::COOKIE) {
                visit_cookies(line.as_bytes(), name.as_bytes(), &mut visit);
            }
        }
    }
}

fn path_of<'a>(form: PathForm, view: &RequestView<'a>) -> &'a [u8] {
    match form {
        PathForm::Canonical => view.path.canonical,
        PathForm::WithoutParams => view.path.without_params.unwrap_or(view.path.canonical),
    }
}

/// Pairs of a `Cookie` line (RFC 6265 section 4.2.1), read as loosely as servers read them: any
/// number of spaces around names and values, a pair without `=` has an empty value.
fn visit_cookies(line: &[u8], name: &[u8], visit: &mut impl FnMut(&[u8])) {
    for pair in line.split(|&byte| byte == b';') {
        let mut sides = pair.splitn(2, |&byte| byte == b'=');
        let found = sides.next().unwrap_or_default();
        let value = sides.next().unwrap_or_default();
        if found.trim_ascii() == name {
            visit(value.trim_ascii());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_request::TestRequest;

    #[track_caller]
    fn check(field: &Field, request: &TestRequest, expected: &[&str]) {
        let mut got = Vec::new();
        visit_values(field, PathForm::Canonical, &request.view(), |value| {
            got.push(String::from_utf8_lossy(value).into_owned());
        });
        assert_eq!(got, expected, "{field}");
    }

    #[test]
    fn each_field() {
        let request = TestRequest::new("/a;x/b")
            .raw_path("/a%3bx/b")
            .query("q=1")
            .method("POST")
            .host("h.example")
            .header("user-agent", "one")
            .header("user-agent", "two")
            .header("x-a", "1")
            .header("x-a", "2")
            .header("cookie", "s=1; t = 2 ;s=3;flag; e=a=b")
            .header("cookie", "s=4");
        check(&Field::Path, &request, &["/a;x/b"]);
        check(&Field::RawPath, &request, &["/a%3bx/b"]);
        check(&Field::Query, &request, &["q=1"]);
        check(&Field::Host, &request, &["h.example"]);
        check(&Field::Method, &request, &["POST"]);
        check(&Field::UserAgent, &request, &["one", "two"]);
        check(
            &Field::Header("x-a".parse().unwrap()),
            &request,
            &["1", "2"],
        );
        check(&Field::Header("x-b".parse().unwrap()), &request, &[]);
        check(&Field::Cookie("s".into()), &request, &["1", "3", "4"]);
        check(&Field::Cookie("t".into()), &request, &["2"]);
        check(&Field::Cookie("flag".into()), &request, &[""]);
        check(&Field::Cookie("e".into()), &request, &["a=b"]);
        check(&Field::Cookie("S".into()), &request, &[]);
        check(&Field::UserAgent, &TestRequest::new("/"), &[""]);
    }

    #[test]
    fn the_path_without_params_is_the_canonical_one_where_there_are_none() {
        let request = TestRequest::new("/a;x/b");
        let view = request.view();
        assert_eq!(path_of(PathForm::WithoutParams, &view), b"/a/b");
        let request = TestRequest::new("/a");
        assert_eq!(path_of(PathForm::WithoutParams, &request.view()), b"/a");
    }
}
